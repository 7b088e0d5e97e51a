#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// SyncNorms: a backend whose batch norms see all parts of a batch in training, those of other processes included.

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include <tenon/backend/cpu/training/synchronized_norm.hpp>
#include <tenon/core/index.hpp>
#include <tenon/engine/cpu_training.hpp>

namespace tenon {

namespace distributed {

/// A backend for `Trainer<Net, distributed::SyncNorms<>>`: batch norms normalize by the statistics of the complete
/// batch, over all shards and processes, as torch.nn.SyncBatchNorm does. Each shard needs its memory at the same time,
/// and each batch norm sends 16 bytes per channel and shard twice an iteration. For backends of the CPU.
///
/// Law: bitwise the same for any number of processes that divides the shards, as without it
/// (test: tests/distributed/distributed_test.cpp).
template <class Backend = Cpu>
struct SyncNorms : Backend {};

}  // namespace distributed

namespace cpu {
inline namespace TENON_ISA_NAMESPACE {

/// A part of a batch; it may have no images.
struct BatchPart {
    std::span<const float> images;
    Targets<float> targets;
    std::uint64_t seed = 0;  ///< of dropout
};

/// A training engine that computes the parts of a batch that a process has step by step together, so that a batch norm
/// can ask those of all processes.
template <class Net, ConvAlgorithm Algorithm>
class SynchronizedTrainingEngine : public TrainingEngine<Net, Algorithm> {
    using Base = TrainingEngine<Net, Algorithm>;
    using Compiled = typename Base::Compiled;

public:
    using Base::Base, Base::forward_backward;
    using Part = BatchPart;
    static constexpr bool synchronizes_norms = true;

    /// Allocates what `parts` parts need, of `all_parts` that all processes have.
    void prepare_parts(int parts, int all_parts) {
        frames_.resize(index(parts));
        gradients_of_parts_.clear();
        for (int i = 0; i < parts; ++i) gradients_of_parts_.emplace_back(index(state_count<Net>));
        mine_.resize(index(2L * max_channels * parts));
        all_.resize(index(2L * max_channels * all_parts));
    }

    /// The gradients of the mean loss over the images of all parts, as far as they pass through those of one part.
    std::span<float> gradients_of_part(int part) { return gradients_of_parts_[index(part)]; }

    /// The mean loss of one part, which has images.
    LossResult loss_of_part(int part) const {
        long first = 0;
        for (int i = 0; i < part; ++i) first += frames_[index(i)].frame.images;
        return this->loss_of(first, frames_[index(part)].frame.images);
    }

    /// The mean loss of this process' parts, and gradients_of_part of each. `images_of_parts` are the images of all
    /// parts of all processes; share(mine, all) gathers numbers from them (NormExchange). Throws tenon::Error for
    /// batches or targets that don't fit.
    LossResult forward_backward(std::span<const BatchPart> parts, std::span<const int> images_of_parts,
                                double label_smoothing,
                                detail::FunctionRef<void(std::span<const double>, std::span<double>)> share) {
        this->moved_from_.check("engine");
        check_smoothing(label_smoothing);
        constexpr long elements = input_shape<Net>.elements();
        const long room = this->max_batch();
        long mine = 0, whole = 0;
        for (const int images : images_of_parts) whole += images;
        checked_batch<Net>(index(whole * elements), whole);
        for (std::size_t i = 0; i < parts.size(); ++i) {
            const long images = std::ssize(parts[i].images) / elements;
            parts[i].targets.check(images, Base::classes);
            if (images > room - mine)
                throw Error("parts of " + std::to_string(mine + images) + " images do not fit a training engine for " +
                            "at most " + std::to_string(room));
            TrainingFrame& frame = frames_[i] = this->frame_of(parts[i].images.data(), parts[i].seed);
            frame.frame.arena += mine * Compiled::plan.image_floats;
            frame.frame.images = static_cast<int>(images);
            frame.gradients = gradients_of_parts_[i].data();
            mine += images;
            if (images == 0) std::ranges::fill(gradients_of_part(static_cast<int>(i)), 0.0f);
        }
        this->batch_ = mine;
        const NormExchange exchange{images_of_parts, mine_, all_, share};
        for (const TrainingFrame& frame : frames_)
            if (frame.frame.images > 0) Base::load_input(frame);
        run_parts(0, Compiled::plan.forward_steps, exchange);
        long first = 0;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            this->compute_losses(parts[i].targets, label_smoothing, frames_[i], first, whole);
            first += frames_[i].frame.images;
        }
        run_parts(Compiled::plan.forward_steps, Compiled::steps, exchange);
        return mine > 0 ? this->loss_of(0, mine) : LossResult{};
    }

private:
    /// Of the batch norm with the most.
    static constexpr int max_channels = [] {
        int most = 1;
        for (const TrainingStep& step : Compiled::plan.steps)
            if (step.kind == TrainingKind::statistics) most = std::max(most, step.source().channels);
        return most;
    }();

    void run_parts(int begin, int end, const NormExchange& exchange) {
        for (int i = begin; i < end; ++i) {
            const TrainingStep& step = Compiled::plan.steps[i];
            if (step.kind == TrainingKind::statistics) {
                run_synchronized_statistics(step, frames_, exchange);
            } else if (step.kind == TrainingKind::norm_gradient && !step.frozen) {
                run_synchronized_norm_gradient(step, frames_, exchange);
            } else {
                for (const TrainingFrame& frame : frames_)
                    if (frame.frame.images > 0) Compiled::functions[i](step, frame);
            }
        }
    }

    std::vector<TrainingFrame> frames_;
    std::vector<Buffer<float>> gradients_of_parts_;
    std::vector<double> mine_, all_;
};

template <class Backend>
constexpr bool is_cpu = std::is_same_v<Backend, Cpu> || std::is_same_v<Backend, ExactCpu>;

}  // namespace TENON_ISA_NAMESPACE
}  // namespace cpu

template <class Net, class Backend>
struct detail::TrainingEngineOf<Net, distributed::SyncNorms<Backend>> {
    static_assert(cpu::is_cpu<Backend>, "tenon: batch norms that see all shards need a backend of the CPU");
    using type = cpu::SynchronizedTrainingEngine<Net, std::is_same_v<Backend, ExactCpu> ? cpu::ConvAlgorithm::exact
                                                                                        : cpu::ConvAlgorithm::fast>;
};

}  // namespace tenon
