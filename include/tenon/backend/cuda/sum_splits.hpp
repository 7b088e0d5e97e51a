// The sum of the parts of a convolution whose depth was split among blocks.
#pragma once

#include <tenon/backend/cuda/map.hpp>

namespace tenon::cuda {

/// The scalars of a sum of splits.
struct SumSplitsArguments {
    long count = 0;
    const float* partials = nullptr;
    int splits = 1;
    FinishArguments finish{};
};

inline namespace TENON_ISA_NAMESPACE {

/// Adds up the splits of a convolution in their order and finishes.
template <class NumberType, int Count>
struct SumSplitsBody : SumSplitsArguments {
    static constexpr const char* name = "sum_splits";

    TENON_DEVICE void operator()(long index) const {
        const int packs = finish.channels / Count;
        const long pixel = index / packs;
        const int channel = static_cast<int>(index % packs) * Count;
        float values[Count]{};
        for (int split = 0; split < splits; ++split) {
            float part[Count];
            load_floats(partials + split * count * Count + index * Count, part);
            TENON_CUDA_UNROLL
            for (int i = 0; i < Count; ++i) values[i] += part[i];
        }
        cuda::finish<NumberType>(finish, pixel, channel, values);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
