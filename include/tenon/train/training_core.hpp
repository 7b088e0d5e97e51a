#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// TrainingCore: what one training iteration does to a network's parameters, and everything that it reads and changes.

#include <algorithm>
#include <cmath>

#include <tenon/core/number_text.hpp>
#include <tenon/data/batch.hpp>
#include <tenon/engine/concepts.hpp>
#include <tenon/engine/training_engine.hpp>
#include <tenon/io/json.hpp>
#include <tenon/train/checkpoints/fingerprint.hpp>
#include <tenon/train/checkpoints/trainer_state.hpp>
#include <tenon/train/metrics.hpp>
#include <tenon/train/optimizers/gradient_norm.hpp>
#include <tenon/train/optimizers/initializers.hpp>
#include <tenon/train/sharded_gradients.hpp>
#include <tenon/train/testing/diagnose_undefined.hpp>
#include <tenon/train/trainer_options.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// What is thrown when a loss is infinite or NaN.
class UndefinedLoss : public Error {
public:
    using Error::Error;
};

/// Forward, backward, clipping, update and moving average, on the engine of a backend. Holds the parameters, the
/// optimizer's slots and the average; where the engine updates parameters itself, the slots and the average are in the
/// engine and are copied when they are asked for.
template <class Net, class Backend>
class TrainingCore {
public:
    using Engine = tenon::TrainingEngine<Net, Backend>;
    static_assert(TrainingEngine<Engine>);
    static_assert(std::is_same_v<typename Engine::Scalar, float>, "a trainer needs a backend of floats");

    /// Draws the initial parameters. Throws tenon::Error for invalid options.
    template <OptimizerOptions<float> Choice>
    TrainingCore(const Choice& optimizer, const TrainerOptions& options)
        : options_{checked(options)},
          engine_{max_share(options_),
                  {.threads = options.threads, .loss_scaling = options.loss_scaling, .device = options.device}},
          optimizer_{optimizer.template make<float>(
              parameter_runs(Parameters<Net>::infos(), &Engine::is_trained, optimizer.decayed), state_count<Net>)},
          norm_{optimizer_->runs()} {
        initialize<Net>(engine_.parameters(), options.initialization, options.seed);
        if (options.average) {
            average_.emplace(*options.average);
            averaged_.emplace();
        }
        if constexpr (engine_updates)
            if (const auto rule = optimizer_->rule(); rule && !shards_of(options_).are_used()) {
                engine_.prepare_updates(*rule, optimizer_->runs(), average_.has_value());
                updates_on_engine_ = true;
            }
        if (shards_of(options_).are_used()) sharded_.emplace(shards_of(options_), engine_);
        restart_average();
    }

    /// Runs the iteration after those that `state` counts, on the batches fetch(0) to fetch(count - 1). Throws
    /// tenon::Error as the other run does.
    template <class Fetch>
    StepReport run(const Fetch& fetch, int count, double rate, const TrainerState& state) {
        if (!sharded_) return run(fetch(0), rate, state);
        const auto step_number = static_cast<std::uint64_t>(state.step + 1);
        const StepOptions step{options_.label_smoothing, random_bits(options_.seed, hash_name("dropout"), step_number)};
        const auto result = sharded_->run(
            engine_, fetch, count, step,
            [&](const LossResult& loss, const Batch& part) { check_loss(loss, part, state); },
            [&](const auto& function) { on_threads(function); });
        StepReport report;
        report.images = result.images;
        report.learning_rate = rate;
        update_parameters(report, state.step + 1);
        report.loss = result.loss;
        report.correct = result.correct;
        return report;
    }

    /// Runs the iteration after those that `state` counts. Throws tenon::Error for a batch that doesn't fit, and when
    /// the loss is infinite or NaN, or its gradients are at every scale, saying where.
    StepReport run(const Batch& batch, double rate, const TrainerState& state) {
        const auto step_number = static_cast<std::uint64_t>(state.step + 1);
        const StepOptions step{options_.label_smoothing, random_bits(options_.seed, hash_name("dropout"), step_number)};
        const long number = state.step + 1 - state.skipped;  // index of the update, from 1
        StepReport report;
        if (const auto scale = loss_scale()) report.loss_scale = double{scale->scale};
        report.images = std::ssize(batch.images) / input_shape<Net>.elements();
        report.learning_rate = rate;
        const auto with_targets = [&](auto function, const auto&... more) {
            return batch.targets.empty() ? function(batch.images, batch.labels, step, more...)
                                         : function(batch.images, batch.targets, step, more...);
        };
        LossResult result;
        if (updates_on_engine_) {
            if constexpr (engine_updates) {
                const auto train = [&](const auto&... arguments) { return engine_.train(arguments...); };
                send_state();
                const UpdateResult updated = with_targets(train, update_of(rate, number));
                result = updated.loss;
                if (options_.clip_norm > 0) report.gradient_norm = updated.gradient_norm;
                check_loss(result, batch, state);
                report.skipped = gradients_overflowed();
            }
        } else {
            const auto backward = [&](const auto&... arguments) { return engine_.forward_backward(arguments...); };
            result = with_targets(backward);
            check_loss(result, batch, state);
            report.skipped = gradients_overflowed();
            update_parameters(report, number);
        }
        if (report.skipped) check_scale(state);
        report.loss = result.loss;
        report.correct = result.correct;
        return report;
    }

    /// The parameters that are trained. After writing to them, call restart_average().
    const Parameters<Net>& parameters() const { return engine_.parameters(); }
    Parameters<Net>& parameters() { return engine_.parameters(); }
    /// The parameters that are evaluated and saved: the averaged ones if there are any.
    const Parameters<Net>& weights() const {
        fetch_state();
        return averaged_ ? *averaged_ : engine_.parameters();
    }
    /// Restarts the moving average from the parameters.
    void restart_average() {
        fetch_state();
        if (averaged_) std::ranges::copy(parameters().values(), averaged_->values().begin());
    }

    /// Everything that iterations change, by name: the parameters, the optimizer's slots, the average. May be read and
    /// written until the next iteration.
    std::vector<std::pair<std::string, std::span<float>>> arenas() {
        fetch_state();
        std::vector<std::pair<std::string, std::span<float>>> result{{"parameters", engine_.parameters().values()}};
        for (std::size_t i = 0; i < optimizer_->slots().size(); ++i)
            result.emplace_back("slot" + std::to_string(i), std::span<float>(optimizer_->slots()[i]));
        if (averaged_) result.emplace_back("average", averaged_->values());
        return result;
    }

    /// The scale of the loss; nothing where the engine scales no loss.
    std::optional<LossScale> loss_scale() const {
        if constexpr (scales_loss)
            return engine_.loss_scale();
        else
            return std::nullopt;
    }
    /// Sets the scale of the loss; without one, to where training begins.
    void set_loss_scale([[maybe_unused]] std::optional<LossScale> scale) {
        if constexpr (scales_loss) engine_.set_loss_scale(scale.value_or(first_loss_scale(options_.loss_scaling)));
    }

    /// The settings that a checkpoint must agree with.
    Metadata settings() const {
        Metadata settings{{"network", std::to_string(fingerprint<Net>())},
                          {"optimizer", optimizer_->identity()},
                          {"average", average_ ? average_->identity() : "none"},
                          {"seed", std::to_string(options_.seed)},
                          {"label_smoothing", exact_text(options_.label_smoothing)},
                          {"clip_norm", exact_text(options_.clip_norm)},
                          {"shards", std::to_string(shards_of(options_).shards)},
                          {"accumulate", std::to_string(options_.accumulate)}};
        if (!options_.preprocessing.empty()) settings["preprocessing"] = to_utf8(options_.preprocessing);
        if constexpr (SynchronizesNorms<Engine>) settings["norms"] = "of all shards";
        if constexpr (HasPrecision<Engine>) settings["precision"] = precision_name(Engine::precision);
        return settings;
    }

    /// The optimizer's learning rate, which a schedule multiplies.
    double learning_rate() const { return optimizer_->learning_rate(); }
    int threads() const { return engine_.threads(); }
    double exchange_seconds() const { return sharded_ ? sharded_->exchange_seconds() : 0; }

private:
    static const TrainerOptions& checked(const TrainerOptions& options) {
        check_smoothing(options.label_smoothing);
        check_rate(options.clip_norm, "norm that gradients are clipped to");
        if (options.shards < 0 || options.accumulate < 1)
            throw Error("a trainer needs 1 or more shards of a batch and 1 or more batches per iteration, found " +
                        std::to_string(options.shards) + " and " + std::to_string(options.accumulate));
        const ShardOptions shards = shards_of(options);
        if (shards.shards % shards.world.size() != 0)
            throw Error("expected a number of shards that " + std::to_string(shards.world.size()) +
                        " processes can share equally, found " + std::to_string(shards.shards));
        if (shards.are_used() && scales_loss)
            throw Error("a trainer of several processes, shards or accumulated batches needs a precision that does " +
                        std::string("without a scale of the loss, found float16"));
        return options;
    }
    static ShardOptions shards_of(const TrainerOptions& options) {
        return {options.world, options.shards > 0 ? options.shards : options.world.size(), options.accumulate};
    }
    /// The most images that the engine has at once: those of a shard, or of all shards of this process.
    static int max_share(const TrainerOptions& options) {
        const ShardOptions shards = shards_of(options);
        if (options.batch_size < 1) return options.batch_size;
        const int largest = (options.batch_size - 1) / shards.shards + 1;
        return SynchronizesNorms<Engine> ? largest * (shards.shards / shards.world.size()) : largest;
    }

    /// Calls f(worker, workers) on the engine's threads, if it has any.
    template <class F>
    void on_threads(const F& f) {
        if constexpr (LendsThreads<Engine>)
            engine_.team().run(f);
        else
            f(0, 1);
    }

    static std::string place_of(const TrainerState& state) {
        return "step " + std::to_string(state.step + 1) + " (epoch " + std::to_string(state.epoch) + ", batch " +
               std::to_string(state.batch) + ")";
    }
    void check_loss(const LossResult& result, const Batch& batch, const TrainerState& state) const {
        if (!std::isfinite(result.loss))
            throw UndefinedLoss("the loss of " + place_of(state) + " is " + fixed_text(result.loss) + ": " +
                                diagnose_undefined<Net>(batch.images, parameters(), engine_.logits()));
    }
    /// Scaled gradients that overflow are not an error as long as a smaller scale may help.
    void check_scale(const TrainerState& state) const {
        if (loss_scale()->scale <= min_loss_scale)
            throw Error("the gradients of " + place_of(state) +
                        " are infinite or NaN at every scale of the loss; a smaller learning rate, clipping or another "
                        "precision may help");
    }

    /// Whether the last iteration's gradients overflowed, so that they are useless and the scale of the loss is
    /// smaller.
    bool gradients_overflowed() const {
        const std::optional<LossScale> scale = loss_scale();
        return scale && scale->overflowed != 0;
    }

    /// Clips the gradients and updates parameters and average, unless the iteration is skipped.
    void update_parameters(StepReport& report, long number) {
        const std::span<const float> gradients = engine_.gradients().values();
        double factor = 1;
        if (options_.clip_norm > 0) {
            on_threads([&](int worker, int workers) { norm_.accumulate(gradients, worker, workers); });
            report.gradient_norm = norm_.value();
            factor = clipping_factor(report.gradient_norm, options_.clip_norm);
        }
        if (report.skipped) return;
        const std::span<float> parameters = engine_.parameters().values();
        on_threads([&](int worker, int workers) {
            if (factor != 1) norm_.scale(engine_.gradients().values(), static_cast<float>(factor), worker, workers);
            optimizer_->step({parameters, gradients, report.learning_rate, number}, worker, workers);
        });
        if (average_ && average_->updates(number))
            on_threads([&](int worker, int workers) {
                average_->template update<float>(averaged_->values(), parameters, number, worker, workers);
            });
    }

    /// What an engine that updates parameters itself is told.
    UpdateStep update_of(double rate, long number) const {
        UpdateStep update{rate, number, options_.clip_norm};
        update.average = average_ && average_->updates(number);
        if (update.average) update.average_decay = average_->decay(number);
        return update;
    }
    void fetch_state() const {
        if constexpr (engine_updates)
            if (state_is_on_engine_) {
                for (std::size_t i = 0; i < optimizer_->slots().size(); ++i)
                    engine_.fetch(slot_arenas[i], std::span<float>(optimizer_->slots()[i]));
                if (averaged_) engine_.fetch(TrainingArena::average, averaged_->values());
                state_is_on_engine_ = false;
            }
    }
    void send_state() {
        if (state_is_on_engine_) return;
        for (std::size_t i = 0; i < optimizer_->slots().size(); ++i)
            engine_.send(slot_arenas[i], std::span<const float>(optimizer_->slots()[i]));
        if (averaged_) engine_.send(TrainingArena::average, averaged_->values());
        state_is_on_engine_ = true;
    }

    /// Whether the engine multiplies the loss by a scale that changes.
    static constexpr bool scales_loss = ScalesLoss<Engine>;
    /// Whether the engine can update parameters itself.
    static constexpr bool engine_updates = UpdatesParameters<Engine, UpdateRule, ParameterRun>;
    static constexpr TrainingArena slot_arenas[] = {TrainingArena::first_slot, TrainingArena::second_slot};

    TrainerOptions options_;
    Engine engine_;
    std::optional<ShardedGradients<Net, Engine>> sharded_;
    bool updates_on_engine_ = false;
    mutable bool state_is_on_engine_ = false;
    std::unique_ptr<Optimizer<float>> optimizer_;
    GradientNorm norm_;
    std::optional<ExponentialAverage> average_;
    mutable std::optional<Parameters<Net>> averaged_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
