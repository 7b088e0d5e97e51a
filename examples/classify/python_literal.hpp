// Dictionaries and lists as Python prints them, `{0: 'tench', 1: "pirate's ship"}`: the names of ImageNet's classes are
// published so. Nothing is executed: only dictionaries, lists, tuples, strings and whole numbers are read.
#pragma once

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

namespace labels {

/// Reads one literal as the JSON value of the same content; the numbers that are keys become strings.
class PythonLiteral {
public:
    using Json = nlohmann::json;

    /// The value; nothing when the text is no such literal, or more than four levels deep.
    static std::optional<Json> parse(std::string_view text) {
        PythonLiteral reader(text);
        std::optional<Json> value = reader.read(0);
        reader.skip_space();
        if (!reader.rest_.empty()) return {};
        return value;
    }

private:
    explicit PythonLiteral(std::string_view text) : rest_(text) {}

    static constexpr int max_depth = 4;

    void skip_space() {
        while (!rest_.empty() && (std::isspace(static_cast<unsigned char>(rest_[0])) != 0)) rest_.remove_prefix(1);
    }
    /// Skips `c` and the space before it; false when something else is there.
    bool skip(char c) {
        skip_space();
        if (rest_.empty() || rest_[0] != c) return false;
        rest_.remove_prefix(1);
        return true;
    }

    std::optional<Json> read(int depth) {
        if (depth > max_depth) return {};
        if (skip('{')) return read_dictionary(depth);
        if (skip('[')) return read_list(']', depth);
        if (skip('(')) return read_list(')', depth);
        skip_space();
        if (!rest_.empty() && (rest_[0] == 'u' || rest_[0] == 'b')) rest_.remove_prefix(1);  // as Python 2 prints text
        if (rest_.starts_with('\'') || rest_.starts_with('"')) return read_string();
        return read_number();
    }

    std::optional<Json> read_dictionary(int depth) {
        Json result = Json::object();
        while (!skip('}')) {
            const std::optional<Json> key = read(depth + 1);
            if (!key || key->is_structured() || !skip(':')) return {};
            std::optional<Json> value = read(depth + 1);
            const std::string name = key->is_string() ? key->get<std::string>() : key->dump();
            if (!value || result.contains(name)) return {};
            result[name] = std::move(*value);
            if (!skip(',') && !rest_.starts_with('}')) return {};
        }
        return result;
    }

    std::optional<Json> read_list(char end, int depth) {
        Json result = Json::array();
        while (!skip(end)) {
            std::optional<Json> value = read(depth + 1);
            if (!value) return {};
            result.push_back(std::move(*value));
            if (!skip(',') && !rest_.starts_with(end)) return {};
        }
        return result;
    }

    std::optional<Json> read_string() {
        const char quote = rest_[0];
        rest_.remove_prefix(1);
        std::string text;
        while (!rest_.empty() && rest_[0] != '\n') {
            const char c = rest_[0];
            rest_.remove_prefix(1);
            if (c == quote) return text;
            if (c != '\\') {
                text += c;
            } else if (rest_.starts_with('\'') || rest_.starts_with('"') || rest_.starts_with('\\')) {
                text += rest_[0];
                rest_.remove_prefix(1);
            } else {
                return {};  // \xE9 means a byte in one kind of string and a letter in another
            }
        }
        return {};
    }

    std::optional<Json> read_number() {
        constexpr std::size_t max_digits = 9;
        std::uint64_t value = 0;
        std::size_t digits = 0;
        while (digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9' && digits < max_digits)
            value = 10 * value + static_cast<std::uint64_t>(rest_[digits++] - '0');
        if (digits == 0 || (digits > 1 && rest_[0] == '0')) return {};
        rest_.remove_prefix(digits);
        return value;
    }

    std::string_view rest_;
};

}  // namespace labels
