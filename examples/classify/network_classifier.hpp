// A network of the library behind the interface Classifier. What it costs to compile is mostly a network's kernels,
// which networks of one kind share: the tables of networks are split over files by kind.
#pragma once

#include <functional>
#include <type_traits>

#include <tenon/image/network_preprocessing.hpp>
#include <tenon/report/onnx.hpp>
#include <tenon/report/profile.hpp>
#include <tenon/report/summary.hpp>
#include <tenon/runtime/model.hpp>

#include "networks.hpp"

template <class Net, class Backend = tenon::Cpu>
class NetworkClassifier final : public Classifier {
public:
    NetworkClassifier(std::string_view name, int threads) : name_(name), model_({.threads = threads}) {}

    int classes() const override { return tenon::output_shape<Net>.channels; }
    int threads() const override { return model_.threads(); }
    const tenon::Preprocessing& preprocessing() const override { return tenon::preprocessing_of<Net>; }
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
        if constexpr (std::is_same_v<Backend, tenon::Cpu>) {
            const std::vector<tenon::StepProfile> steps = tenon::profile(model_, images);
            return tenon::to_string(std::span(steps));
        } else {
            throw tenon::Error("--profile knows the steps of --backend cpu only");
        }
    }
    void save(const std::string& path) const override { parameters_().save(path); }
    void write_onnx(const std::string& path, long batch) const override {
        tenon::write_onnx(path, parameters_(), {.batch = batch, .graph_name = name_});
    }

private:
    std::string name_;
    tenon::Model<Net, Backend> model_;
    std::function<tenon::Parameters<Net>()> parameters_;  // read again when needed: the model keeps them packed
};

template <class Net>
std::unique_ptr<Classifier> make_network(std::string_view name, int threads) {
    return std::make_unique<NetworkClassifier<Net>>(name, threads);
}
