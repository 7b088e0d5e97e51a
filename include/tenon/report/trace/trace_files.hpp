#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Traces as files: events for a trace viewer, and an image.

#include <algorithm>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/io/atomic_file.hpp>
#include <tenon/io/json.hpp>
#include <tenon/report/svg.hpp>
#include <tenon/report/trace/trace.hpp>

namespace tenon {
namespace reports {
inline namespace TENON_ISA_NAMESPACE {

/// A trace as JSON in the Trace Event Format, which ui.perfetto.dev and chrome://tracing open: a row for each worker,
/// an event for each step with its rate, its share of the peak of the workers that share it and its bytes, below it the
/// worker's own part of the step, and counters of the bytes that the values in the arenas take.
template <class Once = void>
std::string to_json(const Trace& trace) {
    const auto number = [](double value, int digits) {
        return detail::number_text(value, std::chars_format::fixed, digits);
    };
    std::string text =
        "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"title\":" + detail::json_string(detail::to_utf8(trace.title)) +
        ",\"peak of a thread (GFLOP/s)\":" + number(trace.peak, 1) + "},\"traceEvents\":[\n";
    text += R"({"ph":"M","name":"process_name","pid":1,"tid":0,"args":{"name":)" +
            detail::json_string(trace.title.empty() ? "tenon" : detail::to_utf8(trace.title)) + "}}";
    for (int worker = 0; worker < trace.workers; ++worker)
        text += ",\n{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":" + std::to_string(worker) +
                ",\"args\":{\"name\":\"worker " + std::to_string(worker) + "\"}}";
    const bool is_shared = trace.is_shared();
    for (const TraceEvent& event : trace.events) {
        const TraceStep& step = trace.steps[detail::index(event.step)];
        text += ",\n{\"ph\":\"X\",\"name\":" + detail::json_string(step.name) +
                ",\"cat\":" + detail::json_string(event.is_part ? "part" : step.kind) +
                ",\"pid\":1,\"tid\":" + std::to_string(event.worker) + ",\"ts\":" + number(1e6 * event.begin, 3) +
                ",\"dur\":" + number(1e6 * event.seconds(), 3) +
                ",\"args\":{\"kind\":" + detail::json_string(step.kind) + ",\"images\":" + std::to_string(event.images);
        if (!event.is_part) {
            const double rate = trace.rate(event), workers = is_shared ? trace.workers : 1;
            text += ",\"input\":" + detail::json_string(to_string(step.input)) +
                    ",\"output\":" + detail::json_string(to_string(step.output)) +
                    ",\"multiply-adds\":" + std::to_string(step.multiply_adds * event.images) +
                    ",\"GFLOP/s\":" + number(rate, 1);
            if (trace.peak > 0) text += ",\"share of peak (%)\":" + number(100 * rate / (trace.peak * workers), 1);
            text += ",\"bytes\":" + number(trace.bytes(event), 0) +
                    ",\"GB/s\":" + number(event.seconds() > 0 ? 1e-9 * trace.bytes(event) / event.seconds() : 0, 1);
        }
        text += "}}";
        if (event.is_part) continue;
        text += ",\n{\"ph\":\"C\",\"name\":\"arena" +
                (is_shared ? std::string() : " of worker " + std::to_string(event.arena)) +
                "\",\"pid\":1,\"ts\":" + number(1e6 * event.begin, 3) +
                ",\"args\":{\"bytes in use\":" + std::to_string(step.arena_bytes * event.images) + "}}";
    }
    return text + "\n]}\n";
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Colors of kinds of steps: of different lightness, and for the color-blind of different hue (Okabe and Ito 2008).
inline std::string_view color_of_kind(std::string_view kind) {
    if (kind.find("weight gradient") != std::string_view::npos) return "#d55e00";
    if (kind.find("gradient") != std::string_view::npos) return "#e69f00";
    if (kind.find("Winograd") != std::string_view::npos) return "#0072b2";
    if (kind.find("Strassen") != std::string_view::npos) return "#009e73";
    if (kind.starts_with("conv") || kind.starts_with("linear")) return "#56b4e9";
    return "#999999";
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace reports {
inline namespace TENON_ISA_NAMESPACE {

/// A trace as an image: time from left to right, a row for each worker. A complete step is pale, a worker's part of it
/// full: what stays pale is waiting. Where there is room a step shows its name; each has a tooltip.
template <class Once = void>
std::string to_svg(const Trace& trace) {
    constexpr double left = 84, width = 1200, row = 46, bar = 30;
    double end = 0;
    for (const TraceEvent& event : trace.events) end = std::max(end, event.end);
    double begin = end;
    for (const TraceEvent& event : trace.events) begin = std::min(begin, event.begin);
    const std::vector<double> ticks = detail::ticks(0, std::max(1e3 * (end - begin), 1e-3), 10);
    const double span = ticks.back(), top = 84;
    const auto x_at = [&](double seconds) { return left + 1e3 * (seconds - begin) / span * width; };
    detail::Svg svg(left + width + 40, top + row * trace.workers + 62);
    svg.text({24, 34}, trace.title.empty() ? "Trace" : trace.title, 18, "#222222", detail::SvgAnchor::start, true);
    double legend = left;
    for (const auto& [name, color] : {std::pair{"convolution, linear", "#56b4e9"},
                                      {"Winograd", "#0072b2"},
                                      {"Strassen", "#009e73"},
                                      {"gradient of data", "#e69f00"},
                                      {"gradient of weights", "#d55e00"},
                                      {"other", "#999999"}}) {
        const bool is_there = std::ranges::any_of(trace.steps, [&](const TraceStep& step) {
            return detail::color_of_kind(step.kind) == std::string_view(color);
        });
        if (!is_there) continue;
        svg.rectangle({legend, 52}, 14, 14, color, 2);
        svg.text({legend + 20, 63.5}, name, 12, "#444444");
        legend += 44 + detail::Svg::text_width(name, 12);
    }
    const double bottom = top + row * trace.workers;
    for (const double tick : ticks) {
        const double x = left + tick / span * width;
        const detail::SvgPoint line[] = {{x, top - 6}, {x, bottom}};
        svg.line(line, "#e3e3e3");
        svg.text({x, bottom + 18}, detail::Svg::number(tick), 11, "#666666", detail::SvgAnchor::middle);
    }
    svg.text({left + width / 2, bottom + 40}, "milliseconds", 12, "#666666", detail::SvgAnchor::middle);
    for (int worker = 0; worker < trace.workers; ++worker)
        svg.text({left - 10, top + row * worker + bar / 2 + 4}, "worker " + std::to_string(worker), 12, "#444444",
                 detail::SvgAnchor::end);
    const bool is_pale = trace.is_shared() && std::ranges::any_of(trace.events, &TraceEvent::is_part);
    for (const bool parts : {false, true})
        for (const TraceEvent& event : trace.events) {
            if (event.is_part != parts) continue;
            const TraceStep& step = trace.steps[detail::index(event.step)];
            const double x = x_at(event.begin), wide = x_at(event.end) - x, y = top + row * event.worker;
            std::string tip = step.name + "\n" + step.kind + ", " + to_string(step.input) + " to " +
                              to_string(step.output) + "\n" + detail::formatted("%.3f ms", 1e3 * event.seconds());
            if (!parts && step.multiply_adds > 0) tip += detail::formatted(", %.1f GFLOP/s", trace.rate(event));
            const std::string_view color = detail::color_of_kind(step.kind);
            svg.rectangle({x, y}, std::max(wide, 0.2), bar, color, 0, parts || !is_pale ? 1 : 0.35, tip);
            const bool is_dark = color == "#0072b2" || color == "#d55e00" || color == "#009e73";
            if (parts == is_pale && detail::Svg::text_width(step.name, 10) + 6 < wide)
                svg.text({x + 3, y + bar / 2 + 3.5}, step.name, 10, is_dark ? "#ffffff" : "#111111");
        }
    return svg.str();
}

/// Writes a trace: to a file whose name ends in .svg an image, else JSON. Throws tenon::Error when it can't be written;
/// then a file that was there survives.
inline void write(const Trace& trace, const std::string& path) {
    detail::write_file_atomically(path, path.ends_with(".svg") ? to_svg(trace) : to_json(trace));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports
}  // namespace tenon
