#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The scale of a loss whose gradients are stored in half precision, and how it changes from iteration to iteration.

namespace tenon {

/// How a loss is scaled, as torch.amp.GradScaler does it: gradients are computed of the loss times a scale and then
/// divided by it, so that small ones are not lost below the smallest half-precision number. An iteration whose
/// gradients overflow is skipped and makes the scale smaller; many iterations without an overflow make it larger.
/// Scales that are powers of two change no bits otherwise.
struct LossScaling {
    double initial = 65536;  ///< the first scale
    double growth = 2;       ///< factor after `interval` iterations without an overflow; 1: the scale never grows
    double backoff = 0.5;    ///< factor after an iteration with an overflow
    int interval = 2000;     ///< iterations in a row
};

namespace detail {

/// The scale after an iteration.
struct LossScale {
    float scale = 1;
    int good_steps = 0;  ///< iterations without an overflow since the scale changed
    int overflowed = 0;  ///< 1: the last iteration's loss was finite but its gradients were infinite or NaN
};

/// The scale does not go below the smallest normal number of half precision: where gradients overflow even there, the
/// scale is not what makes them.
inline constexpr float min_loss_scale = 0x1p-14f;

/// The scale that training begins with.
constexpr LossScale first_loss_scale(const LossScaling& scaling) { return {static_cast<float>(scaling.initial), 0, 0}; }

}  // namespace detail

}  // namespace tenon
