#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Prefixes of names that say how a network was wrapped when it was saved, not what its layers are called.

#include <span>
#include <string>
#include <string_view>

#include <tenon/core/cold.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/io/tensor_entry.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// `module.` of DataParallel and AveragedModel, `_orig_mod.` of torch.compile, `model.` of Lightning and Ultralytics,
/// `backbone.` and `net.` of programs that train a network as a part of another.
inline constexpr std::string_view known_prefixes[] = {"module.", "_orig_mod.", "model.", "backbone.", "net."};

/// Whether a tensor is AveragedModel's count of models, which is beside the prefix.
template <class Once = void>
TENON_COLD bool is_average_counter(const TensorEntry& entry) {
    return entry.name == "n_averaged" && entry.shape.empty();
}

/// The chain of known prefixes that all names carry; empty when there is none. AveragedModel's counter carries none.
///
/// Example: module._orig_mod.conv1.weight, module._orig_mod.fc.bias, n_averaged -> module._orig_mod.
template <class Once = void>
TENON_COLD std::string shared_prefix(std::span<const TensorEntry> tensors) {
    const auto is_shared = [&](std::string_view prefix) {
        bool has_some = false;
        for (const TensorEntry& entry : tensors) {
            if (is_average_counter(entry)) continue;
            if (entry.name.size() <= prefix.size() || !entry.name.starts_with(prefix)) return false;
            has_some = true;
        }
        return has_some;
    };
    std::string chain;
    for (bool found = true; found;) {
        found = false;
        for (const std::string_view prefix : known_prefixes) {
            if (const std::string longer = joined({chain, prefix}); is_shared(longer)) {
                chain = longer;
                found = true;
                break;
            }
        }
    }
    return chain;
}

/// Takes a prefix off the names that carry it.
template <class Once = void>
TENON_COLD void take_off(std::span<TensorEntry> tensors, std::string_view prefix) {
    for (TensorEntry& entry : tensors)
        if (entry.name.starts_with(prefix)) entry.name.erase(0, prefix.size());
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
