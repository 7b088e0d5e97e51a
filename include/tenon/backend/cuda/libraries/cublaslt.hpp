#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// cuBLASLt as a provider of plain products: 1x1 convolutions and linear layers with bias, residual and ReLU, and the
// gradients of their weights. Needs the toolkit's headers and, when the program runs, its library. Only nvcc sees the
// content of this header.

#if defined(__CUDACC__)

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <cublasLt.h>

#include <tenon/backend/cuda/driver/dynamic_library.hpp>
#include <tenon/backend/cuda/libraries/conv_problem.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// The functions of cuBLASLt's library that tenon uses, and a handle for each device.
class CublasLt {
public:
    /// Throws tenon::Error where the library is not installed.
    CublasLt() : library_{"libcublasLt.so.13", "libcublasLt.so.12"} {}
    CublasLt(const CublasLt&) = delete;
    CublasLt& operator=(const CublasLt&) = delete;
    ~CublasLt() {
        for (const auto& [device, handle] : handles_)
            if (handle) destroy_(handle);
    }

    std::size_t version() const { return version_of_(); }
    std::string file() const { return DynamicLibrary::file_of(reinterpret_cast<const void*>(multiply)); }

    static void check(cublasStatus_t status, const char* action) {
        if (status != CUBLAS_STATUS_SUCCESS)
            throw Error(std::string("cuBLASLt could not ") + action + ": status " + std::to_string(status));
    }
    /// The handle for the device of a number, which is current. Throws tenon::Error where cuBLASLt can't use it.
    cublasLtHandle_t handle(int device) const {
        const std::lock_guard lock{mutex_};
        cublasLtHandle_t& handle = handles_[device];
        if (!handle) check(create_(&handle), "begin");
        return handle;
    }

private:
    DynamicLibrary library_;
    template <class Function>
    Function* find(const char* name) const {
        return library_.function<Function>(name);
    }
    decltype(&cublasLtCreate) create_ = find<decltype(cublasLtCreate)>("cublasLtCreate");
    decltype(&cublasLtGetVersion) version_of_ = find<decltype(cublasLtGetVersion)>("cublasLtGetVersion");
    decltype(&cublasLtDestroy) destroy_ = find<decltype(cublasLtDestroy)>("cublasLtDestroy");
    mutable std::mutex mutex_;
    mutable std::map<int, cublasLtHandle_t> handles_;

public:
    decltype(&cublasLtMatmul) multiply = find<decltype(cublasLtMatmul)>("cublasLtMatmul");
    decltype(&cublasLtMatmulAlgoGetHeuristic) ask =
        find<decltype(cublasLtMatmulAlgoGetHeuristic)>("cublasLtMatmulAlgoGetHeuristic");
    decltype(&cublasLtMatmulDescCreate) create_product =
        find<decltype(cublasLtMatmulDescCreate)>("cublasLtMatmulDescCreate");
    decltype(&cublasLtMatmulDescDestroy) destroy_product =
        find<decltype(cublasLtMatmulDescDestroy)>("cublasLtMatmulDescDestroy");
    decltype(&cublasLtMatmulDescSetAttribute) set_product =
        find<decltype(cublasLtMatmulDescSetAttribute)>("cublasLtMatmulDescSetAttribute");
    decltype(&cublasLtMatrixLayoutCreate) create_layout =
        find<decltype(cublasLtMatrixLayoutCreate)>("cublasLtMatrixLayoutCreate");
    decltype(&cublasLtMatrixLayoutDestroy) destroy_layout =
        find<decltype(cublasLtMatrixLayoutDestroy)>("cublasLtMatrixLayoutDestroy");
    decltype(&cublasLtMatmulPreferenceCreate) create_preference =
        find<decltype(cublasLtMatmulPreferenceCreate)>("cublasLtMatmulPreferenceCreate");
    decltype(&cublasLtMatmulPreferenceDestroy) destroy_preference =
        find<decltype(cublasLtMatmulPreferenceDestroy)>("cublasLtMatmulPreferenceDestroy");
    decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference =
        find<decltype(cublasLtMatmulPreferenceSetAttribute)>("cublasLtMatmulPreferenceSetAttribute");
};

/// A problem (ConvProblem::is_plain_product) with the algorithm that cuBLASLt's heuristics rank first.
///
/// cuBLASLt's matrices are column-major, so a map of pixels x channels is a matrix of channels x pixels to it:
/// target = weights^T * source + residual, with one bias per row. A weight gradient is source * target^T, in 32 bits.
class CublasLtProduct {
public:
    /// For the device of a number, which is current. Throws tenon::Error where cuBLASLt has no algorithm for the
    /// problem that needs at most `workspace` bytes.
    CublasLtProduct(std::shared_ptr<const CublasLt> library, int device, const ConvProblem& problem,
                    std::size_t workspace)
        : library_{std::move(library)}, handle_{library_->handle(device)}, problem_{problem}, workspace_{workspace} {
        const cudaDataType_t type = stored_type(problem.precision);
        const auto depth = static_cast<std::uint64_t>(problem.channels);
        const auto outputs = static_cast<std::uint64_t>(problem.outputs);
        const auto pixels = static_cast<std::uint64_t>(problem.pixels());
        const CublasLt& lt = *library_;
        cublasLtMatmulDesc_t product = nullptr;
        const cublasComputeType_t compute =
            problem.precision == Precision::tensor_float32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
        CublasLt::check(lt.create_product(&product, compute, CUDA_R_32F), "describe a product");
        product_ = {product, lt.destroy_product};
        if (is_weight_gradient())
            set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_T);
        else
            set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
        if (problem.bias || problem.relu)
            set(CUBLASLT_MATMUL_DESC_EPILOGUE, !problem.bias  ? CUBLASLT_EPILOGUE_RELU
                                               : problem.relu ? CUBLASLT_EPILOGUE_RELU_BIAS
                                                              : CUBLASLT_EPILOGUE_BIAS);
        if (problem.bias) set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type);
        weights_ = layout(is_weight_gradient() ? CUDA_R_32F : type, depth, outputs);
        source_ = layout(type, depth, pixels);
        target_ = layout(type, outputs, pixels);

        cublasLtMatmulPreference_t preference = nullptr;
        CublasLt::check(lt.create_preference(&preference), "say what is preferred");
        const std::unique_ptr<std::remove_pointer_t<cublasLtMatmulPreference_t>, decltype(lt.destroy_preference)> guard{
            preference, lt.destroy_preference};
        // Split sums in separate memory, added in one order: the same bits in every run.
        const std::uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
        CublasLt::check(
            lt.set_preference(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_, sizeof workspace_),
            "bound its memory");
        CublasLt::check(
            lt.set_preference(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes),
            "choose how sums are reduced");
        // What the arena guarantees: a batch of n images places maps at multiples of n * 32 bytes.
        const std::uint32_t alignment = 16;
        for (const auto of : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                              CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
            CublasLt::check(lt.set_preference(preference, of, &alignment, sizeof alignment),
                            "say how memory is aligned");
        cublasLtMatmulHeuristicResult_t result{};
        int found = 0;
        const auto [a, b, sum] =
            is_weight_gradient() ? std::array{source_, target_, weights_} : std::array{weights_, source_, target_};
        CublasLt::check(
            lt.ask(handle_, product_.get(), a.get(), b.get(), sum.get(), sum.get(), preference, 1, &result, &found),
            "find an algorithm");
        if (found < 1) throw Error("cuBLASLt could not find an algorithm for a product");
        algorithm_ = result.algo;
    }

    /// Launches the product on a stream. `memory` is the workspace.
    void run(const void* source, const void* weights, const void* bias, const void* residual, void* target,
             void* memory, cudaStream_t stream) {
        if (is_weight_gradient()) {
            multiply(source, source_, target, target_, const_cast<void*>(weights), weights_, nullptr, memory, stream);
            return;
        }
        if (problem_.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
        multiply(weights, weights_, source, source_, target, target_, problem_.residual ? residual : nullptr, memory,
                 stream);
    }

private:
    using Layout = std::shared_ptr<std::remove_pointer_t<cublasLtMatrixLayout_t>>;

    bool is_weight_gradient() const { return problem_.direction == ConvDirection::weight_gradient; }

    /// sum = a * b, transposed as described, + added, unless that is null.
    void multiply(const void* a, const Layout& a_layout, const void* b, const Layout& b_layout, void* sum,
                  const Layout& sum_layout, const void* added, void* memory, cudaStream_t stream) const {
        const float one = 1, beta = added ? 1 : 0;
        CublasLt::check(library_->multiply(handle_, product_.get(), &one, a, a_layout.get(), b, b_layout.get(), &beta,
                                           added ? added : sum, sum_layout.get(), sum, sum_layout.get(), &algorithm_,
                                           memory, workspace_, stream),
                        "multiply");
    }

    static constexpr cudaDataType_t stored_type(Precision precision) {
        return precision == Precision::bfloat16  ? CUDA_R_16BF
               : precision == Precision::float16 ? CUDA_R_16F
                                                 : CUDA_R_32F;
    }

    template <class T>
    void set(cublasLtMatmulDescAttributes_t name, const T& value) {
        CublasLt::check(library_->set_product(product_.get(), name, &value, sizeof value), "describe a product");
    }

    Layout layout(cudaDataType_t type, std::uint64_t rows, std::uint64_t columns) const {
        cublasLtMatrixLayout_t made = nullptr;
        CublasLt::check(library_->create_layout(&made, type, rows, columns, static_cast<std::int64_t>(rows)),
                        "describe a matrix");
        return {made, library_->destroy_layout};
    }

    std::shared_ptr<const CublasLt> library_;
    cublasLtHandle_t handle_;
    ConvProblem problem_;
    std::size_t workspace_;
    std::shared_ptr<std::remove_pointer_t<cublasLtMatmulDesc_t>> product_;
    Layout weights_, source_, target_;
    cublasLtMatmulAlgo_t algorithm_{};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda

#endif
