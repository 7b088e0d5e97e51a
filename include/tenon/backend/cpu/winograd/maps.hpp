#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The maps that a Winograd step reads and writes: where its tiles are in them, and the transform from products back to
// results.

#include <tenon/backend/cpu/kernels/conv.hpp>
#include <tenon/backend/cpu/winograd/transform.hpp>

namespace tenon::cpu {

/// What decides the code of a Winograd step.
struct WinogradSpec {
    int m = 4;
    bool plain_filters = false;
    bool has_residual = false, has_target = true, has_activated = false;
    bool relu = false, activated_relu = false;
    bool odd_panel = false;
};

inline namespace TENON_ISA_NAMESPACE {

/// What decides the code of a step.
constexpr WinogradSpec winograd_spec(const Step& step) {
    return {.m = step.winograd.m,
            .plain_filters = step.winograd.plain_filters,
            .has_residual = step.residual.exists(),
            .has_target = step.target.exists(),
            .has_activated = step.activated.exists(),
            .relu = step.relu,
            .activated_relu = step.activated_relu,
            .odd_panel = step.result().planes() % panel_blocks != 0};
}

/// What of a spec decides the code of the epilogue.
constexpr WinogradSpec epilogue_spec(WinogradSpec spec) {
    spec.plain_filters = spec.odd_panel = false;
    return spec;
}

/// A tile of a Winograd step: its image, and its first output pixel.
struct WinogradPlace {
    int image, y, x;
};

inline WinogradPlace winograd_place(const Step& step, int tile) {
    const WinogradGrid& grid = step.winograd;
    const int in_image = tile % grid.tiles();
    return {tile / grid.tiles(), in_image / grid.across * grid.m, in_image % grid.across * grid.m};
}

/// The first pixel of a tile's window, in one plane of the source.
inline const float* winograd_window(const Step& step, const Frame& frame, int plane, int tile) {
    const Tensor& source = step.source();
    const WinogradPlace place = winograd_place(step, tile);
    return frame.image(place.image) + source.origin() + long{plane} * source.plane() +
           (static_cast<long>(place.y) - step.window().top) * source.row() +
           static_cast<long>(place.x - step.window().left) * channel_block;
}

/// Transforms the products of a tile and a plane of a step's result back and stores the results: the epilogue of a spec
/// without what doesn't decide its code, so that kinds of steps share it.
template <WinogradSpec S>
class WinogradEpilogue {
public:
    /// The products of points are `point` floats apart.
    static void run(const Step& step, const Frame& frame, const float* products, long point, int plane, int tile) {
        WinogradEpilogue{step, frame}.transform_back(products, point, plane, tile);
    }

private:
    WinogradEpilogue(const Step& step, const Frame& frame) : step_{step}, frame_{frame} {}

    TENON_HOT void transform_back(const float* products, long point, int plane, int tile) const {
        const auto [image, y, x] = winograd_place(step_, tile);
        const Tensor& result = step_.result();
        const int rows = std::min(S.m, result.height - y), columns = std::min(S.m, result.width - x);
        const auto at = [&](const Tensor& tensor) {
            return frame_.image(image) + tensor.origin() + long{plane} * tensor.plane() +
                   static_cast<long>(y) * tensor.row() + static_cast<long>(x) * channel_block;
        };
        Corner corner{};
        if constexpr (S.has_residual) corner.residual = at(step_.residual);
        if constexpr (S.has_target) corner.target = at(step_.target);
        if constexpr (S.has_activated) corner.activated = at(step_.activated);
        for (int lane = 0; lane < channel_block; lane += vector_width) {
            Vector sums[array_bound<S.m>][array_bound<S.m>];
            transform_products<S.m>(products + lane, point, sums);
            if (rows == S.m && columns == S.m)
                epilogue<true>(sums, plane, lane, corner, rows, columns);
            else
                epilogue<false>(sums, plane, lane, corner, rows, columns);
        }
    }

    /// Where a tile's first pixel is in the tensors that the epilogue reads and writes.
    struct Corner {
        const float* residual;
        float *target, *activated;
    };

    /// The epilogue (see Op) of the pixels that are inside the map; `Whole`: all of them are.
    template <bool Whole>
    TENON_INLINE void epilogue(const Vector (&sums)[array_bound<S.m>][array_bound<S.m>], int plane, int lane,
                               const Corner& corner, int rows, int columns) const {
        const Vector shift = load(frame_.weights + step_.shift + plane * channel_block + lane);
        Vector activated_scale = zero(), activated_shift = zero();
        if constexpr (S.has_activated) {
            const float* scale = frame_.weights + step_.activated_scale + plane * channel_block + lane;
            activated_scale = load(scale);
            activated_shift = load(scale + step_.activated.planes() * channel_block);
        }
        TENON_UNROLL for (int i = 0; i < S.m; ++i) {
            if (!Whole && i >= rows) continue;  // a break would keep Clang from unrolling the loop
            TENON_UNROLL for (int j = 0; j < S.m; ++j) {
                if (!Whole && j >= columns) continue;
                Vector sum = add(sums[i][j], shift);
                const auto pixel = [&](const Tensor& tensor) {
                    return i * long{tensor.row()} + j * channel_block + lane;
                };
                if constexpr (S.has_residual) sum = add(sum, load(corner.residual + pixel(step_.residual)));
                if constexpr (S.relu) sum = relu(sum);
                if constexpr (S.has_target) store(corner.target + pixel(step_.target), sum);
                if constexpr (S.has_activated) {
                    sum = multiply_add(sum, activated_scale, activated_shift);
                    if constexpr (S.activated_relu) sum = relu(sum);
                    store(corner.activated + pixel(step_.activated), sum);
                }
            }
        }
    }

    const Step& step_;
    const Frame& frame_;
};

/// Stores the results of a tile; see WinogradEpilogue::run.
using WinogradStore = void (*)(const Step& step, const Frame& frame, const float* products, long point, int plane,
                               int tile);

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
