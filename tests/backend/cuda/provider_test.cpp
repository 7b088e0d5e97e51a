// Convolutions that libraries compute: who is chosen, what is asked of them, and that a network is right with them. The
// libraries' doubles compute naively, from the addresses they get.
#include <algorithm>
#include <optional>
#include <stdexcept>

#include <tenon/backend/cuda/libraries/provider_driver.hpp>
#include <tenon/engine/cuda_training.hpp>
#include <tenon/engine/cuda_training_runner.hpp>

#include "../../train/compare_gradients.hpp"
#include "emulate.hpp"

namespace {

using namespace tenon;
using cuda::ConvAddresses;
using cuda::ConvProblem;
using cuda::Provider;
using cuda::Providers;

constexpr ConvProblem problem(Precision precision, int images, int channels, int outputs, int kernel) {
    return {.precision = precision,
            .images = images,
            .channels = channels,
            .height = 28,
            .width = 28,
            .outputs = outputs,
            .result_height = 28,
            .result_width = 28,
            .kernel_height = kernel,
            .kernel_width = kernel,
            .top = kernel / 2,
            .left = kernel / 2};
}
constexpr Provider chosen(const ConvProblem& problem, Providers there = {true, true}) {
    return cuda::choose_provider(problem, there, 132);
}

static_assert(chosen(problem(Precision::bfloat16, 256, 128, 128, 3)) == Provider::cudnn);
static_assert(chosen(problem(Precision::bfloat16, 256, 512, 128, 1)) == Provider::cublaslt);
static_assert(chosen(problem(Precision::bfloat16, 256, 512, 128, 1), {false, true}) == Provider::own);
static_assert(chosen(problem(Precision::bfloat16, 256, 128, 128, 3), {true, false}) == Provider::own);
static_assert(chosen(problem(Precision::bfloat16, 1, 128, 128, 3)) == Provider::own);   // few tiles
static_assert(chosen(problem(Precision::float32, 256, 128, 128, 3)) == Provider::own);  // the CPU's answers
static_assert(chosen(problem(Precision::float16, 256, 124, 128, 3)) == Provider::own);  // no sixteen bytes at once
static_assert(chosen(problem(Precision::bfloat16, 256, 64, 128, 1)) == Provider::own);  // all bytes, few products

constexpr ConvProblem in_place(ConvProblem problem) {
    problem.residual = problem.in_place = true;
    return problem;
}
static_assert(chosen(in_place(problem(Precision::bfloat16, 256, 128, 128, 3))) == Provider::own);
static_assert(chosen(in_place(problem(Precision::bfloat16, 256, 512, 128, 1))) == Provider::cublaslt);
float memory[2];
constexpr bool is_in_place(const void* residual) {
    cuda::ConvArguments arguments{};
    arguments.terms[0].channels = arguments.terms[0].group_channels = arguments.group_outputs = 64;
    arguments.epilogue.residual = residual;
    arguments.epilogue.residual_stride = 1;
    arguments.epilogue.target = memory;
    return cuda::problem_of(Precision::bfloat16, arguments)->in_place;
}
static_assert(is_in_place(memory) && !is_in_place(memory + 1) && !is_in_place(nullptr));

constexpr ConvProblem weight_gradient(Precision precision, int channels, int outputs, int kernel) {
    ConvProblem gradient = problem(precision, 256, channels, outputs, kernel);
    gradient.direction = cuda::ConvDirection::weight_gradient;
    return gradient;
}
static_assert(chosen(weight_gradient(Precision::bfloat16, 512, 128, 1)) == Provider::cublaslt);
static_assert(chosen(weight_gradient(Precision::bfloat16, 64, 256, 1)) == Provider::own);   // all bytes
static_assert(chosen(weight_gradient(Precision::bfloat16, 128, 128, 3)) == Provider::own);  // cuDNN's has 16 bits
static_assert(chosen(weight_gradient(Precision::tensor_float32, 128, 128, 3)) == Provider::cudnn);
static_assert(chosen(weight_gradient(Precision::float32, 512, 128, 1)) == Provider::own);

/// A convolution in one thread.
template <class Number>
struct NaiveConvolution {
    static constexpr const char* name = "library's convolution";
    static constexpr int threads = 1;
    struct Arguments {
        ConvProblem problem;
        ConvAddresses addresses;
    };
    using Shared = cuda::Nothing;
    using Registers = cuda::Nothing;

    template <class Block>
    static void run(Block& block, const Arguments& arguments) {
        block.threads([&](int, Registers&) { compute(arguments.problem, arguments.addresses); });
    }
    static void compute(const ConvProblem& p, const ConvAddresses& at) {
        if (p.direction == cuda::ConvDirection::weight_gradient) return compute_weight_gradient(p, at);
        const auto* const source = static_cast<const Number*>(at.source);
        const auto* const weights = static_cast<const Number*>(at.weights);
        const auto* const residual = static_cast<const Number*>(at.residual);
        auto* const target = static_cast<Number*>(at.target);
        for (int pixel = 0; pixel < p.pixels(); ++pixel)
            for (int o = 0; o < p.outputs; ++o) {
                const int image = pixel / (p.result_height * p.result_width);
                const int y = pixel / p.result_width % p.result_height, x = pixel % p.result_width;
                float sum = 0;
                for (int ky = 0; ky < p.kernel_height; ++ky)
                    for (int kx = 0; kx < p.kernel_width; ++kx)
                        for (int c = 0; c < p.channels; ++c) {
                            const int sy = y * p.stride_height + ky - p.top, sx = x * p.stride_width + kx - p.left;
                            if (sy < 0 || sy >= p.height || sx < 0 || sx >= p.width) continue;
                            sum += cuda::to_float(source[((image * p.height + sy) * p.width + sx) * p.channels + c]) *
                                   cuda::to_float(
                                       weights[((o * p.kernel_height + ky) * p.kernel_width + kx) * p.channels + c]);
                        }
                if (p.residual) sum += cuda::to_float(residual[pixel * p.outputs + o]);
                if (p.bias) sum += cuda::to_float(static_cast<const Number*>(at.bias)[o]);
                target[pixel * p.outputs + o] = cuda::from_float<Number>(p.relu ? std::max(sum, 0.0f) : sum);
            }
    }
    static void compute_weight_gradient(const ConvProblem& p, const ConvAddresses& at) {
        const auto* const source = static_cast<const Number*>(at.source);
        const auto* const gradient = static_cast<const Number*>(at.target);
        auto* weights = static_cast<float*>(const_cast<void*>(at.weights));
        for (int o = 0; o < p.outputs; ++o)
            for (int ky = 0; ky < p.kernel_height; ++ky)
                for (int kx = 0; kx < p.kernel_width; ++kx)
                    for (int c = 0; c < p.channels; ++c) {
                        float sum = 0;
                        for (int pixel = 0; pixel < p.pixels(); ++pixel) {
                            const int image = pixel / (p.result_height * p.result_width);
                            const int y = pixel / p.result_width % p.result_height, x = pixel % p.result_width;
                            const int sy = y * p.stride_height + ky - p.top, sx = x * p.stride_width + kx - p.left;
                            if (sy < 0 || sy >= p.height || sx < 0 || sx >= p.width) continue;
                            sum += cuda::to_float(source[((image * p.height + sy) * p.width + sx) * p.channels + c]) *
                                   cuda::to_float(gradient[pixel * p.outputs + o]);
                        }
                        *weights++ = sum;
                    }
    }
};

/// What libraries do, and a record of what they were asked.
struct Doubles {
    Providers allowed() const { return {.cublaslt = true, .cudnn = true}; }
    bool prepare(Provider provider, const ConvProblem& problem, const cuda::EmulatedDriver&) {
        prepared.push_back(provider);
        return !(problem.residual && provider == refuses_residuals);
    }
    void run(Provider provider, const ConvProblem& problem, const ConvAddresses& addresses,
             cuda::EmulatedDriver& driver) {
        if (problem.kernel_height == 1 && provider == fails_products)
            throw std::out_of_range("a failure of another kind");
        ran.push_back(provider);
        if (problem.precision == Precision::bfloat16)
            driver.launch<NaiveConvolution<cuda::Number<Precision::bfloat16>>>({}, {problem, addresses});
        else
            driver.launch<NaiveConvolution<float>>({}, {problem, addresses});
    }

    std::vector<Provider> prepared, ran;
    static inline Provider refuses_residuals = Provider::own, fails_products = Provider::own;
};

/// On one multiprocessor the table leaves all to the libraries that has the depth.
struct Net : Network<Input<64, 6, 5>, Conv<64, Kernel<3>, Padding<1>, Bias>, ReLU,
                     Residual<Conv<64, Kernel<3>, Padding<1>>, Identity>, ReLU, Conv<256, Kernel<1>>,
                     Conv<64, Kernel<1>, Bias>, ReLU, Conv<64, Kernel<3>, Stride<2>, Padding<1>, Groups<2>>,
                     GlobalAvgPool, Linear<10>> {};

template <Precision P>
void check_net(const std::vector<Provider>& expected_prepared, const std::vector<Provider>& expected_ran,
               std::optional<cuda::ProviderCounts> expected_counts = {}) {
    using NetRunner = cuda::NetworkRunner<Net, P, cuda::ProviderDriver<cuda::EmulatedDriver, Doubles>>;
    Parameters<Net> parameters;
    parameters.seed(7);
    NetRunner runner{2, 1};
    runner.set_parameters(parameters.tensors());
    const std::vector<float> images = tenon_test::seeded_images<Net>(2);
    std::vector<float> results(20), again(20);
    runner.run(images.data(), results.data(), 2);
    CHECK(runner.driver().libraries().prepared == expected_prepared);
    CHECK(runner.driver().libraries().ran == expected_ran);
    if (expected_counts) CHECK(runner.driver().counts() == *expected_counts);
    const double unit = tenon_test::unit_of(P);
    tenon_test::check_close(results, tenon_test::reference_results(parameters, 2), 8 * unit);
    // The second run replays the graph; a batch of another size is recorded, and plans for it are made.
    runner.run(images.data(), again.data(), 2);
    CHECK(results == again);
    CHECK(runner.driver().libraries().ran.size() == expected_ran.size());
    runner.run(images.data(), again.data(), 1);
    CHECK(runner.driver().libraries().prepared.size() == 2 * expected_prepared.size());
    runner.run_observed(images.data(), again.data(), 2, [](int) {});
    CHECK(results == again);
}

TEST_CASE("a network with convolutions of libraries computes the same") {
    using enum Provider;
    // The linear layer's outputs are no multiple of sixteen bytes, the grouped convolution and shallow sums are
    // tenon's.
    check_net<Precision::bfloat16>({cudnn, cudnn, cublaslt}, {cudnn, cudnn, cublaslt});
    check_net<Precision::tensor_float32>({cudnn, cudnn, cublaslt}, {cudnn, cudnn, cublaslt});
    check_net<Precision::float32>({}, {});
}

/// The emulated driver of one multiprocessor, whatever an engine passes.
struct SmallDriver : cuda::EmulatedDriver {
    explicit SmallDriver(cuda::ChosenDevice) : EmulatedDriver{1} {}
};

/// A training iteration's gradients are those of the reference. Returns whom it asked.
template <class Net, Precision P>
std::vector<Provider> providers_of_training() {
    using Driver = cuda::ProviderDriver<SmallDriver, Doubles>;
    using Engine = cuda::TrainingEngine<Net, cuda::TrainingRunner<Net, P, Driver>>;
    Engine engine{4};
    tenon_test::compare_step(engine, tenon_test::TrainingData<Net>{3}, 4 * tenon_test::unit_of(P), false);
    return engine.runner().driver().libraries().ran;
}

TEST_CASE("libraries compute convolutions and both of their gradients in training") {
    struct Deep : Network<Input<64, 6, 5>, Conv<64, Kernel<3>, Padding<1>>, Sigmoid,
                          Conv<64, Kernel<3>, Padding<1>, Bias>, GlobalAvgPool, Linear<10>> {};
    struct Product : Network<Input<192, 4, 5>, Conv<256, Kernel<1>>, Sigmoid, Conv<192, Kernel<1>, Bias>, GlobalAvgPool,
                             Linear<10>> {};
    using enum Provider;
    // Two convolutions forward, then from the last: its weights, its source, the first one's weights.
    CHECK(providers_of_training<Deep, Precision::tensor_float32>() == std::vector{cudnn, cudnn, cudnn, cudnn, cudnn});
    // Of a depth of 192 the first convolution and the gradient of the source are tenon's.
    CHECK(providers_of_training<Product, Precision::bfloat16>() == std::vector{cublaslt, cublaslt, cublaslt});
}

TEST_CASE("what a library refuses stays tenon's, and it is asked once") {
    using enum Provider;
    Doubles::refuses_residuals = cudnn;
    check_net<Precision::bfloat16>({cudnn, cudnn, cublaslt}, {cudnn, cublaslt});
    Doubles::refuses_residuals = own;
}

TEST_CASE("what a library plans and cannot run is tenon's, and who computes what is counted") {
    using enum Provider;
    Doubles::fails_products = cublaslt;
    check_net<Precision::bfloat16>({cudnn, cudnn, cublaslt}, {cudnn, cudnn},
                                   cuda::ProviderCounts{.own = 4, .cublaslt = 0, .cudnn = 2});
    Doubles::fails_products = own;
}

}  // namespace
