// Kernels of products alone against sums in double, on problems that networks rarely pose: two terms of which each ends
// at another tile of the depth, strided residuals, everything of the epilogue, ragged edges.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/core/random.hpp>

#include "../../support.hpp"
#include "product_kernels.hpp"

namespace tenon_test::products {

namespace cuda = tenon::cuda;
using tenon::Precision;

constexpr std::size_t place(long i) { return static_cast<std::size_t>(i); }

/// Calls f.template operator()<P>() for a precision.
template <class F>
void with_precision(Precision precision, const F& f) {
    if (precision == Precision::float32) f.template operator()<Precision::float32>();
    if (precision == Precision::tensor_float32) f.template operator()<Precision::tensor_float32>();
    if (precision == Precision::bfloat16) f.template operator()<Precision::bfloat16>();
    if (precision == Precision::float16) f.template operator()<Precision::float16>();
}

/// Numbers between -1 and 1, and the same in double.
template <class Number>
struct Values {
    std::vector<Number> numbers;
    Values(std::size_t count, std::uint64_t stream) : numbers(count) {
        for (std::size_t i = 0; i < count; ++i)
            numbers[i] = cuda::from_float<Number>(
                static_cast<float>(tenon::detail::uniform(tenon::detail::random_bits(5, stream, i), -1, 1)));
    }
    double operator[](long i) const { return double{cuda::to_float(numbers[place(i)])}; }
};

/// One term: channels of a group, the window.
struct TermSizes {
    int group_channels = 8, kernel = 1, stride = 1;
};

/// A convolution. The result has 5 x 6 pixels.
struct Problem {
    TermSizes terms[2]{};
    int terms_used = 1, group_outputs = 8, groups = 1, splits = 1;
    bool shift = true, residual = false, strided_residual = false, relu = false, target = true, activated = false;
    int images = 2;
    static constexpr int height = 5, width = 6;
};

/// Checks that the blocks that come last add the splits to the same bits as a launch of its own did, as often as they
/// are asked.
template <class Number>
void compare_ticket(KernelRunner& runner, const ConvEntry& kernel, cuda::ConvArguments arguments) {
    cuda::EpilogueArguments& epilogue = arguments.epilogue;
    const std::size_t size = place(long{arguments.pixels} * epilogue.channels), tickets = size;  // more than tiles
    const auto same = [&](const void* first, const void* second) {
        const std::vector<Number> one = runner.get(static_cast<const Number*>(first), size);
        const std::vector<Number> other = runner.get(static_cast<const Number*>(second), size);
        return std::memcmp(one.data(), other.data(), size * sizeof(Number)) == 0;
    };
    arguments.tickets = runner.put(std::vector<unsigned>(tickets, 0));
    void *const target = epilogue.target, *const activated = epilogue.activated;
    for (int i = 0; i < 2; ++i) {
        if (target) epilogue.target = runner.room<Number>(size);
        if (activated) epilogue.activated = runner.room<Number>(size);
        kernel.run(runner, arguments);
        CHECK((!target || same(target, epilogue.target)));
        CHECK((!activated || same(activated, epilogue.activated)));
        CHECK(runner.get(arguments.tickets, tickets) == std::vector<unsigned>(tickets, 0));
    }
}

/// Runs the kernel and compares with sums in double, which are not rounded before the end. A tensor core rounds tensor
/// floats to 11 bits; a sum of d products is rounded d times in 24 bits; results are rounded to their type.
template <Precision P>
void compare_conv(const ConvEntry& kernel, const Problem& p) {
    using Number = cuda::Number<P>;
    KernelRunner runner;
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
        const Values<Number> source(place(long{p.images} * term.height * term.width * term.channels),
                                    static_cast<std::uint64_t>(1 + 2 * t));
        const Values<Number> weights(place(long{outputs} * term.depth), static_cast<std::uint64_t>(2 + 2 * t));
        term.source = runner.put(source.numbers);
        term.weights = runner.put(weights.numbers);
        for (int pixel = 0; pixel < pixels; ++pixel)
            for (int k = 0; k < p.groups * term.depth; ++k) {
                const int group = k / term.depth, inside = k % term.depth, tap = inside / term.group_channels;
                const int image = pixel / (p.height * p.width);
                const int y = pixel / p.width % p.height * sizes.stride + tap / sizes.kernel - term.top;
                const int x = pixel % p.width * sizes.stride + tap % sizes.kernel - term.left;
                if (y < 0 || y >= term.height || x < 0 || x >= term.width) continue;
                const double factor = source[((long{image} * term.height + y) * term.width + x) * term.channels +
                                             group * term.group_channels + inside % term.group_channels];
                for (int output = group * p.group_outputs; output < (group + 1) * p.group_outputs; ++output) {
                    const double product = weights[long{output} * term.depth + inside] * factor;
                    sums[place(long{pixel} * outputs + output)] += product;
                    magnitudes[place(long{pixel} * outputs + output)] += std::abs(product);
                }
            }
    }
    arguments.pixels = pixels;
    arguments.height = p.height;
    arguments.width = p.width;
    arguments.groups = p.groups;
    arguments.group_outputs = p.group_outputs;
    arguments.splits = p.splits;
    arguments.partials = runner.room<float>(sums.size() * place(p.splits));

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
    if (p.target) epilogue.target = runner.room<Number>(sums.size());
    if (p.activated) {
        epilogue.scale = runner.put(scale.numbers);
        epilogue.activated = runner.room<Number>(sums.size());
    }
    kernel.run(runner, arguments);
    if (p.splits > 1) compare_ticket<Number>(runner, kernel, arguments);

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

inline void compare_conv(const ConvEntry& kernel, const Problem& problem) {
    CAPTURE(kernel.spec.tile_pixels);
    CAPTURE(kernel.spec.vector);
    CAPTURE(kernel.spec.output_vector);
    CAPTURE(problem.terms[0].group_channels);
    CAPTURE(problem.splits);
    with_precision(kernel.spec.precision, [&]<Precision P>() { compare_conv<P>(kernel, problem); });
}

/// Problems that together execute all code of a convolution's kernel, in little time.
inline std::vector<Problem> conv_problems(const cuda::ConvSpec& spec) {
    const int depth = spec.depth_bytes / tenon::detail::number_bytes(spec.precision);  // of a tile
    const int vector = spec.vector, pack = spec.output_vector;
    std::vector<Problem> all;
    {  // a window and everything of the epilogue
        Problem& p = all.emplace_back();
        p.group_outputs = 3 * pack;
        p.terms[0] = {vector * 3, 3, 1};
        p.residual = p.relu = p.activated = true;
    }
    {  // a strided residual, and nothing else
        Problem& p = all.emplace_back();
        p.group_outputs = pack;
        p.terms[0] = {vector, 5, 2};
        p.shift = false;
        p.residual = p.strided_residual = true;
    }
    {  // groups and splits
        Problem& p = all.emplace_back();
        p.group_outputs = 3 * pack;
        p.groups = 2;
        p.splits = 11;  // loops over them are unrolled by four, twice
        p.terms[0] = {depth, 3, 1};
        p.residual = p.strided_residual = p.activated = p.relu = true;
    }
    {  // two terms, each of which ends within a tile of the depth
        Problem& p = all.emplace_back();
        p.terms_used = 2;
        p.group_outputs = pack;
        p.terms[0] = {2 * depth - vector, 1, 1};
        p.terms[1] = {depth + vector, 1, 2};
    }
    {  // two terms, splits that begin in either, and more pixels than a block's
        Problem& p = all.emplace_back();
        p.terms_used = 2;
        p.group_outputs = pack;
        p.splits = 4;
        p.images = 5;
        p.terms[0] = {2 * depth, 1, 1};
        p.terms[1] = {2 * depth, 3, 1};
    }
    return all;
}

/// The same, and depths that fill any number of a kernel's stages, results of several tiles, splits without work.
inline std::vector<Problem> edge_problems(const cuda::ConvSpec& spec) {
    const int depth = spec.depth_bytes / tenon::detail::number_bytes(spec.precision);  // of a tile
    std::vector<Problem> all = conv_problems(spec);
    all[0].group_outputs = spec.tile_outputs + spec.output_vector;
    Problem second = all[2];  // groups and splits, and only the second result
    second.target = second.residual = second.strided_residual = false;
    all.push_back(second);
    for (int tiles = 1; tiles <= spec.stages + 2; ++tiles) {
        if (tiles == 2) continue;  // is among them
        Problem& p = all.emplace_back();
        p.terms_used = 2;
        p.group_outputs = spec.output_vector;
        p.terms[0] = {tiles * depth - spec.vector, 1, 1};
        p.terms[1] = {depth + spec.vector, 1, 2};
    }
    Problem& idle = all.emplace_back();  // of its splits one has nothing to add
    idle.group_outputs = spec.output_vector;
    idle.splits = 3;
    idle.terms[0] = {2 * depth, 1, 1};
    return all;
}

/// The convolution whose weights' gradient is computed: two groups, odd maps, a stride, a window that reaches over all
/// edges.
struct GradientSizes {
    int inputs, outputs;  ///< of a group
    static constexpr int images = 3, groups = 2, height = 9, width = 8, rows = 5, columns = 8, kernel = 3;
    static constexpr int stride_height = 2, stride_width = 1, padding = 1;
};

/// Compares the gradient with sums in double, for each number of splits, and with itself where the blocks that come
/// last add the splits.
template <Precision P>
void compare_weight_gradient(const WeightGradientEntry& kernel, GradientSizes s, const std::vector<int>& all_splits) {
    using Number = cuda::Number<P>;
    const int channels = s.groups * s.inputs, results = s.groups * s.outputs, taps = s.kernel * s.kernel;
    const Values<Number> source(place(long{s.images} * s.height * s.width * channels), 1);
    const Values<Number> gradient(place(long{s.images} * s.rows * s.columns * results), 2);
    std::vector<double> expected(place(long{results} * s.inputs * taps));
    for (int group = 0; group < s.groups; ++group)
        for (int i = 0; i < s.inputs; ++i)
            for (int tap = 0; tap < taps; ++tap)
                for (int pixel = 0; pixel < s.images * s.rows * s.columns; ++pixel) {
                    const int image = pixel / (s.rows * s.columns), row = pixel / s.columns % s.rows;
                    const int y = row * s.stride_height + tap / s.kernel - s.padding;
                    const int x = pixel % s.columns * s.stride_width + tap % s.kernel - s.padding;
                    if (y < 0 || y >= s.height || x < 0 || x >= s.width) continue;
                    const double factor =
                        source[((long{image} * s.height + y) * s.width + x) * channels + group * s.inputs + i];
                    for (int o = group * s.outputs; o < (group + 1) * s.outputs; ++o)
                        expected[place((long{o} * s.inputs + i) * taps + tap)] +=
                            factor * gradient[long{pixel} * results + o];
                }

    for (const int splits : all_splits) {
        CAPTURE(splits);
        KernelRunner runner;
        cuda::WeightGradientArguments arguments{};
        arguments.source = runner.put(source.numbers);
        arguments.gradient = runner.put(gradient.numbers);
        arguments.partials = runner.room<float>(place(long{splits} * results * taps * s.inputs));
        arguments.channels = channels;
        arguments.group_channels = s.inputs;
        arguments.height = s.height;
        arguments.width = s.width;
        arguments.kernel_width = s.kernel;
        arguments.stride_height = s.stride_height;
        arguments.stride_width = s.stride_width;
        arguments.top = arguments.left = s.padding;
        arguments.columns = taps * s.inputs;
        arguments.result_height = s.rows;
        arguments.result_width = s.columns;
        arguments.pixels = s.images * s.rows * s.columns;
        arguments.group_outputs = s.outputs;
        arguments.groups = s.groups;
        arguments.splits = splits;
        arguments.layout = {.row = s.inputs, .channels = s.inputs, .inputs = s.inputs, .taps = taps};
        kernel.run(runner, arguments);
        cuda::SumWeightGradientBody body{};
        body.count = static_cast<long>(results) * arguments.columns;
        body.partials = arguments.partials;
        body.weights = runner.room<float>(expected.size());
        body.splits = splits;
        body.columns = arguments.columns;
        body.layout = arguments.layout;
        using Sum = cuda::MapKernel<cuda::SumWeightGradientBody>;
        runner.run<Sum>(Sum::grid(body), body);
        const std::vector<float> found = runner.get(body.weights, expected.size());
        // The same bits from the blocks that come last, which leave the counters as they were.
        const std::size_t tickets = expected.size();  // more than tiles
        arguments.tickets = runner.put(std::vector<unsigned>(tickets, 0));
        arguments.weights = runner.room<float>(expected.size());
        kernel.run(runner, arguments);
        CHECK(same_bytes(runner.get(arguments.weights, expected.size()), found));
        CHECK(runner.get(arguments.tickets, tickets) == std::vector<unsigned>(tickets, 0));
        double worst = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const double off = std::abs(double{found[i]} - expected[i]);
            worst = off > worst || std::isnan(off) ? off : worst;
        }
        // Products of numbers of at most 11 bits are exact in a float; tensor floats are rounded once more.
        CHECK(worst < (P == Precision::tensor_float32 ? 0x1p-7 : 0x1p-17));
    }
}

inline void compare_weight_gradient(const WeightGradientEntry& kernel, GradientSizes sizes,
                                    const std::vector<int>& splits) {
    CAPTURE(kernel.spec.tile_outputs);
    CAPTURE(kernel.spec.vector);
    CAPTURE(kernel.spec.output_vector);
    with_precision(kernel.spec.precision, [&]<Precision P>() { compare_weight_gradient<P>(kernel, sizes, splits); });
}

}  // namespace tenon_test::products
