#include "networks.hpp"

#include <functional>
#include <type_traits>

#include <tenon/data/fashion_mnist.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/report/onnx.hpp>
#include <tenon/report/profile.hpp>
#include <tenon/report/summary.hpp>
#include <tenon/runtime/model.hpp>

namespace {

template <class Net>
class NetworkClassifier final : public Classifier {
public:
    NetworkClassifier(std::string_view name, const tenon::Preprocessing& preprocessing, int threads)
        : name_(name), preprocessing_(preprocessing), model_({.threads = threads}) {}

    int classes() const override { return tenon::output_shape<Net>.channels; }
    int threads() const override { return model_.threads(); }
    const tenon::Preprocessing& preprocessing() const override { return preprocessing_; }
    void load(const std::filesystem::path& weights) override {
        model_.load(weights);
        parameters_ = [weights] { return tenon::Parameters<Net>(weights.string()); };
    }
    void initialize(std::uint64_t seed) override {
        model_.initialize(seed);
        parameters_ = [seed] {
            tenon::Parameters<Net> parameters;
            parameters.seed(seed);
            return parameters;
        };
    }
    std::span<const float> logits(std::span<const float> images) override { return model_(images); }
    std::string summary() const override { return tenon::summary<Net>(); }
    std::string profile(std::span<const float> images) override {
        const std::vector<tenon::StepProfile> steps = tenon::profile(model_, images);
        return tenon::to_string(std::span(steps));
    }
    void write_onnx(const std::string& path, long batch) const override {
        tenon::write_onnx(path, parameters_(), {.batch = batch, .graph_name = name_});
    }

private:
    std::string name_;
    tenon::Preprocessing preprocessing_;
    tenon::Model<Net> model_;
    std::function<tenon::Parameters<Net>()> parameters_;  // read again when needed: the model keeps them packed
};

}  // namespace

std::unique_ptr<Classifier> make_classifier(std::string_view name, int threads) {
    const auto make = [&]<class Net>(std::type_identity<Net>, const tenon::Preprocessing& preprocessing) {
        return std::make_unique<NetworkClassifier<Net>>(name, preprocessing, threads);
    };
    if (name == "fashion_mnist")
        return make(std::type_identity<tenon::FashionMnistResNet>{}, tenon::fashion_mnist_preprocessing);
    if (name == "resnet18") return make(std::type_identity<tenon::ResNet18<>>{}, tenon::torchvision_imagenet);
    if (name == "resnet50v2")
        return make(std::type_identity<tenon::ResNet50V2<tenon::Classes<1000>>>{}, tenon::torchvision_imagenet);
    throw tenon::Error("expected one of the networks fashion_mnist, resnet18 and resnet50v2, found " +
                       std::string(name));
}
