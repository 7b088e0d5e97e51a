#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The streams that an engine uses.

namespace tenon::cuda {

/// The work of one stream runs in order; only events order work of different streams.
enum class Stream { compute, copy };
inline constexpr int streams = 2;

}  // namespace tenon::cuda
