#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Which operations run as one step with the next operation, because the value in between would leave the caches.
//
// Such a value becomes a strip: a few rows of it, in a worker's scratch memory, are written by the first operation and
// read by the second before the next rows are computed. A strip has as many rows as fit into the share of the cache
// that CacheShare gives it. Example, a convolution before a pointwise one (run_chain):
//
//     value: 64 channels x 56 x 56 -> 784 KB, more than CacheShare::value (768 KB): chained
//     a row: 56 pixels x 64 channels x 4 bytes = 14 KB; CacheShare::conv_strip: 128 KB
//     -> strip_rows = 128 / 14 = 9; the 56 rows are 7 strips, the last one of 2 rows
//
// With several images or workers, run_chain shortens strips to give every worker one.

#include <tenon/backend/cpu/plan/conv.hpp>
#include <tenon/program/uses.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// What stays in a second-level cache next to other data, in floats.
inline constexpr long cached_floats = CacheShare::value / 4;

/// The number of a convolution's weights.
template <Capacity C>
constexpr long weights_of(const Program<C>& program, const Op& op) {
    const long outputs = program.values[op.target >= 0 ? op.target : op.activated].channels;
    long weights = 0;
    for (const ConvTerm& term : op.terms)
        if (term.source >= 0)
            weights += term.window.taps() * program.values[term.source].channels / term.groups * outputs;
    return weights;
}

/// Chooses the chains of a program whose layouts and algorithms are known.
template <Capacity C>
class ChainPlanner {
public:
    constexpr ChainPlanner(const Program<C>& program, const LastUses<C>& uses, const WinogradGrid* winograd,
                           Tensor* tensors)
        : program_{program}, uses_{uses}, winograd_{winograd}, tensors_{tensors} {}

    /// Whether operation `i` runs as one step with the next one; if so, the tensor between them becomes a strip. This
    /// holds only for directly computed convolutions whose weights stay in a cache, before
    ///   - a pointwise convolution that is the only reader of the first one's activated result (see run_chain), or
    ///   - a pooling that is the only reader of its result (see run_pool_chain).
    constexpr bool choose(int i) {
        const Op &op = program_.ops[i], &next = program_.ops[i + 1];
        if (op.kind != OpKind::conv || winograd_[i].m > 0) return false;
        const bool pools = traits_of(next.kind).is_pooling;
        const int value = pools ? op.target : op.activated;
        if (value < 0 || (pools ? op.activated >= 0 : op.target < 0)) return false;
        if (next.source() != value || next.residual == value || next.has_second_term()) return false;
        if (uses_.is_used_from(i + 2, value) || program_.output == value) return false;
        Tensor& tensor = tensors_[value];
        const bool one_row_tiles = make_grid(tensor.height, tensor.width, tile_pixels).rows_per_tile == 1;
        if (tensor.has_border() || tensor.floats() < cached_floats || !one_row_tiles) return false;
        long weights = weights_of(program_, op);
        if (!pools) {
            if (next.kind != OpKind::conv || winograd_[i + 1].m > 0 || !is_plain_pointwise(next)) return false;
            weights += weights_of(program_, next);
        }
        if (weights > cached_floats) return false;
        // A pooling reads some rows twice, so its strips are larger.
        const long fitting =
            (pools ? CacheShare::pool_strip : CacheShare::conv_strip) / 4 / (tensor.floats() / tensor.height);
        const long min_rows = pools ? next.window().kernel_height : 1;
        tensor.strip_rows =
            static_cast<int>(std::min(std::max(fitting, min_rows), std::max<long>(min_rows, tensor.height)));
        return true;
    }

private:
    static constexpr bool is_plain_pointwise(const Op& op) {
        const Window& window = op.window();
        return window.is_pointwise() && window.stride_height == 1 && window.stride_width == 1 &&
               op.terms[0].groups == 1;
    }

    const Program<C>& program_;
    const LastUses<C>& uses_;
    const WinogradGrid* winograd_;
    Tensor* tensors_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
