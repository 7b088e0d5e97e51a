#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Copies between the user's NCHW floats and the backend's layouts.

#include <cstring>

#include <tenon/backend/cpu/layout/step.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Copies the user's images into the arena: row by row into a planar tensor, otherwise channel by channel into blocks.
inline void run_load_input(const Step& step, const Frame& frame) {
    const Tensor& target = step.target;
    const int planes = target.planes();
    frame.team->for_each(frame.images * planes, [&](int i) {
        const int image = i / planes, plane = i % planes;
        zero_border(target, frame.image(image), plane, plane + 1);
        float* to = frame.image(image) + target.origin() + long{plane} * target.plane();
        const float* from = frame.input + long{image} * target.channels * target.pixels();
        if (target.planar) {
            from += long{plane} * target.pixels();
            for (int y = 0; y < target.height; ++y)
                std::memcpy(to + long{y} * target.row(), from + long{y} * target.width,
                            sizeof(float) * index(target.width));
            return;
        }
        for (int y = 0; y < target.height; ++y)
            for (int x = 0; x < target.width; ++x)
                for (int c = 0; c < channel_block; ++c) {
                    const int channel = plane * channel_block + c;
                    to[long{y} * target.row() + x * channel_block + c] =
                        channel < target.channels ? from[long{channel} * target.pixels() + y * target.width + x] : 0.0f;
                }
    });
}

/// Copies results to the user's memory: channel, row, column.
inline void run_store_output(const Step& step, const Frame& frame) {
    const Tensor& source = step.source();
    frame.team->for_each(frame.images * source.channels, [&](int i) {
        const int image = i / source.channels, channel = i % source.channels;
        const float* from = frame.image(image) + source.origin() + long{channel / channel_block} * source.plane() +
                            channel % channel_block;
        float* to = frame.output + long{i} * source.pixels();
        for (int y = 0; y < source.height; ++y)
            for (int x = 0; x < source.width; ++x) *to++ = from[long{y} * source.row() + x * channel_block];
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
