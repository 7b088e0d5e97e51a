#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Pointwise convolutions of bytes by Strassen's algorithm: two tiles of pixels times two panels of output channels, as
// seven products of half the depth instead of eight (strassen/tile.hpp has the formulas). On integers it is exact: sums
// of codes and of weights fit into 16 bits, and sums of products are modulo 2^32, where the result has less than 32.
//
// A grid's tile is here the pair, of which the second half may have a pixel less.

#include <tenon/backend/cpu/quantized/conv.hpp>
#include <tenon/backend/cpu/quantized/strassen_plan.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"

/// The register tile of the products of a pair of tiles.
constexpr QuantizedTileSpec strassen_product_spec(const QuantizedTileSpec& pair) {
    return {.pixels = (pair.pixels + 1) / 2, .blocks = pair.blocks, .source_column = channel_block, .pointwise = true};
}

/// A pair of tiles in a worker's memory.
struct StrassenMemory {
    const float *zeros, *operands;  ///< S2, S3, A22, S1, S4, one after another
    float *u2, *u3;                 ///< sums that several results begin with
    int planes;                     ///< of an operand: half of the source's
    int pixels;                     ///< of the pair
};

/// Computes all results of a pair of tiles and a pair of panels.
template <QuantizedTileSpec S>
[[gnu::noinline]] void quantized_strassen_tile(const QuantizedTileArguments& a, const StrassenMemory& memory) {
    constexpr QuantizedTileSpec tile = strassen_product_spec(S);
    constexpr int vectors = S.blocks * vectors_per_block, stored_plane = tile.pixels * channel_block;
    const int wrap = a.wrap, width = a.width, pixels = memory.pixels;
    const long operand = long{memory.planes} * stored_plane;
    const float* const half = a.source + long{memory.planes} * a.plane;
    const float* const lefts[strassen_products] = {a.source,
                                                   half,
                                                   memory.operands,
                                                   memory.operands + operand,
                                                   memory.operands + 2 * operand,
                                                   memory.operands + 3 * operand,
                                                   memory.operands + 4 * operand};
    const float* const begins[strassen_products] = {memory.zeros, memory.u2,    memory.u2, memory.u2,
                                                    memory.u3,    memory.zeros, memory.u2};
    QuantizedTileArguments product{};
    product.planes = memory.planes;
    product.words = product.last_words = channel_block;
    product.weights = a.weights;
    product.next_stride = a.next_stride;
    const float* next = a.next_weights;
    for (int index = 0; index < strassen_products; ++index) {
        const auto at = [](int p, int v) { return (p * vectors + v) * vector_width; };
        Sums sums[array_bound<tile.pixels>][array_bound<vectors>];
        TENON_UNROLL for (int p = 0; p < tile.pixels; ++p) {
            TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[p][v] = load_words(begins[index] + at(p, v));
        }
        product.plane = index < 2 ? a.plane : stored_plane;
        accumulate_words<tile>(sums, product, lefts[index], next);
        product.weights += long{memory.planes} * channel_block * S.blocks * channel_block;
        Sums complete[array_bound<tile.pixels>][array_bound<vectors>];
        TENON_UNROLL for (int p = 0; p < tile.pixels; ++p) {
            TENON_UNROLL for (int v = 0; v < vectors; ++v) complete[p][v] = in_register(sums[p][v]);
        }
        const bool finishes = index == 1 || index >= 4;
        if (!finishes) {
            float* const to = index == 3 ? memory.u3 : memory.u2;
            TENON_UNROLL for (int p = 0; p < tile.pixels; ++p) {
                TENON_UNROLL for (int v = 0; v < vectors; ++v) store_words(to + at(p, v), complete[p][v]);
            }
            continue;
        }
        if (index == 5) {
            TENON_UNROLL for (int p = 0; p < tile.pixels; ++p) {
                TENON_UNROLL for (int v = 0; v < vectors; ++v) {
                    store_words(memory.u2 + at(p, v), wrapping_sum(load_words(memory.u2 + at(p, v)), complete[p][v]));
                    complete[p][v] = wrapping_sum(load_words(memory.u3 + at(p, v)), complete[p][v]);
                }
            }
        }
        // C11, C21, C22, C12
        const int first = index == 4 || index == 5 ? tile.pixels : 0, panel = index >= 5 ? S.blocks : 0;
        TENON_UNROLL for (int block = 0; block < S.blocks; ++block) {
            const QuantizedResult<S> result{a, panel + block};
            TENON_UNROLL for (int p = 0; p < tile.pixels; ++p) {
                if (p + 1 == tile.pixels && first + p >= pixels) continue;
                const auto place = [&](const QuantizedPlace& to, int column, int) {
                    return to.at + long{first + p} * column + (S.crossings > 0 && first + p >= wrap ? to.gap : 0) +
                           (S.crossings > 1 && first + p >= wrap + width ? to.gap : 0);
                };
                result.finish(&complete[p][block * vectors_per_block], place);
            }
        }
    }
}

/// Stores the left sides of a pair's products that are no part of the source: S2, S3, A22, S1, S4.
TENON_HOT inline void combine_codes(const float* source, int planes, int plane, int width, int pixels, float* to) {
    using Halves [[gnu::vector_size(4 * vector_width), gnu::may_alias]] = short;
    const long half = long{planes} * plane, operand = long{planes} * width * channel_block;
    const auto load_halves = [](const float* from) { return *reinterpret_cast<const Halves*>(from); };
    for (int i = 0; i < planes; ++i, source += plane)
        for (int p = 0; p < width; ++p)
            for (int lane = 0; lane < channel_block; lane += vector_width, to += vector_width) {
                const float* const left = source + p * channel_block + lane;
                const float* const right = left + width * channel_block;
                const bool exists = width + p < pixels;
                const Halves a11 = load_halves(left), a12 = load_halves(left + half);
                const Halves a21 = exists ? load_halves(right) : Halves{};
                const Halves a22 = exists ? load_halves(right + half) : Halves{};
                const Halves sum = a21 + a22, difference = sum - a11;
                const Halves operands[] = {difference, a11 - a21, a22, sum, a12 - difference};
                TENON_UNROLL for (int k = 0; k < 5; ++k) { *reinterpret_cast<Halves*>(to + k * operand) = operands[k]; }
            }
}

/// How the workers divide a step: into chunks of pairs of tiles, and pairs of panels.
inline WorkParts strassen_parts(const Step& step, int images, int workers) {
    const int tiles = step.grid.tiles() * images, panels = step.panels / 2;
    const long tile_bytes = 4 * step.pair_floats, panel_bytes = 8 * step.panel_floats;
    return {tiles, panels, choose_split(tiles, panels, tile_bytes, panel_bytes, workers), strassen_chunk(step), true};
}

/// Runs a pointwise convolution of bytes by Strassen's algorithm.
template <QuantizedTileSpec S>
void run_quantized_strassen(const QuantizedStep& step, const Frame& frame) {
    constexpr int half = strassen_product_spec(S).pixels;
    constexpr long sums = long{half} * S.blocks * channel_block;
    const WorkParts parts = strassen_parts(step, frame.images, frame.team->size());
    const auto tasks_of = [&](int part) { return parts.tasks(part); };
    frame.team->run_tasks(parts.count(), tasks_of, [&](WorkerTasks& tasks) {
        zero_stored_borders(step, frame, tasks.worker, tasks.workers);
        QuantizedCursor cursor{step, frame};
        float* const zeros = frame.scratch + tasks.worker * frame.scratch_floats;
        float* const operands = zeros + 3 * sums;
        std::fill_n(zeros, sums, 0.0f);
        const int per_image = step.grid.tiles(), planes = step.terms[0].planes / 2;
        Range stored{};
        while (const Task task = tasks.next()) {
            const WorkParts::Area area = parts.area(task);
            const auto pixels_of = [&](bool small) { return small ? step.grid.small : step.grid.big; };
            if (area.tiles != stored) {
                cursor.panel(0);
                for (int tile = area.tiles.begin; tile < area.tiles.end; ++tile) {
                    const bool small = cursor.tile(tile, per_image);
                    combine_codes(cursor.arguments().source, planes, step.source_codes.tensor.plane(), half,
                                  pixels_of(small), operands + (tile - area.tiles.begin) * step.pair_floats);
                }
            }
            stored = area.tiles;
            for (int panel = area.panels.begin; panel < area.panels.end; ++panel) {
                cursor.panel(2 * panel);
                for (int tile = area.tiles.begin; tile < area.tiles.end; ++tile) {
                    const bool small = cursor.tile(tile, per_image);
                    const int index = tile - area.tiles.begin;
                    cursor.fetch_next(2, index, area.tiles.size());
                    quantized_strassen_tile<S>(cursor.arguments(), {.zeros = zeros,
                                                                    .operands = operands + index * step.pair_floats,
                                                                    .u2 = zeros + sums,
                                                                    .u3 = zeros + 2 * sums,
                                                                    .planes = planes,
                                                                    .pixels = pixels_of(small)});
                }
            }
        }
    });
}

#pragma GCC diagnostic pop

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
