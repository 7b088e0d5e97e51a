// Between the user's NCHW floats and the backend's layouts.
#pragma once

#include <cstring>

#include <tenon/backend/cpu/step.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Copies the user's images into the arena: row by row into a planar tensor, else channel by channel into blocks.
inline void run_load_input(const Step& step, const Frame& frame) {
    const Tensor& target = step.target;
    const int planes = target.planes();
    frame.team->for_each(frame.images * planes, [&](int i) {
        const int image = i / planes, plane = i % planes;
        zero_border(target, frame.image(image), plane, plane + 1);
        float* to = frame.image(image) + target.origin() + static_cast<long>(plane) * target.plane();
        const float* from = frame.input + static_cast<long>(image) * target.channels * target.pixels();
        if (target.planar) {
            from += static_cast<long>(plane) * target.pixels();
            for (int y = 0; y < target.height; ++y)
                std::memcpy(to + static_cast<long>(y) * target.row(), from + static_cast<long>(y) * target.width,
                            sizeof(float) * static_cast<std::size_t>(target.width));
            return;
        }
        for (int y = 0; y < target.height; ++y)
            for (int x = 0; x < target.width; ++x)
                for (int c = 0; c < block; ++c) {
                    const int channel = plane * block + c;
                    to[static_cast<long>(y) * target.row() + x * block + c] =
                        channel < target.channels
                            ? from[static_cast<long>(channel) * target.pixels() + y * target.width + x]
                            : 0.0f;
                }
    });
}

/// Copies results out: channel, row, column.
inline void run_store_output(const Step& step, const Frame& frame) {
    const Tensor& source = step.source();
    frame.team->for_each(frame.images * source.channels, [&](int i) {
        const int image = i / source.channels, channel = i % source.channels;
        const float* from = frame.image(image) + source.origin() + static_cast<long>(channel / block) * source.plane() +
                            channel % block;
        float* to = frame.output + static_cast<long>(i) * source.pixels();
        for (int y = 0; y < source.height; ++y)
            for (int x = 0; x < source.width; ++x) *to++ = from[static_cast<long>(y) * source.row() + x * block];
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
