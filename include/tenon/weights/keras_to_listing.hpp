#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Weights of Keras' ResNetV2s for the original listing's networks, which have fewer biases and another epsilon.
//
//     const Parameters<KerasResNet50V2<>> keras{"resnet50v2.safetensors"};
//     using Listing = ResNet50V2<Classes<1000>, ZeroPaddedPool>;
//     keras_to_listing<Listing>(keras).save("listing.safetensors");

#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// The parameters of a listing's network (ResNet50V2, 101V2 or 152V2) that computes at inference what the network of
/// keras.applications.resnet_v2 with the same depth, classes and input computes: exactly except for rounding when the
/// listing's network has ZeroPaddedPool; without it, results differ, beginning at the borders of the image.
///
/// Keras gives biases to the last convolution of a block and to projections. What they add to the trunk is constant per
/// channel, shortcuts pass it on unchanged, and the trunk is read through norms alone. So what was dropped before a
/// norm is subtracted from its running mean, until a projection begins a new trunk. Keras' larger epsilon moves into
/// the running variances. Throws tenon::Error when a parameter has no counterpart. (test:
/// tests/models/keras_to_listing_test.cpp)
template <class Listing, class Keras>
Parameters<Listing> keras_to_listing(const Parameters<Keras>& keras) {
    const std::vector<std::string> from_names = detail::parameter_names<Keras>(Naming::canonical),
                                   to_names = detail::parameter_names<Listing>(Naming::canonical);
    detail::NameIndex from;
    for (int i = 0; i < keras.count(); ++i) from[from_names[detail::index(i)]] = detail::index(i);
    const auto find = [&](const std::string& name) -> std::span<const float> {
        const std::size_t* const found = from.find(name);
        if (!found) detail::throw_error({"the network of Keras has no parameter ", name});
        return keras[static_cast<int>(*found)];
    };
    const auto epsilon_of = [](const auto& program, const detail::Parameter& info) {
        return program.layers[info.layer].epsilon;
    };

    Parameters<Listing> listing;
    std::vector<double> dropped;  // what the dropped biases would have added to the trunk, per channel
    for (int i = 0; i < listing.count(); ++i) {
        const std::string& name = to_names[detail::index(i)];
        const detail::Parameter& info = listing.infos()[detail::index(i)];
        const std::span<const float> values = find(name);
        const std::span<float> target = listing[i];
        if (values.size() != target.size())
            detail::throw_error({"the parameter ", name, " has ", values.size(),
                                 " scalars in the network of Keras and ", target.size(), " in the listing's"});
        std::copy(values.begin(), values.end(), target.begin());

        const std::string layer = name.substr(0, name.rfind('.'));
        const bool reads_trunk = layer.ends_with(".preact.norm0") || layer == "head.norm0";
        if (info.role == ParameterRole::running_mean && reads_trunk)
            for (std::size_t c = 0; c < dropped.size(); ++c) target[c] = static_cast<float>(values[c] - dropped[c]);
        if (info.role == ParameterRole::running_variance) {
            const detail::Parameter& theirs = keras.infos()[*from.find(name)];
            const double more = epsilon_of(keras.program, theirs) - epsilon_of(listing.program, info);
            for (std::size_t c = 0; c < target.size(); ++c) target[c] = static_cast<float>(values[c] + more);
        }
        const bool projects = layer.ends_with(".shortcut.conv0"), ends_body = layer.ends_with(".body.conv2");
        if (!projects && !ends_body) continue;
        const std::span<const float> bias = find(layer + ".bias");
        if (projects) dropped.clear();  // the shortcut comes before the body
        dropped.resize(bias.size());
        for (std::size_t c = 0; c < bias.size(); ++c) dropped[c] += double{bias[c]};
    }
    return listing;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
