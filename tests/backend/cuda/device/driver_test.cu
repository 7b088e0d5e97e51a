// What the runner relies on and only a device shows: the driver over CUDA's runtime.
#include <algorithm>
#include <thread>

#include <tenon/cuda.hpp>

#include "../../../support.hpp"
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

/// Writes its number.
struct NumberBody {
    static constexpr const char* name = "number";
    long count = 0;
    float* target = nullptr;
    float number = 0;
    TENON_DEVICE void operator()(long i) const { target[i] = number; }
};

TEST_CASE("a graph whose recording fails leaves a driver that works") {
    cuda::DeviceDriver driver;
    auto* const device = static_cast<float*>(driver.allocate(4));
    using Kernel = cuda::MapKernel<NumberBody>;
    const auto launch = [&](float number) { driver.launch<Kernel>({1, 1, 1}, {1, device, number}); };
    const auto value = [&] {
        float found = -1;
        driver.download(&found, device, 4, cuda::Stream::compute);
        driver.synchronize(cuda::Stream::compute);
        return found;
    };
    launch(1);
    CHECK(value() == 1);
    // In the pass that loads the kernels, and in the one that records.
    for (const int pass : {1, 2}) {
        int passes = 0;
        CHECK(tenon_test::error_of([&] {
                  driver.record_graph([&] {
                      launch(2);
                      if (++passes == pass) throw Error("a library fails");
                  });
              }) == "a library fails");
        CHECK(value() == 1);
        launch(3);
        CHECK(value() == 3);
        const auto graph = driver.record_graph([&] { launch(1); });
        CHECK(value() == 3);
        driver.launch_graph(graph);
        CHECK(value() == 1);
        driver.release_graph(graph);
    }
    driver.release(device);
}

TEST_CASE("engines are on the devices that were chosen, whatever the calling thread's current device is") {
    int devices = 0;
    cudaGetDeviceCount(&devices);
    CHECK(tenon_test::contains(tenon_test::error_of([&] { cuda::DeviceDriver driver{cuda::ChosenDevice{devices}}; }),
                               "the backend Cuda has no device " + std::to_string(devices)));
    if (devices < 2) {
        MESSAGE("SKIPPED: there is one device");
        return;
    }
    struct Small : Network<Input<3, 6, 6>, Conv<8, Kernel<3>, Padding<1>, Bias>, ReLU, GlobalAvgPool, Linear<5>> {};
    using Runner = tenon_test::Emulated<Small, Precision::bfloat16>;  // asks for more shared memory
    Parameters<Small> parameters;
    parameters.seed(1);
    const std::vector<float> images = tenon_test::seeded_images<Small>(3);
    const std::vector<double> expected = tenon_test::reference_results(parameters, 3);
    const auto current = [] {
        int device = -1;
        cudaGetDevice(&device);
        return device;
    };
    const auto run = [&](Runner& runner) {
        std::vector<float> results(15), again(15);
        runner.set_parameters(parameters.tensors());
        runner.run(images.data(), results.data(), 3);
        runner.run(images.data(), again.data(), 3);
        runner.run_observed(images.data(), again.data(), 3, [](int) {});
        tenon_test::check_close(results, expected, 8 * tenon_test::unit_of(Precision::bfloat16));
        CHECK(results == again);
    };
    // Calls may change the thread's device to one in use only while they run: both are, by the first two drivers.
    const cuda::DeviceDriver uses_first{cuda::ChosenDevice{0}}, uses_second{cuda::ChosenDevice{1}};
    for (const int before : {0, 1}) {
        cudaSetDevice(before);
        Runner here{3, 2}, first{3, 2, cuda::ChosenDevice{0}}, second{3, 2, cuda::ChosenDevice{1}};
        CHECK(here.driver().device() == before);
        CHECK(second.driver().device() == 1);
        CHECK(current() == before);
        run(second);
        run(first);
        CHECK(current() == before);
        std::thread([&] {
            cudaSetDevice(1 - before);
            run(here);
            run(first);
            run(second);
            CHECK(current() == 1 - before);
        }).join();
    }
    cudaSetDevice(0);
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
