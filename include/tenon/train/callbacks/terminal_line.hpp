#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// A line that is redrawn on a terminal: how long it may be, and which parts are left out first when it is too long.

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <sys/ioctl.h>
#include <unistd.h>

#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The columns of the terminal at a descriptor at this moment, so the window may be resized at any time. COLUMNS in the
/// environment makes lines shorter, never longer than the terminal. 80 where a terminal does not know its width; no
/// limit where there is no terminal.
inline std::size_t terminal_columns(int descriptor) {
    if (descriptor < 0 || ::isatty(descriptor) != 1) return std::numeric_limits<std::size_t>::max();
    struct winsize size {};
    long columns = ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
    if (const char* const text = std::getenv("COLUMNS"))
        if (const long wanted = std::strtol(text, nullptr, 10); wanted > 0)
            columns = columns > 0 ? std::min(columns, wanted) : wanted;
    return columns > 0 ? index(columns) : 80;
}

/// The descriptor of the standard output or error; -1 for other streams.
inline int descriptor_of(const std::ostream& stream) {
    if (stream.rdbuf() == std::cout.rdbuf()) return STDOUT_FILENO;
    if (stream.rdbuf() == std::cerr.rdbuf()) return STDERR_FILENO;
    return -1;
}

/// A line made of parts, some of which are shortened, in a fixed order, until it fits.
class TerminalLine {
public:
    /// Adds a part; returns its index.
    std::size_t add(std::string part) {
        parts_.push_back(std::move(part));
        return parts_.size() - 1;
    }
    /// Adds a shortening, to be made after all earlier ones: the part becomes `text`.
    void then_shorten(std::size_t part, std::string text = {}) { shortenings_.emplace_back(part, std::move(text)); }

    /// Makes shortenings, one by one, until the line has at most `limit` characters or none are left.
    void shorten(std::size_t limit) {
        for (auto& [part, text] : shortenings_) {
            if (size() <= limit) return;
            parts_[part] = std::move(text);
        }
    }
    std::string& operator[](std::size_t part) { return parts_[part]; }

    /// The line, cut off after `limit` characters.
    std::string text(std::size_t limit) const {
        std::string line;
        for (const std::string& part : parts_) line += part;
        return line.substr(0, std::min(line.size(), limit));
    }

    /// Characters of all parts as they are now.
    std::size_t size() const {
        std::size_t sum = 0;
        for (const std::string& part : parts_) sum += part.size();
        return sum;
    }

private:
    std::vector<std::string> parts_;
    std::vector<std::pair<std::size_t, std::string>> shortenings_;
};

/// The most characters of a line on a terminal with `columns` columns. The last column stays free: a terminal whose
/// cursor waits there for the next line would erase the character with `\x1b[K`.
inline std::size_t line_limit(std::size_t columns) { return std::max<std::size_t>(columns, 2) - 1; }

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail

namespace tenon::programs {

/// The columns of the terminal at a descriptor at this moment; no limit where there is none.
using detail::terminal_columns;

}  // namespace tenon::programs
