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

/// One worker's work on a strip of Winograd tiles, which may belong to several images.
template <WinogradSpec S>
class WinogradStrip {
public:
    WinogradStrip(const Step& step, const Frame& frame, float* scratch, Range tiles)
        : step_{step},
          frame_{frame},
          maps_{step, frame},
          tiles_{tiles},
          input_{scratch},
          products_{scratch + step.winograd.points() * step.winograd.input_point(step.source().planes())} {}

    /// Transforms the windows of all tiles, plane by plane, so that a plane's rows are read while they are in the
    /// cache.
    TENON_HOT void transform_input() const {
        const Tensor& source = step_.source();
        const long point = step_.winograd.input_point(source.planes());
        for (int plane = 0; plane < source.planes(); ++plane)
            for (int tile = tiles_.begin; tile < tiles_.end; ++tile) {
                const float* window = maps_.window(plane, tile);
                float* out = input_ + (long{plane} * step_.winograd.room + tile - tiles_.begin) * channel_block;
                for (int lane = 0; lane < channel_block; lane += vector_width)
                    transform_window<S.m>(window + lane, source.row(), out + lane, point);
            }
    }

    /// Computes the products at all points with one panel of output channels, and transforms them back.
    void run_panel(int panel) const {
        if constexpr (S.odd_panel && panel_blocks > 1)
            if (panel == step_.panels - 1) return run_blocks<1>(panel);
        run_blocks<panel_blocks>(panel);
    }

private:
    template <int Blocks>
    void run_blocks(int panel) const {
        const WinogradGrid& grid = step_.winograd;
        const int planes = step_.source().planes();
        const long weights_of_point = long{planes} * channel_block * Blocks * channel_block;
        alignas(64) static constexpr float zeros[panel_blocks * channel_block] = {};
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
                const bool small = width == WinogradTiles<tile_pixels>::widths[2];
                const int fetchers = small ? 1 : 2;
                const bool fetches = half < fetchers && !last;
                a.next_weights = a.weights + (fetches ? weights_of_point + half * (weights_of_point / 2) : 0);
                a.next_stride = fetches ? Blocks * channel_block / fetchers : 0;
                a.terms[0].source = input + tile * channel_block;
                a.target = products + tile * channel_block;
                multiply_tiles<Blocks>(width, a);
            }
        }
        for (int b = 0; b < Blocks; ++b)
            for (int tile = 0; tile < count; ++tile)
                maps_.transform_back(products_ + (long{b} * grid.room + tile) * channel_block,
                                     grid.product_point(panel_blocks), panel * panel_blocks + b, tiles_.begin + tile);
    }

    /// Runs the register tile of `width` tiles; there is code for three widths.
    template <int Blocks, int Width = 0>
    static void multiply_tiles(int width, const TileArguments& a) {
        constexpr const auto& widths = WinogradTiles<tile_pixels>::widths;
        if (Width == 2 || width == widths[Width]) return conv_tile<winograd_tile(widths[Width], Blocks)>(a);
        if constexpr (Width < 2) multiply_tiles<Blocks, Width + 1>(width, a);
    }

    const Step& step_;
    const Frame& frame_;
    WinogradMaps<S> maps_;
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

/// Runs a Winograd step.
///
/// Law: as in run_conv, the value of a tile depends neither on the workers nor on the strip that it is in.
template <WinogradSpec S>
void run_winograd(const Step& step, const Frame& frame) {
    using Strip = std::conditional_t<S.plain_filters, PlainFilterStrip<S>, WinogradStrip<S>>;
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
            const Strip strip{step, frame, memory, area.tiles};
            if (area.tiles != transformed) strip.transform_input();
            transformed = area.tiles;
            for (int panel = area.panels.begin; panel < area.panels.end; ++panel) strip.run_panel(panel);
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
