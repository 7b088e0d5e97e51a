// What the standard output can show: colors, block characters.
#pragma once

#include <algorithm>
#include <clocale>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

#include <langinfo.h>
#include <unistd.h>

class Terminal {
public:
    /// Reads the environment: colors are for terminals and unless NO_COLOR is set (no-color.org), block characters for
    /// locales in UTF-8.
    static Terminal of_stdout() {
        const auto variable = [](const char* name) -> std::string_view {
            const char* const value = std::getenv(name);
            return value != nullptr ? value : "";
        };
        std::setlocale(LC_CTYPE, "");
        const bool is_terminal = isatty(STDOUT_FILENO) != 0;
        return {is_terminal, is_terminal && variable("NO_COLOR").empty() && variable("TERM") != "dumb",
                std::string_view(nl_langinfo(CODESET)) == "UTF-8"};
    }

    Terminal(bool is_terminal, bool colors, bool blocks)
        : is_terminal_(is_terminal), colors_(colors), blocks_(blocks) {}

    /// A name as it is; on a terminal without control characters, which in names of somebody's weights or photos could
    /// change what it shows: `\x1B` for the one that begins commands.
    std::string shown(const std::string& name) const {
        if (!is_terminal_) return name;
        std::string text;
        for (std::size_t i = 0; i < name.size(); ++i) {
            const auto at = [&](std::size_t j) { return static_cast<unsigned char>(j < name.size() ? name[j] : ' '); };
            const auto is_second = [&](std::size_t j) { return at(j) >= 0x80 && at(j) < 0xA0 && at(j - 1) == 0xC2; };
            const unsigned char byte = at(i);
            const bool is_control = byte < 0x20 || byte == 0x7F || (byte == 0xC2 && is_second(i + 1)) || is_second(i);
            if (is_control) {
                constexpr const char* digits = "0123456789ABCDEF";
                text += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
            } else {
                text += name[i];
            }
        }
        return text;
    }

    std::string bold(const std::string& text) const { return styled(text, "1"); }
    std::string green(const std::string& text) const { return styled(text, "32"); }

    /// A bar that fills `fraction` of `width` columns, padded with spaces.
    std::string bar(double fraction, int width) const {
        constexpr const char* eighths[] = {"", "\u258F", "\u258E", "\u258D", "\u258C", "\u258B", "\u258A", "\u2589"};
        const int steps = blocks_ ? 8 : 1;
        const int filled = static_cast<int>(std::lround(std::clamp(fraction, 0.0, 1.0) * width * steps));
        std::string text;
        for (int i = 0; i < filled / steps; ++i) text += blocks_ ? "\u2588" : "#";
        int columns = filled / steps;
        if (filled % steps != 0) {
            text += eighths[filled % steps];
            ++columns;
        }
        return text + std::string(static_cast<std::size_t>(width - columns), ' ');
    }

private:
    std::string styled(const std::string& text, const char* code) const {
        return colors_ ? "\x1B[" + std::string(code) + "m" + text + "\x1B[0m" : text;
    }

    bool is_terminal_;
    bool colors_;
    bool blocks_;
};
