#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The namespaces of the backends: each sees the vocabulary of programs and passes, which no user needs, without a
// prefix.

namespace tenon {

namespace detail {}

/// The CPU: plans, kernels, threads.
namespace cpu {
using namespace detail;
}

/// The GPU: plans, kernels, driver and libraries.
namespace cuda {
using namespace detail;
}

/// The naive backend that tests compare with.
namespace reference {
using namespace detail;
}

}  // namespace tenon
