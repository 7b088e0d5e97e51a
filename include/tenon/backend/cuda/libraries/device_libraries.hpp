#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The libraries that a device's driver may leave convolutions to: cuBLASLt, and cuDNN where the build found its headers
// (TENON_CUDNN, set by the target tenon::cuda). Only nvcc sees the content of this header.

#if defined(__CUDACC__)

#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include <tenon/backend/cuda/driver/device_driver.hpp>
#include <tenon/backend/cuda/libraries/cublaslt.hpp>
#include <tenon/backend/cuda/libraries/provider_driver.hpp>
#if defined(TENON_CUDNN)
#include <tenon/backend/cuda/libraries/cudnn_convolution.hpp>
#endif

namespace tenon::cuda {

/// Searches for the libraries when it is constructed, and does without those that are not there. The environment
/// variable TENON_CUDA_PROVIDERS limits the search: "own" (none), "cublaslt", "cudnn"; all if it is not set.
class DeviceLibraries {
public:
    DeviceLibraries() {
        const char* const set = std::getenv("TENON_CUDA_PROVIDERS");
        const std::string wanted = set ? set : "all";
        if (wanted != "all" && wanted != "own" && wanted != "cublaslt" && wanted != "cudnn")
            throw Error("TENON_CUDA_PROVIDERS is own, cublaslt, cudnn or all, not \"" + wanted + "\"");
        if (wanted == "all" || wanted == "cublaslt") try {
                cublaslt_ = std::make_shared<const CublasLt>();
            } catch (const Error&) {  // tenon's own kernels are used
            }
#if defined(TENON_CUDNN)
        if (wanted == "all" || wanted == "cudnn") try {
                auto cudnn = std::make_shared<const Cudnn>();
                cudnnHandle_t handle = nullptr;
                cudnn->check(cudnn->create_handle(&handle), "begin");
                cudnn_ = cudnn;
                handle_ = {handle, cudnn->destroy_handle};
            } catch (const Error&) {  // tenon's own kernels are used
            }
#endif
    }

    Providers there() const {
        Providers there{.cublaslt = cublaslt_ != nullptr};
#if defined(TENON_CUDNN)
        there.cudnn = cudnn_ != nullptr;
#endif
        return there;
    }

    /// Plans a problem. Returns false where the library has nothing for it.
    bool prepare(Provider provider, const ConvProblem& problem) {
        try {
            if (!memory_) {
                void* memory = nullptr;
                check_cuda(cudaMalloc(&memory, workspace_bytes), "allocate the libraries' workspace");
                memory_ = {memory, cudaFree};
            }
            if (provider == Provider::cublaslt)
                products_.emplace(problem, CublasLtProduct{cublaslt_, problem, workspace_bytes});
#if defined(TENON_CUDNN)
            if (provider == Provider::cudnn) return prepare_cudnn(problem);
#endif
            return true;
        } catch (const Error&) {
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

#if defined(TENON_CUDNN)
    /// Takes cuDNN's best offer that is in its libraries and whose workspace fits.
    bool prepare_cudnn(const ConvProblem& problem) {
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

    std::shared_ptr<const Cudnn> cudnn_;
    std::shared_ptr<std::remove_pointer_t<cudnnHandle_t>> handle_;
    std::map<ConvProblem, CudnnDescriptor> plans_;
#endif
    std::shared_ptr<void> memory_;
    std::shared_ptr<const CublasLt> cublaslt_;
    std::map<ConvProblem, CublasLtProduct> products_;
};

/// The driver of Model<Net, Cuda>.
using LibraryDriver = ProviderDriver<DeviceDriver, DeviceLibraries>;

}  // namespace tenon::cuda

#endif
