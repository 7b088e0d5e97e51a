// train_cifar10: trains a small residual network on CIFAR-10's photos.
//
//     train_cifar10 --data FOLDER                   the binary files data_batch_1.bin to data_batch_5.bin, an hour
//     train_cifar10 --data FOLDER --resume          resumes a run that was stopped
//     train_cifar10 --data FOLDER --resume --epochs 30      extends a run of fewer epochs, finished or not
//
// 5,000 of the training images are held out for validation. If FOLDER has test_batch.bin, the accuracy on the test
// images is measured, too. Exit status: 0 for success, 2 when something that the user gave is wrong, 130 when Ctrl-C or
// kill stopped the training, which --resume then resumes.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>

#include <CLI/CLI.hpp>

#include <tenon/data.hpp>
#include <tenon/network.hpp>

#include "../common/run_program.hpp"
#include "../common/training.hpp"
#include "whitening.hpp"

namespace {

using Net = tenon::Cifar10ResNet;

struct Options : training::Options {
    std::string data;
    std::size_t held_out = 5000;
    int shift = 4;
    int cutout = 8;
    double cutmix = 0;
};

template <class Backend>
int run_on(const Options& options) {
    const tenon::ImageDataset all = tenon::read_cifar10(tenon::Subset::training, options.data);
    const auto [train, validation] = tenon::split(all, std::min(options.held_out, all.size() / 2));
    const tenon::Normalize normalize{tenon::cifar10_mean, tenon::cifar10_deviation};

    tenon::Trainer<Net, Backend> trainer = training::make_trainer<Net, Backend>(options);
    tenon::Parameters<Net> initial;
    std::ranges::copy(trainer.parameters().values(), initial.values().begin());
    whitening::write_weights(train, initial[0]);
    trainer.set_parameters(initial);

    const tenon::LoaderOptions loading{.batch_size = options.batch_size, .drop_last = true, .seed = options.seed};
    const tenon::LoaderOptions in_order{.batch_size = options.batch_size, .shuffle = false};
    tenon::Loader validation_batches{validation, tenon::Pipeline{normalize}, in_order};
    std::printf("%ld parameters, %zu training and %zu validation images\n",
                static_cast<long>(tenon::parameter_count<Net>), train.size(), validation.size());
    const auto fit_with = [&](const auto&... more) {
        const tenon::PadCrop shift{options.shift};
        tenon::Loader batches{train, tenon::Pipeline{shift, tenon::AlternatingFlip{}, normalize, more...}, loading,
                              tenon::augmentations::CutMix{.alpha = options.cutmix, .classes = 10}};
        batches.shard(options.world);
        if (options.find_rate) {
            training::find_rate(trainer.parameters(), batches, options);
            return true;
        }
        return training::fit(trainer, batches, validation_batches, options);
    };
    const bool is_done = options.cutout > 0 ? fit_with(tenon::Cutout{options.cutout}) : fit_with();
    if (!is_done) return training::interrupted_status;
    if (options.find_rate) return 0;

    const auto report = [&](const std::string& what, auto& batches) {
        tenon::Evaluation plain = trainer.evaluate(batches);
        const tenon::Evaluation mirrored = training::evaluate_with_mirrors(trainer, batches);
        std::printf("%s: %s; with mirror images %s\n", what.c_str(), training::accuracy_text(plain).c_str(),
                    training::accuracy_text(mirrored).c_str());
        return plain;
    };
    training::Description about{.network = "cifar10",
                                .data = "held-out training images of CIFAR-10",
                                .input =
                                    "[batch, 3, 32, 32]: uint8 / 255, then (x - [0.4914, 0.4822, 0.4465]) / "
                                    "[0.2470, 0.2435, 0.2616]",
                                .classes = {tenon::cifar10_classes.begin(), tenon::cifar10_classes.end()}};
    tenon::Evaluation evaluation = report("validation images", validation_batches);
    tenon::ImageDataset test;
    if (std::filesystem::exists(std::filesystem::path(options.data) / "test_batch.bin")) {
        test = tenon::read_cifar10(tenon::Subset::test, options.data);
        tenon::Loader test_batches{test, tenon::Pipeline{normalize}, in_order};
        evaluation = report("test images", test_batches);
        about.data = "test images of CIFAR-10";
    }
    training::write_results<Net>(trainer, evaluation, about, options, tenon::DType::f16);
    tenon::Loader shown_batches{test.size() > 0 ? test : validation, tenon::Pipeline{normalize}, in_order};
    training::write_report<Net>(trainer, shown_batches, about, options, training::data_sheet(train, validation, test));
    return 0;
}

int run(const Options& options) {
    if (options.precision == "bfloat16") return run_on<tenon::CpuWith<tenon::Precision::bfloat16>>(options);
    return run_on<tenon::Cpu>(options);
}

void add_options(CLI::App& app, Options& options) {
    options.output = "cifar10";
    options.batch_size = 256;
    options.learning_rate = 1;
    options.weight_decay = 1e-4;
    app.description("Trains a small residual network on CIFAR-10.");
    app.add_option("--data", options.data, "The folder of the binary files")->required()->type_name("FOLDER");
    training::add_options(app, options);
    app.add_option("--hold-out", options.held_out, "Training images to validate on; at most half of them")
        ->capture_default_str();
    app.add_option("--shift", options.shift, "Pixels that images are shifted by at most")->capture_default_str();
    app.add_option("--cutout", options.cutout, "Side of the square that is cut out of images; 0: none")
        ->check(CLI::Range(0, 32))
        ->capture_default_str();
    app.add_option("--cutmix", options.cutmix,
                   "Exchange rectangles between images: alpha of the distribution of their areas, 1 in the paper; 0: "
                   "don't")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
    return run_program<Options>("train_cifar10", argc, argv, add_options, [&](Options& options) {
        options.command = training::command_line(argc, argv);
        if (options.epochs == 0 && options.minutes == 0) options.minutes = 60;
        return run(options);
    });
}
