#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The gradients of a batch that is divided into shards, which one process or several compute.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/random.hpp>
#include <tenon/data/batch.hpp>
#include <tenon/distributed/tree_sum.hpp>
#include <tenon/engine/training_options.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// How an iteration is divided.
struct ShardOptions {
    distributed::World world{};
    int shards = 1;
    int accumulate = 1;
    bool are_used() const { return world.size() > 1 || shards > 1 || accumulate > 1; }
};

/// The images of a batch from `first` to `end`, of all ranks' images.
inline Batch part_of(const Batch& batch, long first, long end, long elements) {
    const long images = static_cast<long>(batch.images.size()) / elements;
    const long classes = images > 0 ? static_cast<long>(batch.targets.size()) / images : 0;
    const auto cut = [&](auto values, long scalars) {
        return values.empty() ? values
                              : values.subspan(index((first - batch.first) * scalars), index((end - first) * scalars));
    };
    Batch part{cut(batch.images, elements), cut(batch.labels, 1), cut(batch.targets, classes)};
    part.first = first;
    part.whole = batch.whole;
    return part;
}

/// A batch with `whole` filled in. Throws tenon::Error unless it holds the images of a rank.
inline Batch checked_share(Batch batch, distributed::World world, long elements) {
    const long images = static_cast<long>(batch.images.size()) / elements;
    if (batch.whole == 0) batch.whole = images;
    const long first = batch.whole * world.rank() / world.size(), end = batch.whole * (world.rank() + 1) / world.size();
    if (batch.first > first || batch.first + images < end)
        throw Error("expected images " + std::to_string(first) + " to " + std::to_string(end) + " of a batch of " +
                    std::to_string(batch.whole) + " for " + world.name() + ", found " + std::to_string(batch.first) +
                    " to " + std::to_string(batch.first + images) + "; was the loader sharded for this world?");
    return batch;
}

/// Computes the loss, the gradients and the running statistics of an iteration of `accumulate` batches, each divided
/// into `shards` parts of equal size (to one image). Batch norms see one part at a time. Every part begins with the
/// same running statistics; the new ones are the mean over the shards, as the gradients are.
///
/// Law: bitwise the same for any number of processes that divides the shards (test:
/// tests/distributed/distributed_test.cpp). Nothing is allocated after construction.
template <class Net, class Engine>
class ShardedGradients {
public:
    explicit ShardedGradients(const ShardOptions& options)
        : options_{options},
          local_shards_{options.shards / std::max(1, options.world.size())},
          sum_{options.world, options.shards, index(state_count<Net>)},
          before_(index(state_count<Net>)),
          local_(index(local_shards_)),
          all_(index(options.shards)) {
        if (options.accumulate > 1)
            for (int i = 0; i < local_shards_; ++i) kept_.emplace_back(before_.size());
        for (const Parameter& tensor : Parameters<Net>::infos())
            if (!is_trainable(tensor.role)) statistics_.push_back({index(tensor.offset), index(tensor.elements())});
    }

    /// The sum of an iteration over all ranks.
    struct Result {
        double loss = 0;  ///< mean
        long correct = 0, images = 0;
    };

    /// Runs an iteration of `batches` batches, `fetch(i)`. `check(result, part)` may throw for the loss of a part of a
    /// batch. Then the engine has the gradients of the mean loss over all images and the new running statistics.
    template <class Fetch, class Check, class OnThreads>
    Result run(Engine& engine, const Fetch& fetch, int batches, const StepOptions& step, const Check& check,
               const OnThreads& on_threads) {
        copy_statistics(std::as_const(engine).parameters().values(), before_);
        std::ranges::fill(local_, Tally{});
        for (int i = 0; i < batches; ++i) {
            const Batch batch = checked_share(fetch(i), options_.world, elements);
            for (int shard = 0; shard < local_shards_; ++shard) {
                const long number = first_shard() + shard;
                const Batch part = part_of(batch, batch.whole * number / options_.shards,
                                           batch.whole * (number + 1) / options_.shards, elements);
                const std::span<float> target = batches > 1 ? std::span<float>(kept_[index(shard)]) : sum_.leaf();
                run_part(engine, part, target, i == 0, shard,
                         {step.label_smoothing, random_bits(step.seed, hash_name("shard"),
                                                            static_cast<std::uint64_t>(i * options_.shards + number))},
                         check, on_threads);
                if (batches == 1) sum_.add(on_threads);
            }
        }
        for (int shard = 0; batches > 1 && shard < local_shards_; ++shard) {
            std::ranges::copy(kept_[index(shard)], sum_.leaf().begin());
            sum_.add(on_threads);
        }
        const std::span<float> gradients = engine.gradients().values();
        const auto start = std::chrono::steady_clock::now();
        sum_.finish(gradients, on_threads);
        const Result result = total();
        exchange_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        const auto images = static_cast<float>(result.images);
        on_threads([&](int worker, int workers) {
            const std::size_t end = share_begin(worker + 1, workers);
            for (std::size_t i = share_begin(worker, workers); i < end; ++i) gradients[i] /= images;
        });
        const std::span<float> parameters = engine.parameters().values();
        for (const auto& [offset, size] : statistics_)
            for (std::size_t i = offset; i < offset + size; ++i) {
                parameters[i] = before_[i] + gradients[i];
                gradients[i] = 0;
            }
        return result;
    }

    /// The time that all sums over the ranks have taken, waiting for slower ranks included.
    double exchange_seconds() const { return exchange_seconds_; }

private:
    static constexpr long elements = input_shape<Net>.elements();
    struct Tally {
        double loss = 0;
        long correct = 0, images = 0;
    };
    int first_shard() const { return TreeSum::first_shard(options_.world, options_.shards); }
    std::size_t share_begin(int worker, int workers) const { return before_.size() * index(worker) / index(workers); }
    void copy_statistics(std::span<const float> from, std::span<float> to) const {
        for (const auto& [offset, size] : statistics_)
            std::ranges::copy(from.subspan(offset, size), to.subspan(offset, size).begin());
    }

    /// Writes the gradients of a part times its images to `target`, or adds them; and likewise what it changes in the
    /// running statistics.
    template <class Check, class OnThreads>
    void run_part(Engine& engine, const Batch& part, std::span<float> target, bool is_first, int shard,
                  const StepOptions& step, const Check& check, const OnThreads& on_threads) {
        const long images = static_cast<long>(part.images.size()) / elements;
        if (images == 0) {
            if (is_first) std::ranges::fill(target, 0.0f);
            return;
        }
        copy_statistics(before_, engine.parameters().values());
        const LossResult result = part.targets.empty() ? engine.forward_backward(part.images, part.labels, step)
                                                       : engine.forward_backward(part.images, part.targets, step);
        check(result, part);
        Tally& tally = local_[index(shard)];
        tally.loss += result.loss * static_cast<double>(images);
        tally.correct += result.correct;
        tally.images += images;
        const std::span<float> gradients = engine.gradients().values();
        const std::span<const float> parameters = std::as_const(engine).parameters().values();
        for (const auto& [offset, size] : statistics_)
            for (std::size_t i = offset; i < offset + size; ++i) gradients[i] = parameters[i] - before_[i];
        const auto factor = static_cast<float>(images);
        on_threads([&](int worker, int workers) {
            const std::size_t end = share_begin(worker + 1, workers);
            for (std::size_t i = share_begin(worker, workers); i < end; ++i)
                target[i] = is_first ? gradients[i] * factor : target[i] + gradients[i] * factor;
        });
    }

    /// The sum over all shards, in their order.
    Result total() {
        options_.world.all_gather(std::span<const Tally>(local_), std::span<Tally>(all_));
        Result result;
        for (const Tally& tally : all_) {
            result.loss += tally.loss;
            result.correct += tally.correct;
            result.images += tally.images;
        }
        result.loss /= static_cast<double>(std::max(result.images, 1L));
        return result;
    }

    ShardOptions options_;
    int local_shards_;
    TreeSum sum_;
    std::vector<float> before_;        ///< the running statistics at the beginning of an iteration
    std::vector<Buffer<float>> kept_;  ///< sums over the batches of an iteration, one per shard
    std::vector<Tally> local_, all_;
    double exchange_seconds_ = 0;
    struct Extent {
        std::size_t offset, size;
    };
    std::vector<Extent> statistics_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
