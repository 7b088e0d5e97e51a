#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Pointwise convolutions by Strassen's algorithm: a step's tiles and panels in pairs.

#include <tenon/backend/cpu/kernels/conv_cursor.hpp>
#include <tenon/backend/cpu/strassen/tile.hpp>

namespace tenon::cpu {

inline namespace TENON_ISA_NAMESPACE {

/// Computes tiles and panels of a step by Strassen's algorithm. `memory` has room for `step.pair_floats` per pair of
/// tiles in a call; `streams` says that the weights do not stay in the second-level cache.
template <TileSpec Big, TileSpec Small, StrassenPairs Pairs>
class StrassenRun {
public:
    StrassenRun(ConvCursor& cursor, const Step& step, float* memory, bool streams)
        : cursor_{cursor}, step_{step}, memory_{memory}, streams_{streams} {}

    /// Where the weights of all panels stay in the second-level cache, each pair of tiles goes through all panels;
    /// otherwise all tiles go through one group of panels after the other. Both ranges consist of complete pairs. The
    /// panels up to `last_panel` are likely to be next, for the same tiles, whose stored operands are then used again.
    void operator()(Range tiles, Range panels, int last_panel) {
        const int group = streams_ ? tiles.size() : 2;
        for (int begin = tiles.begin; begin < tiles.end; begin += group) {
            const int pairs = std::min(group, tiles.end - begin) / 2;
            cursor_.panel(panels.begin);
            if (!streams_ || stored_ != tiles)
                for (int i = 0; i < pairs; ++i)
                    place(begin + 2 * i, [&]<StrassenSpec S> { combine<S>(operands_of(i)); });
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
                for (int i = 0; i < pairs; ++i)
                    place(tile + 2 * i, [&]<StrassenSpec S> {
                        StrassenArguments a = arguments<S>(operands_of(i));
                        a.u2 = memory_ + i * step_.pair_floats + (panel - panels.begin) / 2 * strassen_sums;
                        a.u3 = a.u2 + strassen_sums / 2;
                        set_next(a, streams_ || panel + 2 == step_.panels ? next : nullptr,
                                 at_once * strassen_product_floats(step_), i, pairs);
                        strassen_tile<S>(a, weights, product, product + at_once);
                    });
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

    /// Computes the addresses of a pair and calls f<StrassenSpec>() for its kind.
    template <class F>
    void place(int tile, const F& f) {
        const int per_image = step_.grid.tiles();
        const bool first_is_small = cursor_.tile(tile, per_image);
        first_ = cursor_.arguments();
        const bool second_is_small = cursor_.tile(tile + 1, per_image);
        second_ = cursor_.arguments();
        if constexpr (Pairs.big)
            if (!second_is_small) return f.template operator()<StrassenSpec{Big, Big.pixels}>();
        if constexpr (Pairs.small)
            if (first_is_small) return f.template operator()<StrassenSpec{Small, Small.pixels}>();
        if constexpr (Pairs.mixed) f.template operator()<StrassenSpec{Big, Small.pixels}>();
    }

    template <StrassenSpec S>
    void combine(float* to) const {
        const long operand = strassen_operand_floats(step_, S);
        for (int t = 0; t < 2 && step_.terms[t].exists(); ++t) {
            const TileTerm &first = first_.terms[t], &second = second_.terms[t];
            combine_pixels<S>(first.source, second.source, first.planes / 2, first.plane, to, operand);
            to += first.planes / 2 * S.plane();
        }
    }

    /// The arguments of a pair whose stored operands begin at `stored`.
    template <StrassenSpec S>
    StrassenArguments arguments(const float* stored) const {
        StrassenArguments a;
        a.results[1] = first_;
        a.results[4] = second_;
        a.results[5] = of_next_panel(second_);
        a.results[6] = of_next_panel(first_);
        const long operand = strassen_operand_floats(step_, S);
        for (int t = 0; t < 2 && step_.terms[t].exists(); ++t) {
            const TileTerm &left = first_.terms[t], &right = second_.terms[t];
            a.planes[t] = left.planes / 2;
            a.source_plane[t] = left.plane;
            const long half = static_cast<long>(a.planes[t]) * left.plane;
            const float* const direct[] = {left.source, left.source + half, right.source + half};
            const float* next = stored;
            for (int product = 0; product < strassen_products; ++product) {
                const bool is_direct = product < 2 || (product == 4 && !S.copies());
                a.operands[product][t] = is_direct ? direct[std::min(product, 2)] : next;
                if (!is_direct) next += operand;
            }
            stored += a.planes[t] * S.plane();
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
    float* memory_;
    TileArguments first_{}, second_{};
    bool streams_;
    Range stored_{};  ///< the tiles whose operands are stored: those of the last call
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
