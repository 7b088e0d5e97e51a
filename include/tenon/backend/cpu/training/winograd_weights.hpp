#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The gradient of a 3x3 convolution's weights by Winograd's algorithm, transposed: at each point, a sum of products
// over the tiles of a shard's images; a quarter of the plain sum's multiplications for F(4x4, 3x3).

#include <algorithm>

#include <tenon/backend/cpu/plan/winograd_gradient_parts.hpp>
#include <tenon/backend/cpu/training/weights.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// The gradient of the weights of one convolution by F(M x M, 3x3), computed from the step's first source and its
/// target, the gradient of the results.
template <int M>
class WinogradWeightGradient {
public:
    WinogradWeightGradient(const TrainingStep& training, const TrainingFrame& frame)
        : training_{training},
          frame_{frame},
          source_{training.source()},
          gradient_{training.target()},
          grid_{training.step.winograd},
          panels_{(gradient_.planes() + panel_blocks - 1) / panel_blocks},
          shards_{GradientSums{training.step}, frame.frame.images, frame.team().size()} {}

    void run() const {
        const GradientSplit split = choose_gradient_split(n, source_.planes(), panels_, shards_.parts);
        frame_.team().run_items(shards_.count * split.count(), [&](WorkerItems& items) {
            for (int i = items.next(); i >= 0; i = items.next())
                run_part(split.part(i % split.count(), n, source_.planes(), panels_), i / split.count(), items.worker,
                         items.workers);
        });
        frame_.team().for_each(panels_ * source_.planes(), [&](int unit) { write_gradient(unit); });
    }

private:
    static constexpr int n = M + 2;
    static constexpr int width = panel_blocks * channel_block;  // floats of a panel's sums, also of the last one's

    /// The transformed tiles of a part: `tiles` tiles, at its points, of its planes of the source, then of the
    /// gradient. Points have one cache line more between them than needed, as powers of two would share cache sets.
    struct Room {
        GradientPart part;
        Range blocks;  ///< blocks of the gradient's channels
        int tiles;
        float* sources;

        long source_point() const { return std::ssize(part.planes) * tiles * channel_block + channel_block; }
        long gradient_point() const { return std::ssize(blocks) * tiles * channel_block + channel_block; }
        float* gradients() const { return sources + part.rows.size() * n * source_point(); }
        float* source(int point, int plane) const {
            return sources + point * source_point() + long{plane} * tiles * channel_block;
        }
        float* gradient(int point, int of_blocks) const {
            return gradients() + point * gradient_point() + long{of_blocks} * tiles * channel_block;
        }
    };

    /// The sums at a point, of a panel and a plane of the source.
    float* sums(int shard, int point, int panel, int plane) const {
        return frame_.packed + shard * shards_.floats +
               ((long{point} * panels_ + panel) * source_.planes() + plane) * channel_block * width;
    }

    /// Computes a worker's part, in its share of the memory for transformed tiles.
    void run_part(const GradientPart& part, int shard, int worker, int size) const {
        const long floats = frame_.transformed_floats / size / channel_block * channel_block;
        const Range blocks{part.panels.begin * panel_blocks,
                           std::min(part.panels.end * panel_blocks, gradient_.planes())};
        const int planes = part.planes.size() + blocks.size();
        const int tiles = tiles_in(floats, part.rows.size() * n, planes);
        const Range images = shards_.images_of(shard);
        const Range all{images.begin * grid_.tiles(), images.end * grid_.tiles()};
        const Room room{part, blocks, std::min(tiles, all.size()), frame_.transformed + worker * floats};
        for (int first = all.begin; first < all.end; first += room.tiles) {
            const Range chunk{first, std::min(first + room.tiles, all.end)};
            for (int tile = chunk.begin; tile < chunk.end; ++tile) transform(room, tile, tile - chunk.begin);
            for (int point = 0; point < part.rows.size() * n; ++point)
                for (int panel = part.panels.begin; panel < part.panels.end; ++panel)
                    add_products(room, shard, point, panel, chunk.size(), first == all.begin);
        }
    }

    /// Transforms a tile of the map into place `to` of the room.
    void transform(const Room& room, int tile, int to) const {
        const Window& window = training_.step.window();
        const int in_image = tile % grid_.tiles(), image = tile / grid_.tiles();
        const int y = in_image / grid_.across * M, x = in_image % grid_.across * M;
        const int rows = std::min(M, gradient_.height - y), columns = std::min(M, gradient_.width - x);
        const Range planes = room.part.planes;
        for (int plane = planes.begin; plane < planes.end; ++plane)
            for (int lane = 0; lane < channel_block; lane += vector_width)
                transform_window_rows<M>(frame_.at(source_, image, plane, y - window.top, x - window.left) + lane,
                                         source_.row(), room.part.rows.begin, room.part.rows.end,
                                         room.source(0, plane - planes.begin) + to * channel_block + lane,
                                         room.source_point());
        for (int i = room.blocks.begin; i < room.blocks.end; ++i)
            for (int lane = 0; lane < channel_block; lane += vector_width)
                transform_gradient_rows<M>(frame_.at(gradient_, image, i, y, x) + lane, gradient_.row(), rows, columns,
                                           room.part.rows.begin, room.part.rows.end,
                                           room.gradient(0, i - room.blocks.begin) + to * channel_block + lane,
                                           room.gradient_point());
    }

    /// Adds the products of `count` tiles to the sums at one of the part's points, of one panel.
    void add_products(const Room& room, int shard, int point, int panel, int count, bool begins) const {
        const Range planes = room.part.planes;
        const bool odd = gradient_.planes() - panel * panel_blocks < panel_blocks;
        WeightTile tile{};
        tile.gradient = room.gradient(point, panel * panel_blocks - room.blocks.begin);
        tile.source_column = channel_block;
        tile.gradient_plane = static_cast<long>(room.tiles) * channel_block;
        tile.images = tile.rows = 1;
        tile.width = count;
        tile.begins = begins;
        tile.sums_stride = width;
        for (int plane = planes.begin; plane < planes.end; ++plane)
            for (int input = 0; input < channel_block; input += gradient_inputs) {
                tile.source = tile.next = room.source(point, plane - planes.begin) + input;
                tile.sums = sums(shard, room.part.rows.begin * n + point, panel, plane) + input * width;
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
        const int inputs = std::min(channel_block, source_.channels - plane * channel_block);
        const long point = long{panels_} * source_.planes() * channel_block * width;
        alignas(64) float taps[channel_block][9][width];
        for (int p = 0; p < n * n; ++p)
            shards_.add_up(frame_.packed, sums(0, p, panel, plane) - frame_.packed, channel_block * width);
        for (int i = 0; i < inputs; ++i)
            for (int o = 0; o < outputs; o += vector_width)
                transform_filter_gradient<M>(sums(0, 0, panel, plane) + i * width + o, point, taps[i][0] + o, width);
        float* const gradient = frame_.gradient(training_.layer, ParameterRole::weight);
        for (int o = 0; o < outputs; ++o) {
            float* to = gradient + (long{first + o} * source_.channels + plane * channel_block) * 9;
            for (int i = 0; i < inputs; ++i)
                for (int tap = 0; tap < 9; ++tap) *to++ = taps[i][tap][o];
        }
    }

    const TrainingStep& training_;
    const TrainingFrame& frame_;
    const Tensor &source_, &gradient_;
    const WinogradGrid& grid_;
    int panels_;
    GradientShards shards_;
};

/// The gradients of a 3x3 convolution's weights, by Winograd, and of its bias. The sums at a point run over all tiles
/// of a shard in one order, whichever worker computes them, and then over the shards.
///
/// Law: bitwise the same for any number of threads (test: tests/train/cpu_training_test.cpp).
template <int M>
void run_winograd_weight_gradient(const TrainingStep& training, const TrainingFrame& frame) {
    WinogradWeightGradient<M>{training, frame}.run();
    if (float* const bias = frame.gradient(training.layer, ParameterRole::bias))
        run_bias_gradient(training.step.target, frame, bias);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
