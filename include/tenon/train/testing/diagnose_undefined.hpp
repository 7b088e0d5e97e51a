#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Where numbers became infinite or NaN, when a loss did.

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include <tenon/core/index.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/topology/facts.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The index of the first value that is infinite or NaN; -1 if there is none.
inline long first_undefined(std::span<const float> values) {
    const auto found = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
    return found == values.end() ? -1 : found - values.begin();
}

/// The name of the first tensor, in the order of the program, with a value that is infinite or NaN; empty if there is
/// none. Looks only at running statistics if `statistics`, otherwise only at parameters.
template <class Net>
std::string undefined_tensor(const Parameters<Net>& parameters, bool statistics = false) {
    for (int i = 0; i < parameters.count(); ++i) {
        const ParameterRole role = parameters.infos()[index(i)].role;
        if (is_trainable(role) != statistics && first_undefined(parameters[i]) >= 0)
            return parameter_names<Net>(Naming::canonical)[index(i)];
    }
    return {};
}

/// The name of the first tensor, parameter or running statistic, with a value that is infinite or NaN; empty if there
/// is none.
template <class Net>
std::string undefined_state(const Parameters<Net>& parameters) {
    std::string name = undefined_tensor<Net>(parameters);
    return name.empty() ? undefined_tensor<Net>(parameters, true) : name;
}

/// Why an iteration's loss is infinite or NaN: a sentence that names the image, the parameter or the layer where the
/// first such number is.
template <class Net>
std::string diagnose_undefined(std::span<const float> images, const Parameters<Net>& parameters,
                               std::span<const float> logits) {
    if (const long pixel = first_undefined(images); pixel >= 0)
        return "image " + std::to_string(pixel / input_shape<Net>.elements()) + " of the batch has a pixel that is " +
               fixed_text(images[index(pixel)]);
    if (const std::string name = undefined_tensor<Net>(parameters); !name.empty())
        return "the parameter " + name + " was undefined before, so a smaller learning rate or clipping may help";
    // The iteration has already updated the running statistics, so the first undefined one shows where values
    // overflowed.
    if (const std::string name = undefined_tensor<Net>(parameters, true); !name.empty())
        return "the values that " + name +
               " is computed from overflowed, so a smaller learning rate or clipping may help";
    if (const long logit = first_undefined(logits); logit >= 0)
        return "the logits of image " + std::to_string(logit / output_shape<Net>.channels) +
               " overflowed after the last batch norm, so a smaller learning rate or clipping may help";
    return "the logits are finite but too far apart, so a smaller learning rate or clipping may help";
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
