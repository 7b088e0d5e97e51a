#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A step: one call of a kernel and everything it needs to know; constant except for the addresses in its frame.

#include <tenon/backend/cpu/layout/input_images.hpp>
#include <tenon/backend/cpu/layout/tensor.hpp>
#include <tenon/backend/cpu/plan/winograd.hpp>
#include <tenon/backend/cpu/threads/workers.hpp>
#include <tenon/backend/shared/namespaces.hpp>
#include <tenon/program/program.hpp>

namespace tenon::cpu {

/// How the output pixels of a convolution are cut into register tiles. With one row per tile, each of `rows` rows is
/// cut into `per_row` tiles: the first `big_per_row` are `big` pixels wide, the others `small`. With several rows per
/// tile, tiles are `rows_per_tile` complete rows, and the last tile may have fewer. The tiles are the same for any
/// number of threads. make_grid() has examples; `wraps` is drawn in plan/plan.hpp.
struct TileGrid {
    int rows = 1, width = 1;  ///< of the map, in pixels; one long row where the map can be read as one
    int rows_per_tile = 1;
    int per_row = 1, big_per_row = 1;
    int big = 1, small = 0;  ///< pixels of a tile; small is 0 if all tiles are big
    int small_rows = 1;
    int wraps = 0;  ///< the width of the map's rows, where tiles of one long row run over their ends; else 0

    constexpr int tiles() const {
        return rows_per_tile == 1 ? rows * per_row : (rows + rows_per_tile - 1) / rows_per_tile;
    }
    /// The most row ends that a tile may run over, wherever it begins.
    constexpr int crossings() const { return wraps > 0 ? (wraps - 1 + big - 1) / wraps : 0; }
};

/// Cuts a map of rows x width pixels into tiles of at most `max_pixels` pixels: as few tiles as possible, of sizes as
/// equal as possible. `paired` makes the number of tiles in a row even, unless a row of several is one tile.
///
/// Examples, rows x width, max_pixels -> tiles:
///     56 x 56, 14 -> 4 tiles of 14 pixels in each row
///     28 x 28, 12 -> 10 + 9 + 9 pixels in each row: big 10 (big_per_row 1), small 9
///      7 x  7, 14 -> tiles of 2 rows, 14 pixels; the last one has 1 row: small 7, small_rows 1
///      1 x 49, 14 -> 13 + 12 + 12 + 12: a 7 x 7 map as one long row
constexpr TileGrid make_grid(int rows, int width, int max_pixels, bool paired = false) {
    TileGrid grid{};
    grid.rows = rows;
    grid.width = width;
    if (width * 2 > max_pixels || rows == 1) {
        grid.per_row = (width + max_pixels - 1) / max_pixels;
        if (paired && (grid.per_row > 1 || rows == 1)) grid.per_row += grid.per_row % 2;
        grid.big = (width + grid.per_row - 1) / grid.per_row;
        grid.big_per_row = width - grid.per_row * (grid.big - 1);
        grid.small = grid.big_per_row < grid.per_row ? grid.big - 1 : 0;
        return grid;
    }
    const int max_rows = max_pixels / width;
    const int tiles = (rows + max_rows - 1) / max_rows;
    grid.rows_per_tile = (rows + tiles - 1) / tiles;
    grid.big = grid.rows_per_tile * width;
    grid.small_rows = rows % grid.rows_per_tile;
    grid.small = grid.small_rows * width;
    return grid;
}

/// The cost of a grid's tiles, in pixels: per tile, loads of weights and other overhead cost as much as
/// Rates::tile_overhead_pixels pixels. In a pair the second tile counts as many pixels as the first.
constexpr int cost_of(const TileGrid& grid, bool paired = false) {
    int pixels = grid.rows * grid.width;
    if (paired && grid.small > 0)
        pixels = grid.rows_per_tile > 1 ? grid.tiles() * grid.big : pixels + grid.rows * (grid.big_per_row % 2);
    return pixels + Rates::tile_overhead_pixels * grid.tiles();
}

/// One source of a convolution step: the tensor, the window and the layer whose weights it uses.
struct StepTerm {
    Tensor source{};
    Window window{};
    int layer = -1, norm = -1;  ///< LayerInfo of the convolution and of the batch norm folded into it
    int groups = 1;
    int planes = 0;  ///< planes of the source that one panel of output channels reads; with groups, fewer than all
    int group_inputs = 0, group_outputs = 0;  ///< channels of a group
    constexpr bool exists() const { return source.exists(); }

    /// The first plane of the source that is read by output channels from block `output_block` on: with groups, the
    /// `planes` planes that contain the inputs of their groups.
    constexpr int first_plane(int output_block) const {
        if (groups == 1) return 0;
        const int first = output_block * channel_block / group_outputs * group_inputs / channel_block;
        return std::min(first, source.planes() - planes);
    }
};

/// A step of a network's program. Offsets into the weights are in floats; -1: there is none.
struct Step {
    OpKind kind{};
    const ElementwiseFunction* function = nullptr;  ///< of an `elementwise`
    int op = 0;                                     ///< index into the optimized program
    StepTerm terms[2]{};
    Tensor residual{}, target{}, activated{};
    int residual_stride = 1;
    int activated_norm = -1;
    bool relu = false, activated_relu = false;
    TileGrid grid{};
    WinogradGrid winograd{};  ///< of a convolution that is computed by Winograd
    int follower = -1;        ///< index of the step that runs strip by strip with this one (see run_chain)
    int panels = 0;           ///< of output channels
    long weights = -1;        ///< panels, one after the other
    long panel_floats = 0;
    long pair_floats = 0;       ///< floats that Strassen's algorithm stores for a pair of tiles; 0: a plain sum
    int pair_panels = 1;        ///< pairs of panels that Strassen's algorithm computes together
    long shift = -1;            ///< one float per output channel, added to the sums
    long activated_scale = -1;  ///< one float per output channel, followed by as many shifts
    long flat_channels = 0;     ///< features of a softmax or of a result

    constexpr const Tensor& source() const { return terms[0].source; }
    constexpr const Window& window() const { return terms[0].window; }
    /// The tensor whose shape is the step's output.
    constexpr const Tensor& result() const { return target.exists() ? target : activated; }
    /// Approximate bytes of source data read per tile; with Strassen's algorithm, of the stored sums of pixels.
    constexpr long tile_bytes(int blocks) const { return 4L * grid.big * panel_floats / (blocks * channel_block); }
};

inline namespace TENON_ISA_NAMESPACE {

/// Where a tile of a grid begins.
struct TilePlace {
    int y, x;  ///< in the grid's rows
    bool small;

    /// The same pixel in the map of the results, whose rows end where the grid has one long row.
    TilePlace in_results(const TileGrid& grid) const {
        return grid.wraps > 0 ? TilePlace{x / grid.wraps, x % grid.wraps, small} : *this;
    }
    /// The offset of this pixel, times a stride, in the first block of channels of a tensor.
    long offset_in(const Tensor& tensor, int stride = 1) const {
        return tensor.origin() + long{y} * stride * tensor.row() + long{x} * stride * channel_block;
    }
};

/// The place of tile `tile` of an image. Example: of 28 pixels as 10 + 9 + 9, tile 5 is at row 1, pixel 19, and small.
inline TilePlace place_of_tile(const TileGrid& grid, int tile) {
    if (grid.rows_per_tile > 1) {
        const int y = tile * grid.rows_per_tile;
        return {y, 0, y + grid.rows_per_tile > grid.rows};
    }
    const int k = tile % grid.per_row;
    const bool small = k >= grid.big_per_row;
    return {tile / grid.per_row, k * grid.big - (small ? k - grid.big_per_row : 0), small};
}

/// The addresses a step runs on: those of a group of images whose arenas follow each other in memory.
struct Frame {
    float* arena = nullptr;
    long image_floats = 0;  ///< floats of one image's arena
    const float* weights = nullptr;
    InputImages input{};      ///< the user's images
    float* output = nullptr;  ///< the user's results
    int images = 1;
    Workers* team = nullptr;
    float* scratch = nullptr;  ///< `scratch_floats` per worker
    long scratch_floats = 0;
    const Step* followers = nullptr;

    float* image(int index) const { return arena + index * image_floats; }
};

/// A kernel: runs a step for all images of a frame.
using StepFunction = void (*)(const Step&, const Frame&);

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
