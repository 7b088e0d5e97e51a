#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Spare classes: a network type with more classes than its data, for programs that know the number of classes only at
// run time.
//
//     Parameters<ResNet18<1000>> parameters;
//     load_with_spare_classes(parameters, "resnet18.pth");       // of any number of classes
//     close_spare_classes(parameters, 5);                        // from here on it is a network of 5 classes

#include <string>

#include <tenon/core/index.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/topology/facts.hpp>
#include <tenon/topology/replace_head.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The bias of a closed class. Its exponential is 0 next to that of any logit that a network gives.
inline constexpr float closed_bias = -1e9f;

/// Where the weight and the bias of a network's last Linear are among its parameters; -1 when it has none.
struct ClassifierIndices {
    int weight = -1, bias = -1;
};

template <class Net>
constexpr ClassifierIndices find_classifier() {
    const auto& program = lowered<Net>;
    ClassifierIndices at;
    int layer = -1;
    for (const Op& op : program.ops)
        if (op.kind == OpKind::linear) layer = op.layer();
    at.weight = program.parameter(layer, ParameterRole::weight);
    at.bias = program.parameter(layer, ParameterRole::bias);
    return at;
}

/// Whether a network may have spare classes: it ends in one Linear with a bias, and nothing after that has parameters.
template <class Net>
inline constexpr bool can_spare_classes = [] {
    const ClassifierIndices at = find_classifier<Net>();
    if (at.weight < 0 || at.bias < 0) return false;
    const auto& parameters = lowered<Net>.parameters;
    for (const Parameter& parameter : parameters)
        if (parameter.layer > parameters[at.bias].layer) return false;
    return parameters[at.bias].elements() == output_shape<Net>.elements();
}();

template <class Net>
constexpr ClassifierIndices classifier_indices() {
    static_assert(can_spare_classes<Net>, "tenon: spare classes need a network that ends in one Linear with a bias");
    return find_classifier<Net>();
}

/// Throws tenon::Error, naming the file, unless 1 <= used <= the network's classes.
template <class Net>
void check_used_classes(const std::string& path, int used) {
    constexpr int classes = output_shape<Net>.channels;
    if (used < 1 || used > classes)
        throw_error({path, ": the network has ", classes, " classes, so ", used, " of them can't be saved"});
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Closes all classes of a network from `used` on: their weights become 0 and their biases -1e9. Throws tenon::Error
/// unless 1 <= used <= the network's classes.
///
/// Law: the probability of a closed class is 0, exactly, and so is the gradient of its weights and bias, so training
/// without label smoothing leaves it closed, whatever the optimizer and weight decay do: the network computes what one
/// of `used` classes computes. (test: tests/train/fine_tuning_test.cpp) Label smoothing would give closed classes a
/// share of each target, which makes the loss meaningless.
template <class Net>
void close_spare_classes(Parameters<Net>& parameters, int used) {
    constexpr int classes = output_shape<Net>.channels;
    if (used < 1 || used > classes)
        detail::throw_error(
            {"a network of ", classes, " classes can be used for 1 to ", classes, " of them, not for ", used});
    const detail::ClassifierIndices at = detail::classifier_indices<Net>();
    const std::span<float> weight = parameters[at.weight], bias = parameters[at.bias];
    const std::size_t features = weight.size() / bias.size(), open = detail::index(used);
    for (float& value : weight.subspan(open * features)) value = 0;
    for (float& value : bias.subspan(open)) value = detail::closed_bias;
}

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// What a convention stores of a network whose last Linear has `classes` features instead of its own number.
template <class Net>
StoredNetwork stored_network_of_classes(Naming naming, int classes, bool may_be_missing = false) {
    StoredNetwork stored = stored_network<Net>(naming);
    const ClassifierIndices at = classifier_indices<Net>();
    for (const int index : {at.weight, at.bias}) {
        StoredParameter& parameter = stored.parameters[detail::index(index)];
        parameter.parameter.dimensions[0] = classes;
        parameter.shape = stored_shape(parameter.parameter, parameter.layout);
        parameter.may_be_missing = may_be_missing;
    }
    return stored;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// The number of classes that a file has weights for, which is the length of the last Linear's bias; the network's own
/// number when the file has no such bias, or 0 if the options allow that. Throws tenon::Error, naming the file, when it
/// can't be read.
template <class Net>
int stored_classes(const std::string& path, const LoadOptions& options) {
    const Naming naming = options.naming.value_or(naming_of<Net>);
    // Weights of any number of classes: -1.
    const detail::StoredNetwork any = detail::stored_network_of_classes<Net>(naming, -1, options.allow_missing_head);
    const std::string& name = any.parameters[detail::index(detail::classifier_indices<Net>().bias)].name;
    LoadOptions silent = options;
    silent.notes = nullptr;
    const TensorFile tensors{path, detail::file_options(silent, [&](std::span<const TensorEntry> entries) {
                                 return detail::WeightsFile::fit(entries, any);
                             })};
    for (const TensorEntry& entry : tensors.tensors())
        if ((entry.name == name || entry.name == name + ":0") && entry.shape.size() == 1 && entry.shape[0] > 0 &&
            entry.shape[0] < 1'000'000'000)
            return static_cast<int>(entry.shape[0]);
    return options.allow_missing_head ? 0 : output_shape<Net>.channels;
}
template <class Net>
int stored_classes(const std::string& path, Naming naming = naming_of<Net>) {
    return stored_classes<Net>(path, LoadOptions{.naming = naming});
}

/// Loads a file of this network's weights with any number of classes, and returns that number. If the file has more
/// classes than the type, its first ones are loaded; if it has fewer, the others are closed. Throws tenon::Error as
/// WeightsFile does; the parameters are then unchanged.
template <class Net>
int load_with_spare_classes(Parameters<Net>& parameters, const std::string& path, const LoadOptions& options) {
    constexpr int max_classes = output_shape<Net>.channels;
    const int classes = stored_classes<Net>(path, options);
    const detail::StoredNetwork stored = detail::stored_network_of_classes<Net>(
        options.naming.value_or(naming_of<Net>), classes == 0 ? max_classes : classes, options.allow_missing_head);
    const detail::WeightsFile file = detail::open_weights(path, stored, options);
    for (int i = 0; i < parameters.count(); ++i) {
        const auto index = detail::index(i);
        const float* const from = file.tensors()[index];
        if (!from) continue;
        const auto there = detail::index(stored.parameters[index].parameter.elements());
        std::copy(from, from + std::min(there, parameters[i].size()), parameters[i].begin());
    }
    if (classes > 0 && classes < max_classes) close_spare_classes(parameters, classes);
    return classes;
}
template <class Net>
int load_with_spare_classes(Parameters<Net>& parameters, const std::string& path, Naming naming = naming_of<Net>) {
    return load_with_spare_classes(parameters, path, LoadOptions{.naming = naming});
}

/// Writes the first `used` classes of a network as the weights of a network of that many classes, otherwise like
/// Parameters::save. The file is one of the naming's library, for `used` classes. Throws tenon::Error unless 1 <= used
/// <= the network's classes, and as Parameters::save does.
template <class Net>
void save_without_spare_classes(const Parameters<Net>& parameters, int used, const std::string& path,
                                Naming naming = naming_of<Net>, const Metadata& metadata = {}, DType type = DType::f32,
                                std::span<const float> input_ranges = {}) {
    detail::check_used_classes<Net>(path, used);
    detail::write_weights(path, detail::stored_network_of_classes<Net>(naming, used), parameters.tensors(), metadata,
                          type, input_ranges);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon

namespace tenon::programs {

/// Whether load_with_spare_classes takes a network: one that ends in a Linear with a bias.
using detail::can_spare_classes;

}  // namespace tenon::programs
