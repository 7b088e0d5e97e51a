#include "variants.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include <nlohmann/json.hpp>

#include <tenon/data.hpp>
#include <tenon/training.hpp>

#include "../common/step_limit.hpp"

namespace {
using namespace tenon;
using enum ShortcutKind;
using enum ActivationPlacement;

/// Shortcuts are compared in blocks of the original placement, as in the paper.
template <ShortcutKind Kind>
struct ShortcutVariant : CifarVariant<blocks_per_stage, Shortcut<Kind>, Placement<original>> {};
template <ActivationPlacement Where>
struct PlacementVariant : CifarVariant<blocks_per_stage, Placement<Where>> {};

/// Sets the initial biases of gates: mostly closed, so that shortcuts are at first nearly identities. No other
/// convolution has a bias.
template <class Net>
void set_gate_biases(Trainer<Net>& trainer, double value) {
    Parameters<Net> parameters;
    std::ranges::copy(trainer.parameters().values(), parameters.values().begin());
    for (int i = 0; i < parameters.count(); ++i) {
        const auto& info = lowered<Net>.parameters[i];
        if (info.role == ParameterRole::bias && lowered<Net>.layers[info.layer].path.kind == OpKind::conv)
            std::ranges::fill(parameters[i], static_cast<float>(value));
    }
    trainer.set_parameters(parameters);
}

template <class Net>
std::optional<nlohmann::ordered_json> run(const Images& images, const RunOptions& options) {
    const Budget& budget = options.budget;
    // The paper's recipe (He et al. 2015, section 4.2; everything is decayed), but for the schedule: the rate falls to
    // 0 with the budget, however small it is.
    Trainer<Net> trainer{
        SgdOptions{.learning_rate = budget.rate,
                   .momentum = 0.9,
                   .weight_decay = budget.decay,
                   .decayed = DecayedRoles::all()},
        {.batch_size = budget.batch_size,
         .seed = options.seed,
         .threads = options.threads,
         .initialization = {WeightRule::kaiming_normal_in, WeightRule::torch_default, BiasRule::zero}}};
    set_gate_biases(trainer, budget.gate_bias);

    const Normalize normalize{cifar10_mean, cifar10_deviation};
    Loader batches{images.training,
                   Pipeline{PadCrop{4, Border::zero}, RandomFlip{}, normalize},
                   {.batch_size = budget.batch_size, .drop_last = true, .seed = options.seed}};
    Loader test{images.test, Pipeline{normalize}, {.batch_size = budget.batch_size, .shuffle = false}};
    if (std::filesystem::exists(options.checkpoint)) {
        const auto restored = trainer.restore(options.checkpoint, {.fall_back = true});
        if (!restored.problem.empty()) std::fprintf(stderr, "%s\n", restored.problem.c_str());
        std::fprintf(options.quiet ? stderr : stdout, "resuming after %ld steps\n", trainer.state().step);
    }
    std::fflush(stdout);
    ProgressBar progress{options.quiet ? std::cerr : std::cout};
    training::StepLimit limit(budget.steps);
    PeriodicCheckpoint checkpoints(options.checkpoint, {.epochs = 1, .seconds = 60 * options.checkpoint_minutes});
    StopOnInterrupt interrupt(options.checkpoint, options.command);
    nlohmann::ordered_json result;
    try {
        trainer.fit(batches, test,
                    {.epochs = budget.epochs,
                     .budget_seconds = 60 * budget.minutes,
                     .schedule = schedules::piecewise_linear({{0, 0.1}, {0.1, 1}, {1, 0}}),
                     .callbacks = {&interrupt, &progress, &limit, &checkpoints}});
        if (trainer.is_interrupted()) return std::nullopt;
        const EpochReport& last = trainer.history().back();
        result["error"] = 100 * (1 - last.validation_accuracy);
        result["test_loss"] = last.validation_loss;
        result["training_error"] = 100 * (1 - last.accuracy);
        result["training_loss"] = last.loss;
    } catch (const Error& error) {
        // A variant that diverges is a result, as in the paper; a full disk is not. What overflows first may be the
        // loss or a running statistic, which no checkpoint is written of.
        const std::string_view what = error.what();
        const auto says = [&](std::string_view part) { return what.find(part) != std::string_view::npos; };
        if (!says("the loss of step") && !says("is undefined after step")) throw;
        result["failed"] = error.what();
    }
    result["epochs"] = trainer.state().epoch;
    result["steps"] = trainer.state().step;
    result["seconds"] = trainer.state().fit_seconds;
    result["parameters"] = static_cast<long>(parameter_count<Net>);
    return result;
}

constexpr Variant all_variants[] = {
    {"original", "original", "2a", "4a", "6.61", "5.93", &run<ShortcutVariant<identity>>},
    {"constant_scaling", "constant scaling by 0.5", "2b", "", "12.35", "", &run<ShortcutVariant<constant_scaling>>},
    {"exclusive_gating", "exclusive gating", "2c", "", "8.70", "", &run<ShortcutVariant<exclusive_gating>>},
    {"shortcut_only_gating", "shortcut-only gating", "2d", "", "6.91", "", &run<ShortcutVariant<shortcut_only_gating>>},
    {"convolution", "1x1 convolution", "2e", "", "12.22", "", &run<ShortcutVariant<convolution>>},
    {"dropout", "dropout of 0.5", "2f", "", "fail", "", &run<ShortcutVariant<dropout>>},
    {"norm_after_addition", "BN after addition", "", "4b", "8.17", "6.50", &run<PlacementVariant<norm_after_addition>>},
    {"relu_before_addition", "ReLU before addition", "", "4c", "7.84", "6.14",
     &run<PlacementVariant<relu_before_addition>>},
    {"relu_only_preactivation", "ReLU-only pre-activation", "", "4d", "6.71", "5.91",
     &run<PlacementVariant<relu_only_preactivation>>},
    {"full_preactivation", "full pre-activation", "", "4e", "6.37", "5.46", &run<PlacementVariant<full_preactivation>>},
};

}  // namespace

std::span<const Variant> variants() { return all_variants; }
