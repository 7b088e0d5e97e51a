#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A reader of Python's pickles that never runs code: of what torch.save writes it understands tensors, dictionaries and
// plain values, and skips the rest.
//
// A pickle is a program for a stack machine; what makes it dangerous is the instruction that calls a named function.
// Here nothing is ever called: a call of one of the functions that make tensors and dictionaries becomes a value that
// describes it, and any other call an object of which only the name is known.

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/io/pickle_machine.hpp>
#include <tenon/io/pickle_value.hpp>
#include <tenon/io/utf8.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Reads pickles of protocol 2 to 5, one after another. Throws tenon::Error when the bytes are no pickle.
template <class Once = void>
class PickleReaderOf : public PickleMachineOf<Once> {
    using Machine = PickleMachineOf<Once>;

public:
    /// `bytes` must outlive the reader.
    explicit PickleReaderOf(std::span<const std::byte> bytes) : Machine{bytes} {}

    /// The next value, which is valid while this object exists.
    TENON_COLD const PickleValue& read() {
        begin();
        for (;;) {
            check_room();
            const int instruction = byte();
            if (instruction == '.') return *pop();
            if (!run_plain(instruction) && !run_container(instruction) && !run_call(instruction))
                fail({"the instruction ", instruction, " is unknown"});
        }
    }

    /// The storages that were referred to, as their tuples.
    const std::vector<PickleValue*>& persistent() const { return persistent_; }

private:
    using Kind = PickleValue::Kind;
    using Machine::fail, Machine::begin, Machine::check_room, Machine::byte, Machine::take, Machine::line,
        Machine::make, Machine::pop, Machine::top, Machine::pop_to_mark, Machine::push_mark, Machine::push_again,
        Machine::set_items, Machine::tuple, Machine::one, Machine::add_items, Machine::append, Machine::remember,
        Machine::memorize, Machine::recall;
    using typename Machine::Items;

    template <class T>
    T number() {
        return Machine::template number<T>();
    }

    // Names and calls.

    TENON_COLD void global(std::string_view module, std::string_view name) {
        constexpr std::size_t max_bytes = 1000;  // each name is copied, and a pickle may repeat one with two bytes
        if (module.size() > max_bytes || name.size() > max_bytes) fail("a name is too long");
        if (!is_utf8(module) || !is_utf8(name)) fail("a name is not UTF-8");
        make(Kind::global, names_.emplace_back(joined({module, " ", name})));
    }

    TENON_COLD static bool is_dictionary(std::string_view name) {
        return name == "collections OrderedDict" || name == "collections defaultdict" || name == "builtins dict" ||
               name == "__builtin__ dict";
    }

    /// The pairs that a dictionary is made of, as Python 2 writes an OrderedDict: a list of lists of two.
    TENON_COLD void fill(PickleValue& dictionary, const PickleValue& arguments) {
        if (arguments.items.empty()) return;
        for (const PickleValue* const pair : arguments.items.back()->items)
            if (pair->kind == Kind::tuple && pair->items.size() == 2) add_items(dictionary, pair->items);
    }

    /// The name of what is called; that of a class which a stream has with its source: ('module', class, file, source).
    TENON_COLD static std::string_view callee(const PickleValue& function) {
        if (function.kind != Kind::persistent) return function.text;
        const auto& description = function.items[0]->items;
        const bool is_class = description.size() > 1 && description[0]->text == "module";
        return is_class ? description[1]->text : std::string_view{};
    }

    /// Whether a value is a tensor, or one of a kind that isn't read.
    TENON_COLD static bool is_tensor(const PickleValue& value) {
        return value.kind == Kind::tensor || is_unread_tensor(value);
    }

    /// Makes the value that a call returns.
    TENON_COLD void call(const PickleValue& function, PickleValue& arguments) {
        const std::string_view name = callee(function);
        const std::size_t count = arguments.items.size();
        const bool is_call = function.kind == Kind::global && arguments.kind == Kind::tuple;
        if (is_call && is_dictionary(name)) {
            fill(make(Kind::dictionary), arguments);
        } else if (is_call && (name == "torch._utils _rebuild_tensor_v2" || name == "torch._utils _rebuild_tensor")) {
            set_items(make(Kind::tensor), one(&arguments));
        } else if (is_call && count > 0 && is_tensor(*arguments.items[0]) &&
                   name.starts_with("torch._utils _rebuild_parameter")) {
            const PickleValue& tensor = *arguments.items[0];
            set_items(make(tensor.kind, tensor.text), tensor.items);
        } else if (is_call && name == "torch._utils _rebuild_tensor_v3") {
            set_items(make(Kind::object, name), one(&arguments));
        } else if (is_call && name == "torch Size" && count == 1 && arguments.items[0]->kind == Kind::tuple) {
            set_items(make(Kind::tuple), arguments.items[0]->items);
        } else if (is_call && name == "torch._tensor _rebuild_from_type_v2" && count >= 3 &&
                   arguments.items[0]->text != name) {  // a function that is called with arguments: not itself again
            call(*arguments.items[0], *arguments.items[2]);
        } else {
            make(Kind::object, name);
        }
    }

    // Plain values.

    TENON_COLD void text(std::string_view value) { make(is_utf8(value) ? Kind::text : Kind::object, value); }
    TENON_COLD void integer(std::int64_t value) { make(Kind::integer).integer = value; }
    TENON_COLD void long_integer(std::uint64_t size) {
        const std::string_view raw = take(size);
        if (size > 8) {
            make(Kind::object);  // too large for a size or a stride
            return;
        }
        std::int64_t value = size > 0 && (raw.back() & 0x80) ? -1 : 0;
        std::memcpy(&value, raw.data(), raw.size());
        integer(value);
    }
    TENON_COLD void real() {
        take(8);
        make(Kind::real);
    }
    TENON_COLD void skip_bytes(std::uint64_t size) {
        take(size);
        make(Kind::object);
    }

    // The instructions; the comments are their names in Python's pickletools. Each function returns false for others.

    TENON_COLD bool run_plain(int instruction) {
        switch (instruction) {
            case 0x80: {  // PROTO
                const int protocol = byte();
                if (protocol < 2 || protocol > 5) fail({"its protocol is ", protocol, ", not 2 to 5"});
                return true;
            }
            case 0x95:  // FRAME
                return take(8), true;
            case 'X':  // BINUNICODE
                return text(take(number<std::uint32_t>())), true;
            case 0x8c:  // SHORT_BINUNICODE
                return text(take(number<std::uint8_t>())), true;
            case 0x8d:  // BINUNICODE8
                return text(take(number<std::uint64_t>())), true;
            case 'U':  // SHORT_BINSTRING, a text of Python 2
                return text(take(number<std::uint8_t>())), true;
            case 'T':  // BINSTRING
                return text(take(number<std::uint32_t>())), true;
            case 'C':  // SHORT_BINBYTES
                return skip_bytes(number<std::uint8_t>()), true;
            case 'B':  // BINBYTES
                return skip_bytes(number<std::uint32_t>()), true;
            case 0x8e:
            case 0x96:  // BINBYTES8, BYTEARRAY8
                return skip_bytes(number<std::uint64_t>()), true;
            case 'J':  // BININT
                return integer(number<std::int32_t>()), true;
            case 'K':  // BININT1
                return integer(number<std::uint8_t>()), true;
            case 'M':  // BININT2
                return integer(number<std::uint16_t>()), true;
            case 0x8a:  // LONG1
                return long_integer(number<std::uint8_t>()), true;
            case 0x8b:  // LONG4
                return long_integer(number<std::uint32_t>()), true;
            case 'G':  // BINFLOAT
                return real(), true;
            case 'N':  // NONE
                return make(Kind::none), true;
            case 0x88:
            case 0x89:  // NEWTRUE, NEWFALSE
                return make(Kind::boolean).integer = instruction == 0x88, true;
            default:
                return false;
        }
    }

    TENON_COLD bool run_container(int instruction) {
        switch (instruction) {
            case '}':  // EMPTY_DICT
                return make(Kind::dictionary), true;
            case ')':
            case ']':  // EMPTY_TUPLE, EMPTY_LIST
                return make(Kind::tuple), true;
            case 0x8f:  // EMPTY_SET
                return make(Kind::object), true;
            case '(':  // MARK
                return push_mark(), true;
            case 't': {  // TUPLE
                auto items = pop_to_mark();
                return set_items(make(Kind::tuple), std::move(items)), true;
            }
            case 0x91:  // FROZENSET
                pop_to_mark();
                return make(Kind::object), true;
            case 0x85:
            case 0x86:
            case 0x87:  // TUPLE1, TUPLE2, TUPLE3
                return tuple(index(instruction - 0x84)), true;
            case 'e':  // APPENDS
                return append(pop_to_mark(), Kind::tuple), true;
            case 'a':  // APPEND
                return append(one(pop()), Kind::tuple), true;
            case 'u':  // SETITEMS
                return append(pop_to_mark(), Kind::dictionary), true;
            case 0x90:  // ADDITEMS
                return append(pop_to_mark(), Kind::object), true;
            case 's': {  // SETITEM
                PickleValue* const value = pop();
                Items entry = one(pop());
                entry.push_back(value);
                return append(entry, Kind::dictionary), true;
            }
            case '0':  // POP
                return pop(), true;
            case '1':  // POP_MARK
                return pop_to_mark(), true;
            case '2':  // DUP
                return push_again(&top()), true;
            case 'q':  // BINPUT
                return remember(number<std::uint8_t>()), true;
            case 'r':  // LONG_BINPUT
                return remember(number<std::uint32_t>()), true;
            case 0x94:  // MEMOIZE
                return memorize(), true;
            case 'h':  // BINGET
                return recall(number<std::uint8_t>()), true;
            case 'j':  // LONG_BINGET
                return recall(number<std::uint32_t>()), true;
            default:
                return false;
        }
    }

    TENON_COLD bool run_call(int instruction) {
        switch (instruction) {
            case 'c': {  // GLOBAL
                const std::string_view module = line();
                return global(module, line()), true;
            }
            case 0x93: {  // STACK_GLOBAL
                const PickleValue* const name = pop();
                const PickleValue* const module = pop();
                if (name->kind != Kind::text || module->kind != Kind::text) fail("it names something without a name");
                return global(module->text, name->text), true;
            }
            case 'Q': {  // BINPERSID
                PickleValue* const description = pop();
                persistent_.push_back(description);
                return set_items(make(Kind::persistent), one(description)), true;
            }
            case 'R':
            case 0x81: {  // REDUCE, NEWOBJ
                PickleValue* const arguments = pop();
                return call(*pop(), *arguments), true;
            }
            case 0x92: {  // NEWOBJ_EX
                pop();
                PickleValue* const arguments = pop();
                return call(*pop(), *arguments), true;
            }
            case 'b':  // BUILD: the state of an object is skipped
                pop();
                top();
                return true;
            default:
                return false;
        }
    }

    std::list<std::string> names_;  // a list: its elements stay where they are
    Items persistent_;
};
using PickleReader = PickleReaderOf<>;

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
