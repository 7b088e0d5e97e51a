#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The sections of a page about predictions: the confusion matrix, the classes, the calibration and the classes that are
// confused most.

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/report/page/figures.hpp>
#include <tenon/report/page/html.hpp>
#include <tenon/report/page/page_text.hpp>
#include <tenon/report/page/predictions.hpp>
#include <tenon/report/summary.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Writes the sections; there is a name for each class.
template <class Once = void>
class PredictionSections {
public:
    PredictionSections(PageText& page, const reports::Predictions& predictions, const std::vector<std::string>& names)
        : page_{page}, predictions_{predictions}, names_{names} {}

    void confusion() {
        if (predictions_.classes() > max_matrix) return;
        page_.open("Confusion matrix");
        page_.text +=
            "<p class=\"soft\">A row is a class, a column what its images were taken for. The fuller a color, the "
            "larger the share of the row: blue is right, orange wrong.</p>\n";
        page_.figure(confusion_figure(predictions_.confusion(), names_), " class=\"wide\"");
        page_.text += "</section>\n";
    }

    void classes() {
        const ConfusionMatrix matrix = predictions_.confusion();
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
        page_.open("Classes");
        if (cut)
            page_.text += "<p class=\"soft\">The " + std::to_string(max_rows) + " of " +
                          std::to_string(matrix.classes()) + " classes with the lowest recall.</p>\n";
        page_.text +=
            "<table><tr><th>class</th><th class=\"n\">images</th><th class=\"n\">precision</th><th class=\"bar\"></th>"
            "<th class=\"n\">recall</th><th class=\"bar\"></th><th class=\"n\">F1</th></tr>\n";
        const auto bar = [](double share, std::string_view kind) {
            return "<td class=\"bar\"><div" + std::string(kind) + " style=\"width:" + Svg::number(100 * share) +
                   "%\"></div></td>";
        };
        for (const int klass : order) {
            const bool has_images = matrix.images(klass) > 0, is_taken = matrix.taken_for(klass) > 0;
            page_.text += "<tr><td>" + name(klass) + "</td><td class=\"n\">" + with_commas(matrix.images(klass)) +
                          "</td><td class=\"n\">" + share_of(matrix.precision(klass), is_taken) + "</td>" +
                          bar(matrix.precision(klass), "") + "<td class=\"n\">" +
                          share_of(matrix.recall(klass), has_images) + "</td>" +
                          bar(matrix.recall(klass), " class=\"second\"") + "<td class=\"n\">" +
                          share_of(matrix.f1(klass), has_images || is_taken) + "</td></tr>\n";
        }
        page_.text += "</table>\n</section>\n";
    }

    void reliability() {
        page_.open("Calibration");
        page_.text += "<div class=\"row\">\n";
        page_.figure(reliability_figure(predictions_.reliability()));
        page_.text +=
            "<div class=\"text\"><p>Of the images that the network is 80 % sure of, 80 % should be right. Bars show "
            "how many are, in 15 intervals of confidence; a point is at the mean confidence of its interval. Below "
            "the dashed line the network is too sure of itself, above it not sure enough.</p>\n<p>The expected "
            "calibration error, the mean distance over all images, is <b>" +
            page_percent(predictions_.calibration_error(), 2) +
            "</b> (Guo et al. 2017).</p></div>\n</div>\n</section>\n";
    }

    void pairs() {
        const std::vector<std::pair<int, int>> confused = predictions_.most_confused(12);
        if (confused.empty()) return;
        const ConfusionMatrix matrix = predictions_.confusion();
        page_.open("Classes that are confused most");
        page_.text +=
            "<table><tr><th>label</th><th>taken for</th><th class=\"n\">images</th><th class=\"n\">of its "
            "class</th></tr>\n";
        for (const auto& [label, predicted] : confused)
            page_.text += "<tr><td>" + name(label) + "</td><td>" + name(predicted) + "</td><td class=\"n\">" +
                          with_commas(matrix(label, predicted)) + "</td><td class=\"n\">" +
                          page_percent(static_cast<double>(matrix(label, predicted)) /
                                       static_cast<double>(matrix.images(label))) +
                          "</td></tr>\n";
        page_.text += "</table>\n</section>\n";
    }

private:
    static std::string share_of(double share, bool is_defined) {
        return is_defined ? page_percent(share) : "\xE2\x80\x93";
    }
    std::string name(int klass) const { return html_text(names_[index(klass)]); }

    static constexpr int max_matrix = 100;
    static constexpr std::size_t max_rows = 100;

    PageText& page_;
    const reports::Predictions& predictions_;
    const std::vector<std::string>& names_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
