// The cost of training steps of one network in one precision on the device: their time, and their minimum work.
// `Backend` is CudaWith, or EmulatedCuda in tests.
#pragma once

#include <algorithm>

#include "training_cell.hpp"

namespace gpu_check {

/// Milliseconds of a training step: forward, loss, backward and update, one graph, on a batch in the device's memory.
/// Steps are queued; with copies each gets its batch from the host and is waited for. All steps train on one batch, so
/// its loss falls.
template <class Net, class Backend>
nlohmann::json measure_training(std::string_view network, tenon::Precision precision, int batch) {
    DeviceTraining<Net, Backend> training{batch};
    const double first = training.first_step(parameters_of<Net>(), step_optimizer.learning_rate);
    double last = first;
    nlohmann::json finding = time_batch(
        "training", network, precision, batch, 2, [&](int times) { training.engine().repeat(times); },
        [&] { last = training.step(step_optimizer.learning_rate); });
    finding.update({{"first_loss", first},
                    {"last_loss", last},
                    {"against", "a loss that falls"},
                    {"error", last / first},
                    {"bound", 1}});
    return finding;
}

/// The work of a training step's operations, as describe() has it for inference: what each operation must read and
/// write per image, and what a batch must read and write once: packed weights, weight gradients, the update.
template <class Net, tenon::Precision P>
nlohmann::json describe_training(std::string_view network) {
    using Compiled = tenon::cuda::CompiledTraining<Net, P>;
    using tenon::detail::TrainingKind;
    const long number = tenon::detail::number_bytes(P), input = tenon::input_shape<Net>.elements();
    nlohmann::json steps = nlohmann::json::array();
    steps.push_back({0, 4 * input + number * Compiled::plan.input.scalars(), 0});
    for (int i = 0; i < Compiled::steps; ++i) {
        const tenon::cuda::TrainingStep& training = Compiled::plan.steps[i];
        const tenon::detail::TrainingOp& op = Compiled::program.ops[i];
        std::vector<const tenon::cuda::Tensor*> read;
        for (const tenon::cuda::Tensor* tensor :
             {&training.step.terms[0].source, &training.step.terms[1].source, &training.step.residual,
              &training.gradient, &training.sum, &training.result, &training.other}) {
            const auto same = [&](const auto* other) { return other->offset == tensor->offset; };
            if (tensor->exists() && std::ranges::none_of(read, same)) read.push_back(tensor);
        }
        const bool of_weights = op.kind == tenon::detail::TrainingKind::weight_gradient;
        long bytes = of_weights ? 0 : training.target().channels * training.target().pixels();  // written
        for (const auto* tensor : read) bytes += numbers_read(training.step, *tensor);
        long operations = 0, weights = 0;
        const tenon::detail::Op& forward = Compiled::program.op_of(op);
        for (int t = 0; t < 2; ++t) {
            const bool whole =
                op.kind == tenon::detail::TrainingKind::forward || op.kind == tenon::detail::TrainingKind::recompute;
            const bool product = whole || of_weights || op.kind == tenon::detail::TrainingKind::data_gradient;
            if (!product || (!whole && t != op.term) || forward.terms[t].layer < 0) continue;
            if (forward.kind != tenon::OpKind::conv && forward.kind != tenon::OpKind::linear) continue;
            const tenon::detail::LayerInfo& layer = Compiled::program.forward.layers[forward.terms[t].layer];
            const long elements = Compiled::program.forward.parameters[layer.first_parameter].elements();
            operations += 2 * layer.output.pixels() * elements;
            weights += (of_weights ? 4 : number) * elements;
        }
        steps.push_back({operations, number * bytes, weights});
    }
    // The update reads parameters, gradients and velocities, and writes parameters and velocities.
    steps.push_back({0, 0, 5 * 4 * tenon::parameter_count<Net>});
    return {{"kind", "training work"}, {"network", network}, {"precision", name_of(P)}, {"steps", std::move(steps)}};
}

}  // namespace gpu_check
