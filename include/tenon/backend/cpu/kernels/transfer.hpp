#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Copies between the user's images and results and the backend's layouts.

#include <tenon/backend/cpu/layout/step.hpp>
#include <tenon/core/min_max.hpp>

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
        const InputImages input = frame.input.after(long{image} * target.channels * target.pixels());
        if (target.planar) {
            for (int y = 0; y < target.height; ++y)
                input.copy(to + long{y} * target.row(), target, plane, y * target.width, target.width);
            return;
        }
        const int first = plane * channel_block, channels = std::min(channel_block, target.channels - first);
        const auto fill = [&](auto number) {
            for (int y = 0; y < target.height; ++y)
                for (int x = 0; x < target.width; ++x)
                    for (int c = 0; c < channel_block; ++c)
                        to[long{y} * target.row() + x * channel_block + c] =
                            c < channels ? number(first + c, y * target.width + x) : 0.0f;
        };
        if (input.bytes != nullptr) {
            fill([&](int channel, int pixel) { return input.number_of_byte(target, channel, pixel); });
        } else {
            fill([&](int channel, int pixel) { return input.floats[long{channel} * target.pixels() + pixel]; });
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
