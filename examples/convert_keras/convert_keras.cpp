// convert_keras: weights of Keras' ResNet50V2, ResNet101V2 or ResNet152V2 for the original listing's networks.
//
//     scripts/convert_weights.py --layout keep --names slashed resnet50v2.h5 keras.safetensors
//     convert_keras keras.safetensors listing.safetensors
//
// The listing's networks have fewer biases and another epsilon; weights/keras_to_listing.hpp explains the conversion.
// Both networks are run on an image of noise before anything is written. The converted weights are for a listing's
// network with the option ZeroPaddedPool, which pads its first pool as Keras does.
//
// Exit status: 0 for success, 2 when something that the user gave is wrong.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <tenon/inference.hpp>

#include "../common/run_program.hpp"

namespace {

constexpr double tolerance = 1e-4;  ///< of the largest logit: the converted values are rounded to floats

struct Options {
    std::string input, output;
};

template <class Net>
std::vector<float> logits(const tenon::Parameters<Net>& parameters) {
    tenon::Model<Net> model;
    model.set_parameters(parameters);
    std::vector<float> image(static_cast<std::size_t>(tenon::input_shape<Net>.elements()));
    std::mt19937 random;
    for (float& sample : image) sample = static_cast<float>(random()) / 0x1p31f - 1;  // -1 to 1
    const std::span<const float> result = model(image);
    return {result.begin(), result.end()};
}

/// The largest difference as a share of the largest expected logit.
double difference(const std::vector<float>& expected, const std::vector<float>& found) {
    double largest = 0, error = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (!std::isfinite(expected[i]) || !std::isfinite(found[i])) return HUGE_VAL;
        largest = std::max(largest, std::abs(double{expected[i]}));
        error = std::max(error, std::abs(double{found[i]} - double{expected[i]}));
    }
    return error > 0 ? error / largest : 0;
}

template <class Keras, class Listing>
void convert(const Options& options, const char* name) {
    const tenon::Parameters<Keras> keras{options.input};
    const tenon::Parameters<Listing> listing = tenon::keras_to_listing<Listing>(keras);
    const double error = difference(logits(keras), logits(listing));
    if (!(error <= tolerance))
        throw tenon::Error(options.input +
                           ": expected the converted weights to give the logits of Keras' network within " +
                           std::to_string(tolerance) + " of the largest, found a difference of " +
                           std::to_string(error) + "; nothing was written");
    listing.save(options.output, tenon::Naming::listing, {{"source", "keras.applications " + std::string(name)}});
    std::printf(
        "%s: weights of %s<Classes<1000>, ZeroPaddedPool>; its logits of an image of noise differ by %.1e of the "
        "largest from those of Keras' network\n",
        options.output.c_str(), name, error);
}

/// Which of the networks a file belongs to, as the number of blocks of its third stage; 0 for other files.
int blocks_of_third_stage(const std::string& path) {
    const tenon::TensorFile file{path};
    for (const int blocks : {36, 23, 6}) {
        const std::string layer = "conv4_block" + std::to_string(blocks) + "_preact_bn";
        if (std::ranges::any_of(file.tensors(), [&](const auto& tensor) { return tensor.name.starts_with(layer); }))
            return blocks;
    }
    return 0;
}

void run(const Options& options) {
    using namespace tenon;
    switch (blocks_of_third_stage(options.input)) {
        case 6:
            return convert<KerasResNet50V2<>, ResNet50V2<Classes<1000>, ZeroPaddedPool>>(options, "ResNet50V2");
        case 23:
            return convert<KerasResNet101V2<>, ResNet101V2<Classes<1000>, ZeroPaddedPool>>(options, "ResNet101V2");
        case 36:
            return convert<KerasResNet152V2<>, ResNet152V2<Classes<1000>, ZeroPaddedPool>>(options, "ResNet152V2");
        default:
            throw Error(
                options.input +
                ": expected weights of keras.applications' ResNet50V2, ResNet101V2 or ResNet152V2 with their names "
                "(conv4_block6_preact_bn/gamma), which scripts/convert_weights.py --layout keep --names slashed "
                "writes; found others");
    }
}

void add_options(CLI::App& app, Options& options) {
    app.description(
        "Converts weights of Keras' ResNet50V2, ResNet101V2 or ResNet152V2 with 1000 classes to the original "
        "listing's\n"
        "networks, exactly except for rounding.");
    app.add_option("input", options.input,
                   "What scripts/convert_weights.py --layout keep --names slashed makes of Keras' file")
        ->type_name("KERAS")
        ->required();
    app.add_option("output", options.output, "The safetensors file to write; replaced if it exists")
        ->type_name("LISTING")
        ->required();
}

}  // namespace

int main(int argc, char** argv) {
    return run_program<Options>("convert_keras", argc, argv, add_options, [](const Options& options) {
        run(options);
        return 0;
    });
}
