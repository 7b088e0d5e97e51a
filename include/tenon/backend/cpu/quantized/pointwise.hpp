#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// How steps other than products store codes: pools, additions, norms, and the load of the user's images.

#include <tenon/backend/cpu/kernels/pointwise.hpp>
#include <tenon/backend/cpu/kernels/transfer.hpp>
#include <tenon/backend/cpu/quantized/tile.hpp>

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

/// The code of a float, as store_codes makes it.
inline std::int16_t code_of(float value, float inverse, int limit, Storage storage) {
    if (storage == Storage::bf16) return static_cast<std::int16_t>(to_bfloat16(value));
    const bool is_signed = storage == Storage::s16;
    const float high = static_cast<float>(limit), low = is_signed ? -high : 0.0f;
    float in_codes = value * inverse;
    in_codes = in_codes < high ? in_codes : high;
    in_codes = in_codes > low ? in_codes : low;
    return static_cast<std::int16_t>(std::lrintf(in_codes));  // to the nearest, even where two are as near
}

/// Stores the user's images as planes of floats rounded to bfloat16; the plane after an odd number of them is zero.
inline void load_rounded_planes(const QuantizedStep& step, const Frame& frame) {
    const Tensor& to = step.target_codes.tensor;
    const int channels = step.target.channels, pixels = to.pixels();
    frame.team->for_each(frame.images * to.channels, [&](int i) {
        const int plane = i % to.channels;
        float* const image = frame.image(i / to.channels);
        zero_border(to, image, plane, plane + 1);
        float* row = image + to.origin() + long{plane} * to.plane();
        const float* from = frame.input + long{i / to.channels * channels + plane} * pixels;
        for (int y = 0; y < to.height; ++y, row += to.row())
            for (int x = 0; x < to.width; ++x)
                row[x] = plane < channels ? from_bfloat16(to_bfloat16(from[y * to.width + x])) : 0.0f;
    });
}

/// Makes the codes of the user's images: in planes of words, each with two channels, or in blocks.
template <class End>
void run_load_codes(const QuantizedStep& step, const Frame& frame) {
    if (step.stores_target) run_load_input(step, frame);
    const Tensor &words = step.target_codes.tensor, &image_shape = step.target;
    const int pixels = image_shape.pixels(), channels = image_shape.channels;
    const float inverse = frame.weights[step.numbers + static_cast<int>(StepNumber::target_inverse)];
    const int limit = step.target_codes.limit;
    if (!words.planar) {
        for_each_plane(step, frame, [&](int image, int plane) {
            const End end{step, frame, image, plane};
            const float* from = frame.input + long{image} * channels * pixels;
            alignas(64) float block[channel_block]{};
            for (int y = 0; y < image_shape.height; ++y)
                for (int x = 0; x < image_shape.width; ++x) {
                    for (int c = 0; c < channel_block && plane * channel_block + c < channels; ++c)
                        block[c] =
                            with_plain_nan(from[long{plane * channel_block + c} * pixels + y * image_shape.width + x]);
                    for (int lane = 0; lane < channel_block; lane += vector_width)
                        end.store_codes_of(step.target_codes, y, x, lane,
                                           multiply(load(block + lane), broadcast(inverse)));
                }
        });
        return;
    }
    const Storage storage = step.target_codes.storage;
    if (storage == Storage::bf16 && !multiplies_bfloat16) return load_rounded_planes(step, frame);
    frame.team->for_each(frame.images * words.channels * words.height, [&](int i) {
        const int image = i / (words.channels * words.height), plane = i / words.height % words.channels;
        const int y = i % words.height;
        float* const base = frame.image(image);
        if (y == 0) zero_border(words, base, plane, plane + 1);
        float* to = base + words.origin() + long{plane} * words.plane() + long{y} * words.row();
        const float* first = frame.input + (long{image} * channels + 2 * plane) * pixels + long{y} * words.width;
        const bool has_second = 2 * plane + 1 < channels;
        const float high = static_cast<float>(limit), low = storage == Storage::s16 ? -high : 0.0f;
        const auto codes_at = [&](const float* from) {
            Vector values;
            std::memcpy(&values, from, sizeof values);
            return to_integers(clamp(multiply(values, broadcast(inverse)), low, high));
        };
        int x = 0;
        for (; storage != Storage::bf16 && x + vector_width <= words.width; x += vector_width) {
            Sums pairs = codes_at(first + x) & 0xffff;
            if (has_second) pairs |= codes_at(first + pixels + x) << 16;
            std::memcpy(to + x, &pairs, sizeof pairs);
        }
        for (; x < words.width; ++x) {
            const std::int16_t pair[2] = {
                code_of(first[x], inverse, limit, storage),
                has_second ? code_of(first[pixels + x], inverse, limit, storage) : std::int16_t{0}};
            std::memcpy(to + x, pair, sizeof pair);
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
