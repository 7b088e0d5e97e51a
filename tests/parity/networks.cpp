// The networks that classify offers, run with seeded weights or with weights that other libraries saved.
// scripts/check_interop is its other half.
//
//     tenon_interop list                                   the names of the networks and the sizes of their inputs
//     tenon_interop golden FILE                            compares every network with the logits that its library
//                                                          computed from the same seeded weights and input
//     tenon_interop run NAME WEIGHTS INPUT OUTPUT SAVED    loads WEIGHTS, runs it on `input` of INPUT, writes `logits`
//                                                          into OUTPUT, and saves the weights under the library's
//                                                          names as SAVED
#include "networks.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/random.hpp>
#include <tenon/io/safetensors_writer.hpp>
#include <tenon/io/tensor_file.hpp>

namespace {
using namespace tenon;

constexpr double tolerance = 1e-5;  // of the largest logit
constexpr int threads = 2;

/// The networks that other libraries have: all but those of the examples.
std::vector<std::string> compared_networks() {
    std::vector<std::string> names = network_names();
    std::erase_if(names, [](const std::string& name) { return name == "fashion_mnist" || name == "cifar10"; });
    return names;
}

void run(const std::string& name, const std::string& weights, const std::string& input, const std::string& output,
         const std::string& saved) {
    const std::unique_ptr<Classifier> network = make_classifier(name, threads);
    network->load(weights);
    const std::span<const float> logits = network->logits(SafetensorsFile{input}.values<float>("input"));
    const std::int64_t classes = network->classes();
    write_safetensors(output, std::vector{make_tensor_entry<float>(
                                  "logits", {static_cast<std::int64_t>(logits.size()) / classes, classes}, logits)});
    network->save(saved);
}

/// The largest difference from the expected logits, as a share of the largest; infinite for another number of them.
double golden_error(const std::string& name, std::span<const float> expected) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const std::unique_ptr<Classifier> network = make_classifier(name, threads);
    network->initialize(1);
    std::vector<float> input(network->preprocessing().elements());
    for (std::size_t i = 0; i < input.size(); ++i)
        input[i] = static_cast<float>(detail::uniform(detail::random_bits(1, detail::hash_name("input"), i), -1, 1));
    const std::span<const float> logits = network->logits(input);
    if (logits.size() != expected.size()) return infinity;
    double largest = 0, error = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (!std::isfinite(logits[i])) return infinity;
        largest = std::max(largest, std::abs(double{expected[i]}));
        error = std::max(error, std::abs(double{logits[i]} - double{expected[i]}));
    }
    return error / largest;
}

int check_goldens(const std::string& path) {
    const SafetensorsFile file{path};
    const std::vector<std::string> names = compared_networks();
    std::size_t right = 0;
    for (const std::string& name : names) {
        const double error = golden_error(name, file.values<float>(name));
        std::printf("%-24s error %.2e of the largest logit\n", name.c_str(), error);
        if (error <= tolerance) ++right;
    }
    std::printf("%zu of %zu networks are right\n", right, names.size());
    if (file.tensors().size() != names.size()) std::printf("the file has %zu networks\n", file.tensors().size());
    return right == names.size() && file.tensors().size() == names.size() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.size() == 1 && arguments[0] == "list") {
        for (const std::string& name : compared_networks()) {
            const Preprocessing& images = make_classifier(name, 1)->preprocessing();
            std::printf("%s %d %d %d\n", name.c_str(), images.channels, images.crop_height, images.crop_width);
        }
        return 0;
    }
    if (arguments.size() == 2 && arguments[0] == "golden") return check_goldens(arguments[1]);
    if (arguments.size() == 6 && arguments[0] == "run") {
        run(arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
        return 0;
    }
    std::fprintf(stderr, "usage: tenon_interop list | golden FILE | run NAME WEIGHTS INPUT OUTPUT SAVED\n");
    return 2;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
