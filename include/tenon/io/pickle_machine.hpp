#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The machine that a pickle is a program for: the bytes of its instructions, a stack of values, and a memory of values
// that occur again. What instructions do is in pickle.hpp.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/io/pickle_value.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Memory is bounded by max_values, and by what repeated texts take, whatever the pickle says.
template <class Once = void>
class PickleMachineOf {
public:
    /// Bytes that were read.
    std::size_t position() const { return at_; }

protected:
    /// `bytes` must outlive the machine.
    explicit PickleMachineOf(std::span<const std::byte> bytes) : bytes_{bytes} {}

    using Kind = PickleValue::Kind;
    static constexpr std::size_t max_values = 1'000'000;
    using Items = std::vector<PickleValue*>;
    static constexpr std::string_view too_many = "it holds more values than weights files do";
    static constexpr const char* empty_stack = "its stack is empty";

    [[noreturn]] TENON_COLD void fail(std::initializer_list<SentencePart> what) const {
        throw_error({"the pickle is refused at byte ", at_, ": ", joined(what)});
    }
    [[noreturn]] TENON_COLD void fail(const char* what) const { fail(std::initializer_list<SentencePart>{what}); }

    /// Before another pickle of the same bytes; values that were made stay.
    TENON_COLD void begin() {
        stack_.clear();
        memo_.clear();
        remembered_ = 0;
    }

    /// Throws tenon::Error when there are more values than max_values.
    TENON_COLD void check_room() const {
        if (values_.size() + items_ + stack_.size() + remembered_ > max_values) fail({too_many});
    }

    // Bytes.

    TENON_COLD int byte() { return static_cast<int>(number<std::uint8_t>()); }

    template <class T>
    TENON_COLD T number() {
        T value;
        const std::string_view raw = take(sizeof value);
        std::memcpy(&value, raw.data(), sizeof value);
        return value;
    }

    TENON_COLD std::string_view take(std::uint64_t size) {
        if (bytes_.size() - at_ < size) fail("it ends in the middle of an instruction");
        const std::string_view taken{reinterpret_cast<const char*>(bytes_.data()) + at_, detail::index(size)};
        at_ += detail::index(size);
        return taken;
    }

    TENON_COLD std::string_view line() {
        const std::size_t begin = at_;
        while (byte() != '\n') {
        }
        return {reinterpret_cast<const char*>(bytes_.data()) + begin, at_ - 1 - begin};
    }

    // The stack; nullptr in it is a mark.

    TENON_COLD PickleValue& make(Kind kind, std::string_view text = {}) {
        PickleValue& value = values_.emplace_back();
        value.kind = kind;
        value.text = text;
        stack_.push_back(&value);
        return value;
    }

    TENON_COLD PickleValue* pop() {
        if (stack_.empty() || !stack_.back()) fail(empty_stack);
        PickleValue* const top = stack_.back();
        stack_.pop_back();
        return top;
    }

    TENON_COLD PickleValue& top() {
        if (stack_.empty() || !stack_.back()) fail(empty_stack);
        return *stack_.back();
    }

    /// Pops everything above the last mark, and the mark.
    TENON_COLD Items pop_to_mark() {
        std::size_t mark = stack_.size();
        while (mark > 0 && stack_[mark - 1]) --mark;
        if (mark == 0) fail("a mark is missing");
        Items items = pop_from(mark);
        stack_.pop_back();
        return items;
    }

    /// Pops everything from a place of the stack on.
    TENON_COLD Items pop_from(std::size_t place) {
        Items items;
        for (std::size_t i = place; i < stack_.size(); ++i) items.push_back(stack_[i]);
        while (stack_.size() > place) stack_.pop_back();
        return items;
    }

    TENON_COLD void set_items(PickleValue& value, Items items) {
        items_ += items.size();
        value.items = std::move(items);
    }

    TENON_COLD void tuple(std::size_t size) {
        for (std::size_t i = 1; i <= size; ++i)
            if (stack_.size() < i || !stack_[stack_.size() - i]) fail(empty_stack);
        Items items = pop_from(stack_.size() - size);
        set_items(make(Kind::tuple), std::move(items));
    }

    TENON_COLD static Items one(PickleValue* item) {
        Items items;
        items.push_back(item);
        return items;
    }

    TENON_COLD void add_items(PickleValue& target, const Items& items) {
        items_ += items.size();
        for (PickleValue* const item : items) target.items.push_back(item);
    }

    /// Adds items to a list or a dictionary; what is added to another object is skipped.
    TENON_COLD void append(const Items& items, Kind kind) {
        PickleValue& target = top();
        if (target.kind == Kind::object) return;
        if (target.kind != kind) fail("it adds an item to something that takes none");
        if (kind == Kind::dictionary && items.size() % 2 != 0) fail("a key has no value");
        add_items(target, items);
    }

    // The memory of values that occur again.

    TENON_COLD void remember(std::uint64_t index) {  // picklers count from 0
        if (index >= max_values) fail({too_many});
        if (index >= memo_.size()) memo_.resize(detail::index(index) + 1);
        PickleValue*& place = memo_[detail::index(index)];
        if (!place) ++remembered_;
        place = &top();
    }
    TENON_COLD void recall(std::uint64_t index) {
        if (index >= memo_.size() || !memo_[detail::index(index)]) fail("it recalls what was never remembered");
        push_again(memo_[detail::index(index)]);
    }
    /// A text that is written once may be a name in many places, and each place takes a copy of it.
    TENON_COLD void push_again(PickleValue* value) {
        if (value->kind == Kind::text) again_bytes_ += value->text.size();
        if (again_bytes_ > 16 * bytes_.size() + (1 << 20)) fail("it repeats longer texts than weights files do");
        stack_.push_back(value);
    }
    TENON_COLD void memorize() { remember(remembered_); }

    TENON_COLD void push_mark() { stack_.push_back(nullptr); }

private:
    std::span<const std::byte> bytes_;
    std::size_t at_ = 0, items_ = 0;
    std::list<PickleValue> values_;  // a list: its elements stay where they are
    std::uint64_t again_bytes_ = 0;  ///< of texts that are on the stack once more
    Items stack_, memo_;
    std::size_t remembered_ = 0;  // values that memo_ has
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
