#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What an engine is: a network bound to a backend. A Model or a Trainer requires the first concept of its kind and
// looks for the abilities that follow. To write an engine for another backend, read its interface here (test:
// tests/engine/concepts_test.cpp).

#include <concepts>
#include <cstdint>
#include <span>
#include <string>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::detail {

/// A function that is called with the index of each step that has finished.
using StepObserver = void (*)(int step);

/// Runs a network on batches of images.
///
/// - `E(threads, images)`: with threads of its own (0: one per core) and room for `images` images in flight.
/// - `set_parameters(tensors)`: `tensors[i]` points to parameter i of the network, in its own order and shape.
/// - `run(images, results, count, observe)`: reads `count` images, one after another, and writes as many results; calls
///   `observe(step)` after each of `E::Compiled::steps` steps.
template <class E>
concept InferenceEngine = std::constructible_from<E, int, int> && std::move_constructible<E> &&
    requires(E engine, const E& constant, std::span<const float* const> tensors, const typename E::Scalar* images,
             typename E::Scalar* results, long count, StepObserver observe) {
    { E::Compiled::steps } -> std::convertible_to<int>;
    engine.set_parameters(tensors);
    engine.run(images, results, count, observe);
    { constant.threads() } -> std::same_as<int>;
};

/// Is on one of several devices: `E(threads, images, device)`, the device being a number, or -1: the current one.
template <class E>
concept ChoosesDevice = std::constructible_from<E, int, int, int>;

inline namespace TENON_ISA_NAMESPACE {

/// For engines that have no devices. Throws tenon::Error where one was chosen.
template <class Once = void>
void check_no_device(int device) {
    if (device != -1)
        throw Error("device " + std::to_string(device) + " was chosen for a backend that has no devices, as CUDA has");
}

}  // namespace TENON_ISA_NAMESPACE

/// Has a faster way to run where nobody observes the steps.
template <class E>
concept RunsUnobserved = requires(E engine, const typename E::Scalar* images, typename E::Scalar* results, long count) {
    engine.run(images, results, count);
};

/// Reads images in bytes, pixel by pixel, as byte * scale + shift; `scale` has a number for each channel, then the
/// shifts.
template <class E>
concept ReadsBytes = requires(E engine, const std::uint8_t* images, const float* scale, typename E::Scalar* results,
                              long count) {
    engine.run_bytes(images, scale, results, count);
};

/// Computes in integers: `set_parameters(tensors, ranges)` takes, beside the parameters, the range of what each layer
/// reads.
template <class E>
concept NeedsRanges = requires(E engine, std::span<const float* const> tensors, std::span<const float> ranges) {
    engine.set_parameters(tensors, ranges);
};

/// Computes losses and gradients of batches.
///
/// - `E(max_batch, options)`: room for batches of up to `max_batch` images.
/// - `forward_backward(images, targets, options)`: the loss of a batch, its gradients, and new running statistics. The
///   targets are a label per image, or a distribution over the classes per image.
/// - `parameters()`, `gradients()`: arrays in the order of the network's parameters.
/// - `is_trained(i)`: whether parameter i has a gradient; a constant.
template <class E>
concept TrainingEngine = requires(E engine, std::span<const typename E::Scalar> scalars, std::span<const int> labels) {
    engine.forward_backward(scalars, labels);
    engine.forward_backward(scalars, scalars);
    { engine.parameters().values() } -> std::convertible_to<std::span<typename E::Scalar>>;
    { engine.gradients().values() } -> std::convertible_to<std::span<typename E::Scalar>>;
    { engine.logits() } -> std::convertible_to<std::span<const typename E::Scalar>>;
    { E::is_trained(0) } -> std::same_as<bool>;
};

/// Has threads on which an optimizer's loops may run.
template <class E>
concept LendsThreads = requires(E& engine) {
    engine.team().run([](int, int) {});
};

/// Computes the shards of a process together, as its batch norms see all of them: `prepare_parts(parts, all_parts)`,
/// then `forward_backward(parts, images_of_parts, label_smoothing, share)` and `gradients_of_part(i)`.
template <class E>
concept SynchronizesNorms = requires {
    requires E::synchronizes_norms;
};

/// Says in which precision it trains: a checkpoint is restored in the same one. CUDA's engines don't, as a training may
/// move from one of their precisions to another.
template <class E>
concept HasPrecision = requires {
    E::precision;
};

/// Multiplies the loss by a scale that changes (float16).
template <class E>
concept ScalesLoss = requires {
    requires E::scales_loss;
};

/// Updates the parameters itself, on the device: `prepare_updates(rule, runs, average)`, then `train(...)` instead of
/// forward_backward.
template <class E, class Rule, class Run>
concept UpdatesParameters = requires(E engine, const Rule& rule, std::span<const Run> runs) {
    engine.prepare_updates(rule, runs, true);
};

}  // namespace tenon::detail
