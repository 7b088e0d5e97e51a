// evaluate_fashion_mnist: counts the test images of Fashion-MNIST, of 10,000, that the network classifies correctly.
//
// Exit status: 0 when the accuracy reaches the minimum, 1 when it doesn't, 2 when a file is missing or wrong.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include <tenon/core/error.hpp>
#include <tenon/data/archives/fashion_mnist.hpp>
#include <tenon/image/preprocess.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/runtime/model.hpp>

#include "../common/json_document.hpp"
#include "../common/run_program.hpp"

namespace {

struct Options {
    std::string data{tenon::programs::fashion_mnist_folder};
    std::string weights = TENON_SOURCE_DIR "/examples/data/fashion_mnist.safetensors";
    int threads = 0;
    double minimum = 0.92;
    bool json = false;
};

/// Images and correct answers of one class.
struct Tally {
    int images = 0;
    int right = 0;
};

std::array<Tally, 10> evaluate(tenon::Model<tenon::FashionMnistResNet>& model, const tenon::ImageDataset& dataset) {
    const tenon::Preprocessing& preprocessing = tenon::fashion_mnist_preprocessing;
    const std::size_t elements = preprocessing.elements();
    constexpr std::size_t batch_size = 100;
    constexpr std::size_t classes = 10;
    std::array<Tally, classes> tallies{};
    std::vector<float> images(batch_size * elements);
    for (std::size_t first = 0; first < dataset.size(); first += batch_size) {
        const std::size_t count = std::min(batch_size, dataset.size() - first);
        for (std::size_t i = 0; i < count; ++i) {
            const std::span<const std::uint8_t> samples = dataset.image(first + i);
            const tenon::Image image(28, 28, 1, {samples.begin(), samples.end()});
            preprocess(image, preprocessing, std::span(images).subspan(i * elements, elements));
        }
        const std::span<const float> logits = model(std::span(images).first(count * elements));
        for (std::size_t i = 0; i < count; ++i) {
            const std::span<const float> scores = logits.subspan(i * classes, classes);
            const auto answer = static_cast<std::size_t>(std::ranges::max_element(scores) - scores.begin());
            const auto label = static_cast<std::size_t>(dataset.labels[first + i]);
            ++tallies[label].images;
            tallies[label].right += answer == label;
        }
    }
    return tallies;
}

void print_text(const std::array<Tally, 10>& tallies, int right, std::size_t images) {
    for (std::size_t i = 0; i < tallies.size(); ++i)
        std::printf("%-12s %5d of %5d\n", std::string(tenon::fashion_mnist_classes[i]).c_str(), tallies[i].right,
                    tallies[i].images);
    std::printf("accuracy     %.2f %% (%d of %zu)\n", 100.0 * right / static_cast<double>(images), right, images);
}

void print_json(const std::array<Tally, 10>& tallies, int right, std::size_t images) {
    json_document::Json document = json_document::begin("evaluate_fashion_mnist"), classes;
    for (std::size_t i = 0; i < tallies.size(); ++i)
        classes.push_back({{"class", i},
                           {"name", std::string(tenon::fashion_mnist_classes[i])},
                           {"right", tallies[i].right},
                           {"evaluated", tallies[i].images}});
    document["model"] = "fashion_mnist";
    document["evaluated"] = images;
    document["right"] = right;
    document["accuracy"] = right / static_cast<double>(images);
    document["classes"] = std::move(classes);
    json_document::print(document);
}

int run(const Options& options) {
    tenon::Model<tenon::FashionMnistResNet> model({.threads = options.threads});
    model.load(options.weights);
    const tenon::ImageDataset dataset = tenon::read_fashion_mnist(tenon::Subset::test, options.data);
    if (dataset.size() == 0) throw tenon::Error(options.data + ": expected test images, found none");

    const std::array<Tally, 10> tallies = evaluate(model, dataset);
    int right = 0;
    for (const Tally& tally : tallies) right += tally.right;
    const double accuracy = right / static_cast<double>(dataset.size());
    if (options.json)
        print_json(tallies, right, dataset.size());
    else
        print_text(tallies, right, dataset.size());
    if (accuracy >= options.minimum) return 0;
    std::fprintf(stderr, "evaluate_fashion_mnist: expected an accuracy of at least %.2f %%, found %.2f %%\n",
                 100 * options.minimum, 100 * accuracy);
    return 1;
}

void add_options(CLI::App& app, Options& options) {
    app.description("Classifies the test images of Fashion-MNIST and counts the correct answers.");
    app.add_option("--data", options.data, "The folder of the data set")->capture_default_str();
    app.add_option("-w,--weights", options.weights, "The network's weights")->capture_default_str();
    app.add_option("-t,--threads", options.threads, "Threads; 0: one per core")->check(CLI::Range(0, 1024));
    app.add_option("--minimum", options.minimum, "The accuracy below which the exit status is 1")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_flag("--json", options.json, "Print the results as JSON");
}

}  // namespace

int main(int argc, char** argv) { return run_program<Options>("evaluate_fashion_mnist", argc, argv, add_options, run); }
