#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A restricted reader of Python's pickles: exactly what torch.save writes for a state_dict, and nothing that could run
// code.
//
// A pickle is a program for a stack machine; what makes it dangerous is the instruction that calls a named function.
// Here nothing is ever called: the four kinds of names below are turned into values, and any other name is an error.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/io/json.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A value that a pickle describes.
struct PickleValue {
    enum class Kind {
        none,
        boolean,
        integer,
        real,
        text,
        tuple,       ///< also lists; items in order
        dictionary,  ///< key, value, key, value, ...
        global,      ///< text is `module name`
        persistent,  ///< a storage: items[0] is the tuple that describes it
        tensor,      ///< items[0] is the tuple of arguments of torch._utils._rebuild_tensor_v2
    };
    Kind kind = Kind::none;
    std::int64_t integer = 0;
    std::string text{};
    std::vector<const PickleValue*> items{};
};

/// Reads one pickle of protocol 2 to 5. Throws tenon::Error when it holds anything that is not part of a state_dict.
class PickleReader {
public:
    explicit PickleReader(std::span<const std::byte> bytes) : bytes_{bytes} {}

    /// The value, which is valid while this object exists.
    const PickleValue& read() {
        for (;;) {
            if (values_.size() > max_values) fail("it holds more values than weights files do");
            const int instruction = byte();
            if (instruction == '.') return *pop();
            run(instruction);
        }
    }

private:
    using Kind = PickleValue::Kind;
    static constexpr std::size_t max_values = 2'000'000;

    [[noreturn]] void fail(const std::string& what) const {
        throw Error("the pickle is refused at byte " + std::to_string(at_) + ": " + what);
    }

    int byte() { return static_cast<int>(number<std::uint8_t>()); }

    template <class T>
    T number() {
        T value;
        const std::string_view raw = take(sizeof value);
        std::memcpy(&value, raw.data(), sizeof value);
        return value;
    }

    std::string_view take(std::uint64_t size) {
        if (bytes_.size() - at_ < size) fail("it ends in the middle of an instruction");
        const std::string_view taken{reinterpret_cast<const char*>(bytes_.data()) + at_,
                                     static_cast<std::size_t>(size)};
        at_ += static_cast<std::size_t>(size);
        return taken;
    }

    std::string line() {
        std::string text;
        for (int c = byte(); c != '\n'; c = byte()) text += static_cast<char>(c);
        if (!is_utf8(text)) fail("a name is not UTF-8");
        return text;
    }

    PickleValue& make(Kind kind) {
        values_.push_back({kind});
        stack_.push_back(&values_.back());
        return values_.back();
    }
    void integer(std::int64_t value) { make(Kind::integer).integer = value; }
    void text(std::string_view value) {
        if (!is_utf8(value)) fail("a text is not UTF-8");
        make(Kind::text).text = value;
    }

    PickleValue* pop() {
        if (stack_.empty() || !stack_.back()) fail("its stack is empty");
        PickleValue* const top = stack_.back();
        stack_.pop_back();
        return top;
    }

    /// Pops everything above the last mark, and the mark.
    std::vector<const PickleValue*> pop_to_mark() {
        std::size_t mark = stack_.size();
        while (mark > 0 && stack_[mark - 1]) --mark;
        if (mark == 0) fail("a mark is missing");
        std::vector<const PickleValue*> items(stack_.begin() + static_cast<std::ptrdiff_t>(mark), stack_.end());
        stack_.resize(mark - 1);
        return items;
    }

    void tuple(int size) {
        std::vector<const PickleValue*> items(static_cast<std::size_t>(size));
        for (std::size_t i = items.size(); i-- > 0;) items[i] = pop();
        make(Kind::tuple).items = std::move(items);
    }

    PickleValue& top(Kind kind, const char* what) {
        if (stack_.empty() || !stack_.back() || stack_.back()->kind != kind) fail(what);
        return *stack_.back();
    }

    void global(const std::string& module, const std::string& name) {
        const bool storage = module == "torch" && name.ends_with("Storage");
        const bool known = storage || (module == "collections" && name == "OrderedDict") ||
                           (module == "torch._utils" && name == "_rebuild_tensor_v2");
        if (!known)
            fail("it names " + quote_name(module + "." + name) +
                 ", which is not part of a state_dict; save one with torch.save(model.state_dict(), path)");
        make(Kind::global).text = module + " " + name;
    }

    /// A call of one of the known names: makes the value that it would return.
    void reduce() {
        const PickleValue* const arguments = pop();
        const PickleValue* const function = pop();
        if (function->kind != Kind::global || arguments->kind != Kind::tuple)
            fail("it calls something that has no name");
        if (function->text == "collections OrderedDict") {
            if (!arguments->items.empty()) fail("it makes an OrderedDict of arguments");
            make(Kind::dictionary);
        } else if (function->text == "torch._utils _rebuild_tensor_v2") {
            make(Kind::tensor).items = {arguments};
        } else {
            fail("it calls a storage");
        }
    }

    void remember(std::uint64_t index) {
        if (stack_.empty() || !stack_.back()) fail("there is nothing to remember");
        memo_[index] = stack_.back();
    }
    void recall(std::uint64_t index) {
        const auto found = memo_.find(index);
        if (found == memo_.end()) fail("it recalls what was never remembered");
        stack_.push_back(found->second);
    }

    void append(std::vector<const PickleValue*> items, Kind kind) {
        if (kind == Kind::dictionary && items.size() % 2 != 0) fail("a key has no value");
        PickleValue& target = top(kind, "it adds an item to something that takes none");
        target.items.insert(target.items.end(), items.begin(), items.end());
    }

    void long_integer() {
        const int size = byte();
        if (size > 8) fail("an integer has more than 64 bits");
        const std::string_view raw = take(static_cast<std::uint64_t>(size));
        std::int64_t value = size > 0 && (raw.back() & 0x80) ? -1 : 0;
        std::memcpy(&value, raw.data(), raw.size());
        integer(value);
    }

    /// Runs one instruction; the comments are its names in Python's pickletools.
    void run(int instruction) {
        switch (instruction) {
            case 0x80: {  // PROTO
                const int protocol = byte();
                if (protocol < 2 || protocol > 5) fail("its protocol is " + std::to_string(protocol) + ", not 2 to 5");
                return;
            }
            case 0x95:  // FRAME
                take(8);
                return;
            case '}':  // EMPTY_DICT
                make(Kind::dictionary);
                return;
            case ')':
            case ']':  // EMPTY_TUPLE, EMPTY_LIST
                make(Kind::tuple);
                return;
            case '(':  // MARK
                stack_.push_back(nullptr);
                return;
            case 'q':  // BINPUT
                remember(number<std::uint8_t>());
                return;
            case 'r':  // LONG_BINPUT
                remember(number<std::uint32_t>());
                return;
            case 0x94:  // MEMOIZE
                remember(memo_.size());
                return;
            case 'h':  // BINGET
                recall(number<std::uint8_t>());
                return;
            case 'j':  // LONG_BINGET
                recall(number<std::uint32_t>());
                return;
            case 'X':  // BINUNICODE
                text(take(number<std::uint32_t>()));
                return;
            case 0x8c:  // SHORT_BINUNICODE
                text(take(number<std::uint8_t>()));
                return;
            case 'J':  // BININT
                integer(number<std::int32_t>());
                return;
            case 'K':  // BININT1
                integer(number<std::uint8_t>());
                return;
            case 'M':  // BININT2
                integer(number<std::uint16_t>());
                return;
            case 0x8a:  // LONG1
                long_integer();
                return;
            case 'G':  // BINFLOAT
                take(8);
                make(Kind::real);
                return;
            case 'N':  // NONE
                make(Kind::none);
                return;
            case 0x88:
            case 0x89:  // NEWTRUE, NEWFALSE
                make(Kind::boolean).integer = instruction == 0x88;
                return;
            case 't': {  // TUPLE
                auto items = pop_to_mark();
                make(Kind::tuple).items = std::move(items);
                return;
            }
            case 0x85:
            case 0x86:
            case 0x87:  // TUPLE1, TUPLE2, TUPLE3
                tuple(instruction - 0x84);
                return;
            case 'e':  // APPENDS
                append(pop_to_mark(), Kind::tuple);
                return;
            case 'a':  // APPEND
                append({pop()}, Kind::tuple);
                return;
            case 'u':  // SETITEMS
                append(pop_to_mark(), Kind::dictionary);
                return;
            case 's': {  // SETITEM
                const PickleValue* const value = pop();
                const PickleValue* const key = pop();
                append({key, value}, Kind::dictionary);
                return;
            }
            case 'c': {  // GLOBAL
                const std::string module = line();
                global(module, line());
                return;
            }
            case 0x93: {  // STACK_GLOBAL
                const PickleValue* const name = pop();
                const PickleValue* const module = pop();
                if (name->kind != Kind::text || module->kind != Kind::text) fail("it names something without a name");
                global(module->text, name->text);
                return;
            }
            case 'Q': {  // BINPERSID
                const PickleValue* const description = pop();
                make(Kind::persistent).items = {description};
                return;
            }
            case 'R':  // REDUCE
                reduce();
                return;
            case 'b':  // BUILD
                pop();
                top(Kind::dictionary, "it sets the state of something that has none");
                return;
            default:
                fail("the instruction " + std::to_string(instruction) + " is not part of a state_dict");
        }
    }

    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
    std::deque<PickleValue> values_;
    std::vector<PickleValue*> stack_;  // nullptr is a mark
    std::unordered_map<std::uint64_t, PickleValue*> memo_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
