// The factor of a loss whose gradients are stored in half precision: how it moves from step to step, as numbers.
#pragma once

namespace tenon {

/// How a loss is scaled, as by torch.amp.GradScaler: gradients are computed of the loss times a factor and divided by
/// it, so that small ones are not lost below the smallest half-precision number. A step whose gradients overflow is
/// skipped and makes the factor smaller; many steps in a row that don't make it larger. Powers of two change nothing
/// else.
struct LossScaling {
    double initial = 65536;  ///< the first factor
    double growth = 2;       ///< what it is multiplied by after `interval` steps without an overflow; 1: it never grows
    double backoff = 0.5;    ///< what it is multiplied by after a step with one
    int interval = 2000;     ///< steps in a row
};

/// Where the factor stands behind a step.
struct LossScale {
    float scale = 1;
    int good_steps = 0;  ///< in a row, since the factor moved
    int overflowed = 0;  ///< 1: the last step's gradients were infinite or no numbers although its loss was finite
};

/// The factor doesn't fall below the smallest normal number of half precision: where gradients overflow even so, it is
/// not the factor that makes them.
inline constexpr float smallest_loss_scale = 0x1p-14f;

/// Where a training begins.
constexpr LossScale first_loss_scale(const LossScaling& scaling) { return {static_cast<float>(scaling.initial), 0, 0}; }

}  // namespace tenon
