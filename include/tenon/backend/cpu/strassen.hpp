// Pointwise convolutions by Strassen's algorithm: pairs of tiles and of panels of a step.
#pragma once

#include <tenon/backend/cpu/conv_cursor.hpp>
#include <tenon/backend/cpu/strassen_tile.hpp>

namespace tenon {

/// The pairs of tiles that a step's grid has, whose tiles number 2i and 2i + 1 are one: of two big tiles, of a big and
/// a small one, of two small ones.
struct StrassenPairs {
    bool big = false, mixed = false, small = false;
};

/// The pairs of a grid whose number of tiles is even, and in each row of tiles even or one.
constexpr StrassenPairs strassen_pairs(const TileGrid& grid) {
    if (grid.rows_per_tile > 1) return {grid.small == 0 || grid.tiles() > 2, grid.small > 0, false};
    if (grid.per_row == 1) return {true, false, false};
    return {grid.big_per_row > 1, grid.big_per_row % 2 != 0, grid.per_row - grid.big_per_row > 1};
}

/// Floats that a pair's stored operands take; `second_pixels` as in StrassenSpec.
constexpr long strassen_operand_floats(const Step& step, const StrassenSpec& spec) {
    return (step.terms[0].planes + (step.terms[1].exists() ? step.terms[1].planes : 0)) / 2L * spec.plane();
}

inline namespace TENON_ISA_NAMESPACE {

/// Weights of one of the products of a pair of panels.
constexpr long strassen_product_floats(const Step& step) { return 2 * step.panel_floats / strassen_products; }

/// Floats of the sums that pass from product to product, of one pair of tiles.
inline constexpr int strassen_sums = 2 * tile_pixels * panel_blocks * block;

/// Works off tiles and panels of a step by Strassen's algorithm. `memory` has room for `step.pair_floats` for each pair
/// of tiles of a call; `streams` says that the weights do not stay in the second-level cache.
template <TileSpec Big, TileSpec Small, StrassenPairs Pairs>
class StrassenRun {
public:
    StrassenRun(ConvCursor& cursor, const Step& step, float* memory, bool streams)
        : cursor_{cursor}, step_{step}, memory_{memory}, streams_{streams} {}

    /// Where the weights of all panels stay in the second-level cache, a pair of tiles goes through all panels, else
    /// all tiles go through a group of panels. Both ranges hold whole pairs. Panels up to `last_panel` are likely to be
    /// next; then the operands that were stored for the same tiles are there already.
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
    /// Products of pairs of tiles and a group of pairs of panels: of several pairs of panels product by product, so
    /// that one product's left sides stay in the cache while the right sides pass by.
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
                    next = right_side(panels.end, 0);  // behind the last panel: the next step's weights
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

    /// Spreads the fetching of the next weights over the first pairs: too many misses at once would stall the loads.
    static void set_next(StrassenArguments& a, const float* next, long floats, int pair, int pairs) {
        const int sharers = pairs >= 4 ? 4 : pairs >= 2 ? 2 : 1;
        const bool fetches = next && pair < sharers;
        a.next_weights = fetches ? next + pair * (floats / sharers) : a.results[1].weights;
        a.next_step = fetches ? std::min(panel_blocks * block / sharers, 16) : 0;  // a line each
    }

    /// Reads the addresses of a pair and calls f<StrassenSpec>() for its kind.
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

    /// The addresses of a pair whose stored operands begin at `stored`.
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

    /// The same tile of the panel behind: its results.
    TileArguments of_next_panel(TileArguments a) const {
        if (step_.residual.exists()) a.residual += panel_blocks * a.residual_plane;
        if (step_.target.exists()) a.target += panel_blocks * a.target_plane;
        if (step_.activated.exists()) {
            a.activated += panel_blocks * a.activated_plane;
            a.activated_scale += panel_blocks * block;
            a.activated_shift += panel_blocks * block;
        }
        return a;
    }

    ConvCursor& cursor_;
    const Step& step_;
    float* memory_;
    TileArguments first_{}, second_{};
    bool streams_;
    Range stored_{};  ///< the tiles of the last call
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
