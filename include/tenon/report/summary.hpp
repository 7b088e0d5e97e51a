#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// summary: a table of a network's layers, shapes, parameters and multiply-adds, similar to Keras'.

#include <algorithm>
#include <span>
#include <string>

#include <tenon/report/operation_name.hpp>
#include <tenon/topology/facts.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// `25549416` as `25,549,416`.
inline std::string with_commas(long number) {
    std::string digits = std::to_string(number);
    for (int at = static_cast<int>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3)
        digits.insert(static_cast<std::size_t>(at), 1, ',');
    return digits;
}

/// One line of a summary: text on the left, three columns on the right.
inline std::string summary_row(const std::string& layer, const std::string& shape, const std::string& parameters,
                               const std::string& multiply_adds) {
    const auto pad = [](std::string text, std::size_t width, bool right) {
        if (text.size() < width) text.insert(right ? 0 : text.size(), width - text.size(), ' ');
        return text;
    };
    return pad(layer, 36, false) + pad(shape, 18, false) + pad(parameters, 14, true) + pad(multiply_adds, 16, true) +
           "\n";
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// The table of a program; the same code for all networks.
inline std::string summary(std::span<const detail::Op> ops, std::span<const detail::LayerInfo> layers,
                           std::span<const detail::Parameter> parameters) {
    long trainable = 0, buffers = 0, total_multiply_adds = 0;
    const std::string line(84, '-');
    std::string text = detail::summary_row("layer", "output", "parameters", "multiply-adds") + line + "\n";
    for (const detail::Op& op : ops) {
        const detail::LayerInfo& layer = layers[static_cast<std::size_t>(op.layer())];
        long own = 0;
        for (int i = 0; i < layer.parameters; ++i) {
            const detail::Parameter& parameter = parameters[static_cast<std::size_t>(layer.first_parameter + i)];
            (detail::is_trainable(parameter.role) ? trainable : buffers) += parameter.elements();
            own += parameter.elements();
        }
        const long multiply_adds = multiply_adds_of(layers, parameters, op);
        total_multiply_adds += multiply_adds;
        text += detail::summary_row(operation_name(op, layers), to_string(layer.output),
                                    own ? detail::with_commas(own) : "",
                                    multiply_adds ? detail::with_commas(multiply_adds) : "");
    }
    text += line + "\n";
    text += "parameters:         " + detail::with_commas(trainable) + " (" + detail::with_commas(trainable * 4 / 1024) +
            " KiB as floats)\n";
    text += "running statistics: " + detail::with_commas(buffers) + "\n";
    text += "multiply-adds:      " + detail::with_commas(total_multiply_adds) + " per image\n";
    return text;
}

/// A table of a network: every layer under its canonical name with the shape of its output, parameters (running
/// statistics included) and multiply-adds per image, and the totals.
template <class Net>
std::string summary() {
    const auto& program = lowered<Net>;
    return summary({program.ops.begin(), program.ops.end()}, {program.layers.begin(), program.layers.end()},
                   {program.parameters.begin(), program.parameters.end()});
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
