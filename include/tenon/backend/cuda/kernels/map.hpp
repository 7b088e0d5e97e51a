#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Kernels that compute each element separately: pooling, norms and sums that nothing fused, copies between layouts.

#include <cmath>
#include <cstdint>

#include <tenon/backend/cuda/kernels/epilogue.hpp>
#include <tenon/backend/shared/elementwise.hpp>

namespace tenon::cuda {

/// The shared memory, or the registers, of a kernel that has none of its own.
struct Nothing {};

inline namespace TENON_ISA_NAMESPACE {

/// One thread per element: calls body(index) for every index below body.count. A body is a struct of scalars and
/// pointers.
template <class Body>
struct MapKernel {
    static constexpr const char* name = Body::name;
    static constexpr int threads = 256;
    using Arguments = Body;
    using Shared = Nothing;
    using Registers = Nothing;

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& body) {
        const long first = static_cast<long>(block.index().x) * threads;
        block.threads([&](int thread, Registers&) {
            if (first + thread < body.count) body(first + thread);
        });
    }

    static Grid grid(const Body& body) { return {static_cast<int>(blocks_of(body.count, threads)), 1, 1}; }
};

/// What a map body of one operand computes.
enum class MapKind { identity, elementwise, multiply };

/// Element by element, `Count` channels at a time: identity (a norm, ReLU, scale or sum is all in the epilogue),
/// a function of backend/shared/elementwise.hpp, or the product with a second map. The last two have no epilogue, as
/// nothing is fused with them.
template <class NumberType, int Count, MapKind Kind>
struct PointwiseBody {
    static constexpr const char* name = "pointwise";
    long count = 0;  ///< of packs
    const NumberType* source = nullptr;
    const NumberType* other = nullptr;
    OpKind function{};  ///< of MapKind::elementwise
    EpilogueArguments epilogue{};

    TENON_DEVICE void operator()(long index) const {
        float values[Count];
        load_floats(source + index * Count, values);
        if constexpr (Kind == MapKind::identity) {
            const int packs = epilogue.channels / Count;
            apply_epilogue<NumberType>(epilogue, index / packs, static_cast<int>(index % packs) * Count, values);
            return;
        }
        if constexpr (Kind == MapKind::elementwise) {
            TENON_CUDA_UNROLL
            for (int i = 0; i < Count; ++i) values[i] = elementwise_value(function, values[i]);
        }
        if constexpr (Kind == MapKind::multiply) {
            float factors[Count];
            load_floats(other + index * Count, factors);
            TENON_CUDA_UNROLL
            for (int i = 0; i < Count; ++i) values[i] *= factors[i];
        }
        store_floats(values, static_cast<NumberType*>(epilogue.target) + index * Count);
    }
};

/// The largest value or the mean of each window, `Count` channels at a time.
template <class NumberType, int Count>
struct PoolBody {
    static constexpr const char* name = "pool";
    long count = 0;
    const NumberType* source = nullptr;
    int height = 0, width = 0;  ///< of the source
    int kernel_height = 1, kernel_width = 1, stride_height = 1, stride_width = 1, top = 0, left = 0;
    bool average = false;
    bool pad_counts = false;  ///< whether padding takes part, as zeros
    EpilogueArguments epilogue{};

    TENON_DEVICE void operator()(long index) const {
        const int packs = epilogue.channels / Count;
        const long pixel = index / packs;
        const int channel = static_cast<int>(index % packs) * Count;
        const int map = epilogue.height * epilogue.width;
        const long image = pixel / map;
        const int inside = static_cast<int>(pixel % map);
        const int first_y = inside / epilogue.width * stride_height - top;
        const int first_x = inside % epilogue.width * stride_width - left;
        float values[Count];
        int counted = 0;
        TENON_CUDA_UNROLL
        for (int i = 0; i < Count; ++i) values[i] = average ? 0.0f : -INFINITY;
        for (int y = first_y; y < first_y + kernel_height; ++y)
            for (int x = first_x; x < first_x + kernel_width; ++x) {
                const bool valid = y >= 0 && y < height && x >= 0 && x < width;
                if (!valid && !pad_counts) continue;
                float pack[Count]{};
                if (valid) load_floats(source + ((image * height + y) * width + x) * epilogue.channels + channel, pack);
                TENON_CUDA_UNROLL
                for (int i = 0; i < Count; ++i) {
                    if (average)
                        values[i] += pack[i];
                    else if (pack[i] > values[i] || pack[i] != pack[i])  // NOLINT(misc-redundant-expression): NaN
                        values[i] = pack[i];
                }
                ++counted;
            }
        TENON_CUDA_UNROLL
        for (int i = 0; i < Count; ++i)
            if (average) values[i] /= static_cast<float>(counted);
        cuda::apply_epilogue<NumberType>(epilogue, pixel, channel, values);
    }
};

/// Every n-th pixel, with channels of zeros before and after its own.
template <class NumberType>
struct PadChannelsBody {
    static constexpr const char* name = "pad_channels";
    long count = 0;
    const NumberType* source = nullptr;
    NumberType* target = nullptr;
    int channels = 0, height = 0, width = 0;  ///< of the source
    int stride_height = 1, stride_width = 1;
    int target_channels = 0, target_height = 0, target_width = 0;

    TENON_DEVICE void operator()(long index) const {
        const long pixel = index / target_channels;
        const int own = static_cast<int>(index % target_channels) - (target_channels - channels) / 2;
        const int map = target_height * target_width;
        const int inside = static_cast<int>(pixel % map);
        const long y = inside / target_width * stride_height, x = inside % target_width * stride_width;
        NumberType value{};
        if (own >= 0 && own < channels) value = source[((pixel / map * height + y) * width + x) * channels + own];
        target[index] = value;
    }
};

/// From the user's images to pixel by pixel with `pitch` channels, the ones after the last and those of pixels outside
/// the image being zero.
struct LoadSizes {
    long count = 0;                           ///< of pixels
    int channels = 0, height = 0, width = 0;  ///< of the source
    int pitch = 0;
    int target_width = 0, target_pixels = 0;
    int top = 0, left = 0;  ///< where the image begins in the target

    /// Where a pixel of the target is in the source.
    struct Pixel {
        long image;
        int y, x;
        bool exists;
    };
    TENON_DEVICE Pixel pixel(long index) const {
        Pixel pixel{};
        pixel.image = index / target_pixels;
        const int inside = static_cast<int>(index - pixel.image * target_pixels);
        pixel.y = inside / target_width - top;
        pixel.x = inside % target_width - left;
        pixel.exists = pixel.y >= 0 && pixel.y < height && pixel.x >= 0 && pixel.x < width;
        return pixel;
    }
};

/// Images in float, channel by channel.
template <class NumberType>
struct LoadInputBody : LoadSizes {
    static constexpr const char* name = "load_input";
    const float* source = nullptr;
    NumberType* target = nullptr;

    TENON_DEVICE void operator()(long index) const {
        const Pixel at = pixel(index);
        for (int c = 0; c < pitch; ++c)
            target[index * pitch + c] = from_float<NumberType>(
                at.exists && c < channels ? source[((at.image * channels + c) * height + at.y) * width + at.x] : 0.0f);
    }
};

/// Images in bytes, pixel by pixel, each channel times a scale plus a shift, rounded once.
template <class NumberType>
struct LoadBytesBody : LoadSizes {
    static constexpr const char* name = "load_bytes";
    const std::uint8_t* source = nullptr;
    const float* scale = nullptr;  ///< of each channel, followed by the shifts
    NumberType* target = nullptr;

    TENON_DEVICE void operator()(long index) const {
        const Pixel at = pixel(index);
        const std::uint8_t* const bytes = source + ((at.image * height + at.y) * width + at.x) * channels;
        for (int c = 0; c < pitch; ++c)
            target[index * pitch + c] = from_float<NumberType>(
                at.exists && c < channels ? ::fmaf(static_cast<float>(bytes[c]), scale[c], scale[channels + c]) : 0.0f);
    }
};

/// The result as floats, channel by channel.
template <class NumberType>
struct StoreOutputBody {
    static constexpr const char* name = "store_output";
    long count = 0;  ///< of scalars
    const NumberType* source = nullptr;
    float* target = nullptr;
    int channels = 0, pixels = 0;

    TENON_DEVICE void operator()(long index) const {
        const long pixel = index / channels;
        const int channel = static_cast<int>(index % channels);
        target[(pixel / pixels * channels + channel) * pixels + pixel % pixels] = to_float(source[index]);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
