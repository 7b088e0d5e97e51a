// classify: says what image files show.
//
//     classify                                      the images of Fashion-MNIST that lie beside this example
//     classify --model resnet18 --weights resnet18.safetensors --labels imagenet.txt cat.jpg
//     classify --model keras_resnet50v2 --weights keras_resnet50v2.safetensors cat.jpg
//     classify --model resnet18 --weights resnet18.pth --save resnet18.safetensors --onnx resnet18.onnx
//
// An image is scaled, resized and cut as the network's library does it.
//
// Results go to the standard output, everything else to the standard error. Exit status: 0 when all went well, 2 when
// something that the user gave is wrong.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <tenon/core/error.hpp>
#include <tenon/data/cifar.hpp>
#include <tenon/data/fashion_mnist.hpp>
#include <tenon/image/decode.hpp>
#include <tenon/image/preprocess.hpp>
#include <tenon/version.hpp>

#include "../common/image_files.hpp"
#include "../common/result.hpp"
#include "../common/run_program.hpp"
#include "labels.hpp"
#include "networks.hpp"

namespace {

const std::filesystem::path data_folder = std::filesystem::path(TENON_SOURCE_DIR) / "examples" / "data";

/// What stands on the command line.
struct Options {
    std::vector<std::string> images;
    std::string model{default_network};
    std::string backend = "cpu";
    std::string weights;
    std::string labels;
    int top = 5;
    int threads = 0;
    std::optional<std::uint64_t> seed;
    bool json = false;
    bool summary = false;
    bool profile = false;
    std::string save;
    std::string onnx;
    long onnx_batch = 1;
};

/// Why a name on the command line is no network; empty if it is one.
std::string refuse_unknown_network(const std::string& name) {
    const std::vector<std::string> all = network_names();
    if (std::ranges::find(all, name) != all.end()) return {};
    std::string similar;
    for (const std::string& each : all)
        if (!name.empty() && each.find(name) != std::string::npos) similar += (similar.empty() ? "" : ", ") + each;
    return "there is no network " + name + (similar.empty() ? "" : "; there are " + similar);
}

/// All networks, in lines of at most 100 characters.
std::string list_of_networks() {
    constexpr std::size_t width = 100;
    std::string text = "Networks:", line;
    for (const std::string& name : network_names()) {
        if (line.empty() || line.size() + name.size() + 1 > width) {
            text += line;
            line = "\n ";
        }
        line += " " + name;
    }
    return text + line;
}

void add_options(CLI::App& app, Options& options) {
    app.description(
        "Says what image files (JPEG, PNG) show. Without arguments: the clothes in examples/data/images, classified "
        "by\n"
        "a small network whose weights lie beside them.");
    app.set_version_flag("--version", "classify, tenon " + std::to_string(TENON_VERSION_MAJOR) + "." +
                                          std::to_string(TENON_VERSION_MINOR) + "." +
                                          std::to_string(TENON_VERSION_PATCH));
    app.add_option("images", options.images, "Image files, or folders of them")->type_name("IMAGE");
    app.add_option("-m,--model", options.model, "The network, one of those listed below")
        ->check(CLI::Validator(refuse_unknown_network, ""))
        ->type_name("NAME")
        ->capture_default_str();
    app.footer(list_of_networks());
    app.add_option("--backend", options.backend, "What it runs on: cpu, or cuda where the program was built for it")
        ->check(CLI::IsMember({"cpu", "cuda"}))
        ->capture_default_str();
    CLI::Option* const weights =
        app.add_option("-w,--weights", options.weights,
                       "Its weights: a safetensors, .pth or .npz file with its library's names")
            ->type_name("FILE");
    app.add_option("-l,--labels", options.labels, "The names of its classes: one a line, or a JSON array")
        ->type_name("FILE");
    app.add_option("-k,--top", options.top, "How many classes are shown for an image")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    app.add_option("-t,--threads", options.threads, "Threads; 0: one per core")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
    app.add_option("--seed", options.seed, "Draw random weights from this seed instead, to try a network's speed")
        ->excludes(weights);
    app.add_flag("--json", options.json, "Print the results as JSON");
    app.add_flag("--summary", options.summary, "Print the network's layers, too (standard error)");
    app.add_flag("--profile", options.profile, "Print the time that each step takes, too (standard error)");
    app.add_option("--save", options.save, "Write the weights as a safetensors file with its library's names, too")
        ->type_name("FILE");
    CLI::Option* const onnx =
        app.add_option("--onnx", options.onnx, "Write the network with its weights as an ONNX file, too")
            ->type_name("FILE");
    app.add_option("--onnx-batch", options.onnx_batch, "Images at once that the ONNX file takes; 0: any number")
        ->check(CLI::Range(0, 1'000'000))
        ->needs(onnx)
        ->capture_default_str();
}

std::vector<std::string> class_names(const Options& options, int classes) {
    if (!options.labels.empty()) return labels::read(options.labels, classes);
    std::vector<std::string> names;
    if (options.model == "fashion_mnist") {
        names.assign(tenon::fashion_mnist_classes.begin(), tenon::fashion_mnist_classes.end());
    } else if (classes == 10) {
        names.assign(tenon::cifar10_classes.begin(), tenon::cifar10_classes.end());
    } else {
        for (int i = 0; i < classes; ++i) names.push_back("class " + std::to_string(i));
    }
    return names;
}

void take_weights(Classifier& classifier, const Options& options) {
    if (options.seed) {
        classifier.initialize(*options.seed);
    } else if (!options.weights.empty()) {
        classifier.load(options.weights);
    } else if (options.model == "fashion_mnist" || options.model == "cifar10") {
        classifier.load(data_folder / (options.model + ".safetensors"));
    } else {
        throw tenon::Error("the network " + options.model + " needs --weights FILE (or --seed N for random weights)");
    }
}

int run(const Options& options) {
    const bool on_device = options.backend == "cuda";
    const std::unique_ptr<Classifier> classifier =
        on_device ? make_classifier_on_cuda(options.model) : make_classifier(options.model, options.threads);
    const bool has_defaults = options.model == default_network, writes = !options.save.empty() || !options.onnx.empty();
    if (options.summary) std::fputs(classifier->summary().c_str(), stderr);
    if (options.images.empty() && !has_defaults) {
        // A network can be looked at without images.
        if (options.summary && !options.profile && !writes) return 0;
        if (!options.profile && !writes)
            throw tenon::Error("expected image files to classify with " + options.model + ", found none");
    }
    take_weights(*classifier, options);
    if (!options.save.empty()) classifier->save(options.save);
    if (!options.onnx.empty()) classifier->write_onnx(options.onnx, options.onnx_batch);
    if (writes && options.images.empty() && !options.profile) return 0;
    const std::vector<std::string> names = class_names(options, classifier->classes());
    std::vector<std::string> arguments = options.images;
    if (arguments.empty() && has_defaults) arguments = {std::filesystem::proximate(data_folder / "images").string()};
    const std::vector<std::string> files = expand_folders(arguments);

    const Terminal terminal = Terminal::of_stdout();
    const tenon::Preprocessing& preprocessing = classifier->preprocessing();
    const tenon::DecodeOptions decoding{.color = preprocessing.channels == 1 ? tenon::Color::grey : tenon::Color::rgb};
    const std::size_t elements = preprocessing.elements();
    const auto classes = static_cast<std::size_t>(classifier->classes());
    nlohmann::ordered_json results = nlohmann::ordered_json::array();
    int status = 0;
    std::size_t classified = 0;
    std::chrono::duration<double> seconds{};

    constexpr std::size_t batch_size = 16;
    std::vector<float> images;
    std::vector<std::string> batch;
    for (std::size_t first = 0; first < files.size(); first += batch_size) {
        images.clear();
        batch.clear();
        for (std::size_t i = first; i < std::min(first + batch_size, files.size()); ++i) {
            try {
                const std::vector<float> image = preprocess(tenon::read_image(files[i], decoding), preprocessing);
                images.insert(images.end(), image.begin(), image.end());
                batch.push_back(files[i]);
            } catch (const tenon::Error& error) {
                // The other images are still worth their answers.
                std::fprintf(stderr, "classify: %s\n", error.what());
                status = user_error;
            }
        }
        if (batch.empty()) continue;
        const auto start = std::chrono::steady_clock::now();
        const std::span<const float> logits = classifier->logits(images);
        seconds += std::chrono::steady_clock::now() - start;
        classified += batch.size();
        for (std::size_t i = 0; i < batch.size(); ++i) {
            const Result result = make_result(batch[i], logits.subspan(i * classes, classes), options.top);
            if (options.json) {
                results.push_back(json_of(result, names));
            } else {
                print_text(result, names, terminal);
            }
        }
    }
    if (options.json) {
        const nlohmann::ordered_json document = {{"model", options.model}, {"images", std::move(results)}};
        // File names and labels need not be UTF-8, JSON must.
        std::puts(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    }
    if (options.profile) {
        images.resize(elements);
        std::fputs(classifier->profile(images).c_str(), stderr);
    }
    const std::string where = on_device                    ? "on the device"
                              : classifier->threads() == 1 ? "1 thread"
                                                           : std::to_string(classifier->threads()) + " threads";
    std::fprintf(stderr, "classify: %s, %zu of %zu images, %.1f ms in the network, %s\n", options.model.c_str(),
                 classified, files.size(), 1000 * seconds.count(), where.c_str());
    if (std::fflush(stdout) != 0) throw tenon::Error("cannot write to the standard output");
    return status;
}

}  // namespace

int main(int argc, char** argv) { return run_program<Options>("classify", argc, argv, add_options, run); }
