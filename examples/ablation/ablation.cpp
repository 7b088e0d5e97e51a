// ablation: trains the residual blocks that He et al. 2016 (arXiv 1603.05027) compare, six shortcuts and five
// placements of the activation, under one budget on CIFAR-10, and prints the paper's tables next to its own results.
//
//     ablation --data FOLDER                                     all of them, ten epochs each
//     ablation --data FOLDER --minutes 20 --variant original full_preactivation
//     ablation --data FOLDER --tables                            the tables of finished runs, without training
//
// Results are saved in results.json in the output folder. Run again with the same command, the program resumes where it
// was stopped, within a run from its last checkpoint.
//
// Exit status: 0 for success, 2 when something that the user gave is wrong, 130 when Ctrl-C or kill stopped it.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <tenon/data.hpp>
#include <tenon/training.hpp>

#include "../common/json_document.hpp"
#include "../common/run_folder.hpp"
#include "../common/run_program.hpp"
#include "results.hpp"
#include "variants.hpp"

namespace {

struct Options {
    Budget budget;
    std::string data;
    std::string output = "ablation";
    std::vector<std::string> chosen;
    std::vector<std::uint64_t> seeds{1};
    std::size_t held_out = 5000;
    int threads = 0;
    double checkpoint_minutes = 5;
    std::string command;
    bool tables = false;
    bool json = false;
};

std::vector<std::string> variant_names() {
    std::vector<std::string> names;
    for (const Variant& variant : variants()) names.emplace_back(variant.name);
    return names;
}

void add_options(CLI::App& app, Options& options) {
    Budget& budget = options.budget;
    app.add_option("--data", options.data, "The folder of CIFAR-10's binary files")->required()->type_name("FOLDER");
    app.add_option("-o,--output", options.output, "The folder for results and checkpoints")->capture_default_str();
    app.add_option("--variant", options.chosen, "Variants to train; all without it")
        ->check(CLI::IsMember(variant_names()));
    app.add_option("-e,--epochs", budget.epochs, "Epochs of each run")
        ->check(CLI::Range(1, 100000))
        ->capture_default_str();
    app.add_option("--minutes", budget.minutes,
                   "Wall-clock time of each run, which may then end before the last epoch and can't be repeated bit "
                   "by bit; 0: no limit")
        ->check(CLI::Range(0.0, 100000.0))
        ->capture_default_str();
    app.add_option("--steps", budget.steps, "Stop each run after this many steps, to try things out; 0: don't")
        ->check(CLI::Range(0L, 1000000000L));
    app.add_option("--seeds", options.seeds, "Seeds of everything random; each variant is trained with each of them")
        ->capture_default_str();
    app.add_option("-b,--batch", budget.batch_size, "Images per step")
        ->check(CLI::Range(2, 65536))
        ->capture_default_str();
    app.add_option("-r,--rate", budget.rate, "The highest learning rate")
        ->check(CLI::Range(0.0, 100.0))
        ->capture_default_str();
    app.add_option("--decay", budget.decay, "Weight decay, of all parameters as in the paper")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_option("--gate-bias", budget.gate_bias, "Initial bias of gates; the paper's best is -6")
        ->check(CLI::Range(-100.0, 100.0))
        ->capture_default_str();
    app.add_option("--hold-out", options.held_out,
                   "Training images to measure errors on where there is no test_batch.bin; at most half of them")
        ->capture_default_str();
    app.add_option("-t,--threads", options.threads, "Threads; 0: one per core")->check(CLI::Range(0, 1024));
    app.add_option("--checkpoint-minutes", options.checkpoint_minutes, "Time between checkpoints within an epoch")
        ->check(CLI::Range(0.0, 100000.0))
        ->capture_default_str();
    app.add_flag("--tables", options.tables, "Print the tables of finished runs, and train nothing");
    app.add_flag("--json", options.json, "Print the results as JSON instead of the tables");
}

/// Test images if there are any, else held-out training images, which are not used for training.
Images read_images(const Options& options) {
    Images images;
    images.training = tenon::read_cifar10(tenon::Subset::training, options.data);
    if (std::filesystem::exists(std::filesystem::path(options.data) / "test_batch.bin")) {
        images.test = tenon::read_cifar10(tenon::Subset::test, options.data);
        images.test_name = "test images";
        return images;
    }
    tenon::DatasetSplit parts = tenon::split(images.training, std::min(options.held_out, images.training.size() / 2));
    return {std::move(parts.training), std::move(parts.validation), "held-out training images"};
}

nlohmann::ordered_json setting_of(const Options& options, const Images& images) {
    const Budget& budget = options.budget;
    return {{"network", "ResNet-" + std::to_string(network_layers)},
            {"training_images", images.training.size()},
            {"measured_images", images.test.size()},
            {"measured_on", images.test_name},
            {"epochs", budget.epochs},
            {"minutes", budget.minutes},
            {"steps", budget.steps},
            {"batch", budget.batch_size},
            {"rate", budget.rate},
            {"decay", budget.decay},
            {"gate_bias", budget.gate_bias}};
}

std::string number(const char* pattern, double value) {
    char text[64];
    std::snprintf(text, sizeof text, pattern, value);
    return text;
}

/// An error in percent; `fail` for runs whose loss became NaN or infinite.
std::string percent(double error) { return std::isinf(error) ? "fail" : number("%.2f", error); }

/// The median error of a variant's runs, with their range if there are several.
std::string error_text(const std::vector<double>& errors) {
    if (errors.empty()) return "-";
    const std::size_t half = errors.size() / 2;
    const double median = errors.size() % 2 == 1 ? errors[half] : (errors[half - 1] + errors[half]) / 2;
    if (errors.size() == 1) return percent(median);
    return percent(median) + " (" + percent(errors.front()) + " to " + percent(errors.back()) + ", " +
           std::to_string(errors.size()) + " runs)";
}

void print_table(const char* title, const char* what, std::string_view Variant::*figure, bool has_164,
                 const Results& results) {
    std::printf("\n%s\n\n", title);
    const std::string here = "ResNet-" + std::to_string(network_layers) + " here";
    const auto print = [has_164](std::string_view first, std::string_view second, const std::string& third,
                                 std::string_view fourth, std::string_view fifth) {
        std::string row = "  ";
        const auto add = [&](std::string_view text, std::size_t width) {
            row += text;
            row.append(width - std::min(width - 1, text.size()), ' ');
        };
        add(first, 5);
        add(second, 26);
        add(third, 32);
        add(fourth, 18);
        if (has_164) row += fifth;
        std::printf("%s\n", row.erase(row.find_last_not_of(' ') + 1).c_str());
    };
    print("fig.", what, here, "ResNet-110, paper", "ResNet-164, paper");
    for (const Variant& variant : variants())
        if (!(variant.*figure).empty())
            print(variant.*figure, variant.title, error_text(results.errors(variant.name)), variant.paper_110,
                  variant.paper_164);
}

void print_tables(const Options& options, const Images& images, const Results& results) {
    print_table("Shortcuts (He et al. 2016, figure 2 and table 1), error in percent", "shortcut", &Variant::shortcut,
                false, results);
    print_table("Placements of the activation (figure 4 and table 2), error in percent", "placement",
                &Variant::placement, true, results);
    const Budget& budget = options.budget;
    std::string limits = std::to_string(budget.epochs) + " epochs";
    if (budget.minutes > 0) limits += ", at most " + number("%g", budget.minutes) + " minutes";
    if (budget.steps > 0) limits += ", at most " + std::to_string(budget.steps) + " steps";
    const std::vector<double> originals = results.errors(variants()[0].name);
    const bool several = std::ranges::any_of(
        variants(), [&](const Variant& variant) { return results.errors(variant.name).size() > 1; });
    std::printf(
        "\nNot the same experiment. Here: ResNet-%d, %s of %zu training images,\nerrors of %zu %s%s.\n"
        "The paper: networks of 110 and 164 layers, 64,000 steps, 10,000 test images,\nmedian of 5 runs, \"fail\" "
        "above "
        "20 %%.\nGates begin with a bias of %g here, of -6 in the paper's runs above.\n",
        network_layers, limits.c_str(), images.training.size(), images.test.size(), images.test_name.c_str(),
        several ? ", median of the runs" : "", budget.gate_bias);
    if (!originals.empty() && std::isfinite(originals[originals.size() / 2])) {
        const double share = originals[originals.size() / 2] / 100;
        std::printf("The number of images alone makes an error of %.2f %% uncertain by %.2f (a standard deviation).\n",
                    100 * share, 100 * std::sqrt(share * (1 - share) / static_cast<double>(images.test.size())));
    }
}

int run(const Options& options) {
    const Images images = read_images(options);
    training::create_folder(options.output);
    Results results(training::file_in(options.output, "results.json"), setting_of(options, images));
    for (const std::uint64_t seed : options.seeds)
        for (const Variant& variant : variants()) {
            const auto& chosen = options.chosen;
            if (options.tables || (!chosen.empty() && std::ranges::find(chosen, variant.name) == chosen.end()))
                continue;
            const std::string name(variant.name);
            FILE* const log = options.json ? stderr : stdout;
            if (results.find(name, seed) != nullptr) {
                std::fprintf(log, "%s, seed %lu: done before\n", name.c_str(), static_cast<unsigned long>(seed));
                continue;
            }
            std::fprintf(log, "%s, seed %lu\n", name.c_str(), static_cast<unsigned long>(seed));
            const std::string checkpoint =
                training::file_in(options.output, name + "_" + std::to_string(seed) + ".checkpoint");
            const auto result = variant.run(images, {.budget = options.budget,
                                                     .seed = seed,
                                                     .threads = options.threads,
                                                     .checkpoint = checkpoint,
                                                     .checkpoint_minutes = options.checkpoint_minutes,
                                                     .quiet = options.json,
                                                     .command = options.command});
            if (!result) return tenon::StopOnInterrupt::exit_status;
            results.add(name, seed, *result);
            std::filesystem::remove(checkpoint);
            std::filesystem::remove(tenon::programs::previous_checkpoint(checkpoint));
        }
    if (options.json) {
        json_document::Json document = json_document::begin("ablation");
        document.update(results.document());
        json_document::print(document);
    } else {
        print_tables(options, images, results);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program<Options>(
        "ablation", argc, argv,
        [](CLI::App& app, Options& options) {
            app.description("Trains the residual blocks that He et al. 2016 compare, and prints the paper's tables.");
            add_options(app, options);
        },
        [&](Options& options) {
            options.command = training::command_line(argc, argv);
            return run(options);
        });
}
