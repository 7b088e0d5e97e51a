#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Sentences that are made of parts, for errors. A chain of `+` makes a string for each of its parts, and is compiled
// into some hundred bytes at each place; this is a table of the parts and a call.

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A part of a sentence: a text, which must outlive it, or an integer. It is two words, and has no destructor that each
/// place with an error would have to call.
class SentencePart {
public:
    // NOLINTBEGIN(google-explicit-constructor): parts are written as they are
    SentencePart(const char* text) : SentencePart{std::string_view{text}} {}
    SentencePart(const std::string& text) : text_{text.data()}, size_{text.size()} {}
    SentencePart(std::string_view text) : text_{text.empty() ? "" : text.data()}, size_{text.size()} {}
    SentencePart(unsigned long number) : size_{number} {}
    SentencePart(unsigned long long number) : size_{number} {}
    SentencePart(unsigned number) : size_{number} {}
    SentencePart(long long number)
        : text_{number < 0 ? &minus : nullptr},
          size_{number < 0 ? 0 - static_cast<std::size_t>(number) : static_cast<std::size_t>(number)} {}
    SentencePart(long number) : SentencePart{static_cast<long long>(number)} {}
    SentencePart(int number) : SentencePart{static_cast<long long>(number)} {}
    // NOLINTEND(google-explicit-constructor)

    /// Appends it, an integer in decimal digits.
    template <class Once = void>
    TENON_COLD void append_to(std::string& sentence) const {
        const bool is_negative = text_ == &minus;
        if (text_ && !is_negative) {
            sentence.append(text_, size_);
            return;
        }
        char digits[20];
        std::size_t first = sizeof digits;
        for (std::size_t rest = size_; rest > 0 || first == sizeof digits; rest /= 10)
            digits[--first] = static_cast<char>('0' + rest % 10);
        if (is_negative) sentence.append(1, minus);
        sentence.append(digits + first, sizeof digits - first);
    }

private:
    static constexpr char minus = '-';

    const char* text_ = nullptr;  ///< of an integer null, or &minus where it is negative
    std::size_t size_;            ///< of an integer its absolute value
};

/// The parts as one text.
template <class Once = void>
[[gnu::noinline]] std::string joined(std::initializer_list<SentencePart> parts) {
    std::string text;
    for (const SentencePart& part : parts) part.append_to(text);
    return text;
}

/// Throws tenon::Error with the parts as its text: `throw_error({"expected ", quote_name(name), ", found none"})`.
template <class Once = void>
[[noreturn]] TENON_COLD [[gnu::noinline]] void throw_error(std::initializer_list<SentencePart> parts) {
    throw Error(joined(parts));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
