#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The gradients of a convolution's or linear layer's parameters.

#include <algorithm>

#include <tenon/backend/cpu/plan/gradient_shards.hpp>
#include <tenon/backend/cpu/training/pack.hpp>
#include <tenon/backend/cpu/training/weight_tile.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Some images of a batch, and some rows of each of them.
struct Pixels {
    Range images, rows;
};

/// How the pixels of a batch are cut into chunks that stay in the last-level cache while all tiles pass over them:
/// several images, or some rows of one. Depends on the shapes alone.
class GradientChunks {
public:
    GradientChunks(const Tensor& source, const Tensor& gradient, const Window& window, Range images)
        : all_{images}, height_{gradient.height} {
        constexpr long limit = CacheShare::gradient_pixels;
        const long row_bytes = 4L * (source.planes() * window.stride_height * long{source.row()} +
                                     gradient.planes() * long{gradient.row()});
        const long image_bytes = 4 * (source.floats() + gradient.floats());
        if (image_bytes <= limit)
            images_ = static_cast<int>(limit / image_bytes);
        else
            parts_ = static_cast<int>((height_ - 1) / std::max(1L, limit / row_bytes)) + 1;
    }

    int count() const { return (all_.size() + images_ - 1) / images_ * parts_; }
    Pixels operator[](int index) const {
        const int image = all_.begin + index / parts_ * images_;
        return {{image, std::min(image + images_, all_.end)}, share(height_, index % parts_, parts_)};
    }

private:
    Range all_;
    int height_;
    int images_ = 1, parts_ = 1;
};

/// The tiles of one weight gradient. From the outside in: panels of output channels, planes of the source, taps, parts
/// of a block of input channels; of a planar source panels, planes, rows of taps, parts of such a row.
///
/// Example, 3x3 taps, 64 -> 32 channels, with gradient_inputs = 8 and panels of 32: 1 panel x 4 planes x 9 taps x 2
/// parts = 72 tiles; tiles[21] -> part 1, tap 1, plane 1, panel 0.
struct WeightTiles {
    struct Index {
        int part, tap, plane, panel;
    };

    int parts, taps, planes, panels;

    explicit WeightTiles(const Step& step) {
        const StepTerm& term = step.terms[0];
        const bool planar = term.source.planar;
        parts = planar ? (term.window.kernel_width + gradient_inputs - 1) / gradient_inputs
                       : channel_block / gradient_inputs;
        taps = planar ? term.window.kernel_height : term.window.taps();
        planes = term.planes;
        panels = step.panels;
    }
    int count() const { return parts * taps * planes * panels; }
    Index operator[](int tile) const {
        return {tile % parts, tile / parts % taps, tile / parts / taps % planes, tile / parts / taps / planes};
    }
};

/// Adds one tile's products of a chunk to the packed gradient. Meanwhile it prefetches the next plane of the source
/// and, towards the end of a panel, what the next panel begins with.
inline void run_weight_tile(const Step& step, const TrainingFrame& frame, const WeightTiles& tiles, int index,
                            const Pixels& pixels, float* sums, bool begins) {
    const StepTerm& term = step.terms[0];
    const Tensor &source = term.source, &gradient = step.target;
    const Window& window = term.window;
    const auto [part, tap, plane, panel] = tiles[index];
    const int blocks = std::min(panel_blocks, gradient.planes() - panel * panel_blocks);
    const int first_input = part * gradient_inputs;
    const int ky = source.planar ? tap : tap / window.kernel_width,
              kx = source.planar ? first_input : tap % window.kernel_width;
    const int inputs = source.planar ? std::min(gradient_inputs, window.kernel_width - first_input) : gradient_inputs;
    const long depth = source.planar ? (long{plane} * window.kernel_height + ky) * window.kernel_width + kx
                                     : (long{plane} * window.taps() + tap) * channel_block + first_input;
    const int first_image = pixels.images.begin, first_row = pixels.rows.begin;
    WeightTile tile{};
    tile.source = frame.frame.image(first_image) + source.origin() +
                  long{term.first_plane(panel * panel_blocks) + plane} * source.plane() +
                  (long{first_row} * window.stride_height + ky - window.top) * source.row() +
                  long{kx - window.left} * source.pixel() + (source.planar ? 0 : first_input);
    tile.gradient = frame.at(gradient, first_image, panel * panel_blocks, first_row, 0);
    tile.source_image = tile.gradient_image = frame.frame.image_floats;
    tile.source_row = long{window.stride_height} * source.row();
    tile.gradient_row = gradient.row();
    tile.source_column = window.stride_width * source.pixel();
    tile.gradient_plane = gradient.plane();
    tile.images = pixels.images.size();
    tile.rows = pixels.rows.size();
    tile.width = gradient.width;
    tile.begins = begins;
    tile.next = tile.source;
    const int planes_left = tiles.planes - 1 - plane;
    if (source.planar) {
        tile.next_stride = 0;
    } else if (tap == 0 && part == 0) {
        tile.next += (planes_left > 0 ? 1 : -plane) * long{source.plane()};
        tile.next_stride = channel_block;
    } else if (tap == tiles.taps - 1 && part == tiles.parts - 1 && planes_left < panel_blocks) {
        tile.next = tile.gradient + (panel_blocks + planes_left) * long{gradient.plane()};
        tile.next_stride = channel_block;
    }
    tile.sums_stride = blocks * channel_block;
    tile.sums = sums + panel * step.panel_floats + depth * blocks * channel_block;
    if (blocks == panel_blocks)
        weight_tile_of<panel_blocks>(inputs, tile);
    else
        weight_tile_of<1>(inputs, tile);
}

/// The gradient of a bias: sums over the pixels of each image, then over the images in order.
inline void run_bias_gradient(const Tensor& gradient, const TrainingFrame& frame, float* result) {
    frame.team().for_each(frame.frame.images * gradient.planes(), [&](int k) {
        const int image = k / gradient.planes(), plane = k % gradient.planes();
        float* partial = frame.partials + long{k} * 2 * channel_block;
        for (int lane = 0; lane < channel_block; lane += vector_width) {
            Vector sum = zero();
            for (int y = 0; y < gradient.height; ++y) {
                Vector row = zero();
                for (int x = 0; x < gradient.width; ++x)
                    row = add(row, load(frame.at(gradient, image, plane, y, x) + lane));
                sum = add(sum, row);
            }
            store(partial + lane, sum);
        }
    });
    for_each_block(frame, gradient, [&](int plane, int first, int channels) {
        for (int c = 0; c < channels; ++c) {
            double sum = 0;
            for (int image = 0; image < frame.frame.images; ++image)
                sum += double{frame.partials[(long{image} * gradient.planes() + plane) * 2 * channel_block + c]};
            result[first + c] = static_cast<float>(sum);
        }
    });
}

/// Adds up the packed sums of all shards, and stores them as the gradients of a layer's weights; computes that of its
/// bias.
inline void unpack_weight_gradient(const TrainingStep& training, const TrainingFrame& frame,
                                   const GradientShards& shards) {
    const Step& step = training.step;
    const StepTerm& term = step.terms[0];
    float* gradient = frame.gradient(training.layer, ParameterRole::weight);
    const long inputs = term.group_inputs;
    const int taps = term.window.taps();
    frame.team().for_each(step.panels, [&](int panel) {
        const int planes = std::min(panel_blocks, step.target.planes() - panel * panel_blocks);
        shards.add_up(frame.packed, panel * step.panel_floats, step.panel_floats / panel_blocks * planes);
        for_each_packed_block(step, term, 0, panel, [&](const PackedBlock& from) {
            for (int o = from.begin; o < from.end; ++o) {
                float* to = gradient + (o * inputs + from.input) * taps;
                for (int i = 0; i < from.inputs; ++i)
                    for (int tap = 0; tap < taps; ++tap) *to++ = frame.packed[from.at(o, i, tap)];
            }
        });
    });
    if (float* const bias = frame.gradient(training.layer, ParameterRole::bias))
        run_bias_gradient(step.target, frame, bias);
}

/// The gradients of weights and bias. The sums of a tile run over all pixels of a shard in one order, whichever worker
/// computes them, and then over the shards. `run_tile(tiles, tile, pixels, sums, begins)` adds one tile's products;
/// `images` is how many images, or pairs of these, it counts.
template <class RunTile>
void add_weight_tiles(const TrainingStep& training, const TrainingFrame& frame, int images, const RunTile& run_tile) {
    const Step& step = training.step;
    const StepTerm& term = step.terms[0];
    const WeightTiles tiles{step};
    const GradientShards shards{GradientSums{step}, images, frame.team().size()};
    frame.team().run_items(shards.count * shards.parts, [&](WorkerItems& items) {
        for (int item = items.next(); item >= 0; item = items.next()) {
            const int shard = item / shards.parts;
            const Range mine = share(tiles.count(), item % shards.parts, shards.parts);
            const GradientChunks chunks{term.source, step.target, term.window, shards.images_of(shard)};
            for (int chunk = 0; chunk < chunks.count(); ++chunk)
                for (int tile = mine.begin; tile < mine.end; ++tile)
                    run_tile(tiles, tile, chunks[chunk], frame.packed + shard * shards.floats, chunk == 0);
        }
    });
    unpack_weight_gradient(training, frame, shards);
}

/// The gradients of a convolution's weights and bias.
///
/// Law: bitwise the same for any number of threads (test: tests/train/cpu_training_test.cpp).
inline void run_weight_gradient(const TrainingStep& training, const TrainingFrame& frame) {
    add_weight_tiles(training, frame, frame.frame.images,
                     [&](const WeightTiles& tiles, int tile, const Pixels& pixels, float* sums, bool begins) {
                         run_weight_tile(training.step, frame, tiles, tile, pixels, sums, begins);
                     });
}

/// The gradients of a linear layer's weights and bias: sums over the images in order.
inline void run_linear_weight_gradient(const TrainingStep& training, const TrainingFrame& frame) {
    const Tensor &source = training.source(), &gradient = training.step.target;
    const long inputs = long{source.channels} * source.pixels();
    const bool flat = source.pixels() == 1 && !source.has_border();
    float* const weight = frame.gradient(training.layer, ParameterRole::weight);
    frame.team().for_each(gradient.channels, [&](int o) {
        float* row = weight + o * inputs;
        std::fill_n(row, inputs, 0.0f);
        for (int image = 0; image < frame.frame.images; ++image) {
            const float g = frame.frame.image(image)[gradient.origin() + o];
            const float* values = frame.frame.image(image) + source.offset;
            if (flat)
                for (long i = 0; i < inputs; ++i) row[i] += g * values[i];
            else
                for_each_feature(source, [&](long feature, long place) { row[feature] += g * values[place]; });
        }
    });
    if (float* const bias = frame.gradient(training.layer, ParameterRole::bias))
        run_bias_gradient(gradient, frame, bias);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
