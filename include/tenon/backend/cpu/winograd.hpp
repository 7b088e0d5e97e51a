// The Winograd convolution step: transform windows, one small matrix product per point on the register tiles, transform
// back.
#pragma once

#include <tenon/backend/cpu/conv.hpp>
#include <tenon/backend/cpu/winograd_transform.hpp>

namespace tenon {

/// What decides the code of a Winograd step.
struct WinogradSpec {
    int m = 4;
    int tile = 1;  ///< Winograd tiles of a register tile
    bool has_residual = false, has_target = true, has_activated = false;
    bool relu = false, activated_relu = false;
    bool odd_panel = false;
};

inline namespace TENON_ISA_NAMESPACE {

constexpr WinogradSpec winograd_spec(const Step& step) {
    return {step.winograd.m,         step.winograd.tile,
            step.residual.exists(),  step.target.exists(),
            step.activated.exists(), step.relu,
            step.activated_relu,     step.result().planes() % panel_blocks != 0};
}

/// The register tile of the products at one point: Winograd tiles take the place of pixels.
constexpr TileSpec winograd_tile(int tiles, int blocks) {
    TileSpec spec{};
    spec.pixels = tiles;
    spec.blocks = blocks;
    spec.source_column = block;
    return spec;
}

/// One rank's work on a strip of Winograd tiles, which may belong to several images.
template <WinogradSpec S>
class WinogradStrip {
public:
    WinogradStrip(const Step& step, const Frame& frame, float* scratch, Range tiles)
        : step_{step},
          frame_{frame},
          tiles_{tiles},
          input_{scratch},
          products_{scratch + step.winograd.points() * step.winograd.input_point(step.source().planes())} {}

    /// Transforms the windows of all tiles; plane by plane, so that a plane's rows are read while they are close.
    void transform_input() const {
        const Tensor& source = step_.source();
        const long point = step_.winograd.input_point(source.planes());
        for (int plane = 0; plane < source.planes(); ++plane)
            for (int tile = tiles_.begin; tile < tiles_.end; ++tile) {
                const auto [image, y, x] = place(tile);
                const float* corner = frame_.image(image) + source.origin() +
                                      static_cast<long>(plane) * source.plane() +
                                      (static_cast<long>(y) - step_.window().top) * source.row() +
                                      static_cast<long>(x - step_.window().left) * block;
                float* out = input_ + (static_cast<long>(plane) * step_.winograd.strip + tile - tiles_.begin) * block;
                for (int lane = 0; lane < block; lane += lanes)
                    transform_window<S.m>(corner + lane, source.row(), out + lane, point);
            }
    }

    /// Products of all points with one panel of output channels, and the way back.
    template <int Blocks>
    void run_panel(int panel) const {
        const WinogradGrid& grid = step_.winograd;
        const int planes = step_.source().planes();
        const long weights_of_point = static_cast<long>(planes) * block * Blocks * block;
        alignas(64) static constexpr float zeros[panel_blocks * block] = {};
        TileArguments a{};
        a.terms[0] = {nullptr, planes, grid.strip * block, 1, 1, 0, 0};
        a.shift = zeros;
        a.target_plane = grid.strip * block;
        a.weights = frame_.weights + step_.weights + panel * step_.panel_floats;
        const int count = tiles_.end - tiles_.begin;
        for (int point = 0; point < grid.points(); ++point, a.weights += weights_of_point) {
            const bool last = point == grid.points() - 1 && panel == step_.panels - 1;
            const float* input = input_ + point * grid.input_point(planes);
            float* products = products_ + point * grid.product_point(panel_blocks);
            for (int tile = 0; tile < count; tile += S.tile) {
                // Half of the next point's weights, a line per step of depth, for each of the first two tiles.
                const int half = tile / S.tile;
                const bool fetches = half < 2 && !last;
                a.next_weights = a.weights + (fetches ? weights_of_point + half * (weights_of_point / 2) : 0);
                a.next_step = fetches ? Blocks * block / 2 : 0;
                a.terms[0].source = input + tile * block;
                a.target = products + tile * block;
                conv_tile<winograd_tile(S.tile, Blocks)>(a);
            }
        }
        for (int b = 0; b < Blocks; ++b)
            for (int tile = tiles_.begin; tile < tiles_.end; ++tile) transform_back(panel * panel_blocks + b, b, tile);
    }

private:
    struct Place {
        int image, y, x;
    };
    /// The image and the first output pixel of a tile.
    Place place(int tile) const {
        const WinogradGrid& grid = step_.winograd;
        const int in_image = tile % grid.tiles();
        return {tile / grid.tiles(), in_image / grid.across * S.m, in_image % grid.across * S.m};
    }

    void transform_back(int plane, int b, int tile) const {
        const WinogradGrid& grid = step_.winograd;
        const auto [image, y, x] = place(tile);
        const float* products = products_ + (static_cast<long>(b) * grid.strip + tile - tiles_.begin) * block;
        const Tensor& result = step_.result();
        const int rows = std::min(S.m, result.height - y), columns = std::min(S.m, result.width - x);
        const float* shift = frame_.weights + step_.shift + plane * block;
        const float* scale = S.has_activated ? frame_.weights + step_.activated_scale + plane * block : nullptr;
        const auto at = [&](const Tensor& tensor) {
            return frame_.image(image) + tensor.origin() + static_cast<long>(plane) * tensor.plane() +
                   static_cast<long>(y) * tensor.row() + static_cast<long>(x) * block;
        };
        for (int lane = 0; lane < block; lane += lanes) {
            Vector sums[S.m][S.m];
            transform_products<S.m>(products + lane, grid.product_point(panel_blocks), sums);
            TENON_UNROLL for (int i = 0; i < S.m; ++i) {
                TENON_UNROLL for (int j = 0; j < S.m; ++j) {
                    if (i >= rows || j >= columns) continue;
                    Vector sum = add(sums[i][j], load(shift + lane));
                    const long pixel = j * block + lane;
                    if constexpr (S.has_residual)
                        sum = add(sum, load(at(step_.residual) + i * static_cast<long>(step_.residual.row()) + pixel));
                    if constexpr (S.relu) sum = relu(sum);
                    if constexpr (S.has_target)
                        store(at(step_.target) + i * static_cast<long>(step_.target.row()) + pixel, sum);
                    if constexpr (S.has_activated) {
                        sum = multiply_add(sum, load(scale + lane),
                                           load(scale + step_.activated.planes() * block + lane));
                        if constexpr (S.activated_relu) sum = relu(sum);
                        store(at(step_.activated) + i * static_cast<long>(step_.activated.row()) + pixel, sum);
                    }
                }
            }
        }
    }

    const Step& step_;
    const Frame& frame_;
    Range tiles_;
    float* input_;
    float* products_;
};

/// Runs a Winograd step. Ranks share strips first; ranks of one strip each transform its whole input, which is cheaper
/// than to fetch another core's half.
///
/// Law: as run_conv, the value of a tile depends neither on the ranks nor on the strip it falls into.
template <WinogradSpec S>
void run_winograd(const Step& step, const Frame& frame) {
    const WinogradGrid& grid = step.winograd;
    const int tiles = grid.tiles() * frame.images, strips = (tiles + grid.strip - 1) / grid.strip;
    const long strip_bytes = grid.input_point(step.source().planes()) * 4;
    const Split split = choose_split(strips, step.panels, strip_bytes, step.panel_floats * 4, frame.team->size());
    frame.team->run([&](int rank, int size) {
        zero_borders(step, frame, rank, size);
        if (rank >= split.pixel_parts * split.panel_parts) return;
        const Range my_strips = share(strips, rank / split.panel_parts, split.pixel_parts);
        const Range my_panels = share(step.panels, rank % split.panel_parts, split.panel_parts);
        for (int s = my_strips.begin; s < my_strips.end; ++s) {
            const WinogradStrip<S> strip{step,
                                         frame,
                                         frame.scratch + rank * frame.scratch_floats,
                                         {s * grid.strip, std::min((s + 1) * grid.strip, tiles)}};
            strip.transform_input();
            for (int panel = my_panels.begin; panel < my_panels.end; ++panel) {
                if constexpr (S.odd_panel && panel_blocks > 1) {
                    if (panel == step.panels - 1) {
                        strip.template run_panel<1>(panel);
                        continue;
                    }
                }
                strip.template run_panel<panel_blocks>(panel);
            }
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
