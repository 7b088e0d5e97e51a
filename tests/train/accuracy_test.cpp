// A small network trained on real images for a few seconds: a trainer that is broken somewhere does not get as far.
#include <cmath>
#include <filesystem>
#include <iostream>

#include <doctest/doctest.h>

#include <tenon/data/archives/fashion_mnist.hpp>
#include <tenon/data/loader.hpp>
#include <tenon/data/split.hpp>
#include <tenon/topology/block.hpp>
#include <tenon/train/optimizers/sgd.hpp>
#include <tenon/train/trainer.hpp>

namespace {
using namespace tenon;

/// 19,642 parameters, 1.6 M multiply-adds.
struct Small : Network<Input<1, 28, 28>, Stem<Conv<16, Kernel<3>, Stride<2>, Padding<1>>>, Block<16, Basic>,
                       Block<32, Basic, ConvShortcut, Stride<2>>, Head<BatchNorm, ReLU, GlobalAvgPool, Linear<10>>> {};

TEST_CASE("four epochs on 10,000 images of Fashion-MNIST are worth an accuracy of 83 %") {
    const std::filesystem::path folder = detail::fashion_mnist_folder;
    if (!std::filesystem::exists(folder)) {
        std::cerr << "SKIPPED: " << folder.string() << " is absent; Debian's package dataset-fashion-mnist has it.\n";
        return;
    }
    constexpr std::uint64_t seed = 1;
    const ImageDataset train = split(read_fashion_mnist(Subset::training), 10'000, seed).validation;
    const ImageDataset test = split(read_fashion_mnist(Subset::test), 4'000).validation;
    const Normalize normalize{fashion_mnist_preprocessing.mean, fashion_mnist_preprocessing.standard_deviation};
    Loader batches{train, Pipeline{RandomFlip{}, normalize}, {.batch_size = 64, .drop_last = true, .seed = seed}};
    Loader test_batches{test, Pipeline{normalize}, {.batch_size = 100, .shuffle = false}};

    Trainer<Small> trainer{SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 5e-4},
                           {.batch_size = 64, .seed = seed, .threads = 1, .initialization = Initialization::kaiming()}};
    trainer.fit(batches, {.epochs = 4, .schedule = schedules::piecewise_linear({{0, 0.1}, {0.25, 1}, {1, 0}})});
    const Evaluation evaluation = trainer.evaluate(test_batches);
    std::cout << "accuracy " << 100 * evaluation.top1 << " %, loss " << evaluation.loss << "\n";

    // Seeds 1 to 6 gave 84.25 to 85.08 %, on average 84.65 % with a deviation of 0.30; the bound is 5 deviations below.
    // Kernels that round otherwise are another draw: this seed gave 84.68 % before weight gradients by Winograd, 84.20
    // % with them. What the same run gives where something is missing: 74.3 % without momentum, 74.0 % with a tenth of
    // the learning rate, 57.9 % where no gradient reaches the layers in front of the classifier.
    CHECK(evaluation.images == 4'000);
    CHECK(evaluation.top1 > 0.83);
    // The last epoch's training accuracy, of the parameters on the way, is near the test's: nothing is learned by
    // heart.
    CHECK(std::abs(trainer.history().back().accuracy - evaluation.top1) < 0.03);
}

}  // namespace
