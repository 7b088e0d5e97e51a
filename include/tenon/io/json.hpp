#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A strict JSON reader for the headers of weight files.
//
// The reader pulls one value after another out of a text and builds no tree, so a hostile text takes no more memory
// than its own strings. It reads what the formats in this folder consist of: objects, arrays, strings, non-negative
// integers.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/function_ref.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/names.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/io/json_text.hpp>
#include <tenon/io/utf8.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Appends a decimal digit to a number, 12 and '3' -> 123; false when 64 bits don't hold it.
constexpr bool append_digit(std::uint64_t& number, char digit) {
    const auto value = static_cast<std::uint64_t>(digit - '0');
    if (number > (~std::uint64_t{0} - value) / 10) return false;
    number = number * 10 + value;
    return true;
}

/// Pulls values out of a JSON text in the text's order. Every function reads exactly one value and throws tenon::Error,
/// naming the byte, when the text holds something else. The text must outlive the reader.
template <class Once = void>
class JsonReaderOf {
public:
    explicit JsonReaderOf(std::string_view text) : text_(text) {}

    /// Reads an object: calls `member(key)` for each key; the call must read the key's value. A repeated key is an
    /// error.
    TENON_COLD void read_object(FunctionRef<void(const std::string&)> member) {
        NameIndex keys;
        read_list('{', '}', [&] {
            const std::string key = read_string();
            if (!keys.add(key)) fail({"the key ", quote_name(key), " occurs twice in one object"});
            if (next() != ':') fail_expected(joined({"':' after the key ", quote_name(key)}));
            ++position_;
            member(key);
        });
    }

    /// Reads an array: calls `element()` for each element; the call must read it.
    void read_array(FunctionRef<void()> element) { read_list('[', ']', element); }

    /// Reads a string: its escapes resolved, always UTF-8.
    TENON_COLD std::string read_string() {
        if (next() != '"') fail_expected("a string");
        ++position_;
        std::string result;
        for (;;) {
            if (position_ == text_.size()) fail_expected("the '\"' that ends the string");
            const char c = text_[position_];
            if (c == '"') {
                ++position_;
                return result;
            }
            if (c == '\\') {
                ++position_;
                read_escape(result);
                continue;
            }
            if (static_cast<unsigned char>(c) < 0x20) fail("a string contains an unescaped control character");
            const std::size_t length = utf8_sequence_length(text_.substr(position_));
            if (length == 0) fail("the string is not UTF-8");
            result += text_.substr(position_, length);
            position_ += length;
        }
    }

    /// Reads an integer from 0 to 2^64 - 1, written without sign, fraction, exponent or leading zeros.
    TENON_COLD std::uint64_t read_unsigned() {
        const char first = next();
        if (first < '0' || first > '9') fail_expected("a non-negative integer");
        const std::string_view digits =
            text_.substr(position_, text_.find_first_not_of("0123456789", position_) - position_);
        std::uint64_t value = 0;
        for (const char digit : digits)
            if (!append_digit(value, digit)) fail("the integer does not fit into 64 bits");
        if (first == '0' && digits.size() > 1) fail("an integer has a leading zero");
        position_ += digits.size();
        if (position_ < text_.size() && std::string_view(".eE").find(text_[position_]) != std::string_view::npos)
            fail_expected("a non-negative integer without fraction or exponent");
        return value;
    }

    /// Reads `null` if it comes next, and says whether it does.
    TENON_COLD bool read_null() {
        next();
        const bool is_null = text_.substr(position_, 4) == "null";
        if (is_null) position_ += 4;
        return is_null;
    }

    /// Reads any value and forgets it: also numbers with signs and fractions, `true`, `false` and `null`.
    TENON_COLD void skip() {
        const char first = next();
        if (first == '{') return read_object([this](const std::string&) { skip(); });
        if (first == '[') return read_array([this] { skip(); });
        if (first == '"') return static_cast<void>(read_string());
        const std::size_t begin = position_;
        while (position_ < text_.size() &&
               std::string_view("+-.0123456789aeflnrstuE").find(text_[position_]) != std::string_view::npos)
            ++position_;
        if (position_ == begin) fail_expected("a value");
    }

    /// Throws tenon::Error unless only white space is left.
    TENON_COLD void read_end() {
        next();
        if (position_ != text_.size()) fail_expected("the end of the text");
    }

    /// Throws tenon::Error: `what` is wrong at the byte that would be read next.
    [[noreturn]] TENON_COLD void fail(std::initializer_list<SentencePart> what) const {
        throw_error({"byte ", position_, ": ", joined(what)});
    }
    [[noreturn]] TENON_COLD void fail(const char* what) const { fail(std::initializer_list<SentencePart>{what}); }

private:
    /// Deeper than any format in this folder nests; bounds the recursion of callers.
    static constexpr int max_depth = 32;

    [[noreturn]] TENON_COLD void fail_expected(std::string_view expected) const {
        if (position_ == text_.size()) fail({"expected ", expected, ", found the end of the text"});
        const std::size_t length = utf8_sequence_length(text_.substr(position_));
        fail({"expected ", expected, ", found ",
              (length == 0 ? "a byte that is not UTF-8" : json_string(text_.substr(position_, length)))});
    }

    /// Skips white space and returns the next character, or NUL at the end.
    TENON_COLD char next() {
        while (position_ < text_.size() && std::string_view(" \t\n\r").find(text_[position_]) != std::string_view::npos)
            ++position_;
        return position_ < text_.size() ? text_[position_] : '\0';
    }

    TENON_COLD void read_list(char open, char close, FunctionRef<void()> item) {
        if (next() != open) fail_expected(open == '{' ? "an object" : "an array");
        if (++depth_ > max_depth) fail("objects and arrays are nested too deeply");
        ++position_;
        if (next() != close) {
            item();
            while (next() == ',') {
                ++position_;
                item();
            }
            if (next() != close) fail_expected(close == '}' ? "',' or '}'" : "',' or ']'");
        }
        ++position_;
        --depth_;
    }

    /// Reads what follows a backslash.
    TENON_COLD void read_escape(std::string& result) {
        constexpr std::string_view letters = "\"\\/bfnrt";
        constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        const char letter = position_ < text_.size() ? text_[position_] : '\0';
        if (const auto i = letters.find(letter); i != std::string_view::npos) {
            result += meanings[i];
            ++position_;
        } else if (letter == 'u') {
            ++position_;
            append_utf8(result, read_code_point());
        } else {
            fail_expected("an escape sequence");
        }
    }

    TENON_COLD std::uint32_t read_hexadecimal() {
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i) {
            if (position_ == text_.size()) fail_expected("four hexadecimal digits after \\u");
            const auto digit = std::string_view("0123456789abcdefABCDEF").find(text_[position_]);
            if (digit == std::string_view::npos) fail_expected("four hexadecimal digits after \\u");
            value = value * 16 + static_cast<std::uint32_t>(digit < 16 ? digit : digit - 6);
            ++position_;
        }
        return value;
    }

    /// Reads what follows `\u`: four digits, or the two halves of a surrogate pair.
    TENON_COLD std::uint32_t read_code_point() {
        const std::uint32_t high = read_hexadecimal();
        if (high < 0xD800 || high > 0xDFFF) return high;
        if (high < 0xDC00 && text_.substr(position_, 2) == "\\u") {
            position_ += 2;
            const std::uint32_t low = read_hexadecimal();
            if (low >= 0xDC00 && low <= 0xDFFF) return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        }
        fail("one half of a surrogate pair is missing");
    }

    TENON_COLD static void append_utf8(std::string& result, std::uint32_t code_point) {
        const auto add = [&](std::uint32_t byte) { result += static_cast<char>(byte); };
        const auto add_continuation = [&](int shift) { add(0x80 | ((code_point >> shift) & 0x3F)); };
        if (code_point < 0x80) return add(code_point);
        if (code_point < 0x800) {
            add(0xC0 | (code_point >> 6));
        } else {
            if (code_point < 0x10000) {
                add(0xE0 | (code_point >> 12));
            } else {
                add(0xF0 | (code_point >> 18));
                add_continuation(12);
            }
            add_continuation(6);
        }
        add_continuation(0);
    }

    std::string_view text_;
    std::size_t position_ = 0;
    int depth_ = 0;
};
using JsonReader = JsonReaderOf<>;

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail

namespace tenon::programs {

/// Bytes as readable UTF-8: `caf` and the byte E9 -> `caf\xE9`.
using detail::to_utf8;

}  // namespace tenon::programs
