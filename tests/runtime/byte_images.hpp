// Images of bytes, pixel by pixel, and the floats that they stand for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tenon/topology/network.hpp>

namespace tenon_test {

/// Random images of bytes, scales and shifts that differ from channel to channel, and the floats, channel by channel.
template <class Net>
struct ByteImages {
    explicit ByteImages(std::size_t count) {
        constexpr auto shape = tenon::input_shape<Net>;
        constexpr auto channels = static_cast<std::size_t>(shape.channels),
                       pixels = static_cast<std::size_t>(shape.height) * static_cast<std::size_t>(shape.width);
        for (std::size_t c = 0; c < channels; ++c) {
            scale.push_back(0.017f + 0.003f * static_cast<float>(c));
            shift.push_back(-2.1f + 0.4f * static_cast<float>(c));
        }
        std::uint32_t state = 1;
        for (std::size_t i = 0; i < count * pixels * channels; ++i) {
            state = state * 1664525u + 1013904223u;
            bytes.push_back(static_cast<std::uint8_t>(state >> 24));
        }
        for (std::size_t image = 0; image < count; ++image)
            for (std::size_t c = 0; c < channels; ++c)
                for (std::size_t i = 0; i < pixels; ++i)
                    floats.push_back(static_cast<float>(double{scale[c]} * bytes[(image * pixels + i) * channels + c] +
                                                        double{shift[c]}));
    }

    /// The model's results for the bytes.
    template <class Model>
    std::vector<float> run(Model& model) const {
        std::vector<float> results(bytes.size() / static_cast<std::size_t>(tenon::input_shape<Net>.elements()) *
                                   static_cast<std::size_t>(tenon::output_shape<Net>.elements()));
        model.run_bytes(bytes, scale, shift, results);
        return results;
    }

    std::vector<std::uint8_t> bytes;
    std::vector<float> scale, shift, floats;
};

}  // namespace tenon_test
