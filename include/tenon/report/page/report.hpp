#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The page about a training or an evaluation: one file that needs no other, neither a network nor scripts.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/explain/overlay.hpp>
#include <tenon/io/atomic_file.hpp>
#include <tenon/report/page/environment.hpp>
#include <tenon/report/page/figures.hpp>
#include <tenon/report/page/html.hpp>
#include <tenon/report/page/mistakes.hpp>
#include <tenon/report/page/style.hpp>
#include <tenon/report/summary.hpp>
#include <tenon/train/callbacks/history.hpp>

namespace tenon {
namespace reports {
inline namespace TENON_ISA_NAMESPACE {

/// What a page shows; what is empty is left out.
struct Report {
    std::string title, subtitle;
    std::vector<Fact> network;         ///< its name, parameters, ...
    History history;                   ///< of the training
    std::vector<std::string> classes;  ///< the names of the predictions' classes
    std::optional<Predictions> predictions;
    std::vector<Mistake> mistakes;
    std::vector<Fact> data;  ///< the data set's sheet
    std::vector<Fact> environment = reports::environment();
    std::string command;  ///< that repeats the run
};

/// A network's parameters, multiply-adds and input.
template <class Net>
std::vector<Fact> network_facts() {
    return {{"parameters", detail::with_commas(parameter_count<Net>)},
            {"multiply-adds per image", detail::with_commas(multiply_adds<Net>)},
            {"input", to_string(input_shape<Net>)}};
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Writes the page's sections.
template <class Once = void>
class ReportPage {
public:
    explicit ReportPage(const reports::Report& report) : report_{report} {
        if (!report.predictions) return;
        const auto classes = detail::index(report.predictions->classes());
        if (report.classes.size() != classes)
            throw Error("expected a name for each of the " + std::to_string(classes) +
                        " classes of a report's predictions, found " + std::to_string(report.classes.size()));
    }

    std::string write() {
        text_ =
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
            "img-src data:\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>";
        text_ += html_text(report_.title) + "</title>\n<style>";
        text_ += page_style;
        text_ += "</style>\n</head>\n<body>\n<main>\n<header><h1>" + html_text(report_.title) + "</h1>\n";
        if (!report_.subtitle.empty()) text_ += "<p class=\"soft\">" + html_text(report_.subtitle) + "</p>";
        text_ += "</header>\n";
        tiles();
        training();
        if (report_.predictions && report_.predictions->size() > 0) {
            confusion();
            classes();
            reliability();
            mistakes();
            pairs();
        }
        facts("Network", report_.network);
        facts("Data", report_.data);
        facts("Environment", report_.environment);
        if (!report_.command.empty()) {
            open("Repeat it");
            text_ += "<pre>" + html_text(report_.command) + "</pre>\n</section>\n";
        }
        return text_ + "</main>\n</body>\n</html>\n";
    }

private:
    static std::string percent(double share, int digits = 1) {
        return number_text(100 * share, std::chars_format::fixed, digits) + " %";
    }
    static std::string share_of(double share, bool is_defined) { return is_defined ? percent(share) : "\xE2\x80\x93"; }
    std::string name(int klass) const { return html_text(report_.classes[index(klass)]); }

    void open(std::string_view heading) { text_.append("<section><h2>").append(heading).append("</h2>\n"); }

    void tiles() {
        text_ += "<div class=\"tiles\">\n";
        const auto tile = [&](const std::string& figure, const std::string& what) {
            text_ += "<div class=\"tile\"><b>" + figure + "</b><span>" + what + "</span></div>\n";
        };
        if (report_.predictions && report_.predictions->size() > 0) {
            const reports::Predictions& all = *report_.predictions;
            tile(percent(all.accuracy(), 2), "accuracy");
            if (all.classes() > 5) tile(percent(all.accuracy(5), 2), "label among the best five");
            tile(number_text(all.loss(), std::chars_format::fixed, 4), "mean loss");
            tile(percent(all.calibration_error(), 2), "calibration error (ECE)");
            tile(with_commas(std::ssize(all)), "images");
        }
        if (!report_.history.empty()) {
            double seconds = 0;
            for (const EpochReport& epoch : report_.history) seconds += epoch.seconds;
            tile(std::to_string(report_.history.size()), "epochs");
            tile(seconds < 120 ? number_text(seconds, std::chars_format::fixed, 1) + " s"
                               : number_text(seconds / 60, std::chars_format::fixed, 1) + " min",
                 "of training");
        }
        text_ += "</div>\n";
    }

    void training() {
        if (report_.history.empty()) return;
        PlotCurve loss{"training", std::string(FigureColors::first), {}}, accuracy = loss, rate = loss;
        PlotCurve validation_loss{"validation", std::string(FigureColors::second), {}, true};
        PlotCurve validation_accuracy = validation_loss;
        rate.name.clear();
        for (const EpochReport& epoch : report_.history) {
            loss.values.push_back(epoch.loss);
            accuracy.values.push_back(100 * epoch.accuracy);
            validation_loss.values.push_back(epoch.validation_loss);
            validation_accuracy.values.push_back(100 * epoch.validation_accuracy);
            rate.values.push_back(epoch.learning_rate);
        }
        open("Training");
        text_ += "<div class=\"row\">\n";
        figure(curves_figure("Loss", {loss, validation_loss}, ""));
        figure(curves_figure("Accuracy", {accuracy, validation_accuracy}, " %"));
        figure(curves_figure("Learning rate at the end of each epoch", {rate}, ""));
        text_ += "</div>\n</section>\n";
    }

    void figure(const std::string& svg, std::string_view kind = "") {
        if (svg.empty()) return;
        text_.append("<figure").append(kind).append(">").append(svg).append("</figure>\n");
    }

    void confusion() {
        if (report_.predictions->classes() > max_matrix) return;
        open("Confusion matrix");
        text_ +=
            "<p class=\"soft\">A row is a class, a column what its images were taken for. The fuller a color, the "
            "larger "
            "the share of the row: blue is right, orange wrong.</p>\n";
        figure(confusion_figure(report_.predictions->confusion(), report_.classes), " class=\"wide\"");
        text_ += "</section>\n";
    }

    void classes() {
        const ConfusionMatrix matrix = report_.predictions->confusion();
        std::vector<int> order(index(matrix.classes()));
        std::iota(order.begin(), order.end(), 0);
        const bool cut = order.size() > max_rows;
        if (cut) {
            // Those with images first, the least recognized before the others.
            std::ranges::stable_sort(order, [&](int a, int b) {
                const auto rank = [&](int klass) { return matrix.images(klass) > 0 ? matrix.recall(klass) : 2.0; };
                return rank(a) < rank(b);
            });
            order.resize(max_rows);
        }
        open("Classes");
        if (cut)
            text_ += "<p class=\"soft\">The " + std::to_string(max_rows) + " of " + std::to_string(matrix.classes()) +
                     " classes with the lowest recall.</p>\n";
        text_ +=
            "<table><tr><th>class</th><th class=\"n\">images</th><th class=\"n\">precision</th><th class=\"bar\"></th>"
            "<th class=\"n\">recall</th><th class=\"bar\"></th><th class=\"n\">F1</th></tr>\n";
        const auto bar = [](double share, std::string_view kind) {
            return "<td class=\"bar\"><div" + std::string(kind) + " style=\"width:" + Svg::number(100 * share) +
                   "%\"></div></td>";
        };
        for (const int klass : order) {
            const bool has_images = matrix.images(klass) > 0, is_taken = matrix.taken_for(klass) > 0;
            text_ += "<tr><td>" + name(klass) + "</td><td class=\"n\">" + with_commas(matrix.images(klass)) +
                     "</td><td class=\"n\">" + share_of(matrix.precision(klass), is_taken) + "</td>" +
                     bar(matrix.precision(klass), "") + "<td class=\"n\">" +
                     share_of(matrix.recall(klass), has_images) + "</td>" +
                     bar(matrix.recall(klass), " class=\"second\"") + "<td class=\"n\">" +
                     share_of(matrix.f1(klass), has_images || is_taken) + "</td></tr>\n";
        }
        text_ += "</table>\n</section>\n";
    }

    void reliability() {
        open("Calibration");
        text_ += "<div class=\"row\">\n";
        figure(reliability_figure(report_.predictions->reliability()));
        text_ +=
            "<div class=\"text\"><p>Of the images that the network is 80 % sure of, 80 % should be right. Bars show "
            "how many are, in 15 intervals of confidence; a point is at the mean confidence of its interval. Below "
            "the dashed line the network is too sure of itself, above it not sure enough.</p>\n<p>The expected "
            "calibration error, the mean distance over all images, is <b>" +
            percent(report_.predictions->calibration_error(), 2) +
            "</b> (Guo et al. 2017).</p></div>\n</div>\n</section>\n";
    }

    void mistakes() {
        if (report_.mistakes.empty()) return;
        open("Mistakes it was most sure of");
        const bool has_maps = std::ranges::any_of(
            report_.mistakes, [](const reports::Mistake& mistake) { return !mistake.map.values.empty(); });
        if (has_maps) {
            std::string gradient;
            const std::vector<Rgb> colors = map_colors();
            for (std::size_t i = 0; i < colors.size(); i += 51) gradient += ", " + css(colors[i]);
            text_ +=
                "<p class=\"soft\">Beside each image: what spoke for the wrong class (Grad-CAM), from nothing<span "
                "class=\"scale\" style=\"background:linear-gradient(to right" +
                gradient + ")\"></span>to most.</p>\n";
        }
        text_ += "<div class=\"mistakes\">\n";
        for (const reports::Mistake& mistake : report_.mistakes) show(mistake);
        text_ += "</div>\n</section>\n";
    }

    static std::string css(const Rgb& color) {
        return "rgb(" + std::to_string(color[0]) + "," + std::to_string(color[1]) + "," + std::to_string(color[2]) +
               ")";
    }

    void show(const reports::Mistake& mistake) {
        const std::string label = name(mistake.prediction.label), predicted = name(mistake.prediction.predicted);
        text_ += "<div><div class=\"pictures\">";
        if (!mistake.photo.empty()) {
            const Image small = shrunk(mistake.photo, 112);
            const std::string address = image_address(small);
            const std::string pixels = small.width() < 64 ? " pixels" : "";
            text_ += "<div class=\"picture\"><img class=\"photo" + pixels + "\" alt=\"" + label + "\" src=\"" +
                     address + "\"></div>";
            if (!mistake.map.values.empty())
                text_ += "<div class=\"picture\"><img class=\"gray" + pixels + "\" alt=\"\" src=\"" + address +
                         "\"><img class=\"heat\" alt=\"what spoke for " + predicted + "\" src=\"" +
                         image_address(heat(mistake.map)) + "\"></div>";
        }
        text_ += "</div><b>" + predicted + "</b> " + percent(mistake.prediction.confidence) +
                 "<br><span class=\"soft\">is " + label + ", image " + std::to_string(mistake.image) +
                 "</span></div>\n";
    }

    /// A map in its colors, of as many pixels as look smooth.
    static Image heat(const explanations::ClassMap& map) {
        constexpr int side = 28;
        const std::vector<Rgb> colors = map_colors();
        const double largest = std::max(0.0, double{std::ranges::max(map.values)});
        Image image(side, side, 3);
        for (int y = 0; y < side; ++y)
            for (int x = 0; x < side; ++x) {
                const double value = map_at(map.values, map.height, map.width, (y + 0.5) / side, (x + 0.5) / side);
                const double share = largest > 0 && std::isfinite(value) ? value / largest : 0;
                const Rgb& color = colors[detail::index(std::lround(255 * std::clamp(share, 0.0, 1.0)))];
                std::ranges::copy(color, image.row(y).begin() + 3 * static_cast<std::ptrdiff_t>(x));
            }
        return image;
    }

    void pairs() {
        const std::vector<std::pair<int, int>> confused = report_.predictions->most_confused(12);
        if (confused.empty()) return;
        const ConfusionMatrix matrix = report_.predictions->confusion();
        open("Classes that are confused most");
        text_ +=
            "<table><tr><th>label</th><th>taken for</th><th class=\"n\">images</th><th class=\"n\">of its "
            "class</th></tr>\n";
        for (const auto& [label, predicted] : confused)
            text_ +=
                "<tr><td>" + name(label) + "</td><td>" + name(predicted) + "</td><td class=\"n\">" +
                with_commas(matrix(label, predicted)) + "</td><td class=\"n\">" +
                percent(static_cast<double>(matrix(label, predicted)) / static_cast<double>(matrix.images(label))) +
                "</td></tr>\n";
        text_ += "</table>\n</section>\n";
    }

    void facts(std::string_view heading, const std::vector<reports::Fact>& all) {
        if (all.empty()) return;
        open(heading);
        text_ += "<table class=\"facts\">\n";
        for (const reports::Fact& fact : all)
            text_ += "<tr><td>" + html_text(fact.name) + "</td><td>" + html_text(fact.value) + "</td></tr>\n";
        text_ += "</table>\n</section>\n";
    }

    static constexpr int max_matrix = 100;
    static constexpr std::size_t max_rows = 100;

    const reports::Report& report_;
    std::string text_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace reports {
inline namespace TENON_ISA_NAMESPACE {

/// The page of a report in HTML: figures and images are within it, it asks for no other file and runs no script. Names
/// may be any bytes. Throws tenon::Error unless there is a name for each class of the predictions.
template <class Once = void>
std::string to_html(const Report& report) {
    return detail::ReportPage<>(report).write();
}

/// Writes the page. Throws tenon::Error as to_html, and when the file can't be written; then one that was there
/// survives.
inline void write(const Report& report, const std::string& path) {
    detail::write_file_atomically(path, to_html(report));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports
}  // namespace tenon
