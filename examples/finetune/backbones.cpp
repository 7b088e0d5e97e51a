#include "backbones.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <optional>

#include <unistd.h>

#include <tenon/image.hpp>
#include <tenon/report.hpp>
#include <tenon/training.hpp>

#include "../common/training.hpp"

namespace {
using namespace tenon;

/// A source that reports how much of it has been read.
template <class Source>
class Announced {
public:
    Announced(Source& source, std::string what, int passes)
        : source_{source}, what_{std::move(what)}, all_{passes * source.images()} {}

    long images() const { return source_.images(); }
    long batches() const { return source_.batches(); }
    Batch batch(long epoch, long index) {
        const Batch batch = source_.batch(epoch, index);
        show(epoch * images() +
                 std::min(images(), index * std::max(batch.whole, static_cast<long>(batch.labels.size()))),
             false);
        return batch;
    }
    /// Reports that everything is read, and how fast.
    void finish() {
        const double seconds = since(start_);
        char speed[64];
        std::snprintf(speed, sizeof speed, ", %.1f s, %.0f images/s", seconds,
                      static_cast<double>(all_) / std::max(seconds, 1e-9));
        show(all_, true, speed);
    }

private:
    using Clock = std::chrono::steady_clock;
    static double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }
    /// On a terminal one line that is redrawn and fits the width, elsewhere a line now and then.
    void show(long done, bool is_last, const std::string& speed = {}) {
        const bool terminal = ::isatty(STDOUT_FILENO) == 1;
        if (!is_last && since(shown_) < (terminal ? 0.1 : 30.0)) return;
        shown_ = Clock::now();
        std::string text = what_ + ": " + std::to_string(done) + " of " + std::to_string(all_) + " images" + speed;
        if (terminal) text = "\r" + text.substr(0, programs::terminal_columns(STDOUT_FILENO) - 1) + "\x1b[K";
        std::printf("%s%s", text.c_str(), terminal && !is_last ? "" : "\n");
        std::fflush(stdout);
    }

    Source& source_;
    std::string what_;
    long all_;
    Clock::time_point start_ = Clock::now(), shown_ = start_;
};

/// Reports which photos were left out, and which are used although they are damaged.
void report_broken(const PhotoDataset& photos) {
    for (const BrokenPhoto& photo : photos.damaged()) std::fprintf(stderr, "warning: %s\n", photo.reason.c_str());
    for (const BrokenPhoto& photo : photos.broken()) std::fprintf(stderr, "left out: %s\n", photo.reason.c_str());
}

/// The part of a confusion matrix for the used classes.
ConfusionMatrix used_part(const ConfusionMatrix& all, int classes) {
    ConfusionMatrix part(classes);
    for (int label = 0; label < classes; ++label)
        for (int predicted = 0; predicted < classes; ++predicted)
            for (long i = 0; i < all(label, predicted); ++i) part.add(label, predicted);
    return part;
}

/// The result of a training.
struct Outcome {
    History history;
    Evaluation evaluation;  ///< of the validation photos
};

/// The checkpoints of the two parts of a training. Which of them exist tells where it was stopped: the classifier's
/// stays when it is finished, the complete network's is written before its first step.
struct Checkpoints {
    Checkpoints(const std::string& folder, std::string reading)
        : classifier{training::file_in(folder, "classifier.checkpoint")},
          whole{training::file_in(folder, "checkpoint.safetensors")},
          preprocessing{std::move(reading)} {}

    std::string classifier, whole;
    std::string preprocessing;  ///< of the photos, in words: a training is resumed with the same

    /// A new training renames an earlier one's checkpoints to the names of its own previous ones.
    void set_aside() const {
        for (const std::string& path : {classifier, whole})
            if (std::filesystem::exists(path)) std::filesystem::rename(path, programs::previous_checkpoint(path));
    }
    /// Whether to resume the complete network. Throws tenon::Error, saying what to do, when there is nothing to resume.
    bool resume_whole(const TrainingOptions& options) const {
        if (options.unfreeze > 0 && std::filesystem::exists(whole)) return true;
        if (std::filesystem::exists(classifier)) return false;
        std::string text = options.output + ": there is no checkpoint to resume from";
        if (options.unfreeze == 0 && std::filesystem::exists(whole))
            text += " but that of a complete network, which needs the --unfreeze that it was started with";
        else if (const std::string before = programs::previous_checkpoint(whole); std::filesystem::exists(before))
            text += "; " + before + " belongs to an earlier training: to resume that, rename it to " + whole;
        throw Error(text + "; without --resume a new training is started");
    }
};

/// What the trainers of both parts are told, for a training set of `images` photos.
TrainerOptions trainer_options(const TrainingOptions& options, long images, const Checkpoints& checkpoints) {
    return {.batch_size = static_cast<int>(std::min<long>(options.batch_size, images)),
            .seed = options.seed,
            .threads = options.threads,
            .world = options.world,
            .shards = options.shards,
            .preprocessing = checkpoints.preprocessing};
}

/// Trains the classifier of a network on features of its trunk, which are computed once. Returns nothing when a signal
/// stopped it.
template <class Net, class Train, class Validation>
std::optional<Outcome> train_classifier(Parameters<Net>& parameters, Train& photos, Validation& validation, int classes,
                                        const TrainingOptions& options, const Checkpoints& checkpoints) {
    const TrainerOptions common = trainer_options(options, photos.images(), checkpoints);
    Trainer<LinearHead<Net>> trainer{AdamWOptions{.learning_rate = options.rate, .weight_decay = 0.01}, common};
    Parameters<LinearHead<Net>> start;
    std::ranges::copy(trainer.parameters().values(), start.values().begin());
    close_spare_classes(start, classes);
    trainer.set_parameters(start);
    // What can't be resumed is refused before the features are computed, which takes long.
    if (options.resume) {
        training::restore(trainer, checkpoints.classifier, options.epochs);
        if (const auto& state = trainer.state(); state.fit_open && options.epochs < state.fit_epochs)
            throw Error(checkpoints.classifier + ": the classifier began with " + std::to_string(state.fit_epochs) +
                        " epochs, expected at least as much to resume it, found " + std::to_string(options.epochs));
    }

    Announced training_photos{photos, "features to train with", options.passes};
    FeatureCache features{parameters,
                          training_photos,
                          {.batch_size = common.batch_size,
                           .passes = options.passes,
                           .seed = options.seed,
                           .threads = options.threads,
                           .world = options.world}};
    training_photos.finish();
    Announced validation_photos{validation, "features to validate on", 1};
    FeatureCache held_out{
        parameters,
        validation_photos,
        {.batch_size = common.batch_size, .shuffle = false, .threads = options.threads, .world = options.world}};
    validation_photos.finish();

    ProgressBar progress;
    CsvLog csv(training::file_in(options.output, "classifier.csv"));
    PeriodicCheckpoint periodic(checkpoints.classifier,
                                {.epochs = options.epochs, .seconds = 60 * options.checkpoint_minutes});
    StopOnInterrupt interrupt(checkpoints.classifier, training::resume_command(options.command));
    trainer.fit(features, held_out,
                {.epochs = options.epochs,
                 .schedule = schedules::cosine(),
                 .callbacks = {&interrupt, &progress, &csv, &periodic}});
    if (trainer.is_interrupted()) return std::nullopt;
    copy_parameters(trainer.weights(), parameters);
    return Outcome{trainer.history(), trainer.evaluate(held_out)};
}

/// Trains all of a network but its batch norms, whose statistics few photos would spoil. Returns nothing when a signal
/// stopped it.
template <class Net, class Train, class Validation>
std::optional<Outcome> train_whole(Parameters<Net>& parameters, Train& photos, Validation& validation,
                                   const TrainingOptions& options, const Checkpoints& checkpoints, bool resume) {
    Trainer<FreezeNorms<Net>> trainer{
        SgdOptions{.learning_rate = options.whole_rate, .momentum = 0.9, .nesterov = true, .weight_decay = 1e-4},
        trainer_options(options, photos.images(), checkpoints)};
    trainer.transfer(parameters);
    training::Options running;
    running.output = options.output;
    running.epochs = options.unfreeze;
    running.steps = options.steps;
    running.plateau = options.plateau;
    running.checkpoint_minutes = options.checkpoint_minutes;
    running.resume = resume;
    running.command = options.command;
    if (!resume) trainer.save_checkpoint(checkpoints.whole);
    if (!training::fit(trainer, photos, validation, running)) return std::nullopt;
    copy_parameters(trainer.weights(), parameters);
    return Outcome{trainer.history(), trainer.evaluate(validation)};
}

/// The texts beside weights; none where they can't be read: whoever reads the weights will say so.
Metadata stored_texts(const std::string& weights) {
    try {
        return read_weights_info(weights).more;
    } catch (const Error&) {
        return {};
    }
}

/// Writes report.html: the photos are classified once more, for the confidence in each.
template <class Net, class Validation>
void report(const Outcome& outcome, const Parameters<Net>& parameters, Validation& validation,
            const std::vector<std::string>& names, const Backbone& backbone, const TrainingOptions& options,
            const Preprocessing& reading, std::vector<reports::Fact> training_facts,
            const std::vector<reports::Fact>& validation_facts) {
    reports::Report report;
    report.title = std::string(backbone.name) + " on " + options.folder;
    report.subtitle = "validation photos";
    report.history = outcome.history;
    report.classes = names;
    report.network = {{"network", std::string(backbone.name)}, {"started from", options.weights}};
    report.data = std::move(training_facts);
    report.data.insert(report.data.end(), validation_facts.begin(), validation_facts.end());
    report.command = options.command;
    Model<Net> model{{.threads = options.threads}};
    model.set_parameters(parameters);
    write_report<Net>(training::file_in(options.output, "report.html"), std::move(report), parameters, model,
                      validation, reading);
}

template <class Net>
int fine_tune(const Backbone& backbone, const TrainingOptions& options) {
    const PreprocessingOptions chosen =
        preprocessing::with_those_of_file(options.preprocessing, stored_texts(options.weights), options.weights);
    const Preprocessing reading = chosen_preprocessing(*backbone.preprocessing, chosen);
    const Checkpoints checkpoints(options.output,
                                  to_string(reading) + (options.decoding.exif_orientation ? ", turned by EXIF" : ""));
    // Rank 0 writes all files, and knows which there are.
    const bool writes = options.world.rank() == 0;
    bool resume_whole = writes && options.resume && checkpoints.resume_whole(options);
    options.world.broadcast(std::span(&resume_whole, 1));
    Parameters<Net> parameters;
    // The classifier is replaced, so weights need not have one.
    std::vector<std::string> notes;
    std::vector<float> ranges;
    const LoadOptions how{.key = options.key,
                          .allow_undefined = options.allow_undefined,
                          .allow_missing_head = true,
                          .notes = &notes,
                          .input_ranges = &ranges};
    if (load_with_spare_classes(parameters, options.weights, how) == 0)
        notes.emplace_back("these weights have no classifier, and need none");
    if (!ranges.empty())
        notes.emplace_back(
            "its ranges for 8-bit integers are left out, as they belong to these weights and photos; classify "
            "--calibrate measures others");
    for (const std::string& note : notes) std::printf("%s: %s\n", options.weights.c_str(), note.c_str());
    const FolderSplit files = list_photos(options, max_classes);
    const std::vector<std::string>& names = files.training.classes;
    const int classes = static_cast<int>(names.size());
    if (reading != *backbone.preprocessing) std::printf("images: %s\n", to_string(reading).c_str());
    PhotoOptions photo_reading = photo_options(reading);
    photo_reading.decode = options.decoding;  // in color, as all of these networks
    photo_reading.broken = options.skip_broken ? BrokenPhotos::leave_out : BrokenPhotos::check;
    photo_reading.cache_bytes = static_cast<std::size_t>(options.cache_megabytes) << 20;
    std::printf("%s: %d classes, %zu photos to train with, %zu to validate on; reading them\n", options.folder.c_str(),
                classes, files.training.files.size(), files.validation.files.size());
    std::fflush(stdout);
    const PhotoDataset photos{files.training, photo_reading};
    const PhotoDataset held_out{files.validation, photo_reading};
    if (writes) {
        report_broken(photos);
        report_broken(held_out);
    }

    const auto plain = plain_pipeline(reading);
    // As augmented_pipeline, and between its steps what the command line asks for.
    const Pipeline augmented{
        RandomResizedCrop{
            .height = reading.crop_height, .width = reading.crop_width, .min_area = 0.35, .filter = reading.filter},
        RandomFlip{},
        augmentations::ColorJitter{
            .brightness = options.jitter, .contrast = options.jitter, .saturation = options.jitter},
        augmentations::RandAugment{.operations = options.rand_augment > 0 ? 2 : 0, .magnitude = options.rand_augment},
        Normalize{reading.mean, reading.standard_deviation, reading.scale}};
    const int batch = static_cast<int>(std::min(static_cast<std::size_t>(options.batch_size), photos.size()));
    const LoaderOptions in_order{
        .batch_size = batch, .shuffle = false, .seed = options.seed, .threads = options.threads};
    Loader validation{held_out, plain, in_order};
    validation.shard(options.world);

    Outcome outcome;
    const auto save = [&] {
        if (!writes) return;
        WeightsInfo info{
            .network = std::string(backbone.name),
            .classes = names,
            .more = {{"accuracy", training::accuracy_text(outcome.evaluation) + " of the validation photos"},
                     {"command", options.command}}};
        preprocessing::write(chosen, info.more);
        save_without_spare_classes(parameters, classes, training::file_in(options.output, "weights.safetensors"),
                                   naming_of<Net>, programs::to_metadata(info));
    };
    if (!options.resume && writes) checkpoints.set_aside();
    if (!resume_whole) {
        const auto classify = [&](const auto& pipeline) {
            Loader source{photos, pipeline, in_order};
            source.shard(options.world);
            return train_classifier(parameters, source, validation, classes, options, checkpoints);
        };
        const std::optional<Outcome> trained = options.passes == 1 ? classify(plain) : classify(augmented);
        if (!trained) return training::interrupted_status;
        outcome = *trained;
    }
    if (options.unfreeze > 0) {
        if (!resume_whole) {
            save();  // useful even if the complete network, which takes long, fails
            std::printf("classifier on frozen features: %s of the validation photos; now the whole network\n",
                        training::accuracy_text(outcome.evaluation).c_str());
        }
        close_spare_classes(parameters, classes);
        Loader source{photos,
                      augmented,
                      {.batch_size = batch,
                       .drop_last = true,
                       .seed = options.seed,
                       .threads = options.threads,
                       .balance = options.balance}};
        source.shard(options.world);
        const std::optional<Outcome> whole =
            train_whole(parameters, source, validation, options, checkpoints, resume_whole);
        if (!whole) return training::interrupted_status;
        outcome.history.insert(outcome.history.end(), whole->history.begin(), whole->history.end());
        outcome.evaluation = whole->evaluation;
    }

    const std::string accuracy = training::accuracy_text(outcome.evaluation);
    const std::string title = std::string(backbone.name) + " on " + options.folder;
    save();
    if (!writes) return 0;
    training::write_text(training::file_in(options.output, "curves.svg"), curves_svg(outcome.history, title));
    const ConfusionMatrix confusion = used_part(outcome.evaluation.confusion, classes);
    training::write_text(training::file_in(options.output, "confusion.svg"),
                         confusion_svg(confusion, names, title + ", " + accuracy));
    Loader all_photos{held_out, plain, in_order};  // not this process' part of them
    report(outcome, parameters, all_photos, names, backbone, options, reading, reports::data_facts("training", photos),
           reports::data_facts("validation", held_out));
    const std::string table = class_report(confusion, names);
    training::write_text(training::file_in(options.output, "classes.txt"), table);
    constexpr int max_printed = 100;
    if (classes <= max_printed) std::fputs(table.c_str(), stdout);
    std::printf("%s of the validation photos\nweights, logs and plots are in %s\n", accuracy.c_str(),
                options.output.c_str());
    return 0;
}

template <class Net>
std::vector<std::vector<float>> predict(const TrainingOptions& options, int classes, std::span<const Image> images,
                                        const Preprocessing& preprocessing) {
    Parameters<Net> parameters;
    const LoadOptions how{.allow_undefined = options.allow_undefined};
    if (const int found = load_with_spare_classes(parameters, options.weights, how); found != classes)
        throw Error(options.weights + ": the file names " + std::to_string(classes) + " classes and has weights of " +
                    std::to_string(found));
    Model<Net> model{{.threads = options.threads}};
    model.set_parameters(parameters);
    std::vector<std::vector<float>> results;
    for (const Image& image : images) {
        const std::span<const float> logits = model(preprocess(image, preprocessing));
        results.emplace_back(logits.begin(), logits.begin() + classes);
    }
    return results;
}

template <class Net>
constexpr Backbone make_backbone(std::string_view name) {
    return {name, &preprocessing_of<Net>, &fine_tune<Net>, &predict<Net>};
}

constexpr Backbone all_backbones[] = {
    make_backbone<ResNet18<max_classes>>("resnet18"),
    make_backbone<ResNet50<max_classes>>("resnet50"),
    make_backbone<KerasResNet50V2<max_classes>>("keras_resnet50v2"),
    make_backbone<TimmResNetV2_50<max_classes>>("timm_resnetv2_50"),
};

}  // namespace

std::span<const Backbone> backbones() { return all_backbones; }

const Backbone& find_backbone(std::string_view name) {
    for (const Backbone& backbone : all_backbones)
        if (backbone.name == name) return backbone;
    throw Error("there is no network " + std::string(name) + " to fine-tune");
}
