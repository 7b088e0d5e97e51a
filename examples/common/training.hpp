// What the training examples share: options, the files a run writes, and the loop with its callbacks.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include <tenon/data.hpp>
#include <tenon/distributed.hpp>
#include <tenon/report.hpp>
#include <tenon/training.hpp>

#include "report.hpp"
#include "run_folder.hpp"
#include "step_limit.hpp"

namespace training {

/// The exit status after a signal has stopped a fit.
inline constexpr int interrupted_status = tenon::StopOnInterrupt::exit_status;

/// The options of every training example. A number of 0 stands for the recipe's.
struct Options {
    std::string output;
    int epochs = 0;
    double minutes = 0;
    int batch_size = 128;
    double learning_rate = 0.1;
    double weight_decay = 5e-4;
    double label_smoothing = 0.1;
    int threads = 0;
    std::uint64_t seed = 1;
    long steps = 0;
    int plateau = 0;         ///< epochs; 0: the usual schedule
    bool find_rate = false;  ///< instead of training
    double checkpoint_minutes = 5;
    bool resume = false;
    std::string precision = "float32";
    int shards = 0;
    int accumulate = 1;
    tenon::distributed::World world{};  ///< the processes that train together
    std::string command;                ///< the command line as it was given
};

inline void add_options(CLI::App& app, Options& options) {
    app.add_option("-o,--output", options.output, "The folder for weights, checkpoint, logs and plots")
        ->capture_default_str();
    app.add_option("-e,--epochs", options.epochs, "Epochs; 0: as many as --minutes allow")
        ->check(CLI::Range(0, 100000))
        ->capture_default_str();
    app.add_option("--minutes", options.minutes,
                   "Wall-clock time that the learning rate's schedule is stretched to; 0: as long as the epochs take, "
                   "without them an hour")
        ->check(CLI::Range(0.0, 100000.0))
        ->capture_default_str();
    app.add_option("-b,--batch", options.batch_size, "Images per step")
        ->check(CLI::Range(2, 65536))
        ->capture_default_str();
    app.add_option("-r,--rate", options.learning_rate, "The highest learning rate")
        ->check(CLI::Range(0.0, 100.0))
        ->capture_default_str();
    app.add_option("--decay", options.weight_decay, "Weight decay, of weights only")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_option("--smoothing", options.label_smoothing, "Label smoothing")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_option("-t,--threads", options.threads, "Threads; 0: one per core")->check(CLI::Range(0, 1024));
    app.add_option(
           "--precision", options.precision,
           "What convolutions and linear layers multiply: float32 or bfloat16, which is faster on processors that "
           "have an instruction for it")
        ->check(CLI::IsMember({"float32", "bfloat16"}))
        ->capture_default_str();
    app.add_option("--shards", options.shards,
                   "Parts of a batch whose gradients are summed: they decide the result's bits, however many processes "
                   "compute them; 0: one per process")
        ->check(CLI::Range(0, 65536));
    app.add_option("--accumulate", options.accumulate, "Batches per step")
        ->check(CLI::Range(1, 65536))
        ->capture_default_str();
    app.add_option("--seed", options.seed, "Seed of everything random")->capture_default_str();
    app.add_option("--steps", options.steps, "Stop after this many steps, to try things out; 0: don't")
        ->check(CLI::Range(0L, 1000000000L));
    app.add_option("--plateau", options.plateau,
                   "Instead of a rate that rises and falls: a tenth of it whenever the validation loss was no better "
                   "for more than this many epochs; 0: don't")
        ->check(CLI::Range(0, 100000));
    app.add_flag("--find-rate", options.find_rate,
                 "Instead of training: try rates that grow, write the losses as rates.svg and suggest one for --rate");
    app.add_option("--checkpoint-minutes", options.checkpoint_minutes, "Time between checkpoints within an epoch")
        ->check(CLI::Range(0.0, 100000.0))
        ->capture_default_str();
    app.add_flag("--resume", options.resume,
                 "Resume the run whose checkpoint is in the output folder; more --epochs or --minutes than it had "
                 "extend it");
}

/// A file of a run.
inline std::string file(const Options& options, const std::string& name) { return file_in(options.output, name); }

/// A trainer with the recipe that the examples share: SGD with Nesterov's momentum, residual blocks that are at first
/// their shortcuts, a moving average of the weights.
template <class Net, class Backend>
tenon::Trainer<Net, Backend> make_trainer(const Options& options) {
    return tenon::Trainer<Net, Backend>{
        tenon::SgdOptions{.learning_rate = options.learning_rate,
                          .momentum = 0.9,
                          .nesterov = true,
                          .weight_decay = options.weight_decay},
        {.batch_size = options.batch_size,
         .seed = options.seed,
         .threads = options.threads,
         .label_smoothing = options.label_smoothing,
         .initialization = {tenon::WeightRule::kaiming_normal_out, tenon::WeightRule::torch_default,
                            tenon::BiasRule::zero, /*zero_residuals=*/true},
         .average = tenon::AverageOptions{.decay = 0.95, .every = 5},
         .world = options.world,
         .shards = options.shards,
         .accumulate = options.accumulate}};
}

/// Restores the checkpoint at `path` and reports it. Throws tenon::Error, saying what to do, when there is none.
template <class Trainer>
void restore(Trainer& trainer, const std::string& path, int epochs) {
    if (!has_checkpoint(path))
        throw tenon::Error(path + ": there is no checkpoint to resume from; without --resume a new run is started");
    const auto restored = trainer.restore(path, {.fall_back = true});
    if (!restored.problem.empty() && trainer.world().rank() == 0)
        std::fprintf(stderr, "%s\n", restored.problem.c_str());
    std::printf("resuming from %s after %ld steps\n", restored.path.c_str(), trainer.state().step);
    if (const long begun = trainer.state().fit_epochs; trainer.state().fit_open && begun > 0 && epochs > begun)
        std::printf("the run is extended to %d epochs from %ld\n", epochs, begun);
}

/// Where the loss of a network falls fastest while the learning rate grows: a plot in the output folder, and a line.
template <class Net, class Source>
void find_rate(const tenon::Parameters<Net>& start, Source& source, const Options& options) {
    if (options.world.size() > 1) throw tenon::Error("--find-rate runs in one process");
    const tenon::schedules::RateCurve curve = tenon::schedules::find_rate(
        start, source, tenon::SgdOptions{.momentum = 0.9, .nesterov = true, .weight_decay = options.weight_decay},
        {.batch_size = options.batch_size,
         .seed = options.seed,
         .threads = options.threads,
         .label_smoothing = options.label_smoothing,
         .shards = options.shards,
         .accumulate = options.accumulate});
    create_folder(options.output);
    const std::string path = file(options, "rates.svg");
    write_text(path, tenon::reports::rate_curve_svg(curve, "Rates that grow from step to step"));
    std::printf("%zu steps: the loss falls fastest at a rate of %.2g; the losses are in %s\n", curve.rates.size(),
                curve.suggested, path.c_str());
}

/// Trains with progress on the standard output, logs and a checkpoint in the output folder. The learning rate rises to
/// its peak in a quarter of the run and falls to 0 towards its end. Returns false when a signal stopped it: the program
/// must then end with interrupted_status.
template <class Trainer, class Source, class Validation>
[[nodiscard]] bool fit(Trainer& trainer, Source& source, Validation& validation, const Options& options) {
    create_folder(options.output);
    const std::string checkpoint = file(options, "checkpoint.safetensors");
    if (options.resume) {
        restore(trainer, checkpoint, options.epochs);
    } else if (trainer.world().rank() == 0) {
        write_text(file(options, "command.txt"), options.command + "\n");
    }
    std::fflush(stdout);
    tenon::ProgressBar progress;
    tenon::CsvLog csv(file(options, "log.csv"));
    tenon::JsonlLog jsonl(file(options, "log.jsonl"), 10);
    StepLimit limit(options.steps);
    tenon::PeriodicCheckpoint checkpoints(checkpoint, {.epochs = 1, .seconds = 60 * options.checkpoint_minutes});
    tenon::StopOnInterrupt interrupt(checkpoint, resume_command(options.command));
    trainer.fit(source, validation,
                {.epochs = options.epochs,
                 .budget_seconds = 60 * options.minutes,
                 .schedule = options.plateau > 0 ? tenon::schedules::plateau({.patience = options.plateau})
                                                 : tenon::schedules::piecewise_linear({{0, 0.1}, {0.25, 1}, {0.98, 0}}),
                 .callbacks = {&interrupt, &progress, &csv, &jsonl, &limit, &checkpoints}});
    if (trainer.is_interrupted()) return false;
    if (const int processes = trainer.world().size(); processes > 1)
        std::printf("%d processes: %.1f s of training, of these %.1f s to sum gradients and wait for each other\n",
                    processes, trainer.state().fit_seconds, trainer.exchange_seconds());
    if (!trainer.stop_reason().empty()) std::printf("stopped: %s\n", trainer.stop_reason().c_str());
    return true;
}

/// `92.60 % (9260 of 10000)`
inline std::string accuracy_text(const tenon::Evaluation& evaluation) {
    char text[64];
    std::snprintf(text, sizeof text, "%.2f %% (%.0f of %ld)", 100 * evaluation.top1,
                  evaluation.top1 * static_cast<double>(evaluation.images), evaluation.images);
    return text;
}

/// The information in a weights file.
struct Description {
    std::string network;  ///< as classify calls it
    std::string data, input;
    std::vector<std::string> classes;
};

/// Writes weights and plots of a finished run.
template <class Net, class Trainer>
void write_results(const Trainer& trainer, const tenon::Evaluation& evaluation, const Description& about,
                   const Options& options, tenon::DType type = tenon::DType::f32) {
    if (trainer.world().rank() != 0) return;
    const std::string accuracy = accuracy_text(evaluation);
    const tenon::Metadata metadata = tenon::programs::to_metadata(
        {.network = about.network,
         .classes = about.classes,
         .more = {{"accuracy", accuracy + " " + about.data}, {"command", options.command}, {"input", about.input}}});
    trainer.weights().save(file(options, "weights.safetensors"), tenon::naming_of<Net>, metadata, type);
    const std::string title = about.network + ", " + about.data;
    write_text(file(options, "curves.svg"), tenon::curves_svg(trainer.history(), title));
    write_text(file(options, "confusion.svg"),
               tenon::confusion_svg(evaluation.confusion, about.classes, title + ", " + accuracy));
    std::printf("%s: %s\nweights, logs and plots are in %s\n", about.data.c_str(), accuracy.c_str(),
                options.output.c_str());
}

/// What a report says of the images that a network was trained, validated and tested with.
template <class Dataset>
std::vector<tenon::reports::Fact> data_sheet(const Dataset& training, const Dataset& validation, const Dataset& test) {
    std::vector<tenon::reports::Fact> facts;
    for (const auto& [name, dataset] : {std::pair{"training", &training}, {"validation", &validation}, {"test", &test}})
        for (const tenon::reports::Fact& fact : tenon::reports::data_facts(name, *dataset)) facts.push_back(fact);
    return facts;
}

/// Writes report.html beside the results: the training's curves, and what the network says of a source's images.
/// Rank 0 does so alone, and classifies them once more.
template <class Net, class Trainer, class Source>
void write_report(Trainer& trainer, Source& source, const Description& about, const Options& options,
                  std::vector<tenon::reports::Fact> data) {
    if (trainer.world().rank() != 0) return;
    tenon::reports::Report report;
    report.title = about.network + ", " + about.data;
    report.history = trainer.history();
    report.classes = about.classes;
    char recipe[160];
    std::snprintf(recipe, sizeof recipe, "SGD, learning rate %g, weight decay %g, label smoothing %g",
                  options.learning_rate, options.weight_decay, options.label_smoothing);
    report.network = {{"network", about.network},
                      {"trained with", recipe},
                      {"images per step", std::to_string(options.batch_size * options.accumulate)},
                      {"seed", std::to_string(options.seed)}};
    report.data = std::move(data);
    if (!about.input.empty()) report.data.push_back({"input", about.input});
    report.command = options.command;
    ::write_report<Net>(
        file(options, "report.html"), std::move(report), trainer.weights(),
        [&](std::span<const float> images) { return trainer.predict(images); }, source);
}

/// With the mean of the logits of an image and of its mirror image, for each of the batches: an evaluation that takes
/// twice as long and is a little more accurate.
template <class Trainer, class Source>
tenon::Evaluation evaluate_with_mirrors(Trainer& trainer, Source& source) {
    tenon::Metrics metrics(Trainer::classes);
    for (long i = 0; i < source.batches(); ++i) {
        const tenon::Batch batch = source.batch(0, i);
        metrics.add(
            tenon::augmentations::mean_logits({.mirror = true}, batch.images, source.shape(),
                                              [&](std::span<const float> images) { return trainer.predict(images); }),
            batch);
    }
    return metrics.result();
}

}  // namespace training
