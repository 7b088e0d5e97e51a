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
#include <tenon/distributed/tree_sum.hpp>
#include <tenon/engine/concepts.hpp>
#include <tenon/engine/training_options.hpp>
#include <tenon/train/batch_shares.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// In place of a part, for engines that have none.
struct NoPart {};

/// What an engine whose batch norms see all shards calls one of them.
template <class Engine>
struct PartOfEngine {
    using type = NoPart;
};
template <SynchronizesNorms Engine>
struct PartOfEngine<Engine> {
    using type = typename Engine::Part;
};
template <class Engine>
using PartOf = typename PartOfEngine<Engine>::type;

/// Computes the loss, the gradients and the running statistics of an iteration of `accumulate` batches, each divided
/// into `shards` parts of equal size (to one image). Batch norms see one part at a time, or, where the engine
/// synchronizes them, all parts of a batch. Every part begins with the same running statistics; the new ones are the
/// mean over the shards, as the gradients are.
///
/// Law: bitwise the same for any number of processes that divides the shards (test:
/// tests/distributed/distributed_test.cpp). Nothing is allocated after construction.
template <class Net, class Engine>
class ShardedGradients {
public:
    ShardedGradients(const ShardOptions& options, Engine& engine)
        : options_{options},
          local_shards_{options.shards / std::max(1, options.world.size())},
          sum_{options.world, options.shards, index(state_count<Net>)},
          local_(index(local_shards_)),
          all_(index(options.shards)) {
        if (options.accumulate > 1)
            for (int i = 0; i < local_shards_; ++i) kept_.emplace_back(index(state_count<Net>));
        if constexpr (SynchronizesNorms<Engine>) {
            engine.prepare_parts(local_shards_, options.shards);
            parts_.reserve(local_.size());
            images_of_shards_.resize(all_.size());
        }
        for (const Parameter& tensor : Parameters<Net>::infos())
            if (!is_trainable(tensor.role)) {
                statistics_.push_back({index(tensor.offset), index(tensor.elements()), before_.size()});
                before_.resize(before_.size() + index(tensor.elements()));
            }
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
        const auto now = std::as_const(engine).parameters().values();
        for (const auto& [offset, size, kept] : statistics_)
            std::ranges::copy(now.subspan(offset, size), before_.begin() + static_cast<std::ptrdiff_t>(kept));
        std::ranges::fill(local_, Tally{});
        for (int i = 0; i < batches; ++i) {
            const Batch batch = checked_share(fetch(i), options_.world, elements);
            const auto options_of = [&](int shard) {
                return StepOptions{
                    step.label_smoothing,
                    random_bits(step.seed, hash_name("shard"),
                                static_cast<std::uint64_t>(i * options_.shards + first_shard() + shard))};
            };
            if constexpr (SynchronizesNorms<Engine>) run_shards(engine, batch, options_of, check);
            for (int shard = 0; shard < local_shards_; ++shard) {
                Leaf leaf;
                if constexpr (SynchronizesNorms<Engine>)
                    leaf = {engine.gradients_of_part(shard), static_cast<float>(batch.whole)};
                else
                    leaf = run_shard(engine, shard_of(batch, shard), shard, options_of(shard), check);
                if (batches > 1)
                    keep(leaf, kept_[index(shard)], i == 0, on_threads);
                else
                    add(leaf, shard, engine, on_threads);
            }
        }
        for (int shard = 0; batches > 1 && shard < local_shards_; ++shard)
            add({std::span<float>(kept_[index(shard)]), 1}, shard, engine, on_threads);
        const Result result = total_;
        const std::span<float> gradients = engine.gradients().values(), parameters = engine.parameters().values();
        for (const auto& [offset, size, kept] : statistics_)
            for (std::size_t i = 0; i < size; ++i) {
                parameters[offset + i] = before_[kept + i] + gradients[offset + i];
                gradients[offset + i] = 0;
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
    /// Gradients that are means over `factor` images.
    struct Leaf {
        std::span<const float> gradients{};
        float factor = 0;
    };
    void restore_statistics(Engine& engine) const {
        const std::span<float> parameters = engine.parameters().values();
        for (const auto& [offset, size, kept] : statistics_)
            std::copy_n(before_.begin() + static_cast<std::ptrdiff_t>(kept), size,
                        parameters.begin() + static_cast<std::ptrdiff_t>(offset));
    }

    long begin_of_shard(const Batch& batch, int shard) const {
        return batch.whole * (first_shard() + shard) / options_.shards;
    }
    Batch shard_of(const Batch& batch, int shard) const {
        return part_of(batch, begin_of_shard(batch, shard), begin_of_shard(batch, shard + 1), elements);
    }
    static long images_of(const Batch& part) { return std::ssize(part.images) / elements; }

    /// Computes the gradients of a part; and, in their place, what it changes in the running statistics.
    template <class Check>
    Leaf run_shard(Engine& engine, const Batch& part, int shard, const StepOptions& step, const Check& check) {
        const long images = images_of(part);
        const std::span<float> gradients = engine.gradients().values();
        if (images == 0) {
            std::ranges::fill(gradients, 0.0f);
            return {gradients, 1};
        }
        restore_statistics(engine);
        const LossResult result = part.targets.empty() ? engine.forward_backward(part.images, part.labels, step)
                                                       : engine.forward_backward(part.images, part.targets, step);
        check(result, part);
        count(result, images, shard);
        const std::span<float> found = engine.gradients().values();
        write_changes(engine, found, 1);
        return {found, static_cast<float>(images)};
    }

    /// Computes the gradients of all shards of this process, of the mean loss over the batch of all processes.
    template <class OptionsOf, class Check>
    void run_shards(Engine& engine, const Batch& batch, const OptionsOf& options_of, const Check& check) {
        for (int i = 0; i < options_.shards; ++i) {
            const long begin = batch.whole * i / options_.shards, end = batch.whole * (i + 1) / options_.shards;
            images_of_shards_[index(i)] = static_cast<int>(end - begin);
        }
        parts_.clear();
        for (int shard = 0; shard < local_shards_; ++shard) {
            const Batch part = shard_of(batch, shard);
            parts_.push_back({part.images,
                              part.targets.empty() ? Targets<float>{part.labels} : Targets<float>{part.targets},
                              options_of(shard).seed});
        }
        restore_statistics(engine);
        const LossResult result = engine.forward_backward(
            parts_, images_of_shards_, options_of(0).label_smoothing,
            [&](std::span<const double> mine, std::span<double> all) { options_.world.all_gather(mine, all); });
        const Batch mine = part_of(batch, begin_of_shard(batch, 0), begin_of_shard(batch, local_shards_), elements);
        if (!mine.images.empty()) check(result, mine);
        for (int shard = 0; shard < local_shards_; ++shard) {
            const long images = images_of(shard_of(batch, shard));
            if (images > 0) count(engine.loss_of_part(shard), images, shard);
            write_changes(engine, engine.gradients_of_part(shard),
                          static_cast<float>(images) / static_cast<float>(batch.whole));
        }
    }

    void count(const LossResult& result, long images, int shard) {
        Tally& tally = local_[index(shard)];
        tally.loss += result.loss * static_cast<double>(images);
        tally.correct += result.correct;
        tally.images += images;
    }
    /// Writes what a batch has changed in the running statistics, times a factor, to where their gradients would be.
    void write_changes(const Engine& engine, std::span<float> gradients, float factor) const {
        const std::span<const float> parameters = engine.parameters().values();
        for (const auto& [offset, size, kept] : statistics_)
            for (std::size_t i = 0; i < size; ++i)
                gradients[offset + i] = (parameters[offset + i] - before_[kept + i]) * factor;
    }
    /// Writes the sum of gradients over a shard's images to `target`, or adds it.
    template <class OnThreads>
    static void keep(const Leaf& leaf, std::span<float> target, bool is_first, const OnThreads& on_threads) {
        on_threads([&](int worker, int workers) {
            const auto share = [&](int part) { return target.size() * index(part) / index(workers); };
            for (std::size_t i = share(worker); i < share(worker + 1); ++i)
                target[i] = is_first ? leaf.gradients[i] * leaf.factor : target[i] + leaf.gradients[i] * leaf.factor;
        });
    }
    /// Adds the gradients of a shard to the sum; with the last one, writes the mean over all images of all ranks to the
    /// engine's gradients.
    template <class OnThreads>
    void add(const Leaf& leaf, int shard, Engine& engine, const OnThreads& on_threads) {
        if (shard + 1 < local_shards_) return sum_.add(leaf.gradients, leaf.factor, on_threads);
        const auto start = std::chrono::steady_clock::now();
        total_ = total();
        sum_.finish(leaf.gradients, leaf.factor, static_cast<float>(total_.images), engine.gradients().values(),
                    on_threads);
        exchange_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
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
    Result total_;
    std::vector<PartOf<Engine>> parts_;  ///< where batch norms see all shards: those of this process,
    std::vector<int> images_of_shards_;  ///< and the images of all
    double exchange_seconds_ = 0;
    struct Extent {
        std::size_t offset, size, kept;  ///< in the parameters, and where before_ has them
    };
    std::vector<Extent> statistics_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
