// A callback that shows how a fit goes: a bar on a terminal, plain lines elsewhere.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <string>

#include <unistd.h>

#include <tenon/train/callback.hpp>

namespace tenon {

/// How progress is shown.
enum class ProgressStyle {
    automatic,  ///< a bar if the stream is the standard output or error and that is a terminal, else lines
    bar,        ///< one line that is drawn over and over, then a line for the epoch
    lines,      ///< a line for each epoch, and one every half minute in long ones
};

inline namespace TENON_ISA_NAMESPACE {

/// Shows epoch, loss, accuracy, images per second and the time that is left.
class ProgressBar final : public Callback {
public:
    explicit ProgressBar(std::ostream& stream = std::cout, ProgressStyle style = ProgressStyle::automatic)
        : stream_{stream},
          bar_{style == ProgressStyle::bar || (style == ProgressStyle::automatic && is_terminal(stream))} {}

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
        const std::string text = epoch(report.epoch) + (bar_ ? " " + drawn(done) : "") +
                                 format(" %3.0f %%", 100 * done) + figures(report.epoch_loss, report.epoch_accuracy) +
                                 rate(report.epoch_images, report.epoch_seconds) + ", " + clock(left) + " left";
        if (bar_)
            stream_ << '\r' << text << "\x1b[K" << std::flush;
        else
            stream_ << text << std::endl;
    }

    void on_epoch(const EpochReport& report, TrainerControl&) override {
        std::string text = epoch(report.epoch) + figures(report.loss, report.accuracy);
        if (report.is_validated())
            text += format(", validation loss %.4f", report.validation_loss) +
                    format(", accuracy %.2f %%", 100 * report.validation_accuracy);
        text += rate(report.images, report.seconds) + ", " + clock(report.seconds);
        stream_ << (bar_ ? "\r" : "") << text << (bar_ ? "\x1b[K" : "") << std::endl;
    }

private:
    static bool is_terminal(const std::ostream& stream) {
        if (stream.rdbuf() == std::cout.rdbuf()) return ::isatty(STDOUT_FILENO) == 1;
        if (stream.rdbuf() == std::cerr.rdbuf()) return ::isatty(STDERR_FILENO) == 1;
        return false;
    }
    static std::string format(const char* pattern, double value) {
        char text[48];
        std::snprintf(text, sizeof text, pattern, value);
        return text;
    }
    static std::string drawn(double share) {
        constexpr int width = 24;
        const int full = static_cast<int>(std::lround(share * width));
        std::string bar(width, '.');
        std::fill_n(bar.begin(), full, '=');
        if (full > 0 && full < width) bar[static_cast<std::size_t>(full) - 1] = '>';
        return "[" + bar + "]";
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
    FitPlan plan_{};
    double last_ = 0;  ///< when something was shown, in seconds of the fit
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
