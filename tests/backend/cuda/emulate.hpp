// Running a network through CUDA's kernels and comparing it with the reference: on the host in the emulator or, where
// nvcc compiles the tests, on a device.
#pragma once

#include <cmath>

#include <tenon/engine/cuda_runner.hpp>
#if defined(__CUDACC__)
#include "product_kernels.hpp"
#else
#include <tenon/backend/cuda/driver/emulated_driver.hpp>
#endif

#include "../compare.hpp"

namespace tenon_test {

/// How a network is run.
struct EmulatedRun {
    int batch = 3;
    int images_in_flight = 2;
    int multiprocessors = 4;  ///< what the driver tells: tiles and splits depend on it
};

/// The unit in which a precision rounds what it multiplies.
constexpr double unit_of(tenon::Precision precision) {
    using enum tenon::Precision;
    return precision == float32 ? 0x1p-23 : precision == bfloat16 ? 0x1p-8 : 0x1p-10;
}

#if defined(__CUDACC__)
/// The device, which tells another number of multiprocessors, so that all tiles and splits are chosen.
class TestedDriver : public ListingDriver<tenon::cuda::DeviceDriver> {
public:
    explicit TestedDriver(int multiprocessors, tenon::cuda::ChosenDevice device = {})
        : ListingDriver{device}, multiprocessors_{multiprocessors} {}
    int multiprocessors() const { return multiprocessors_; }

private:
    int multiprocessors_;
};
#else
using TestedDriver = tenon::cuda::EmulatedDriver;
#endif

template <class Net, tenon::Precision P>
using Emulated = tenon::cuda::NetworkRunner<Net, P, TestedDriver>;

/// The results of a seeded network on a seeded batch.
template <class Net, tenon::Precision P = tenon::Precision::float32>
std::vector<float> emulated_results(EmulatedRun run = {}) {
    tenon::Parameters<Net> parameters;
    parameters.seed(7, tenon::Naming::canonical);
    Emulated<Net, P> runner{run.images_in_flight, run.multiprocessors};
    runner.set_parameters(parameters.tensors());
    const std::vector<float> images = seeded_images<Net>(run.batch);
    std::vector<float> results(static_cast<std::size_t>(run.batch * tenon::output_shape<Net>.elements()));
    runner.run(images.data(), results.data(), run.batch);
    return results;
}

/// Checks them against the reference in double. In float32 the bound is `factor` * sqrt(K) * epsilon of the largest
/// result, K being the depth of the deepest sum; in others `factor` roundings of the largest result.
template <class Net, tenon::Precision P = tenon::Precision::float32>
void compare_emulated(EmulatedRun run = {}, double factor = 4) {
    tenon::Parameters<Net> parameters;
    parameters.seed(7, tenon::Naming::canonical);
    const double depth = P == tenon::Precision::float32 ? std::sqrt(largest_depth<Net>()) : 1;
    check_close(emulated_results<Net, P>(run), reference_results(parameters, run.batch), factor * depth * unit_of(P));
}

/// The same in 32 bits and in 16.
template <class Net>
void compare_both(EmulatedRun run = {}, double factor = 4) {
    compare_emulated<Net, tenon::Precision::float32>(run, factor);
    compare_emulated<Net, tenon::Precision::bfloat16>(run, factor);
}

/// The same in all precisions.
template <class Net>
void compare_precisions(EmulatedRun run = {}, double factor = 4) {
    compare_emulated<Net, tenon::Precision::float32>(run, factor);
    compare_emulated<Net, tenon::Precision::tensor_float32>(run, factor);
    compare_emulated<Net, tenon::Precision::bfloat16>(run, factor);
    compare_emulated<Net, tenon::Precision::float16>(run, factor);
}

}  // namespace tenon_test
