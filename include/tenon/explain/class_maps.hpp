#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Methods that say which pixels speak for a class; from activations and their gradients to a map.

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/shape.hpp>

namespace tenon {

namespace explanations {

/// How a map is made. The first five are made of the activations A of a place, four of them with the gradient g of a
/// class's logit with respect to A; the last two are made of the gradient with respect to the image. All of them end in
/// a ReLU: a map shows what speaks for a class, not what speaks against it.
enum class Method {
    grad_cam,            ///< sum over channels of mean(g) * A (Selvaraju et al. 2017, arXiv 1610.02391)
    grad_cam_plus_plus,  ///< the same with weights of positive gradients (Chattopadhyay et al. 2018, arXiv 1710.11063)
    hires_cam,           ///< sum over channels of g * A (Draelos and Carin 2020, arXiv 2011.08891)
    layer_cam,           ///< sum over channels of ReLU(g) * A (Jiang et al. 2021, doi 10.1109/TIP.2021.3089943)
    score_cam,  ///< sum over channels of w * A, by the logit of the image under each channel (Wang et al. 2020, arXiv
                ///< 1910.01279); one pass forward per channel, none back
    integrated_gradients,    ///< (image - baseline) * mean of the gradient on the way (Sundararajan et al. 2017, arXiv
                             ///< 1703.01365)
    guided_backpropagation,  ///< the gradient of ReLUs that let only positive gradients pass back (Springenberg et al.
                             ///< 2015, arXiv 1412.6806)
};

/// All methods, in the order of the enumeration.
inline constexpr Method methods[] = {Method::grad_cam,
                                     Method::grad_cam_plus_plus,
                                     Method::hires_cam,
                                     Method::layer_cam,
                                     Method::score_cam,
                                     Method::integrated_gradients,
                                     Method::guided_backpropagation};

inline namespace TENON_ISA_NAMESPACE {

/// What users write and read for a method: `grad-cam++`.
constexpr std::string_view method_name(Method method) {
    constexpr std::string_view names[] = {"grad-cam",
                                          "grad-cam++",
                                          "hires-cam",
                                          "layer-cam",
                                          "score-cam",
                                          "integrated-gradients",
                                          "guided-backpropagation"};
    static_assert(std::size(names) == std::size(methods));
    return names[static_cast<int>(method)];
}

/// Whether a method explains by the pixels of the image itself, and so takes no place.
constexpr bool is_of_pixels(Method method) {
    return method == Method::integrated_gradients || method == Method::guided_backpropagation;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace explanations

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The weights of a channel's pixels in Grad-CAM++: one for all of them. Where g is zero a pixel adds nothing; 1e-6
/// keeps the quotient finite, as in pytorch-grad-cam.
template <class Scalar>
Scalar plus_plus_weight(std::span<const Scalar> values, std::span<const Scalar> gradient) {
    Scalar sum = 0, weight = 0;
    for (const Scalar value : values) sum += value;
    for (const Scalar g : gradient)
        if (g > 0) weight += g * (g * g / (2 * g * g + sum * g * g * g + Scalar(1e-6)));
    return weight;
}

/// The map of a method, row by row, before the ReLU.
template <class Scalar>
std::vector<Scalar> weighted_sum(explanations::Method method, Shape shape, std::span<const Scalar> values,
                                 std::span<const Scalar> gradient) {
    using enum explanations::Method;
    const std::size_t pixels = index(shape.pixels());
    std::vector<Scalar> map(pixels, Scalar{0});
    for (std::size_t c = 0; c < index(shape.channels); ++c) {
        const std::span<const Scalar> a = values.subspan(c * pixels, pixels), g = gradient.subspan(c * pixels, pixels);
        Scalar weight = 0;
        if (method == grad_cam) {
            for (const Scalar each : g) weight += each;
            weight /= static_cast<Scalar>(pixels);
        } else if (method == grad_cam_plus_plus) {
            weight = plus_plus_weight(a, g);
        }
        for (std::size_t i = 0; i < pixels; ++i)
            map[i] += a[i] * (method == hires_cam ? g[i] : method == layer_cam ? std::max(g[i], Scalar{0}) : weight);
    }
    return map;
}

/// The map of a method, row by row. An undefined value stays undefined.
template <class Scalar>
std::vector<Scalar> class_map(explanations::Method method, Shape shape, std::span<const Scalar> values,
                              std::span<const Scalar> gradient) {
    std::vector<Scalar> map = weighted_sum(method, shape, values, gradient);
    for (Scalar& value : map) value = value < 0 ? Scalar{0} : value;
    return map;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
