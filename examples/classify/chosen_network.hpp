// Which network a command line asks for, its weights, the names of their classes, and what it sees of an image: what
// classify and serve have in common.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>

#include <tenon/data.hpp>
#include <tenon/image.hpp>
#include <tenon/inference.hpp>

#include "../common/nearest_names.hpp"
#include "labels.hpp"
#include "networks.hpp"

/// The options that name a network and its weights.
struct NetworkOptions {
    std::optional<std::string> model;  ///< empty: the one that the weights name, or the default
    std::string backend = "cpu";
    std::string precision = "float32";
    std::string weights;
    std::string key;
    bool allow_undefined = false;
    std::string labels;
    int threads = 0;
    std::optional<std::uint64_t> seed;
};

inline bool is_network(const std::string& name) {
    const std::vector<std::string> all = network_names();
    return std::ranges::find(all, name) != all.end();
}

/// Why a name on the command line is not a network's; empty when it is.
inline std::string refuse_unknown_network(const std::string& name) {
    if (is_network(name)) return {};
    std::string similar;
    const std::vector<std::string> nearest = nearest_names(name, network_names());
    for (const std::string& each : nearest) similar += (similar.empty() ? "" : ", ") + each;
    const bool holds_name = !nearest.empty() && nearest[0].find(name) != std::string::npos;
    return "there is no network " + name +
           (similar.empty() ? ""
                            : (holds_name ? "; there are " : "; did you mean ") + similar + (holds_name ? "" : "?"));
}

/// All networks, in lines of at most 100 characters.
inline std::string list_of_networks() {
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

inline void add_network_options(CLI::App& app, NetworkOptions& options) {
    app.add_option(
           "-m,--model", options.model,
           "The network, one of those below; else the one in the weights' file, or " + std::string(default_network))
        ->check(CLI::Validator(refuse_unknown_network, ""))
        ->type_name("NAME");
    app.footer(list_of_networks());
    app.add_option("--backend", options.backend, "What it runs on: cpu, or cuda where the program was built for it")
        ->check(CLI::IsMember({"cpu", "cuda"}))
        ->capture_default_str();
    app.add_option("--precision", options.precision,
                   "On the CPU: float32, bfloat16, or int8 with weights that classify --calibrate has written")
        ->check(CLI::IsMember({"float32", "bfloat16", "int8"}))
        ->capture_default_str();
    CLI::Option* const weights =
        app.add_option("-w,--weights", options.weights,
                       "Its weights: safetensors, .pth or .npz with its library's names, or finetune's folder")
            ->type_name("FILE");
    app.add_option("--key", options.key,
                   "The weights' entry of a PyTorch checkpoint, such as model_ema; else one that fits")
        ->needs(weights)
        ->type_name("KEY");
    app.add_flag("--allow-undefined", options.allow_undefined,
                 "Take weights that are infinite or NaN, and negative variances")
        ->needs(weights);
    app.add_option("-l,--labels", options.labels,
                   "The names of its classes: lines, a list or a dictionary (JSON, Python); else its file's")
        ->type_name("FILE");
    app.add_option("-t,--threads", options.threads, "Threads; 0: one per core")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
    app.add_option("--seed", options.seed, "Draw random weights from this seed instead, to try a network's speed")
        ->excludes(weights);
}

/// Weights and images that are in the repository.
inline std::filesystem::path data_folder() { return std::filesystem::path(TENON_SOURCE_DIR) / "examples" / "data"; }

/// The weights that the command line names, and the information in their file.
struct Weights {
    std::string path;
    tenon::WeightsInfo info = {};
    std::string problem = {};  ///< why the information can't be read
};

/// The weights in a file, or in a folder that finetune wrote.
inline Weights find_weights(const std::filesystem::path& path) {
    std::error_code unknown;
    const bool is_folder = std::filesystem::is_directory(path, unknown);
    Weights weights{.path = (is_folder ? path / "weights.safetensors" : path).string()};
    if (weights.path.empty()) return weights;
    try {
        weights.info = tenon::read_weights_info(weights.path);
    } catch (const tenon::Error& error) {
        weights.problem = error.what();  // reported only if the weights themselves can be read
    }
    return weights;
}

/// The network: as the command line says, else as the weights' file says.
inline std::string choose_network(const NetworkOptions& options, const Weights& weights, const std::string& program) {
    if (options.model) return *options.model;
    const std::string& name = weights.info.network;
    if (is_network(name)) return name;
    // Former names of the training examples' networks.
    if (name == "tenon::FashionMnistResNet") return "fashion_mnist";
    if (name == "tenon::Cifar10ResNet") return "cifar10";
    if (!name.empty())
        throw tenon::Error(weights.path + ": the file's weights are those of a network " + name + ", which " + program +
                           " doesn't know; say which of its networks they fit with --model NAME");
    return std::string(default_network);
}

/// The weights of the options, or those of `model` in the repository when there are none.
inline Weights find_weights(const NetworkOptions& options, const std::string& model) {
    const bool in_repository = model == "fashion_mnist" || model == "cifar10";
    return find_weights(options.weights.empty() && !options.seed && in_repository
                            ? data_folder() / (model + ".safetensors")
                            : std::filesystem::path(options.weights));
}

/// The names of the classes that the command line states, else those in the weights' file; none when neither does.
inline std::vector<std::string> stated_names(const NetworkOptions& options, const Weights& weights, int classes) {
    if (!options.labels.empty()) return labels::read(options.labels, classes);
    const std::vector<std::string>& names = weights.info.classes;
    if (!names.empty() && names.size() != static_cast<std::size_t>(classes))
        throw tenon::Error(weights.path + ": the file names " + std::to_string(names.size()) +
                           " classes and has weights of " + std::to_string(classes));
    return names;
}

/// Gives the classifier its weights and returns the names of their classes; none when nothing states them.
inline std::vector<std::string> take_weights(Classifier& classifier, const std::string& model,
                                             const NetworkOptions& options, const Weights& weights,
                                             const std::string& program) {
    if (options.seed) {
        classifier.initialize(*options.seed);
    } else if (!weights.path.empty()) {
        std::vector<std::string> notes;
        classifier.load(weights.path,
                        {.key = options.key, .allow_undefined = options.allow_undefined, .notes = &notes});
        for (const std::string& note : notes)
            std::fprintf(stderr, "%s: %s: %s\n", program.c_str(), weights.path.c_str(), note.c_str());
        if (!weights.problem.empty())
            std::fprintf(stderr, "%s: warning: %s\n", program.c_str(), weights.problem.c_str());
    } else {
        throw tenon::Error("the network " + model + " needs --weights FILE (or --seed N for random weights)");
    }
    return stated_names(options, weights, classifier.classes());
}

/// Default names: those of the data set that a network was made for, or numbers.
inline std::vector<std::string> default_names(const Classifier& classifier, const std::string& model) {
    const bool has_all = classifier.classes() == classifier.network_classes();
    if (model == "fashion_mnist" && has_all)
        return {tenon::fashion_mnist_classes.begin(), tenon::fashion_mnist_classes.end()};
    if (classifier.classes() == 10 && has_all) return {tenon::cifar10_classes.begin(), tenon::cifar10_classes.end()};
    std::vector<std::string> names;
    names.reserve(static_cast<std::size_t>(classifier.classes()));
    for (int i = 0; i < classifier.classes(); ++i) names.push_back("class " + std::to_string(i));
    return names;
}

/// The options of decoding, in the colors that are read.
inline tenon::DecodeOptions decoding_for(const tenon::Preprocessing& preprocessing, tenon::DecodeOptions options) {
    options.color = preprocessing.channels == 1 ? tenon::Color::gray : tenon::Color::rgb;
    return options;
}

/// What a network sees of an image: resized and cut, with samples from 0 to 255.
inline tenon::Image cut_for_network(const tenon::Image& image, tenon::Preprocessing how) {
    how.scale = 1;
    how.mean = {0, 0, 0};
    how.standard_deviation = {1, 1, 1};
    how.order = tenon::ChannelOrder::rgb;
    const std::vector<float> samples = preprocess(image, how);
    tenon::Image cut(how.crop_height, how.crop_width, how.channels);
    const std::size_t channels = static_cast<std::size_t>(how.channels), pixels = samples.size() / channels;
    for (std::size_t i = 0; i < samples.size(); ++i)
        cut.pixels()[i] = static_cast<std::uint8_t>(samples[i % channels * pixels + i / channels]);
    return cut;
}

/// The network, without weights, on the backend and in the precision that the command line says.
inline std::unique_ptr<Classifier> make_chosen_classifier(const std::string& model, const NetworkOptions& options) {
    const bool on_device = options.backend == "cuda", is_float32 = options.precision == "float32";
    if (on_device && !is_float32) throw tenon::Error("--precision " + options.precision + " is for --backend cpu");
    if (on_device) return make_classifier_on_cuda(model);
    if (is_float32) return make_classifier(model, options.threads);
    const PackedNetworkEntry& entry = packed_network(model, options.precision);
    const auto make = options.precision == "int8" ? entry.make_in_integers : entry.make_in_bfloat16;
    return make(model, options.threads);
}
