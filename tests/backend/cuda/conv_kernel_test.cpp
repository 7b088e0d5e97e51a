// The kernel of convolutions alone, in all precisions and with every tile, on problems that networks rarely pose: two
// terms of which each ends at another tile of the depth, strided residuals, everything of the epilogue, ragged edges.
#include <algorithm>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/backend/cuda/kernels/conv.hpp>
#include <tenon/backend/cuda/kernels/conv_choice.hpp>
#include <tenon/backend/cuda/kernels/sum_splits.hpp>
#include <tenon/core/random.hpp>

#include "kernel_runner.hpp"

namespace {

using namespace tenon;

constexpr std::size_t place(long i) { return static_cast<std::size_t>(i); }

/// One term: channels of a group, the window.
struct TermSizes {
    int group_channels = 8, kernel = 1, stride = 1;
};

/// What is computed. The result has 5 x 6 pixels.
struct Problem {
    TermSizes terms[2]{};
    int terms_used = 1, group_outputs = 8, groups = 1, splits = 1;
    bool shift = true, residual = false, strided_residual = false, relu = false, target = true, activated = false;
    int images = 2;
    static constexpr int height = 5, width = 6;
};

/// Numbers and the same in double.
template <class Number>
struct Values {
    std::vector<Number> numbers;
    Values(std::size_t count, std::uint64_t stream) : numbers(count) {
        for (std::size_t i = 0; i < count; ++i)
            numbers[i] =
                cuda::from_float<Number>(static_cast<float>(detail::uniform(detail::random_bits(5, stream, i), -1, 1)));
    }
    double operator[](long i) const { return double{cuda::to_float(numbers[place(i)])}; }
};

/// Runs the kernel and compares with sums in double, which are not rounded before the end. A tensor core rounds tensor
/// floats to 11 bits; a sum of d products is rounded d times in 24 bits; results are rounded to their type.
template <Precision P, int Tile, int Vector, int OutputVector>
void compare_conv(const Problem& p) {
    using Number = cuda::Number<P>;
    using Kernel = cuda::ConvKernel<cuda::conv_spec(P, Tile, Vector, OutputVector)>;
    tenon_test::KernelRunner runner;
    const int outputs = p.groups * p.group_outputs, pixels = p.images * p.height * p.width;
    std::vector<double> sums(place(long{pixels} * outputs)), magnitudes(sums.size());
    cuda::ConvArguments arguments{};
    arguments.terms_used = p.terms_used;
    for (int t = 0; t < p.terms_used; ++t) {
        const TermSizes& sizes = p.terms[t];
        cuda::ConvTermArguments& term = arguments.terms[t];
        term.channels = sizes.group_channels * p.groups;
        term.group_channels = sizes.group_channels;
        term.height = p.height * sizes.stride - (sizes.stride > 1);  // a window reaches over the edge
        term.width = p.width * sizes.stride;
        term.kernel_height = term.kernel_width = sizes.kernel;
        term.stride_height = term.stride_width = sizes.stride;
        term.top = term.left = sizes.kernel / 2;
        term.depth = sizes.kernel * sizes.kernel * sizes.group_channels;
        const Values<Number> source(place(long{p.images} * term.height * term.width * term.channels), 1 + 2 * t);
        const Values<Number> weights(place(long{outputs} * term.depth), 2 + 2 * t);
        term.source = runner.put(source.numbers);
        term.weights = runner.put(weights.numbers);
        for (int pixel = 0; pixel < pixels; ++pixel)
            for (int output = 0; output < outputs; ++output)
                for (int k = 0; k < term.depth; ++k) {
                    const int tap = k / term.group_channels, image = pixel / (p.height * p.width);
                    const int y = pixel / p.width % p.height * sizes.stride + tap / sizes.kernel - term.top;
                    const int x = pixel % p.width * sizes.stride + tap % sizes.kernel - term.left;
                    if (y < 0 || y >= term.height || x < 0 || x >= term.width) continue;
                    const double product =
                        weights[long{output} * term.depth + k] *
                        source[((long{image} * term.height + y) * term.width + x) * term.channels +
                               output / p.group_outputs * term.group_channels + k % term.group_channels];
                    sums[place(long{pixel} * outputs + output)] += product;
                    magnitudes[place(long{pixel} * outputs + output)] += std::abs(product);
                }
    }
    arguments.pixels = pixels;
    arguments.height = p.height;
    arguments.width = p.width;
    arguments.groups = p.groups;
    arguments.group_outputs = p.group_outputs;
    arguments.splits = p.splits;
    arguments.partials = runner.template room<float>(sums.size() * place(p.splits));

    cuda::EpilogueArguments& epilogue = arguments.epilogue;
    epilogue.channels = outputs;
    epilogue.height = p.height;
    epilogue.width = p.width;
    epilogue.residual_stride = p.strided_residual ? 2 : 1;
    epilogue.residual_height = p.height * epilogue.residual_stride;
    epilogue.residual_width = p.width * epilogue.residual_stride;
    epilogue.relu = epilogue.activated_relu = p.relu;
    const Values<float> shift(place(outputs), 5), scale(place(2L * outputs), 6);
    const Values<Number> residual(place(long{p.images} * epilogue.residual_height * epilogue.residual_width * outputs),
                                  7);
    if (p.shift) epilogue.shift = runner.put(shift.numbers);
    if (p.residual) epilogue.residual = runner.put(residual.numbers);
    if (p.target) epilogue.target = runner.template room<Number>(sums.size());
    if (p.activated) {
        epilogue.scale = runner.put(scale.numbers);
        epilogue.activated = runner.template room<Number>(sums.size());
    }
    runner.template run<Kernel>(Kernel::grid(arguments), arguments);
    if (p.splits > 1) {
        using Sum = cuda::MapKernel<cuda::SumSplitsBody<Number, OutputVector>>;
        cuda::SumSplitsBody<Number, OutputVector> body{};
        body.count = static_cast<long>(sums.size()) / OutputVector;
        body.partials = arguments.partials;
        body.splits = p.splits;
        body.epilogue = epilogue;
        runner.template run<Sum>(Sum::grid(body), body);
    }

    const double unit = sizeof(Number) == 4 ? 0x1p-24 : P == Precision::bfloat16 ? 0x1p-8 : 0x1p-11;
    const double product_error = P == Precision::tensor_float32 ? 0x1p-10 : 0x1p-20;
    const auto worst = [&](const void* found, bool activated) {
        const std::vector<Number> values = runner.get(static_cast<const Number*>(found), sums.size());
        double most = 0;  // of the error that is allowed
        for (std::size_t i = 0; i < values.size(); ++i) {
            const long pixel = static_cast<long>(i) / outputs, channel = static_cast<long>(i) % outputs;
            const long y = pixel / p.width % p.height, image = pixel / (p.height * p.width), x = pixel % p.width;
            double value = sums[i];
            if (p.shift) value += shift[channel];
            if (p.residual)
                value += residual[((image * epilogue.residual_height + y * epilogue.residual_stride) *
                                       epilogue.residual_width +
                                   x * epilogue.residual_stride) *
                                      outputs +
                                  channel];
            if (p.relu) value = std::max(value, 0.0);
            if (activated) value = value * scale[channel] + scale[outputs + channel];
            if (activated && p.relu) value = std::max(value, 0.0);
            const double allowed = product_error * (magnitudes[i] + 3) + unit * (std::abs(value) + 0x1p-10);
            const double off = std::abs(double{cuda::to_float(values[i])} - value) / allowed;
            most = off > most || std::isnan(off) ? off : most;
        }
        return most;
    };
    if (p.target) CHECK(worst(epilogue.target, false) <= 1);
    if (p.activated) CHECK(worst(epilogue.activated, true) <= 1);
}

/// Problems that together execute all of a kernel: `Vector` channels are loaded at once.
template <Precision P, int Tile, int Vector, int OutputVector>
void compare_kernel() {
    constexpr int depth = 64 / detail::number_bytes(P);  // of a tile
    const cuda::ConvTile tile = cuda::conv_tile(P, Tile);
    const auto compare = [](const Problem& p) {
        CAPTURE(Tile);
        CAPTURE(Vector);
        CAPTURE(OutputVector);
        compare_conv<P, Tile, Vector, OutputVector>(p);
    };
    {  // a window and everything of the epilogue
        Problem p{.group_outputs = tile.outputs + OutputVector};
        p.terms[0] = {Vector * 3, 3, 1};
        p.residual = p.relu = p.activated = true;
        compare(p);
    }
    {  // a strided residual, and nothing else
        Problem p{.group_outputs = OutputVector};
        p.terms[0] = {Vector, 5, 2};
        p.shift = false;
        p.residual = p.strided_residual = true;
        compare(p);
    }
    {  // groups and splits
        Problem p{.group_outputs = OutputVector * 3, .groups = 2, .splits = 3};
        p.terms[0] = {depth, 3, 1};
        p.target = false;
        p.activated = p.relu = true;
        compare(p);
        p.target = p.residual = p.strided_residual = true;
        compare(p);
    }
    for (int tiles = 1; tiles <= tile.stages + 2; ++tiles) {
        CAPTURE(tiles);
        Problem p{.terms_used = 2, .group_outputs = OutputVector};
        p.terms[0] = {tiles * depth - Vector, 1, 1};
        p.terms[1] = {depth + Vector, 1, 2};
        compare(p);
    }
    {  // two terms, splits that begin in either, and more pixels than a block's
        Problem p{.terms_used = 2, .group_outputs = OutputVector, .splits = 4, .images = 5};
        p.terms[0] = {2 * depth, 1, 1};
        p.terms[1] = {2 * depth, 3, 1};
        compare(p);
    }
    {  // splits that have nothing to add
        Problem p{.group_outputs = OutputVector, .splits = 3};
        p.terms[0] = {2 * depth, 1, 1};
        compare(p);
    }
}

#if defined(__CUDACC__)
TEST_CASE("the convolution kernel in 32 bits") {
    compare_kernel<Precision::float32, 0, 4, 4>();
    compare_kernel<Precision::float32, 1, 4, 4>();
    compare_kernel<Precision::float32, 2, 4, 4>();
    compare_kernel<Precision::float32, 2, 2, 2>();
    compare_kernel<Precision::float32, 2, 1, 1>();
}
TEST_CASE("the convolution kernel in tensor floats") {
    compare_kernel<Precision::tensor_float32, 0, 4, 4>();
    compare_kernel<Precision::tensor_float32, 1, 4, 2>();
    compare_kernel<Precision::tensor_float32, 2, 2, 1>();
}
TEST_CASE("the convolution kernel in the upper halves of floats") {
    compare_kernel<Precision::bfloat16, 0, 8, 8>();
    compare_kernel<Precision::bfloat16, 1, 8, 8>();
    compare_kernel<Precision::bfloat16, 1, 4, 4>();
    compare_kernel<Precision::bfloat16, 2, 8, 4>();
    compare_kernel<Precision::bfloat16, 2, 2, 2>();
    compare_kernel<Precision::bfloat16, 2, 1, 1>();
}
TEST_CASE("the convolution kernel in half precision") {
    compare_kernel<Precision::float16, 0, 4, 4>();
    compare_kernel<Precision::float16, 2, 8, 8>();
}
#else
TEST_CASE("the convolution kernel in all precisions") {
    compare_kernel<Precision::float32, 2, 2, 2>();
    compare_kernel<Precision::bfloat16, 1, 8, 4>();
}
#endif

}  // namespace
