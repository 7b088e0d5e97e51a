#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Pointwise convolutions by Strassen's algorithm: a step's tiles and panels in pairs.

#include <tenon/backend/cpu/kernels/conv_cursor.hpp>
#include <tenon/backend/cpu/strassen/tile.hpp>

namespace tenon::cpu {

inline namespace TENON_ISA_NAMESPACE {

/// The code for one kind of pairs of tiles, and what its driver has to know; without functions if a step has none.
struct StrassenKernel {
    void (*tile)(const StrassenArguments&, const float* weights, int first, int last) = nullptr;
    void (*combine)(const float* first, const float* second, int planes, int source_plane, float* to,
                    long operand) = nullptr;
    int plane = 0;  ///< as in StrassenSpec
    bool copies = false;
};

/// What of a spec decides the code of combine_pixels.
constexpr StrassenSpec combined(const StrassenSpec& spec) {
    StrassenSpec result{};
    result.tile.pixels = spec.tile.pixels;
    result.tile.rows = spec.tile.rows;
    result.tile.source_row = spec.tile.source_row;
    result.second_pixels = spec.second_pixels;
    return result;
}

template <StrassenSpec S, bool Exists>
constexpr StrassenKernel strassen_kernel() {
    if constexpr (Exists)
        return {&strassen_tile<multiplied(S)>, &combine_pixels<combined(S)>, S.plane(), S.copies()};
    else
        return {};
}

/// The code for the pairs that a step's grid has.
struct StrassenKernels {
    StrassenKernel big{}, mixed{}, small{};
};

/// Computes tiles and panels of a step by Strassen's algorithm. `memory` has room for `step.pair_floats` per pair of
/// tiles in a call; `streams` says that the weights do not stay in the second-level cache.
class StrassenRun {
public:
    StrassenRun(ConvCursor& cursor, const Step& step, const StrassenKernels& kernels, float* memory, bool streams)
        : cursor_{cursor}, step_{step}, kernels_{kernels}, memory_{memory}, streams_{streams} {}

    /// Where the weights of all panels stay in the second-level cache, each pair of tiles goes through all panels;
    /// otherwise all tiles go through one group of panels after the other. Both ranges consist of complete pairs. The
    /// panels up to `last_panel` are likely to be next, for the same tiles, whose stored operands are then used again.
    void operator()(Range tiles, Range panels, int last_panel) {
        const int group = streams_ ? tiles.size() : 2;
        for (int begin = tiles.begin; begin < tiles.end; begin += group) {
            const int pairs = std::min(group, tiles.end - begin) / 2;
            cursor_.panel(panels.begin);
            if (!streams_ || stored_ != tiles)
                for (int i = 0; i < pairs; ++i) combine(place(begin + 2 * i), operands_of(i));
            for (int panel = panels.begin; panel < panels.end; panel += 2 * step_.pair_panels)
                multiply_group(begin, pairs, {panel, std::min(panel + 2 * step_.pair_panels, panels.end)}, last_panel,
                               begin + group >= tiles.end);
        }
        stored_ = tiles;
    }

private:
    /// The products of some pairs of tiles with a group of pairs of panels. With several pairs of panels, one product
    /// at a time, so that its left sides stay in the cache while the right sides pass by.
    void multiply_group(int tile, int pairs, Range panels, int last_panel, bool are_last_tiles) {
        const int at_once = step_.pair_panels > 1 ? 1 : strassen_products;
        for (int product = 0; product < strassen_products; product += at_once)
            for (int panel = panels.begin; panel < panels.end; panel += 2) {
                cursor_.panel(panel);
                const float* const weights = right_side(panel, product);
                const float* next = nullptr;
                if (panel + 2 < panels.end)
                    next = right_side(panel + 2, product);
                else if (product + at_once < strassen_products)
                    next = right_side(panels.begin, product + at_once);
                else if (panels.end < last_panel || (panels.end == step_.panels && are_last_tiles))
                    next = right_side(panels.end, 0);  // after the last panel: the next step's weights
                for (int i = 0; i < pairs; ++i) {
                    const StrassenKernel& kernel = place(tile + 2 * i);
                    StrassenArguments a = arguments(kernel, operands_of(i));
                    a.u2 = memory_ + i * step_.pair_floats + (panel - panels.begin) / 2 * strassen_sums;
                    a.u3 = a.u2 + strassen_sums / 2;
                    set_next(a, streams_ || panel + 2 == step_.panels ? next : nullptr,
                             at_once * strassen_product_floats(step_), i, pairs);
                    kernel.tile(a, weights, product, product + at_once);
                }
            }
    }

    const float* right_side(int panel, int product) const {
        return cursor_.weights() + panel * step_.panel_floats + product * strassen_product_floats(step_);
    }
    float* operands_of(int pair) const {
        return memory_ + pair * step_.pair_floats + step_.pair_panels * strassen_sums;
    }

    /// Spreads the prefetching of the next weights over the first pairs: too many misses at once would stall the loads.
    static void set_next(StrassenArguments& a, const float* next, long floats, int pair, int pairs) {
        const int sharers = pairs >= 4 ? 4 : pairs >= 2 ? 2 : 1;
        const bool fetches = next && pair < sharers;
        a.next_weights = fetches ? next + pair * (floats / sharers) : a.results[1].weights;
        a.next_stride = fetches ? std::min(panel_blocks * channel_block / sharers, 16) : 0;  // one cache line each
    }

    /// Computes the addresses of a pair. Returns the code for its kind.
    const StrassenKernel& place(int tile) {
        const int per_image = step_.grid.tiles();
        const bool first_is_small = cursor_.tile(tile, per_image);
        first_ = cursor_.arguments();
        const bool second_is_small = cursor_.tile(tile + 1, per_image);
        second_ = cursor_.arguments();
        return !second_is_small ? kernels_.big : first_is_small ? kernels_.small : kernels_.mixed;
    }

    void combine(const StrassenKernel& kernel, float* to) const {
        const long operand = strassen_operand_floats(step_, kernel.plane);
        for (int t = 0; t < 2 && step_.terms[t].exists(); ++t) {
            const TileTerm &first = first_.terms[t], &second = second_.terms[t];
            kernel.combine(first.source, second.source, first.planes / 2, first.plane, to, operand);
            to += first.planes / 2 * kernel.plane;
        }
    }

    /// The arguments of a pair whose stored operands begin at `stored`.
    StrassenArguments arguments(const StrassenKernel& kernel, const float* stored) const {
        StrassenArguments a;
        a.residual_column = step_.residual_stride * channel_block;
        a.relu = step_.relu;
        a.results[1] = first_;
        a.results[4] = second_;
        a.results[5] = of_next_panel(second_);
        a.results[6] = of_next_panel(first_);
        const long operand = strassen_operand_floats(step_, kernel.plane);
        for (int t = 0; t < 2 && step_.terms[t].exists(); ++t) {
            const TileTerm &left = first_.terms[t], &right = second_.terms[t];
            a.planes[t] = left.planes / 2;
            a.source_plane[t] = left.plane;
            const long half = long{a.planes[t]} * left.plane;
            const float* const direct[] = {left.source, left.source + half, right.source + half};
            const float* next = stored;
            for (int product = 0; product < strassen_products; ++product) {
                const bool is_direct = product < 2 || (product == 4 && !kernel.copies);
                a.operands[product][t] = is_direct ? direct[std::min(product, 2)] : next;
                if (!is_direct) next += operand;
            }
            stored += a.planes[t] * kernel.plane;
        }
        return a;
    }

    /// The arguments of the same tile in the next panel: its results.
    TileArguments of_next_panel(TileArguments a) const {
        if (step_.residual.exists()) a.residual += panel_blocks * a.residual_plane;
        if (step_.target.exists()) a.target += panel_blocks * a.target_plane;
        if (step_.activated.exists()) {
            a.activated += panel_blocks * a.activated_plane;
            a.activated_scale += panel_blocks * channel_block;
            a.activated_shift += panel_blocks * channel_block;
        }
        return a;
    }

    ConvCursor& cursor_;
    const Step& step_;
    const StrassenKernels& kernels_;
    float* memory_;
    TileArguments first_{}, second_{};
    bool streams_;
    Range stored_{};  ///< the tiles whose operands are stored: those of the last call
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
