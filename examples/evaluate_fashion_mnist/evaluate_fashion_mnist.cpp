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

#include <tenon/image.hpp>
#include <tenon/inference.hpp>

#include "../common/json_document.hpp"
#include "../common/report.hpp"
#include "../common/run_folder.hpp"
#include "../common/run_program.hpp"

namespace {

struct Options {
    std::string data{tenon::programs::fashion_mnist_folder};
    std::string weights = TENON_SOURCE_DIR "/examples/data/fashion_mnist.safetensors";
    int threads = 0;
    double minimum = 0.92;
    std::string report;
    std::string embedding;
    std::string command;
    bool json = false;
};

/// Images and correct answers of one class.
struct Tally {
    int images = 0;
    int right = 0;
};

/// Counts the images of each class, and collects what the network says of them.
std::array<Tally, 10> evaluate(tenon::Model<tenon::FashionMnistResNet>& model, const tenon::ImageDataset& dataset,
                               tenon::reports::Predictions& predictions) {
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
        predictions.add(logits, std::span(dataset.labels).subspan(first, count));
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

/// Writes the page about the evaluation.
void report(const Options& options, tenon::Model<tenon::FashionMnistResNet>& model, const tenon::ImageDataset& dataset,
            tenon::reports::Predictions predictions) {
    const tenon::Preprocessing& reading = tenon::fashion_mnist_preprocessing;
    tenon::Loader batches{dataset, tenon::Pipeline{tenon::Normalize{reading.mean, reading.standard_deviation}},
                          tenon::LoaderOptions{.batch_size = 100, .shuffle = false, .threads = options.threads}};
    tenon::reports::Report report;
    report.title = "fashion_mnist, test images of Fashion-MNIST";
    report.network = {{"network", "fashion_mnist"}, {"weights", options.weights}};
    report.classes = {tenon::fashion_mnist_classes.begin(), tenon::fashion_mnist_classes.end()};
    report.data = tenon::reports::data_facts("test", dataset);
    report.predictions = std::move(predictions);
    report.command = options.command;
    const tenon::Parameters<tenon::FashionMnistResNet> parameters(options.weights);
    write_report<tenon::FashionMnistResNet>(options.report, std::move(report), parameters, model, batches);
}

/// Draws the first images of a data set in the plane, by t-SNE of what the last layer reads.
void draw_embedding(const Options& options, const tenon::ImageDataset& dataset) {
    const std::size_t count = std::min<std::size_t>(dataset.size(), 500);
    if (count < 4)
        throw tenon::Error("--embedding: expected a data set with 4 or more images, found " + std::to_string(count));
    const tenon::Preprocessing& reading = tenon::fashion_mnist_preprocessing;
    using Net = tenon::FashionMnistResNet;
    tenon::Parameters<tenon::Trunk<Net>> parameters;
    copy_parameters(tenon::Parameters<Net>(options.weights), parameters);
    tenon::Model<tenon::Trunk<Net>> trunk({.threads = options.threads});
    trunk.set_parameters(parameters);
    std::vector<float> features;
    for (std::size_t i = 0; i < count; ++i) {
        const std::span<const std::uint8_t> samples = dataset.image(i);
        const tenon::Image image(28, 28, 1, {samples.begin(), samples.end()});
        const std::span<const float> one = trunk(preprocess(image, reading));
        features.insert(features.end(), one.begin(), one.end());
    }
    // A perplexity is about the number of neighbors that an image is held near to; few images have fewer.
    const std::vector<tenon::explanations::Point> points = tenon::explanations::tsne(
        features, features.size() / count, {.perplexity = std::min(30.0, 0.3 * static_cast<double>(count))});
    const std::vector<std::string> names(tenon::fashion_mnist_classes.begin(), tenon::fashion_mnist_classes.end());
    tenon::programs::write_file_atomically(
        options.embedding, tenon::reports::scatter_svg(points, std::span(dataset.labels).first(count), names,
                                                       std::to_string(count) + " test images by t-SNE"));
}

int run(const Options& options) {
    tenon::Model<tenon::FashionMnistResNet> model({.threads = options.threads});
    model.load(options.weights);
    const tenon::ImageDataset dataset = tenon::read_fashion_mnist(tenon::Subset::test, options.data);
    if (dataset.size() == 0) throw tenon::Error(options.data + ": expected test images, found none");

    tenon::reports::Predictions predictions(static_cast<int>(tenon::fashion_mnist_classes.size()));
    const std::array<Tally, 10> tallies = evaluate(model, dataset, predictions);
    int right = 0;
    for (const Tally& tally : tallies) right += tally.right;
    const double accuracy = right / static_cast<double>(dataset.size());
    if (options.json)
        print_json(tallies, right, dataset.size());
    else
        print_text(tallies, right, dataset.size());
    if (!options.report.empty()) report(options, model, dataset, std::move(predictions));
    if (!options.embedding.empty()) draw_embedding(options, dataset);
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
    app.add_option("--report", options.report, "Write a page about the results: one HTML file")->type_name("FILE");
    app.add_option("--embedding", options.embedding,
                   "Draw 500 images in the plane by their features, colored by class: an SVG image")
        ->type_name("FILE");
    app.add_flag("--json", options.json, "Print the results as JSON");
}

}  // namespace

int main(int argc, char** argv) {
    return run_program<Options>("evaluate_fashion_mnist", argc, argv, add_options, [&](Options& options) {
        options.command = training::command_line(argc, argv);
        return run(options);
    });
}
