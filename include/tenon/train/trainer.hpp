// Trainer: trains a network on batches, evaluates it, and can stop and go on at any step.
#pragma once

#include <chrono>

#include <tenon/data/batch.hpp>
#include <tenon/runtime/model.hpp>
#include <tenon/train/diagnose_undefined.hpp>
#include <tenon/train/fingerprint.hpp>
#include <tenon/train/gradient_norm.hpp>
#include <tenon/train/metrics.hpp>
#include <tenon/train/trainer_options.hpp>
#include <tenon/train/trainer_state.hpp>
#include <tenon/train/training_engine.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Trains a network with an optimizer: `Trainer<Net> trainer{SgdOptions{.learning_rate = 0.1, .momentum = 0.9}};`.
///
/// Law: the parameters after any number of steps are a function of options, seed and batches alone: bitwise the same
/// for any number of threads, and for a run that was killed and restored from a checkpoint, mid-epoch or not
/// (tests: tests/train/trainer_test.cpp, resume_test.cpp). A fit with a budget of time is the exception.
template <class Net, class Backend = Cpu>
class Trainer final : private TrainerControl {
public:
    using Engine = TrainingEngine<Net, Backend>;
    static_assert(std::is_same_v<typename Engine::Scalar, float>, "a trainer needs a backend of floats");
    static constexpr int classes = classes_of<Net>;

    /// Draws the initial parameters. Throws tenon::Error for options that don't fit.
    template <OptimizerOptions<float> Choice>
    explicit Trainer(const Choice& optimizer, const TrainerOptions& options = {})
        : options_{checked(options)},
          engine_{options.batch_size, {.threads = options.threads}},
          model_{{.threads = options.threads}},
          optimizer_{optimizer.template make<float>(
              parameter_runs(Parameters<Net>::infos(), &Engine::is_trained, optimizer.decayed), state_count<Net>)},
          norm_{optimizer_->runs()} {
        initialize<Net>(engine_.parameters(), options.initialization, options.seed);
        if (options.average) {
            average_.emplace(*options.average);
            averaged_.emplace();
        }
        restart_average();
    }

    /// Trains on all batches of `source`, epoch after epoch, and evaluates on `validation` behind each; source and
    /// validation are BatchSources. Epochs are counted through all fits, so each sees its own shuffling. A fit that a
    /// checkpoint was made of is gone on with; it must be given the same options then. Returns the history of all
    /// epochs of the trainer. Throws tenon::Error for batches that don't fit, and when a loss is not a number, saying
    /// at which step and where; what an unfinished fit did to the parameters remains.
    template <BatchSource Source, BatchSource Validation>
    const History& fit(Source&& source, Validation&& validation, const FitOptions& options) {
        return fit_with(source, options, [&](EpochReport& report) {
            const Evaluation found = evaluate(validation);
            report.validation_loss = found.loss;
            report.validation_accuracy = found.top1;
            report.validation_top5 = found.top5;
        });
    }

    /// The same without validation.
    template <BatchSource Source>
    const History& fit(Source&& source, const FitOptions& options) {
        return fit_with(source, options, [](EpochReport&) {});
    }

    /// Runs the network in evaluation mode on all batches of epoch 0, with the averaged parameters if there are any.
    template <BatchSource Source>
    Evaluation evaluate(Source&& source) {
        refresh_model();
        Metrics metrics{classes};
        for (long i = 0; i < source.batches(); ++i) {
            const Batch batch = source.batch(0, i);
            metrics.add(model_(batch.images), batch);
        }
        return metrics.result();
    }

    /// The logits of images in evaluation mode, valid until the next call.
    std::span<const float> predict(std::span<const float> images) {
        refresh_model();
        return model_(images);
    }

    /// The parameters that are trained.
    const Parameters<Net>& parameters() const { return engine_.parameters(); }
    /// The parameters that are evaluated and saved: the averaged ones if there are any.
    const Parameters<Net>& weights() const { return averaged_ ? *averaged_ : engine_.parameters(); }

    /// Takes over parameters, running statistics included; the moving average begins again from them.
    void set_parameters(const Parameters<Net>& parameters) {
        std::ranges::copy(parameters.values(), engine_.parameters().values().begin());
        restart_average();
    }
    /// The same from a file of weights. Throws tenon::Error as Parameters does.
    void load(const std::string& path, Naming naming = naming_of<Net>) {
        set_parameters(Parameters<Net>{path, naming});
    }
    /// Writes weights() as safetensors under the network's names. Throws tenon::Error when it can't be written.
    void save_weights(const std::string& path) override { weights().save(path); }

    /// Writes the whole state: parameters, slots, average, position, history. Throws tenon::Error when it can't be
    /// written, or when a parameter is undefined; the checkpoint that stood there survives.
    void save_checkpoint(const std::string& path) override {
        if (const std::string where = undefined_tensor<Net>(engine_.parameters()); !where.empty())
            throw Error(path + ": no checkpoint was written: " + where + " is undefined after step " +
                        std::to_string(state_.step));
        Metadata metadata = settings();
        TrainerState state = state_;
        state.fit_seconds = fit_seconds();
        state.epoch_seconds = epoch_seconds();
        state.write(metadata);
        metadata["schedule"] = schedule_;
        const std::vector<double> table = history_table(history_);
        const auto rows = static_cast<std::int64_t>(history_.size());
        std::vector<TensorEntry> tensors{
            make_tensor_entry<double>("history", {rows, static_cast<std::int64_t>(history_columns)}, std::span(table))};
        for_each_arena([&](const std::string& name, std::span<const float> values) {
            tensors.push_back(make_tensor_entry<float>(name, {state_count<Net>}, values));
        });
        if (kept_) tensors.push_back(make_tensor_entry<float>("kept", {state_count<Net>}, kept_->values()));
        write_checkpoint(path, tensors, metadata);
    }

    /// Takes over the state in a checkpoint of a trainer with the same network and options. Throws tenon::Error, saying
    /// what was expected and found, for one of another network, format or options, and for a damaged file; the trainer
    /// is as before then.
    Restored restore(const std::string& path, RestoreOptions options = {}) {
        try {
            restore_from(path);
            return {path, {}};
        } catch (const Error& error) {
            const std::string previous = previous_checkpoint(path);
            if (!std::filesystem::exists(previous)) throw;
            if (!options.fall_back)
                throw Error(std::string(error.what()) + "; the checkpoint before it stands at " + previous);
            restore_from(previous);
            return {previous, error.what()};
        }
    }

    /// What became of each epoch.
    const History& history() const override { return history_; }
    /// Steps and epochs done, and batches of the epoch that is not done.
    const TrainerState& state() const { return state_; }
    /// Why the last fit ended early; empty if it didn't.
    const std::string& stop_reason() const { return stop_reason_; }
    int threads() const { return engine_.threads(); }

private:
    using Clock = std::chrono::steady_clock;

    static const TrainerOptions& checked(const TrainerOptions& options) {
        check_smoothing(options.label_smoothing);
        check_rate(options.clip_norm, "norm that gradients are clipped to");
        return options;
    }

    void stop(const std::string& reason) override {
        stopping_ = true;
        stop_reason_ = reason;
    }
    void keep_weights() override {
        if (!kept_) kept_.emplace();
        std::ranges::copy(weights().values(), kept_->values().begin());
    }
    void return_to_kept_weights() override {
        if (kept_) set_parameters(*kept_);
    }

    static double seconds_since(Clock::time_point start) {
        return std::chrono::duration<double>(Clock::now() - start).count();
    }
    double fit_seconds() const { return state_.fit_seconds + (fitting_ ? seconds_since(fit_start_) : 0); }
    double epoch_seconds() const { return state_.epoch_seconds + (fitting_ ? seconds_since(epoch_start_) : 0); }

    /// Calls f(rank, ranks) on the engine's threads, if it has any.
    template <class F>
    void on_threads(const F& f) {
        if constexpr (requires { engine_.execute([](const auto&) {}); })
            engine_.execute([&](const auto& team) { team.run(f); });
        else
            f(0, 1);
    }

    void restart_average() {
        if (averaged_) std::ranges::copy(engine_.parameters().values(), averaged_->values().begin());
        model_is_current_ = false;
    }
    void refresh_model() {
        if (!model_is_current_) model_.set_parameters(weights());
        model_is_current_ = true;
    }

    /// Sets the state up for a fit, or checks that it may go on.
    void begin(const FitOptions& options, long batches) {
        if (options.epochs < 0 || options.budget_seconds < 0 || (options.epochs == 0 && options.budget_seconds == 0))
            throw Error("a fit needs a number of epochs or of seconds above 0");
        if (options.validate_every < 1) throw Error("a fit validates every 1 or more epochs");
        if (batches < 1) throw Error("the source of training images has no batch");
        if (!state_.fit_open) {
            state_.fit_step = state_.step;
            state_.fit_epoch = state_.epoch;
            state_.fit_epochs = options.epochs;
            state_.fit_budget = options.budget_seconds;
            state_.fit_seconds = 0;
            state_.batches = batches;
            begin_epoch();
            schedule_ = options.schedule.identity();
            return;
        }
        const auto expect = [](const std::string& what, const std::string& begun, const std::string& now) {
            if (begun != now)
                throw Error("the fit that the checkpoint was made of began with " + what + " " + begun +
                            " and can't go on with " + now);
        };
        expect("epochs", std::to_string(state_.fit_epochs), std::to_string(options.epochs));
        expect("a budget in seconds of", exact_text(state_.fit_budget), exact_text(options.budget_seconds));
        expect("the schedule", schedule_, options.schedule.identity());
        expect("batches in an epoch:", std::to_string(state_.batches), std::to_string(batches));
    }

    void begin_epoch() {
        state_.batch = state_.epoch_correct = state_.epoch_images = 0;
        state_.epoch_loss = state_.epoch_seconds = 0;
        epoch_start_ = Clock::now();
    }

    /// The share of the fit that is done. Of a budget the time of a last validation is kept free.
    double progress() const {
        double share = 0;
        if (state_.fit_epochs > 0)
            share = static_cast<double>(state_.step - state_.fit_step) /
                    static_cast<double>(state_.fit_epochs * state_.batches);
        if (state_.fit_budget > 0)
            share = std::max(share, fit_seconds() / std::max(state_.fit_budget - validation_seconds_, 1e-3));
        return share;
    }

    /// The learning rate of the step to come.
    double learning_rate(const Schedule& schedule) const {
        const auto step = static_cast<double>(state_.step - state_.fit_step);
        const auto epochs_total = static_cast<double>(state_.fit_epochs * state_.batches);
        double total = epochs_total;
        if (state_.fit_budget > 0) {
            constexpr double unknown = 1e9;  // of the first step: its share of the run is 0 as far as one can tell
            const double share = std::min(progress(), 1.0);
            total = step > 0 && share > 0 ? step / share : epochs_total > 0 ? epochs_total : unknown;
        }
        const double factor = schedule({step, total, static_cast<double>(state_.batches)});
        const double rate = optimizer_->learning_rate() * factor;
        if (!(std::isfinite(rate) && rate >= 0))
            throw Error("the schedule " + schedule.identity() + " gives a learning rate of " + std::to_string(rate) +
                        " at step " + std::to_string(state_.step + 1));
        return rate;
    }

    /// One step but for its place in the state.
    StepReport train(const Batch& batch, double rate) {
        const long number = state_.step + 1;
        const StepOptions step{options_.label_smoothing,
                               random_bits(options_.seed, hash_name("dropout"), static_cast<std::uint64_t>(number))};
        const LossResult result = batch.targets.empty() ? engine_.forward_backward(batch.images, batch.labels, step)
                                                        : engine_.forward_backward(batch.images, batch.targets, step);
        model_is_current_ = false;
        if (!std::isfinite(result.loss))
            throw Error("the loss of step " + std::to_string(number) + " (epoch " + std::to_string(state_.epoch) +
                        ", batch " + std::to_string(state_.batch) + ") is " + std::to_string(result.loss) + ": " +
                        diagnose_undefined<Net>(batch.images, engine_.parameters(), engine_.logits()));
        const std::span<const float> gradients = engine_.gradients().values();
        StepReport report;
        double factor = 1;
        if (options_.clip_norm > 0) {
            on_threads([&](int rank, int ranks) { norm_.accumulate(gradients, rank, ranks); });
            report.gradient_norm = norm_.value();
            factor = clipping_factor(report.gradient_norm, options_.clip_norm);
        }
        const std::span<float> parameters = engine_.parameters().values();
        on_threads([&](int rank, int ranks) {
            if (factor != 1) norm_.scale(engine_.gradients().values(), static_cast<float>(factor), rank, ranks);
            optimizer_->step({parameters, gradients, rate, number}, rank, ranks);
        });
        if (average_ && average_->updates(number))
            on_threads([&](int rank, int ranks) {
                average_->template update<float>(averaged_->values(), parameters, number, rank, ranks);
            });
        report.images = static_cast<long>(batch.images.size()) / input_shape<Net>.elements();
        report.loss = result.loss;
        report.correct = result.correct;
        report.learning_rate = rate;
        return report;
    }

    /// Moves the state behind a step and completes its report.
    void advance(StepReport& report) {
        report.step = ++state_.step;
        report.epoch = state_.epoch;
        report.batch = state_.batch++;
        report.batches = state_.batches;
        state_.learning_rate = report.learning_rate;
        state_.epoch_loss += report.loss * static_cast<double>(report.images);
        state_.epoch_correct += report.correct;
        state_.epoch_images += report.images;
        report.seconds = fit_seconds();
        report.epoch_seconds = epoch_seconds();
        report.epoch_images = state_.epoch_images;
        report.epoch_loss = state_.epoch_loss / static_cast<double>(state_.epoch_images);
        report.epoch_accuracy = static_cast<double>(state_.epoch_correct) / static_cast<double>(state_.epoch_images);
        report.progress = std::min(progress(), 1.0);
    }

    bool is_over() const {
        const bool epochs_done = state_.fit_epochs > 0 && state_.epoch - state_.fit_epoch >= state_.fit_epochs;
        return epochs_done || time_is_up();
    }
    bool time_is_up() const { return state_.fit_budget > 0 && progress() >= 1; }

    template <class Source, class Validate>
    const History& fit_with(Source& source, const FitOptions& options, const Validate& validate) {
        const bool resumed = state_.fit_open;
        begin(options, source.batches());
        state_.fit_open = fitting_ = true;
        stopping_ = false;
        stop_reason_.clear();
        fit_start_ = epoch_start_ = Clock::now();
        const auto call = [&](auto function, const auto&... arguments) {
            for (Callback* callback : options.callbacks)
                (callback->*function)(arguments..., static_cast<TrainerControl&>(*this));
        };
        const FitGuard guard{*this};
        call(&Callback::on_begin, FitPlan{state_.epoch, options.epochs > 0 ? state_.fit_epoch + options.epochs : 0,
                                          options.budget_seconds, state_.batches, source.images(), resumed});
        while (!stopping_ && !is_over()) {
            while (!stopping_ && state_.batch < state_.batches && !time_is_up()) {
                const double rate = learning_rate(options.schedule);
                StepReport report = train(source.batch(state_.epoch, state_.batch), rate);
                advance(report);
                call(&Callback::on_step, report);
            }
            close_epoch(options, validate);
            call(&Callback::on_epoch, history_.back());
        }
        call(&Callback::on_end);
        return history_;
    }

    template <class Validate>
    void close_epoch(const FitOptions& options, const Validate& validate) {
        const auto images = static_cast<double>(std::max(state_.epoch_images, 1L));
        EpochReport report{state_.epoch,
                           state_.step,
                           state_.epoch_images,
                           state_.epoch_loss / images,
                           static_cast<double>(state_.epoch_correct) / images,
                           state_.learning_rate,
                           epoch_seconds()};
        ++state_.epoch;
        const auto start = Clock::now();
        if (stopping_ || is_over() || (state_.epoch - state_.fit_epoch) % options.validate_every == 0) {
            validate(report);
            validation_seconds_ = seconds_since(start);
        }
        history_.push_back(report);
        begin_epoch();
    }

    /// Closes the fit, whether it ends well or by an exception, after which no other goes on with it.
    struct FitGuard {
        Trainer& trainer;
        ~FitGuard() {
            trainer.state_.fit_seconds = trainer.fit_seconds();
            trainer.fitting_ = trainer.state_.fit_open = false;
        }
    };

    /// What a checkpoint has to agree with.
    Metadata settings() const {
        return {
            {"network", std::to_string(fingerprint<Net>())},           {"optimizer", optimizer_->identity()},
            {"average", average_ ? average_->identity() : "none"},     {"seed", std::to_string(options_.seed)},
            {"label_smoothing", exact_text(options_.label_smoothing)}, {"clip_norm", exact_text(options_.clip_norm)}};
    }

    /// Calls f(name, values) for each arena of floats.
    template <class F>
    void for_each_arena(const F& f) {
        f("parameters", engine_.parameters().values());
        for (std::size_t i = 0; i < optimizer_->slots().size(); ++i)
            f("slot" + std::to_string(i), std::span<float>(optimizer_->slots()[i]));
        if (averaged_) f("average", averaged_->values());
    }

    void restore_from(const std::string& path) {
        const CheckpointFile file{path};
        for (const auto& [key, expected] : settings())
            if (const std::string& found = file.value(key); found != expected)
                throw Error(path +
                            (key == "network" ? ": the checkpoint is of another network: the fingerprint is "
                                              : ": the checkpoint was made with " + key + " '") +
                            found + (key == "network" ? ", not " : "', this trainer has '") + expected +
                            (key == "network" ? "" : "'"));
        const TrainerState state = TrainerState::read(file);
        constexpr auto size = static_cast<std::size_t>(state_count<Net>);
        for_each_arena([&](const std::string& name, std::span<float>) { file.tensor<float>(name, size); });
        const TensorEntry* const kept = file.find("kept") ? &file.tensor<float>("kept", size) : nullptr;
        const TensorEntry* const history = file.find("history");
        if (!history || history->dtype != DType::f64 || history->bytes.size() % (8 * history_columns) != 0)
            throw Error(path + ": the checkpoint has no history, or it is of another form");

        // Nothing throws any more but for a lack of memory.
        std::vector<double> table(history->bytes.size() / 8);
        read_elements<double>(*history, table);
        for_each_arena([&](const std::string& name, std::span<float> values) {
            read_elements<float>(file.tensor<float>(name, size), values);
        });
        kept_.reset();
        if (kept) read_elements<float>(*kept, kept_.emplace().values());
        history_ = history_of(table);
        state_ = state;
        schedule_ = file.value("schedule");
        model_is_current_ = false;
    }

    TrainerOptions options_;
    Engine engine_;
    Model<Net, Backend> model_;
    bool model_is_current_ = false;
    std::unique_ptr<Optimizer<float>> optimizer_;
    GradientNorm norm_;
    std::optional<ExponentialAverage> average_;
    std::optional<Parameters<Net>> averaged_, kept_;

    TrainerState state_;
    std::string schedule_;  ///< identity of the current or last fit's
    History history_;
    bool fitting_ = false, stopping_ = false;
    std::string stop_reason_;
    Clock::time_point fit_start_{}, epoch_start_{};
    double validation_seconds_ = 0;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
