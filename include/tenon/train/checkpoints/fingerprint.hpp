#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The fingerprint of a network: a number that two networks share only if they are the same program.

#include <bit>
#include <cstdint>
#include <span>

#include <tenon/core/random.hpp>
#include <tenon/topology/network.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Combines numbers into one of 64 bits, which depends on their order.
class Fingerprint {
public:
    void add(std::int64_t number) { value_ = mix(value_ ^ static_cast<std::uint64_t>(number)) + golden_step; }
    void add(double number) { add(std::bit_cast<std::int64_t>(number)); }
    void add(const Shape& shape) {
        for (const int size : {shape.channels, shape.height, shape.width}) add(std::int64_t{size});
    }
    std::uint64_t value() const { return value_; }

private:
    std::uint64_t value_ = 0;
};

/// The fingerprint of a lowered program: operations with operands and windows; layers with names, shapes, constants and
/// whether they are frozen; parameters with roles and sizes.
inline std::uint64_t fingerprint(std::span<const Op> ops, std::span<const Shape> values,
                                 std::span<const LayerInfo> layers, std::span<const Parameter> parameters) {
    Fingerprint print;
    const auto add = [&](auto... numbers) { (print.add(static_cast<std::int64_t>(numbers)), ...); };
    for (const Op& op : ops) {
        add(op.kind, op.target, op.residual, op.recompute);
        for (const ConvTerm& term : op.terms) {
            const Window& w = term.window;
            add(term.source, term.layer, term.groups, w.kernel_height, w.kernel_width, w.stride_height, w.stride_width,
                w.top, w.left, w.bottom, w.right, w.pad_value);
        }
    }
    for (const Shape& shape : values) print.add(shape);
    for (const LayerInfo& layer : layers) {
        for (int i = 0; i < layer.path.depth; ++i) add(layer.path.scopes[i].kind, layer.path.scopes[i].index);
        add(layer.path.kind, layer.path.ordinal, layer.frozen);
        for (const double constant : {layer.epsilon, layer.momentum, layer.rate}) print.add(constant);
    }
    for (const Parameter& tensor : parameters)
        add(tensor.role, tensor.layer, tensor.rank, tensor.dimensions[0], tensor.dimensions[1], tensor.dimensions[2],
            tensor.dimensions[3]);
    return print.value();
}

/// The fingerprint of a network.
template <class Net>
std::uint64_t fingerprint() {
    const auto& program = lowered<Net>;
    const auto span_of = [](const auto& items) { return std::span(items.begin(), items.end()); };
    return fingerprint(span_of(program.ops), span_of(program.values), span_of(program.layers),
                       span_of(program.parameters));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
