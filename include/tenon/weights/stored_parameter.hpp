#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What a weights file holds of a network under a convention: names, shapes and the order of the elements.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/compile_once.hpp>
#include <tenon/core/index.hpp>
#include <tenon/weights/parameter_names.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// One parameter of a network as a convention stores it.
struct StoredParameter {
    std::string name;
    std::vector<std::int64_t> shape;
    Parameter parameter{};
    WeightLayout layout{};
    Shape flattened{};            ///< the map that a linear layer's input was flattened from; flat when there is none
    bool may_be_missing = false;  ///< whether a file may lack it

    /// Whether the file has the elements in tenon's own order.
    bool has_native_layout() const {
        const bool weight = parameter.role == ParameterRole::weight && parameter.rank > 1;
        return !weight || layout != WeightLayout::keras;
    }

    /// Calls visit(index in tenon's order, index in the file's order) for every element of a weight that the file has
    /// in another order.
    ///
    /// Example: a kernel [O, I, H, W] = [2, 1, 1, 3] in HWIO -> visit(0, 0), (1, 2), (2, 4), (3, 1), (4, 3), (5, 5).
    template <class Visit>
    void for_each_element(Visit visit) const {
        const auto& d = parameter.dimensions;
        if (parameter.rank == 4) {  // OIHW, HWIO
            std::size_t own = 0;
            for (int o = 0; o < d[0]; ++o)
                for (int i = 0; i < d[1]; ++i)
                    for (int y = 0; y < d[2]; ++y)
                        for (int x = 0; x < d[3]; ++x)
                            visit(own++, index(((long{y} * d[3] + x) * d[1] + i) * d[0] + o));
            return;
        }
        // [out, in], [in, out]. A map has pixels, a flat vector counts as one; the analyzer can't see that.
        const long pixels = flattened.pixels();
        const long channels = d[1] / pixels;  // NOLINT(clang-analyzer-core.DivideZero)
        for (int o = 0; o < d[0]; ++o)
            for (long c = 0; c < channels; ++c)
                for (long pixel = 0; pixel < pixels; ++pixel)
                    visit(index(long{o} * d[1] + c * pixels + pixel), index((pixel * channels + c) * d[0] + o));
    }

    /// Copies from the file's order into tenon's; both spans are as long as the parameter.
    [[gnu::noinline]] void from_file(std::span<const float> stored, std::span<float> own) const {
        for_each_element([&](std::size_t mine, std::size_t theirs) { own[mine] = stored[theirs]; });
    }
    /// Copies from tenon's order into the file's; both spans are as long as the parameter.
    void to_file(std::span<const float> own, std::span<float> stored) const {
        for_each_element([&](std::size_t mine, std::size_t theirs) { stored[theirs] = own[mine]; });
    }
};

/// A tensor of equal values that a convention stores although the network has no such parameter.
struct StoredConstant {
    std::string name;
    std::int64_t size;
    float value;
};

/// Everything that a weights file of a network holds.
struct StoredNetwork {
    std::vector<StoredParameter> parameters;  ///< in the order of the program
    std::vector<StoredConstant> constants;
    NamingConvention convention;
};

/// The shape in which a convention stores a parameter.
template <class Once = void>
TENON_COLD std::vector<std::int64_t> stored_shape(const Parameter& parameter, WeightLayout layout) {
    const auto& d = parameter.dimensions;
    if (parameter.role == ParameterRole::weight && parameter.rank == 4 && layout == WeightLayout::keras)
        return {d[2], d[3], d[1], d[0]};
    if (parameter.role == ParameterRole::weight && parameter.rank == 2 && layout == WeightLayout::keras)
        return {d[1], d[0]};
    if (parameter.role == ParameterRole::weight && parameter.rank == 2 &&
        layout == WeightLayout::torch_pointwise_classifier)
        return {d[0], d[1], 1, 1};
    return {d, d + parameter.rank};
}

/// What a weights file holds under a convention of the network with these operations, values, layers and parameters.
template <class Once = void>
TENON_RUNS_ONCE [[gnu::noinline]] StoredNetwork stored_network_of(std::span<const Op> ops,
                                                                  std::span<const Shape> values,
                                                                  std::span<const LayerInfo> layers,
                                                                  std::span<const Parameter> parameters,
                                                                  Naming naming) {
    const NamingConvention convention = convention_of(naming);
    const std::vector<std::string> names = layer_names(layers, convention);
    std::vector<Shape> flattened(layers.size());
    for (const Op& op : ops) {
        if (op.kind != OpKind::linear) continue;
        for (const Op& producer : ops)
            if (producer.kind == OpKind::flatten && producer.target == op.source())
                flattened[detail::index(op.layer())] = values[index(producer.source())];
    }
    StoredNetwork stored{{}, {}, convention};
    for (const Parameter& parameter : parameters) {
        const auto layer = detail::index(parameter.layer);
        stored.parameters.push_back({.name = tensor_name(names[layer], parameter.role, convention),
                                     .shape = stored_shape(parameter, convention.layout),
                                     .parameter = parameter,
                                     .layout = convention.layout,
                                     .flattened = flattened[layer]});
    }
    if (convention.norms_without_affine_have_one)
        for (std::size_t i = 0; i < layers.size(); ++i)
            if (layers[i].path.kind == OpKind::batch_norm &&
                parameter_of(layers[i], parameters.data(), ParameterRole::gamma) < 0) {
                const std::int64_t channels = layers[i].input.channels;
                stored.constants.push_back({tensor_name(names[i], ParameterRole::gamma, convention), channels, 1.0f});
                stored.constants.push_back({tensor_name(names[i], ParameterRole::beta, convention), channels, 0.0f});
            }
    return stored;
}
TENON_COMPILE_ONCE(StoredNetwork stored_network_of<void>(std::span<const Op>, std::span<const Shape>,
                                                         std::span<const LayerInfo>, std::span<const Parameter>,
                                                         Naming));

/// What a weights file of a network holds under a convention.
template <class Net>
StoredNetwork stored_network(Naming naming = naming_of<Net>) {
    const auto& program = lowered<Net>;
    return stored_network_of({program.ops.begin(), program.ops.end()}, {program.values.begin(), program.values.end()},
                             {program.layers.begin(), program.layers.end()},
                             {program.parameters.begin(), program.parameters.end()}, naming);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail

namespace tenon::programs {

/// What a file of a network's weights holds: names and shapes.
using detail::StoredNetwork;
/// What a file of a network's weights holds under a convention of names; that of its library when none is given.
using detail::stored_network;

}  // namespace tenon::programs
