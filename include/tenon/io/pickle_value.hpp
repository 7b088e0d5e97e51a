#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What a pickle describes, as values that do nothing.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A value that a pickle describes. Texts are views into the pickle, or into the reader's own memory.
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
        object,  ///< anything else, whose content is skipped; text is `module name` of its class or maker, if known;
                 ///< items[0] is the tuple of arguments of torch._utils._rebuild_tensor_v3
    };
    Kind kind = Kind::none;
    std::int64_t integer = 0;
    std::string_view text{};
    std::vector<PickleValue*> items{};
    mutable std::ptrdiff_t tensors = -1;  ///< of a dictionary: how many it has, once StateDictFinder has counted them
};

/// Whether a value is a tensor of a kind that isn't read: one that another function of PyTorch's makes.
inline bool is_unread_tensor(const PickleValue& value) {
    return value.kind == PickleValue::Kind::object && value.text.starts_with("torch._utils _rebuild");
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
