#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Where the register tiles of a convolution step are in memory.

#include <tenon/backend/cpu/kernels/tile.hpp>
#include <tenon/backend/cpu/layout/step.hpp>

namespace tenon::cpu {

inline namespace TENON_ISA_NAMESPACE {

/// The offset of the first pixel that a tile reads of a source, in its first plane.
inline long window_offset(const StepTerm& term, const TilePlace& place) {
    return term.source.origin() - term.window.top * long{term.source.row()} -
           long{term.window.left} * term.source.pixel() + long{place.y} * row_stride(term) +
           long{place.x} * column_stride(term);
}

/// How many of a panel's first tiles share the prefetching of the next one: too many misses at once would stall the
/// loads of the current panel.
inline int sharers_of_fetch(int tiles) { return tiles >= 8 ? 8 : tiles >= 4 ? 4 : tiles >= 2 ? 2 : 1; }

/// The addresses that change with the image, tile and panel of a convolution step.
class ConvCursor {
public:
    [[gnu::noinline]] ConvCursor(const Step& step, const Frame& frame) : step_{step}, frame_{frame} {
        for (int i = 0; i < 2; ++i) {
            const StepTerm& term = step.terms[i];
            if (!term.exists()) continue;
            arguments_.terms[i] = {.source = nullptr,
                                   .planes = term.planes,
                                   .plane = term.source.plane(),
                                   .kernel_height = term.window.kernel_height,
                                   .kernel_width = term.window.kernel_width,
                                   .tap_row = term.source.row(),
                                   .tap_column = term.source.pixel()};
        }
        arguments_.residual_plane = step.residual.plane();
        arguments_.target_plane = step.target.plane();
        arguments_.activated_plane = step.activated.plane();
        arguments_.width = step.grid.wraps;
        const int row = step.grid.wraps * channel_block;
        arguments_.residual_gap = step.residual.row() - row;
        arguments_.target_gap = step.target.row() - row;
        arguments_.activated_gap = step.activated.row() - row;
    }

    /// Tells where the strip that the step writes or reads is: `memory` holds its rows from `first_row` on.
    void strip(float* memory, int first_row) {
        for (const Tensor* tensor : {&step_.source(), &step_.target, &step_.activated})
            if (tensor->is_strip()) strip_ = memory - long{first_row} * tensor->row();
    }

    /// Moves to a panel of output channels; the next panel is prefetched while the first tiles are computed.
    void panel(int index) {
        panel_ = index;
        const float* weights = frame_.weights + step_.weights + index * step_.panel_floats;
        const int channel = index * panel_blocks * channel_block;
        arguments_.weights = weights;
        arguments_.shift = frame_.weights + step_.shift + channel;
        if (step_.activated.exists()) {
            arguments_.activated_scale = frame_.weights + step_.activated_scale + channel;
            arguments_.activated_shift = arguments_.activated_scale + step_.activated.planes() * channel_block;
        }
    }

    /// Moves to a tile, counted over all images of the frame; returns whether it is a small one.
    bool tile(int index, int tiles_per_image) {
        float* image = frame_.image(index / tiles_per_image);
        const TilePlace place = place_of_tile(step_.grid, index % tiles_per_image);
        const int first = panel_ * panel_blocks;
        for (int i = 0; i < 2; ++i) {
            const StepTerm& term = step_.terms[i];
            if (term.exists())
                arguments_.terms[i].source = base(term.source, image) + window_offset(term, place) +
                                             long{term.first_plane(first)} * term.source.plane();
        }
        const TilePlace result = place.in_results(step_.grid);
        if (step_.grid.wraps > 0) arguments_.wrap = step_.grid.wraps - result.x;
        const auto at = [&](const Tensor& tensor, int stride) {
            return base(tensor, image) + result.offset_in(tensor, stride) + long{first} * tensor.plane();
        };
        if (step_.residual.exists()) arguments_.residual = at(step_.residual, step_.residual_stride);
        if (step_.target.exists()) arguments_.target = at(step_.target, 1);
        if (step_.activated.exists()) arguments_.activated = at(step_.activated, 1);
        return place.small;
    }

    /// Spreads the prefetching of the next panel over the first of `tiles` tiles.
    void fetch_next(int tile, int tiles) {
        const int sharers = sharers_of_fetch(tiles);
        const int next = panel_ + 1 < step_.panels ? 1 : 0;
        arguments_.next_weights = arguments_.weights + next * step_.panel_floats;
        arguments_.next_stride = 0;
        if (tile < sharers && next > 0) {
            arguments_.next_weights += tile * (step_.panel_floats / sharers);
            arguments_.next_stride = std::max(panel_blocks * channel_block / sharers, 1);
        }
    }

    /// The step's packed weights.
    const float* weights() const { return frame_.weights + step_.weights; }

    const TileArguments& arguments() const { return arguments_; }

private:
    float* base(const Tensor& tensor, float* image) const { return tensor.is_strip() ? strip_ : image; }

    const Step& step_;
    const Frame& frame_;
    float* strip_ = nullptr;
    int panel_ = 0;
    TileArguments arguments_{};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
