// CUDA's runtime over the interpreter: a program that nvcc made, PTX inside, is linked with this file in place of
// libcudart and runs without a device: the same binary code of the host, the same PTX.
//
// Streams do everything as late as allowed, as the emulated driver's do: a copy reads memory of the host, and a kernel
// runs, when somebody waits for it. A fault of a kernel is what the call returns that waits for it, and each later one;
// cudaGetErrorString tells it.
#include "runtime.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <cuda_runtime_api.h>

struct CUstream_st {
    int device = 0;
    std::deque<std::function<void()>> queue;
    long pushed = 0, done = 0;
    CUgraph_st* capture = nullptr;
};
struct CUevent_st {
    int device = 0;
    CUstream_st* stream = nullptr;
    long count = 0;
};
struct CUgraph_st {
    std::vector<std::function<void()>> work;
};
struct CUgraphExec_st {
    int device = 0;
    std::vector<std::function<void()>> work;
};

namespace {

/// The PTX of a file that nvcc compiled.
struct Module {
    std::string text;
    std::optional<std::map<std::string, ptx::Kernel>> kernels, edited;

    ptx::Kernel& kernel(const std::string& name, const std::function<std::string(const std::string&)>& edit) {
        std::optional<std::map<std::string, ptx::Kernel>>& all = edit ? edited : kernels;
        if (!all) all = ptx::parse(edit ? edit(text) : text);
        const auto found = all->find(name);
        if (found == all->end()) throw ptx::Fault("there is no PTX of " + name);
        return found->second;
    }
};

/// There are two devices: memory, streams, events, graphs, loaded kernels and their attributes are of one of them.
constexpr int devices = 2;
thread_local int current_device = 0;

struct Function {
    struct OnDevice {
        std::size_t max_shared = 48 << 10;
        int carveout = -1;
        bool is_loaded = false;
    };
    Module* module;
    std::string name;
    OnDevice all[devices];

    OnDevice& here() { return all[current_device]; }
};

/// Streams, events and graphs that exist.
std::size_t resources = 0;

struct WrongDevice {};

/// Demands that what is used belongs to the calling thread's device.
template <class Resource>
void demand_current(const Resource* resource) {
    if (resource->device != current_device) throw WrongDevice{};
}

/// What belongs to another device than the calling thread's remains. CUDA would destroy it, but first make that device
/// one that the process uses.
template <class Resource>
cudaError_t destroyed(Resource* resource) {
    if (resource->device != current_device) return cudaErrorInvalidResourceHandle;
    delete resource;
    --resources;
    return cudaSuccess;
}

struct Configuration {
    dim3 grid, block;
    std::size_t shared;
    cudaStream_t stream;
};

struct Runtime {
    ptx::Device device;
    std::deque<Module> modules;
    std::map<const void*, Function> functions;
    std::vector<Configuration> configurations;
    std::map<void*, std::unique_ptr<char[]>> pinned;
    std::uint64_t seed = 0;
    cudaError_t last = cudaSuccess;
    std::string fault;
    std::function<std::string(const std::string&)> edit;
    bool counts_banks = false;

    cudaError_t returned(cudaError_t status) {
        if (status != cudaSuccess) last = status;
        return status;
    }
    /// Calls f, unless a kernel failed before.
    template <class F>
    cudaError_t call(const F& f) {
        if (!fault.empty()) return returned(cudaErrorLaunchFailure);
        try {
            return returned(f());
        } catch (const WrongDevice&) {
            return returned(cudaErrorInvalidResourceHandle);
        } catch (const ptx::Fault& error) {
            fault = error.what();
            return returned(cudaErrorLaunchFailure);
        }
    }
};

Runtime& runtime() {
    static Runtime* const all = new Runtime;  // for destructors of other files
    return *all;
}

void run_until(cudaStream_t stream, long count) {
    while (stream->done < count) {
        const std::function<void()> work = std::move(stream->queue.front());
        stream->queue.pop_front();
        ++stream->done;
        work();
    }
}
void push(cudaStream_t stream, std::function<void()> work) {
    stream->queue.push_back(std::move(work));
    ++stream->pushed;
}

std::uint64_t address_of(const void* memory) { return reinterpret_cast<std::uint64_t>(memory); }

/// Memory of the device, whole.
ptx::Region& region_of(const void* memory, std::size_t bytes) {
    ptx::Region* const region = runtime().device.memory.find(address_of(memory), bytes);
    if (!region) throw ptx::Fault("a copy of " + std::to_string(bytes) + " bytes is not within the device's memory");
    return *region;
}

/// The text of the first PTX in a fat binary.
std::string ptx_of(const void* fat_binary) {
    struct Wrapper {
        int magic, version;
        const unsigned char* data;
    };
    const unsigned char* data = static_cast<const Wrapper*>(fat_binary)->data;
    const auto read = [&](std::size_t at, std::size_t bytes) {
        std::uint64_t value = 0;
        std::memcpy(&value, data + at, bytes);
        return value;
    };
    if (read(0, 4) != 0xba55ed50) throw ptx::Fault("a fat binary of another format");
    const std::uint64_t end = read(6, 2) + read(8, 8);
    for (std::uint64_t at = read(6, 2); at < end; at += read(at + 4, 4) + read(at + 8, 8)) {
        const bool is_ptx = read(at, 2) == 1;
        if (!is_ptx) continue;
        const std::string text(reinterpret_cast<const char*>(data + at + read(at + 4, 4)), read(at + 8, 8));
        if (text.find(".version") == std::string::npos)
            throw ptx::Fault("PTX is compressed: compile with -no-compress");
        return text.substr(0, text.find('\0', text.find(".version")));
    }
    throw ptx::Fault("a fat binary without PTX: compile with -gencode arch=compute_80,code=compute_80");
}

cudaError_t launch(const void* handle, dim3 grid, dim3 block, void** arguments, std::size_t shared,
                   cudaStream_t stream) {
    return runtime().call([&] {
        Runtime& all = runtime();
        demand_current(stream);
        Function& function = all.functions.at(handle);
        Function::OnDevice& here = function.here();
        if (stream->capture && !here.is_loaded)
            throw ptx::Fault("a kernel is loaded while a graph is recorded: " + function.name);
        ptx::Kernel& kernel = function.module->kernel(function.name, runtime().edit);
        here.is_loaded = true;
        if (shared > here.max_shared) return cudaErrorInvalidValue;
        if (shared > 48 << 10 && here.carveout != cudaSharedmemCarveoutMaxShared)
            throw ptx::Fault(
                "a kernel of " + std::to_string(shared) +
                " bytes of shared memory is launched without asking for all of a multiprocessor's: " + function.name);
        ptx::Launch how;
        how.grid[0] = grid.x;
        how.grid[1] = grid.y;
        how.grid[2] = grid.z;
        if (block.y != 1 || block.z != 1) throw ptx::Fault("blocks of more than one dimension");
        how.threads = static_cast<int>(block.x);
        how.shared_bytes = shared;
        how.device = current_device;
        how.counts_banks = all.counts_banks;
        const auto* const from = static_cast<const unsigned char*>(arguments[0]);
        how.parameters.assign(from, from + kernel.parameter_bytes);
        auto work = [how, &kernel]() mutable {
            how.seed = ++runtime().seed;
            ptx::run(runtime().device, kernel, how);
        };
        if (stream->capture)
            stream->capture->work.push_back(std::move(work));
        else
            push(stream, std::move(work));
        return cudaSuccess;
    });
}

}  // namespace

namespace ptx {

std::vector<const Kernel*> runtime_kernels() {
    std::vector<const Kernel*> kernels;
    for (Module& module : runtime().modules) {
        if (!module.kernels) module.kernels = parse(module.text);
        for (const auto& [name, kernel] : *module.kernels) kernels.push_back(&kernel);
    }
    return kernels;
}

void edit_runtime(std::function<std::string(const std::string&)> edit) {
    runtime().fault.clear();
    runtime().last = cudaSuccess;
    runtime().edit = std::move(edit);
    for (Module& module : runtime().modules) module.edited.reset();
}

void count_banks(bool counts) { runtime().counts_banks = counts; }

std::size_t runtime_allocations() { return runtime().device.memory.count() + runtime().pinned.size() + resources; }

}  // namespace ptx

extern "C" {

// What the code that nvcc makes for the host calls.

void** __cudaRegisterFatBinary(void* fat_binary) {
    try {
        runtime().modules.emplace_back().text = ptx_of(fat_binary);
    } catch (const ptx::Fault& error) {
        std::fprintf(stderr, "%s\n", error.what());
        std::abort();
    }
    return reinterpret_cast<void**>(&runtime().modules.back());
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**) { return 1; }
void __cudaRegisterFunction(void** module, const char* stub, char*, const char* name, int, void*, void*, void*, void*,
                            int*) {
    runtime().functions[stub] = {.module = reinterpret_cast<Module*>(module), .name = name, .all = {}};
}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream) {
    runtime().configurations.push_back({grid, block, shared, stream});
    return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared, void* stream) {
    const Configuration top = runtime().configurations.back();
    runtime().configurations.pop_back();
    *grid = top.grid;
    *block = top.block;
    *shared = top.shared;
    *static_cast<cudaStream_t*>(stream) = top.stream;
    return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* stub) {
    *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(stub));
    return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, std::size_t shared,
                               cudaStream_t stream) {
    return launch(kernel, grid, block, arguments, shared, stream);
}
cudaError_t cudaLaunchKernel(const void* stub, dim3 grid, dim3 block, void** arguments, std::size_t shared,
                             cudaStream_t stream) {
    return launch(stub, grid, block, arguments, shared, stream);
}

// The functions of the runtime that tenon uses.

cudaError_t cudaGetDeviceCount(int* count) {
    *count = devices;
    return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
    *device = current_device;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
    if (device < 0 || device >= devices) return runtime().returned(cudaErrorInvalidDevice);
    current_device = device;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
    if (attribute == cudaDevAttrComputeCapabilityMajor)
        *value = 8;
    else if (attribute == cudaDevAttrComputeCapabilityMinor)
        *value = 0;
    else if (attribute == cudaDevAttrMultiProcessorCount)
        *value = 4;
    else
        return runtime().returned(cudaErrorInvalidValue);
    return cudaSuccess;
}
cudaError_t cudaGetLastError() { return std::exchange(runtime().last, cudaSuccess); }
const char* cudaGetErrorName(cudaError_t status) {
    return status == cudaErrorLaunchFailure           ? "cudaErrorLaunchFailure"
           : status == cudaErrorMemoryAllocation      ? "cudaErrorMemoryAllocation"
           : status == cudaErrorInvalidResourceHandle ? "cudaErrorInvalidResourceHandle"
           : status == cudaErrorInvalidValue          ? "cudaErrorInvalidValue"
                                                      : "cudaError";
}
const char* cudaGetErrorString(cudaError_t status) {
    return status == cudaErrorLaunchFailure ? runtime().fault.c_str() : cudaGetErrorName(status);
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
    return runtime().call([&] {
        if (bytes > std::size_t{1} << 33) return cudaErrorMemoryAllocation;
        *memory = reinterpret_cast<void*>(runtime().device.memory.allocate(bytes, current_device));
        return cudaSuccess;
    });
}
cudaError_t cudaFree(void* memory) {
    const std::uint64_t address = address_of(memory);
    ptx::Region* const region = runtime().device.memory.find(address, 1);
    const bool is_right = region && region->device == current_device && runtime().device.memory.release(address);
    return runtime().returned(!memory || is_right ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
    return runtime().call([&] {
        auto block = std::make_unique<char[]>(bytes);
        std::memset(block.get(), 0xff, bytes);
        *memory = block.get();
        runtime().pinned[*memory] = std::move(block);
        return cudaSuccess;
    });
}
cudaError_t cudaFreeHost(void* memory) {
    return runtime().returned(!memory || runtime().pinned.erase(memory) == 1 ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    return runtime().call([&] {
        demand_current(stream);
        if (stream->capture) throw ptx::Fault("a copy is recorded in a graph");
        if (region_of(kind == cudaMemcpyHostToDevice ? to : from, bytes).device != stream->device)
            throw ptx::Fault("a copy is for memory of another device than its stream's");
        push(stream, [=] {
            if (kind == cudaMemcpyHostToDevice)
                region_of(to, bytes).write_by_host(address_of(to), from, bytes);
            else if (kind == cudaMemcpyDeviceToHost)
                std::memcpy(to, region_of(from, bytes).at(address_of(from)), bytes);
            else
                throw ptx::Fault("a copy of another kind");
        });
        return cudaSuccess;
    });
}

cudaError_t cudaFuncSetAttribute(const void* stub, cudaFuncAttribute attribute, int value) {
    return runtime().call([&] {
        Function& function = runtime().functions.at(stub);
        if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize) {
            if (value > 163 << 10) return cudaErrorInvalidValue;  // what compute capability 8.0 has
            function.here().max_shared = static_cast<std::size_t>(value);
        }
        if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) function.here().carveout = value;
        return cudaSuccess;
    });
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* stub) {
    return runtime().call([&] {
        Function& function = runtime().functions.at(stub);
        function.module->kernel(function.name, runtime().edit);
        function.here().is_loaded = true;
        *attributes = {};
        return cudaSuccess;
    });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    *stream = new CUstream_st;
    (*stream)->device = current_device;
    ++resources;
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return destroyed(stream); }
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    return runtime().call([&] {
        demand_current(stream);
        run_until(stream, stream->pushed);
        return cudaSuccess;
    });
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    stream->capture = new CUgraph_st;
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    *graph = std::exchange(stream->capture, nullptr);
    return runtime().fault.empty() ? cudaSuccess : runtime().returned(cudaErrorLaunchFailure);
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
    *executable = new CUgraphExec_st{current_device, graph->work};
    ++resources;
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) { return destroyed(graph); }
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
    return runtime().call([&] {
        demand_current(stream);
        demand_current(graph);
        push(stream, [graph] {
            for (auto& work : graph->work) work();
        });
        return cudaSuccess;
    });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = new CUevent_st;
    (*event)->device = current_device;
    ++resources;
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) { return destroyed(event); }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    return runtime().call([&] {
        demand_current(stream);
        demand_current(event);
        event->stream = stream;
        event->count = stream->pushed;
        return cudaSuccess;
    });
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    return runtime().call([&] {
        demand_current(stream);
        if (event->stream) push(stream, [point = *event] { run_until(point.stream, point.count); });
        return cudaSuccess;
    });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    return runtime().call([&] {
        demand_current(event);
        if (event->stream) run_until(event->stream, event->count);
        return cudaSuccess;
    });
}

}  // extern "C"
