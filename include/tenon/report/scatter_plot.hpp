#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// An SVG image of images in the plane, colored by their classes.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/explain/embedding.hpp>
#include <tenon/report/svg.hpp>
#include <tenon/report/training_plots.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// A mark for a class: eight colors that the color-blind tell apart (Okabe and Ito 2008), and with every eighth class
/// another shape, so that classes differ in black and white too: neighbors in the list have different shapes.
template <class Once = void>
void draw_mark(Svg& svg, SvgPoint at, std::size_t label) {
    constexpr const char* colors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#000000", "#8c7a00"};
    constexpr double r = 3.4;
    const char* const color = colors[label % 8];
    const auto cross = [&](double dx, double dy, double ex, double ey) {
        const SvgPoint one[] = {{at.x - dx, at.y - dy}, {at.x + dx, at.y + dy}};
        const SvgPoint other[] = {{at.x - ex, at.y - ey}, {at.x + ex, at.y + ey}};
        svg.line(one, color, 1.8);
        svg.line(other, color, 1.8);
    };
    switch ((label + label / 8) % 5) {
        case 0:
            return svg.circle(at, r, color);
        case 1:
            return svg.rectangle({at.x - r + 0.4, at.y - r + 0.4}, 2 * r - 0.8, 2 * r - 0.8, color);
        case 2:
            return cross(r, 0, 0, r);
        case 3:
            return cross(r * 0.8, r * 0.8, r * 0.8, -r * 0.8);
        default: {
            const SvgPoint outline[] = {{at.x, at.y - r}, {at.x + r, at.y + r}, {at.x - r, at.y + r}, {at.x, at.y - r}};
            return svg.line(outline, color, 1.8);
        }
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace reports {
inline namespace TENON_ISA_NAMESPACE {

/// Images in the plane (explanations::principal_components, tsne), a mark for each in the color and shape of its class,
/// with a legend; both directions have one scale, which the plot doesn't show: only nearness means something. `labels`
/// are places in `classes`. Throws tenon::Error unless each point has a label that is one of the classes, and for a
/// point that is infinite or NaN.
template <class Once = void>
std::string scatter_svg(std::span<const explanations::Point> points, std::span<const int> labels,
                        std::span<const std::string> classes, std::string_view title = {}) {
    if (points.empty() || labels.size() != points.size())
        throw Error("expected a label for each of one or more points, found " + std::to_string(labels.size()) +
                    " labels and " + std::to_string(points.size()) + " points");
    double low_x = points[0].x, high_x = low_x, low_y = points[0].y, high_y = low_y;
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (!std::isfinite(points[i].x) || !std::isfinite(points[i].y))
            throw Error("point " + std::to_string(i) + " is infinite or NaN");
        if (labels[i] < 0 || static_cast<std::size_t>(labels[i]) >= classes.size())
            throw Error("expected labels from 0 to " + std::to_string(std::ssize(classes) - 1) + ", found " +
                        std::to_string(labels[i]));
        low_x = std::min(low_x, points[i].x);
        high_x = std::max(high_x, points[i].x);
        low_y = std::min(low_y, points[i].y);
        high_y = std::max(high_y, points[i].y);
    }
    constexpr double size = 560, margin = 24;
    const double scale = size / std::max({high_x - low_x, high_y - low_y, 1e-300});
    double longest = 0;
    for (const std::string& name : classes) longest = std::max(longest, detail::Svg::text_width(name, 12));
    const detail::PlotTitle heading(title, size);
    const double top = margin + heading.height(), legend = margin + size + 40;
    const double height = std::max(top + size + margin, top + 22 * static_cast<double>(classes.size()) + margin);
    detail::Svg svg(std::max(legend + longest + margin, 2 * margin + heading.width()), height);
    heading.draw(svg, margin);
    svg.rectangle({margin - 8, top - 8}, size + 16, size + 16, "#f6f6f6", 4);
    const double shift_x = (size - (high_x - low_x) * scale) / 2, shift_y = (size - (high_y - low_y) * scale) / 2;
    for (std::size_t i = 0; i < points.size(); ++i)
        detail::draw_mark(
            svg,
            {margin + shift_x + (points[i].x - low_x) * scale, top + size - shift_y - (points[i].y - low_y) * scale},
            static_cast<std::size_t>(labels[i]));
    for (std::size_t c = 0; c < classes.size(); ++c) {
        const double y = top + 22 * static_cast<double>(c) + 8;
        detail::draw_mark(svg, {legend - 14, y}, c);
        svg.text({legend, y + 4}, classes[c], 12);
    }
    return svg.str();
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports

}  // namespace tenon
