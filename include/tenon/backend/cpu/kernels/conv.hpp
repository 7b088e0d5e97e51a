#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The convolution step: which tiles and panels each worker computes, in which order.

#include <tenon/backend/cpu/strassen/step.hpp>
#include <tenon/backend/cpu/threads/work_parts.hpp>
#include <tenon/core/compile_once.hpp>

namespace tenon::cpu {

inline namespace TENON_ISA_NAMESPACE {

/// Zeroes this worker's share of the borders of a step's results.
[[gnu::noinline]] inline void zero_borders(const Step& step, const Frame& frame, int worker, int size) {
    for (const Tensor* tensor : {&step.target, &step.activated}) {
        if (!tensor->exists() || !tensor->has_border()) continue;
        const Range planes = share(tensor->planes(), worker, size);
        for (int i = 0; i < frame.images; ++i) zero_border(*tensor, frame.image(i), planes.begin, planes.end);
    }
}

/// A kernel that computes one tile.
using TileKernel = void (*)(const TileArguments&);

/// The kernel of a kind of tiles; null if a step has none of these.
template <TileSpec Tile, bool Exists = true>
constexpr TileKernel tile_kernel() {
    if constexpr (Exists && Tile.pixels > 0)
        return &conv_tile<Tile>;
    else
        return nullptr;
}

/// The code of a convolution step.
struct ConvKernels {
    TileKernel tiles[2][2]{};  ///< of big and of small tiles, each in full panels and in the odd last one
    StrassenKernels strassen{};
    bool uses_strassen = false;
    bool odd_panel = false;  ///< the last panel is odd

    /// How many tiles, and how many panels, are computed together: 2 with Strassen's algorithm.
    int unit() const { return uses_strassen ? 2 : 1; }
};

template <ConvSpec S>
consteval ConvKernels make_conv_kernels() {
    ConvKernels kernels;
    kernels.uses_strassen = S.strassen;
    if constexpr (S.strassen) {
        kernels.strassen.big = strassen_kernel<StrassenSpec{S.big, S.big.pixels}, S.pairs.big>();
        kernels.strassen.mixed = strassen_kernel<StrassenSpec{S.big, S.small.pixels}, S.pairs.mixed>();
        kernels.strassen.small = strassen_kernel<StrassenSpec{S.small, S.small.pixels}, S.pairs.small>();
    } else {
        constexpr bool odd = S.odd_panel && panel_blocks > 1;
        kernels.odd_panel = odd;
        kernels.tiles[0][0] = tile_kernel<S.big>();
        kernels.tiles[0][1] = tile_kernel<odd_tile(S.big), odd>();
        kernels.tiles[1][0] = tile_kernel<S.small>();
        kernels.tiles[1][1] = tile_kernel<odd_tile(S.small), odd>();
    }
    return kernels;
}

template <ConvSpec S>
inline constexpr ConvKernels conv_kernels = make_conv_kernels<S>();

/// One worker's way through the tiles and panels of a step. `memory` is for what Strassen's algorithm stores; `streams`
/// says that the weights do not stay in the second-level cache.
class TileRun {
public:
    TileRun(const Step& step, const Frame& frame, const ConvKernels& kernels, float* memory, bool streams)
        : step_{step},
          kernels_{kernels},
          cursor_{step, frame},
          strassen_{cursor_, step, kernels.strassen, memory, streams} {}

    /// Tells where the strip that the step writes or reads is: `memory` holds its rows from `first_row` on.
    void strip(float* memory, int first_row) { cursor_.strip(memory, first_row); }

    /// Computes some tiles, panel by panel; the panels from these to `last_panel` are likely to be next.
    [[gnu::noinline]] void operator()(Range tiles, Range panels, int last_panel) {
        if (kernels_.uses_strassen) return strassen_(tiles, panels, last_panel);
        for (int panel = panels.begin; panel < panels.end; ++panel) run_panel(tiles, panel);
    }

private:
    void run_panel(Range tiles, int panel) {
        const int per_image = step_.grid.tiles();
        const bool odd = kernels_.odd_panel && panel == step_.panels - 1;
        cursor_.panel(panel);
        for (int tile = tiles.begin; tile < tiles.end; ++tile) {
            const bool small = cursor_.tile(tile, per_image);
            cursor_.fetch_next(tile - tiles.begin, tiles.end - tiles.begin);
            kernels_.tiles[small ? 1 : 0][odd ? 1 : 0](cursor_.arguments());
        }
    }

    const Step& step_;
    const ConvKernels& kernels_;
    ConvCursor cursor_;
    StrassenRun strassen_;
};

/// Whether `panels` panels of a step are more than the second-level cache keeps.
constexpr bool streams_weights(const Step& step, int panels) {
    return 4L * step.panel_floats * panels > CacheShare::resident_weights;
}

/// How the workers divide a convolution step.
inline WorkParts conv_parts(const Step& step, int images, int workers, int unit) {
    const int tiles = step.grid.tiles() * images / unit, panels = step.panels / unit;
    const long tile_bytes = unit * step.tile_bytes(panel_blocks), panel_bytes = unit * step.panel_floats * 4;
    const Split split = choose_split(tiles, panels, tile_bytes, panel_bytes, workers);
    // A chunk of tiles goes through all panels while its source stays in the first levels of cache. Where there are too
    // many panels for the cache, chunks are larger, so that panels are streamed less often, and tasks are a few panels.
    const bool streams = streams_weights(step, (panels + split.panel_parts - 1) / split.panel_parts * unit);
    int chunk = units_in(streams ? CacheShare::streamed_chunk : CacheShare::chunk, tile_bytes, unit);
    if (!streams) chunk = std::min(chunk, std::max(4 / unit, tiles / split.pixel_parts / tasks_per_part));
    return {tiles, panels, split, chunk, streams, step.pair_panels};
}

/// Runs a convolution step.
///
/// Law: the value of a tile depends neither on the worker that computes it nor on the number of workers
/// (test: tests/runtime/determinism_test.cpp).
template <class Once = void>
[[gnu::noinline]] void run_conv_with(const ConvKernels& kernels, const Step& step, const Frame& frame) {
    const int unit = kernels.unit();
    const WorkParts parts = conv_parts(step, frame.images, frame.team->size(), unit);
    const auto tasks_of = [&](int part) { return parts.tasks(part); };
    frame.team->run_tasks(parts.count(), tasks_of, [&](WorkerTasks& tasks) {
        zero_borders(step, frame, tasks.worker, tasks.workers);
        TileRun run{step, frame, kernels, frame.scratch + tasks.worker * frame.scratch_floats, parts.streams()};
        while (const Task task = tasks.next()) {
            const WorkParts::Area area = parts.area(task);
            run({unit * area.tiles.begin, unit * area.tiles.end}, {unit * area.panels.begin, unit * area.panels.end},
                unit * area.last_panel);
        }
    });
}
TENON_COMPILE_ONCE(void run_conv_with<void>(const ConvKernels&, const Step&, const Frame&));

template <ConvSpec S>
void run_conv(const Step& step, const Frame& frame) {
    run_conv_with(conv_kernels<S>, step, frame);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
