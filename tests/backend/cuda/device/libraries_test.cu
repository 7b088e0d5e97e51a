// The libraries on a device, against the reference: what provider_test.cpp shows with doubles.
#include <iostream>

#include <tenon/cuda.hpp>

#include "../emulate.hpp"

namespace {

using namespace tenon;

template <class Net, Precision P>
void compare() {
    using Runner = cuda::NetworkRunner<Net, P, cuda::ProviderDriver<tenon_test::TestedDriver, cuda::DeviceLibraries>>;
    Parameters<Net> parameters;
    parameters.seed(7);
    Runner runner{4, 1};  // of one multiprocessor the table believes that any batch is large
    runner.set_parameters(parameters.tensors());
    for (const cuda::Provider provider : {cuda::Provider::cublaslt, cuda::Provider::cudnn}) {
        const cuda::LibraryState state = cuda::LoadedLibraries::of_process().state(provider);
        if (!state.missing.empty())
            std::cout << state.name << " is missing, so tenon's kernels are tested in its place: " << state.missing
                      << '\n';
    }
    const std::vector<float> images = tenon_test::seeded_images<Net>(4);
    std::vector<float> results(static_cast<std::size_t>(4 * output_shape<Net>.elements())), again(results.size());
    runner.run(images.data(), results.data(), 4);
    tenon_test::check_close(results, tenon_test::reference_results(parameters, 4), 8 * tenon_test::unit_of(P));
    for (int i = 0; i < 3; ++i) {
        runner.run(images.data(), again.data(), 4);
        CHECK(results == again);
    }
}

template <class Net>
void compare_precisions() {
    compare<Net, Precision::tensor_float32>();
    compare<Net, Precision::bfloat16>();
    compare<Net, Precision::float16>();
}

TEST_CASE("plain products with bias, residual and ReLU") {
    struct Net : Network<Input<256, 7, 6>, Conv<256, Kernel<1>>, Residual<Conv<256, Kernel<1>, Bias>, Identity>, ReLU,
                         Conv<64, Kernel<1>, Bias>, ReLU, Flatten, Linear<40>> {};
    compare_precisions<Net>();
}

TEST_CASE("windows with bias, residual, ReLU and strides") {
    struct Net : Network<Input<64, 9, 8>, Conv<64, Kernel<3>, Padding<1>, Bias>, ReLU,
                         Residual<Conv<64, Kernel<3>, Padding<1>>, Identity>, ReLU,
                         Conv<128, Kernel<3>, Stride<2>, Padding<1>>, BatchNorm, ReLU> {};
    compare_precisions<Net>();
}

}  // namespace
