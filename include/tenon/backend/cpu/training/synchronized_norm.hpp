#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Batch norm over a batch whose parts are computed apart, some of them perhaps by other processes: what the parts tell
// each other, and the steps of all parts that need it.

#include <algorithm>
#include <span>

#include <tenon/backend/cpu/training/norm.hpp>
#include <tenon/backend/cpu/training/norm_gradient.hpp>
#include <tenon/core/function_ref.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// How the parts of a batch learn each other's sums. `share(mine, all)` is given two numbers per channel for each part
/// of this process, and gets those of all parts, in their order.
struct NormExchange {
    std::span<const int> images;  ///< of each of all parts; may be 0
    std::span<double> mine, all;
    detail::FunctionRef<void(std::span<const double> mine, std::span<double> all)> share;
};

/// Two numbers of each channel: of each part of this process, found by `find(frame, channel, pair)`; then of all parts,
/// which `use(channel, pairs)` reads, where pairs(part) is that of a part. A part without images finds nothing.
template <class Find, class Use>
void share_pairs(const Tensor& x, std::span<const TrainingFrame> parts, const NormExchange& exchange, const Find& find,
                 const Use& use) {
    const std::size_t length = 2 * index(x.channels);
    const std::span<double> mine = exchange.mine.first(parts.size() * length),
                            all = exchange.all.first(exchange.images.size() * length);
    std::ranges::fill(mine, 0.0);
    for (std::size_t part = 0; part < parts.size(); ++part)
        if (const TrainingFrame& frame = parts[part]; frame.frame.images > 0) find(frame, mine.data() + part * length);
    exchange.share(mine, all);
    for_each_block(parts.front(), x, [&](int, int first, int channels) {
        for (int c = first; c < first + channels; ++c)
            use(c, [&](std::size_t part) { return all.data() + part * length + 2 * c; });
    });
}

/// Mean and variance over all parts: of each part as run_statistics finds them, then merged in the order of the parts.
inline void run_synchronized_statistics(const TrainingStep& step, std::span<const TrainingFrame> parts,
                                        const NormExchange& exchange) {
    const Tensor& x = step.source();
    const NormParameters norm{step, parts.front()};
    share_pairs(
        x, parts, exchange,
        [&](const TrainingFrame& frame, double* pairs) {
            for_each_target_plane(frame, x, [&](int image, int plane) { plane_statistics(frame, x, image, plane); });
            for_each_block(frame, x, [&](int, int first, int channels) {
                for (int c = first; c < first + channels; ++c) {
                    const ChannelStatistics found = merged_statistics(frame, x, c);
                    pairs[2 * c] = found.mean;
                    pairs[2 * c + 1] = found.squares;
                }
            });
        },
        [&](int channel, const auto& pair_of) {
            ChannelStatistics all;
            for (std::size_t part = 0; part < exchange.images.size(); ++part)
                if (const int images = exchange.images[part]; images > 0) {
                    const double* const pair = pair_of(part);
                    all.merge(pair[0], pair[1], static_cast<double>(x.pixels()) * images);
                }
            set_statistics(step, parts.front(), norm, channel, all);
        });
}

/// The gradients of run_norm_gradient, with means over all parts. Those of gamma and beta are each part's own.
inline void run_synchronized_norm_gradient(const TrainingStep& step, std::span<const TrainingFrame> parts,
                                           const NormExchange& exchange) {
    const Tensor& x = step.source();
    double count = 0;
    for (const int images : exchange.images) count += static_cast<double>(x.pixels()) * images;
    share_pairs(
        x, parts, exchange,
        [&](const TrainingFrame& frame, double* pairs) {
            sum_gradient_planes(step, frame);
            for_each_block(frame, x, [&](int, int first, int channels) {
                for (int c = first; c < first + channels; ++c) {
                    const NormGradientSums found = take_gradient_sums(step, frame, c);
                    pairs[2 * c] = found.sum;
                    pairs[2 * c + 1] = found.product;
                }
            });
        },
        [&](int channel, const auto& pair_of) {
            NormGradientSums all;
            for (std::size_t part = 0; part < exchange.images.size(); ++part) {
                all.sum += pair_of(part)[0];
                all.product += pair_of(part)[1];
            }
            set_gradient_means(step, parts.front(), channel, all, count);
        });
    for (const TrainingFrame& frame : parts)
        if (frame.frame.images > 0) run_norm_source_gradient(step, frame);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
