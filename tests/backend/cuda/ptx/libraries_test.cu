// Libraries on a machine without a device: cuBLASLt's place is taken by cublaslt_double.cpp, cuDNN is missing.
#include <cmath>
#include <cstdlib>

#include <dlfcn.h>

#include <tenon/cuda.hpp>
#include <tenon/engine/cuda_training.hpp>

#include "../../../support.hpp"
#include "../emulate.hpp"
#include "runtime.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;

struct Counts {
    int created, destroyed, planned, misaligned, multiplied, misplaced, gradients;
};
/// The double's calls so far. Does not load it.
bool find_counts(Counts& counts) {
    void* const library = dlopen("libcublasLt.so.13", RTLD_NOW | RTLD_NOLOAD);
    if (!library) return false;
    auto* const get = reinterpret_cast<void (*)(Counts*)>(dlsym(library, "double_counts"));
    REQUIRE((get != nullptr));
    get(&counts);
    return true;
}

/// On one multiprocessor, the first product is one for cuBLASLt, the window one for cuDNN.
struct Net : Network<Input<256, 7, 6>, Conv<256, Kernel<1>, Bias>, ReLU, Conv<64, Kernel<3>, Padding<1>>, ReLU,
                     GlobalAvgPool, Linear<10>> {};

template <Precision P>
cuda::ProviderCounts run_network(int device = 0) {
    cuda::NetworkRunner<Net, P, cuda::ProviderDriver<tenon_test::TestedDriver, cuda::DeviceLibraries>> runner{
        4, 1, cuda::ChosenDevice{device}};
    Parameters<Net> parameters;
    parameters.seed(7);
    runner.set_parameters(parameters.tensors());
    const std::vector<float> images = tenon_test::seeded_images<Net>(4);
    std::vector<float> results(40), again(40);
    // Without a graph, whose recording makes the device current: what is planned here is another problem.
    if (device != 0) runner.run_observed(images.data(), results.data(), 3, [](int) {});
    runner.run(images.data(), results.data(), 4);
    runner.run(images.data(), again.data(), 4);
    tenon_test::check_close(results, tenon_test::reference_results(parameters, 4), 8 * tenon_test::unit_of(P));
    CHECK(results == again);
    return runner.driver().counts();
}

TEST_CASE("libraries: loaded when a convolution wants one, once; what they cannot run is tenon's") {
    Counts counts{};
    run_network<Precision::float32>();
    CHECK_FALSE(find_counts(counts));
    for (int model = 1; model <= 2; ++model) {
        CHECK(run_network<Precision::bfloat16>() == cuda::ProviderCounts{.own = 3, .cublaslt = 0, .cudnn = 0});
        REQUIRE(find_counts(counts));
        CHECK(counts.created == 1);
        CHECK(counts.destroyed == 0);
        CHECK(counts.planned == model);
        CHECK(counts.misaligned == 0);
        CHECK(counts.multiplied == model);  // planned, then failed once: not asked again
    }
    const std::size_t before = ptx::runtime_allocations();
    run_network<Precision::bfloat16>(1);
    CHECK(ptx::runtime_allocations() == before);  // what is released is released on its device
    REQUIRE(find_counts(counts));
    CHECK(counts.created == 2);  // a handle for each device
    CHECK(counts.multiplied == 4);
    CHECK(counts.misplaced == 0);
    const cuda::LibraryState found = cuda::LoadedLibraries::of_process().state(cuda::Provider::cublaslt);
    CHECK(found.missing.empty());
    CHECK(found.version == 130100);
    CHECK(contains(found.file, "libcublasLt.so.13"));
}

TEST_CASE("a device that the process has not used is not made current again") {
    const auto current = [] {
        int device = -1;
        cudaGetDevice(&device);
        return device;
    };
    const auto after_a_call = [&] {
        cudaSetDevice(0);
        { const cuda::DeviceSelection selection{1}; }
        return current();
    };
    CHECK(after_a_call() == 0);
    void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    REQUIRE((driver != nullptr));
    auto* const set_used = reinterpret_cast<void (*)(int, bool)>(dlsym(driver, "double_set_used"));
    REQUIRE((set_used != nullptr));
    set_used(0, false);
    CHECK(after_a_call() == 1);
    set_used(0, true);
    CHECK(after_a_call() == 0);
}

TEST_CASE("libraries: training asks them too") {
    struct Product : Network<Input<256, 16, 8>, Conv<256, Kernel<1>>, GlobalAvgPool, Linear<10>> {};
    using Engine = cuda::TrainingEngine<Product, cuda::TrainingDevice<Product, Precision::bfloat16>>;
    cuda::LoadedLibraries::of_process().cublaslt();
    Counts before{}, after{};
    REQUIRE(find_counts(before));
    Engine engine{4};
    engine.parameters().seed(1);
    const std::vector<float> images = tenon_test::seeded_images<Product>(4);
    const std::vector<int> labels{0, 3, 5, 9};
    const double loss = engine.forward_backward(images, std::span<const int>(labels)).loss;
    CHECK(std::isfinite(loss));
    REQUIRE(find_counts(after));
    CHECK(after.planned == before.planned + 2);  // the product and its weights' gradient, which has 32 bits
    CHECK(after.multiplied == before.multiplied + 2);
    CHECK(after.gradients == before.gradients + 1);
}

TEST_CASE("libraries: what TENON_CUDA_PROVIDERS names must be there") {
    const auto with = [](const char* value) {
        setenv("TENON_CUDA_PROVIDERS", value, 1);
        const std::string error = error_of([] { cuda::DeviceLibraries libraries; });
        unsetenv("TENON_CUDA_PROVIDERS");
        return error;
    };
    const char* const missing =
        "TENON_CUDA_PROVIDERS asks for cuDNN, which is missing: the program was compiled without cuDNN's headers";
    CHECK(with("cudnn") == missing);
    CHECK(with("all") == missing);
    CHECK(with("cublaslt") == "(no error)");
    CHECK(with("own") == "(no error)");
    CHECK(with("nobody") == "TENON_CUDA_PROVIDERS is own, cublaslt, cudnn or all, not \"nobody\"");
}

}  // namespace
