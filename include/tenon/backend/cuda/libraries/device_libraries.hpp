#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The libraries that a device's driver may leave convolutions to: cuBLASLt, and cuDNN where the build found its headers
// (TENON_CUDNN, set by the target tenon::cuda). Only nvcc sees the content of this header.

#if defined(__CUDACC__)

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <tenon/backend/cuda/driver/device_driver.hpp>
#include <tenon/backend/cuda/libraries/cublaslt.hpp>
#include <tenon/backend/cuda/libraries/provider_driver.hpp>
#if defined(TENON_CUDNN)
#include <tenon/backend/cuda/libraries/cudnn_convolution.hpp>
#endif

namespace tenon::cuda {

/// A library that was looked for: where it is, or why it is missing.
struct LibraryState {
    const char* name;
    std::size_t version = 0;
    std::string file, missing;  ///< one of them
};

/// The libraries of the process. Each is loaded when it is first asked for, and stays: loading takes up to a second.
class LoadedLibraries {
public:
    static LoadedLibraries& of_process() {
        static LoadedLibraries* const all = new LoadedLibraries;  // the libraries may be gone before static objects
        return *all;
    }

    /// Null where the library is missing.
    std::shared_ptr<const CublasLt> cublaslt() {
        return load(cublaslt_, cublaslt_state_, [] { return std::make_shared<const CublasLt>(); });
    }
#if defined(TENON_CUDNN)
    std::shared_ptr<const Cudnn> cudnn() {
        return load(cudnn_, cudnn_state_, [] { return std::make_shared<const Cudnn>(); });
    }
#endif
    /// The state of a library; loads it.
    LibraryState state(Provider provider) {
        if (provider == Provider::cublaslt) {
            cublaslt();
            return cublaslt_state_;
        }
#if defined(TENON_CUDNN)
        cudnn();
        return cudnn_state_;
#else
        return {"cuDNN", 0, "", "the program was compiled without cuDNN's headers"};
#endif
    }

private:
    template <class Library, class Make>
    std::shared_ptr<const Library> load(std::shared_ptr<const Library>& library, LibraryState& state,
                                        const Make& make) {
        const std::lock_guard lock{mutex_};
        if (!library && state.missing.empty()) try {
                library = make();
                state.version = library->version();
                state.file = library->file();
            } catch (const std::exception& error) {
                state.missing = error.what();
            }
        return library;
    }

    std::mutex mutex_;
    std::shared_ptr<const CublasLt> cublaslt_;
    LibraryState cublaslt_state_{"cuBLASLt", 0, "", ""};
#if defined(TENON_CUDNN)
    std::shared_ptr<const Cudnn> cudnn_;
    LibraryState cudnn_state_{"cuDNN", 0, "", ""};
#endif
};

/// The libraries as one model uses them: its plans and its workspace, both made for the first convolutions that want
/// them, in the first batch of a size, on the model's device, which the caller has made current. The environment
/// variable TENON_CUDA_PROVIDERS limits who is asked: "own" (nobody), "cublaslt", "cudnn", "all". If it is not set, all
/// are asked and a missing one is done without; what it names must be there.
class DeviceLibraries {
public:
    /// Throws tenon::Error where a library that TENON_CUDA_PROVIDERS names is missing, and why.
    DeviceLibraries() {
        const char* const set = std::getenv("TENON_CUDA_PROVIDERS");
        const std::string wanted = set ? set : "all";
        if (wanted != "all" && wanted != "own" && wanted != "cublaslt" && wanted != "cudnn")
            throw Error("TENON_CUDA_PROVIDERS is own, cublaslt, cudnn or all, not \"" + wanted + "\"");
        allowed_ = {.cublaslt = wanted == "all" || wanted == "cublaslt", .cudnn = wanted == "all" || wanted == "cudnn"};
        if (!set) return;
        if (allowed_.cublaslt) demand(Provider::cublaslt);
        if (allowed_.cudnn) demand(Provider::cudnn);
    }

    Providers allowed() const { return allowed_; }

    /// Plans a problem. Returns false where the library is missing or has nothing for the problem.
    bool prepare(Provider provider, const ConvProblem& problem, const DeviceDriver& driver) {
        try {
            if (!memory_) {
                void* memory = nullptr;
                check_cuda(cudaMalloc(&memory, workspace_bytes), "allocate the libraries' workspace");
                memory_ = {memory, [device = driver.device()](void* released) {
                               const DeviceSelection selection{device, std::nothrow};
                               cudaFree(released);
                           }};
            }
            if (provider == Provider::cublaslt) {
                const std::shared_ptr<const CublasLt> library = LoadedLibraries::of_process().cublaslt();
                if (library)
                    products_.emplace(problem, CublasLtProduct{library, driver.device(), problem, workspace_bytes});
                return library != nullptr;
            }
#if defined(TENON_CUDNN)
            return prepare_cudnn(problem, driver.device());
#else
            return false;
#endif
        } catch (const std::exception&) {  // of the libraries' wrappers, or of what they return
            return false;
        }
    }

    void run(Provider provider, const ConvProblem& problem, const ConvAddresses& addresses,
             const DeviceDriver& driver) {
        const cudaStream_t stream = driver.stream(Stream::compute);
        if (provider == Provider::cublaslt)
            products_.at(problem).run(addresses.source, addresses.weights, addresses.bias, addresses.residual,
                                      addresses.target, memory_.get(), stream);
#if defined(TENON_CUDNN)
        if (provider == Provider::cudnn) run_cudnn(problem, addresses, stream);
#endif
    }

private:
    static constexpr std::size_t workspace_bytes = std::size_t{64} << 20;

    static void demand(Provider provider) {
        const LibraryState state = LoadedLibraries::of_process().state(provider);
        if (!state.missing.empty())
            throw Error(std::string("TENON_CUDA_PROVIDERS asks for ") + state.name +
                        ", which is missing: " + state.missing);
    }

#if defined(TENON_CUDNN)
    /// Takes cuDNN's best offer that is in its libraries and whose workspace fits.
    bool prepare_cudnn(const ConvProblem& problem, int device_number) {
        if (!handle_) {
            cudnn_ = LoadedLibraries::of_process().cudnn();
            if (!cudnn_) return false;
            cudnnHandle_t handle = nullptr;
            cudnn_->check(cudnn_->create_handle(&handle), "begin");
            handle_ = {handle, DestroyHandle{cudnn_->destroy_handle, device_number}};
        }
        const CudnnDevice device = CudnnDevice::of(cudnn_, handle_.get());
        for (const CudnnOffer& offer : CudnnConvolution{cudnn_, problem}.offers(device)) {
            if (offer.is_compiled_at_run_time()) continue;
            try {
                CudnnDescriptor plan = CudnnConvolution::plan(offer, device);
                if (plan.get<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE) >
                    static_cast<std::int64_t>(workspace_bytes))
                    continue;
                plans_.emplace(problem, std::move(plan));
                return true;
            } catch (const Error&) {  // try the next one
            }
        }
        return false;
    }

    void run_cudnn(const ConvProblem& problem, const ConvAddresses& addresses, cudaStream_t stream) {
        std::vector<std::int64_t> numbers;
        std::vector<void*> pointers;
        const auto add = [&](CudnnTensor number, const void* address) {
            numbers.push_back(static_cast<std::int64_t>(number));
            pointers.push_back(const_cast<void*>(address));
        };
        add(CudnnTensor::source, addresses.source);
        add(CudnnTensor::weights, addresses.weights);
        add(CudnnTensor::target, addresses.target);
        if (problem.bias) add(CudnnTensor::bias, addresses.bias);
        if (problem.residual) add(CudnnTensor::residual, addresses.residual);
        void* const memory = memory_.get();
        CudnnDescriptor pack{cudnn_, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR};
        pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, numbers);
        pack.set_addresses(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers);
        pack.set_addresses(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, std::span(&memory, 1));
        pack.finalize("a call");
        cudnn_->check(cudnn_->set_stream(handle_.get(), stream), "take a stream");
        cudnn_->check(cudnn_->execute(handle_.get(), plans_.at(problem).raw(), pack.raw()), "run a convolution");
    }

    /// A handle belongs to the device that was current when it was made, and waits for it.
    struct DestroyHandle {
        decltype(&cudnnDestroy) destroy;
        int device;
        void operator()(cudnnHandle_t handle) const {
            const DeviceSelection selection{device, std::nothrow};
            destroy(handle);
        }
    };

    std::shared_ptr<const Cudnn> cudnn_;
    std::shared_ptr<std::remove_pointer_t<cudnnHandle_t>> handle_;
    std::map<ConvProblem, CudnnDescriptor> plans_;
#endif
    std::shared_ptr<void> memory_;
    Providers allowed_;
    std::map<ConvProblem, CublasLtProduct> products_;
};

/// The driver of Model<Net, Cuda>.
using LibraryDriver = ProviderDriver<DeviceDriver, DeviceLibraries>;

}  // namespace tenon::cuda

#endif
