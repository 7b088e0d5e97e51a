#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// An optimizer's update of all parameters: the gradients' norm, whether there is an update at all, SGD, AdamW, and the
// moving average. One launch each, whatever the number of tensors.

#include <cmath>

#include <tenon/backend/cuda/training/loss.hpp>
#include <tenon/backend/shared/update_rule.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cuda {

/// A range of the parameter array that is changed.
struct UpdateRun {
    long begin = 0, end = 0;
    int decays = 0;
};

/// What is decided on the device before parameters change.
struct UpdateControl {
    double gradient_norm = 0;
    float factor = 1;  ///< that gradients are multiplied by: they are clipped to a norm
    int applies = 0;   ///< 0: the loss is infinite or NaN, or its scaled gradients overflowed, so nothing changes
};

/// The scalars of an update's call.
struct UpdateArguments {
    float* parameters = nullptr;
    const float* gradients = nullptr;
    float* slots[2]{};
    const UpdateRun* runs = nullptr;
    int count = 0;  ///< of the runs
    const StepScalars* scalars = nullptr;
    const UpdateControl* control = nullptr;
    UpdateRule::Kind kind{};
    bool nesterov = false, keras = false, decoupled = true;
    float weight_decay = 0, momentum = 0;
    float beta1 = 0, rest1 = 0, beta2 = 0, rest2 = 0, epsilon = 0;
};

/// The scalars of the decision's call.
struct ControlArguments {
    const ImageLoss* losses = nullptr;
    int images = 1;
    const double* squares = nullptr;  ///< [run]; null: gradients are not clipped
    int runs = 0;
    const StepScalars* scalars = nullptr;
    const LossScale* scale = nullptr;  ///< after this iteration's gradients; null: the loss is not scaled
    UpdateControl* control = nullptr;
};

/// The scalars of the call that sums squares.
struct SquaresArguments {
    const float* gradients = nullptr;
    const UpdateRun* runs = nullptr;
    double* squares = nullptr;
    int count = 0;
};

inline namespace TENON_ISA_NAMESPACE {

/// The sum of the squares of each run's gradients, in double; one block per run.
struct SquaresKernel {
    static constexpr const char* name = "squares";
    static constexpr int threads = 256;
    using Arguments = SquaresArguments;
    using Registers = Nothing;
    struct Shared {
        double sums[threads];
    };

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        const UpdateRun run = arguments.runs[block.index().x];
        Shared& shared = block.shared();
        block.threads([&](int thread, Registers&) {
            double sum = 0;
            for (long i = run.begin + thread; i < run.end; i += threads) {
                const double gradient = double{arguments.gradients[i]};
                sum += gradient * gradient;
            }
            shared.sums[thread] = sum;
        });
        add_threads(block, shared.sums, threads);
        block.threads([&](int thread, Registers&) {
            if (thread == 0) arguments.squares[block.index().x] = shared.sums[0];
        });
    }

    static Grid grid(const Arguments& arguments) { return {arguments.count, 1, 1}; }
};

/// The decision; one block. Equals torch.nn.utils.clip_grad_norm_, including its 1e-6.
struct ControlKernel {
    static constexpr const char* name = "control";
    static constexpr int threads = 256;
    using Arguments = ControlArguments;
    using Registers = Nothing;
    struct Shared {
        double losses[threads], squares[threads];
    };

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        Shared& shared = block.shared();
        block.threads([&](int thread, Registers&) {
            double squares = 0;
            if (arguments.squares)
                for (int i = thread; i < arguments.runs; i += threads) squares += arguments.squares[i];
            shared.losses[thread] = thread_loss(thread, threads, arguments.losses, arguments.images);
            shared.squares[thread] = squares;
        });
        add_threads(block, shared.losses, threads);
        add_threads(block, shared.squares, threads);
        block.threads([&](int thread, Registers&) {
            if (thread != 0) return;
            UpdateControl control{};
            if (arguments.squares) {
                control.gradient_norm = ::sqrt(shared.squares[0]);
                const double factor = arguments.scalars->clip_norm / (control.gradient_norm + 1e-6);
                // A norm that is NaN makes everything NaN, as it does on the CPU.
                control.factor = factor < 1 || factor != factor  // NOLINT(misc-redundant-expression): NaN
                                     ? static_cast<float>(factor)
                                     : 1.0f;
            }
            const bool overflowed = arguments.scale && arguments.scale->overflowed != 0;
            control.applies = is_finite(shared.losses[0]) && !overflowed ? 1 : 0;
            *arguments.control = control;
        });
    }

    static Grid grid(const Arguments&) { return {1, 1, 1}; }
};

/// One update of the optimizer; one block per run.
struct UpdateKernel {
    static constexpr const char* name = "update";
    static constexpr int threads = 256;
    using Arguments = UpdateArguments;
    using Registers = Nothing;
    using Shared = Nothing;

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        const UpdateRun run = arguments.runs[block.index().x];
        block.threads([&](int thread, Registers&) {
            const float factor = arguments.control->factor;
            if (arguments.control->applies == 0) return;
            for (long i = run.begin + thread; i < run.end; i += threads) {
                const float gradient = arguments.gradients[i] * factor;
                if (arguments.kind == UpdateRule::Kind::adamw)
                    step_adamw(arguments, i, gradient, run.decays != 0);
                else
                    step_sgd(arguments, i, gradient, run.decays != 0);
            }
        });
    }

    static Grid grid(const Arguments& arguments) { return {arguments.count, 1, 1}; }

private:
    /// train/optimizers/sgd.hpp.
    TENON_DEVICE static void step_sgd(const Arguments& a, long i, float gradient, bool decays) {
        const float rate = a.scalars->rate;
        float parameter = a.parameters[i];
        if (decays && a.keras) parameter -= parameter * (rate * a.weight_decay);
        if (decays && !a.keras) gradient += a.weight_decay * parameter;
        if (!a.slots[0]) {
            a.parameters[i] = parameter - rate * gradient;
            return;
        }
        float velocity = a.momentum * a.slots[0][i];
        if (a.keras) {
            velocity -= rate * gradient;
            parameter += a.nesterov ? a.momentum * velocity - rate * gradient : velocity;
        } else {
            velocity += gradient;
            parameter -= rate * (a.nesterov ? gradient + a.momentum * velocity : velocity);
        }
        a.slots[0][i] = velocity;
        a.parameters[i] = parameter;
    }

    /// train/optimizers/adamw.hpp.
    TENON_DEVICE static void step_adamw(const Arguments& a, long i, float gradient, bool decays) {
        float parameter = a.parameters[i];
        if (decays && !a.decoupled) gradient += a.weight_decay * parameter;
        const float mean = a.beta1 * a.slots[0][i] + a.rest1 * gradient;
        const float square = a.beta2 * a.slots[1][i] + a.rest2 * (gradient * gradient);
        const float kept = decays && a.decoupled ? a.scalars->kept : 1.0f;
        parameter = kept * parameter - a.scalars->size * mean / (::sqrtf(square) * a.scalars->root + a.epsilon);
        a.slots[0][i] = mean;
        a.slots[1][i] = square;
        a.parameters[i] = parameter;
    }
};

/// The moving average of parameters and running statistics (train/optimizers/exponential_average.hpp).
struct AverageBody {
    static constexpr const char* name = "average";
    long count = 0;
    const float* values = nullptr;
    float* average = nullptr;
    const StepScalars* scalars = nullptr;
    const UpdateControl* control = nullptr;

    TENON_DEVICE void operator()(long index) const {
        if (control->applies != 0)
            average[index] = scalars->average_kept * average[index] + scalars->average_taken * values[index];
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
