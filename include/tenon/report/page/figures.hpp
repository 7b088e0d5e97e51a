#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The figures of a report: curves, a confusion matrix, a reliability diagram, as SVG within a page.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/report/page/predictions.hpp>
#include <tenon/report/svg.hpp>
#include <tenon/report/training_plots.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Colors that the color-blind tell apart and that differ in lightness; the page's style sheet replaces them where the
/// background is dark.
struct FigureColors {
    static constexpr std::string_view first = "#2f6fb0", second = "#d9772b", ink = "#222222", soft = "#666666",
                                      grid = "#e3e3e3", strong = "#333333";
};

/// Curves over the epochs: one figure. Empty if nothing was measured.
inline std::string curves_figure(std::string_view title, const std::vector<PlotCurve>& curves, std::string_view unit) {
    const bool has_values = std::ranges::any_of(curves, [](const PlotCurve& curve) {
        return std::ranges::any_of(curve.values, [](double value) { return std::isfinite(value); });
    });
    if (!has_values) return {};
    constexpr double width = 380, height = 230;
    Svg svg(width + 96, height + 108);
    CurvesPlot(svg, {68, 50}, width, height, curves).draw(title, unit);
    return svg.str();
}

/// A name cut to a length at which it fits into figures.
inline std::string short_name(const std::string& name, std::size_t max_characters = 22) {
    const std::string text = to_utf8(name);
    std::size_t characters = 0, end = 0;
    for (; end < text.size(); ++end) {
        if ((static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) continue;
        if (characters++ == max_characters) break;
    }
    return end == text.size() ? text : text.substr(0, end) + "\xE2\x80\xA6";
}

/// A confusion matrix: a row per class; the fuller a cell's color, the larger its share of the row.
inline std::string confusion_figure(const ConfusionMatrix& confusion, const std::vector<std::string>& names) {
    const int classes = confusion.classes();
    const double cell = classes <= 20 ? 44 : std::max(6.0, 880.0 / classes), size = cell * classes;
    const double font = cell >= 40 ? 12 : cell >= 12 ? 10 : 0;
    double longest = 0;
    for (const std::string& name : names) longest = std::max(longest, Svg::text_width(short_name(name), font));
    const double left = 44 + longest, top = 24 + 0.87 * longest;
    Svg svg(left + size + std::max(30.0, 0.5 * longest + 12), top + size + 44);
    for (int row = 0; row < classes; ++row) {
        const long images = confusion.images(row);
        const double y = top + cell * row;
        const std::string name = short_name(names[index(row)]);
        if (font > 0) {
            svg.text({left - 8, y + cell / 2 + font / 3}, name, font, FigureColors::strong, SvgAnchor::end);
            svg.text({left + cell * (row + 0.5) + 4, top - 8}, name, font, FigureColors::strong, SvgAnchor::start,
                     false, -60);
        }
        for (int column = 0; column < classes; ++column) {
            const long count = confusion(row, column);
            const double share = images > 0 ? static_cast<double>(count) / static_cast<double>(images) : 0;
            const double x = left + cell * column, gap = cell > 10 ? 1 : 0;
            const bool is_right = row == column;
            const double strength = is_right ? share : std::min(1.0, std::sqrt(3 * share));
            std::string tip = to_utf8(names[index(row)]);
            tip.append(" taken for ").append(to_utf8(names[index(column)])).append(": ").append(std::to_string(count));
            svg.rectangle({x + gap, y + gap}, cell - 2 * gap, cell - 2 * gap, "#8a8a8a", cell > 10 ? 3 : 0, 0.09);
            if (count > 0)
                svg.rectangle({x + gap, y + gap}, cell - 2 * gap, cell - 2 * gap,
                              is_right ? FigureColors::first : FigureColors::second, cell > 10 ? 3 : 0,
                              std::max(strength, 0.02), tip);
            if (cell < 40 || count == 0) continue;
            const std::string_view color = is_right && strength > 0.55 ? "#fffffe" : FigureColors::strong;
            svg.text({x + cell / 2, y + cell / 2 - 1}, std::to_string(count), count < 10000 ? 12 : 10, color,
                     SvgAnchor::middle);
            svg.text({x + cell / 2, y + cell / 2 + 13}, percent_text(count, images), 10, color, SvgAnchor::middle);
        }
    }
    svg.text({left + size / 2, top + size + 28}, "taken for", 13, FigureColors::soft, SvgAnchor::middle);
    svg.text({18, top + size / 2}, "label", 13, FigureColors::soft, SvgAnchor::middle, false, -90);
    return svg.str();
}

/// Accuracy over confidence, and below it how many images have that confidence. On the dashed diagonal, confidence is
/// what it says.
inline std::string reliability_figure(const std::vector<reports::ReliabilityBin>& bins) {
    constexpr double left = 60, top = 20, side = 300, below = 70, gap = 26;
    Svg svg(left + side + 36, top + side + gap + below + 62);
    const auto count = static_cast<double>(bins.size());
    const auto at = [&](double x, double y) { return SvgPoint{left + side * x, top + side * (1 - y)}; };
    long most = 1, all = 0;
    for (const reports::ReliabilityBin& bin : bins) most = std::max(most, bin.images), all += bin.images;
    for (int tick = 0; tick <= 5; ++tick) {
        const double share = tick / 5.0;
        const SvgPoint line[] = {at(0, share), at(1, share)};
        svg.line(line, FigureColors::grid);
        const std::string text = std::to_string(20 * tick) + " %";
        svg.text({left - 8, at(0, share).y + 4}, text, 11, FigureColors::soft, SvgAnchor::end);
        svg.text({at(share, 0).x, top + side + gap + below + 18}, text, 11, FigureColors::soft, SvgAnchor::middle);
    }
    const double bottom = top + side + gap + below;
    for (std::size_t i = 0; i < bins.size(); ++i) {
        const reports::ReliabilityBin& bin = bins[i];
        if (bin.images == 0) continue;
        const double x = left + side * static_cast<double>(i) / count + 1, wide = side / count - 2;
        const std::string tip = std::to_string(bin.images) + " images, confidence " +
                                Svg::number(100 * bin.confidence) + " %, accuracy " + Svg::number(100 * bin.accuracy) +
                                " %";
        svg.rectangle({x, at(0, bin.accuracy).y}, wide, side * bin.accuracy, FigureColors::first, 0, 1, tip);
        const double share = static_cast<double>(bin.images) / static_cast<double>(most);
        svg.rectangle({x, bottom - below * share}, wide, std::max(below * share, 1.0), "#999999", 0, 1, tip);
    }
    const SvgPoint diagonal[] = {at(0, 0), at(1, 1)};
    svg.line(diagonal, FigureColors::ink, 1.2, true);
    for (const reports::ReliabilityBin& bin : bins)
        if (bin.images > 0) svg.circle(at(bin.confidence, bin.accuracy), 3.6, FigureColors::second);
    const SvgPoint base[] = {{left, bottom}, {left + side, bottom}};
    svg.line(base, FigureColors::grid);
    svg.text({left + side / 2, bottom + 40}, "confidence", 12, FigureColors::soft, SvgAnchor::middle);
    svg.text({16, top + side / 2}, "accuracy", 12, FigureColors::soft, SvgAnchor::middle, false, -90);
    svg.text({16, bottom - below / 2}, "images", 12, FigureColors::soft, SvgAnchor::middle, false, -90);
    const double widest = 100.0 * static_cast<double>(most) / static_cast<double>(std::max(all, 1L));
    svg.text({left - 8, bottom - below + 8}, Svg::number(std::round(widest)) + " %", 11, FigureColors::soft,
             SvgAnchor::end);
    return svg.str();
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
