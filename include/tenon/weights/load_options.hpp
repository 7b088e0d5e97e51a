#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What may be said about a weights file when it is loaded.

#include <optional>
#include <string>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/io/tensor_file_options.hpp>
#include <tenon/models/naming.hpp>

namespace tenon {

/// Options of loading weights. Without any, a file of another program loads if it can only be meant in one way; what
/// was decided is said in `notes`.
///
///     std::vector<std::string> notes;
///     model.load("checkpoint.pth", {.key = "model_ema", .notes = &notes});
struct LoadOptions {
    std::optional<Naming> naming{};  ///< the convention of the names; none: the one that the network declares
    /// The entry of a PyTorch checkpoint that holds the weights, such as `model_ema`. Empty: the first that fits the
    /// network; averaged weights come before others, as in timm.
    std::string key{};
    /// Whether `module.`, `_orig_mod.`, `model.`, `backbone.`, `net.` and chains of them are taken off if all names
    /// have them.
    bool strip_prefixes = true;
    /// Whether weights may be infinite or NaN, and running variances negative.
    bool allow_undefined = false;
    /// For load_with_spare_classes: whether the classifier may be missing. The network then keeps the one that it has,
    /// and the number of classes is 0.
    bool allow_missing_head = false;
    /// Whether the file is mapped into memory while it is read. A mapped file that another program shortens meanwhile
    /// ends this one with SIGBUS; otherwise it is read first, which takes its size in memory.
    bool map = true;
    std::vector<std::string>* notes = nullptr;  ///< where sentences go about what was chosen, taken off or left out
    /// Where the ranges go that a Calibrator has saved beside the weights; empty when there are none. Parameters don't
    /// keep them, but Parameters::save takes them.
    std::vector<float>* input_ranges = nullptr;
};

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The part of the options that is about the file.
template <class Once = void>
TensorFileOptions file_options(const LoadOptions& options, FunctionRef<bool(std::span<const TensorEntry>)> fits) {
    return {options.key, options.strip_prefixes, options.map, options.notes, fits};
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
