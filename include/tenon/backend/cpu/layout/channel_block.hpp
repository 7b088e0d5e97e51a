#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// How many channels are adjacent in memory: the C of NCHW16c. The same on every instruction set, so it is outside of
// TENON_ISA_NAMESPACE, like the tensors and plans that need it.

namespace tenon::cpu {

/// Channels of a block: one cache line of floats. In kernels `lane` is the place of a channel in its block, 0 to 15;
/// vectors begin at multiples of their width.
inline constexpr int channel_block = 16;

/// The number of blocks that hold `channels` channels: 17 -> 2.
constexpr int channel_blocks(int channels) { return (channels + channel_block - 1) / channel_block; }

}  // namespace tenon::cpu
