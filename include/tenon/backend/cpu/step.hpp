// A step: one call of a kernel with everything it needs to know, a constant but for the addresses in its frame.
#pragma once

#include <tenon/backend/cpu/team.hpp>
#include <tenon/backend/cpu/tensor.hpp>
#include <tenon/backend/cpu/winograd_plan.hpp>
#include <tenon/program/program.hpp>

namespace tenon {

/// How a convolution's output pixels are cut into register tiles. With one row per tile, each of `rows` rows is cut
/// into `per_row` tiles, the first `big_per_row` of them `big` pixels wide, the others `small`. With several, tiles are
/// `rows_per_tile` whole rows and the last may hold fewer. Tiles are the same for any number of threads.
struct TileGrid {
    int rows = 1, width = 1;  ///< the map; one long row where the sources are one
    int rows_per_tile = 1;
    int per_row = 1, big_per_row = 1;
    int big = 1, small = 0;  ///< pixels; small is 0 if all tiles are big
    int small_rows = 1;
    int wraps = 0;  ///< where tiles of one long row run over the ends of the map's rows, as many pixels; else 0

    constexpr int tiles() const {
        return rows_per_tile == 1 ? rows * per_row : (rows + rows_per_tile - 1) / rows_per_tile;
    }
    /// Ends of the map's rows that a tile may run over, wherever it begins.
    constexpr int crossings() const { return wraps > 0 ? (wraps - 1 + big - 1) / wraps : 0; }
};

/// Cuts a map of rows x width into tiles of at most `most` pixels, as few and as equal as can be. `paired` makes the
/// tiles of a row even in number where they are more than one or there is one row.
constexpr TileGrid make_grid(int rows, int width, int most, bool paired = false) {
    TileGrid grid{};
    grid.rows = rows;
    grid.width = width;
    if (width * 2 > most || rows == 1) {
        grid.per_row = (width + most - 1) / most;
        if (paired && (grid.per_row > 1 || rows == 1)) grid.per_row += grid.per_row % 2;
        grid.big = (width + grid.per_row - 1) / grid.per_row;
        grid.big_per_row = width - grid.per_row * (grid.big - 1);
        grid.small = grid.big_per_row < grid.per_row ? grid.big - 1 : 0;
        return grid;
    }
    const int most_rows = most / width;
    const int tiles = (rows + most_rows - 1) / most_rows;
    grid.rows_per_tile = (rows + tiles - 1) / tiles;
    grid.big = grid.rows_per_tile * width;
    grid.small_rows = rows % grid.rows_per_tile;
    grid.small = grid.small_rows * width;
    return grid;
}

/// What a grid's tiles cost, in pixels: loads of weights and the like cost each tile as much as three pixels. In pairs
/// the second tile counts as many as the first.
constexpr int cost_of(const TileGrid& grid, bool paired = false) {
    int pixels = grid.rows * grid.width;
    if (paired && grid.small > 0)
        pixels = grid.rows_per_tile > 1 ? grid.tiles() * grid.big : pixels + grid.rows * (grid.big_per_row % 2);
    return pixels + 3 * grid.tiles();
}

/// One source of a convolution step.
struct StepTerm {
    Tensor source{};
    Window window{};
    int layer = -1, norm = -1;  ///< LayerInfo of the convolution and of the batch norm folded into it
    int groups = 1;
    int planes = 0;  ///< planes of the source that one panel of output channels reads; fewer than all with groups
    int group_inputs = 0, group_outputs = 0;  ///< channels of a group
    constexpr bool exists() const { return source.exists(); }

    /// The first plane of the source that the output channels from block `output_block` on read: with groups only those
    /// of their groups, as many as `planes`.
    constexpr int first_plane(int output_block) const {
        if (groups == 1) return 0;
        const int first = output_block * 16 / group_outputs * group_inputs / 16;
        return std::min(first, source.planes() - planes);
    }
};

/// A step of a model's program. Offsets into the weights are in floats; -1: there are none.
struct Step {
    OpKind kind{};
    int op = 0;  ///< index into the optimised program
    StepTerm terms[2]{};
    Tensor residual{}, target{}, activated{};
    int residual_stride = 1;
    int activated_norm = -1;
    bool relu = false, activated_relu = false;
    TileGrid grid{};
    WinogradGrid winograd{};  ///< of a convolution that is not computed directly
    int follower = -1;        ///< index of the step that is worked off strip by strip with this one (see run_chain)
    int panels = 0;           ///< of output channels
    long weights = -1;        ///< panels, one after the other
    long panel_floats = 0;
    long pair_floats = 0;       ///< what Strassen's algorithm stores for a pair of tiles; 0: a plain sum
    int pair_panels = 1;        ///< and pairs of panels that are worked off together by it
    long shift = -1;            ///< per output channel, added to the sums
    long activated_scale = -1;  ///< per output channel, followed by as many shifts
    long flat_channels = 0;     ///< features of a softmax or a result

    constexpr const Tensor& source() const { return terms[0].source; }
    constexpr const Window& window() const { return terms[0].window; }
    /// The tensor whose shape is the step's output.
    constexpr const Tensor& result() const { return target.exists() ? target : activated; }
    /// What a tile reads of its sources, and by Strassen's algorithm of sums of them, about.
    constexpr long tile_bytes(int panel_blocks) const { return 4L * grid.big * panel_floats / (panel_blocks * 16); }
};

inline namespace TENON_ISA_NAMESPACE {

/// The addresses a step runs on: a group of images whose arenas lie one after the other.
struct Frame {
    float* arena = nullptr;
    long image_floats = 0;  ///< of one image's arena
    const float* weights = nullptr;
    const float* input = nullptr;  ///< the user's images, NCHW
    float* output = nullptr;       ///< the user's results
    int images = 1;
    const Team* team = nullptr;
    float* scratch = nullptr;  ///< `scratch_floats` for each rank
    long scratch_floats = 0;
    const Step* followers = nullptr;

    float* image(int index) const { return arena + index * image_floats; }
};

/// A kernel: works off a step for all images of a frame.
using StepFunction = void (*)(const Step&, const Frame&);

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
