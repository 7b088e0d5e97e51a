#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Kernels of training that compute each element separately: masks, products, dropout, and what goes from a pixel to
// other pixels.

#include <tenon/backend/cuda/kernels/map.hpp>

namespace tenon::cuda {

/// What changes from iteration to iteration, in memory of the device, where a recorded graph reads it anew.
struct StepScalars {
    std::uint64_t seed = 0;      ///< of dropout
    double label_smoothing = 0;  ///< share of the target that is spread over all classes
    double clip_norm = 0;        ///< the norm that gradients are clipped to
    float rate = 0;              ///< the learning rate
    float size = 0, root = 0;    ///< of AdamW: the rate and the reciprocal root, with bias corrections
    float kept = 1;              ///< of AdamW: the share of itself that a decayed parameter keeps
    float average_kept = 1, average_taken = 0;
};

/// What a map of a gradient computes.
enum class GradientKind {
    copy,         ///< gradient
    relu,         ///< gradient where `other` is above zero; passed on where it is NaN, as in torch
    product,      ///< gradient * other
    elementwise,  ///< of a function of backend/shared/elementwise.hpp, which `other` was saved for
    scale,        ///< gradient * factor
};

inline namespace TENON_ISA_NAMESPACE {

/// core/random.hpp on the device, where nvcc calls no constexpr function of the host.
TENON_HOST_DEVICE std::uint64_t mix_bits(std::uint64_t bits) {
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9u;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBu;
    return bits ^ (bits >> 31);
}
TENON_HOST_DEVICE std::uint64_t draw_bits(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
    constexpr std::uint64_t step = 0x9E3779B97F4A7C15u;
    return mix_bits((stream ^ (seed * step)) + (index + 1) * step);
}

/// Element by element, `Count` of them at a time: what `Kind` says, plus `sum`.
template <class NumberType, int Count, GradientKind Kind>
struct GradientBody {
    static constexpr const char* name = "gradient";
    static constexpr bool reads_other = Kind != GradientKind::copy && Kind != GradientKind::scale;
    long count = 0;  ///< of packs
    const NumberType *gradient = nullptr, *other = nullptr, *sum = nullptr;
    NumberType* target = nullptr;
    float factor = 1;
    OpKind function{};  ///< of GradientKind::elementwise

    TENON_DEVICE void operator()(long index) const {
        float values[Count], others[Count];
        load_floats(gradient + index * Count, values);
        if constexpr (reads_other) load_floats(other + index * Count, others);
        TENON_CUDA_UNROLL
        for (int i = 0; i < Count; ++i) {
            if constexpr (Kind == GradientKind::relu) values[i] = others[i] <= 0 ? 0.0f : values[i];
            if constexpr (Kind == GradientKind::product) values[i] *= others[i];
            if constexpr (Kind == GradientKind::elementwise)
                values[i] = elementwise_gradient(function, others[i], values[i]);
            if constexpr (Kind == GradientKind::scale) values[i] *= factor;
        }
        if (sum) {
            load_floats(sum + index * Count, others);
            TENON_CUDA_UNROLL
            for (int i = 0; i < Count; ++i) values[i] += others[i];
        }
        store_floats(values, target + index * Count);
    }
};

/// Dropout, of a value or of a gradient: core/dropout_mask.hpp, which counts features in the user's order.
template <class NumberType>
struct DropoutBody {
    static constexpr const char* name = "dropout";
    long count = 0;
    const NumberType *source = nullptr, *sum = nullptr;
    NumberType* target = nullptr;
    int channels = 0, pixels = 1;  ///< of an image
    const StepScalars* scalars = nullptr;
    std::uint64_t stream = 0;
    std::uint64_t dropped = 0;  ///< a feature is dropped if its 24 bits are below this
    float factor = 1;           ///< of those that are kept

    TENON_DEVICE void operator()(long index) const {
        const long pixel = index / channels, channel = index % channels;
        const long feature = (pixel / pixels * channels + channel) * pixels + pixel % pixels;
        const std::uint64_t drawn = draw_bits(scalars->seed, stream, static_cast<std::uint64_t>(feature)) >> 40;
        const float value = to_float(source[index]) * (drawn < dropped ? 0.0f : factor);
        target[index] = from_float<NumberType>(sum ? value + to_float(sum[index]) : value);
    }
};

/// Copies each pixel of a gradient to every n-th pixel of the target, with zeros elsewhere, plus `sum`. With `before`,
/// the gradient has more channels, and those from `before` on are taken.
template <class NumberType>
struct SpreadBody {
    static constexpr const char* name = "spread";
    long count = 0;
    const NumberType *gradient = nullptr, *sum = nullptr;
    NumberType* target = nullptr;
    int channels = 0, height = 1, width = 1;  ///< of the target
    int gradient_channels = 0, gradient_height = 1, gradient_width = 1, before = 0;
    int stride_height = 1, stride_width = 1;

    TENON_DEVICE void operator()(long index) const {
        const long pixel = index / channels, image = pixel / (long{height} * width);
        const int inside = static_cast<int>(pixel % (long{height} * width));
        const int y = inside / width, x = inside % width;
        float value = sum ? to_float(sum[index]) : 0.0f;
        if (y % stride_height == 0 && x % stride_width == 0 && y / stride_height < gradient_height &&
            x / stride_width < gradient_width) {
            const long at = (image * gradient_height + y / stride_height) * gradient_width + x / stride_width;
            value += to_float(gradient[at * gradient_channels + before + index % channels]);
        }
        target[index] = from_float<NumberType>(value);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
