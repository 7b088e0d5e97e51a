// How much of a long task is done, on the standard error.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>

#include <unistd.h>

#include <tenon/training.hpp>

/// On a terminal a bar in one line that is redrawn and fits its width, elsewhere a line every half minute.
///
///     classify: calibrating [=====>..................]  30 of 128 images, 0:12 left
class ProgressLine {
public:
    ProgressLine(std::string what, std::size_t all) : what_(std::move(what)), all_(all) {}
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    ~ProgressLine() { clear(); }

    /// Shows that this many images are done, unless something was shown a moment ago.
    void show(std::size_t done) {
        const double seconds = since(start_);
        if (since(shown_) < (terminal_ ? 0.1 : 30.0) || done == 0) return;
        shown_ = Clock::now();
        const auto left = static_cast<long>(seconds * static_cast<double>(all_ - done) / static_cast<double>(done));
        char time[32];
        std::snprintf(time, sizeof time, ", %ld:%02ld left", left / 60, left % 60);
        const std::string count = std::to_string(done) + " of " + std::to_string(all_) + " images";
        if (!terminal_) {
            std::fprintf(stderr, "%s: %s%s\n", what_.c_str(), count.c_str(), time);
            return;
        }
        // The last column stays free. Where a line is too narrow, the bar is left out, then the end.
        const std::size_t limit = std::max<std::size_t>(tenon::programs::terminal_columns(STDERR_FILENO), 2) - 1;
        std::string line = what_ + bar(done) + " " + count + time;
        if (line.size() > limit) line = (what_ + ": " + count).substr(0, limit);
        std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
        is_open_ = true;
    }

    /// Removes the bar, so that something else can be printed.
    void clear() {
        if (is_open_) std::fputs("\r\x1b[K", stderr);
        is_open_ = false;
    }

private:
    using Clock = std::chrono::steady_clock;
    static double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

    std::string bar(std::size_t done) const {
        constexpr std::size_t width = 24;
        const std::size_t full = width * done / all_;
        std::string cells(width, '.');
        std::fill_n(cells.begin(), full, '=');
        if (full > 0 && full < width) cells[full - 1] = '>';
        return " [" + cells + "]";
    }

    std::string what_;
    std::size_t all_;
    bool terminal_ = ::isatty(STDERR_FILENO) == 1, is_open_ = false;
    Clock::time_point start_ = Clock::now(), shown_ = start_;
};
