// The streams that an engine works on.
#pragma once

namespace tenon::cuda {

/// Work of one stream runs in order; between streams only events order it.
enum class Stream { compute, copy };
inline constexpr int streams = 2;

}  // namespace tenon::cuda
