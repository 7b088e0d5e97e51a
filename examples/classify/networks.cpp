#include "networks.hpp"

#include <tenon/data/fashion_mnist.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/report/profile.hpp>
#include <tenon/report/summary.hpp>
#include <tenon/runtime/model.hpp>

namespace {

template <class Net>
class NetworkClassifier final : public Classifier {
public:
    NetworkClassifier(const tenon::Preprocessing& preprocessing, int threads)
        : preprocessing_(preprocessing), model_({.threads = threads}) {}

    int classes() const override { return tenon::output_shape<Net>.channels; }
    int threads() const override { return model_.threads(); }
    const tenon::Preprocessing& preprocessing() const override { return preprocessing_; }
    void load(const std::filesystem::path& weights) override { model_.load(weights); }
    void initialize(std::uint64_t seed) override { model_.initialize(seed); }
    std::span<const float> logits(std::span<const float> images) override { return model_(images); }
    std::string summary() const override { return tenon::summary<Net>(); }
    std::string profile(std::span<const float> images) override {
        const std::vector<tenon::StepProfile> steps = tenon::profile(model_, images);
        return tenon::to_string(std::span(steps));
    }

private:
    tenon::Preprocessing preprocessing_;
    tenon::Model<Net> model_;
};

template <class Net>
std::unique_ptr<Classifier> make(const tenon::Preprocessing& preprocessing, int threads) {
    return std::make_unique<NetworkClassifier<Net>>(preprocessing, threads);
}

}  // namespace

std::unique_ptr<Classifier> make_classifier(std::string_view name, int threads) {
    if (name == "fashion_mnist") return make<tenon::FashionMnistResNet>(tenon::fashion_mnist_preprocessing, threads);
    if (name == "resnet18") return make<tenon::ResNet18<>>(tenon::torchvision_imagenet, threads);
    if (name == "resnet50v2")
        return make<tenon::ResNet50V2<tenon::Classes<1000>>>(tenon::torchvision_imagenet, threads);
    throw tenon::Error("expected one of the networks fashion_mnist, resnet18 and resnet50v2, found " +
                       std::string(name));
}
