#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The step of a convolution or linear layer of packed numbers: which tiles each worker computes, and where these are.

#include <tenon/backend/cpu/kernels/conv.hpp>
#include <tenon/backend/cpu/quantized/tile.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// The distance between the windows of neighboring output pixels: in bytes where the source is interleaved.
constexpr int source_column(const QuantizedStep& step) {
    const StepTerm& term = step.terms[0];
    if (!term.source.planar) return column_stride(term);
    return term.window.stride_width * term.group_inputs * bytes_of(step.source_codes.storage);
}

/// The tile of a step with `pixels` pixels in `rows` rows.
constexpr QuantizedTileSpec quantized_tile_spec(const QuantizedStep& step, int pixels, int rows, int blocks) {
    const bool several = rows > 1;
    const StepTerm& term = step.terms[0];
    QuantizedTileSpec spec{};
    spec.pixels = pixels;
    spec.rows = rows;
    spec.blocks = blocks;
    spec.interleaved = term.source.planar;
    spec.pointwise = term.window.is_pointwise() && !spec.interleaved && !has_dot4;
    spec.source_column = source_column(step);
    spec.source_row = several ? row_stride(term) * (spec.interleaved ? 4 : 1) : 0;
    spec.bytes = pack_of(step.source_codes.storage) == 4;
    spec.bfloat16 = step.source_codes.storage == Storage::bf16;
    if (step.residual.exists()) {
        spec.residual_column = step.residual_stride * channel_block;
        spec.residual_row = several ? step.residual_stride * step.residual.row() : 0;
        if (step.reads_residual_codes) spec.residual = step.residual_codes.storage;
    }
    const auto row_of = [&](bool exists, const Tensor& tensor) { return several && exists ? tensor.row() : 0; };
    spec.stores_target = step.stores_target;
    spec.stores_activated = step.stores_activated;
    spec.target_codes = step.target_codes.storage;
    spec.activated_codes = step.activated_codes.storage;
    spec.target_row = row_of(step.stores_target, step.target);
    spec.target_codes_row = row_of(step.target_codes.exist(), step.target_codes.tensor);
    spec.activated_row = row_of(step.stores_activated, step.activated);
    spec.activated_codes_row = row_of(step.activated_codes.exist(), step.activated_codes.tensor);
    spec.activates = step.activated.exists();
    spec.only_target_codes = step.only_target_codes();
    spec.only_activated_codes = step.only_activated_codes();
    spec.relu = step.relu;
    spec.activated_relu = step.activated_relu;
    spec.code_limit = step.target_codes.limit;
    spec.activated_limit = step.activated_codes.limit;
    spec.crossings = step.grid.crossings();
    return spec;
}

/// What decides the code of a step.
struct QuantizedConvSpec {
    QuantizedTileSpec big{}, small{};  ///< small.pixels is 0 if all tiles are big
    bool odd_panel = false;
};

constexpr QuantizedConvSpec quantized_conv_spec(const QuantizedStep& step) {
    const int small_rows = step.grid.rows_per_tile > 1 ? step.grid.small_rows : 1;
    return {quantized_tile_spec(step, step.grid.big, step.grid.rows_per_tile, panel_blocks),
            quantized_tile_spec(step, step.grid.small, small_rows, panel_blocks),
            step.result().planes() % panel_blocks != 0};
}

/// The same tile with one block of channels, for the last panel of an odd number of blocks.
constexpr QuantizedTileSpec odd_tile(QuantizedTileSpec spec) {
    spec.blocks = 1;
    return spec;
}

/// A kernel that computes one tile.
using QuantizedTileKernel = void (*)(const QuantizedTileArguments&);

template <QuantizedTileSpec Tile, bool Exists = true>
constexpr QuantizedTileKernel quantized_tile_kernel() {
    if constexpr (Exists && Tile.pixels > 0)
        return &quantized_tile<Tile>;
    else
        return nullptr;
}

/// The addresses that change with the image, tile and panel of a step.
class QuantizedCursor {
public:
    QuantizedCursor(const QuantizedStep& step, const Frame& frame) : step_{step}, frame_{frame} {
        const StepTerm& term = step.terms[0];
        const bool interleaved = term.source.planar;
        const bool pairs = step.source_codes.storage == Storage::bf16 && !multiplies_bfloat16 && !interleaved;
        const int group = pairs ? 2 : 1, planes = (term.planes + group - 1) / group;
        arguments_.planes = planes;
        arguments_.next_plane = term.source.plane();
        arguments_.plane = group * term.source.plane();
        arguments_.words = interleaved ? step.words : group * channel_block;
        arguments_.last_words = step.words - (planes - 1) * arguments_.words;
        arguments_.kernel_height = term.window.kernel_height;
        arguments_.kernel_width = interleaved ? 1 : term.window.kernel_width;
        arguments_.tap_row = term.source.row();
        arguments_.tap_column = term.source.pixel();
        arguments_.numbers = frame.weights + step.numbers;
        arguments_.tiles = 1;
        arguments_.width = step.grid.wraps;
        arguments_.wrap = 0;
        const int row = step.grid.wraps * channel_block;
        const auto shape = [&](QuantizedPlace& place, const Tensor& tensor) {
            place.plane = tensor.plane();
            place.gap = tensor.row() - row;
        };
        shape(arguments_.residual, step.residual);
        shape(arguments_.target, step.target);
        shape(arguments_.target_codes, step.target_codes.tensor);
        shape(arguments_.activated, step.activated);
        shape(arguments_.activated_codes, step.activated_codes.tensor);
    }

    void panel(int index) {
        panel_ = index;
        next_ = -1;
        const int channel = index * panel_blocks * channel_block;
        arguments_.weights = frame_.weights + step_.weights + index * step_.panel_floats;
        arguments_.factors = frame_.weights + step_.factors + channel;
        arguments_.shift = frame_.weights + step_.shift + channel;
        arguments_.scale = frame_.weights + step_.activated_scale + channel;
        arguments_.activated_shift = arguments_.scale + step_.activated.planes() * channel_block;
    }

    /// Moves to a tile, counted over all images of the frame; returns whether it is a small one.
    bool tile(int index, int tiles_per_image) {
        const TileGrid& grid = step_.grid;
        if (index == next_ && grid.rows_per_tile == 1 && in_row_ + arguments_.tiles < grid.per_row) {
            advance(arguments_.tiles * (in_row_ < grid.big_per_row ? grid.big : grid.small));
            in_row_ += arguments_.tiles;
        } else {
            const int in_image = index % tiles_per_image;
            in_row_ = in_image % grid.per_row;
            move(frame_.image(index / tiles_per_image), place_of_tile(grid, in_image));
        }
        next_ = index + 1;
        return grid.rows_per_tile > 1 ? (index % tiles_per_image + 1) * grid.rows_per_tile > grid.rows
                                      : in_row_ >= grid.big_per_row;
    }

    /// Moves to the tile of an image that begins at a place.
    void move(float* image, const TilePlace& place) {
        arguments_.source = window_at(image, place);
        const TilePlace result = place.in_results(step_.grid);
        if (step_.grid.wraps > 0) arguments_.wrap = step_.grid.wraps - result.x;
        const int block = panel_ * panel_blocks;
        const auto floats = [&](const Tensor& tensor, int stride) {
            return image + result.offset_in(tensor, stride) + long{block} * tensor.plane();
        };
        const auto codes = [&](const Codes& of, int stride) {
            return image + result.offset_in(of.tensor, stride) + block_offset(of.tensor, of.storage, block);
        };
        if (step_.residual.exists())
            arguments_.residual.at = step_.reads_residual_codes ? codes(step_.residual_codes, step_.residual_stride)
                                                                : floats(step_.residual, step_.residual_stride);
        if (step_.stores_target) arguments_.target.at = floats(step_.target, 1);
        if (step_.target_codes.exist()) arguments_.target_codes.at = codes(step_.target_codes, 1);
        if (step_.stores_activated) arguments_.activated.at = floats(step_.activated, 1);
        if (step_.activated_codes.exist()) arguments_.activated_codes.at = codes(step_.activated_codes, 1);
    }

    /// Chooses how many tiles a call computes, the one that it is at and, if the code for them `repeats`, others of its
    /// size after it in its row; returns their number. The first of `tiles` tiles share the prefetching of the next
    /// panel.
    int run(bool repeats, int tile, int tiles) {
        const TileGrid& grid = step_.grid;
        const bool fetches = fetch_next(1, tile, tiles);
        if (repeats) {
            const int in_row = (in_row_ < grid.big_per_row ? grid.big_per_row : grid.per_row) - in_row_;
            arguments_.tiles = std::min(in_row, (fetches ? sharers_of_fetch(tiles) : tiles) - tile);
        }
        next_ += arguments_.tiles - 1;
        return arguments_.tiles;
    }

    /// Spreads the prefetching of the next `panels` panels over the first of `tiles` tiles, as ConvCursor does; returns
    /// whether this tile takes part.
    bool fetch_next(int panels, int tile, int tiles) {
        const int sharers = sharers_of_fetch(tiles);
        const bool fetches = tile < sharers && panel_ + panels < step_.panels;
        const long floats = panels * step_.panel_floats;
        arguments_.next_weights = arguments_.weights + (fetches ? floats + tile * (floats / sharers) : 0);
        arguments_.next_stride = fetches ? std::max(panel_blocks * channel_block / sharers, 1) : 0;
        arguments_.tiles = 1;
        return fetches;
    }

    const QuantizedTileArguments& arguments() const { return arguments_; }

private:
    /// The first number of the window of an output pixel.
    const float* window_at(const float* image, const TilePlace& place) const {
        const StepTerm& term = step_.terms[0];
        if (!term.source.planar) return image + window_offset(term, place);
        const Tensor& source = term.source;
        const long row = long{source.top} - term.window.top + long{place.y} * term.window.stride_height;
        const int number = (source.left - term.window.left) * term.group_inputs;
        return moved_by_bytes(
            image + source.offset + row * source.row(),
            long{number} * bytes_of(step_.source_codes.storage) + long{place.x} * source_column(step_));
    }

    /// Moves `pixels` pixels on in the grid's row. A tile of a shallow convolution takes 300 cycles, and to find its
    /// place by divisions 50.
    void advance(int pixels) {
        QuantizedTileArguments& a = arguments_;
        int row_ends = 0;
        if (step_.grid.wraps > 0)
            for (a.wrap -= pixels; a.wrap <= 0; ++row_ends) a.wrap += step_.grid.wraps;
        const int distance = pixels * source_column(step_);
        a.source = step_.terms[0].source.planar ? moved_by_bytes(a.source, distance) : a.source + distance;
        const auto move = [&](QuantizedPlace& place, int stride) {
            place.at += pixels * stride * channel_block + row_ends * place.gap;
        };
        if (step_.residual.exists()) move(a.residual, step_.residual_stride);
        if (step_.stores_target) move(a.target, 1);
        if (step_.target_codes.exist()) move(a.target_codes, 1);
        if (step_.stores_activated) move(a.activated, 1);
        if (step_.activated_codes.exist()) move(a.activated_codes, 1);
    }

    const QuantizedStep& step_;
    const Frame& frame_;
    int panel_ = 0;
    int next_ = -1, in_row_ = 0;  ///< the tile after the one that it is at, and that one's place in its row
    QuantizedTileArguments arguments_{};
};

/// Zeroes this worker's share of the borders of all that a step stores.
inline void zero_stored_borders(const QuantizedStep& step, const Frame& frame, int worker, int size) {
    const auto clear = [&](const Tensor& tensor) {
        if (!tensor.has_border()) return;
        const Range planes = share(tensor.planes(), worker, size);
        for (int i = 0; i < frame.images; ++i) zero_border(tensor, frame.image(i), planes.begin, planes.end);
    };
    if (step.stores_target) clear(step.target);
    if (step.stores_activated) clear(step.activated);
    if (step.target_codes.exist()) clear(step.target_codes.tensor);
    if (step.activated_codes.exist()) clear(step.activated_codes.tensor);
}

/// Runs a convolution or linear layer of packed numbers.
template <QuantizedConvSpec S>
void run_quantized_conv(const QuantizedStep& step, const Frame& frame) {
    static constexpr bool has_odd_panel = S.odd_panel && panel_blocks > 1;
    static constexpr QuantizedTileKernel kernels[2][2] = {
        {quantized_tile_kernel<S.big>(), quantized_tile_kernel<odd_tile(S.big), has_odd_panel>()},
        {quantized_tile_kernel<S.small>(), quantized_tile_kernel<odd_tile(S.small), has_odd_panel>()},
    };
    const WorkParts parts = conv_parts(step, frame.images, frame.team->size(), 1);
    const auto tasks_of = [&](int part) { return parts.tasks(part); };
    frame.team->run_tasks(parts.count(), tasks_of, [&](WorkerTasks& tasks) {
        zero_stored_borders(step, frame, tasks.worker, tasks.workers);
        QuantizedCursor cursor{step, frame};
        const int per_image = step.grid.tiles();
        while (const Task task = tasks.next()) {
            const WorkParts::Area area = parts.area(task);
            for (int panel = area.panels.begin; panel < area.panels.end; ++panel) {
                const bool odd = has_odd_panel && panel == step.panels - 1;
                cursor.panel(panel);
                for (int tile = area.tiles.begin; tile < area.tiles.end;) {
                    const bool small = cursor.tile(tile, per_image);
                    tile += cursor.run(S.big.repeats(), tile - area.tiles.begin, area.tiles.size());
                    kernels[small ? 1 : 0][odd ? 1 : 0](cursor.arguments());
                }
            }
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
