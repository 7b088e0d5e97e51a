#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// How steps other than products store codes: pools, additions, norms, and the load of the user's images.

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include <tenon/backend/cpu/kernels/pointwise.hpp>
#include <tenon/backend/cpu/kernels/transfer.hpp>
#include <tenon/backend/cpu/quantized/tile.hpp>
#include <tenon/core/min_max.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Stores one vector of a step's results as Epilogue does, as floats and as codes.
class QuantizedEpilogue : ResultPlane<QuantizedStep>, public FloatSource {
public:
    QuantizedEpilogue(const QuantizedStep& step, const Frame& frame, int image, int plane)
        : ResultPlane{step, frame, image, plane}, numbers_{frame.weights + step.numbers} {}

    /// `lane` is the vector's first channel in its block.
    TENON_INLINE void operator()(int y, int x, int lane, Vector value) const {
        value = complete(y, x, lane, value);
        if (step_.stores_target) store(at(step_.target, y, x) + lane, value);
        if (step_.target_codes.exist())
            store_codes_of(step_.target_codes, y, x, lane, multiply(value, number(StepNumber::target_inverse)));
        if (!step_.activated.exists()) return;
        value = add(rounded_product(value, load(scale_ + lane)), load(shift_ + lane));
        if (step_.activated_relu) value = relu(value);
        if (step_.stores_activated) store(at(step_.activated, y, x) + lane, value);
        if (step_.activated_codes.exist())
            store_codes_of(step_.activated_codes, y, x, lane, multiply(value, number(StepNumber::activated_inverse)));
    }

    /// Stores a vector in units of codes.
    TENON_INLINE void store_codes_of(const Codes& codes, int y, int x, int lane, Vector in_codes) const {
        float* const block = image_ + codes.tensor.origin() + block_offset(codes.tensor, codes.storage, plane_) +
                             long{y} * codes.tensor.row() + long{x} * channel_block;
        if (codes.storage == Storage::u8)
            store_codes<Storage::u8>(block, lane, in_codes, codes.limit);
        else
            store_codes<Storage::s16>(block, lane, in_codes, codes.limit);
    }

private:
    Vector number(StepNumber which) const { return broadcast(numbers_[static_cast<int>(which)]); }

    const float* numbers_;
};

/// Zeroes the borders of a plane of a step's results.
inline void zero_result_borders(const QuantizedStep& step, float* image, int plane) {
    if (step.stores_target && step.target.has_border()) zero_border(step.target, image, plane, plane + 1);
    if (step.stores_activated && step.activated.has_border()) zero_border(step.activated, image, plane, plane + 1);
    for (const Codes* codes : {&step.target_codes, &step.activated_codes}) {
        if (!codes->exist() || !codes->tensor.has_border() || plane % pack_of(codes->storage) != 0) continue;
        const int words = plane / pack_of(codes->storage);
        zero_border(codes->tensor, image, words, words + 1);
    }
}

/// Makes the codes of what a product in floats has stored.
template <class End>
void make_codes(const QuantizedStep& step, const Frame& frame) {
    const auto make = [&](const Tensor& floats, const Codes& codes, StepNumber inverse) {
        if (!codes.exist()) return;
        for_each_plane(step, frame, [&](int image, int plane) {
            const End end{step, frame, image, plane};
            const Vector factor = broadcast(frame.weights[step.numbers + static_cast<int>(inverse)]);
            const float* from = frame.image(image) + floats.origin() + long{plane} * floats.plane();
            for (int y = 0; y < floats.height; ++y)
                for (int x = 0; x < floats.width; ++x)
                    for (int lane = 0; lane < channel_block; lane += vector_width)
                        end.store_codes_of(
                            codes, y, x, lane,
                            multiply(load(from + long{y} * floats.row() + x * channel_block + lane), factor));
        });
    };
    make(step.target, step.target_codes, StepNumber::target_inverse);
    make(step.activated, step.activated_codes, StepNumber::activated_inverse);
}

/// The code of each of a vector of floats, in 32 bits each.
template <Storage Kind>
TENON_INLINE Sums image_codes(Vector values, Vector inverse, float limit) {
    if constexpr (Kind == Storage::bf16) {
        const UnsignedBits rounded = rounded_to_bfloat16(values);
        return reinterpret_cast<Sums>(pack_of(Kind) == 2 ? rounded >> 16 : rounded);
    } else {
        return to_integers(clamp(multiply(values, inverse), -limit, limit)) + zero_code(Kind);
    }
}

/// Stores the codes of three channels of `vector_width` pixels, a pixel after another, and up to 8 bytes after them.
template <Storage Kind>
TENON_INLINE void store_interleaved(char* to, Sums a, Sums b, Sums c) {
    using Bytes16 [[gnu::vector_size(16)]] = unsigned char;
    using Shorts8 [[gnu::vector_size(16)]] = short;
    const auto store = [&]<int... Quarter>(std::integer_sequence<int, Quarter...>) {
        const auto part = []<int Q>(Sums words, std::integral_constant<int, Q>) {
            return __builtin_shufflevector(words, words, 4 * Q, 4 * Q + 1, 4 * Q + 2, 4 * Q + 3);
        };
        const auto store_part = [&]<int Q>(std::integral_constant<int, Q> q) {
            if constexpr (bytes_of(Kind) == 1) {
                const auto pixels = reinterpret_cast<Bytes16>(part(a | b << 8 | c << 16, q));
                const Bytes16 packed =
                    __builtin_shufflevector(pixels, pixels, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
                std::memcpy(to + 12 * Q, &packed, sizeof packed);
            } else {
                const auto pairs = reinterpret_cast<Shorts8>(part(a | b << 16, q));
                const auto thirds = reinterpret_cast<Shorts8>(part(c, q));
                const Shorts8 packed[2] = {__builtin_shufflevector(pairs, thirds, 0, 1, 8, 2, 3, 10, 4, 5),
                                           __builtin_shufflevector(pairs, thirds, 12, 6, 7, 14, 9, 9, 9, 9)};
                std::memcpy(to + 24 * Q, packed, sizeof packed);
            }
        };
        (store_part(std::integral_constant<int, Quarter>{}), ...);
    };
    store(std::make_integer_sequence<int, vector_width / 4>{});
}

/// Stores the codes of bytes, which are in a table for each channel; `channels` is a number or a constant.
template <class Number, class Count>
TENON_INLINE void store_codes_of_bytes(char* to, const std::uint8_t* from, const Number* code_of_byte, int pixels,
                                       Count channels) {
    for (int x = 0; x < pixels; ++x)
        for (int c = 0; c < channels; ++c, to += sizeof(Number))
            std::memcpy(to, code_of_byte + c * InputImages::values_per_channel + *from++, sizeof(Number));
}

/// Makes the codes of the user's images where they are interleaved, row by row, with their borders.
template <Storage Kind>
void load_interleaved(const QuantizedStep& step, const Frame& frame) {
    constexpr int bytes = bytes_of(Kind);
    using Number =
        std::conditional_t<bytes == 1, std::uint8_t, std::conditional_t<bytes == 2, std::uint16_t, std::uint32_t>>;
    constexpr std::uint32_t zeros = zero_code(Kind) * (bytes == 1 ? 0x01010101u : bytes == 2 ? 0x10001u : 1u);
    // Copies, as a store of bytes might change the tensor for all that the compiler knows.
    const Tensor to = step.target_codes.tensor;
    const InputImages input = frame.input;
    const int channels = step.target.channels, rows = to.top + to.height + to.bottom;
    const Vector inverse = broadcast(frame.weights[step.numbers + static_cast<int>(StepNumber::target_inverse)]);
    const float limit = static_cast<float>(step.target_codes.limit);
    Number code_of_byte[(channel_block - 1) * InputImages::values_per_channel];  // where images are bytes
    for (int k = 0; input.bytes != nullptr && k < channels * InputImages::values_per_channel; k += vector_width) {
        const Sums codes = image_codes<Kind>(load(input.values + k), inverse, limit);
        for (int lane = 0; lane < vector_width; ++lane) code_of_byte[k + lane] = static_cast<Number>(codes[lane]);
    }
    frame.team->for_each(frame.images * rows, [&](int i) {
        const int image = i / rows, y = i % rows - to.top;
        float* const words = frame.image(image) + to.offset + long{i % rows} * to.row();
        char* const row = reinterpret_cast<char*>(words);
        std::fill_n(words, to.row(), std::bit_cast<float>(zeros));
        if (y < 0 || y >= to.height) return;
        const long plane = to.pixels();
        char* const first = row + to.left * channels * bytes;
        if (input.bytes != nullptr) {
            const std::uint8_t* const pixels = input.bytes + (image * plane + long{y} * to.width) * channels;
            if (channels == 3)
                return store_codes_of_bytes(first, pixels, code_of_byte, to.width, std::integral_constant<int, 3>{});
            return store_codes_of_bytes(first, pixels, code_of_byte, to.width, channels);
        }
        const float* const from = input.floats + long{image} * channels * plane + long{y} * to.width;
        int done = 0;
        if constexpr (bytes < 4) {
            const auto codes_of = [&](const float* at) {
                Vector values;
                std::memcpy(&values, at, sizeof values);
                return image_codes<Kind>(values, inverse, limit);
            };
            // Two pixels that are stored later follow each vector, so the surplus that it stores is not in the border.
            for (; channels == 3 && done + vector_width + 2 <= to.width; done += vector_width)
                store_interleaved<Kind>(first + done * 3 * bytes, codes_of(from + done), codes_of(from + plane + done),
                                        codes_of(from + 2 * plane + done));
        }
        for (int c = 0; c < channels; ++c)
            for (int x = done; x < to.width; x += vector_width) {
                const int count = std::min(vector_width, to.width - x);
                Vector values{};
                std::memcpy(&values, from + c * plane + x, 4 * static_cast<std::size_t>(count));
                const Sums in_vector = image_codes<Kind>(values, inverse, limit);
                std::uint32_t codes[array_bound<vector_width>];
                std::memcpy(codes, &in_vector, sizeof codes);
                for (int k = 0; k < count; ++k) {
                    const auto number = static_cast<Number>(codes[k]);
                    std::memcpy(first + ((x + k) * channels + c) * bytes, &number, bytes);
                }
            }
    });
}

/// Makes the codes of the user's images: interleaved, or in blocks.
template <class End>
void run_load_codes(const QuantizedStep& step, const Frame& frame) {
    if (step.stores_target) run_load_input(step, frame);
    const Storage storage = step.target_codes.storage;
    if (step.target_codes.tensor.planar) {
        if (storage == Storage::bf16) return load_interleaved<Storage::bf16>(step, frame);
        return load_interleaved<Storage::s8>(step, frame);
    }
    const Tensor& image_shape = step.target;
    const int channels = image_shape.channels;
    const float inverse = frame.weights[step.numbers + static_cast<int>(StepNumber::target_inverse)];
    for_each_plane(step, frame, [&](int image, int plane) {
        const End end{step, frame, image, plane};
        const InputImages input = frame.input.after(long{image} * channels * image_shape.pixels());
        alignas(64) float block[channel_block]{};
        for (int y = 0; y < image_shape.height; ++y)
            for (int x = 0; x < image_shape.width; ++x) {
                for (int c = 0; c < channel_block && plane * channel_block + c < channels; ++c) {
                    input.copy(block + c, image_shape, plane * channel_block + c, y * image_shape.width + x, 1);
                    block[c] = with_plain_nan(block[c]);
                }
                for (int lane = 0; lane < channel_block; lane += vector_width)
                    end.store_codes_of(step.target_codes, y, x, lane, multiply(load(block + lane), broadcast(inverse)));
            }
    });
}

/// The largest codes of windows, where codes are never negative.
inline void run_max_pool_of_codes(const QuantizedStep& step, const Frame& frame) {
    using Code = std::conditional_t<has_dot4, unsigned char, short>;
    using Lanes [[gnu::vector_size(4 * vector_width), gnu::may_alias]] = Code;
    const Tensor from = step.source_codes.tensor, to = step.target_codes.tensor;
    const Window window = step.terms[0].window;
    frame.team->for_each(frame.images * to.planes() * to.height, [&](int i) {
        const int plane = i / to.height % to.planes(), y = i % to.height;
        float* const image = frame.image(i / (to.planes() * to.height));
        if (y == 0) zero_border(to, image, plane, plane + 1);
        const float* const source = image + from.origin() + long{plane} * from.plane();
        float* const row = image + to.origin() + long{plane} * to.plane() + long{y} * to.row();
        const int top = y * window.stride_height - window.top;
        const int begin = std::max(top, 0), end = std::min(top + window.kernel_height, from.height);
        for (int x = 0; x < to.width; ++x) {
            const int left = x * window.stride_width - window.left;
            const int first = std::max(left, 0), last = std::min(left + window.kernel_width, from.width);
            for (int lane = 0; lane < channel_block; lane += vector_width) {
                Lanes largest{};
                for (int v = begin; v < end; ++v)
                    for (int u = first; u < last; ++u) {
                        const Lanes codes =
                            *reinterpret_cast<const Lanes*>(source + long{v} * from.row() + u * channel_block + lane);
                        largest = codes > largest ? codes : largest;
                    }
                *reinterpret_cast<Lanes*>(row + x * channel_block + lane) = largest;
            }
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
