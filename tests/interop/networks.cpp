// The networks of torchvision, timm and Keras, run with seeded weights or with weights that the libraries saved.
// scripts/check_interop is its other half.
//
//     tenon_interop list                                   the names of the networks, one a line
//     tenon_interop golden FILE                            compares every network with the logits that its library
//     computed from
//                                                          the same seeded weights and input
//     tenon_interop run NAME WEIGHTS INPUT OUTPUT SAVED    loads WEIGHTS, runs it on `input` of INPUT, writes `logits`
//     into OUTPUT,
//                                                          and saves the weights under the library's names as SAVED
#include <cmath>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/io/safetensors_writer.hpp>
#include <tenon/models/keras.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/timm.hpp>
#include <tenon/runtime/model.hpp>

namespace {
using namespace tenon;

constexpr double tolerance = 1e-5;  // of the largest logit

template <class Net>
void run(const std::string& weights, const std::string& input, const std::string& output, const std::string& saved) {
    const Parameters<Net> parameters{weights};
    Model<Net> model{{.threads = 2}};
    model.load(weights);
    const std::span<const float> logits = model(SafetensorsFile{input}.values<float>("input"));
    const auto classes = static_cast<std::int64_t>(output_shape<Net>.channels);
    write_safetensors(output, std::vector{make_tensor_entry<float>(
                                  "logits", {static_cast<std::int64_t>(logits.size()) / classes, classes}, logits)});
    parameters.save(saved);
}

/// The largest difference from the expected logits, as a share of the largest; infinite for another number of them.
template <class Net>
double golden_error(std::span<const float> expected) {
    Parameters<Net> parameters;
    parameters.seed(1);
    Model<Net> model{{.threads = 2}};
    model.set_parameters(parameters);
    std::vector<float> input(static_cast<std::size_t>(input_shape<Net>.elements()));
    for (std::size_t i = 0; i < input.size(); ++i)
        input[i] = static_cast<float>(uniform(random_bits(1, hash_name("input"), i), -1, 1));
    const std::span<const float> logits = model(input);
    if (logits.size() != expected.size()) return HUGE_VAL;
    double largest = 0, error = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (!std::isfinite(logits[i])) return HUGE_VAL;
        largest = std::max(largest, std::abs(double{expected[i]}));
        error = std::max(error, std::abs(double{logits[i]} - double{expected[i]}));
    }
    return error / largest;
}

struct Entry {
    std::string_view name;
    void (*run)(const std::string&, const std::string&, const std::string&, const std::string&);
    double (*golden_error)(std::span<const float>);
};

using In = Input<3, 64, 64>;
template <class Net>
constexpr Entry entry(std::string_view name) {
    return {name, &run<Net>, &golden_error<Net>};
}
constexpr Entry entries[] = {
    entry<ResNet18<1000, In>>("torchvision/resnet18"),
    entry<ResNet34<1000, In>>("torchvision/resnet34"),
    entry<ResNet50<1000, In>>("torchvision/resnet50"),
    entry<ResNet101<1000, In>>("torchvision/resnet101"),
    entry<ResNet152<1000, In>>("torchvision/resnet152"),
    entry<WideResNet50_2<1000, In>>("torchvision/wide_resnet50_2"),
    entry<ResNeXt50_32x4d<1000, In>>("torchvision/resnext50_32x4d"),
    entry<TimmResNetV2_18<1000, In>>("timm/resnetv2_18"),
    entry<TimmResNetV2_34<1000, In>>("timm/resnetv2_34"),
    entry<TimmResNetV2_50<1000, In>>("timm/resnetv2_50"),
    entry<TimmResNetV2_101<1000, In>>("timm/resnetv2_101"),
    entry<KerasResNet50<1000, In>>("keras/ResNet50"),
    entry<KerasResNet101<1000, In>>("keras/ResNet101"),
    entry<KerasResNet152<1000, In>>("keras/ResNet152"),
    entry<KerasResNet50V2<1000, In>>("keras/ResNet50V2"),
    entry<KerasResNet101V2<1000, In>>("keras/ResNet101V2"),
    entry<KerasResNet152V2<1000, In>>("keras/ResNet152V2"),
};

int check_goldens(const std::string& path) {
    const SafetensorsFile file{path};
    std::size_t right = 0;
    for (const Entry& each : entries) {
        const double error = each.golden_error(file.values<float>(std::string(each.name)));
        std::printf("%-28s error %.2e of the largest logit\n", each.name.data(), error);
        if (error <= tolerance) ++right;
    }
    std::printf("%zu of %zu networks are right\n", right, std::size(entries));
    return right == std::size(entries) && file.tensors().size() == std::size(entries) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.size() == 1 && arguments[0] == "list") {
        for (const Entry& each : entries) std::printf("%s\n", each.name.data());
        return 0;
    }
    if (arguments.size() == 2 && arguments[0] == "golden") return check_goldens(arguments[1]);
    if (arguments.size() == 6 && arguments[0] == "run")
        for (const Entry& each : entries)
            if (each.name == arguments[1]) {
                each.run(arguments[2], arguments[3], arguments[4], arguments[5]);
                return 0;
            }
    return 2;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
