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
/// a function of backend/shared/elementwise.hpp, or the product with a second map.
template <class NumberType, int Count>
struct PointwiseBody {
    static constexpr const char* name = "pointwise";
    long count = 0;  ///< of packs
    const NumberType* source = nullptr;
    const NumberType* other = nullptr;
    MapKind kind = MapKind::identity;
    OpKind function{};  ///< of MapKind::elementwise
    EpilogueArguments epilogue{};

    TENON_DEVICE void operator()(long index) const {
        const int packs = epilogue.channels / Count;
        const long pixel = index / packs;
        const int channel = static_cast<int>(index % packs) * Count;
        float values[Count];
        load_floats(source + index * Count, values);
        if (kind == MapKind::elementwise) {
            TENON_CUDA_UNROLL
            for (int i = 0; i < Count; ++i) values[i] = elementwise_value(function, values[i]);
        }
        if (kind == MapKind::multiply) {
            float factors[Count];
            load_floats(other + index * Count, factors);
            TENON_CUDA_UNROLL
            for (int i = 0; i < Count; ++i) values[i] *= factors[i];
        }
        cuda::apply_epilogue<NumberType>(epilogue, pixel, channel, values);
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
    int channels = 0, height = 0, width = 0;  ///< of the source
    int stride_height = 1, stride_width = 1;
    EpilogueArguments epilogue{};

    TENON_DEVICE void operator()(long index) const {
        const long pixel = index / epilogue.channels;
        const int channel = static_cast<int>(index % epilogue.channels);
        const int own = channel - (epilogue.channels - channels) / 2;
        const int map = epilogue.height * epilogue.width;
        const int inside = static_cast<int>(pixel % map);
        const long y = inside / epilogue.width * stride_height, x = inside % epilogue.width * stride_width;
        float values[1] = {0};
        if (own >= 0 && own < channels)
            load_floats(source + ((pixel / map * height + y) * width + x) * channels + own, values);
        cuda::apply_epilogue<NumberType>(epilogue, pixel, channel, values);
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
};

/// Images in float, channel by channel.
template <class NumberType>
struct LoadInputBody : LoadSizes {
    static constexpr const char* name = "load_input";
    const float* source = nullptr;
    NumberType* target = nullptr;

    TENON_DEVICE void operator()(long index) const {
        const long image = index / target_pixels;
        const int inside = static_cast<int>(index - image * target_pixels);
        const int y = inside / target_width - top, x = inside % target_width - left;
        const bool exists = y >= 0 && y < height && x >= 0 && x < width;
        for (int c = 0; c < pitch; ++c)
            target[index * pitch + c] = from_float<NumberType>(
                exists && c < channels ? source[((image * channels + c) * height + y) * width + x] : 0.0f);
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
        const long image = index / target_pixels;
        const int inside = static_cast<int>(index - image * target_pixels);
        const int y = inside / target_width - top, x = inside % target_width - left;
        const bool exists = y >= 0 && y < height && x >= 0 && x < width;
        const std::uint8_t* const pixel = source + ((image * height + y) * width + x) * channels;
        for (int c = 0; c < pitch; ++c)
            target[index * pitch + c] = from_float<NumberType>(
                exists && c < channels ? ::fmaf(static_cast<float>(pixel[c]), scale[c], scale[channels + c]) : 0.0f);
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
