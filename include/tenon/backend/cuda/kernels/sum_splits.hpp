#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Sums over the parts of products whose depth was split among blocks: convolutions whose tiles are too large for one
// block to add them (adds_splits), and weight gradients.

#include <tenon/backend/cuda/kernels/map.hpp>

namespace tenon::cuda {

/// The scalars of a sum of splits.
struct SumSplitsArguments {
    long count = 0;
    const float* partials = nullptr;
    int splits = 1;
    EpilogueArguments epilogue{};
};

inline namespace TENON_ISA_NAMESPACE {

/// Sums up the splits of a convolution in order and applies the epilogue.
template <class NumberType, int Count>
struct SumSplitsBody : SumSplitsArguments {
    static constexpr const char* name = "sum_splits";

    TENON_DEVICE void operator()(long index) const {
        const int packs = epilogue.channels / Count;
        const long pixel = index / packs;
        const int channel = static_cast<int>(index % packs) * Count;
        float values[Count]{};
        for (int split = 0; split < splits; ++split) {
            float part[Count];
            load_floats(partials + split * count * Count + index * Count, part);
            TENON_CUDA_UNROLL
            for (int i = 0; i < Count; ++i) values[i] += part[i];
        }
        cuda::apply_epilogue<NumberType>(epilogue, pixel, channel, values);
    }
};

/// Sums up the splits of a weight gradient in order and stores the sums in the order of the parameter: output, channel,
/// tap. Channels that are padding of a source have no weights.
struct SumWeightGradientBody {
    static constexpr const char* name = "sum_weight_gradient";
    long count = 0;  ///< outputs * columns
    const float* partials = nullptr;
    float* gradient = nullptr;
    int splits = 1;
    int columns = 0, group_channels = 0, inputs = 0;  ///< inputs: channels of a group without padding

    TENON_DEVICE void operator()(long index) const {
        const int column = static_cast<int>(index % columns), tap = column / group_channels;
        const int channel = column - tap * group_channels;
        if (channel >= inputs) return;
        float sum = 0;
        for (int split = 0; split < splits; ++split) sum += partials[split * count + index];
        const int taps = columns / group_channels;
        gradient[(index / columns * inputs + channel) * taps + tap] = sum;
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
