#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// What a trainer and a training engine exchange, whatever the backend: batches, losses, updates.

#include <tenon/backend/shared/loss_scale.hpp>
#include <tenon/backend/shared/update_rule.hpp>
#include <tenon/engine/loss.hpp>

namespace tenon {

namespace detail {

/// A batch of images with labels or soft targets, whichever is not null.
struct TrainingBatch {
    const float* images = nullptr;
    long size = 0;
    const int* labels = nullptr;
    const float* targets = nullptr;
};

/// The arrays on the device, all in the order of the network's parameters.
enum class TrainingArena { parameters, gradients, average, first_slot, second_slot };

/// What an update is told besides its rule.
struct UpdateStep {
    double learning_rate = 0;
    long number = 1;           ///< index of the update, counted from 1
    double clip_norm = 0;      ///< gradients are scaled so that their norm is at most this; 0: no clipping
    bool average = false;      ///< whether this update changes the average of the parameters,
    double average_decay = 0;  ///< which keeps this share of itself
};

/// The result of an iteration that ends in an update. The parameters are unchanged if the loss is not finite, or if its
/// scaled gradients overflowed.
struct UpdateResult {
    LossResult loss{};
    double gradient_norm = 0;  ///< before clipping; 0 if there is none
};

}  // namespace detail

}  // namespace tenon
