// Running single kernels on memory that a test fills: in the emulator or, where nvcc compiles the tests, on a device.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#if defined(__CUDACC__)
#include <tenon/backend/cuda/driver/device_driver.hpp>
#else
#include <tenon/backend/cuda/driver/emulated_driver.hpp>
#endif
#include <tenon/backend/cuda/driver/device_memory.hpp>

namespace tenon_test {

/// Memory of the device and launches that are waited for.
class KernelRunner {
public:
    /// The address of a copy of `values`.
    template <class T>
    T* put(const std::vector<T>& values) {
        T* const to = memory_.allocate<T>(static_cast<long>(values.size()));
        memory_.upload(to, values.data(), static_cast<long>(values.size()));
        return to;
    }
    /// Room for values that nobody has written.
    template <class T>
    T* room(std::size_t count) {
        return memory_.allocate<T>(static_cast<long>(count));
    }
    template <class T>
    std::vector<T> get(const T* from, std::size_t count) {
        std::vector<T> values(count);
        memory_.download(values.data(), from, static_cast<long>(count));
        return values;
    }
    /// Launches differ in the order of blocks and threads.
    template <class Kernel>
    void run(tenon::cuda::Grid grid, const typename Kernel::Arguments& arguments) {
        driver_.template launch<Kernel>(grid, arguments);
        driver_.synchronize(tenon::cuda::Stream::compute);
    }

private:
#if defined(__CUDACC__)
    tenon::cuda::DeviceDriver driver_;
#else
    tenon::cuda::EmulatedDriver driver_;
#endif
    tenon::cuda::DeviceMemory<decltype(driver_)> memory_{driver_};
};

}  // namespace tenon_test
