// Implements the interface Classifier with a network of the library. Most of the compile time is in the network's
// kernels, which networks of one kind share: so the tables of networks are split into files by kind.
#pragma once

#include <filesystem>
#include <functional>
#include <type_traits>
#include <vector>

#include <tenon/data.hpp>
#include <tenon/inference.hpp>
#include <tenon/report.hpp>

#include "networks.hpp"

template <class Net, class Backend = tenon::Cpu>
class NetworkClassifier final : public Classifier {
public:
    NetworkClassifier(std::string_view name, int threads) : name_(name), model_({.threads = threads}) {}

    int classes() const override { return classes_; }
    int network_classes() const override { return all_classes; }
    int threads() const override { return model_.threads(); }
    const tenon::Preprocessing& preprocessing() const override { return tenon::preprocessing_of<Net>; }
    void load(const std::filesystem::path& weights, const tenon::LoadOptions& options) override {
        tenon::LoadOptions how = options, again = options;
        std::vector<float> ranges;
        how.input_ranges = &ranges;
        again.notes = nullptr;  // what is said is said once
        if constexpr (tenon::programs::can_spare_classes<Net>) {
            const int classes = tenon::stored_classes<Net>(weights.string(), options);
            if (classes > all_classes)
                throw tenon::Error(weights.string() + ": expected weights of at most " + std::to_string(all_classes) +
                                   " classes, found " + std::to_string(classes));
            if (classes < all_classes) {
                const auto read = [weights](const tenon::LoadOptions& reading) {
                    tenon::Parameters<Net> parameters;
                    tenon::load_with_spare_classes(parameters, weights.string(), reading);
                    return parameters;
                };
                const tenon::Parameters<Net> parameters = read(how);
                if constexpr (in_integers)
                    set_with_ranges(weights.string(), parameters, ranges);
                else
                    model_.set_parameters(parameters);
                parameters_ = [read, again] { return read(again); };
                ranges_ = ranges;
                classes_ = classes;
                return;
            }
        }
        model_.load(weights, how);
        parameters_ = [weights, again] { return tenon::Parameters<Net>(weights.string(), again); };
        ranges_ = ranges;
        classes_ = all_classes;
    }
    void initialize(std::uint64_t seed) override {
        model_.initialize(seed);
        parameters_ = [seed] {
            tenon::Parameters<Net> parameters;
            parameters.seed(seed);
            return parameters;
        };
        ranges_.clear();
        classes_ = all_classes;
    }
    std::span<const float> logits(std::span<const float> images) override {
        const std::span<const float> all = model_(images);
        if (classes_ == all_classes) return all;
        used_logits_.clear();
        for (std::size_t first = 0; first < all.size(); first += all_classes)
            used_logits_.insert(used_logits_.end(), all.begin() + static_cast<std::ptrdiff_t>(first),
                                all.begin() + static_cast<std::ptrdiff_t>(first) + classes_);
        return used_logits_;
    }
    std::string summary() const override { return tenon::summary<Net>(); }
    std::vector<tenon::reports::LayerRow> layers() const override { return tenon::reports::layers<Net>(); }
    std::string profile(std::span<const float> images) override {
        if constexpr (std::is_same_v<Backend, tenon::Cpu>) {
            const std::vector<tenon::StepProfile> steps = tenon::profile(model_, images);
            return tenon::to_string(std::span(steps));
        } else {
            throw tenon::Error("--profile knows the steps of --backend cpu in --precision float32 only");
        }
    }
    void trace(std::span<const float> images, const std::string& path) override {
        if constexpr (std::is_same_v<Backend, tenon::Cpu>) {
            tenon::reports::Trace trace = tenon::reports::record(model_, images);
            trace.title = name_ + ", one image";
            tenon::reports::write(trace, path);
        } else {
            throw tenon::Error("--trace knows the steps of --backend cpu in --precision float32 only");
        }
    }
    std::vector<std::string> places() const override { return tenon::explanations::places<Net>(); }
    std::vector<tenon::explanations::ClassMap> explain(std::span<const float> image, int count,
                                                       tenon::explanations::Options options) override {
        options.classes = classes_;
        options.forward = [this](std::span<const float> images) { return model_(images); };
        return tenon::explanations::explain_top(parameters_(), image, count, options);
    }
    tenon::explanations::Evidence evidence(std::span<const float> image,
                                           const tenon::explanations::ClassMap& map) override {
        return tenon::explanations::evidence(
            parameters_(), image, map, {.forward = [this](std::span<const float> images) { return model_(images); }});
    }
    void save(const std::string& path, const tenon::WeightsInfo& info) const override {
        tenon::programs::check_class_count(info, classes_, path);
        if constexpr (tenon::programs::can_spare_classes<Net>)
            tenon::save_without_spare_classes(parameters_(), classes_, path, tenon::naming_of<Net>,
                                              tenon::programs::to_metadata(info), tenon::DType::f32, ranges_);
        else
            parameters_().save(path, tenon::naming_of<Net>, tenon::programs::to_metadata(info), tenon::DType::f32,
                               ranges_);
    }
    void write_onnx(const std::string& path, long batch, const tenon::WeightsInfo& info) const override {
        const bool spares_some = classes_ < all_classes;
        const tenon::OnnxOptions options{
            .batch = batch, .graph_name = name_, .info = info, .used_classes = spares_some ? classes_ : 0};
        if constexpr (in_integers)
            tenon::write_onnx(path, parameters_(), ranges_, options);
        else
            tenon::write_onnx(path, parameters_(), options);
    }

private:
    static constexpr int all_classes = tenon::output_shape<Net>.channels;
    static constexpr bool in_integers = std::is_same_v<Backend, tenon::CpuWith<tenon::Precision::int8>>;

    void set_with_ranges(const std::string& path, const tenon::Parameters<Net>& parameters,
                         std::span<const float> ranges) {
        try {
            model_.set_parameters(parameters, ranges);
        } catch (const tenon::Error& error) {
            throw tenon::Error(path + ": " + error.what());
        }
    }

    std::string name_;
    int classes_ = all_classes;
    std::vector<float> ranges_;       // for 8-bit integers, where the weights' file has them
    std::vector<float> used_logits_;  // of the used classes
    tenon::Model<Net, Backend> model_;
    std::function<tenon::Parameters<Net>()> parameters_;  // read again when needed: the model keeps them packed
};

template <class Net>
std::unique_ptr<Classifier> make_network(std::string_view name, int threads) {
    return std::make_unique<NetworkClassifier<Net>>(name, threads);
}

template <class Net>
constexpr NetworkEntry entry_of(std::string_view name) {
    return {name, &make_network<Net>, [] { return tenon::programs::stored_network<Net>(); }};
}
