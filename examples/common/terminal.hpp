// What the standard output can show: colors, block characters.
#pragma once

#include <algorithm>
#include <clocale>
#include <cmath>
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
        return {isatty(STDOUT_FILENO) != 0 && variable("NO_COLOR").empty() && variable("TERM") != "dumb",
                std::string_view(nl_langinfo(CODESET)) == "UTF-8"};
    }

    Terminal(bool colors, bool blocks) : colors_(colors), blocks_(blocks) {}

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

    bool colors_;
    bool blocks_;
};
