// Trainer: trains a network on batches, evaluates it, and can stop and go on at any step.
#pragma once

#include <tenon/data/batch.hpp>
#include <tenon/runtime/copy_parameters.hpp>
#include <tenon/runtime/model.hpp>
#include <tenon/train/diagnose_undefined.hpp>
#include <tenon/train/fingerprint.hpp>
#include <tenon/train/fit_progress.hpp>
#include <tenon/train/gradient_norm.hpp>
#include <tenon/train/metrics.hpp>
#include <tenon/train/training_engine.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Trains a network with an optimizer: `Trainer<Net> trainer{SgdOptions{.learning_rate = 0.1, .momentum = 0.9}};`.
///
/// Law: the parameters after any number of steps are a function of options, seed and batches alone: bitwise the same
/// for any number of threads, and for a run that was killed and restored from a checkpoint, mid-epoch or not
/// (tests: tests/train/trainer_test.cpp, resume_test.cpp). A fit with a budget of time is the exception.
template <class Net, class Backend = DefaultBackend>
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
        if constexpr (engine_updates)
            if (const auto rule = optimizer_->rule()) {
                engine_.prepare_updates(*rule, optimizer_->runs(), average_.has_value());
                updates_on_engine_ = true;
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
    const Parameters<Net>& weights() const {
        fetch_state();
        return averaged_ ? *averaged_ : engine_.parameters();
    }

    /// Takes over parameters, running statistics included; the moving average begins again from them.
    void set_parameters(const Parameters<Net>& parameters) {
        std::ranges::copy(parameters.values(), engine_.parameters().values().begin());
        restart_average();
    }
    /// Takes over what another network has in common with this one: tensors of the same canonical name and shape, as
    /// copy_parameters does. Returns how many there were. Throws tenon::Error when there were none.
    template <class Other>
    int transfer(const Parameters<Other>& parameters) {
        const int copied = copy_parameters(parameters, engine_.parameters());
        if (copied == 0) throw Error("no parameter of the other network has the name and shape of one of this network");
        restart_average();
        return copied;
    }
    /// Takes over the parameters in a file of weights. Throws tenon::Error as Parameters does.
    void load(const std::string& path, Naming naming = naming_of<Net>) {
        set_parameters(Parameters<Net>{path, naming});
    }
    /// Writes weights() as safetensors under the network's names. Throws tenon::Error when it can't be written.
    void save_weights(const std::string& path) override { weights().save(path); }

    /// Writes the whole state: parameters, slots, average, position, history. Throws tenon::Error when it can't be
    /// written, or when a parameter is undefined; the checkpoint that stood there survives.
    void save_checkpoint(const std::string& path) override {
        if (const std::string where = undefined_tensor<Net>(parameters()); !where.empty())
            throw Error(path + ": no checkpoint was written: " + where + " is undefined after step " +
                        std::to_string(state().step));
        Metadata metadata = settings();
        progress_.current_state().write(metadata);
        metadata["schedule"] = progress_.schedule();
        const std::vector<double> table = history_table(history());
        const auto rows = static_cast<std::int64_t>(history().size());
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
    const History& history() const override { return progress_.history(); }
    /// Steps and epochs done, and batches of the epoch that is not done.
    const TrainerState& state() const { return progress_.state(); }
    /// Why the last fit ended early; empty if it didn't.
    const std::string& stop_reason() const { return stop_reason_; }
    int threads() const { return engine_.threads(); }

private:
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

    /// Calls f(rank, ranks) on the engine's threads, if it has any.
    template <class F>
    void on_threads(const F& f) {
        if constexpr (requires { engine_.team(); })
            engine_.team().run(f);
        else
            f(0, 1);
    }

    void restart_average() {
        fetch_state();
        if (averaged_) std::ranges::copy(parameters().values(), averaged_->values().begin());
        model_is_current_ = false;
    }
    void refresh_model() {
        if (!model_is_current_) model_.set_parameters(weights());
        model_is_current_ = true;
    }

    /// An engine that updates parameters itself holds the optimizer's slots and the average; these are copied when they
    /// are asked for, and back before the next step.
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

    /// One step but for its place in the state.
    StepReport train(const Batch& batch, double rate) {
        const long number = state().step + 1;
        const StepOptions step{options_.label_smoothing,
                               random_bits(options_.seed, hash_name("dropout"), static_cast<std::uint64_t>(number))};
        StepReport report;
        report.images = static_cast<long>(batch.images.size()) / input_shape<Net>.elements();
        report.learning_rate = rate;
        model_is_current_ = false;
        if constexpr (engine_updates)
            if (updates_on_engine_) {
                send_state();
                UpdateStep update{rate, number, options_.clip_norm};
                update.average = average_ && average_->updates(number);
                if (update.average) update.average_decay = average_->decay(number);
                const UpdateResult result = batch.targets.empty()
                                                ? engine_.train(batch.images, batch.labels, step, update)
                                                : engine_.train(batch.images, batch.targets, step, update);
                check_loss(result.loss, batch);
                report.gradient_norm = result.gradient_norm;
                report.loss = result.loss.loss;
                report.correct = result.loss.correct;
                return report;
            }
        const LossResult result = batch.targets.empty() ? engine_.forward_backward(batch.images, batch.labels, step)
                                                        : engine_.forward_backward(batch.images, batch.targets, step);
        check_loss(result, batch);
        report.loss = result.loss;
        report.correct = result.correct;
        update_parameters(report, number);
        return report;
    }

    void check_loss(const LossResult& result, const Batch& batch) const {
        if (!std::isfinite(result.loss))
            throw Error("the loss of step " + std::to_string(state().step + 1) + " (epoch " +
                        std::to_string(state().epoch) + ", batch " + std::to_string(state().batch) + ") is " +
                        std::to_string(result.loss) + ": " +
                        diagnose_undefined<Net>(batch.images, parameters(), engine_.logits()));
    }

    /// Clips the gradients and lets the optimizer and the average do their step.
    void update_parameters(StepReport& report, long number) {
        const std::span<const float> gradients = engine_.gradients().values();
        double factor = 1;
        if (options_.clip_norm > 0) {
            on_threads([&](int rank, int ranks) { norm_.accumulate(gradients, rank, ranks); });
            report.gradient_norm = norm_.value();
            factor = clipping_factor(report.gradient_norm, options_.clip_norm);
        }
        const std::span<float> parameters = engine_.parameters().values();
        on_threads([&](int rank, int ranks) {
            if (factor != 1) norm_.scale(engine_.gradients().values(), static_cast<float>(factor), rank, ranks);
            optimizer_->step({parameters, gradients, report.learning_rate, number}, rank, ranks);
        });
        if (average_ && average_->updates(number))
            on_threads([&](int rank, int ranks) {
                average_->template update<float>(averaged_->values(), parameters, number, rank, ranks);
            });
    }

    template <class Source, class Validate>
    const History& fit_with(Source& source, const FitOptions& options, const Validate& validate) {
        const bool resumed = state().fit_open;
        progress_.begin(options, source.batches());
        // However the fit ends, by an exception too, no other goes on with it.
        struct Guard {
            FitProgress& progress;
            ~Guard() { progress.end(); }
        } const guard{progress_};
        stopping_ = false;
        stop_reason_.clear();
        const auto call = [&](auto function, const auto&... arguments) {
            for (Callback* callback : options.callbacks)
                (callback->*function)(arguments..., static_cast<TrainerControl&>(*this));
        };
        call(&Callback::on_begin, progress_.plan(source.images(), resumed));
        while (!stopping_ && !progress_.is_over()) {
            while (!stopping_ && !progress_.epoch_is_over()) {
                const double rate = progress_.learning_rate(options.schedule, optimizer_->learning_rate());
                StepReport report = train(source.batch(state().epoch, state().batch), rate);
                progress_.advance(report);
                call(&Callback::on_step, report);
            }
            progress_.close_epoch(options, stopping_, validate);
            call(&Callback::on_epoch, history().back());
        }
        call(&Callback::on_end);
        return history();
    }

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
        fetch_state();
        f("parameters", engine_.parameters().values());
        for (std::size_t i = 0; i < optimizer_->slots().size(); ++i)
            f("slot" + std::to_string(i), std::span<float>(optimizer_->slots()[i]));
        if (averaged_) f("average", averaged_->values());
    }

    static std::string other_setting(const std::string& key, const std::string& found, const std::string& expected) {
        if (key == "network")
            return "the checkpoint is of another network: the fingerprint is " + found + ", not " + expected;
        return "the checkpoint was made with " + key + " '" + found + "', this trainer has '" + expected + "'";
    }

    void restore_from(const std::string& path) {
        const CheckpointFile file{path};
        for (const auto& [key, expected] : settings())
            if (const std::string& found = file.value(key); found != expected)
                throw Error(path + ": " + other_setting(key, found, expected));
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
        progress_.restore(state, file.value("schedule"), history_of(table));
        model_is_current_ = false;
    }

    /// Whether the engine can update parameters itself.
    static constexpr bool engine_updates =
        requires(Engine & engine, const UpdateRule& rule, std::span<const ParameterRun> runs) {
        engine.prepare_updates(rule, runs, true);
    };
    static constexpr TrainingArena slot_arenas[] = {TrainingArena::first_slot, TrainingArena::second_slot};

    TrainerOptions options_;
    Engine engine_;
    Model<Net, Backend> model_;
    bool model_is_current_ = false;
    bool updates_on_engine_ = false;
    mutable bool state_is_on_engine_ = false;
    std::unique_ptr<Optimizer<float>> optimizer_;
    GradientNorm norm_;
    std::optional<ExponentialAverage> average_;
    mutable std::optional<Parameters<Net>> averaged_;
    std::optional<Parameters<Net>> kept_;

    FitProgress progress_;
    bool stopping_ = false;
    std::string stop_reason_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
