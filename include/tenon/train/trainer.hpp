#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Trainer: trains a network on batches and evaluates it; it can stop at any iteration and resume from there.

#include <algorithm>

#include <tenon/core/index.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/distributed/agreement.hpp>
#include <tenon/runtime/model.hpp>
#include <tenon/train/checkpoints/trainer_checkpoint.hpp>
#include <tenon/train/metrics.hpp>
#include <tenon/train/shared_evaluation.hpp>
#include <tenon/train/training_core.hpp>
#include <tenon/version.hpp>
#include <tenon/weights/copy_parameters.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Trains a network with an optimizer: `Trainer<Net> trainer{SgdOptions{.learning_rate = 0.1, .momentum = 0.9}};`.
///
/// Law: the parameters after any number of iterations are a function of options, seed and batches alone: bitwise the
/// same for any number of threads, and for a run that was killed and restored from a checkpoint, mid-epoch or not
/// (tests: tests/train/trainer_test.cpp, resume_test.cpp). A fit with a time budget is the exception.
///
/// A trainer that was moved from throws tenon::Error when it is asked for anything but its state and history.
template <class Net, class Backend = detail::DefaultBackend>
class Trainer final : private TrainerControl {
    static_assert(detail::NetworkArgument<Net>::done);

public:
    static constexpr int classes = detail::classes_of<Net>;  ///< results of the network

    /// Draws the initial parameters. Throws tenon::Error for invalid options.
    template <OptimizerOptions<float> Choice>
    explicit Trainer(const Choice& optimizer, const TrainerOptions& options = {})
        : step_{optimizer, options},
          model_{{.threads = options.threads, .device = options.device}},
          world_{options.world},
          accumulate_{options.accumulate} {}

    /// Trains on all batches of `source`, epoch after epoch, and evaluates on `validation` after each epoch; source and
    /// validation are BatchSources. Epochs are counted over all fits, so each has its own shuffling. Returns the
    /// history of all epochs of the trainer.
    ///
    /// To resume an unfinished fit, after restore(), call fit again with the same options. With more epochs or time the
    /// fit becomes longer, also a finished one: it keeps the optimizer's state, and from there on the schedule is that
    /// of the longer run (train/schedules/schedule.hpp).
    ///
    /// Throws tenon::Error for batches that don't fit, and when a loss is infinite or NaN, saying at which step and
    /// where; what an unfinished fit did to the parameters remains.
    template <BatchSource Source, BatchSource Validation>
    const History& fit(Source&& source, Validation&& validation, const FitOptions& options) {
        return fit_with(source, options, [&](EpochReport& report) {
            const Evaluation found = evaluate_batches(validation, [&] {
                call(options, &Callback::on_validation_batch);
                return !wants_interrupt_;
            });
            agree();
            if (interrupted_) return false;
            report.validation_loss = found.loss;
            report.validation_accuracy = found.top1;
            report.validation_top5 = found.top5;
            return true;
        });
    }

    /// The same without validation.
    template <BatchSource Source>
    const History& fit(Source&& source, const FitOptions& options) {
        return fit_with(source, options, [](EpochReport&) { return true; });
    }

    /// Runs the network in evaluation mode on all batches of epoch 0, with the averaged parameters if there are any.
    template <BatchSource Source>
    Evaluation evaluate(Source&& source) {
        moved_from_.check("trainer");
        return together([&] { return evaluate_batches(source, [] { return true; }); });
    }

    /// The logits of images in evaluation mode, valid until the next call.
    std::span<const float> predict(std::span<const float> images) {
        moved_from_.check("trainer");
        refresh_model();
        return model_(images);
    }

    /// The parameters that are trained.
    const Parameters<Net>& parameters() const {
        moved_from_.check("trainer");
        return step_.parameters();
    }
    /// The parameters that are evaluated and saved: the averaged ones if there are any.
    const Parameters<Net>& weights() const {
        moved_from_.check("trainer");
        return step_.weights();
    }

    /// Takes over parameters, running statistics included; the moving average restarts from them.
    void set_parameters(const Parameters<Net>& parameters) {
        moved_from_.check("trainer");
        std::ranges::copy(parameters.values(), step_.parameters().values().begin());
        restart_average();
    }
    /// Takes over what another network has in common with this one: tensors of the same canonical name and shape, as
    /// copy_parameters does. Returns how many there were. Throws tenon::Error when there are none.
    template <class Other>
    int transfer(const Parameters<Other>& parameters) {
        moved_from_.check("trainer");
        const int copied = copy_parameters(parameters, step_.parameters());
        if (copied == 0) throw Error("no parameter of the other network has the name and shape of one of this network");
        restart_average();
        return copied;
    }
    /// Takes over the parameters in a weights file. Throws tenon::Error as Parameters does.
    void load(const std::string& path, Naming naming = naming_of<Net>) {
        set_parameters(Parameters<Net>{path, naming});
    }
    /// Writes weights() as safetensors under the network's names, with the names of its classes and whatever else
    /// `info` holds (read_weights_info reads it). Throws tenon::Error when it can't be written, when there are not as
    /// many names as classes, or when a weight or a running statistic is infinite or NaN; then a file that was at
    /// `path` survives.
    void save_weights(const std::string& path, const WeightsInfo& info = {}) override {
        detail::check_class_count(info, classes, path);
        if (world_.rank() != 0) return;
        if (const std::string where = detail::undefined_state<Net>(weights()); !where.empty())
            throw Error(path + ": no weights were written: " + where + " is undefined after step " +
                        std::to_string(state().step));
        weights().save(path, naming_of<Net>, detail::to_metadata(info));
    }

    /// Writes the complete state: parameters, slots, average, position, history. Throws tenon::Error when it can't be
    /// written, or when any of it but the history is undefined; then the earlier checkpoint at `path` survives.
    void save_checkpoint(const std::string& path) override {
        if (world_.rank() == 0) checkpoint().write(path, parameters());
        remember_checkpoint(path);
    }

    /// Takes over the state in a checkpoint of a trainer with the same network and options. Throws tenon::Error, saying
    /// what was expected and found, for a checkpoint of another network, format or options, and for a damaged file;
    /// then the trainer is unchanged.
    detail::Restored restore(const std::string& path, RestoreOptions options = {}) {
        detail::TrainerCheckpoint<Net> taken = checkpoint();
        typename detail::TrainerCheckpoint<Net>::Found found;
        std::string error;
        try {
            if (world_.rank() == 0) found = taken.read(path, options);
        } catch (const Error& problem) {
            if (world_.size() == 1) throw;
            error = problem.what();
        }
        // Several processes scale no loss, so that rank 0's is not shared.
        if (world_.size() > 1) found.restored = taken.share(world_, std::move(found.restored), std::move(error));
        remember_checkpoint(found.restored.path);
        step_.set_loss_scale(found.loss_scale);
        model_is_current_ = false;
        return found.restored;
    }

    /// One report per epoch.
    const History& history() const override { return progress_.history(); }
    /// How many iterations and epochs are done, and how many batches of the current epoch.
    const detail::TrainerState& state() const { return progress_.state(); }
    /// Why the last fit ended early; empty if it didn't.
    const std::string& stop_reason() const { return stop_reason_; }
    /// Whether the last fit was interrupted (StopOnInterrupt), which leaves its last epoch incomplete.
    bool is_interrupted() const {
        moved_from_.check("trainer");
        return interrupted_;
    }
    /// The processes that train together.
    distributed::World world() const override { return world_; }
    /// Seconds that this process has spent in sums of gradients over all processes, waiting for slower ones included.
    double exchange_seconds() const {
        moved_from_.check("trainer");
        return step_.exchange_seconds();
    }
    /// Threads that the trainer runs on.
    int threads() const {
        moved_from_.check("trainer");
        return step_.threads();
    }

private:
    void stop(const std::string& reason) override {
        wants_stop_ = true;
        stop_reason_ = reason;
    }
    void interrupt(const std::string& reason) override {
        wants_interrupt_ = true;
        stop_reason_ = reason;
    }
    void keep_weights() override {
        if (!kept_) kept_.emplace();
        std::ranges::copy(weights().values(), kept_->values().begin());
    }
    void return_to_kept_weights() override {
        if (kept_) set_parameters(*kept_);
    }

    void remember_checkpoint(const std::string& path) {
        last_checkpoint_ = path;
        world_.remember_checkpoint(path);
    }
    detail::TrainerCheckpoint<Net> checkpoint() {
        moved_from_.check("trainer");
        return {step_.settings(), step_.arenas(), kept_, progress_, step_.loss_scale()};
    }

    void restart_average() {
        step_.restart_average();
        model_is_current_ = false;
    }
    void refresh_model() {
        if (!model_is_current_) model_.set_parameters(weights());
        model_is_current_ = true;
    }

    /// The figures of all batches, or of those up to the one after which `go_on` returns false.
    template <class Source, class GoOn>
    Evaluation evaluate_batches(Source& source, const GoOn& go_on) {
        refresh_model();
        Metrics metrics{classes};
        for (long i = 0; i < source.batches(); ++i) {
            const Batch batch = source.batch(0, i);
            if (world_.size() == 1) {
                metrics.add(model_(batch.images), batch);
                if (!go_on()) break;
            } else {
                const Batch mine = detail::own_part(batch, world_, input_shape<Net>.elements());
                shared_.clear();
                if (!mine.images.empty())
                    metrics.judge(model_(mine.images), mine,
                                  [&](const detail::JudgedImage& image) { shared_.add(image); });
                if (!shared_.give_to(metrics, world_, mine.whole, go_on())) break;
            }
        }
        return metrics.result();
    }

    template <class Function, class... Arguments>
    void call(const FitOptions& options, Function function, const Arguments&... arguments) {
        for (Callback* callback : options.callbacks)
            if (world_.rank() == 0 || !callback->is_output())
                (callback->*function)(arguments..., static_cast<TrainerControl&>(*this));
    }

    /// Does what all ranks must do. When this one can't, all end: the others may be waiting for it.
    template <class Work>
    decltype(auto) together(const Work& work) {
        try {
            return work();
        } catch (const std::exception& error) {
            if (world_.size() > 1)
                world_.fail(error.what() +
                            (last_checkpoint_.empty() ? "" : "; the last checkpoint: " + last_checkpoint_));
            throw;
        }
    }

    /// Does what any rank has asked for, in all ranks after the same iteration. Time is that of rank 0.
    void agree() {
        stopping_ = wants_stop_;
        interrupted_ = wants_interrupt_;
        if (world_.size() == 1) return;
        struct Wish {
            int stop, interrupt;
            detail::FitProgress::Clocks clocks;
        };
        const Wish mine{wants_stop_ ? 1 : 0, wants_interrupt_ ? 1 : 0, progress_.clocks()};
        std::vector<Wish> all(detail::index(world_.size()));
        world_.all_gather(std::span<const Wish>(&mine, 1), std::span<Wish>(all));
        progress_.decide_by(all.front().clocks);
        stopping_ = wants_stop_ = std::ranges::any_of(all, [](const Wish& wish) { return wish.stop != 0; });
        interrupted_ = wants_interrupt_ =
            std::ranges::any_of(all, [](const Wish& wish) { return wish.interrupt != 0; });
        if (!stopping_ && !interrupted_) return;
        for (const std::string& reason : detail::gather_texts(world_, stop_reason_))
            if (stop_reason_.empty()) stop_reason_ = reason;
    }

    /// Throws tenon::Error, in all ranks, unless all are about to do the same.
    template <class Source>
    void check_agreement(Source& source, const FitOptions& options) {
        if (world_.size() == 1) return;
        detail::Facts facts{{"version", std::to_string(TENON_VERSION)}, {"instruction set", detail::isa_name}};
        for (const auto& [key, value] : step_.settings()) facts.emplace_back(key, value);
        facts.emplace_back("epochs", std::to_string(options.epochs));
        facts.emplace_back("schedule", options.schedule.identity());
        facts.emplace_back("steps", std::to_string(state().step));
        facts.emplace_back("images", std::to_string(source.images()));
        facts.emplace_back("batches", std::to_string(source.batches()));
        if constexpr (requires { source.fingerprint(); })
            facts.emplace_back("data", std::to_string(source.fingerprint()));
        for (const auto& [name, values] : step_.arenas()) {
            detail::Checksum sum;
            sum.add(std::as_bytes(std::span<const float>(values)));
            facts.emplace_back(name, sum.text());
        }
        detail::check_agreement(world_, facts);
    }

    template <class Source, class Validate>
    const History& fit_with(Source& source, const FitOptions& options, const Validate& validate) {
        moved_from_.check("trainer");
        return together([&]() -> const History& { return fit_all(source, options, validate); });
    }

    template <class Source, class Validate>
    const History& fit_all(Source& source, const FitOptions& options, const Validate& validate) {
        check_agreement(source, options);
        const bool resumed = state().fit_open;
        progress_.begin(options, (source.batches() + accumulate_ - 1) / accumulate_);
        // However the fit ends, even by an exception, no later call resumes it.
        struct Guard {
            detail::FitProgress& progress;
            const FitOptions& options;
            ~Guard() {
                progress.end();
                for (Callback* callback : options.callbacks) callback->on_leave();
            }
        } const guard{progress_, options};
        wants_stop_ = wants_interrupt_ = false;
        stop_reason_.clear();
        const auto is_ending = [this] { return stopping_ || interrupted_; };
        FitPlan plan = progress_.plan(source.images(), resumed);
        plan.classes = classes;
        call(options, &Callback::on_begin, plan);
        agree();
        while (!is_ending() && (progress_.has_open_epoch() || !progress_.is_over())) {
            while (!is_ending() && !progress_.epoch_is_over()) {
                const double rate = progress_.learning_rate(options.schedule, step_.learning_rate());
                model_is_current_ = false;
                const long first = state().batch * accumulate_;
                const long count = std::min<long>(accumulate_, source.batches() - first);
                StepReport report = step_.run([&](int i) { return source.batch(state().epoch, first + i); },
                                              static_cast<int>(count), rate, state());
                progress_.advance(report);
                call(options, &Callback::on_step, report);
                agree();
            }
            if (interrupted_ || !progress_.close_epoch(options, stopping_, validate)) break;
            call(options, &Callback::on_epoch, history().back());
            agree();
        }
        if (!interrupted_) {
            call(options, &Callback::on_end);
            agree();
        }
        if (interrupted_) call(options, &Callback::on_interrupt);
        return history();
    }

    detail::TrainingCore<Net, Backend> step_;
    Model<Net, Backend> model_;
    bool model_is_current_ = false;
    std::optional<Parameters<Net>> kept_;

    detail::FitProgress progress_;
    bool wants_stop_ = false, wants_interrupt_ = false;  ///< what this process' callbacks ask for
    bool stopping_ = false, interrupted_ = false;        ///< what all processes do
    std::string stop_reason_, last_checkpoint_;
    distributed::World world_;
    int accumulate_ = 1;
    detail::SharedEvaluation shared_;
    detail::MovedFrom moved_from_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
