#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// What the training engines of all backends have in common: options, and the checks of a batch.

#include <cmath>

#include <tenon/backend/shared/loss_scale.hpp>
#include <tenon/backend/shared/namespaces.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/engine/loss.hpp>
#include <tenon/program/training/differentiate.hpp>
#include <tenon/topology/facts.hpp>

namespace tenon {

/// What a training engine is constructed with.
struct TrainingEngineOptions {
    int threads = 0;             ///< threads of its own; 0: one per core this process may use
    LossScaling loss_scaling{};  ///< in precisions that need it: float16 on CUDA
    int device = -1;             ///< on CUDA, the number of the device; -1: the current one
};

namespace detail {

// As `lowered`, these are constants that may point to the machine code of a user's function.
inline namespace TENON_ISA_NAMESPACE {

/// The forward program of a network in training.
template <class Net>
inline constexpr auto training_forward_of = training_forward(lowered<Net>);

/// The training program of a network.
template <class Net, DifferentiationOptions Options>
inline constexpr auto training_program =
    differentiate<training_capacity(training_forward_of<Net>, Options)>(training_forward_of<Net>, Options);

}  // namespace TENON_ISA_NAMESPACE

/// The number of logits per image. Training by a loss needs a network whose result is a flat vector.
template <class Net>
inline constexpr int classes_of = output_shape<Net>.channels;

/// Which class of a backend is a network's training engine; backends specialize it.
template <class Net, class Backend>
struct TrainingEngineOf;

}  // namespace detail

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The number of images in a batch of `scalars`. Throws tenon::Error unless it is a whole number from 1 to `largest`,
/// and large enough for every batch norm to have a variance.
template <class Net>
long checked_batch(std::size_t scalars, long largest) {
    constexpr long elements = input_shape<Net>.elements();
    constexpr long fewest_values = [] {
        const auto& program = training_forward_of<Net>;
        long fewest = 0;
        for (const Op& op : program.ops)
            if (op.kind == OpKind::batch_norm && !program.layers[op.layer()].frozen) {
                const long pixels = program.values[op.source()].pixels();
                fewest = fewest == 0 || pixels < fewest ? pixels : fewest;
            }
        return fewest;
    }();
    const long size = static_cast<long>(scalars), batch = size / elements;
    if (size == 0 || size % elements != 0)
        throw Error("one image of this network is " + to_string(input_shape<Net>) + ", " + std::to_string(elements) +
                    " scalars; a batch is a positive multiple of that, not " + std::to_string(size));
    if (batch > largest)
        throw Error("a batch of " + std::to_string(batch) + " images does not fit a training engine for at most " +
                    std::to_string(largest));
    if (fewest_values == 1 && batch == 1)
        throw Error(
            "a batch norm of this network sees one value per channel and image, so a batch of 1 image has no "
            "variance; train with 2 images or more");
    return batch;
}

/// The largest batch that an engine is constructed for. Throws tenon::Error unless it is positive.
inline int checked_max_batch(int images) {
    if (images < 1) throw Error("a training engine needs room for at least 1 image, not " + std::to_string(images));
    return images;
}

/// Options of loss scaling. Throws tenon::Error for numbers that no scale could follow.
inline const LossScaling& checked_scaling(const LossScaling& scaling) {
    const auto refuse = [](const std::string& what, double found) {
        throw Error("a loss scale " + what + ", not " + std::to_string(found));
    };
    if (!(scaling.initial >= double{min_loss_scale} && scaling.initial <= 0x1p127))
        refuse("begins between 2^-14 and 2^127", scaling.initial);
    if (!(scaling.growth >= 1 && std::isfinite(scaling.growth)))
        refuse("grows by a factor of 1 or more", scaling.growth);
    if (!(scaling.backoff > 0 && scaling.backoff < 1)) refuse("backs off by a factor between 0 and 1", scaling.backoff);
    if (scaling.interval < 1) refuse("grows after 1 or more steps", scaling.interval);
    return scaling;
}

/// Throws tenon::Error unless the smoothing is in [0, 1].
inline void check_smoothing(double smoothing) {
    if (!(smoothing >= 0 && smoothing <= 1))
        throw Error("label smoothing is a share of the target, 0 to 1, not " + fixed_text(smoothing));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
