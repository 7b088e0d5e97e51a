// The networks that classify can run, with one interface: the user chooses one on the command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/data.hpp>
#include <tenon/inference.hpp>
#include <tenon/report.hpp>

/// A network with weights that classifies preprocessed images.
class Classifier {
public:
    virtual ~Classifier() = default;

    /// The number of classes of the weights that were loaded last, at most the network's own; before that, the
    /// network's own.
    virtual int classes() const = 0;
    virtual int network_classes() const = 0;
    virtual int threads() const = 0;
    virtual const tenon::Preprocessing& preprocessing() const = 0;

    /// Loads the weights from a safetensors, .pth or .npz file with its library's names, of at most the network's
    /// classes, or draws them from a seed. Throws tenon::Error when the file can't be read or doesn't fit.
    virtual void load(const std::filesystem::path& weights, const tenon::LoadOptions& options = {}) = 0;
    virtual void initialize(std::uint64_t seed) = 0;

    /// `classes()` logits for each of the images, valid until the next call.
    virtual std::span<const float> logits(std::span<const float> images) = 0;

    /// A table of the network's layers, and a table of the time that each step takes on these images.
    virtual std::string summary() const = 0;
    virtual std::vector<tenon::reports::LayerRow> layers() const = 0;
    virtual std::string profile(std::span<const float> images) = 0;
    /// Records what each thread does with the images and writes it to a file: JSON, or an image in SVG.
    virtual void trace(std::span<const float> images, const std::string& path) = 0;

    /// The names of the network's layers and scopes, and maps of the `count` most likely classes of an image at one of
    /// them, by the weights that were loaded last.
    virtual std::vector<std::string> places() const = 0;
    virtual std::vector<tenon::explanations::ClassMap> explain(std::span<const float> image, int count,
                                                               tenon::explanations::Options options) = 0;
    /// What becomes of a map's class when the pixels that it marks are taken out or put in.
    virtual tenon::explanations::Evidence evidence(std::span<const float> image,
                                                   const tenon::explanations::ClassMap& map) = 0;

    /// Writes the weights that were loaded last, with the information about them, as a safetensors file under the names
    /// and in the layout of its library.
    virtual void save(const std::string& path, const tenon::WeightsInfo& info = {}) const = 0;

    /// Writes the network with the weights that were loaded last as an ONNX file for `batch` images (0: any number): in
    /// integers if it runs in integers, else in floats.
    virtual void write_onnx(const std::string& path, long batch, const tenon::WeightsInfo& info) const = 0;
};

/// The name of a network on the command line, and how it is made.
struct NetworkEntry {
    std::string_view name;
    std::unique_ptr<Classifier> (*make)(std::string_view name, int threads);
    tenon::programs::StoredNetwork (*stored)() = nullptr;  ///< the content of a file of its weights
};

/// The networks by kind: CIFAR's and Fashion-MNIST's in torch's conventions, Keras', and others for ImageNet.
std::span<const NetworkEntry> networks_of_cifar();
std::span<const NetworkEntry> networks_of_keras();
std::span<const NetworkEntry> networks_of_torch();

/// Those that run on a GPU; linked only where the build has CUDA.
std::span<const NetworkEntry> networks_on_cuda();

/// Measures the ranges that a network needs in 8-bit integers, on preprocessed images.
class Calibration {
public:
    virtual ~Calibration() = default;
    virtual int classes() const = 0;  ///< as Classifier::classes
    virtual const tenon::Preprocessing& preprocessing() const = 0;
    virtual void add(std::span<const float> images) = 0;
    virtual long images() const = 0;
    /// Writes the weights and the ranges as a safetensors file under the names of the weights' library.
    virtual void save(const std::string& path, const tenon::WeightsInfo& info) const = 0;
    /// Writes the network in integers as an ONNX file for `batch` images (0: any number).
    virtual void write_onnx(const std::string& path, long batch, const tenon::WeightsInfo& info) const = 0;
};

/// The name of a network that also runs in 8-bit integers and in bfloat16, and how it and its calibration are made.
struct PackedNetworkEntry {
    std::string_view name;
    std::unique_ptr<Classifier> (*make_in_integers)(std::string_view name, int threads);
    std::unique_ptr<Classifier> (*make_in_bfloat16)(std::string_view name, int threads);
    std::unique_ptr<Calibration> (*calibrate)(std::string_view name, const std::string& weights,
                                              const tenon::LoadOptions& options, int threads);
};

/// Those networks.
std::span<const PackedNetworkEntry> packed_networks();

/// The one of this name. Throws tenon::Error that lists them when there is none; `precision` is what was asked for.
const PackedNetworkEntry& packed_network(std::string_view name, std::string_view precision);

/// All networks, those with weights in the repository first.
std::vector<NetworkEntry> all_networks();

/// The names that make_classifier knows.
std::vector<std::string> network_names();

/// The network that classifies when none is named.
inline constexpr std::string_view default_network = "fashion_mnist";

/// The network of this name, without weights, on `threads` threads (0: one per core). Throws tenon::Error when there is
/// none.
std::unique_ptr<Classifier> make_classifier(std::string_view name, int threads);

/// The same on a GPU. Throws tenon::Error when this program was built without CUDA, there is no device, or the network
/// is not among networks_on_cuda().
std::unique_ptr<Classifier> make_classifier_on_cuda(std::string_view name);
