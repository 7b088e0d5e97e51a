// The gradients of a convolution's or linear layer's parameters.
#pragma once

#include <tenon/backend/cpu/training_pack.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Input channels (or, of a planar source, taps of a row) whose products with a panel of output channels a tile sums up
/// in registers.
inline constexpr int gradient_inputs = lanes >= 16 ? 8 : 4;

/// What a tile of a weight gradient reads: a window of pixels of the gradient, and the source under one tap.
struct WeightTile {
    const float *source, *gradient;
    long source_image, gradient_image;  ///< from image to image
    long source_row, gradient_row;
    int source_column;
    long gradient_plane;
    int images, rows, width;
    float* sums;  ///< [Inputs][width of the panel], in memory between the chunks
    long sums_step;
};

/// Adds the products of all pixels of a chunk: sums[i][o] += source[i] * gradient[o].
template <int Inputs, int Blocks>
[[gnu::noinline]] void weight_tile(const WeightTile& a) {
    constexpr int vectors = Blocks * vectors_per_block;
    Vector sums[Inputs][vectors];
    TENON_UNROLL for (int i = 0; i < Inputs; ++i) TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[i][v] =
        load(a.sums + i * a.sums_step + v * lanes);
    for (int image = 0; image < a.images; ++image)
        for (int y = 0; y < a.rows; ++y) {
            const float* source = a.source + image * a.source_image + y * a.source_row;
            const float* gradient = a.gradient + image * a.gradient_image + y * a.gradient_row;
            for (int x = 0; x < a.width; ++x, source += a.source_column, gradient += block) {
                Vector g[vectors];
                TENON_UNROLL for (int v = 0; v < vectors; ++v) g[v] =
                    load(gradient + v / vectors_per_block * a.gradient_plane + v % vectors_per_block * lanes);
                TENON_UNROLL for (int i = 0; i < Inputs; ++i) {
                    const Vector value = broadcast(source[i]);
                    TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[i][v] = multiply_add(value, g[v], sums[i][v]);
                }
            }
        }
    TENON_UNROLL for (int i = 0; i < Inputs; ++i) TENON_UNROLL for (int v = 0; v < vectors; ++v)
        store(a.sums + i * a.sums_step + v * lanes, sums[i][v]);
}

/// The same for any number of inputs up to gradient_inputs.
template <int Blocks, int Inputs = gradient_inputs>
void weight_tile_of(int inputs, const WeightTile& tile) {
    if (inputs == Inputs) return weight_tile<Inputs, Blocks>(tile);
    if constexpr (Inputs > 1) weight_tile_of<Blocks, Inputs - 1>(inputs, tile);
}

/// How the pixels of a batch are cut into chunks that stay in the second level of cache while all tiles pass over them:
/// several images, or some rows of one. A function of the shapes alone.
struct GradientChunks {
    int images = 1, rows = 1;

    GradientChunks(const Tensor& source, const Tensor& gradient, const Window& window) {
        constexpr long limit = 768 << 10;
        const long bytes = 4 * (source.floats() + gradient.floats());
        rows = gradient.height;
        if (bytes <= limit)
            images = static_cast<int>(limit / bytes);
        else
            rows = static_cast<int>(std::clamp<long>(
                limit / (4L * (source.planes() * window.stride_height * static_cast<long>(source.row()) +
                               gradient.planes() * static_cast<long>(gradient.row()))),
                1, rows));
    }
};

/// The tiles of one weight gradient, numbered: per panel, plane of the source and tap the parts of a block of channels;
/// per panel, plane and row of taps the parts of the row if the source is planar.
struct WeightTiles {
    int parts, taps, planes, panels;

    explicit WeightTiles(const Step& step) {
        const StepTerm& term = step.terms[0];
        const bool planar = term.source.planar;
        parts = planar ? (term.window.kernel_width + gradient_inputs - 1) / gradient_inputs : block / gradient_inputs;
        taps = planar ? term.window.kernel_height : term.window.taps();
        planes = term.planes;
        panels = step.panels;
    }
    int count() const { return parts * taps * planes * panels; }
};

/// Adds one tile's products of a chunk to the packed gradient.
inline void run_weight_tile(const Step& step, const TrainingFrame& frame, const WeightTiles& tiles, int index,
                            int first_image, int images, int first_row, int rows) {
    const StepTerm& term = step.terms[0];
    const Tensor &source = term.source, &gradient = step.target;
    const Window& window = term.window;
    const int part = index % tiles.parts, tap = index / tiles.parts % tiles.taps;
    const int plane = index / tiles.parts / tiles.taps % tiles.planes,
              panel = index / tiles.parts / tiles.taps / tiles.planes;
    const int blocks = std::min(panel_blocks, gradient.planes() - panel * panel_blocks);
    const int first_input = part * gradient_inputs;
    const int ky = source.planar ? tap : tap / window.kernel_width,
              kx = source.planar ? first_input : tap % window.kernel_width;
    const int inputs = source.planar ? std::min(gradient_inputs, window.kernel_width - first_input) : gradient_inputs;
    const long depth = source.planar ? (static_cast<long>(plane) * window.kernel_height + ky) * window.kernel_width + kx
                                     : (static_cast<long>(plane) * window.taps() + tap) * block + first_input;
    WeightTile tile{};
    tile.source = frame.frame.image(first_image) + source.origin() +
                  static_cast<long>(term.first_plane(panel * panel_blocks) + plane) * source.plane() +
                  (static_cast<long>(first_row) * window.stride_height + ky - window.top) * source.row() +
                  static_cast<long>(kx - window.left) * source.pixel() + (source.planar ? 0 : first_input);
    tile.gradient = frame.at(gradient, first_image, panel * panel_blocks, first_row, 0);
    tile.source_image = tile.gradient_image = frame.frame.image_floats;
    tile.source_row = static_cast<long>(window.stride_height) * source.row();
    tile.gradient_row = gradient.row();
    tile.source_column = window.stride_width * source.pixel();
    tile.gradient_plane = gradient.plane();
    tile.images = images;
    tile.rows = rows;
    tile.width = gradient.width;
    tile.sums_step = blocks * block;
    tile.sums = frame.packed + panel * step.panel_floats + depth * blocks * block;
    if (blocks == panel_blocks)
        weight_tile_of<panel_blocks>(inputs, tile);
    else
        weight_tile_of<1>(inputs, tile);
}

/// The gradient of a bias: sums over the pixels of each image, then over the images in their order.
inline void run_bias_gradient(const Tensor& gradient, const TrainingFrame& frame, float* result) {
    frame.team().for_each(frame.frame.images * gradient.planes(), [&](int k) {
        const int image = k / gradient.planes(), plane = k % gradient.planes();
        float* partial = frame.partials + static_cast<long>(k) * 2 * block;
        for (int lane = 0; lane < block; lane += lanes) {
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
                sum += double{frame.partials[(static_cast<long>(image) * gradient.planes() + plane) * 2 * block + c]};
            result[first + c] = static_cast<float>(sum);
        }
    });
}

/// The gradients of a convolution's weights and bias. Each tile's sums run over all pixels of the batch in one order,
/// whoever computes it.
///
/// Law: bitwise the same for any number of threads (test: tests/train/cpu_training_test.cpp).
inline void run_weight_gradient(const TrainingStep& training, const TrainingFrame& frame) {
    const Step& step = training.step;
    const StepTerm& term = step.terms[0];
    const WeightTiles tiles{step};
    const GradientChunks chunks{term.source, step.target, term.window};
    const int height = step.target.height, batch = frame.frame.images;
    frame.team().for_each(step.panels, [&](int panel) {
        const int planes = std::min(panel_blocks, step.target.planes() - panel * panel_blocks);
        std::fill_n(frame.packed + panel * step.panel_floats, step.panel_floats / panel_blocks * planes, 0.0f);
    });
    frame.team().run([&](int rank, int size) {
        const Range mine = share(tiles.count(), rank, size);
        for (int image = 0; image < batch; image += chunks.images)
            for (int row = 0; row < height; row += chunks.rows)
                for (int tile = mine.begin; tile < mine.end; ++tile)
                    run_weight_tile(step, frame, tiles, tile, image, std::min(chunks.images, batch - image), row,
                                    std::min(chunks.rows, height - row));
    });
    float* gradient = frame.gradient(training.layer, 0);
    const long inputs = term.group_inputs;
    const int taps = term.window.taps();
    frame.team().for_each(step.panels, [&](int panel) {
        for_each_packed_weight(step, term, 0, panel, [&](int o, int i, int tap, long place) {
            gradient[(o * inputs + i) * taps + tap] = frame.packed[place];
        });
    });
    if (frame.has_bias(training.layer)) run_bias_gradient(step.target, frame, frame.gradient(training.layer, 1));
}

/// The gradients of a linear layer's weights and bias: the images in their order.
inline void run_linear_weight_gradient(const TrainingStep& training, const TrainingFrame& frame) {
    const Tensor &source = training.source(), &gradient = training.step.target;
    const long inputs = static_cast<long>(source.channels) * source.pixels();
    const bool flat = source.pixels() == 1 && !source.has_border();
    frame.team().for_each(gradient.channels, [&](int o) {
        float* row = frame.gradient(training.layer, 0) + o * inputs;
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
    if (frame.has_bias(training.layer)) run_bias_gradient(gradient, frame, frame.gradient(training.layer, 1));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
