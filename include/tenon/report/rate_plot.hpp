#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// An SVG image of a search for a learning rate.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/report/svg.hpp>
#include <tenon/report/training_plots.hpp>
#include <tenon/train/find_rate.hpp>

namespace tenon::reports {
inline namespace TENON_ISA_NAMESPACE {

/// The losses of a search for a learning rate (schedules::find_rate) over the rate, as they were and smoothed, with the
/// suggested rate. Losses of more than twice the first are cut off: there the search only sees that the rate is too
/// high. Throws tenon::Error for a curve of fewer than two iterations.
template <class Once = void>
std::string rate_curve_svg(const schedules::RateCurve& curve, std::string_view title = {}) {
    if (curve.rates.size() < 2 || curve.losses.size() != curve.rates.size() ||
        curve.smoothed.size() != curve.rates.size())
        throw Error("expected a rate, a loss and a smoothed loss for each of 2 or more iterations to plot, found " +
                    std::to_string(curve.rates.size()) + ", " + std::to_string(curve.losses.size()) + " and " +
                    std::to_string(curve.smoothed.size()));
    constexpr double width = 640, height = 300, left = 70;
    const detail::PlotTitle heading(title, width);
    const double top = 50 + heading.height();
    detail::Svg svg(std::max(left + width + 30, left + heading.width() + 24), top + height + 60);
    heading.draw(svg, left);
    const double limit = 2 * curve.losses.front();
    double low = limit, high = 0;
    for (const std::vector<double>* const losses : {&curve.losses, &curve.smoothed})
        for (const double loss : *losses) {
            low = std::min(low, loss);
            high = std::max(high, std::min(loss, limit));
        }
    const std::vector<double> y_ticks = detail::ticks(low, std::max(high, low + 1e-3), 5);
    const double first = std::log10(curve.rates.front()), last = std::log10(curve.rates.back());
    const auto x_at = [&](double rate) { return left + (std::log10(rate) - first) / (last - first) * width; };
    const auto y_at = [&](double loss) {
        return top + height - (loss - y_ticks.front()) / (y_ticks.back() - y_ticks.front()) * height;
    };
    for (const double tick : y_ticks) {
        const detail::SvgPoint line[] = {{left, y_at(tick)}, {left + width, y_at(tick)}};
        svg.line(line, "#e3e3e3");
        svg.text({left - 8, y_at(tick) + 4}, detail::tick_text(tick, y_ticks[1] - y_ticks[0]), 11, "#666666",
                 detail::SvgAnchor::end);
    }
    for (int power = static_cast<int>(std::ceil(first - 1e-9)); power <= last + 1e-9; ++power) {
        const double x = x_at(std::pow(10, power));
        const detail::SvgPoint line[] = {{x, top}, {x, top + height}};
        svg.line(line, "#e3e3e3");
        svg.text({x, top + height + 18}, detail::number_text(std::pow(10, power), std::chars_format::general, 3), 11,
                 "#666666", detail::SvgAnchor::middle);
    }
    svg.text({left + width / 2, top + height + 40}, "learning rate", 12, "#666666", detail::SvgAnchor::middle);
    svg.text({20, top + height / 2}, "loss", 12, "#666666", detail::SvgAnchor::middle, false, -90);
    const auto draw = [&](const std::vector<double>& losses, std::string_view color, double thickness, bool dashed) {
        std::vector<detail::SvgPoint> points;
        for (std::size_t i = 0; i < losses.size() && losses[i] <= y_ticks.back(); ++i)
            points.push_back({x_at(curve.rates[i]), y_at(losses[i])});
        if (!points.empty()) svg.line(points, color, thickness, dashed);
    };
    draw(curve.losses, "#9db8d6", 1.2, false);
    draw(curve.smoothed, "#1f4e85", 2.4, false);
    const double at = x_at(curve.suggested);
    const detail::SvgPoint line[] = {{at, top}, {at, top + height}};
    svg.line(line, "#d9772b", 1.6, true);
    const bool is_right = at > left + 0.6 * width;
    svg.text({at + (is_right ? -6 : 6), top + 14},
             "suggested: " + detail::number_text(curve.suggested, std::chars_format::general, 3), 12, "#8a4514",
             is_right ? detail::SvgAnchor::end : detail::SvgAnchor::start);
    svg.text({left, top - 14}, "light: each batch, dark: smoothed", 12, "#444444");
    return svg.str();
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::reports
