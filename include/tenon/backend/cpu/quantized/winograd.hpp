#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The step of Winograd's algorithm on packed numbers: transform windows, multiply at each point, transform back
// (winograd_plan.hpp has the numbers). Of integers it has the bits of a plain sum, as all of it is exact.

#include <tenon/backend/cpu/quantized/bfloat16_winograd.hpp>
#include <tenon/backend/cpu/quantized/conv.hpp>
#include <tenon/backend/cpu/quantized/winograd_transform.hpp>
#include <tenon/backend/cpu/winograd/step.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// The epilogue of a tile of m x m pixels.
constexpr QuantizedTileSpec quantized_winograd_spec(const QuantizedStep& step) {
    return quantized_tile_spec(step, step.winograd.m * step.winograd.m, step.winograd.m, panel_blocks);
}

/// The products of Winograd tiles, as many as fit into a register tile or some times as many, with a panel's weights at
/// one point, to where `target` is.
template <QuantizedTileSpec S>
[[gnu::noinline]] void quantized_product_tile(const QuantizedTileArguments& a) {
    constexpr int vectors = S.blocks * vectors_per_block;
    const float *source = a.source, *next = a.next_weights;
    float* target = a.target.at;
    for (int left = a.tiles; left > 0; --left, source = S.after_tile(source), target += S.pixels * channel_block) {
        Sums sums[array_bound<S.pixels>][array_bound<vectors>];
        TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
            TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[p][v] = zero_sums();
        }
        accumulate_words<S>(sums, a, source, next);
        TENON_UNROLL for (int v = 0; v < vectors; ++v) {
            float* const to = target + v / vectors_per_block * a.target.plane + v % vectors_per_block * vector_width;
            TENON_UNROLL for (int p = 0; p < S.pixels; ++p) store_words(to + p * channel_block, sums[p][v]);
        }
    }
}

/// Runs the register tile of `width` Winograd tiles; there is code for three widths.
template <int Blocks, bool Bfloat16, int Width = 0>
void multiply_quantized_tiles(int width, const QuantizedTileArguments& a) {
    constexpr const auto& widths = WinogradTiles<tile_pixels>::widths;
    if (Width == 2 || width == widths[Width])
        return quantized_product_tile<QuantizedTileSpec{.pixels = widths[Width],
                                                        .blocks = Blocks,
                                                        .source_column = channel_block,
                                                        .bfloat16 = Bfloat16,
                                                        .pointwise = !has_dot4}>(a);
    if constexpr (Width < 2) multiply_quantized_tiles<Blocks, Bfloat16, Width + 1>(width, a);
}

/// One worker's work on a strip of Winograd tiles, which may belong to several images.
template <QuantizedTileSpec S, class Form>
class QuantizedWinogradStrip {
public:
    QuantizedWinogradStrip(const QuantizedStep& step, const Frame& frame, float* scratch, Range tiles)
        : step_{step},
          frame_{frame},
          cursor_{step, frame},
          tiles_{tiles},
          planes_{step.terms[0].planes},
          input_{scratch},
          products_{input_ + step.winograd.points() * step.winograd.input_point(planes_)},
          sums_{products_ + step.winograd.points() * step.winograd.product_point(panel_blocks)} {}

    /// Transforms the windows of all tiles, plane by plane.
    TENON_HOT void transform_input() {
        const Tensor& source = step_.source();
        const long point = step_.winograd.input_point(planes_);
        for (int plane = 0; plane < planes_; ++plane)
            for (int tile = tiles_.begin; tile < tiles_.end; ++tile) {
                move(tile);
                const float* const window = cursor_.arguments().source + long{plane} * source.plane();
                float* const out = input_ + (long{plane} * step_.winograd.room + tile - tiles_.begin) * channel_block;
                for (int lane = 0; lane < channel_block; lane += vector_width)
                    Form::transform_window(window + lane, source.row(), out + lane, point);
            }
    }

    /// Computes a panel of output channels, chunk by chunk of the input's.
    void run_panel(int panel) {
        if constexpr (panel_blocks > 1)
            if (step_.result().planes() - panel * panel_blocks == 1) return run_blocks<1>(panel);
        run_blocks<panel_blocks>(panel);
    }

private:
    static constexpr int m = Form::m;
    static constexpr bool in_chunks = Form::chunk_words > 0;
    static constexpr int chunk_planes = Form::chunk_words / channel_block;
    /// Planes of floats for one of words of weights.
    static constexpr int group = Form::bfloat16 && !multiplies_bfloat16 ? 2 : 1;

    /// Moves to a tile; returns its first pixel.
    TilePlace move(int tile) {
        const WinogradGrid& grid = step_.winograd;
        const int in_image = tile % grid.tiles();
        const TilePlace place{in_image / grid.across * grid.m, in_image % grid.across * grid.m, false};
        cursor_.move(frame_.image(tile / grid.tiles()), place);
        return place;
    }

    template <int Blocks>
    void run_blocks(int panel) {
        cursor_.panel(panel);
        const float* weights = cursor_.arguments().weights;
        const int chunk = in_chunks ? chunk_planes : planes_;
        for (int plane = 0; plane < planes_; plane += chunk) {
            const int words = std::min(chunk * channel_block, step_.words - plane * channel_block);
            multiply<Blocks>(weights, plane, words);
            weights += long{step_.winograd.points()} * words * Blocks * channel_block;
            const bool is_first = plane == 0, is_last = plane + chunk >= planes_;
            for (int block = 0; block < Blocks; ++block)
                for (int tile = tiles_.begin; tile < tiles_.end; ++tile)
                    if (!in_chunks)
                        transform_back<true, true>(block, tile);
                    else if (is_first)
                        is_last ? transform_back<true, true>(block, tile) : transform_back<true, false>(block, tile);
                    else
                        is_last ? transform_back<false, true>(block, tile) : transform_back<false, false>(block, tile);
        }
    }

    /// The products at all points over `words` words from a plane on.
    template <int Blocks>
    void multiply(const float* weights, int plane, int words) const {
        const WinogradGrid& grid = step_.winograd;
        const long weights_of_point = long{words} / group * Blocks * channel_block;
        QuantizedTileArguments a{};
        a.words = group * channel_block;
        a.planes = (words + a.words - 1) / a.words;
        a.next_plane = grid.room * channel_block;
        a.plane = group * a.next_plane;
        a.last_words = words - (a.planes - 1) * a.words;
        a.kernel_height = a.kernel_width = 1;
        a.target.plane = grid.room * channel_block;
        const int count = tiles_.size(), sharers = sharers_of_fetch((count + tile_pixels - 1) / tile_pixels);
        for (int point = 0; point < grid.points(); ++point, weights += weights_of_point) {
            const float* const input =
                input_ + point * grid.input_point(planes_) + long{plane} * grid.room * channel_block;
            float* const products = products_ + point * grid.product_point(panel_blocks);
            a.weights = weights;
            for (int tile = 0, index = 0; tile < count;) {
                const int width = WinogradTiles<tile_pixels>::first(count - tile);
                // The first register tiles share the prefetching of the next point's weights.
                const bool fetches = index < sharers;
                const int most = fetches ? sharers - index : count;
                a.tiles = 1;
                while (a.tiles < most && WinogradTiles<tile_pixels>::first(count - tile - a.tiles * width) == width)
                    ++a.tiles;
                a.next_weights = weights + (fetches ? weights_of_point + index * (weights_of_point / sharers) : 0);
                a.next_stride = fetches ? Blocks * channel_block / sharers : 0;
                a.source = input + tile * channel_block;
                a.target.at = products + tile * channel_block;
                multiply_quantized_tiles<Blocks, Form::bfloat16>(width, a);
                tile += a.tiles * width;
                index += a.tiles;
            }
        }
    }

    /// Transforms the products of a tile and a block back; adds them to the sums of the chunks before, and stores sums
    /// or, after the last chunk, what they become.
    template <bool First, bool Last>
    TENON_HOT void transform_back(int block, int tile) {
        const WinogradGrid& grid = step_.winograd;
        const long in_strip = long{block} * grid.room + tile - tiles_.begin;
        const float* const products = products_ + in_strip * channel_block;
        float* const stored = sums_ + in_strip * (m * m * channel_block);
        const TilePlace first = move(tile);
        const int rows = std::min(m, step_.result().height - first.y);
        const int columns = std::min(m, step_.result().width - first.x);
        BlockSums all;
        TENON_UNROLL for (int v = 0; v < vectors_per_block; ++v) {
            const int lane = v * vector_width;
            Sums sums[array_bound<m>][array_bound<m>];
            Form::transform_back(products + lane, grid.product_point(panel_blocks), sums);
            if constexpr (!First) {
                TENON_UNROLL for (int p = 0; p < m * m; ++p) sums[p / m][p % m] +=
                    load_words(stored + p * channel_block + lane);
            }
            TENON_UNROLL for (int p = 0; p < m * m; ++p) {
                if constexpr (Last)
                    all.pixels[p][v] = sums[p / m][p % m];
                else
                    store_words(stored + p * channel_block + lane, sums[p / m][p % m]);
            }
        }
        if constexpr (Last) {
            if (rows == m && columns == m)
                finish<true>(all, block, rows, columns);
            else
                finish<false>(all, block, rows, columns);
        }
    }

    /// The sums of a tile's pixels and a block of channels.
    struct BlockSums {
        Sums pixels[array_bound<m * m>][vectors_per_block];
    };

    /// The epilogue of the pixels that are inside the map; `Whole`: all of them are.
    template <bool Whole>
    TENON_INLINE void finish(const BlockSums& sums, int block, int rows, int columns) const {
        const QuantizedResult<S> result{cursor_.arguments(), block};
        TENON_UNROLL for (int i = 0; i < m; ++i) {
            if (!Whole && i >= rows) continue;  // a break would keep Clang from unrolling the loop
            TENON_UNROLL for (int j = 0; j < m; ++j) {
                if (!Whole && j >= columns) continue;
                result.finish(sums.pixels[i * m + j], [&](const QuantizedPlace& at, int column, int row) {
                    return at.at + i * row + j * column;
                });
            }
        }
    }

    const QuantizedStep& step_;
    const Frame& frame_;
    QuantizedCursor cursor_;
    Range tiles_;
    int planes_;
    float *input_, *products_, *sums_;
};

/// Runs a convolution of bytes or of bfloat16 by Winograd.
template <QuantizedTileSpec S>
void run_quantized_winograd(const QuantizedStep& step, const Frame& frame) {
    using Form = std::conditional_t<S.bfloat16, Bfloat16Winograd, IntegerWinograd>;
    const WinogradGrid& grid = step.winograd;
    const int tiles = grid.tiles() * frame.images;
    const WorkParts parts{tiles, step.panels, choose_winograd_split(step, tiles, frame.team->size()), grid.strip, true};
    const auto tasks_of = [&](int part) { return parts.tasks(part); };
    frame.team->run_tasks(parts.count(), tasks_of, [&](WorkerTasks& tasks) {
        zero_stored_borders(step, frame, tasks.worker, tasks.workers);
        float* const memory = frame.scratch + tasks.worker * frame.scratch_floats;
        Range transformed{};
        while (const Task task = tasks.next()) {
            const WorkParts::Area area = parts.area(task);
            QuantizedWinogradStrip<S, Form> strip{step, frame, memory, area.tiles};
            if (area.tiles != transformed) strip.transform_input();
            transformed = area.tiles;
            for (int panel = area.panels.begin; panel < area.panels.end; ++panel) strip.run_panel(panel);
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
