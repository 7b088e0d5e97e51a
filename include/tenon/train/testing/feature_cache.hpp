#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Fine-tuning without the trunk: its features are computed once, and only a classifier is trained on them.

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/core/random.hpp>
#include <tenon/data/batch.hpp>
#include <tenon/runtime/model.hpp>
#include <tenon/topology/replace_head.hpp>
#include <tenon/train/shared_evaluation.hpp>
#include <tenon/weights/copy_parameters.hpp>

namespace tenon {

/// How a FeatureCache is made and read.
struct FeatureCacheOptions {
    int batch_size = 128;    ///< images in a batch; the last one of an epoch may be smaller
    int passes = 1;          ///< epochs of the source that are stored, so that augmentation has some effect
    bool shuffle = true;     ///< whether each epoch has another order
    std::uint64_t seed = 0;  ///< of the order
    int threads = 0;         ///< that compute the features; 0: one per core this process may use
    /// The processes that compute the features together: each those of its images, and all get all of them.
    distributed::World world{};
};

inline namespace TENON_ISA_NAMESPACE {

/// The features of a source's images: a BatchSource for `Trainer<LinearHead<Net>>`. The trunk runs in evaluation mode,
/// so its batch norms and dropouts behave as in a trunk inside Frozen. A cache that was moved from has no batch.
class FeatureCache {
public:
    /// Runs the trunk of a network with the given parameters on all batches of `source`. Throws tenon::Error for
    /// batches that don't fit, for a source without images and for options below 1.
    template <class Net, BatchSource Source>
    FeatureCache(const Parameters<Net>& parameters, Source&& source, const FeatureCacheOptions& options = {})
        : options_{options}, features_{output_shape<Trunk<Net>>.elements()} {
        if (options.batch_size < 1 || options.passes < 1)
            throw Error("a cache of features needs batches of 1 or more images and 1 or more passes");
        if (source.batches() < 1 || source.images() < 1) throw Error("the source of images to cache has no batch");
        Parameters<Trunk<Net>> trunk;
        copy_parameters(parameters, trunk);
        Model<Trunk<Net>> model{{.threads = options.threads}};
        model.set_parameters(trunk);
        constexpr long elements = input_shape<Net>.elements();
        for (long epoch = 0; epoch < options.passes; ++epoch)
            for (long index = 0; index < source.batches(); ++index) {
                const Batch batch = options.world.size() > 1
                                        ? detail::own_part(source.batch(epoch, index), options.world, elements)
                                        : source.batch(epoch, index);
                const std::span<const float> found =
                    batch.images.empty() ? std::span<const float>{} : model(batch.images);
                take(values_, found, batch);
                take(labels_, batch.labels, batch);
                take(targets_, batch.targets, batch);
            }
        images_ = std::ssize(values_) / features_ / options.passes;
        if (targets_.empty() && std::ssize(labels_) != images_ * options.passes)
            throw Error("the source has " + std::to_string(labels_.size()) + " labels for " +
                        std::to_string(images_ * options.passes) + " images");
    }

    long images() const { return images_; }
    long batches() const { return (images_ + options_.batch_size - 1) / options_.batch_size; }
    /// Floats of one image's features.
    long features() const { return features_; }

    /// Batch `index` of an epoch, valid until the next call. Throws tenon::Error when there is none.
    Batch batch(long epoch, long index) {
        if (epoch < 0 || index < 0 || index >= batches())
            throw Error("there is no batch " + std::to_string(index) + " among " + std::to_string(batches()));
        order(epoch);
        const long first = index * options_.batch_size, count = std::min<long>(options_.batch_size, images_ - first);
        const long pass = epoch % options_.passes, classes = std::ssize(targets_) / images_ / options_.passes;
        batch_values_.clear();
        batch_labels_.clear();
        batch_targets_.clear();
        for (long n = first; n < first + count; ++n) {
            const long image = pass * images_ + order_[detail::index(n)];
            append(batch_values_, values_, image, features_);
            if (classes > 0)
                append(batch_targets_, targets_, image, classes);
            else
                append(batch_labels_, labels_, image, 1);
        }
        return {batch_values_, batch_labels_, batch_targets_};
    }

private:
    /// Appends what this process has of a batch, or, of several processes, what all have, in the order of the images.
    template <class T>
    void take(std::vector<T>& to, std::span<const T> mine, const Batch& batch) const {
        const distributed::World world = options_.world;
        if (world.size() == 1) {
            to.insert(to.end(), mine.begin(), mine.end());
            return;
        }
        const auto first_of = [&](int rank) { return batch.whole * rank / world.size(); };
        const auto images_of = [&](int rank) { return detail::index(first_of(rank + 1) - first_of(rank)); };
        // A process without images does not know how many numbers one has.
        std::vector<std::size_t> sizes(detail::index(world.size()));
        const std::size_t size = mine.size();
        world.all_gather(std::span(&size, 1), std::span(sizes));
        std::size_t scalars = 0;
        for (int rank = 0; rank < world.size(); ++rank)
            if (images_of(rank) > 0) scalars = sizes[detail::index(rank)] / images_of(rank);
        const std::size_t room = *std::ranges::max_element(sizes);
        std::vector<T> padded(mine.begin(), mine.end()), all(room * sizes.size());
        padded.resize(room);
        world.all_gather(std::span<const T>(padded), std::span<T>(all));
        for (int rank = 0; rank < world.size(); ++rank) {
            const auto begin = all.begin() + static_cast<std::ptrdiff_t>(room * detail::index(rank));
            to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(images_of(rank) * scalars));
        }
    }

    template <class T>
    static void append(std::vector<T>& to, const std::vector<T>& from, long image, long size) {
        to.insert(to.end(), from.begin() + image * size, from.begin() + (image + 1) * size);
    }

    /// Puts the images into the order of an epoch: each gets a random key.
    void order(long epoch) {
        if (epoch == ordered_) return;
        order_.resize(static_cast<std::size_t>(images_));
        std::iota(order_.begin(), order_.end(), 0L);
        if (options_.shuffle) {
            const auto key = [&](long image) {
                return std::pair{detail::random_bits(options_.seed, detail::mix(static_cast<std::uint64_t>(epoch) + 1),
                                                     static_cast<std::uint64_t>(image)),
                                 image};
            };
            std::sort(order_.begin(), order_.end(), [&](long a, long b) { return key(a) < key(b); });
        }
        ordered_ = epoch;
    }

    FeatureCacheOptions options_;
    long features_;
    detail::ClearedByMove<long> images_ = 0;
    long ordered_ = -1;
    std::vector<float> values_, targets_, batch_values_, batch_targets_;
    std::vector<int> labels_, batch_labels_;
    std::vector<long> order_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
