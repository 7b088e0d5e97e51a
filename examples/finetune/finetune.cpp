// finetune: trains a network that knows a thousand classes to distinguish those that you have photos of.
//
//     finetune --data FOLDER --model resnet50 --weights resnet50.pth        a subfolder of FOLDER for each class
//     finetune --data FOLDER --model resnet50 --weights resnet50.pth --unfreeze 5
//     finetune --data FOLDER ... --resume                                   resumes a run that was stopped
//     finetune --weights finetuned/weights.safetensors --predict cat.jpg dog.jpg
//     classify --weights finetuned cat.jpg dog.jpg                          the same
//     mpirun -n 4 finetune --data FOLDER ... --shards 8                     several processes train together
//
// The features of the photos are computed once, and a new classifier is trained on them; with --unfreeze the complete
// network is trained from there. A part of the photos is held out for validation. The weights that are written have the
// library's names and as many classes as the photos, and contain the classes' names.
//
// Exit status: 0 for success, 2 when something that the user gave is wrong, 130 when Ctrl-C or kill stopped the
// training, which --resume then resumes.
#include <cstddef>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <tenon/image.hpp>
#include <tenon/inference.hpp>

#include "../common/answers.hpp"
#include "../common/decoding.hpp"
#include "../common/image_files.hpp"
#include "../common/run_folder.hpp"
#include "../common/run_program.hpp"
#include "backbones.hpp"

namespace {

struct Options : TrainingOptions {
    std::vector<std::string> predict;
    int top = 5;
    bool json = false;
};

void add_options(CLI::App& app, Options& options) {
    std::vector<std::string> names;
    for (const Backbone& backbone : backbones()) names.emplace_back(backbone.name);
    CLI::Option* const data =
        app.add_option("--data", options.folder, "Photos: a folder with a subfolder for each class")
            ->type_name("FOLDER");
    app.add_option("--validation", options.validation,
                   "Photos of the same classes to validate on; else a part of --data")
        ->type_name("FOLDER");
    app.add_option("--hold-out", options.hold_out, "Share of each class to validate on")
        ->check(CLI::Range(0.0, 0.9))
        ->capture_default_str();
    app.add_flag("--skip-broken", options.skip_broken, "Leave out photos that cannot be decoded instead of stopping");
    app.add_option(
           "--cache", options.cache_megabytes,
           "Megabytes for decoded photos to train with, and as many for those to validate on; others are decoded "
           "each time")
        ->check(CLI::Range(0L, 1'000'000L))
        ->capture_default_str();
    app.add_option("-m,--model", options.model, "The network")->check(CLI::IsMember(names))->capture_default_str();
    app.add_option("-w,--weights", options.weights,
                   "Its weights, of any number of classes: a safetensors, .pth or .npz file with its library's names; "
                   "with --predict what finetune wrote")
        ->required()
        ->type_name("FILE");
    app.add_option("--key", options.key,
                   "The weights' entry of a PyTorch checkpoint, such as model_ema; else one that fits")
        ->needs(data)
        ->type_name("KEY");
    app.add_flag("--allow-undefined", options.allow_undefined,
                 "Take weights that are infinite or NaN, such as those of a classifier, which is replaced");
    app.add_option("-o,--output", options.output, "The folder for weights, logs and plots")->capture_default_str();
    app.add_option("-e,--epochs", options.epochs, "Epochs of the classifier on features of the frozen network")
        ->check(CLI::Range(1, 100000))
        ->capture_default_str();
    app.add_option("-r,--rate", options.rate, "Learning rate of the classifier (AdamW)")
        ->check(CLI::Range(0.0, 100.0))
        ->capture_default_str();
    app.add_option(
           "--passes", options.passes,
           "Passes over the photos whose features are computed; with more than one, each has other crops and flips")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    app.add_option("-u,--unfreeze", options.unfreeze, "Epochs of the whole network afterwards; 0: none")
        ->check(CLI::Range(0, 100000))
        ->capture_default_str();
    app.add_option("--whole-rate", options.whole_rate, "Highest learning rate of the whole network (SGD)")
        ->check(CLI::Range(0.0, 100.0))
        ->capture_default_str();
    app.add_option("--plateau", options.plateau,
                   "Instead of a rate of the whole network that rises and falls: a tenth of it whenever the validation "
                   "loss was no better for more than this many epochs; 0: don't")
        ->check(CLI::Range(0, 100000));
    app.add_flag("--balance", options.balance,
                 "Show the whole network equally many photos of each class, those of rare classes several times");
    app.add_option("--jitter", options.jitter,
                   "Change brightness, contrast and saturation of photos by up to this share; 0: don't")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--rand-augment", options.rand_augment,
                   "Apply two random changes to each photo, from weak ones, 1, to strong ones, 30; 0: don't")
        ->check(CLI::Range(0, 30));
    app.add_option("-b,--batch", options.batch_size, "Photos per step")
        ->check(CLI::Range(2, 65536))
        ->capture_default_str();
    app.add_option("--steps", options.steps,
                   "Stop the whole network after this many steps, to try things out; 0: don't")
        ->check(CLI::Range(0L, 1000000000L));
    app.add_option("--checkpoint-minutes", options.checkpoint_minutes, "Time between checkpoints within an epoch")
        ->check(CLI::Range(0.0, 100000.0))
        ->capture_default_str();
    app.add_flag("--resume", options.resume,
                 "Resume the run whose checkpoint is in the output folder, in the classifier or the whole network; "
                 "more --epochs or --unfreeze than it had extend it");
    app.add_option("--shards", options.shards,
                   "Parts of a batch whose gradients are summed: they decide the result's bits, however many processes "
                   "compute them; 0: one per process")
        ->check(CLI::Range(0, 65536));
    app.add_option("--seed", options.seed, "Seed of everything random")->capture_default_str();
    app.add_option("-t,--threads", options.threads, "Threads; 0: one per core")->check(CLI::Range(0, 1024));
    CLI::Option* const predict =
        app.add_option("-p,--predict", options.predict,
                       "Say what these photos, or folders of them, show; - is the standard input")
            ->type_name("FILE...")
            ->excludes(data);
    app.add_option("-k,--top", options.top, "The number of classes shown for each photo")
        ->check(CLI::Range(1, 1'000'000))
        ->needs(predict)
        ->capture_default_str();
    app.add_flag("--json", options.json, "Print the answers as JSON")->needs(predict);
    add_decoding_options(app, options.decoding);
    add_preprocessing_options(app, options.preprocessing);
}

int predict(const Options& options) {
    const tenon::WeightsInfo saved = tenon::read_weights_info(options.weights);
    const Backbone* const backbone = saved.network.empty() ? nullptr : &find_backbone(saved.network);
    if (backbone == nullptr || saved.classes.empty())
        throw tenon::Error(options.weights +
                           ": expected weights that finetune wrote, with a network and classes in the " +
                           "file's metadata, found none there");
    const tenon::Preprocessing reading =
        chosen_preprocessing(*backbone->preprocessing,
                             preprocessing::with_those_of_file(options.preprocessing, saved.more, options.weights));
    const ImageFiles photos = find_images(options.predict);
    Answers answers{{.program = "finetune",
                     .model = saved.network,
                     .names = saved.classes,
                     .top = options.top,
                     .json = options.json}};
    answers.skip(photos.skipped);
    std::vector<tenon::Image> images;
    std::vector<std::string> problems;
    for (const ImageFile& file : photos.files) {
        problems.emplace_back();
        try {
            images.push_back(read_image_file(file, options.decoding, "finetune"));
        } catch (const tenon::Error& error) {
            // The other photos still get their answers.
            problems.back() = error.what();
        }
    }
    const auto logits = backbone->predict(options, static_cast<int>(saved.classes.size()), images, reading);
    auto result = logits.begin();
    for (std::size_t i = 0; i < problems.size(); ++i) {
        if (problems[i].empty())
            answers.add(photos.files[i].path, *result++);
        else
            answers.fail(photos.files[i].path, problems[i]);
    }
    answers.finish();
    return answers.failed() > 0 ? user_error : 0;
}

int run(const Options& options) {
    if (!options.predict.empty()) {
        if (options.world.size() > 1)
            throw tenon::Error("expected one process for --predict, found " + std::to_string(options.world.size()) +
                               "; mpirun ... classify shares out photos");
        return predict(options);
    }
    if (options.folder.empty()) throw tenon::Error("expected --data FOLDER to train, or --predict FILE...");
    training::create_folder(options.output);
    return find_backbone(options.model).fine_tune(find_backbone(options.model), options);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program<Options>(
        "finetune", argc, argv,
        [](CLI::App& app, Options& options) {
            app.description("Fine-tunes a network on a folder of photos.");
            add_options(app, options);
        },
        [&](Options& options) {
            options.command = training::command_line(argc, argv);
            return run(options);
        });
}
