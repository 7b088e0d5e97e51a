#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The Winograd convolution step: transform windows, compute one small matrix product per point on the register tiles,
// transform back.

#include <tenon/backend/cpu/threads/work_parts.hpp>
#include <tenon/backend/cpu/winograd/filters.hpp>
#include <tenon/backend/cpu/winograd/maps.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// The register tile of the products at one point: Winograd tiles take the place of pixels.
constexpr TileSpec winograd_tile(int tiles, int blocks) {
    TileSpec spec{};
    spec.pixels = tiles;
    spec.fetched_lines = tiles == WinogradTiles<tile_pixels>::widths[2] ? blocks : 1;
    spec.blocks = blocks;
    spec.source_column = channel_block;
    return spec;
}

/// Transforms the windows of tiles into `input`, plane by plane, so that a plane's rows are read while they are in the
/// cache.
template <int M>
TENON_HOT void transform_windows(const Step& step, const Frame& frame, Range tiles, float* input) {
    const Tensor& source = step.source();
    const long point = step.winograd.input_point(source.planes());
    for (int plane = 0; plane < source.planes(); ++plane)
        for (int tile = tiles.begin; tile < tiles.end; ++tile) {
            const float* window = winograd_window(step, frame, plane, tile);
            float* out = input + (long{plane} * step.winograd.room + tile - tiles.begin) * channel_block;
            for (int lane = 0; lane < channel_block; lane += vector_width)
                transform_window<M>(window + lane, source.row(), out + lane, point);
        }
}

/// The code of a Winograd step.
struct WinogradKernels {
    void (*windows)(const Step& step, const Frame& frame, Range tiles, float* input) = nullptr;
    WinogradStore store = nullptr;
    TileKernel tiles[2][3]{};  ///< of full panels and of the odd last one, for the three widths
    bool odd_panel = false;    ///< the last panel is odd
};

template <WinogradSpec S>
consteval WinogradKernels make_winograd_kernels() {
    constexpr bool odd = S.odd_panel && panel_blocks > 1;
    constexpr const auto& widths = WinogradTiles<tile_pixels>::widths;
    return {.windows = &transform_windows<S.m>,
            .store = &WinogradEpilogue<epilogue_spec(S)>::run,
            .tiles = {{tile_kernel<winograd_tile(widths[0], panel_blocks)>(),
                       tile_kernel<winograd_tile(widths[1], panel_blocks)>(),
                       tile_kernel<winograd_tile(widths[2], panel_blocks)>()},
                      {tile_kernel<winograd_tile(widths[0], 1), odd>(), tile_kernel<winograd_tile(widths[1], 1), odd>(),
                       tile_kernel<winograd_tile(widths[2], 1), odd>()}},
            .odd_panel = odd};
}

template <WinogradSpec S>
inline constexpr WinogradKernels winograd_kernels = make_winograd_kernels<S>();

/// One worker's work on a strip of Winograd tiles, which may belong to several images.
class WinogradStrip {
public:
    WinogradStrip(const WinogradKernels& kernels, const Step& step, const Frame& frame, float* scratch, Range tiles)
        : kernels_{kernels},
          step_{step},
          frame_{frame},
          tiles_{tiles},
          input_{scratch},
          products_{scratch + step.winograd.points() * step.winograd.input_point(step.source().planes())} {}

    /// Transforms the windows of all tiles.
    void transform_input() const { kernels_.windows(step_, frame_, tiles_, input_); }

    /// Computes the products at all points with one panel of output channels, and transforms them back.
    void run_panel(int panel) const {
        const bool is_odd = kernels_.odd_panel && panel == step_.panels - 1;
        const int blocks = is_odd ? 1 : panel_blocks;
        const WinogradGrid& grid = step_.winograd;
        const int planes = step_.source().planes();
        const long weights_of_point = long{planes} * channel_block * blocks * channel_block;
        alignas(64) static constexpr float zeros[panel_blocks * channel_block] = {};
        constexpr const auto& widths = WinogradTiles<tile_pixels>::widths;
        TileArguments a{};
        a.terms[0] = {.source = nullptr,
                      .planes = planes,
                      .plane = grid.room * channel_block,
                      .kernel_height = 1,
                      .kernel_width = 1,
                      .tap_row = 0,
                      .tap_column = 0};
        a.shift = zeros;
        a.target_plane = grid.room * channel_block;
        a.weights = frame_.weights + step_.weights + panel * step_.panel_floats;
        const int count = tiles_.end - tiles_.begin;
        for (int point = 0; point < grid.points(); ++point, a.weights += weights_of_point) {
            const bool last = point == grid.points() - 1 && panel == step_.panels - 1;
            const float* input = input_ + point * grid.input_point(planes);
            float* products = products_ + point * grid.product_point(panel_blocks);
            for (int tile = 0, width = 0, half = 0; tile < count; tile += width, ++half) {
                width = WinogradTiles<tile_pixels>::first(count - tile);
                // The next point's weights are prefetched by the first tile if it is small, else by the first two.
                const bool small = width == widths[2];
                const int fetchers = small ? 1 : 2;
                const bool fetches = half < fetchers && !last;
                a.next_weights = a.weights + (fetches ? weights_of_point + half * (weights_of_point / 2) : 0);
                a.next_stride = fetches ? blocks * channel_block / fetchers : 0;
                a.terms[0].source = input + tile * channel_block;
                a.target = products + tile * channel_block;
                kernels_.tiles[is_odd ? 1 : 0][width == widths[0] ? 0 : width == widths[1] ? 1 : 2](a);
            }
        }
        for (int b = 0; b < blocks; ++b)
            for (int tile = 0; tile < count; ++tile)
                kernels_.store(step_, frame_, products_ + (long{b} * grid.room + tile) * channel_block,
                               grid.product_point(panel_blocks), panel * panel_blocks + b, tiles_.begin + tile);
    }

private:
    const WinogradKernels& kernels_;
    const Step& step_;
    const Frame& frame_;
    Range tiles_;
    float* input_;
    float* products_;
};

/// How the workers divide the tiles and panels of a Winograd step: the lowest estimated time, where workers that divide
/// panels each transform all of their tiles, and weights are streamed once per strip.
inline Split choose_winograd_split(const Step& step, int tiles, int workers) {
    const WinogradGrid& grid = step.winograd;
    const double inputs = step.source().planes() * double{channel_block};
    const double panel_outputs = double{channel_block} * (grid.plain_filters ? 1 : panel_blocks);
    Split best{};
    double best_cycles = 0;
    for (int panel_parts = 1; panel_parts <= std::min(workers, step.panels); ++panel_parts) {
        const int pixel_parts = std::max(1, std::min(tiles, workers / panel_parts));
        const int my_tiles = (tiles + pixel_parts - 1) / pixel_parts,
                  my_panels = (step.panels + panel_parts - 1) / panel_parts;
        const int strips = (my_tiles + grid.strip - 1) / grid.strip;
        const double padded = strips * padded_tiles<tile_pixels>(grid, (my_tiles + strips - 1) / strips);
        const double cycles = WinogradRates::cycles(grid, padded, inputs, my_panels * panel_outputs, strips);
        if (panel_parts == 1 || cycles < best_cycles) {
            best = {pixel_parts, panel_parts};
            best_cycles = cycles;
        }
    }
    return best;
}

/// Runs a Winograd step; `strip_of(worker's memory, tiles)` makes the work on a strip of tiles.
///
/// Law: as in run_conv, the value of a tile depends neither on the workers nor on the strip that it is in.
template <class StripOf>
void run_winograd_strips(const Step& step, const Frame& frame, const StripOf& strip_of) {
    const WinogradGrid& grid = step.winograd;
    const int tiles = grid.tiles() * frame.images;
    const Split split = choose_winograd_split(step, tiles, frame.team->size());
    const WorkParts parts{tiles, step.panels, split, grid.strip, true};
    const auto tasks_of = [&](int part) { return parts.tasks(part); };
    frame.team->run_tasks(parts.count(), tasks_of, [&](WorkerTasks& tasks) {
        zero_borders(step, frame, tasks.worker, tasks.workers);
        float* const memory = frame.scratch + tasks.worker * frame.scratch_floats;
        Range transformed{};
        while (const Task task = tasks.next()) {
            const WorkParts::Area area = parts.area(task);
            const auto strip = strip_of(memory, area.tiles);
            if (area.tiles != transformed) strip.transform_input();
            transformed = area.tiles;
            for (int panel = area.panels.begin; panel < area.panels.end; ++panel) strip.run_panel(panel);
        }
    });
}

template <class Once = void>
[[gnu::noinline]] void run_winograd_with(const WinogradKernels& kernels, const Step& step, const Frame& frame) {
    run_winograd_strips(step, frame, [&](float* memory, Range tiles) {
        return WinogradStrip{kernels, step, frame, memory, tiles};
    });
}
TENON_COMPILE_ONCE(void run_winograd_with<void>(const WinogradKernels&, const Step&, const Frame&));

template <WinogradSpec S>
void run_winograd(const Step& step, const Frame& frame) {
    if constexpr (S.plain_filters)
        run_winograd_strips(step, frame, [&](float* memory, Range tiles) {
            return PlainFilterStrip<S>{step, frame, memory, tiles};
        });
    else
        run_winograd_with(winograd_kernels<S>, step, frame);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
