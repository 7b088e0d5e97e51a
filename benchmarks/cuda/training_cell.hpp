// Training of one network in one precision on the device: one step compared with the CPU's. `Backend` is CudaWith, or
// EmulatedCuda in tests.
#pragma once

#include <algorithm>
#include <cmath>

#include <tenon/engine/cuda_training_runner.hpp>
#include <tenon/engine/training_engine.hpp>
#include <tenon/train/optimizers/sgd.hpp>

#include "cell.hpp"
#include "findings.hpp"

namespace gpu_check {

/// The optimizer of all cells, PyTorch's too. Steps that are compared have a learning rate of 1, so that changes of
/// parameters are large compared with their rounding.
inline const tenon::SgdOptions step_optimizer{
    .learning_rate = 0.01, .momentum = 0.9, .weight_decay = 1e-4, .decayed = tenon::DecayedRoles::all()};
inline constexpr double compared_rate = 1;

/// The tolerance of gradients from exact ones, as a share of each tensor's largest value:
/// tests/backend/cuda/training_test.cpp has the same for the emulator. The CPU's has it, too, in 32 bits.
inline double gradient_bound_of(tenon::Precision precision) {
    using enum tenon::Precision;
    return precision == float32 ? 1e-4 : precision == bfloat16 ? 0x1p-5 : 0x1p-8;
}

/// Whether rounding can make gradients jump, by putting a value on the other side of a ReLU's kink.
template <class Net>
inline constexpr bool has_kinks = [] {
    for (const tenon::detail::Op& op : tenon::lowered<Net>.ops)
        if (op.kind == tenon::OpKind::relu) return true;
    return false;
}();

/// Parameters that steps are compared from. Where every ReLU follows a batch norm they keep its input away from the
/// kink: one value of a last map on the other side changes all gradients before it by a hundredth. Half of the channels
/// are above zero in almost all of their pixels, the other half below.
template <class Net>
tenon::Parameters<Net> compared_parameters_of() {
    constexpr float deviations = 6;
    tenon::Parameters<Net> parameters = parameters_of<Net>();
    if (!has_kinks<Net>) return parameters;
    for (int i = 0; i + 1 < parameters.count(); ++i) {
        using enum tenon::ParameterRole;
        const std::span<const tenon::detail::Parameter> infos = parameters.infos();
        if (infos[static_cast<std::size_t>(i)].role != gamma || infos[static_cast<std::size_t>(i + 1)].role != beta)
            continue;
        for (std::size_t c = 0; c < parameters[i].size(); ++c)
            parameters[i + 1][c] = std::copysign(deviations * parameters[i][c], parameters[i + 1][c]);
    }
    return parameters;
}

/// Whether a layer is before a max pool: of two nearly equal values the other one may get the gradient, which changes
/// the gradients of weights.
template <class Net>
constexpr bool is_before_choice(int layer) {
    const auto& program = tenon::lowered<Net>;
    for (int i = program.ops.size() - 1; i >= 0; --i) {
        if (program.ops[i].kind != tenon::OpKind::max_pool || program.ops[i].terms[0].window.taps() == 1) continue;
        for (int before = 0; before < i; ++before)
            if (program.ops[before].terms[0].layer == layer) return true;
        return false;
    }
    return false;
}

/// The tensors whose gradients are compared.
template <class Net>
bool is_compared(int tensor) {
    const tenon::detail::Parameter& info = tenon::lowered<Net>.parameters[tensor];
    return tenon::detail::is_trainable(info.role) &&
           !(info.role == tenon::ParameterRole::weight && is_before_choice<Net>(info.layer));
}

/// Seeded labels.
template <class Net>
std::vector<int> labels_of(int batch) {
    std::vector<int> labels(static_cast<std::size_t>(batch));
    for (std::size_t i = 0; i < labels.size(); ++i)
        labels[i] = static_cast<int>(tenon::detail::random_bits(1, tenon::detail::hash_name("label"), i) %
                                     static_cast<std::uint64_t>(tenon::detail::classes_of<Net>));
    return labels;
}

/// The results of a step: everything that it computes or changes.
template <class Net>
struct StepAnswer {
    double loss = 0;
    std::vector<float> logits;
    tenon::Parameters<Net> gradients, parameters;  ///< the latter after the update

    bool operator==(const StepAnswer& other) const {
        return loss == other.loss && logits == other.logits &&
               std::ranges::equal(gradients.values(), other.gradients.values()) &&
               std::ranges::equal(parameters.values(), other.parameters.values());
    }
};

template <class Engine, class Net>
std::unique_ptr<tenon::detail::Optimizer<float>> optimizer_of() {
    return step_optimizer.make<float>(
        tenon::detail::parameter_runs(tenon::Parameters<Net>::infos(), &Engine::is_trained, step_optimizer.decayed),
        tenon::state_count<Net>);
}

template <class Net, class Engine>
StepAnswer<Net> answer_of(Engine& engine, double loss) {
    StepAnswer<Net> answer;
    answer.loss = loss;
    answer.logits.assign(engine.logits().begin(), engine.logits().end());
    std::ranges::copy(engine.gradients().values(), answer.gradients.values().begin());
    std::ranges::copy(engine.parameters().values(), answer.parameters.values().begin());
    return answer;
}

/// An engine with seeded parameters, which the device updates.
template <class Net, class Backend>
class DeviceTraining {
public:
    using Engine = tenon::TrainingEngine<Net, Backend>;

    explicit DeviceTraining(int batch)
        : images_{images_of<Net>(batch)}, labels_{labels_of<Net>(batch)}, engine_{batch} {
        const auto optimizer = optimizer_of<Engine, Net>();
        engine_.prepare_updates(*optimizer->rule(), optimizer->runs(), false);
    }

    void restart(const tenon::Parameters<Net>& parameters) {
        std::ranges::copy(parameters.values(), engine_.parameters().values().begin());
        engine_.send(tenon::detail::TrainingArena::first_slot, std::vector<float>(tenon::state_count<Net>));
    }
    double step(double rate) {
        return engine_.train(images_, std::span<const int>(labels_), {}, {.learning_rate = rate}).loss.loss;
    }
    /// A step from the parameters that is not skipped: when the scale of the loss is so large that gradients overflow,
    /// it is repeated with the smaller scale that it left.
    double first_step(const tenon::Parameters<Net>& parameters, double rate) {
        for (;;) {
            restart(parameters);
            const double loss = step(rate);
            const tenon::detail::LossScale scale = engine_.loss_scale();
            if (scale.overflowed == 0) return loss;
            if (scale.scale <= tenon::detail::min_loss_scale)
                throw tenon::Error("the gradients of a training step overflow at every scale of its loss");
        }
    }
    Engine& engine() { return engine_; }

private:
    std::vector<float> images_;
    std::vector<int> labels_;
    Engine engine_;
};

/// One step on the device.
template <class Net, class Backend>
StepAnswer<Net> device_step(int batch) {
    DeviceTraining<Net, Backend> training{batch};
    const auto step = [&] {
        const double loss = training.first_step(compared_parameters_of<Net>(), compared_rate);
        if (!std::isfinite(loss)) throw tenon::Error("the loss of a training step is NaN or infinite");
        return answer_of<Net>(training.engine(), loss);
    };
    StepAnswer<Net> answer = step();
    if (answer != step()) throw tenon::Error("two training steps of one batch differ");
    return answer;
}

/// The same step on the CPU.
template <class Net>
StepAnswer<Net> cpu_step(int batch) {
    using Engine = tenon::TrainingEngine<Net, tenon::ExactCpu>;
    Engine engine{batch};
    std::ranges::copy(compared_parameters_of<Net>().values(), engine.parameters().values().begin());
    const std::vector<int> labels = labels_of<Net>(batch);
    const double loss = engine.forward_backward(images_of<Net>(batch), std::span<const int>(labels)).loss;
    optimizer_of<Engine, Net>()->step({engine.parameters().values(), engine.gradients().values(), compared_rate});
    return answer_of<Net>(engine, loss);
}

/// The largest difference between two sets of tensors, each as a share of its tensor's largest value, or of `least`;
/// NaN when a value is. `value(i, k)` and `expected(i, k)` are element k of tensor i, `rounding(i, k)` is a difference
/// that is always allowed.
template <class Net, class Takes, class Value, class Expected, class Rounding>
double tensor_difference(double least, Takes takes, Value value, Expected expected, Rounding rounding) {
    double worst = 0;
    for (int i = 0; i < tenon::Parameters<Net>::count(); ++i) {
        const tenon::detail::Parameter& info = tenon::lowered<Net>.parameters[i];
        if (!takes(i, info)) continue;
        double scale = least, error = 0;
        for (std::size_t k = 0; k < static_cast<std::size_t>(info.elements()); ++k) {
            scale = std::max(scale, std::abs(expected(i, k)));
            const double off = std::abs(value(i, k) - expected(i, k)) - rounding(i, k);
            if (off > error || std::isnan(off)) error = off;
        }
        if (error / scale > worst || std::isnan(error)) worst = error / scale;
    }
    return worst;
}

/// Compares a step on the device with the CPU's; the results are findings. Of networks with kinks only logits are
/// compared below 32 bits, as such rounding reaches the kinks; half of their size is the same for all images, hence a
/// smaller bound.
template <class Net, class Backend>
std::vector<nlohmann::json> compare_step(std::string_view network, tenon::Precision precision, int batch) {
    const StepAnswer<Net> found = device_step<Net, Backend>(batch), exact = cpu_step<Net>(batch);
    const tenon::Parameters<Net> before = compared_parameters_of<Net>();
    std::vector<nlohmann::json> findings;
    const auto add = [&](const char* what, double error, double bound) {
        findings.push_back({{"kind", "step"},
                            {"what", what},
                            {"network", network},
                            {"precision", name_of(precision)},
                            {"batch", batch},
                            {"against", "the CPU"},
                            {"error", error},
                            {"bound", bound}});
    };
    const bool rounded = precision != tenon::Precision::float32;
    add("logits", difference(found.logits, exact.logits), bound_of(precision) / (has_kinks<Net> && rounded ? 4 : 1));
    const bool finite =
        std::ranges::all_of(found.parameters.values(), [](float value) { return std::isfinite(value); });
    if (!finite) throw tenon::Error("a parameter is NaN or infinite after a training step");
    if (has_kinks<Net> && rounded) return findings;

    const double bound = gradient_bound_of(precision) * (rounded ? 1 : 2);
    add("loss", std::abs(found.loss - exact.loss) / (1 + std::abs(exact.loss)), bound / 10);
    const auto compared = [](int i, const tenon::detail::Parameter&) { return is_compared<Net>(i); };
    const auto statistic = [](int, const tenon::detail::Parameter& info) {
        return !tenon::detail::is_trainable(info.role);
    };
    const auto at = [](const tenon::Parameters<Net>& tensors) {
        return [&tensors](int i, std::size_t k) { return static_cast<double>(tensors[i][k]); };
    };
    const auto change = [&](const tenon::Parameters<Net>& tensors) {
        return [&](int i, std::size_t k) { return static_cast<double>(tensors[i][k]) - double{before[i][k]}; };
    };
    const auto none = [](int, std::size_t) { return 0.0; };
    // Two roundings of the changed parameter.
    const auto rounding = [&](int i, std::size_t k) { return 0x1p-23 * std::abs(double{exact.parameters[i][k]}); };
    double largest = 0;  // a tensor whose gradient is zero except for rounding is measured by the others
    for (const float gradient : exact.gradients.values()) largest = std::max(largest, std::abs(double{gradient}));
    const double least = 1e-3 * largest;
    add("gradients", tensor_difference<Net>(least, compared, at(found.gradients), at(exact.gradients), none), bound);
    add("changes of parameters",
        tensor_difference<Net>(compared_rate * least, compared, change(found.parameters), change(exact.parameters),
                               rounding),
        bound);
    add("running statistics", tensor_difference<Net>(1e-3, statistic, at(found.parameters), at(exact.parameters), none),
        bound);
    return findings;
}

/// Writes a step's inputs and results into a folder; step.json says which step it was.
template <class Net>
void write_step(const std::string& folder, const StepAnswer<Net>& step, tenon::Precision precision, int batch) {
    compared_parameters_of<Net>().save(folder + "/step_weights.safetensors");
    write_raw(folder + "/step_images.raw", images_of<Net>(batch));
    write_raw(folder + "/labels.raw", labels_of<Net>(batch));
    write_raw(folder + "/step_logits.raw", step.logits);
    step.gradients.save(folder + "/gradients.safetensors");
    step.parameters.save(folder + "/updated.safetensors");
    nlohmann::json compared = nlohmann::json::array();
    const std::vector<std::string> names = tenon::detail::parameter_names<Net>(tenon::naming_of<Net>);
    for (int i = 0; i < tenon::Parameters<Net>::count(); ++i)
        if (is_compared<Net>(i)) compared.push_back(names[static_cast<std::size_t>(i)]);
    const nlohmann::json settings{{"precision", name_of(precision)},
                                  {"rate", compared_rate},
                                  {"momentum", step_optimizer.momentum},
                                  {"weight_decay", step_optimizer.weight_decay},
                                  {"compared", compared},
                                  {"loss", step.loss},
                                  {"logits_bound", bound_of(precision)},
                                  {"bound", gradient_bound_of(precision)}};
    write_json(folder + "/step.json", settings);
}

}  // namespace gpu_check
