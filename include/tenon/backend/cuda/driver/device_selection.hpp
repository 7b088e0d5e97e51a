#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// CUDA's errors as sentences, and what makes a device current in the calling thread for a while. Only nvcc sees the
// content of this header.

#if defined(__CUDACC__)

#include <new>
#include <string>

#include <cuda_runtime.h>
#include <dlfcn.h>

#include <tenon/core/error.hpp>

namespace tenon::cuda {

/// Throws tenon::Error, quoting CUDA, for a call that failed.
inline void check_cuda(cudaError_t status, const char* action) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // clears the error for the next call
    throw Error(std::string("CUDA could not ") + action + ": " + cudaGetErrorString(status) + " (" +
                cudaGetErrorName(status) + ")");
}

/// While it exists, a device is current in the thread that made it; then the one before is again (test:
/// tests/backend/cuda/device/driver_test.cu). CUDA's calls act on the calling thread's device, which may be another
/// than a model's: in a thread that never chose one it is device 0.
class DeviceSelection {
public:
    explicit DeviceSelection(int device) { check_cuda(select(device), "make a model's device current"); }
    /// The same for destructors.
    DeviceSelection(int device, std::nothrow_t) noexcept { select(device); }
    DeviceSelection(const DeviceSelection&) = delete;
    DeviceSelection& operator=(const DeviceSelection&) = delete;
    ~DeviceSelection() {
        if (is_changed_ && is_in_use(before_)) cudaSetDevice(before_);
    }

private:
    cudaError_t select(int device) noexcept {
        if (const cudaError_t status = cudaGetDevice(&before_); status != cudaSuccess || before_ == device)
            return status;
        const cudaError_t status = cudaSetDevice(device);
        is_changed_ = status == cudaSuccess;
        return status;
    }

    /// Whether the process has used a device. To make one current takes some hundred megabytes of its memory where
    /// nobody has: a process for each device would take them from device 0.
    static bool is_in_use(int device) {
        using State = int(int device, unsigned* flags, int* active);  // of CUDA's driver, which the runtime has loaded
        static auto* const state = [] {
            void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
            return driver ? reinterpret_cast<State*>(dlsym(driver, "cuDevicePrimaryCtxGetState")) : nullptr;
        }();
        unsigned flags = 0;
        int active = 0;
        return !state || state(device, &flags, &active) != 0 || active != 0;
    }

    int before_ = 0;
    bool is_changed_ = false;
};

}  // namespace tenon::cuda

#endif
