// The other kernels in the emulator against the reference.
#include <algorithm>
#include <cmath>

#include <tenon/backend/cuda/training/norm.hpp>
#include <tenon/backend/cuda/training/pool_gradient.hpp>
#include <tenon/topology/channel_ops.hpp>

#include "../../support.hpp"
#include "emulate.hpp"
#include "kernel_runner.hpp"

namespace {

using namespace tenon;
using tenon_test::compare_both;
using tenon_test::compare_emulated;

TEST_CASE("pools with and without padding") {
    struct Max : Network<Input<20, 9, 8>, MaxPool<Kernel<3>, Stride<2>, Padding<1>>> {};
    struct MaxZero : Network<Input<20, 9, 8>, MaxPool<Kernel<3>, Stride<2>, Padding<1>, PadZero>> {};
    struct Average : Network<Input<20, 9, 8>, AvgPool<Kernel<3, 2>, Padding<1>>> {};
    struct AverageInside : Network<Input<21, 9, 8>, AvgPool<Kernel<5>, Padding<2>, PadExcluded>, ReLU> {};
    struct Asymmetric : Network<Input<22, 8, 8>, MaxPool<Kernel<3>, Stride<2>, Padding<0, 0, 1, 1>>> {};
    struct Odd : Network<Input<21, 9, 8>, MaxPool<Kernel<5>, Padding<2>>> {};
    struct Normed : Network<Input<20, 9, 8>, MaxPool<Kernel<2>>, BatchNorm, ReLU> {};
    compare_both<Max>();
    compare_emulated<MaxZero>();
    compare_emulated<Average>();
    compare_emulated<AverageInside>();
    compare_emulated<Asymmetric>();
    compare_emulated<Odd>();
    compare_emulated<Normed>();
}

TEST_CASE("global pools, flatten and linear layers") {
    struct Mean : Network<Input<20, 5, 6>, GlobalAvgPool, Linear<36>> {};
    struct Largest : Network<Input<40, 5, 6>, GlobalMaxPool, Linear<300, NoBias>, ReLU> {};
    struct Flat : Network<Input<24, 3, 2>, Conv<20, Kernel<3>, Padding<1>>, Flatten, Linear<12>> {};
    struct Norms : Network<Input<40>, Linear<20>, BatchNorm, ReLU, Dropout<>, Linear<8>> {};
    struct Identical : Network<Input<4, 5, 6>, Flatten> {};
    compare_emulated<Mean>({.batch = 7});
    compare_emulated<Largest>({.batch = 4});
    compare_both<Flat>();
    compare_emulated<Norms>();
    compare_emulated<Identical>();
}

TEST_CASE("norms, ReLUs and additions that nothing fuses") {
    struct NormFirst : Network<Input<5, 4, 3>, BatchNorm, ReLU> {};
    struct ReluFirst : Network<Input<5, 4, 3>, ReLU> {};
    struct Doubled : Network<Input<5, 4, 3>, Residual<Identity, Identity>, ReLU> {};
    struct Branches : Network<Input<5, 4, 3>, Residual<Sequential<BatchNorm, ReLU>, MaxPool<Kernel<1>>>, BatchNorm> {};
    compare_both<NormFirst>();
    compare_emulated<ReluFirst>();
    compare_emulated<Doubled>();
    compare_emulated<Branches>();
}

TEST_CASE("gates, scales and channels of zeros") {
    struct Gated : Network<Input<8, 5, 4>, Product<Identity, Sequential<Conv<8, Kernel<1>, Bias>, Sigmoid>>> {};
    struct Scaled : Network<Input<8, 5, 4>, Residual<Conv<8, Kernel<3>, Padding<1>>, Scale<1, 2>>> {};
    struct Padded : Network<Input<8, 5, 4>, PadChannels<11, Stride<2>>, ReLU> {};
    struct Exclusive
        : Network<Input<8, 5, 4>, GatedResidual<Conv<8, Kernel<3>, Padding<1>>, Identity, Conv<8, Kernel<1>, Bias>>> {};
    compare_emulated<Gated>();
    compare_emulated<Scaled>();
    compare_emulated<Padded>();
    compare_both<Exclusive>();
}

TEST_CASE("softmax, also of more classes than threads and when a linear layer reads it") {
    struct Probabilities : Network<Input<19>, Softmax> {};
    struct Many : Network<Input<1000>, Softmax> {};
    struct Reader : Network<Input<20>, Softmax, Linear<4>> {};
    compare_emulated<Probabilities>();
    compare_emulated<Many>();
    compare_emulated<Reader>();
}

/// Images in bytes, and the numbers that they stand for: the same results, bit for bit.
template <class Net, Precision P>
void compare_bytes() {
    constexpr Shape shape = input_shape<Net>;
    constexpr int batch = 5;
    const std::vector<float> scale{0.5f, 0.25f, 1.0f / 3, -1, 0.125f, -0.7f};  // and shifts
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(batch * shape.elements()));
    std::vector<float> numbers(bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(detail::random_bits(3, 4, i) % 256);
        const long place = static_cast<long>(i), channel = place % shape.channels;
        const long pixels = shape.pixels(), pixel = place / shape.channels % pixels;
        const long image = place / shape.elements();
        numbers[static_cast<std::size_t>((image * shape.channels + channel) * pixels + pixel)] =
            std::fma(static_cast<float>(bytes[i]), scale[static_cast<std::size_t>(channel)],
                     scale[static_cast<std::size_t>(shape.channels + channel)]);
    }
    Parameters<Net> parameters;
    parameters.seed(7);
    tenon_test::Emulated<Net, P> runner{2, 4};
    runner.set_parameters(parameters.tensors());
    std::vector<float> expected(static_cast<std::size_t>(batch * output_shape<Net>.elements())), found(expected.size());
    for (int i = 0; i < 2; ++i) {  // in turns, also with graphs that are there
        runner.run(numbers.data(), expected.data(), batch);
        std::ranges::fill(found, -1.0f);
        runner.run_bytes(bytes.data(), scale.data(), found.data(), batch);
        CHECK(tenon_test::same_bytes(found, expected));
    }
    const std::vector<float> other(6, 0.0f);
    runner.run_bytes(bytes.data(), other.data(), found.data(), batch);
    CHECK(!tenon_test::same_bytes(found, expected));
}

TEST_CASE("images in bytes: with and without a border") {
    struct Net : Network<Input<3, 9, 8>, Conv<8, Kernel<3>, Stride<2>, Padding<1>>, ReLU, GlobalAvgPool, Linear<4>> {};
    compare_bytes<Net, Precision::float32>();
    compare_bytes<Net, Precision::bfloat16>();
    compare_bytes<Net, Precision::float16>();
}

/// The gradient of a maximum over windows of 5 x 5, of a few whole numbers, many of which are alike. The gradients are
/// whole numbers too, so all sums are exact in any precision.
template <class Number, int Count>
void compare_max_gradient(int stride, bool pad_counts) {
    constexpr int images = 2, height = 7, width = 6, channels = 3 * Count, kernel = 5, padding = 2;
    const int rows = (height - 1) / stride + 1, columns = (width - 1) / stride + 1;
    const auto whole = [](std::size_t count, std::uint64_t stream) {
        std::vector<Number> values(count);
        for (std::size_t i = 0; i < count; ++i)
            values[i] = cuda::from_float<Number>(
                std::floor(static_cast<float>(detail::uniform(detail::random_bits(3, stream, i), -4, 4))));
        return values;
    };
    const auto source = whole(std::size_t{images} * height * width * channels, 1), sum = whole(source.size(), 2);
    const auto gradient = whole(static_cast<std::size_t>(images * rows * columns * channels), 3);
    std::vector<float> expected(source.size());
    for (std::size_t i = 0; i < sum.size(); ++i) expected[i] = cuda::to_float(sum[i]);
    const auto at = [](int image, int y, int x, int channel) {
        return static_cast<std::size_t>(((image * height + y) * width + x) * channels + channel);
    };
    for (std::size_t window = 0; window < gradient.size(); ++window) {
        const int place = static_cast<int>(window), channel = place % channels, column = place / channels % columns;
        const int row = place / channels / columns % rows, image = place / channels / columns / rows;
        float largest = -1000;
        std::size_t found = source.size();  // padding
        for (int y = row * stride - padding; y < row * stride - padding + kernel; ++y)
            for (int x = column * stride - padding; x < column * stride - padding + kernel; ++x) {
                const bool valid = y >= 0 && y < height && x >= 0 && x < width;
                const float value = valid ? cuda::to_float(source[at(image, y, x, channel)]) : 0.0f;
                if ((!valid && !pad_counts) || value <= largest) continue;
                largest = value;
                found = valid ? at(image, y, x, channel) : source.size();
            }
        if (found < source.size()) expected[found] += cuda::to_float(gradient[window]);
    }
    tenon_test::KernelRunner runner;
    cuda::PoolGradientBody<Number, Count> body{};
    body.count = static_cast<long>(source.size()) / Count;
    body.source = runner.put(source);
    body.gradient = runner.put(gradient);
    body.sum = runner.put(sum);
    body.target = runner.template room<Number>(source.size());
    body.channels = channels;
    body.height = height;
    body.width = width;
    body.result_height = rows;
    body.result_width = columns;
    body.kernel_height = body.kernel_width = kernel;
    body.stride_height = body.stride_width = stride;
    body.top = body.left = padding;
    body.pad_counts = pad_counts;
    using Kernel = cuda::MapKernel<cuda::PoolGradientBody<Number, Count>>;
    runner.template run<Kernel>(Kernel::grid(body), body);
    const std::vector<Number> found = runner.get(body.target, source.size());
    for (std::size_t i = 0; i < found.size(); ++i)
        if (cuda::to_float(found[i]) != expected[i]) {
            CAPTURE(i);
            CHECK(cuda::to_float(found[i]) == expected[i]);
            return;
        }
}

/// Means and squared distances of the chunks of a map of one channel and of three, of more pixels than threads load at
/// once, which end within what they load.
void compare_statistics(int channels) {
    constexpr long pixels = 2600;
    cuda::ChannelChunks chunks{pixels, channels, 1};
    chunks.chunks = 2;
    std::vector<float> source(static_cast<std::size_t>(pixels * channels));
    for (std::size_t i = 0; i < source.size(); ++i)
        source[i] = static_cast<float>(detail::uniform(detail::random_bits(3, 6, i), -1, 1));
    tenon_test::KernelRunner runner;
    using Kernel = cuda::StatisticsKernel<float, 1>;
    Kernel::Arguments arguments{};
    arguments.chunks = chunks;
    arguments.partials = runner.room<float>(static_cast<std::size_t>(4 * channels));
    arguments.source = runner.put(source);
    runner.run<Kernel>(chunks.grid(1), arguments);
    const std::vector<float> found = runner.get(arguments.partials, static_cast<std::size_t>(4 * channels));
    for (int chunk = 0; chunk < 2; ++chunk)
        for (int channel = 0; channel < channels; ++channel) {
            const auto value = [&](long pixel) {
                return double{source[static_cast<std::size_t>(pixel * channels + channel)]};
            };
            const long begin = chunks.begin(chunk), end = chunks.begin(chunk + 1);
            double mean = 0, squares = 0;
            for (long pixel = begin; pixel < end; ++pixel) mean += value(pixel) / static_cast<double>(end - begin);
            for (long pixel = begin; pixel < end; ++pixel) squares += (value(pixel) - mean) * (value(pixel) - mean);
            const auto first = static_cast<std::size_t>(2 * chunk * channels + channel);
            CHECK(std::abs(double{found[first]} - mean) < 1e-6);
            CHECK(double{found[first + static_cast<std::size_t>(channels)]} == doctest::Approx(squares).epsilon(1e-5));
        }
}

TEST_CASE("statistics of channels that are loaded one by one") {
    compare_statistics(1);
    compare_statistics(3);
}

/// Maxima and means over windows of 5 x 5 that reach over all edges, of whole numbers.
template <class Number, int Count>
void compare_pool(bool average, bool pad_counts) {
    constexpr int height = 7, width = 6, channels = 3 * Count, kernel = 5, padding = 2;
    std::vector<Number> source(std::size_t{height} * width * channels);
    for (std::size_t i = 0; i < source.size(); ++i)
        source[i] = cuda::from_float<Number>(
            std::floor(static_cast<float>(detail::uniform(detail::random_bits(3, 5, i), -4, 4))));
    tenon_test::KernelRunner runner;
    cuda::PoolBody<Number, Count> body{};
    body.count = static_cast<long>(source.size()) / Count;
    body.source = runner.put(source);
    body.height = body.epilogue.height = height;
    body.width = body.epilogue.width = width;
    body.kernel_height = body.kernel_width = kernel;
    body.top = body.left = padding;
    body.average = average;
    body.pad_counts = pad_counts;
    body.epilogue.channels = channels;
    auto* const target = runner.template room<Number>(source.size());
    body.epilogue.target = target;
    using Kernel = cuda::MapKernel<cuda::PoolBody<Number, Count>>;
    runner.template run<Kernel>(Kernel::grid(body), body);
    const std::vector<Number> found = runner.get(target, source.size());
    int wrong = 0;
    for (int i = 0; i < height * width * channels; ++i) {
        const int channel = i % channels, x = i / channels % width, y = i / channels / width;
        float sum = 0, largest = pad_counts && (y < 2 || x < 2 || y > height - 3 || x > width - 3) ? 0.0f : -1000.0f;
        int counted = 0;
        for (int sy = std::max(y - padding, 0); sy < std::min(y - padding + kernel, height); ++sy)
            for (int sx = std::max(x - padding, 0); sx < std::min(x - padding + kernel, width); ++sx) {
                const float value =
                    cuda::to_float(source[static_cast<std::size_t>((sy * width + sx) * channels + channel)]);
                sum += value;
                largest = std::max(largest, value);
                ++counted;
            }
        const float expected = average ? sum / static_cast<float>(pad_counts ? kernel * kernel : counted) : largest;
        wrong +=
            cuda::to_float(found[static_cast<std::size_t>(i)]) != cuda::to_float(cuda::from_float<Number>(expected));
    }
    CHECK(wrong == 0);
}

TEST_CASE("maxima and means over large windows") {
    for (const bool average : {false, true})
        for (const bool pad_counts : {false, true}) {
            compare_pool<float, 1>(average, pad_counts);
            compare_pool<float, 4>(average, pad_counts);
            compare_pool<cuda::BFloat16, 4>(average, pad_counts);
            compare_pool<cuda::Number<Precision::float16>, 4>(average, pad_counts);
        }
}

TEST_CASE("the gradient of a maximum over large windows, of numbers that are often alike") {
    for (const bool pad_counts : {false, true}) {
        compare_max_gradient<cuda::BFloat16, 4>(2, pad_counts);
        compare_max_gradient<cuda::Number<Precision::float16>, 4>(1, pad_counts);
        compare_max_gradient<float, 1>(2, pad_counts);
        compare_max_gradient<float, 4>(2, pad_counts);
    }
}

TEST_CASE("a NaN is not hidden by a ReLU, a pool or a convolution") {
    struct Net : Network<Input<1, 4, 4>, Conv<2, Kernel<3>, Padding<1>>, ReLU, MaxPool<Kernel<2>>, GlobalMaxPool> {};
    Parameters<Net> parameters;
    parameters.seed(1);
    tenon_test::Emulated<Net, Precision::float32> runner{1, 4};
    runner.set_parameters(parameters.tensors());
    std::vector<float> image(16, 0.5f), result(2);
    runner.run(image.data(), result.data(), 1);
    CHECK(std::isfinite(result[0]));
    image[5] = std::numeric_limits<float>::quiet_NaN();
    runner.run(image.data(), result.data(), 1);
    CHECK(std::isnan(result[0]));
}

}  // namespace
