// classify: says what image files show.
//
//     classify                                      the images of Fashion-MNIST in this repository
//     classify --model resnet18 --weights resnet18.safetensors --labels imagenet.txt cat.jpg
//     classify --model keras_resnet50v2 --weights keras_resnet50v2.safetensors cat.jpg
//     classify --model resnet18 --weights resnet18.pth --save resnet18.safetensors --onnx resnet18.onnx
//     classify --model resnet18 --weights resnet18.pth --explain map.png cat.jpg     where the network looks
//     classify --weights flowers/weights.safetensors photos        what finetune wrote, with its classes
//     classify --model resnet18 --weights resnet18.pth --calibrate photos --save resnet18.int8.safetensors
//     classify --model resnet18 --weights resnet18.int8.safetensors --precision int8 cat.jpg
//     classify --model resnet18 --weights resnet18.int8.safetensors --precision int8 --onnx resnet18.int8.onnx
//     classify --model resnet18 --weights resnet18.pth --precision bfloat16 cat.jpg
//     mpirun -n 4 classify --json photos           shared by four processes, one answer
//     curl https://example.org/cat.jpg | classify --model cifar10 -
//
// Images are scaled, resized and cut as in the network's library.
//
// Results go to the standard output, everything else to the standard error. Exit status: 0 for success, 2 when
// something that the user gave is wrong; for a broken image only its own answer is missing.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <tenon/distributed.hpp>
#include <tenon/image.hpp>
#include <tenon/inference.hpp>
#include <tenon/report.hpp>

#include "../common/answers.hpp"
#include "../common/decoding.hpp"
#include "../common/image_files.hpp"
#include "../common/json_document.hpp"
#include "../common/preprocessing_options.hpp"
#include "../common/progress_line.hpp"
#include "../common/run_program.hpp"
#include "chosen_network.hpp"
#include "networks.hpp"

namespace {

/// The command line.
struct Options : NetworkOptions {
    std::vector<std::string> images;
    std::string calibrate;
    int top = 5;
    bool json = false;
    bool summary = false;
    bool profile = false;
    std::string trace;
    std::string explain;
    std::string place;
    tenon::explanations::Method method = tenon::explanations::Method::grad_cam;
    bool evidence = false;
    std::string save;
    std::string onnx;
    long onnx_batch = 1;
    tenon::distributed::World world{};  ///< the processes that share the images
    tenon::DecodeOptions decoding;
    PreprocessingOptions preprocessing;
};

std::string refuse_other_than_maps(const std::string& path) {
    return path.ends_with(".png") || path.ends_with(".json")
               ? ""
               : "expected a file name that ends in .png or .json, found " + path;
}

std::map<std::string, tenon::explanations::Method> explanation_methods() {
    std::map<std::string, tenon::explanations::Method> methods;
    for (const tenon::explanations::Method method : tenon::explanations::methods)
        methods.emplace(tenon::explanations::method_name(method), method);
    return methods;
}

void add_options(CLI::App& app, Options& options) {
    app.description(
        "Says what image files (JPEG, PNG, WebP) show. Without arguments: the clothes in examples/data/images, "
        "classified "
        "by\n"
        "a small network whose weights are in the repository, too.");
    app.set_version_flag("--version", "classify, tenon " + std::to_string(TENON_VERSION_MAJOR) + "." +
                                          std::to_string(TENON_VERSION_MINOR) + "." +
                                          std::to_string(TENON_VERSION_PATCH));
    CLI::Option* const images =
        app.add_option("images", options.images, "Image files, or folders of them; - is the standard input")
            ->type_name("IMAGE");
    add_network_options(app, options);
    app.add_option("-k,--top", options.top, "The number of classes shown for each image")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    app.add_flag("--json", options.json, "Print the results as JSON");
    app.add_flag("--summary", options.summary,
                 "Print the network's layers, too (standard error); with --json and without images, as JSON");
    app.add_flag("--profile", options.profile, "Print the time that each step takes, too (standard error)");
    app.add_option("--trace", options.trace,
                   "Write what each thread does with an image: .json for ui.perfetto.dev, or .svg")
        ->type_name("FILE")
        ->check([](const std::string& path) {
            return path.ends_with(".json") || path.ends_with(".svg")
                       ? std::string()
                       : "expected a name that ends in .json or .svg, found " + path;
        });
    CLI::Option* const explain =
        app.add_option("--explain", options.explain,
                       "Draw where it sees the likeliest class, the second as *.runner_up.png; .json: as numbers")
            ->check(CLI::Validator(refuse_other_than_maps, ""))
            ->type_name("FILE");
    app.add_option("--place", options.place,
                   "The layer or scope of --summary that --explain looks at; else the last with a map")
        ->needs(explain)
        ->type_name("NAME");
    app.add_option("--method", options.method,
                   "How --explain makes a map: grad-cam, grad-cam++, hires-cam, layer-cam, score-cam,\n"
                   "integrated-gradients, guided-backpropagation")
        ->transform(CLI::CheckedTransformer(explanation_methods(), CLI::ignore_case).description(""))
        ->needs(explain)
        ->type_name("METHOD");
    app.add_flag("--evidence", options.evidence,
                 "Say how likely the class is while what --explain marks is taken out, and put in")
        ->needs(explain);
    CLI::Option* const save =
        app.add_option("--save", options.save, "Write the weights as a safetensors file with its library's names, too")
            ->type_name("FILE");
    app.add_option("--calibrate", options.calibrate,
                   "Measure what 8-bit integers need on some hundred images in a folder; write it by --save")
        ->type_name("FOLDER")
        ->needs(save)
        ->excludes(images)
        ->excludes("--json")
        ->excludes(explain);
    CLI::Option* const onnx = app.add_option("--onnx", options.onnx,
                                             "Write the network with its weights as an ONNX file, too; with\n"
                                             "--calibrate or --precision int8 in 8-bit integers")
                                  ->type_name("FILE");
    app.add_option("--onnx-batch", options.onnx_batch, "Batch size of the ONNX file; 0: any")
        ->check(CLI::Range(0, 1'000'000))
        ->needs(onnx)
        ->capture_default_str();
    add_decoding_options(app, options.decoding);
    add_preprocessing_options(app, options.preprocessing);
}

/// An image as it was decoded and as the network reads it.
struct SeenImage {
    tenon::Image image;
    std::vector<float> input;
};

/// Answers for images, 16 at a time, in their order; returns the seconds that the network took. Of several processes,
/// each classifies 16 in turn, and rank 0 answers. `last_seen`, unless null, is given the last image that could be
/// read.
double classify(Classifier& classifier, const std::vector<ImageFile>& files, const tenon::DecodeOptions& decoding,
                const tenon::Preprocessing& preprocessing, tenon::distributed::World world, Answers& answers,
                SeenImage* last_seen) {
    const auto classes = static_cast<std::size_t>(classifier.classes());
    const auto rank = static_cast<std::size_t>(world.rank()), ranks = static_cast<std::size_t>(world.size());
    std::chrono::duration<double> seconds{};
    constexpr std::size_t batch_size = 16;
    std::vector<float> images, results(batch_size * classes), all_results(ranks * batch_size * classes);
    std::vector<std::string> problems(batch_size);
    for (std::size_t first = 0; first < files.size(); first += ranks * batch_size) {
        const auto batch_of = [&](std::size_t number) {
            const std::size_t begin = std::min(first + number * batch_size, files.size());
            return std::span(files).subspan(begin, std::min(batch_size, files.size() - begin));
        };
        images.clear();
        problems.assign(batch_size, {});
        for (std::size_t i = 0; i < batch_of(rank).size(); ++i) {
            try {
                const tenon::Image decoded = read_image_file(batch_of(rank)[i], decoding, "classify");
                const std::vector<float> image = preprocess(decoded, preprocessing);
                images.insert(images.end(), image.begin(), image.end());
                if (last_seen) *last_seen = {decoded, image};
            } catch (const tenon::Error& error) {
                // The other images still get their answers.
                problems[i] = error.what();
            }
        }
        if (!images.empty()) {
            const auto start = std::chrono::steady_clock::now();
            std::ranges::copy(classifier.logits(images), results.begin());
            seconds += std::chrono::steady_clock::now() - start;
        }
        world.all_gather(std::span<const float>(results), std::span<float>(all_results));
        std::vector<std::vector<std::string>> all_problems;
        for (std::size_t i = 0; i < batch_size; ++i)
            all_problems.push_back(tenon::programs::gather_texts(world, problems[i]));
        for (std::size_t number = 0; number < ranks; ++number) {
            auto logits = std::span<const float>(all_results).subspan(number * batch_size * classes);
            for (std::size_t i = 0; i < batch_of(number).size(); ++i) {
                const std::string &path = batch_of(number)[i].path, &problem = all_problems[i][number];
                if (!problem.empty()) {
                    answers.fail(path, problem);
                    continue;
                }
                answers.add(path, logits.first(classes));
                logits = logits.subspan(classes);
            }
        }
    }
    return seconds.count();
}

/// Calibrates a network on the images of a folder, and writes the weights with what was measured.
int calibrate(const Options& options, const std::string& model, const Weights& weights) {
    if (options.world.size() > 1) throw tenon::Error("--calibrate runs in one process");
    if (weights.path.empty()) throw tenon::Error("--calibrate needs the network's --weights FILE");
    const PackedNetworkEntry& entry = packed_network(model, "int8");
    const ImageFiles images = find_images({options.calibrate});
    std::vector<std::string> notes;
    const std::unique_ptr<Calibration> calibration = entry.calibrate(
        model, weights.path, {.key = options.key, .allow_undefined = options.allow_undefined, .notes = &notes},
        options.threads);
    for (const std::string& note : notes)
        std::fprintf(stderr, "classify: %s: %s\n", weights.path.c_str(), note.c_str());
    const std::vector<std::string> names = stated_names(options, weights, calibration->classes());
    const PreprocessingOptions chosen =
        preprocessing::with_those_of_file(options.preprocessing, weights.info.more, weights.path);
    const tenon::Preprocessing preprocessing = chosen_preprocessing(calibration->preprocessing(), chosen);
    const tenon::DecodeOptions decoding = decoding_for(preprocessing, options.decoding);
    for (const SkippedFiles& folder : images.skipped) std::fprintf(stderr, "classify: %s\n", to_string(folder).c_str());
    std::size_t broken = 0, done = 0;
    ProgressLine progress("classify: calibrating", images.files.size());
    for (const ImageFile& file : images.files) {
        try {
            calibration->add(preprocess(read_image_file(file, decoding, "classify"), preprocessing));
        } catch (const tenon::Error& error) {
            ++broken;
            progress.clear();
            std::fprintf(stderr, "classify: %s\n", error.what());
        }
        progress.show(++done);
    }
    progress.clear();
    tenon::WeightsInfo info{.network = model, .classes = names, .more = weights.info.more};
    preprocessing::write(chosen, info.more);
    calibration->save(options.save, info);
    if (!options.onnx.empty()) calibration->write_onnx(options.onnx, options.onnx_batch, info);
    std::fprintf(stderr, "classify: %s, calibrated on %ld of %zu images; written to %s\n", model.c_str(),
                 calibration->images(), images.files.size(), options.save.c_str());
    return broken > 0 ? user_error : 0;
}

/// Throws tenon::Error, before anything is done, when --explain can't do what it is told.
void check_explain(const Classifier& classifier, const std::string& model, const Options& options) {
    if (options.world.size() > 1) throw tenon::Error("--explain runs in one process");
    if (options.precision != "float32")
        throw tenon::Error("--explain follows the gradients of floats, so it goes without --precision " +
                           options.precision);
    if (const std::size_t count = find_images(options.images).files.size(); count != 1)
        throw tenon::Error("--explain explains one image, found " + std::to_string(count));
    if (!options.place.empty() && is_of_pixels(options.method))
        throw tenon::Error("--method " + std::string(tenon::explanations::method_name(options.method)) +
                           " explains by the image's pixels, so it goes without --place");
    const std::vector<std::string> places = classifier.places();
    if (options.place.empty() || std::ranges::find(places, options.place) != places.end()) return;
    std::string all;
    for (const std::string& place : places) all += (all.empty() ? "" : ", ") + place;
    throw tenon::Error("the network " + model + " has no place '" + options.place + "'; its places are " + all);
}

/// Maps and what the network read, as JSON: for other programs, and to compare with them (scripts/check_explanations).
std::string json_of(const std::vector<tenon::explanations::ClassMap>& maps, const std::vector<std::string>& names,
                    const std::vector<float>& input) {
    json_document::Json document = json_document::begin("classify");
    document["input"] = input;
    for (const tenon::explanations::ClassMap& map : maps) {
        json_document::Json entry{
            {"place", map.place}, {"method", method_name(map.method)}, {"class", map.label}, {"logit", map.logit}};
        json_document::add_name(entry, "name", names[static_cast<std::size_t>(map.label)]);
        entry.update({{"height", map.height}, {"width", map.width}, {"values", map.values}});
        document["maps"].push_back(entry);
    }
    return document.dump() + "\n";
}

/// Writes pictures of the two most likely classes of an image, or both maps, and says what they show.
void explain(Classifier& classifier, const Options& options, const std::vector<std::string>& names,
             const tenon::Preprocessing& preprocessing, const SeenImage& seen) {
    const bool is_picture = options.explain.ends_with(".png");
    const tenon::Image photo = cut_for_network(seen.image, preprocessing);
    const auto maps = classifier.explain(seen.input, 2, {.place = options.place, .method = options.method});
    if (!is_picture) tenon::programs::write_file_atomically(options.explain, json_of(maps, names, seen.input));
    for (std::size_t i = 0; i < maps.size(); ++i) {
        std::string file = options.explain;
        if (i > 0 && is_picture) file.insert(file.size() - 4, ".runner_up");
        if (is_picture) tenon::programs::write_png(file, overlay(photo, maps[i]));
        std::fprintf(stderr, "classify: %s: %s, %s\n", file.c_str(),
                     names[static_cast<std::size_t>(maps[i].label)].c_str(), to_string(maps[i]).c_str());
        if (!options.evidence) continue;
        const tenon::explanations::Evidence found = classifier.evidence(seen.input, maps[i]);
        std::fprintf(
            stderr,
            "classify: %s: on average %.1f %% likely while the marked pixels are taken out (deletion), %.1f %% "
            "while they are put in (insertion)\n",
            file.c_str(), 100 * found.deletion_area(), 100 * found.insertion_area());
    }
}

/// The network's blocks and layers as JSON.
void print_summary(const Classifier& classifier, const std::string& model) {
    json_document::Json document = json_document::begin("classify");
    document["model"] = model;
    const std::vector<tenon::reports::LayerRow> rows = classifier.layers();
    document.update(json_document::Json::parse(tenon::reports::to_json(std::span(rows))));
    json_document::print(document);
}

int run(const Options& options) {
    const bool on_device = options.backend == "cuda";
    Weights weights = find_weights(options.weights);
    const std::string model = choose_network(options, weights, "classify");
    if (weights.path.empty()) weights = find_weights(options, model);
    if (!options.calibrate.empty()) return calibrate(options, model, weights);
    const std::unique_ptr<Classifier> classifier = make_chosen_classifier(model, options);
    const bool has_defaults = model == default_network, writes = !options.save.empty() || !options.onnx.empty();
    const bool inspects = options.profile || !options.trace.empty();
    if (!options.explain.empty()) check_explain(*classifier, model, options);
    const bool is_first = options.world.rank() == 0;
    // As weights were trained, if they say so, and first of all as the command line says.
    const PreprocessingOptions chosen =
        preprocessing::with_those_of_file(options.preprocessing, weights.info.more, weights.path);
    const tenon::Preprocessing preprocessing = chosen_preprocessing(classifier->preprocessing(), chosen);
    const tenon::DecodeOptions decoding = decoding_for(preprocessing, options.decoding);
    // Without images to answer for, a summary is all that is printed.
    const bool only_summary = options.images.empty() && !has_defaults && !inspects && !writes;
    if (options.summary && options.json && only_summary) {
        if (is_first) print_summary(*classifier, model);
        return 0;
    }
    if (options.summary && is_first)
        std::fprintf(stderr, "%simages: %s\n", classifier->summary().c_str(), to_string(preprocessing).c_str());
    if (options.images.empty() && !has_defaults) {
        // A network can be inspected without images.
        if (options.summary && !inspects && !writes) return 0;
        if (!inspects && !writes) throw tenon::Error("expected image files to classify with " + model + ", found none");
    }
    std::vector<std::string> names = take_weights(*classifier, model, options, weights, "classify");
    tenon::WeightsInfo info{.network = model, .classes = names, .more = weights.info.more};
    preprocessing::write(chosen, info.more);
    if (!options.save.empty() && is_first) classifier->save(options.save, info);
    if (!options.onnx.empty() && is_first) classifier->write_onnx(options.onnx, options.onnx_batch, info);
    if (writes && options.images.empty() && !inspects) return 0;
    if (names.empty()) names = default_names(*classifier, model);
    std::vector<std::string> arguments = options.images;
    if (arguments.empty() && has_defaults) arguments = {std::filesystem::proximate(data_folder() / "images").string()};
    const ImageFiles images = find_images(arguments);

    Answers answers{{.program = "classify",
                     .model = model,
                     .names = names,
                     .top = options.top,
                     .json = options.json,
                     .silent = !is_first}};
    answers.skip(images.skipped);
    SeenImage seen;
    const double seconds = classify(*classifier, images.files, decoding, preprocessing, options.world, answers,
                                    options.explain.empty() ? nullptr : &seen);
    answers.finish();
    // A picture of results that aren't numbers would show nothing.
    if (!seen.input.empty() && answers.answered() > 0) explain(*classifier, options, names, preprocessing, seen);
    if (options.profile && is_first)
        std::fputs(classifier->profile(std::vector<float>(classifier->preprocessing().elements())).c_str(), stderr);
    if (!options.trace.empty() && is_first) {
        classifier->trace(std::vector<float>(classifier->preprocessing().elements()), options.trace);
        std::fprintf(stderr, "classify: what each thread did with one image is in %s\n", options.trace.c_str());
    }
    const std::string where = on_device                    ? "on the device"
                              : classifier->threads() == 1 ? "1 thread"
                                                           : std::to_string(classifier->threads()) + " threads";
    const std::string processes =
        options.world.size() == 1 ? "" : ", one of " + std::to_string(options.world.size()) + " processes";
    if (is_first)
        std::fprintf(stderr, "classify: %s, %zu of %zu images, %.1f ms in the network, %s%s\n", model.c_str(),
                     answers.answered(), images.files.size(), 1000 * seconds, where.c_str(), processes.c_str());
    return answers.failed() > 0 ? user_error : 0;
}

}  // namespace

int main(int argc, char** argv) { return run_program<Options>("classify", argc, argv, add_options, run); }
