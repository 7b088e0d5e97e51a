// The networks that run in 8-bit integers and in bfloat16: `--precision` and `--calibrate`.
#include <utility>

#include <tenon/inference.hpp>

#include "network_classifier.hpp"

namespace {

template <class Net>
class NetworkCalibration final : public Calibration {
public:
    NetworkCalibration(std::string_view name, const std::string& weights, const tenon::LoadOptions& options,
                       int threads)
        : name_{name}, calibrator_{read(weights, options, classes_), threads} {}

    int classes() const override { return classes_; }
    const tenon::Preprocessing& preprocessing() const override { return tenon::preprocessing_of<Net>; }
    void add(std::span<const float> images) override { calibrator_.add(images); }
    long images() const override { return calibrator_.images(); }
    void save(const std::string& path, const tenon::WeightsInfo& info) const override {
        tenon::programs::check_class_count(info, classes_, path);
        tenon::save_without_spare_classes(calibrator_.parameters(), classes_, path, tenon::naming_of<Net>,
                                          tenon::programs::to_metadata(info), tenon::DType::f32,
                                          calibrator_.input_ranges());
    }
    void write_onnx(const std::string& path, long batch, const tenon::WeightsInfo& info) const override {
        tenon::write_onnx(path, calibrator_.parameters(), calibrator_.input_ranges(),
                          {.batch = batch,
                           .graph_name = name_,
                           .info = info,
                           .used_classes = classes_ < tenon::output_shape<Net>.channels ? classes_ : 0});
    }

private:
    /// Weights of at most the network's classes.
    static tenon::Parameters<Net> read(const std::string& path, const tenon::LoadOptions& options, int& classes) {
        tenon::Parameters<Net> parameters;
        classes = tenon::load_with_spare_classes(parameters, path, options);
        if (constexpr int all = tenon::output_shape<Net>.channels; classes > all)
            throw tenon::Error(path + ": expected weights of at most " + std::to_string(all) + " classes, found " +
                               std::to_string(classes));
        return parameters;
    }

    std::string name_;
    int classes_ = 0;
    tenon::CpuWith<tenon::Precision::int8>::Calibrator<Net> calibrator_;
};

template <class Net, tenon::Precision P>
std::unique_ptr<Classifier> make_packed(std::string_view name, int threads) {
    return std::make_unique<NetworkClassifier<Net, tenon::CpuWith<P>>>(name, threads);
}

template <class Net>
constexpr PackedNetworkEntry packed_entry_of(std::string_view name) {
    return {name, &make_packed<Net, tenon::Precision::int8>, &make_packed<Net, tenon::Precision::bfloat16>,
            [](std::string_view of, const std::string& weights, const tenon::LoadOptions& options,
               int threads) -> std::unique_ptr<Calibration> {
                return std::make_unique<NetworkCalibration<Net>>(of, weights, options, threads);
            }};
}

}  // namespace

std::span<const PackedNetworkEntry> packed_networks() {
    using namespace tenon;
    static constexpr PackedNetworkEntry entries[] = {
        packed_entry_of<FashionMnistResNet>("fashion_mnist"),
        packed_entry_of<ResNet18<>>("resnet18"),
        packed_entry_of<ResNet50V2<Classes<1000>>>("resnet50v2"),
    };
    return entries;
}
