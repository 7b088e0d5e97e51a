#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The training engine of the CPU: one list of kernels over one arena.

#include <algorithm>

#include <tenon/backend/cpu/plan/training.hpp>
#include <tenon/backend/cpu/training_function.hpp>
#include <tenon/backend/shared/precision.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/engine/concepts.hpp>
#include <tenon/engine/cpu.hpp>
#include <tenon/engine/training_options.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon {

namespace cpu {
inline namespace TENON_ISA_NAMESPACE {

/// A network's training program, its plan for the CPU and the kernels of its steps.
template <class Net, ConvAlgorithm Algorithm>
struct CompiledTraining {
    static constexpr const auto& program = training_program<Net, DifferentiationOptions{.spread_strides = true}>;
    static constexpr auto plan = TrainingPlanner{program, Algorithm}.plan();
    static constexpr int steps = plan.steps.size();
    static constexpr Precision precision = Precision::float32;

    static constexpr auto functions = []<int... I>(std::integer_sequence<int, I...>) {
        return FixedVector<TrainingFunction, steps>{{training_step_function<plan, I>()...}, steps};
    }
    (std::make_integer_sequence<int, steps>{});

    static_assert(program.values[program.output].pixels() == 1,
                  "tenon: training by a loss over classes needs a network that ends in a flat vector");
};

/// Computes losses and gradients of one network on the CPU, by the steps of a table: CompiledTraining's are in float.
/// Everything is allocated by the constructor. An
/// engine may be moved to another thread but not called from two at once. Throws tenon::Error when an engine that was
/// moved from is called.
///
/// Law: losses, gradients and running statistics are bitwise equal for any number of threads
/// (test: tests/train/cpu_training_test.cpp).
template <class Net, ConvAlgorithm Algorithm = ConvAlgorithm::fast, class Table = CompiledTraining<Net, Algorithm>>
class TrainingEngine {
public:
    using Scalar = float;
    using Compiled = Table;
    static constexpr int classes = classes_of<Net>;
    static constexpr Precision precision = Table::precision;

    /// Room for batches of up to `max_batch` images. Throws tenon::Error for less than one image, for a negative
    /// number of threads, for a device, or when there is not enough memory.
    explicit TrainingEngine(int max_batch, TrainingEngineOptions options = {})
        : max_batch_{checked_max_batch(max_batch)},
          team_{options.threads},
          arena_{index(Compiled::plan.image_floats * max_batch)},
          packed_{index(Compiled::plan.packed_floats)},
          transformed_{index(Compiled::plan.transformed.floats(max_batch, team_.size()))},
          statistics_{index(Compiled::plan.statistics_floats)},
          partials_{index(Compiled::plan.partial_floats * max_batch)},
          logits_{index(long{classes} * max_batch)},
          losses_{index(max_batch)},
          scratch_{index(Compiled::plan.scratch_floats * team_.size())} {
        check_no_device(options.device);
    }

    /// Weights, affine parameters and running statistics; forward_backward updates the latter.
    Parameters<Net>& parameters() { return parameters_; }
    const Parameters<Net>& parameters() const { return parameters_; }
    /// The gradients of the last batch's mean loss; zero for what is not trained.
    Parameters<Net>& gradients() { return gradients_; }
    const Parameters<Net>& gradients() const { return gradients_; }

    /// Whether a tensor has a gradient: not a running statistic, not frozen.
    static constexpr bool is_trained(int tensor) { return lowered<Net>.is_trained(tensor); }

    /// A training iteration without the optimizer: the loss of a batch, its gradients, and new running statistics.
    /// Throws tenon::Error for a batch or targets that don't fit; then nothing is changed.
    LossResult forward_backward(std::span<const float> images, Targets<float> targets, StepOptions options = {}) {
        moved_from_.check("engine");
        const long batch = checked_batch<Net>(images.size(), max_batch_);
        targets.check(batch, classes);
        check_smoothing(options.label_smoothing);
        batch_ = batch;
        const TrainingFrame frame = frame_of(images.data(), options.seed);
        load_input(frame);
        run(0, Compiled::plan.forward_steps, frame);
        compute_losses(targets, options.label_smoothing, frame, 0, batch);
        run(Compiled::plan.forward_steps, Compiled::steps, frame);
        return loss_of(0, batch);
    }

    LossResult forward_backward(std::span<const float> images, std::span<const int> labels, StepOptions options = {}) {
        return forward_backward(images, Targets<float>{labels}, options);
    }
    LossResult forward_backward(std::span<const float> images, std::span<const float> targets,
                                StepOptions options = {}) {
        return forward_backward(images, Targets<float>{targets}, options);
    }

    /// The logits of the last batch: [batch x classes].
    std::span<const float> logits() const {
        moved_from_.check("engine");
        return {logits_.data(), index(batch_ * classes)};
    }

    int threads() const { return team_.size(); }
    int max_batch() const { return max_batch_; }

    /// The engine's threads, on which an optimizer's loops may run.
    Workers& team() {
        moved_from_.check("engine");
        return team_;
    }

    /// Makes the engine call function(step) after each step, for measurements.
    void observe(void (*function)(int step)) { observe_ = function; }

    /// Makes the engine report its steps, and the workers' parts of them, to a recorder; to none if it is null.
    void record_with(StepRecorder* recorder) {
        moved_from_.check("engine");
        recorder_ = recorder;
        team_.record_with(recorder);
    }

    /// Bytes of memory that an engine for `batch` images on `threads` threads maps.
    static constexpr std::size_t bytes(int batch, int threads) {
        const auto& plan = Compiled::plan;
        return Buffer<float>::mapped_bytes(index(plan.image_floats * batch)) +
               Buffer<float>::mapped_bytes(index(plan.packed_floats)) +
               Buffer<float>::mapped_bytes(index(plan.transformed.floats(batch, threads))) +
               Buffer<float>::mapped_bytes(index(plan.statistics_floats)) +
               Buffer<float>::mapped_bytes(index(plan.partial_floats * batch)) +
               Buffer<float>::mapped_bytes(index(long{classes} * batch)) +
               Buffer<LossResult>::mapped_bytes(index(batch)) +
               Buffer<float>::mapped_bytes(index(plan.scratch_floats * threads)) +
               2 * Buffer<float>::mapped_bytes(index(state_count<Net>));
    }

protected:
    static void load_input(const TrainingFrame& frame) {
        Step load{};
        load.kind = OpKind::load_input;
        load.target = Compiled::plan.input;
        run_load_input(load, frame.frame);
    }

    void run(int begin, int end, const TrainingFrame& frame) {
        for (int i = begin; i < end; ++i) {
            if (recorder_) recorder_->begin(i, frame.frame.images);
            Compiled::functions[i](Compiled::plan.steps[i], frame);
            if (recorder_) recorder_->end(i);
            if (observe_) observe_(i);
        }
    }

    TrainingFrame frame_of(const float* images, std::uint64_t seed) {
        TrainingFrame frame{};
        frame.frame.arena = arena_.data();
        frame.frame.image_floats = Compiled::plan.image_floats;
        frame.frame.weights = packed_.data();
        frame.frame.input = {.floats = images};
        frame.frame.images = static_cast<int>(batch_);
        frame.frame.team = &team_;
        frame.frame.scratch = scratch_.data();
        frame.frame.scratch_floats = Compiled::plan.scratch_floats;
        frame.layers = Compiled::program.forward.layers.begin();
        frame.tensors = Compiled::program.forward.parameters.begin();
        frame.parameters = parameters_.values().data();
        frame.gradients = gradients_.values().data();
        frame.packed = packed_.data();
        frame.transformed = transformed_.data();
        frame.transformed_floats = std::ssize(transformed_);
        frame.statistics = statistics_.data();
        frame.partials = partials_.data();
        frame.seed = seed;
        return frame;
    }

    /// The losses of a frame's images, which are those from `first` on of the engine's, and the gradients of their sum
    /// over `batch`.
    void compute_losses(const Targets<float>& targets, double smoothing, const TrainingFrame& frame, long first,
                        long batch) {
        const Tensor &output = Compiled::plan.output, &gradient = Compiled::plan.output_gradient;
        team_.run([&](int worker, int workers) {
            const Range images = share(frame.frame.images, worker, workers);
            for (int n = images.begin; n < images.end; ++n) {
                const float* logits = frame.frame.image(n) + output.origin();
                std::copy_n(logits, classes, logits_.data() + (first + n) * classes);
                std::fill_n(frame.frame.image(n) + gradient.offset, gradient.floats(), 0.0f);
                losses_.data()[first + n] = softmax_cross_entropy<float>(logits, classes, targets, n, batch, smoothing,
                                                                         frame.frame.image(n) + gradient.origin());
            }
        });
    }

    /// The mean loss of some of the images.
    LossResult loss_of(long first, long images) const {
        LossResult sum;
        for (long n = first; n < first + images; ++n) {
            sum.loss += losses_.data()[n].loss;
            sum.correct += losses_.data()[n].correct;
        }
        sum.loss /= static_cast<double>(images);
        return sum;
    }

    int max_batch_;
    long batch_ = 0;
    Team team_;
    Buffer<float> arena_, packed_, transformed_, statistics_, partials_, logits_;
    Buffer<LossResult> losses_;
    Buffer<float> scratch_;
    Parameters<Net> parameters_, gradients_;
    void (*observe_)(int) = nullptr;
    StepRecorder* recorder_ = nullptr;
    MovedFrom moved_from_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace cpu

template <class Net>
struct detail::TrainingEngineOf<Net, Cpu> {
    using type = cpu::TrainingEngine<Net, cpu::ConvAlgorithm::fast>;
};
template <class Net>
struct detail::TrainingEngineOf<Net, ExactCpu> {
    using type = cpu::TrainingEngine<Net, cpu::ConvAlgorithm::exact>;
};

/// Bytes that TrainingEngine<Net, Backend> allocates for batches of up to `batch` images on `threads` threads: arenas
/// of values, parameters and gradients, and scratch memory, in complete pages. A constant expression.
template <class Net, class Backend = Cpu>
constexpr std::size_t training_bytes(int batch, int threads = 1) {
    return detail::TrainingEngineOf<Net, Backend>::type::bytes(batch, threads);
}

}  // namespace tenon
