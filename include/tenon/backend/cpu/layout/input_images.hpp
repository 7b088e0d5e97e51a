#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The user's images, as the first steps read them.

#include <cstdint>
#include <cstring>

#include <tenon/backend/cpu/layout/tensor.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Images of floats (image, channel, row, column), or of bytes (image, row, column, channel) with a table of what each
/// byte stands for.
struct InputImages {
    static constexpr int values_per_channel = 256;

    const float* floats = nullptr;
    const std::uint8_t* bytes = nullptr;
    const float* values = nullptr;  ///< `values_per_channel` for each channel

    /// The images after the first `numbers` floats or bytes.
    InputImages after(long numbers) const {
        return bytes == nullptr ? InputImages{.floats = floats + numbers}
                                : InputImages{.bytes = bytes + numbers, .values = values};
    }

    /// What the byte of a channel stands for in a pixel of the first image, which has the shape of `image`.
    float number_of_byte(const Tensor& image, int channel, int pixel) const {
        return values[values_per_channel * channel + bytes[long{pixel} * image.channels + channel]];
    }

    /// Copies the numbers of a channel in `count` pixels, from `pixel` on, of the first image.
    void copy(float* to, const Tensor& image, int channel, int pixel, int count) const {
        if (bytes == nullptr) {
            std::memcpy(to, floats + long{channel} * image.pixels() + pixel, sizeof(float) * index(count));
            return;
        }
        for (int k = 0; k < count; ++k) to[k] = number_of_byte(image, channel, pixel + k);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
