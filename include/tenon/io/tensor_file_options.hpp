#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Which tensors of a file are meant, and how its bytes are read.

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/function_ref.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/names.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/io/tensor_entry.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Options of a TensorFile.
struct TensorFileOptions {
    /// The entry of a checkpoint that holds the weights, such as `model_ema`; for an entry of an entry, `ema.module`.
    /// Empty: the first that fits, in the order of usual_keys (io/torch_checkpoint.hpp).
    std::string key{};
    /// Whether prefixes that all names share are taken off (io/name_prefixes.hpp).
    bool strip_prefixes = true;
    /// Whether the file is mapped into memory; otherwise it is read completely. A mapped file that another program
    /// shortens ends this one with SIGBUS.
    bool map = true;
    /// Where sentences go about what was chosen, taken off or left out.
    std::vector<std::string>* notes = nullptr;
    /// Whether tensors of these names and shapes are the ones that are wanted; their bytes are not there yet. Decides
    /// between several dictionaries of a checkpoint; is called while the file is opened.
    FunctionRef<bool(std::span<const TensorEntry>)> fits{};

    template <class Once = void>
    TENON_COLD void note(std::initializer_list<SentencePart> sentence) const {
        if (notes) add_name(*notes, joined(sentence));
    }
};

/// `"a", "b", "c"`, and how many there are when they are more than `shown`.
template <class Once = void>
TENON_COLD std::string list_names(const std::vector<std::string>& names, std::size_t shown = 5) {
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < shown; ++i) {
        if (i > 0) text += ", ";
        text += quote_name(names[i]);
    }
    return names.size() > shown ? joined({text, ", ... (", names.size(), " in all)"}) : text;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
