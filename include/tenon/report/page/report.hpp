#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The page about a training or an evaluation: one file that needs no other, neither a network nor scripts.

#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/io/atomic_file.hpp>
#include <tenon/report/page/environment.hpp>
#include <tenon/report/page/figures.hpp>
#include <tenon/report/page/html.hpp>
#include <tenon/report/page/mistakes.hpp>
#include <tenon/report/page/mistakes_section.hpp>
#include <tenon/report/page/page_text.hpp>
#include <tenon/report/page/prediction_sections.hpp>
#include <tenon/report/page/predictions.hpp>
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
        page_.text =
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
            "img-src data:\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>";
        page_.text += html_text(report_.title) + "</title>\n<style>";
        page_.text += page_style;
        page_.text += "</style>\n</head>\n<body>\n<main>\n<header><h1>" + html_text(report_.title) + "</h1>\n";
        if (!report_.subtitle.empty()) page_.text += "<p class=\"soft\">" + html_text(report_.subtitle) + "</p>";
        page_.text += "</header>\n";
        tiles();
        training();
        if (report_.predictions && report_.predictions->size() > 0) {
            PredictionSections<> sections(page_, *report_.predictions, report_.classes);
            sections.confusion();
            sections.classes();
            sections.reliability();
            MistakesSection<>(page_, report_.mistakes, report_.classes).write();
            sections.pairs();
        }
        facts("Network", report_.network);
        facts("Data", report_.data);
        facts("Environment", report_.environment);
        if (!report_.command.empty()) {
            page_.open("Repeat it");
            page_.text += "<pre>" + html_text(report_.command) + "</pre>\n</section>\n";
        }
        return page_.text + "</main>\n</body>\n</html>\n";
    }

private:
    void tiles() {
        page_.text += "<div class=\"tiles\">\n";
        const auto tile = [&](const std::string& figure, const std::string& what) {
            page_.text += "<div class=\"tile\"><b>" + figure + "</b><span>" + what + "</span></div>\n";
        };
        if (report_.predictions && report_.predictions->size() > 0) {
            const reports::Predictions& all = *report_.predictions;
            tile(page_percent(all.accuracy(), 2), "accuracy");
            if (all.classes() > 5) tile(page_percent(all.accuracy(5), 2), "label among the best five");
            tile(number_text(all.loss(), std::chars_format::fixed, 4), "mean loss");
            tile(page_percent(all.calibration_error(), 2), "calibration error (ECE)");
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
        page_.text += "</div>\n";
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
        page_.open("Training");
        page_.text += "<div class=\"row\">\n";
        page_.figure(curves_figure("Loss", {loss, validation_loss}, ""));
        page_.figure(curves_figure("Accuracy", {accuracy, validation_accuracy}, " %"));
        page_.figure(curves_figure("Learning rate at the end of each epoch", {rate}, ""));
        page_.text += "</div>\n</section>\n";
    }

    void facts(std::string_view heading, const std::vector<reports::Fact>& all) {
        if (all.empty()) return;
        page_.open(heading);
        page_.text += "<table class=\"facts\">\n";
        for (const reports::Fact& fact : all)
            page_.text += "<tr><td>" + html_text(fact.name) + "</td><td>" + html_text(fact.value) + "</td></tr>\n";
        page_.text += "</table>\n</section>\n";
    }

    const reports::Report& report_;
    PageText page_;
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
