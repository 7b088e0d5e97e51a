// Spare classes: a network type with more classes than its data, for programs that learn only at run time how many
// classes there are.
//
//     Parameters<ResNet18<1000>> parameters;
//     load_with_spare_classes(parameters, "resnet18.pth");       // of any number of classes
//     close_spare_classes(parameters, 5);                        // from here on it is a network of 5 classes
#pragma once

#include <algorithm>
#include <string>

#include <tenon/runtime/parameters.hpp>
#include <tenon/topology/replace_head.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// The bias of a closed class. exp of it is 0 beside every logit that a network gives.
inline constexpr float closed_bias = -1e9F;

/// Where the weight and the bias of a network's last Linear stand among its parameters.
struct ClassifierIndices {
    int weight = 0, bias = 0;
};
template <class Net>
ClassifierIndices classifier_indices() {
    static_assert(lowered<Classifier<Net>>.parameters.size() == 2,
                  "tenon: spare classes need a network that ends in one Linear with a bias");
    const std::vector<std::string> names = parameter_names<Net>(Naming::canonical);
    const auto index = [&](const std::string& name) {
        return static_cast<int>(std::ranges::find(names, name) - names.begin());
    };
    const std::vector<std::string> wanted = parameter_names<Classifier<Net>>(Naming::canonical);
    return {index(wanted[0]), index(wanted[1])};
}

/// Closes all classes of a network from `used` on: their weights become 0 and their biases `closed_bias`. Throws
/// tenon::Error unless 1 <= used <= the network's classes.
///
/// Law: the probability of a closed class is 0, exactly, and so is the gradient of its weights and bias, so training
/// without label smoothing leaves it closed, whatever optimizer and weight decay do: what it computes is what a network
/// of `used` classes computes. (test: tests/train/fine_tuning_test.cpp) Label smoothing would spread over closed
/// classes; with it the loss of a closed network is absurd.
template <class Net>
void close_spare_classes(Parameters<Net>& parameters, int used) {
    constexpr int classes = output_shape<Net>.channels;
    if (used < 1 || used > classes)
        throw Error("a network of " + std::to_string(classes) + " classes can be used for 1 to " +
                    std::to_string(classes) + " of them, not for " + std::to_string(used));
    const ClassifierIndices at = classifier_indices<Net>();
    const std::span<float> weight = parameters[at.weight], bias = parameters[at.bias];
    const std::size_t features = weight.size() / bias.size(), open = static_cast<std::size_t>(used);
    std::ranges::fill(weight.subspan(open * features), 0.0F);
    std::ranges::fill(bias.subspan(open), closed_bias);
}

/// What a convention stores of a network whose last Linear has another number of features, `classes`.
template <class Net>
StoredNetwork stored_network_of_classes(Naming naming, int classes) {
    StoredNetwork stored = stored_network<Net>(naming);
    const ClassifierIndices at = classifier_indices<Net>();
    for (const int index : {at.weight, at.bias}) {
        StoredParameter& parameter = stored.parameters[static_cast<std::size_t>(index)];
        parameter.parameter.dimensions[0] = classes;
        parameter.shape = stored_shape(parameter.parameter, parameter.layout);
    }
    return stored;
}

/// Takes over a file of this network's weights with any number of classes, and returns that number. Of more classes
/// than the type has, the first are taken; of fewer, the others are closed. Throws tenon::Error as WeightsFile does;
/// the parameters are as before then.
template <class Net>
int load_with_spare_classes(Parameters<Net>& parameters, const std::string& path, Naming naming = naming_of<Net>) {
    constexpr int most = output_shape<Net>.channels;
    const ClassifierIndices at = classifier_indices<Net>();
    const std::string name = stored_network<Net>(naming).parameters[static_cast<std::size_t>(at.bias)].name;
    int classes = most;
    const TensorFile tensors{path};
    for (const TensorEntry& entry : tensors.tensors())
        if ((entry.name == name || entry.name == name + ":0") && entry.shape.size() == 1 && entry.shape[0] > 0 &&
            entry.shape[0] < 1'000'000'000)
            classes = static_cast<int>(entry.shape[0]);
    const StoredNetwork stored = stored_network_of_classes<Net>(naming, classes);
    const WeightsFile file{path, stored};
    for (int i = 0; i < parameters.count(); ++i) {
        const auto index = static_cast<std::size_t>(i);
        const auto there = static_cast<std::size_t>(stored.parameters[index].parameter.elements());
        std::copy_n(file.tensors()[index], std::min(there, parameters[i].size()), parameters[i].begin());
    }
    if (classes < most) close_spare_classes(parameters, classes);
    return classes;
}

/// Writes the first `used` classes of a network as the weights of a network of that many classes, in every other way as
/// Parameters::save. So the file is that of the library whose names it has, for so many classes.
template <class Net>
void save_without_spare_classes(const Parameters<Net>& parameters, int used, const std::string& path,
                                Naming naming = naming_of<Net>, const Metadata& metadata = {},
                                DType type = DType::f32) {
    constexpr int classes = output_shape<Net>.channels;
    if (used < 1 || used > classes)
        throw Error(path + ": the network has " + std::to_string(classes) + " classes, so " + std::to_string(used) +
                    " of them can't be saved");
    write_weights(path, stored_network_of_classes<Net>(naming, used), parameters.tensors(), metadata, type);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
