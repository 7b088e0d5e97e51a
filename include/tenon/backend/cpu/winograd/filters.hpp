#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// F(4x4, 3x3) on plain filters, which have a quarter of the floats of transformed ones: for convolutions of few tiles,
// which would spend their time waiting for transformed weights from memory.

#include <tenon/backend/cpu/winograd/filter_tile.hpp>
#include <tenon/backend/cpu/winograd/maps.hpp>
#include <tenon/core/min_max.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// One worker's work on a strip of Winograd tiles, which may belong to several images. A panel is one block of output
/// channels.
template <WinogradSpec S>
class PlainFilterStrip {
public:
    PlainFilterStrip(const Step& step, const Frame& frame, float* scratch, Range tiles)
        : step_{step},
          frame_{frame},
          tiles_{tiles},
          planes_{step.source().planes()},
          sums_{scratch},
          input_{scratch + filter_group_floats} {}

    /// Transforms the windows of all tiles, into groups of `filter_tiles`. Unused places of the last group are not
    /// written.
    TENON_HOT void transform_input() const {
        for (int plane = 0; plane < planes_; ++plane)
            for (int tile = tiles_.begin; tile < tiles_.end; ++tile) {
                const int index = tile - tiles_.begin;
                const float* window = winograd_window(step_, frame_, plane, tile);
                float* out = group(index / filter_tiles) + long{plane} * filter_group_floats +
                             index % filter_tiles * channel_block;
                for (int lane = 0; lane < channel_block; lane += vector_width)
                    transform_window<S.m, true>(window + lane, step_.source().row(), out + lane, filter_point_floats);
            }
    }

    /// Computes the products at all points with one block of output channels and transforms them back, group by group:
    /// the panel's filters stay in the second-level cache.
    void run_panel(int panel) const {
        const float* const filters = frame_.weights + step_.weights + panel * step_.panel_floats;
        const int count = tiles_.end - tiles_.begin;
        for (int first = 0; first < count; first += filter_tiles) {
            const float* const input = group(first / filter_tiles);
            for (int plane = 0; plane < planes_; plane += filter_chunk_planes)
                multiply_filters({input + long{plane} * filter_group_floats,
                                  filters + long{plane} * filter_plane_floats,
                                  std::min(filter_chunk_planes, planes_ - plane), plane > 0, sums_});
            for (int t = 0; t < filter_tiles && first + t < count; ++t)
                WinogradEpilogue<epilogue_spec(S)>::run(step_, frame_, sums_ + t * channel_block, filter_point_floats,
                                                        panel, tiles_.begin + first + t);
        }
    }

private:
    float* group(int index) const { return input_ + long{index} * planes_ * filter_group_floats; }

    const Step& step_;
    const Frame& frame_;
    Range tiles_;
    int planes_;
    float* sums_;   ///< of one group
    float* input_;  ///< the groups' transformed windows, one group after the other
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
