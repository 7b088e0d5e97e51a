// Rounding errors of the CPU's algorithms compared with sums in double: of each kind of convolution in ResNet50V2, and
// of complete networks. An error is the largest deviation, as a share of the largest result. Fails when one is above
// 1e-4.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include <tenon/tenon.hpp>

namespace {

using namespace tenon;

constexpr double bound = 1e-4;

template <int Inputs, int Outputs, int Size, int Taps>
struct Layer : Network<Input<Inputs, Size, Size>, Conv<Outputs, Kernel<Taps>, Padding<Taps / 2>>> {};

/// The algorithm of a network's first convolution step.
template <class Net>
const char* algorithm() {
    for (const cpu::Step& step : cpu::CompiledNetwork<Net>::plan.steps) {
        if (step.kind != OpKind::conv) continue;
        if (step.winograd.plain_filters) return "F(4x4), plain filters";
        if (step.winograd.m > 0) return step.winograd.m == 4 ? "F(4x4)" : "F(2x2)";
        return step.pair_floats > 0 ? "Strassen" : "sums";
    }
    return "";
}

template <class Net, class Backend>
std::vector<double> results_of(const Parameters<Net>& parameters, const std::vector<double>& image) {
    Model<Net, Backend> model;
    model.set_parameters(parameters);
    using Scalar = typename Model<Net, Backend>::Scalar;
    const auto results = model(std::vector<Scalar>(image.begin(), image.end()));
    return {results.begin(), results.end()};
}

double error_of(const std::vector<double>& found, const std::vector<double>& expected) {
    double largest = 0, error = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        largest = std::max(largest, std::abs(expected[i]));
        const double difference = std::abs(found[i] - expected[i]);
        if (!(difference < std::numeric_limits<double>::infinity())) return difference;
        error = std::max(error, difference);
    }
    return error / largest;
}

/// Prints a row of the table; returns whether both errors are within the bound.
template <class Net>
bool compare(const std::string& name, const char* algorithm) {
    Parameters<Net> parameters;
    parameters.seed(1);
    std::vector<double> image(static_cast<std::size_t>(input_shape<Net>.elements()));
    for (std::size_t i = 0; i < image.size(); ++i)
        image[i] = static_cast<float>(detail::uniform(detail::random_bits(1, detail::hash_name("input"), i), -1, 1));
    const std::vector<double> expected = results_of<Net, Reference<double>>(parameters, image);
    const double exact = error_of(results_of<Net, ExactCpu>(parameters, image), expected);
    const double fast = error_of(results_of<Net, Cpu>(parameters, image), expected);
    std::printf("| %s | %.1e | %s | %.1e |\n", name.c_str(), exact, algorithm, fast);
    std::fflush(stdout);
    return exact <= bound && fast <= bound;
}

template <int Inputs, int Outputs, int Size, int Taps>
bool compare_layer() {
    using Net = Layer<Inputs, Outputs, Size, Taps>;
    const std::string taps = std::to_string(Taps), size = std::to_string(Size);
    return compare<Net>(taps + "x" + taps + ", " + std::to_string(Inputs) + " to " + std::to_string(Outputs) + " at " +
                            size + "x" + size,
                        algorithm<Net>());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1) {
        std::fprintf(stderr, "errors: unknown argument %s; it takes none\n", argv[1]);
        return 2;
    }
    std::printf("| convolution or network | plain sums | algorithm | its error |\n| --- | ---: | --- | ---: |\n");
    bool all = true;
    const auto check = [&](bool is_right) { all = all && is_right; };
    check(compare_layer<64, 64, 56, 3>());
    check(compare_layer<128, 128, 28, 3>());
    check(compare_layer<256, 256, 14, 3>());
    check(compare_layer<512, 512, 7, 3>());
    check(compare_layer<64, 256, 56, 1>());
    check(compare_layer<256, 128, 28, 1>());
    check(compare_layer<128, 512, 28, 1>());
    check(compare_layer<512, 128, 28, 1>());
    check(compare_layer<256, 1024, 14, 1>());
    check(compare_layer<1024, 256, 14, 1>());
    check(compare_layer<512, 2048, 7, 1>());
    check(compare_layer<2048, 512, 7, 1>());
    check(compare<ResNet50V2<>>("the listing's ResNet50V2", "by layer"));
    check(compare<ResNet18<>>("ResNet-18", "by layer"));
    check(compare<CifarResNet20V2<>>("CIFAR ResNet-20 v2", "by layer"));
    if (!all) std::fprintf(stderr, "errors: an error is beyond %.0e\n", bound);
    return all ? 0 : 1;
}
