#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// What a trainer reports: about each iteration and each epoch.

#include <cmath>
#include <limits>
#include <vector>

namespace tenon {

namespace detail {

/// The value in a report of what was not measured.
inline constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();

}  // namespace detail

/// One training iteration, after its update.
struct StepReport {
    long step = 0;     ///< counted from 1 over all fits of the trainer
    long epoch = 0;    ///< counted from 0 over all fits of the trainer
    long batch = 0;    ///< in the epoch, counted from 0
    long batches = 0;  ///< in an epoch
    long images = 0;   ///< in this batch
    double loss = 0;   ///< mean over the batch
    long correct = 0;  ///< images of the batch whose largest logit was that of the label
    double learning_rate = 0;
    double gradient_norm = detail::not_measured;  ///< before clipping; measured where gradients are clipped
    double loss_scale = detail::not_measured;     ///< used in this iteration; measured where the loss is scaled
    bool skipped = false;                         ///< scaled gradients overflowed, so only running statistics changed
    double seconds = 0;                           ///< since the fit began, including earlier runs of it
    double epoch_seconds = 0;                     ///< since the epoch began, or since it was resumed
    long epoch_images = 0;                        ///< in the epoch so far
    double epoch_loss = 0;                        ///< mean over the epoch so far
    double epoch_accuracy = 0;                    ///< share in the epoch so far
    double progress = 0;                          ///< share of the fit that is done
};

/// One epoch, or the part of it that was done when the fit stopped.
struct EpochReport {
    long epoch = 0;   ///< counted from 0 over all fits of the trainer
    long step = 0;    ///< iterations so far
    long images = 0;  ///< trained on in this epoch
    double loss = 0;  ///< mean over the images, in training mode, before each update
    double accuracy = 0;
    double learning_rate = 0;  ///< of the last iteration
    double seconds = 0;        ///< of training, without the validation
    double validation_loss = detail::not_measured;
    double validation_accuracy = detail::not_measured;
    double validation_top5 = detail::not_measured;

    bool is_validated() const { return !std::isnan(validation_accuracy); }
};

/// One report per epoch of a trainer.
using History = std::vector<EpochReport>;

}  // namespace tenon
