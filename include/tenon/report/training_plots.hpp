#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// SVG images of a training: the curves of loss and accuracy, and a confusion matrix.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/report/curves_plot.hpp>
#include <tenon/report/svg.hpp>
#include <tenon/train/callbacks/history.hpp>
#include <tenon/train/metrics.hpp>

namespace tenon {
namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The title of a plot, on as many lines as it needs.
class PlotTitle {
public:
    /// For a plot of the given width; a long word may need more.
    PlotTitle(std::string_view title, double width) : lines_{Svg::wrapped(title, width, size, true)} {}

    double width() const {
        double widest = 0;
        for (const std::string& line : lines_) widest = std::max(widest, Svg::text_width(line, size, true));
        return widest;
    }
    /// The height it takes above a plot; 0 without a title.
    double height() const { return lines_.empty() ? 0 : 36 + 24 * static_cast<double>(lines_.size() - 1); }
    void draw(Svg& svg, double left) const {
        double y = 34;
        for (const std::string& line : lines_) {
            svg.text({left, y}, line, size, "#222222", SvgAnchor::start, true);
            y += 24;
        }
    }

private:
    static constexpr double size = 18;

    std::vector<std::string> lines_;
};

/// A share as a whole number of percent; only everything is 100 %, and only nothing is 0 %.
inline std::string percent_text(long part, long whole) {
    if (part == 0 || part == whole) return part == 0 ? "0 %" : "100 %";
    const long rounded = std::lround(100 * static_cast<double>(part) / static_cast<double>(whole));
    return rounded == 0 ? "<1 %" : rounded == 100 ? ">99 %" : std::to_string(rounded) + " %";
}

/// The color of a cell of a confusion matrix with a share of its row: from nearly white to blue for right answers, to
/// orange for wrong ones, visible from a few percent on.
inline std::string cell_color(double share, bool is_right) {
    const double s = is_right ? share : std::min(1.0, std::sqrt(3 * share));
    const double to[3] = {is_right ? 33.0 : 217.0, is_right ? 102.0 : 119.0, is_right ? 172.0 : 43.0};
    char color[8];
    int channel[3];
    for (int i = 0; i < 3; ++i) channel[i] = static_cast<int>(std::lround(246 + (to[i] - 246) * s));
    std::snprintf(color, sizeof color, "#%02x%02x%02x", channel[0], channel[1], channel[2]);
    return color;
}

/// The cells of a confusion matrix and the names of their classes. With up to 20 classes, cells have numbers; with
/// more, they are smaller.
class ConfusionCells {
public:
    ConfusionCells(const ConfusionMatrix& confusion, std::span<const std::string> names)
        : confusion_{confusion},
          names_{names},
          cell_{names.size() <= 20 ? 44 : std::max(4.0, 880.0 / static_cast<double>(names.size()))},
          label_{names.size() <= 60 ? 12.0 : 0.0} {
        for (const std::string& name : names) longest_ = std::max(longest_, Svg::text_width(name, label_));
    }

    /// The width of the longest name.
    double longest() const { return longest_; }
    double size() const { return cell_ * confusion_.classes(); }
    /// How far the names above the columns, slanted at 60 degrees, extend beyond the last cell.
    double beyond() const { return std::max(40.0, 0.5 * longest_ + 20 - cell_ / 2); }

    void draw(Svg& svg, SvgPoint corner) const {
        for (int row = 0; row < confusion_.classes(); ++row) {
            draw_names(svg, corner, row);
            const long images = confusion_.images(row);
            for (int column = 0; column < confusion_.classes(); ++column)
                draw_cell(svg, {corner.x + cell_ * column, corner.y + cell_ * row}, confusion_(row, column), images,
                          row == column);
        }
    }

private:
    void draw_names(Svg& svg, SvgPoint corner, int klass) const {
        if (label_ == 0) return;
        const std::string& name = names_[index(klass)];
        svg.text({corner.x - 8, corner.y + cell_ * klass + cell_ / 2 + 4}, name, label_, "#333333", SvgAnchor::end);
        svg.text({corner.x + cell_ * (klass + 0.5) + 4, corner.y - 8}, name, label_, "#333333", SvgAnchor::start, false,
                 -60);
    }

    void draw_cell(Svg& svg, SvgPoint at, long count, long images, bool is_right) const {
        const double share = images > 0 ? static_cast<double>(count) / static_cast<double>(images) : 0;
        const double gap = cell_ > 10 ? 1 : 0, side = cell_ - 2 * gap;
        svg.rectangle({at.x + gap, at.y + gap}, side, side, cell_color(share, is_right), cell_ > 10 ? 3 : 0);
        if (cell_ < 40 || count == 0) return;
        const char* const color = is_right && share > 0.55 ? "#ffffff" : "#333333";
        svg.text({at.x + cell_ / 2, at.y + cell_ / 2 - 1}, std::to_string(count), count < 10000 ? 12 : 10, color,
                 SvgAnchor::middle);
        svg.text({at.x + cell_ / 2, at.y + cell_ / 2 + 13}, percent_text(count, images), 10, color, SvgAnchor::middle);
    }

    const ConfusionMatrix& confusion_;
    std::span<const std::string> names_;
    double cell_, label_, longest_ = 0;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Loss and accuracy of every epoch, in training and in validation where it was measured, side by side.
inline std::string curves_svg(const History& history, std::string_view title = {}) {
    PlotCurve loss{"training", "#2f6fb0", {}}, accuracy = loss;
    PlotCurve validation_loss{"validation", "#d9772b", {}, true}, validation_accuracy = validation_loss;
    for (const EpochReport& epoch : history) {
        loss.values.push_back(epoch.loss);
        accuracy.values.push_back(100 * epoch.accuracy);
        validation_loss.values.push_back(epoch.validation_loss);
        validation_accuracy.values.push_back(100 * epoch.validation_accuracy);
    }
    constexpr double width = 380, height = 260;
    const detail::PlotTitle heading(title, 2 * width + 130);
    const double top = 50 + heading.height();
    detail::Svg svg(std::max(2 * width + 190, 60 + heading.width() + 24), top + height + 60);
    heading.draw(svg, 60);
    const PlotCurve losses[] = {loss, validation_loss}, accuracies[] = {accuracy, validation_accuracy};
    detail::CurvesPlot(svg, {60, top}, width, height, losses).draw("Loss", "");
    detail::CurvesPlot(svg, {width + 150, top}, width, height, accuracies).draw("Accuracy", " %");
    return svg.str();
}

/// A confusion matrix: a row per class, a column for what its images were predicted as; the darker, the larger the
/// share of the row. With up to 20 classes, a cell shows how many images it stands for and what percentage of its row.
/// Throws tenon::Error unless there is a name for each class.
inline std::string confusion_svg(const ConfusionMatrix& confusion, std::span<const std::string> names,
                                 std::string_view title = {}) {
    const int classes = confusion.classes();
    if (classes < 1 || names.size() != detail::index(classes))
        throw Error("expected a name for each of the " + std::to_string(classes) +
                    " classes of a confusion matrix, found " + std::to_string(names.size()));
    const detail::ConfusionCells cells(confusion, names);
    const double longest = cells.longest(), left = 40 + longest, size = cells.size();
    const double width = std::max(left + size + cells.beyond(), 440.0);
    const detail::PlotTitle heading(title, width - 48);
    const double top = 40 + longest + heading.height();
    detail::Svg svg(std::max(width, heading.width() + 48), top + size + 50);
    heading.draw(svg, 24);
    cells.draw(svg, {left, top});
    svg.text({left + size / 2, top + size + 28}, "taken for", 13, "#666666", detail::SvgAnchor::middle);
    svg.text({16, top + size / 2}, "label", 13, "#666666", detail::SvgAnchor::middle, false, -90);
    return svg.str();
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
