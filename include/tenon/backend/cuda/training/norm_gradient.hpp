#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The gradients of a batch norm: sums over the pixels of a batch, then the source's gradient; and the gradient of a
// bias, which is only such a sum.

#include <tenon/backend/cuda/training/norm.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// What both passes of a norm's gradient read.
template <class NumberType>
struct NormGradientOperands {
    const NumberType* source = nullptr;
    const NumberType* gradient = nullptr;
    NormNumbers numbers{};
    bool relu = false;  ///< whether a ReLU is fused after the norm

    /// Both, for some channels of a pixel.
    template <int Pack>
    struct Loaded {
        float values[Pack], passed[Pack];
    };
    template <int Pack>
    TENON_DEVICE void load(long pixel, int channel, Loaded<Pack>& loaded) const {
        const long at = pixel * numbers.channels + channel;
        load_floats(source + at, loaded.values);
        load_floats(gradient + at, loaded.passed);
    }

    /// The gradient of what the ReLU reads, and the normalized source.
    template <int Pack>
    TENON_DEVICE void differentiate(const Loaded<Pack>& loaded, int channel, float (&passed)[Pack],
                                    float (&normalized)[Pack]) const {
        float scale[Pack], shift[Pack], mean[Pack], inverse[Pack];
        load_floats(numbers.scale() + channel, scale);
        load_floats(numbers.shift() + channel, shift);
        load_floats(numbers.mean() + channel, mean);
        load_floats(numbers.inverse() + channel, inverse);
        TENON_CUDA_UNROLL
        for (int i = 0; i < Pack; ++i) {
            const bool is_negative = loaded.values[i] * scale[i] + shift[i] <= 0;
            passed[i] = is_negative && relu ? 0.0f : loaded.passed[i];
            normalized[i] = (loaded.values[i] - mean[i]) * inverse[i];
        }
    }
};

/// First pass: sums of the gradient, and of its product with the normalized source.
template <class NumberType>
struct NormGradientSums {
    static constexpr const char* name = "norm_gradient_sums";
    NormGradientOperands<NumberType> operands{};

    template <int Pack>
    using Loaded = typename NormGradientOperands<NumberType>::template Loaded<Pack>;

    template <int Pack>
    TENON_DEVICE void load(long pixel, int channel, Loaded<Pack>& loaded) const {
        operands.load(pixel, channel, loaded);
    }
    template <int Pack>
    TENON_DEVICE void add(const Loaded<Pack>& loaded, int channel, float (&first)[Pack], float (&second)[Pack]) const {
        float passed[Pack], normalized[Pack];
        operands.differentiate(loaded, channel, passed, normalized);
        TENON_CUDA_UNROLL
        for (int i = 0; i < Pack; ++i) {
            first[i] += passed[i];
            second[i] += passed[i] * normalized[i];
        }
    }
};

/// Between the passes: the gradients of beta and gamma, and the means.
struct NormGradientEpilogue {
    static constexpr const char* name = "norm_gradient_finish";
    NormNumbers numbers{};
    float *gamma_gradient = nullptr, *beta_gradient = nullptr;  ///< null where the norm has no gamma and beta
    double count = 1;                                           ///< pixels of the batch

    TENON_DEVICE void operator()(int channel, double sum, double product) const {
        numbers.mean_gradient()[channel] = static_cast<float>(sum / count);
        numbers.mean_product()[channel] = static_cast<float>(product / count);
        if (gamma_gradient) gamma_gradient[channel] = static_cast<float>(product);
        if (beta_gradient) beta_gradient[channel] = static_cast<float>(sum);
    }
};

/// Second pass: scale * (g - mean(g) - normalized * mean(g * normalized)) + sum; of a frozen norm scale * g + sum.
template <class NumberType, int Pack>
struct NormGradientBody {
    static constexpr const char* name = "norm_gradient";
    long count = 0;  ///< of packs
    NormGradientOperands<NumberType> operands{};
    const NumberType* sum = nullptr;
    NumberType* target = nullptr;
    bool frozen = false;

    TENON_DEVICE void operator()(long index) const {
        const NormNumbers& numbers = operands.numbers;
        const int packs = numbers.channels / Pack, channel = static_cast<int>(index % packs) * Pack;
        float result[Pack], normalized[Pack], scale[Pack];
        typename NormGradientOperands<NumberType>::template Loaded<Pack> loaded;
        operands.load(index / packs, channel, loaded);
        operands.differentiate(loaded, channel, result, normalized);
        if (!frozen) {
            float mean[Pack], product[Pack];
            load_floats(numbers.mean_gradient() + channel, mean);
            load_floats(numbers.mean_product() + channel, product);
            TENON_CUDA_UNROLL
            for (int i = 0; i < Pack; ++i) result[i] -= mean[i] + normalized[i] * product[i];
        }
        load_floats(numbers.scale() + channel, scale);
        float before[Pack]{};
        if (sum) load_floats(sum + index * Pack, before);
        TENON_CUDA_UNROLL
        for (int i = 0; i < Pack; ++i) result[i] = result[i] * scale[i] + before[i];
        store_floats(result, target + index * Pack);
    }
};

/// The gradient of a bias: sums of the gradient over all pixels. Only the first sum is used.
template <class NumberType>
struct BiasGradientSums {
    static constexpr const char* name = "bias_gradient_sums";
    const NumberType* gradient = nullptr;
    int channels = 0;

    template <int Pack>
    struct Loaded {
        float values[Pack];
    };

    template <int Pack>
    TENON_DEVICE void load(long pixel, int channel, Loaded<Pack>& loaded) const {
        load_floats(gradient + pixel * channels + channel, loaded.values);
    }
    template <int Pack>
    TENON_DEVICE void add(const Loaded<Pack>& loaded, int, float (&first)[Pack], float (&)[Pack]) const {
        TENON_CUDA_UNROLL
        for (int i = 0; i < Pack; ++i) first[i] += loaded.values[i];
    }
};

struct BiasGradientEpilogue {
    static constexpr const char* name = "bias_gradient_finish";
    float* gradient = nullptr;

    TENON_DEVICE void operator()(int channel, double sum, double) const { gradient[channel] = static_cast<float>(sum); }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
