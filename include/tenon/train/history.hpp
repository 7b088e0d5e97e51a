// What a trainer reports: of each step, of each epoch.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

namespace tenon {

/// What stands in a report where something was not measured.
inline constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();

/// One training step, behind its update.
struct StepReport {
    long step = 0;     ///< counted from 1 over all fits of the trainer
    long epoch = 0;    ///< counted from 0 over all fits of the trainer
    long batch = 0;    ///< of the epoch, counted from 0
    long batches = 0;  ///< of an epoch
    long images = 0;   ///< of this batch
    double loss = 0;   ///< the batch's mean
    long correct = 0;  ///< images of the batch whose largest logit was that of the label
    double learning_rate = 0;
    double gradient_norm = not_measured;  ///< before clipping; measured where gradients are clipped
    double loss_scale = not_measured;     ///< that the step was made with; measured where the loss is scaled
    bool skipped = false;                 ///< scaled gradients overflowed, so nothing but running statistics changed
    double seconds = 0;                   ///< since the fit began, earlier sittings of it included
    double epoch_seconds = 0;             ///< since the epoch began, or this sitting of it
    long epoch_images = 0;                ///< of the epoch so far
    double epoch_loss = 0;                ///< mean over the epoch so far
    double epoch_accuracy = 0;            ///< share of the epoch so far
    double progress = 0;                  ///< share of the fit that is done
};

/// One epoch, or what there was of it when the fit stopped.
struct EpochReport {
    long epoch = 0;   ///< counted from 0 over all fits of the trainer
    long step = 0;    ///< steps so far
    long images = 0;  ///< trained on in this epoch
    double loss = 0;  ///< mean over the images, in train mode, before each update
    double accuracy = 0;
    double learning_rate = 0;  ///< of the last step
    double seconds = 0;        ///< of training, without the validation
    double validation_loss = not_measured;
    double validation_accuracy = not_measured;
    double validation_top5 = not_measured;

    bool is_validated() const { return !std::isnan(validation_accuracy); }
};

/// What became of a trainer's epochs.
using History = std::vector<EpochReport>;

}  // namespace tenon
