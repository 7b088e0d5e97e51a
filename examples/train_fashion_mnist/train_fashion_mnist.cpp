// train_fashion_mnist: trains the network with which classify recognizes clothes.
//
//     train_fashion_mnist --quick                   two epochs
//     train_fashion_mnist                           the full recipe, an hour
//     train_fashion_mnist --resume                  resumes a run that was stopped
//     train_fashion_mnist --resume --epochs 30      extends a run of fewer epochs, finished or not
//
// 1,000 of the training images are held out for validation; the test images are classified once, at the end. Exit
// status: 0 for success, 1 when the accuracy is below --minimum, 2 when something that the user gave is wrong, 130 when
// Ctrl-C or kill stopped the training, which --resume then resumes.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include <tenon/image.hpp>
#include <tenon/network.hpp>

#include "../common/run_program.hpp"
#include "../common/training.hpp"

namespace {

using Net = tenon::FashionMnistResNet;

struct Options : training::Options {
    std::string data{tenon::programs::fashion_mnist_folder};
    std::size_t held_out = 1000;
    bool quick = false;
    int shift = 2;
    int cutout = 8;
    double cutmix = 0;
    double minimum = 0;
};

template <class Backend>
int run_on(const Options& options) {
    const tenon::ImageDataset all = tenon::read_fashion_mnist(tenon::Subset::training, options.data);
    const tenon::ImageDataset test = tenon::read_fashion_mnist(tenon::Subset::test, options.data);
    const auto [train, validation] = tenon::split(all, std::min(options.held_out, all.size() / 2));
    const tenon::Preprocessing& reading = tenon::fashion_mnist_preprocessing;
    const tenon::Normalize normalize{reading.mean, reading.standard_deviation};

    tenon::Trainer<Net, Backend> trainer = training::make_trainer<Net, Backend>(options);
    const tenon::LoaderOptions loading{.batch_size = options.batch_size, .drop_last = true, .seed = options.seed};
    const tenon::LoaderOptions in_order{.batch_size = options.batch_size, .shuffle = false};
    tenon::Loader validation_batches{validation, tenon::Pipeline{normalize}, in_order};
    tenon::Loader test_batches{test, tenon::Pipeline{normalize}, in_order};
    std::printf("%ld parameters, %zu training, %zu validation and %zu test images\n",
                static_cast<long>(tenon::parameter_count<Net>), train.size(), validation.size(), test.size());
    const auto fit_with = [&](const auto&... more) {
        const tenon::PadCrop shift{options.shift, tenon::Border::zero};
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

    const tenon::Evaluation evaluation = trainer.evaluate(test_batches);
    std::printf("test images with mirror images: %s\n",
                training::accuracy_text(training::evaluate_with_mirrors(trainer, test_batches)).c_str());
    const training::Description about{
        .network = "fashion_mnist",
        .data = "test images of Fashion-MNIST",
        .input = "[batch, 1, 28, 28]: uint8 / 255, then (x - 0.2860) / 0.3530",
        .classes = {tenon::fashion_mnist_classes.begin(), tenon::fashion_mnist_classes.end()}};
    training::write_results<Net>(trainer, evaluation, about, options);
    training::write_report<Net>(trainer, test_batches, about, options, training::data_sheet(train, validation, test));
    if (evaluation.top1 >= options.minimum) return 0;
    std::fprintf(stderr, "train_fashion_mnist: expected an accuracy of at least %.2f %%, found %.2f %%\n",
                 100 * options.minimum, 100 * evaluation.top1);
    return 1;
}

int run(const Options& options) {
    if (options.precision == "bfloat16") return run_on<tenon::CpuWith<tenon::Precision::bfloat16>>(options);
    return run_on<tenon::Cpu>(options);
}

void add_options(CLI::App& app, Options& options) {
    options.output = "fashion_mnist";
    options.learning_rate = 0.2;
    app.description("Trains a small residual network on Fashion-MNIST.");
    app.add_option("--data", options.data, "The folder of the data set")->capture_default_str();
    app.add_flag("--quick", options.quick, "Two epochs with little augmentation instead of the full recipe");
    training::add_options(app, options);
    app.add_option("--hold-out", options.held_out, "Training images to validate on; at most half of them")
        ->capture_default_str();
    app.add_option("--shift", options.shift, "Pixels that images are shifted by at most")->capture_default_str();
    app.add_option("--cutout", options.cutout, "Side of the square that is cut out of images; 0: none")
        ->check(CLI::Range(0, 28))
        ->capture_default_str();
    app.add_option("--cutmix", options.cutmix,
                   "Exchange rectangles between images: alpha of the distribution of their areas, 1 in the paper; 0: "
                   "don't")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_option("--minimum", options.minimum, "The accuracy on the test images below which the exit status is 1")
        ->check(CLI::Range(0.0, 1.0));
}

}  // namespace

int main(int argc, char** argv) {
    return run_program<Options>("train_fashion_mnist", argc, argv, add_options, [&](Options& options) {
        options.command = training::command_line(argc, argv);
        if (options.quick) {
            options.cutout = 0;
            options.shift = 1;
            if (options.epochs == 0) options.epochs = 2;
        }
        if (options.epochs == 0 && options.minutes == 0) options.minutes = 60;
        return run(options);
    });
}
