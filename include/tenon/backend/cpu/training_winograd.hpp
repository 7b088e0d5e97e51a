// The gradient of a 3x3 convolution's weights by Winograd's algorithm, transposed: a sum of products over the tiles of
// all images at each point, a quarter of the plain sum's for F(4x4, 3x3).
#pragma once

#include <tenon/backend/cpu/training_weights.hpp>

namespace tenon {

/// Tiles that are transformed together, a function of the shapes alone: the transformed values stay in the last level
/// of cache, but the sums are added to seldom where they are many.
constexpr int gradient_chunk(const WinogradGrid& grid, int planes) {
    const long tile_bytes = 64L * grid.points() * planes;
    const long fit = (8L << 20) / tile_bytes;
    return static_cast<int>(fit < 128 ? 128 : fit);
}

/// Floats of a batch's transformed tiles, at most those of a chunk.
constexpr long gradient_chunk_floats(const WinogradGrid& grid, int planes, long tiles) {
    const long most = gradient_chunk(grid, planes);
    return grid.points() * (16L * (tiles < most ? tiles : most) * planes + 32);
}

inline namespace TENON_ISA_NAMESPACE {

/// The gradient of the weights of one convolution by F(M x M, 3x3): the step's first source and its target, the
/// gradient of the results.
template <int M>
class WinogradWeightGradient {
public:
    WinogradWeightGradient(const TrainingStep& training, const TrainingFrame& frame)
        : training_{training},
          frame_{frame},
          source_{training.source()},
          gradient_{training.target()},
          grid_{training.step.winograd},
          tiles_{grid_.tiles() * frame.frame.images},
          room_{std::min(tiles_, gradient_chunk(grid_, source_.planes() + gradient_.planes()))} {}

    void run() const {
        for (int first = 0; first < tiles_; first += room_) {
            const Range chunk{first, std::min(first + room_, tiles_)};
            frame_.team().for_each(chunk.size(), [&](int i) { transform(chunk, i); });
            frame_.team().for_each(points * panels() * source_.planes(), [&](int unit) { add_products(unit, chunk); });
        }
        frame_.team().for_each(panels() * source_.planes(), [&](int unit) { write_gradient(unit); });
    }

private:
    static constexpr int points = (M + 2) * (M + 2);
    static constexpr int width = panel_blocks * block;  // of a panel's sums, also of the last one's

    int panels() const { return (gradient_.planes() + panel_blocks - 1) / panel_blocks; }
    /// From point to point: a line more than needed, as powers of two would share cache sets.
    long source_point() const { return static_cast<long>(source_.planes()) * room_ * block + block; }
    long gradient_point() const { return static_cast<long>(gradient_.planes()) * room_ * block + block; }
    float* sources() const { return frame_.transformed; }
    float* gradients() const { return frame_.transformed + points * source_point(); }
    /// Sums of a unit: a point of a panel and a plane of the source.
    float* sums(int unit) const { return frame_.packed + static_cast<long>(unit) * block * width; }

    /// Transforms tile `i` of a chunk.
    void transform(Range chunk, int i) const {
        const Window& window = training_.step.window();
        const int tile = chunk.begin + i, in_image = tile % grid_.tiles(), image = tile / grid_.tiles();
        const int y = in_image / grid_.across * M, x = in_image % grid_.across * M;
        const int rows = std::min(M, gradient_.height - y), columns = std::min(M, gradient_.width - x);
        for (int plane = 0; plane < source_.planes(); ++plane) {
            const float* from = frame_.at(source_, image, plane, y - window.top, x - window.left);
            float* to = sources() + (static_cast<long>(plane) * room_ + i) * block;
            for (int lane = 0; lane < block; lane += lanes)
                transform_window<M>(from + lane, source_.row(), to + lane, source_point());
        }
        for (int plane = 0; plane < gradient_.planes(); ++plane) {
            const float* from = frame_.at(gradient_, image, plane, y, x);
            float* to = gradients() + (static_cast<long>(plane) * room_ + i) * block;
            for (int lane = 0; lane < block; lane += lanes)
                transform_gradient<M>(from + lane, gradient_.row(), rows, columns, to + lane, gradient_point());
        }
    }

    /// Adds a chunk's products to the sums of a unit. Units of a point follow each other: what they read stays close.
    void add_products(int unit, Range chunk) const {
        const int plane = unit % source_.planes(), panel = unit / source_.planes() % panels(),
                  point = unit / source_.planes() / panels();
        WeightTile tile{};
        tile.gradient =
            gradients() + point * gradient_point() + static_cast<long>(panel) * panel_blocks * room_ * block;
        tile.source_column = block;
        tile.gradient_plane = static_cast<long>(room_) * block;
        tile.images = tile.rows = 1;
        tile.width = chunk.end - chunk.begin;
        tile.begins = chunk.begin == 0;
        tile.sums_step = width;
        const bool odd = gradient_.planes() - panel * panel_blocks < panel_blocks;
        for (int input = 0; input < block; input += gradient_inputs) {
            tile.source = sources() + point * source_point() + static_cast<long>(plane) * room_ * block + input;
            tile.sums = sums(unit) + input * width;
            tile.next = tile.source;
            if (odd)
                weight_tile<gradient_inputs, 1>(tile);
            else
                weight_tile<gradient_inputs, panel_blocks>(tile);
        }
    }

    /// Transforms the sums of a panel and a plane back into the gradient, [output][input][3][3].
    void write_gradient(int unit) const {
        const int plane = unit % source_.planes(), panel = unit / source_.planes();
        const int first = panel * width, outputs = std::min(width, gradient_.channels - first);
        const long point = static_cast<long>(panels()) * source_.planes() * block * width;
        const int inputs = std::min(block, source_.channels - plane * block);
        alignas(64) float taps[block][9][width];
        for (int i = 0; i < inputs; ++i)
            for (int o = 0; o < outputs; o += lanes)
                transform_filter_gradient<M>(sums(unit) + i * width + o, point, taps[i][0] + o, width);
        float* const gradient = frame_.gradient(training_.layer, 0);
        for (int o = 0; o < outputs; ++o) {
            float* to = gradient + (static_cast<long>(first + o) * source_.channels + plane * block) * 9;
            for (int i = 0; i < inputs; ++i)
                for (int tap = 0; tap < 9; ++tap) *to++ = taps[i][tap][o];
        }
    }

    const TrainingStep& training_;
    const TrainingFrame& frame_;
    const Tensor &source_, &gradient_;
    const WinogradGrid& grid_;
    int tiles_, room_;
};

/// The gradients of a 3x3 convolution's weights, by Winograd, and bias. Each point's sums run over all tiles of the
/// batch in one order, whoever computes it.
///
/// Law: bitwise the same for any number of threads (test: tests/train/cpu_training_test.cpp).
template <int M>
void run_winograd_weight_gradient(const TrainingStep& training, const TrainingFrame& frame) {
    WinogradWeightGradient<M>{training, frame}.run();
    if (frame.has_bias(training.layer))
        run_bias_gradient(training.step.target, frame, frame.gradient(training.layer, 1));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
