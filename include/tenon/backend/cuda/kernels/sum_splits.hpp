#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Sums over the parts of convolutions whose depth was split among blocks, and whose tiles are too large for one block
// to add them (adds_splits).

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

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
