#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The naive training engine: the oracle that the fast engines are compared with.

#include <tenon/backend/reference/training_backward.hpp>
#include <tenon/core/index.hpp>
#include <tenon/engine/concepts.hpp>
#include <tenon/engine/reference.hpp>
#include <tenon/engine/training_options.hpp>

namespace tenon::reference {
inline namespace TENON_ISA_NAMESPACE {

/// Parameters and running statistics of a network, or their gradients, in one array.
template <class Net, class Scalar>
class Arena {
public:
    Arena() : values_(detail::index(state_count<Net>)) {}

    static constexpr int count() { return lowered<Net>.parameters.size(); }
    static std::span<const Parameter> infos() {
        return {lowered<Net>.parameters.begin(), lowered<Net>.parameters.end()};
    }

    /// The values of one tensor, row-major in its own shape.
    std::span<Scalar> operator[](int index) {
        const Parameter& info = lowered<Net>.parameters[index];
        return values().subspan(detail::index(info.offset), detail::index(info.elements()));
    }
    /// All values.
    std::span<Scalar> values() { return values_; }

private:
    std::vector<Scalar> values_;
};

/// Computes losses and gradients of one network with naive loops on the calling thread.
template <class Net, class ScalarType, DifferentiationOptions Options = DifferentiationOptions{.input_gradient = true}>
class TrainingEngine {
public:
    using Scalar = ScalarType;
    static constexpr const auto& program = training_program<Net, Options>;

    explicit TrainingEngine(int max_batch, TrainingEngineOptions options = {})
        : max_batch_{checked_max_batch(max_batch)} {
        check_no_device(options.device);
        state_.shapes = {program.values.begin(), program.values.end()};
        state_.layers = {program.forward.layers.begin(), program.forward.layers.end()};
        state_.tensors = {program.forward.parameters.begin(), program.forward.parameters.end()};
        state_.parameters = parameters_.values();
        state_.gradients = gradients_.values();
        state_.values.resize(state_.shapes.size());
        state_.mean.resize(state_.layers.size());
        state_.inverse_deviation.resize(state_.layers.size());
    }
    TrainingEngine(const TrainingEngine&) = delete;
    TrainingEngine& operator=(const TrainingEngine&) = delete;

    Arena<Net, Scalar>& parameters() { return parameters_; }
    Arena<Net, Scalar>& gradients() { return gradients_; }

    static constexpr bool is_trained(int tensor) { return lowered<Net>.is_trained(tensor); }

    /// Whether forward updates the running statistics; tests by finite differences switch it off.
    void update_running_statistics(bool update) { state_.update_running = update; }

    /// Makes products round their operands.
    void round_products(RoundedProducts<Scalar> rounding) { state_.rounding = rounding; }

    /// The results of a batch in training mode; backward uses what they were computed from.
    std::span<const Scalar> forward(std::span<const Scalar> images, std::uint64_t seed = 0) {
        state_.batch = checked_batch<Net>(images.size(), max_batch_);
        state_.seed = seed;
        state_.values[0].assign(images.begin(), images.end());
        run(0, program.forward_ops);
        return state_.value(program.output);
    }

    /// Computes the gradients of sum(output * output_gradient) for the last forward.
    void backward(std::span<const Scalar> output_gradient) {
        state_.value(program.output_gradient).assign(output_gradient.begin(), output_gradient.end());
        run(program.forward_ops, program.ops.size());
    }

    /// A training iteration without the optimizer: the loss of a batch, its gradients, and new running statistics.
    /// Throws tenon::Error for a batch or targets that don't fit; then nothing is changed.
    LossResult forward_backward(std::span<const Scalar> images, Targets<Scalar> targets, StepOptions options = {}) {
        static_assert(output_shape<Net>.is_flat(), "a loss over classes needs a network that ends in a flat vector");
        constexpr int classes = classes_of<Net>;
        const long batch = checked_batch<Net>(images.size(), max_batch_);
        targets.check(batch, classes);
        check_smoothing(options.label_smoothing);
        const auto logits = forward(images, options.seed);
        std::vector<Scalar> gradient(logits.size());
        LossResult sum;
        for (long n = 0; n < batch; ++n) {
            const LossResult one =
                softmax_cross_entropy<Scalar>(logits.data() + n * classes, classes, targets, n, batch,
                                              options.label_smoothing, gradient.data() + n * classes);
            sum.loss += one.loss / static_cast<double>(batch);
            sum.correct += one.correct;
        }
        backward(gradient);
        return sum;
    }

    LossResult forward_backward(std::span<const Scalar> images, std::span<const int> labels, StepOptions options = {}) {
        return forward_backward(images, Targets<Scalar>{labels}, options);
    }
    LossResult forward_backward(std::span<const Scalar> images, std::span<const Scalar> targets,
                                StepOptions options = {}) {
        return forward_backward(images, Targets<Scalar>{targets}, options);
    }

    std::span<const Scalar> logits() const { return state_.values[detail::index(program.output)]; }

    /// The gradient of the input; empty where no gradient flows there.
    std::span<const Scalar> input_gradient() const {
        if (program.input_gradient < 0) return {};
        return state_.values[detail::index(program.input_gradient)];
    }

    /// The values of the last iteration by number, for tests that look inside.
    const TrainingState<Scalar>& state() const { return state_; }

private:
    void run(int begin, int end) {
        TrainingInterpreter<Scalar> interpreter{state_};
        for (int i = begin; i < end; ++i) interpreter.run(program.op_of(program.ops[i]), program.ops[i]);
    }

    int max_batch_;
    Arena<Net, Scalar> parameters_, gradients_;
    TrainingState<Scalar> state_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::reference

namespace tenon {

template <class Net, class Scalar>
struct detail::TrainingEngineOf<Net, Reference<Scalar>> {
    using type = reference::TrainingEngine<Net, Scalar>;
};

}  // namespace tenon
