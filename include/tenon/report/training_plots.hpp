#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// SVG images of a training: the curves of loss and accuracy, and a confusion matrix.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/report/svg.hpp>
#include <tenon/train/callbacks/history.hpp>
#include <tenon/train/metrics.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// A curve over the epochs; what was not measured is NaN and left out.
struct PlotCurve {
    std::string name;
    std::string color;
    std::vector<double> values;
    bool dashed = false;
};

}  // namespace TENON_ISA_NAMESPACE

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

/// A number at an axis whose ticks are `step` apart, with as many digits as tell it from its neighbors.
inline std::string tick_text(double value, double step) {
    if (step >= 0.01) return Svg::number(value);
    const int digits = std::min(12, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
    return number_text(value, std::chars_format::fixed, digits);
}

/// Draws curves in a frame with its upper left corner at `corner`.
inline void draw_curves(Svg& svg, SvgPoint corner, double width, double height, std::string_view title,
                        std::span<const PlotCurve> curves, std::string_view unit) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    std::size_t epochs = 1;
    for (const PlotCurve& curve : curves) {
        epochs = std::max(epochs, curve.values.size());
        for (const double value : curve.values)
            if (std::isfinite(value)) {
                low = std::min(low, value);
                high = std::max(high, value);
            }
    }
    if (low > high) low = 0, high = 1;
    // A curve of one value is at the middle of a range about it.
    if (high - low <= 1e-6 * std::abs(high)) {
        const double about = std::max(0.1 * std::abs(high), 1e-3);
        low -= about;
        high += about;
    }
    const std::vector<double> y_ticks = ticks(low, high, 5);
    const double last = static_cast<double>(epochs);
    const auto x_at = [&](double epoch) { return corner.x + (last > 1 ? (epoch - 1) / (last - 1) : 0.5) * width; };
    const auto y_at = [&](double value) {
        return corner.y + height - (value - y_ticks.front()) / (y_ticks.back() - y_ticks.front()) * height;
    };

    svg.text({corner.x, corner.y - 18}, title, 15, "#222222", SvgAnchor::start, true);
    for (const double tick : y_ticks) {
        const SvgPoint line[] = {{corner.x, y_at(tick)}, {corner.x + width, y_at(tick)}};
        svg.line(line, "#e3e3e3");
        svg.text({corner.x - 8, y_at(tick) + 4}, tick_text(tick, y_ticks[1] - y_ticks[0]) + std::string(unit), 11,
                 "#666666", SvgAnchor::end);
    }
    const auto step = std::max(1L, std::lround(ticks(0, last, 8)[1]));
    for (long epoch = 1; epoch <= static_cast<long>(epochs); ++epoch)
        if (epoch == 1 || (epoch % step == 0 && epoch > step / 2))
            svg.text({x_at(static_cast<double>(epoch)), corner.y + height + 18}, std::to_string(epoch), 11, "#666666",
                     SvgAnchor::middle);
    svg.text({corner.x + width / 2, corner.y + height + 38}, "epoch", 12, "#666666", SvgAnchor::middle);

    double legend = corner.x + width;
    for (std::size_t i = curves.size(); i-- > 0;) {
        const PlotCurve& curve = curves[i];
        std::vector<SvgPoint> points;
        for (std::size_t epoch = 0; epoch < curve.values.size(); ++epoch)
            if (std::isfinite(curve.values[epoch]))
                points.push_back({x_at(static_cast<double>(epoch) + 1), y_at(curve.values[epoch])});
        if (points.empty()) continue;
        svg.line(points, curve.color, 2.2, curve.dashed);
        if (points.size() <= 40)
            for (const SvgPoint& point : points) svg.circle(point, 2.8, curve.color);
        if (curve.name.empty()) continue;
        legend -= 7.0 * static_cast<double>(curve.name.size()) + 8;
        svg.text({legend, corner.y - 18}, curve.name, 12, "#444444");
        legend -= 24;
        const SvgPoint line[] = {{legend, corner.y - 22}, {legend + 18, corner.y - 22}};
        svg.line(line, curve.color, 2.2, curve.dashed);
        legend -= 10;
    }
}

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
    detail::draw_curves(svg, {60, top}, width, height, "Loss", losses, "");
    detail::draw_curves(svg, {width + 150, top}, width, height, "Accuracy", accuracies, " %");
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
    // With up to 20 classes, cells have numbers; with more, they are smaller.
    const double cell = classes <= 20 ? 44 : std::max(4.0, 880.0 / classes), label = classes <= 60 ? 12 : 0;
    double longest = 0;
    for (const std::string& name : names) longest = std::max(longest, detail::Svg::text_width(name, label));
    // The names above the columns are slanted at 60 degrees; the last one extends beyond the cells.
    const double left = 40 + longest, size = cell * classes, beyond = std::max(40.0, 0.5 * longest + 20 - cell / 2);
    const double width = std::max(left + size + beyond, 440.0);
    const detail::PlotTitle heading(title, width - 48);
    const double top = 40 + longest + heading.height();
    detail::Svg svg(std::max(width, heading.width() + 48), top + size + 50);
    heading.draw(svg, 24);
    const auto mixed = [](double share, bool right) {
        // From nearly white to blue for right answers, to orange for wrong ones, visible from a few percent on.
        const double s = right ? share : std::min(1.0, std::sqrt(3 * share));
        const double to[3] = {right ? 33.0 : 217.0, right ? 102.0 : 119.0, right ? 172.0 : 43.0};
        char color[8];
        int channel[3];
        for (int i = 0; i < 3; ++i) channel[i] = static_cast<int>(std::lround(246 + (to[i] - 246) * s));
        std::snprintf(color, sizeof color, "#%02x%02x%02x", channel[0], channel[1], channel[2]);
        return std::string(color);
    };
    for (int row = 0; row < classes; ++row) {
        long images = 0;
        for (int column = 0; column < classes; ++column) images += confusion(row, column);
        const double y = top + cell * row;
        if (label > 0) {
            svg.text({left - 8, y + cell / 2 + 4}, names[detail::index(row)], label, "#333333", detail::SvgAnchor::end);
            svg.text({left + cell * (row + 0.5) + 4, top - 8}, names[detail::index(row)], label, "#333333",
                     detail::SvgAnchor::start, false, -60);
        }
        for (int column = 0; column < classes; ++column) {
            const long count = confusion(row, column);
            const double share = images > 0 ? static_cast<double>(count) / static_cast<double>(images) : 0;
            const double x = left + cell * column, gap = cell > 10 ? 1 : 0;
            svg.rectangle({x + gap, y + gap}, cell - 2 * gap, cell - 2 * gap, mixed(share, row == column),
                          cell > 10 ? 3 : 0);
            if (cell >= 40 && count > 0) {
                const char* const color = row == column && share > 0.55 ? "#ffffff" : "#333333";
                svg.text({x + cell / 2, y + cell / 2 - 1}, std::to_string(count), count < 10000 ? 12 : 10, color,
                         detail::SvgAnchor::middle);
                svg.text({x + cell / 2, y + cell / 2 + 13}, detail::percent_text(count, images), 10, color,
                         detail::SvgAnchor::middle);
            }
        }
    }
    svg.text({left + size / 2, top + size + 28}, "taken for", 13, "#666666", detail::SvgAnchor::middle);
    svg.text({16, top + size / 2}, "label", 13, "#666666", detail::SvgAnchor::middle, false, -90);
    return svg.str();
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
