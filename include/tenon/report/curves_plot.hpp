#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// A plot of curves over the epochs of a training.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/report/svg.hpp>

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

/// A number at an axis whose ticks are `step` apart, with as many digits as tell it from its neighbors.
inline std::string tick_text(double value, double step) {
    if (step >= 0.01) return Svg::number(value);
    const int digits = std::min(12, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
    return number_text(value, std::chars_format::fixed, digits);
}

/// The values and epochs that a plot shows.
struct PlotRange {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    std::size_t epochs = 1;

    explicit PlotRange(std::span<const PlotCurve> curves) {
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
    }
};

/// Curves in a frame with its upper left corner at `corner`.
class CurvesPlot {
public:
    CurvesPlot(Svg& svg, SvgPoint corner, double width, double height, std::span<const PlotCurve> curves)
        : svg_{svg}, corner_{corner}, width_{width}, height_{height}, curves_{curves}, range_{curves} {}

    void draw(std::string_view title, std::string_view unit) const {
        svg_.text({corner_.x, corner_.y - 18}, title, 15, "#222222", SvgAnchor::start, true);
        draw_values(unit);
        draw_epochs();
        double legend = corner_.x + width_;
        for (std::size_t i = curves_.size(); i-- > 0;)
            if (draw_curve(curves_[i]) && !curves_[i].name.empty()) legend = draw_name(curves_[i], legend);
    }

private:
    double x_at(double epoch) const {
        const double last = static_cast<double>(range_.epochs);
        return corner_.x + (last > 1 ? (epoch - 1) / (last - 1) : 0.5) * width_;
    }
    double y_at(double value) const {
        return corner_.y + height_ - (value - ticks_.front()) / (ticks_.back() - ticks_.front()) * height_;
    }

    void draw_values(std::string_view unit) const {
        for (const double tick : ticks_) {
            const SvgPoint line[] = {{corner_.x, y_at(tick)}, {corner_.x + width_, y_at(tick)}};
            svg_.line(line, "#e3e3e3");
            svg_.text({corner_.x - 8, y_at(tick) + 4}, tick_text(tick, ticks_[1] - ticks_[0]) + std::string(unit), 11,
                      "#666666", SvgAnchor::end);
        }
    }

    void draw_epochs() const {
        const double last = static_cast<double>(range_.epochs);
        const auto step = std::max(1L, std::lround(ticks(0, last, 8)[1]));
        for (long epoch = 1; epoch <= static_cast<long>(range_.epochs); ++epoch)
            if (epoch == 1 || (epoch % step == 0 && epoch > step / 2))
                svg_.text({x_at(static_cast<double>(epoch)), corner_.y + height_ + 18}, std::to_string(epoch), 11,
                          "#666666", SvgAnchor::middle);
        svg_.text({corner_.x + width_ / 2, corner_.y + height_ + 38}, "epoch", 12, "#666666", SvgAnchor::middle);
    }

    /// Whether the curve has a value.
    bool draw_curve(const PlotCurve& curve) const {
        std::vector<SvgPoint> points;
        for (std::size_t epoch = 0; epoch < curve.values.size(); ++epoch)
            if (std::isfinite(curve.values[epoch]))
                points.push_back({x_at(static_cast<double>(epoch) + 1), y_at(curve.values[epoch])});
        if (points.empty()) return false;
        svg_.line(points, curve.color, 2.2, curve.dashed);
        if (points.size() <= 40)
            for (const SvgPoint& point : points) svg_.circle(point, 2.8, curve.color);
        return true;
    }

    /// Draws a curve's name so that it ends at `right`, and returns where the name before it ends.
    double draw_name(const PlotCurve& curve, double right) const {
        const double name = right - 7.0 * static_cast<double>(curve.name.size()) - 8, line = name - 24;
        svg_.text({name, corner_.y - 18}, curve.name, 12, "#444444");
        const SvgPoint ends[] = {{line, corner_.y - 22}, {line + 18, corner_.y - 22}};
        svg_.line(ends, curve.color, 2.2, curve.dashed);
        return line - 10;
    }

    Svg& svg_;
    SvgPoint corner_;
    double width_, height_;
    std::span<const PlotCurve> curves_;
    PlotRange range_;
    std::vector<double> ticks_ = ticks(range_.low, range_.high, 5);
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail
}  // namespace tenon
