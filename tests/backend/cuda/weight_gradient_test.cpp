// The kernel of weight gradients in all precisions, with every tile and number of splits, against sums in double.
#include <cmath>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/backend/cuda/kernels/sum_splits.hpp>
#include <tenon/backend/cuda/training/weight_gradient.hpp>
#include <tenon/core/random.hpp>

#include "kernel_runner.hpp"

namespace {

using namespace tenon;

// Several splits never make more blocks than run at once, which the memory for their sums relies on.
static_assert([] {
    for (const Precision precision : {Precision::float32, Precision::bfloat16})
        for (const long pixels : {1L, 49L, 12544L, 802816L})
            for (const int outputs : {3, 64, 512, 2048})
                for (const int columns : {3, 64, 147, 4608}) {
                    const auto choice = cuda::choose_weight_gradient(precision, pixels, outputs, columns, 1, 132);
                    const auto spec = cuda::weight_gradient_spec(precision, choice.tile, 1, 1);
                    const long blocks =
                        cuda::blocks_of(outputs, spec.tile_outputs) * cuda::blocks_of(columns, spec.tile_columns);
                    if (choice.splits < 1 || (choice.splits > 1 && blocks * choice.splits > 2 * 132)) return false;
                    if (1L * outputs * columns * choice.splits >
                        cuda::weight_gradient_floats(precision, 1L * outputs * columns, 132))
                        return false;
                }
    return true;
}());

/// A convolution's sizes: two groups, odd maps, a stride, a window that reaches over all edges.
struct Sizes {
    int inputs, outputs;  ///< of a group
    static constexpr int images = 3, groups = 2, height = 9, width = 8, rows = 5, columns = 8, kernel = 3;
    static constexpr int stride_height = 2, stride_width = 1, padding = 1;
};

/// Compares the gradient with sums in double.
template <Precision P, int Tile, int Vector, int OutputVector>
void compare_weight_gradient(Sizes s) {
    using Kernel = cuda::WeightGradientKernel<cuda::weight_gradient_spec(P, Tile, Vector, OutputVector)>;
    using Number = cuda::Number<P>;
    const auto at = [](long i) { return static_cast<std::size_t>(i); };
    const auto draw = [](std::uint64_t stream, std::size_t i) {
        return cuda::from_float<Number>(static_cast<float>(detail::uniform(detail::random_bits(3, stream, i), -1, 1)));
    };
    const int channels = s.groups * s.inputs, results = s.groups * s.outputs, taps = s.kernel * s.kernel;
    std::vector<Number> source(at(s.images * s.height * s.width * channels));
    std::vector<Number> gradient(at(s.images * s.rows * s.columns * results));
    for (std::size_t i = 0; i < source.size(); ++i) source[i] = draw(1, i);
    for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = draw(2, i);

    std::vector<double> expected(at(results * s.inputs * taps));
    for (int o = 0; o < results; ++o)
        for (int i = 0; i < s.inputs; ++i)
            for (int tap = 0; tap < taps; ++tap)
                for (int pixel = 0; pixel < s.images * s.rows * s.columns; ++pixel) {
                    const int image = pixel / (s.rows * s.columns), row = pixel / s.columns % s.rows;
                    const int y = row * s.stride_height + tap / s.kernel - s.padding;
                    const int x = pixel % s.columns * s.stride_width + tap % s.kernel - s.padding;
                    if (y < 0 || y >= s.height || x < 0 || x >= s.width) continue;
                    const long from = ((image * s.height + y) * s.width + x) * channels + o / s.outputs * s.inputs + i;
                    expected[at((o * s.inputs + i) * taps + tap)] +=
                        double{cuda::to_float(source[at(from)])} *
                        double{cuda::to_float(gradient[at(pixel * results + o)])};
                }

    for (const int splits : {1, 2, 5, 40}) {  // there are fewer than 40 tiles
        CAPTURE(splits);
        tenon_test::KernelRunner runner;
        cuda::WeightGradientArguments arguments{};
        arguments.source = runner.put(source);
        arguments.gradient = runner.put(gradient);
        arguments.partials = runner.template room<float>(at(splits * results * taps * s.inputs));
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
        std::vector<float> result[2];
        for (std::uint64_t order = 0; order < 2; ++order) {
            runner.template run<Kernel>(Kernel::grid(arguments), arguments);
            cuda::SumWeightGradientBody body{};
            body.count = static_cast<long>(results) * arguments.columns;
            body.partials = arguments.partials;
            body.gradient = runner.template room<float>(expected.size());
            body.splits = splits;
            body.columns = arguments.columns;
            body.group_channels = body.inputs = s.inputs;
            using Sum = cuda::MapKernel<cuda::SumWeightGradientBody>;
            runner.template run<Sum>(Sum::grid(body), body);
            result[order] = runner.get(body.gradient, expected.size());
        }
        CHECK(std::memcmp(result[0].data(), result[1].data(), expected.size() * sizeof(float)) == 0);
        double worst = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const double off = std::abs(double{result[0][i]} - expected[i]);
            worst = off > worst || std::isnan(off) ? off : worst;
        }
        // Products of numbers of at most 11 bits are exact in a float; tensor floats are rounded once more.
        CHECK(worst < (P == Precision::tensor_float32 ? 0x1p-7 : 0x1p-17));
    }
}

TEST_CASE("weight gradients in 32 bits") {
    compare_weight_gradient<Precision::float32, 0, 4, 4>({8, 132});
    compare_weight_gradient<Precision::float32, 1, 1, 2>({7, 10});
}
TEST_CASE("weight gradients in tensor floats") {
    compare_weight_gradient<Precision::tensor_float32, 0, 4, 4>({16, 68});
    compare_weight_gradient<Precision::tensor_float32, 1, 2, 1>({6, 9});
}
TEST_CASE("weight gradients in 16 bits") {
    compare_weight_gradient<Precision::bfloat16, 0, 8, 8>({16, 136});
    compare_weight_gradient<Precision::bfloat16, 1, 1, 2>({5, 70});
    compare_weight_gradient<Precision::float16, 1, 8, 1>({16, 3});
}

}  // namespace
