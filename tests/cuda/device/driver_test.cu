// What the runner relies on and only a device shows: the driver over CUDA's runtime.
#include <tenon/cuda.hpp>

#include "../../support.hpp"
#include "../emulate.hpp"

namespace {

using namespace tenon;

TEST_CASE("copies, events and streams") {
    cuda::DeviceDriver driver;
    CHECK(driver.multiprocessors() > 0);
    constexpr std::size_t count = 1 << 20, bytes = count * sizeof(float);
    float* const host = static_cast<float*>(driver.allocate_host(bytes));
    float* const back = static_cast<float*>(driver.allocate_host(bytes));
    void* const device = driver.allocate(bytes);
    for (std::size_t i = 0; i < count; ++i) host[i] = static_cast<float>(i);
    const auto event = driver.make_event();
    driver.upload(device, host, bytes, cuda::Stream::copy);
    driver.record(event, cuda::Stream::copy);
    driver.wait(event, cuda::Stream::compute);
    driver.download(back, device, bytes, cuda::Stream::compute);
    driver.synchronize(cuda::Stream::compute);
    CHECK(std::equal(host, host + count, back));
    driver.release_event(event);
    driver.release(device);
    driver.release_host(host);
    driver.release_host(back);
}

TEST_CASE("what does not fit is refused in a sentence") {
    cuda::DeviceDriver driver;
    CHECK(tenon_test::contains(tenon_test::error_of([&] { driver.allocate(std::size_t{1} << 50); }),
                               "CUDA could not allocate"));
}

TEST_CASE("groups of images take turns in two buffers, and repeated graphs change nothing") {
    struct Small : Network<Input<3, 6, 6>, Conv<8, Kernel<3>, Padding<1>, Bias>, ReLU, GlobalAvgPool, Linear<5>> {};
    Parameters<Small> parameters;
    parameters.seed(1);
    const std::vector<float> images = tenon_test::seeded_images<Small>(7);
    const std::vector<double> expected = tenon_test::reference_results(parameters, 7);
    for (const int in_flight : {1, 2, 3, 7, 9}) {
        tenon_test::Emulated<Small, Precision::float32> runner{in_flight, 2};
        runner.set_parameters(parameters.tensors());
        std::vector<float> results(35), again(35);
        runner.run(images.data(), results.data(), 7);
        tenon_test::check_close(results, expected, 1e-5);
        runner.repeat(std::min(in_flight, 7), 3);
        runner.run(images.data(), again.data(), 7);
        CHECK(results == again);
    }
}

}  // namespace
