#include "networks.hpp"

#include <functional>

#include <tenon/image/network_preprocessing.hpp>
#include <tenon/models/cifar.hpp>
#include <tenon/models/cifar10_resnet.hpp>
#include <tenon/models/cifar_keras.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/keras.hpp>
#include <tenon/models/mxnet.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/models/timm.hpp>
#include <tenon/models/wide_resnet.hpp>
#include <tenon/report/onnx.hpp>
#include <tenon/report/profile.hpp>
#include <tenon/report/summary.hpp>
#include <tenon/runtime/model.hpp>

namespace {
using namespace tenon;

template <class Net>
class NetworkClassifier final : public Classifier {
public:
    NetworkClassifier(std::string_view name, int threads) : name_(name), model_({.threads = threads}) {}

    int classes() const override { return output_shape<Net>.channels; }
    int threads() const override { return model_.threads(); }
    const Preprocessing& preprocessing() const override { return preprocessing_of<Net>; }
    void load(const std::filesystem::path& weights) override {
        model_.load(weights);
        parameters_ = [weights] { return Parameters<Net>(weights.string()); };
    }
    void initialize(std::uint64_t seed) override {
        model_.initialize(seed);
        parameters_ = [seed] {
            Parameters<Net> parameters;
            parameters.seed(seed);
            return parameters;
        };
    }
    std::span<const float> logits(std::span<const float> images) override { return model_(images); }
    std::string summary() const override { return tenon::summary<Net>(); }
    std::string profile(std::span<const float> images) override {
        const std::vector<StepProfile> steps = tenon::profile(model_, images);
        return tenon::to_string(std::span(steps));
    }
    void write_onnx(const std::string& path, long batch) const override {
        tenon::write_onnx(path, parameters_(), {.batch = batch, .graph_name = name_});
    }

private:
    std::string name_;
    Model<Net> model_;
    std::function<Parameters<Net>()> parameters_;  // read again when needed: the model keeps them packed
};

template <class Net>
std::unique_ptr<Classifier> make(std::string_view name, int threads) {
    return std::make_unique<NetworkClassifier<Net>>(name, threads);
}

/// The name of a network on the command line, and how it is made. Networks of one kind share their kernels, so that a
/// deeper one costs little.
struct Entry {
    std::string_view name;
    std::unique_ptr<Classifier> (*make)(std::string_view, int);
};

constexpr Entry entries[] = {
    {"fashion_mnist", &make<FashionMnistResNet>},
    {"cifar10", &make<Cifar10ResNet>},
    {"resnet50v2", &make<ResNet50V2<Classes<1000>>>},
    {"resnet101v2", &make<ResNet101V2<Classes<1000>>>},
    {"resnet152v2", &make<ResNet152V2<Classes<1000>>>},
    {"resnet18", &make<ResNet18<>>},
    {"resnet34", &make<ResNet34<>>},
    {"resnet50", &make<ResNet50<>>},
    {"resnet101", &make<ResNet101<>>},
    {"resnet152", &make<ResNet152<>>},
    {"wide_resnet50_2", &make<WideResNet50_2<>>},
    {"resnext50_32x4d", &make<ResNeXt50_32x4d<>>},
    {"keras_resnet50", &make<KerasResNet50<>>},
    {"keras_resnet50v2", &make<KerasResNet50V2<>>},
    {"timm_resnetv2_50", &make<TimmResNetV2_50<>>},
    {"mxnet_resnet50v2", &make<MxnetResNet50V2<>>},
    {"cifar_resnet20", &make<CifarResNet20<>>},
    {"cifar_resnet110", &make<CifarResNet110<>>},
    {"keras_cifar_resnet20v2", &make<KerasCifarResNet20V2<>>},
    {"mlperf_tiny_resnet8", &make<MlperfTinyResNet8<>>},
    {"wide_resnet28_10", &make<WideResNet28_10<>>},
};

}  // namespace

std::vector<std::string> network_names() {
    std::vector<std::string> names;
    for (const Entry& entry : entries) names.emplace_back(entry.name);
    return names;
}

std::unique_ptr<Classifier> make_classifier(std::string_view name, int threads) {
    for (const Entry& entry : entries)
        if (entry.name == name) return entry.make(name, threads);
    throw Error("there is no network " + std::string(name));
}
