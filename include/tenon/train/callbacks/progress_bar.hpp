#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// A callback that shows how a fit goes: a bar on a terminal, plain lines elsewhere.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <iostream>
#include <string>

#include <unistd.h>

#include <tenon/core/index.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/train/callbacks/callback.hpp>
#include <tenon/train/callbacks/terminal_line.hpp>

namespace tenon {

/// How progress is shown.
enum class ProgressStyle {
    automatic,  ///< a bar if the stream is the standard output or error and that is a terminal, otherwise lines
    bar,        ///< one line that is redrawn, then a line for the epoch
    lines,      ///< one line per epoch, and in long epochs one every half minute
};

inline namespace TENON_ISA_NAMESPACE {

/// Shows epoch, loss, accuracy, images per second and remaining time. Where a terminal is too narrow, the bar gets
/// shorter, and then parts are left out one after another: images per second, the bar, accuracy, time and loss; in the
/// line that remains for an epoch: images per second, time, the training accuracy, and the losses. The window may be
/// resized while a fit runs.
class ProgressBar final : public Callback {
public:
    explicit ProgressBar(std::ostream& stream = std::cout, ProgressStyle style = ProgressStyle::automatic)
        : stream_{stream},
          bar_{style == ProgressStyle::bar ||
               (style == ProgressStyle::automatic && ::isatty(detail::descriptor_of(stream)) == 1)} {}

    bool is_output() const override { return true; }

    void on_begin(const FitPlan& plan, TrainerControl&) override {
        plan_ = plan;
        last_ = plan.seconds;
    }

    void on_step(const StepReport& report, TrainerControl&) override {
        const double wait = bar_ ? 0.1 : 30.0;
        if (report.seconds - last_ < wait) return;
        last_ = report.seconds;
        const double done = static_cast<double>(report.batch + 1) / static_cast<double>(report.batches);
        const double left = report.progress > 0 ? report.seconds * (1 - report.progress) / report.progress : 0;
        detail::TerminalLine line;
        line.add(epoch(report.epoch));
        const std::size_t bar = line.add(bar_ ? drawn(done, min_width) : "");
        line.add(format(" %3.0f %%", 100 * done));
        const std::size_t loss = line.add(format(", loss %.4f", report.epoch_loss));
        const std::size_t accuracy = line.add(format(", accuracy %.2f %%", 100 * report.epoch_accuracy));
        const std::size_t speed = line.add(rate(report.epoch_images, report.epoch_seconds));
        const std::size_t time = line.add(", " + clock(left) + " left");
        for (const std::size_t part : {speed, bar, accuracy, time, loss}) line.then_shorten(part);
        const std::size_t limit = shorten(line);
        if (!line[bar].empty()) {
            // The bar gets the rest of the line.
            const std::size_t room = std::min(limit - line.size(), std::size_t{max_width - min_width});
            line[bar] = drawn(done, min_width + static_cast<int>(room));
        }
        show(line.text(limit));
        if (!bar_) end_line();
    }

    void on_epoch(const EpochReport& report, TrainerControl&) override {
        detail::TerminalLine line;
        line.add(epoch(report.epoch));
        const std::size_t loss = line.add(format(", loss %.4f", report.loss));
        const std::size_t accuracy = line.add(format(", accuracy %.2f %%", 100 * report.accuracy));
        const bool validated = report.is_validated();
        const std::size_t validation_loss =
            line.add(validated ? format(", validation loss %.4f", report.validation_loss) : "");
        const std::size_t validation_accuracy =
            line.add(validated ? format(", accuracy %.2f %%", 100 * report.validation_accuracy) : "");
        const std::size_t speed = line.add(rate(report.images, report.seconds));
        const std::size_t time = line.add(", " + clock(report.seconds));
        line.then_shorten(speed);
        line.then_shorten(time);
        if (validated) {
            line.then_shorten(validation_loss, format(", val. loss %.4f", report.validation_loss));
            line.then_shorten(accuracy, format(", acc. %.2f %%", 100 * report.accuracy));
            line.then_shorten(validation_accuracy, format(", acc. %.2f %%", 100 * report.validation_accuracy));
        }
        line.then_shorten(accuracy);
        if (validated) {
            // When it is alone, it must say what it is the accuracy of.
            line.then_shorten(validation_accuracy, format(", val. acc. %.2f %%", 100 * report.validation_accuracy));
            line.then_shorten(validation_loss);
        }
        line.then_shorten(loss);
        const std::size_t limit = shorten(line);
        show(line.text(limit));
        end_line();
    }

    /// Completes the bar's line when a fit is interrupted or ended by an exception.
    void on_leave() noexcept override {
        try {
            if (is_open_) end_line();
        } catch (...) {
            // The stream throws; its owner will see that.
        }
    }

private:
    static constexpr int min_width = 8, max_width = 24;  ///< of the bar

    /// Shortens a line until it fits; returns how many characters fit.
    std::size_t shorten(detail::TerminalLine& line) const {
        const std::size_t limit =
            bar_ ? detail::line_limit(detail::terminal_columns(detail::descriptor_of(stream_))) : std::string::npos;
        line.shorten(limit);
        return limit;
    }
    /// Draws a bar's line over the previous one, unless that is ended.
    void show(const std::string& text) {
        if (bar_)
            stream_ << '\r' << text << "\x1b[K" << std::flush;
        else
            stream_ << text;
        is_open_ = true;
    }
    void end_line() {
        stream_ << std::endl;
        is_open_ = false;
    }
    static std::string format(const char* pattern, double value) { return detail::formatted(pattern, value); }
    static std::string drawn(double share, int width) {
        const int full = static_cast<int>(std::lround(share * width));
        std::string bar(detail::index(width), '.');
        std::fill_n(bar.begin(), full, '=');
        if (full > 0 && full < width) bar[detail::index(full) - 1] = '>';
        return " [" + bar + "]";
    }
    static std::string figures(double loss, double accuracy) {
        return format(", loss %.4f", loss) + format(", accuracy %.2f %%", 100 * accuracy);
    }
    static std::string rate(long images, double seconds) {
        return seconds > 0 ? format(", %.0f images/s", static_cast<double>(images) / seconds) : "";
    }
    /// Seconds as 1:02:03 or 2:03.
    static std::string clock(double seconds) {
        const long all = std::lround(std::max(seconds, 0.0)), hours = all / 3600;
        const auto two = [](long number) { return std::string(number < 10, '0').append(std::to_string(number)); };
        const std::string rest = two(all % 60);
        return hours > 0 ? std::to_string(hours) + ":" + two(all / 60 % 60) + ":" + rest
                         : std::to_string(all / 60) + ":" + rest;
    }
    std::string epoch(long index) const {
        return "epoch " + std::to_string(index + 1) + (plan_.epochs > 0 ? "/" + std::to_string(plan_.epochs) : "");
    }

    std::ostream& stream_;
    bool bar_;
    bool is_open_ = false;  ///< whether the bar's line is drawn and not ended
    FitPlan plan_{};
    double last_ = 0;  ///< when something was last shown, in seconds of the fit
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
