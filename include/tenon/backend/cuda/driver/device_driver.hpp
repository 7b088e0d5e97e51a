#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The driver over CUDA's runtime: a device, two streams, graphs. Only nvcc sees the content of this header.

#if defined(__CUDACC__)

#include <string>

#include <cuda_runtime.h>

#include <tenon/backend/cuda/driver/chosen_device.hpp>
#include <tenon/backend/cuda/driver/device_selection.hpp>
#include <tenon/backend/cuda/driver/stream.hpp>
#include <tenon/backend/cuda/language/thread_block.hpp>
#include <tenon/core/error.hpp>

namespace tenon::cuda {

/// On the device what EmulatedDriver is on the host: on a chosen device, or on the one that is current when it is
/// constructed, whichever is current in the threads that call it later; it stays current there (test:
/// tests/backend/cuda/device/driver_test.cu). The constructor throws tenon::Error where there is no such device, or
/// only one below compute capability 8.0.
class DeviceDriver {
public:
    using Graph = cudaGraphExec_t;
    using Event = cudaEvent_t;

    explicit DeviceDriver(ChosenDevice device = {}) {
        int devices = 0;
        const cudaError_t status = cudaGetDeviceCount(&devices);
        if (status != cudaSuccess || devices == 0) {
            cudaGetLastError();
            throw Error(std::string("the backend Cuda found no device: ") +
                        (status == cudaSuccess ? "the driver lists none" : cudaGetErrorString(status)));
        }
        int major = 0, minor = 0, current = 0;
        check_cuda(cudaGetDevice(&current), "tell the current device");
        device_ = number_of(device, current, devices);
        check_cuda(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device_), "describe the device");
        check_cuda(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device_), "describe the device");
        if (major < 8)
            throw Error("the backend Cuda needs a device of compute capability 8.0 or more, not " +
                        std::to_string(major) + "." + std::to_string(minor));
        check_cuda(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, device_),
                   "describe the device");
        const DeviceSelection selection = select();
        for (cudaStream_t& stream : streams_)
            check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "create a stream");
    }
    DeviceDriver(const DeviceDriver&) = delete;
    DeviceDriver& operator=(const DeviceDriver&) = delete;
    ~DeviceDriver() {
        const DeviceSelection selection = select_quietly();
        for (const cudaStream_t stream : streams_)
            if (stream) cudaStreamDestroy(stream);
    }

    void* allocate(std::size_t bytes) {
        void* memory = nullptr;
        const DeviceSelection selection = select();
        check_cuda(cudaMalloc(&memory, bytes),
                   ("allocate " + std::to_string(bytes) + " bytes of the device's memory").c_str());
        return memory;
    }
    void* allocate_host(std::size_t bytes) {
        void* memory = nullptr;
        const DeviceSelection selection = select();
        check_cuda(cudaMallocHost(&memory, bytes), ("pin " + std::to_string(bytes) + " bytes of memory").c_str());
        return memory;
    }
    void release(void* memory) {
        const DeviceSelection selection = select_quietly();
        cudaFree(memory);
    }
    void release_host(void* memory) {
        const DeviceSelection selection = select_quietly();
        cudaFreeHost(memory);
    }

    void upload(void* to, const void* from, std::size_t bytes, Stream on) {
        const DeviceSelection selection = select();
        check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream(on)), "copy to the device");
    }
    void download(void* to, const void* from, std::size_t bytes, Stream on) {
        const DeviceSelection selection = select();
        check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream(on)), "copy from the device");
    }

    template <class Kernel>
    void launch(Grid grid, const typename Kernel::Arguments& arguments) {
        constexpr std::size_t shared = sizeof(typename Kernel::Shared);
        const DeviceSelection selection = select();
        if constexpr (shared > 48 * 1024) {
            check_cuda(cudaFuncSetAttribute(run_kernel<Kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                            static_cast<int>(shared)),
                       "give a kernel its shared memory");
            // Two blocks of a multiprocessor need more than the driver might leave to shared memory.
            check_cuda(cudaFuncSetAttribute(run_kernel<Kernel>, cudaFuncAttributePreferredSharedMemoryCarveout,
                                            cudaSharedmemCarveoutMaxShared),
                       "give a kernel its shared memory");
        }
        if (loading_) {
            cudaFuncAttributes attributes;
            check_cuda(cudaFuncGetAttributes(&attributes, run_kernel<Kernel>), "load a kernel");
            return;
        }
        const dim3 blocks(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y), static_cast<unsigned>(grid.z));
        run_kernel<Kernel><<<blocks, Kernel::threads, shared, stream(Stream::compute)>>>(arguments);
        check_cuda(cudaGetLastError(), (std::string("launch the kernel ") + Kernel::name).c_str());
    }

    /// Calls f twice: kernels must be loaded first, as loading is not possible while they are recorded.
    template <class F>
    Graph record_graph(const F& f) {
        const DeviceSelection selection = select();
        {
            const Loading loading{loading_};
            f();
        }
        check_cuda(cudaStreamBeginCapture(stream(Stream::compute), cudaStreamCaptureModeThreadLocal), "begin a graph");
        cudaGraph_t graph = nullptr;
        try {
            f();
        } catch (...) {
            cudaStreamEndCapture(stream(Stream::compute), &graph);
            if (graph) cudaGraphDestroy(graph);
            throw;
        }
        check_cuda(cudaStreamEndCapture(stream(Stream::compute), &graph), "end a graph");
        cudaGraphExec_t executable = nullptr;
        const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
        cudaGraphDestroy(graph);
        check_cuda(status, "make a graph executable");
        return executable;
    }
    void launch_graph(Graph graph) {
        const DeviceSelection selection = select();
        check_cuda(cudaGraphLaunch(graph, stream(Stream::compute)), "launch a graph");
    }
    void release_graph(Graph graph) {
        const DeviceSelection selection = select_quietly();
        cudaGraphExecDestroy(graph);
    }

    Event make_event() {
        cudaEvent_t event = nullptr;
        const DeviceSelection selection = select();
        check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "create an event");
        return event;
    }
    void release_event(Event event) {
        const DeviceSelection selection = select_quietly();
        cudaEventDestroy(event);
    }
    void record(Event event, Stream on) {
        const DeviceSelection selection = select();
        check_cuda(cudaEventRecord(event, stream(on)), "record an event");
    }
    void wait(Event event, Stream on) {
        const DeviceSelection selection = select();
        check_cuda(cudaStreamWaitEvent(stream(on), event, 0), "wait for an event");
    }
    void synchronize(Event event) {
        const DeviceSelection selection = select();
        check_cuda(cudaEventSynchronize(event), "finish the work on the device");
    }
    void synchronize(Stream on) {
        const DeviceSelection selection = select();
        check_cuda(cudaStreamSynchronize(stream(on)), "finish the work on the device");
    }

    int multiprocessors() const { return multiprocessors_; }
    int device() const { return device_; }

    /// Makes the device current in the calling thread until the result is destroyed.
    DeviceSelection select() const { return DeviceSelection{device_}; }

    /// CUDA's stream, for libraries that launch kernels themselves.
    cudaStream_t stream(Stream on) const { return streams_[static_cast<int>(on)]; }

private:
    /// While it exists, launches only load their kernels.
    struct Loading {
        explicit Loading(bool& loading) : loading_{loading} { loading_ = true; }
        Loading(const Loading&) = delete;
        Loading& operator=(const Loading&) = delete;
        ~Loading() { loading_ = false; }
        bool& loading_;
    };

    /// For what destructors call. CUDA would make the calling thread's device one that the process uses.
    DeviceSelection select_quietly() const noexcept { return DeviceSelection{device_, std::nothrow}; }

    int device_ = 0, multiprocessors_ = 0;
    bool loading_ = false;
    cudaStream_t streams_[streams]{};
};

}  // namespace tenon::cuda

#endif
