#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// A convolution as described to the libraries that may compute it instead of tenon's kernels.

#include <compare>
#include <optional>

#include <tenon/backend/cuda/kernels/conv_spec.hpp>
#include <tenon/backend/cuda/plan/step.hpp>
#include <tenon/backend/cuda/training/weight_gradient_spec.hpp>
#include <tenon/backend/shared/namespaces.hpp>
#include <tenon/program/program.hpp>

namespace tenon::cuda {

/// Which of a convolution's three products is computed.
enum class ConvDirection { forward, data_gradient, weight_gradient };

/// The sizes of a convolution: maps are NHWC (pixel by pixel), weights KRSC (output by output, tap by tap).
struct ConvProblem {
    ConvDirection direction = ConvDirection::forward;
    Precision precision = Precision::float32;
    int images = 1, channels = 0, height = 1, width = 1;  ///< of the source
    int outputs = 0, result_height = 1, result_width = 1;
    int kernel_height = 1, kernel_width = 1, stride_height = 1, stride_width = 1, top = 0, left = 0;
    int groups = 1;
    /// After a forward convolution, in the order residual, bias, ReLU: a residual, a bias per output, a ReLU.
    bool bias = false, residual = false, relu = false;
    bool in_place = false;  ///< the result is written where the residual is
    friend constexpr auto operator<=>(const ConvProblem&, const ConvProblem&) = default;

    /// Takes over a window as kernels' arguments and programs state it, but for the kernel's height.
    constexpr void take_window(const auto& window) {
        kernel_width = window.kernel_width;
        stride_height = window.stride_height;
        stride_width = window.stride_width;
        top = window.top;
        left = window.left;
    }
    /// Takes over the shape of a source.
    constexpr void take_source(const auto& source) {
        channels = source.channels;
        height = source.height;
        width = source.width;
    }

    constexpr long pixels() const { return long{images} * result_height * result_width; }
    /// Products per output.
    constexpr int depth() const { return channels / groups * kernel_height * kernel_width; }
    /// Whether it is a product of two matrices that are in memory as they are.
    constexpr bool is_plain_product() const {
        return kernel_height == 1 && kernel_width == 1 && stride_height == 1 && stride_width == 1 && top == 0 &&
               left == 0 && groups == 1 && height == result_height && width == result_width;
    }
};

/// A kernel's call as a problem; nothing where it is more than one convolution with bias, residual and ReLU.
constexpr std::optional<ConvProblem> problem_of(Precision precision, const ConvArguments& arguments) {
    const ConvTermArguments& term = arguments.terms[0];
    const EpilogueArguments& epilogue = arguments.epilogue;
    if (arguments.terms_used != 1 || epilogue.activated || !epilogue.target) return {};
    if (epilogue.residual && epilogue.residual_stride != 1) return {};
    if (term.group_channels * arguments.groups != term.channels) return {};
    ConvProblem problem;
    problem.precision = precision;
    problem.images = arguments.pixels / (arguments.height * arguments.width);
    problem.take_source(term);
    problem.outputs = arguments.group_outputs * arguments.groups;
    problem.result_height = arguments.height;
    problem.result_width = arguments.width;
    problem.kernel_height = term.kernel_height;
    problem.take_window(term);
    problem.groups = arguments.groups;
    problem.bias = epilogue.shift != nullptr;
    problem.residual = epilogue.residual != nullptr;
    problem.in_place = problem.residual && epilogue.residual == epilogue.target;
    problem.relu = epilogue.relu;
    return problem;
}

/// A weight gradient's call as a problem; nothing where a group's channels are no whole part of the source's.
constexpr std::optional<ConvProblem> problem_of(Precision precision, const WeightGradientArguments& arguments) {
    if (arguments.group_channels * arguments.groups != arguments.channels) return {};
    ConvProblem problem;
    problem.direction = ConvDirection::weight_gradient;
    problem.precision = precision;
    problem.images = arguments.pixels / (arguments.result_height * arguments.result_width);
    problem.take_source(arguments);
    problem.outputs = arguments.group_outputs * arguments.groups;
    problem.result_height = arguments.result_height;
    problem.result_width = arguments.result_width;
    problem.kernel_height = arguments.columns / (arguments.group_channels * arguments.kernel_width);
    problem.take_window(arguments);
    problem.groups = arguments.groups;
    return problem;
}

/// A convolution of a program in one of its directions, alone: what training asks of a library.
template <Capacity C>
constexpr ConvProblem problem_of(Precision precision, ConvDirection direction, const Program<C>& program,
                                 const ConvTerm& term, int images) {
    const LayerInfo& layer = program.layers[term.layer];
    ConvProblem problem;
    problem.direction = direction;
    problem.precision = precision;
    problem.images = images;
    problem.take_source(layer.input);
    if (layer.input.channels < padded_input && term.groups == 1) problem.channels = padded_input;
    problem.outputs = layer.output.channels;
    problem.result_height = layer.output.height;
    problem.result_width = layer.output.width;
    problem.kernel_height = term.window.kernel_height;
    problem.take_window(term.window);
    problem.groups = term.groups;
    return problem;
}

}  // namespace tenon::cuda
