#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Who computes convolutions, as numbers.

namespace tenon::cuda {

/// How many distinct convolutions each provider computes.
struct ProviderCounts {
    int own = 0, cublaslt = 0, cudnn = 0;
    friend constexpr bool operator==(const ProviderCounts&, const ProviderCounts&) = default;
};

}  // namespace tenon::cuda
