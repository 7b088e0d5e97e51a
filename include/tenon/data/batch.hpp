#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Batch: what one training iteration reads; BatchSource: where a trainer gets batches from.

#include <concepts>
#include <span>

namespace tenon {

/// The images of one training iteration and their classes. The spans belong to whoever made the batch.
struct Batch {
    std::span<const float> images{};   ///< size() x channels x height x width
    std::span<const int> labels{};     ///< the class of each image, from 0
    std::span<const float> targets{};  ///< a distribution over the classes per image, instead of labels; else empty
    /// Where several processes share a batch of `whole` images, this process' images are those from `first` on. 0: the
    /// batch is complete.
    long first = 0, whole = 0;
};

/// A source of batches. batch(epoch, index) is a function of its arguments alone, independent of earlier calls and of
/// the number of threads, so that a run can be stopped anywhere and resumed. The batch is valid until the next call.
template <class Source>
concept BatchSource = requires(Source source, long epoch, long index) {
    { source.images() } -> std::convertible_to<long>;   // in an epoch
    { source.batches() } -> std::convertible_to<long>;  // in an epoch
    { source.batch(epoch, index) } -> std::same_as<Batch>;
};

}  // namespace tenon
