#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// cuDNN 9 through its backend API: descriptors as values, errors as sentences. Needs cuDNN's headers, which the target
// tenon::cuda searches for, defining TENON_CUDNN if it finds them, and its libraries when the program runs; needs no
// CUDA compiler. Without TENON_CUDNN there is nothing here.

#if defined(TENON_CUDNN)

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <cudnn.h>

#include <tenon/backend/cuda/driver/dynamic_library.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// The functions of cuDNN's library that tenon uses.
class Cudnn {
public:
    /// Throws tenon::Error where the library is not installed, or has another major version.
    Cudnn() : library_{"libcudnn.so.9"} {
        if (version_of_() / 10000 != 9)
            throw Error("cuDNN has version " + std::to_string(version_of_()) + ", expected 9");
    }

    std::size_t version() const { return version_of_(); }
    std::string file() const { return DynamicLibrary::file_of(reinterpret_cast<const void*>(execute)); }

    /// Throws tenon::Error, quoting cuDNN, for a call that failed.
    void check(cudnnStatus_t status, const std::string& action) const {
        if (status == CUDNN_STATUS_SUCCESS) return;
        char words[512]{};
        last_error_(words, sizeof words - 1);
        throw Error("cuDNN could not " + action + ": " + string_of_(status) + (words[0] ? ", " : "") + words);
    }

private:
    DynamicLibrary library_;
    template <class Function>
    Function* find(const char* name) const {
        return library_.function<Function>(name);
    }
    decltype(&cudnnGetVersion) version_of_ = find<decltype(cudnnGetVersion)>("cudnnGetVersion");
    decltype(&cudnnGetErrorString) string_of_ = find<decltype(cudnnGetErrorString)>("cudnnGetErrorString");
    decltype(&cudnnGetLastErrorString) last_error_ = find<decltype(cudnnGetLastErrorString)>("cudnnGetLastErrorString");

public:
    decltype(&cudnnCreate) create_handle = find<decltype(cudnnCreate)>("cudnnCreate");
    decltype(&cudnnDestroy) destroy_handle = find<decltype(cudnnDestroy)>("cudnnDestroy");
    decltype(&cudnnSetStream) set_stream = find<decltype(cudnnSetStream)>("cudnnSetStream");
    decltype(&cudnnBackendCreateDescriptor) create =
        find<decltype(cudnnBackendCreateDescriptor)>("cudnnBackendCreateDescriptor");
    decltype(&cudnnBackendDestroyDescriptor) destroy =
        find<decltype(cudnnBackendDestroyDescriptor)>("cudnnBackendDestroyDescriptor");
    decltype(&cudnnBackendSetAttribute) set = find<decltype(cudnnBackendSetAttribute)>("cudnnBackendSetAttribute");
    decltype(&cudnnBackendGetAttribute) get = find<decltype(cudnnBackendGetAttribute)>("cudnnBackendGetAttribute");
    decltype(&cudnnBackendFinalize) finalize = find<decltype(cudnnBackendFinalize)>("cudnnBackendFinalize");
    decltype(&cudnnBackendExecute) execute = find<decltype(cudnnBackendExecute)>("cudnnBackendExecute");
};

/// The cuDNN type for a C++ type of an attribute. A pointer to anything is a descriptor; addresses are set by
/// set_addresses.
template <class T>
constexpr cudnnBackendAttributeType_t attribute_type() {
    if constexpr (std::is_same_v<T, std::int64_t>) return CUDNN_TYPE_INT64;
    if constexpr (std::is_same_v<T, float>) return CUDNN_TYPE_FLOAT;
    if constexpr (std::is_same_v<T, bool>) return CUDNN_TYPE_BOOLEAN;
    if constexpr (std::is_same_v<T, char>) return CUDNN_TYPE_CHAR;
    if constexpr (std::is_same_v<T, cudnnHandle_t>) return CUDNN_TYPE_HANDLE;
    if constexpr (std::is_same_v<T, cudnnDataType_t>) return CUDNN_TYPE_DATA_TYPE;
    if constexpr (std::is_same_v<T, cudnnConvolutionMode_t>) return CUDNN_TYPE_CONVOLUTION_MODE;
    if constexpr (std::is_same_v<T, cudnnPointwiseMode_t>) return CUDNN_TYPE_POINTWISE_MODE;
    if constexpr (std::is_same_v<T, cudnnBackendHeurMode_t>) return CUDNN_TYPE_HEUR_MODE;
    if constexpr (std::is_same_v<T, cudnnBackendNumericalNote_t>) return CUDNN_TYPE_NUMERICAL_NOTE;
    if constexpr (std::is_same_v<T, cudnnBackendBehaviorNote_t>) return CUDNN_TYPE_BEHAVIOR_NOTE;
    if constexpr (std::is_same_v<T, cudnnBackendDescriptor_t>) return CUDNN_TYPE_BACKEND_DESCRIPTOR;
}

/// A descriptor: created, given attributes, and finalized. It keeps the descriptors that it was given alive.
class CudnnDescriptor {
public:
    CudnnDescriptor(std::shared_ptr<const Cudnn> cudnn, cudnnBackendDescriptorType_t type) : cudnn_{std::move(cudnn)} {
        cudnnBackendDescriptor_t descriptor = nullptr;
        cudnn_->check(cudnn_->create(type, &descriptor), "create a descriptor");
        descriptor_ = {descriptor, Destroy{cudnn_.get()}};
    }

    template <class T>
    CudnnDescriptor& set(cudnnBackendAttributeName_t name, std::span<const T> values) {
        cudnn_->check(cudnn_->set(descriptor_.get(), name, attribute_type<T>(), std::ssize(values), values.data()),
                      "set attribute " + std::to_string(name));
        return *this;
    }
    template <class T>
    CudnnDescriptor& set(cudnnBackendAttributeName_t name, const std::vector<T>& values) {
        return set(name, std::span<const T>(values));
    }
    template <class T>
    CudnnDescriptor& set(cudnnBackendAttributeName_t name, const T& value) {
        return set(name, std::span<const T>(&value, 1));
    }
    CudnnDescriptor& set_addresses(cudnnBackendAttributeName_t name, std::span<void* const> addresses) {
        cudnn_->check(
            cudnn_->set(descriptor_.get(), name, CUDNN_TYPE_VOID_PTR, std::ssize(addresses), addresses.data()),
            "set addresses");
        return *this;
    }
    CudnnDescriptor& set(cudnnBackendAttributeName_t name, const CudnnDescriptor& part) {
        parts_.push_back(part.descriptor_);
        return set(name, part.descriptor_.get());
    }
    CudnnDescriptor& set(cudnnBackendAttributeName_t name, const std::vector<CudnnDescriptor>& parts) {
        std::vector<cudnnBackendDescriptor_t> raw;
        for (const CudnnDescriptor& part : parts) {
            parts_.push_back(part.descriptor_);
            raw.push_back(part.descriptor_.get());
        }
        return set(name, raw);
    }

    /// Throws tenon::Error, quoting cuDNN, when the attributes are inconsistent or not supported.
    CudnnDescriptor& finalize(const char* what) {
        cudnn_->check(cudnn_->finalize(descriptor_.get()), std::string("make ") + what);
        return *this;
    }

    /// The values of an attribute, at most `max_count`.
    template <class T>
    std::vector<T> get(cudnnBackendAttributeName_t name, std::int64_t max_count) const {
        std::vector<T> values(static_cast<std::size_t>(max_count));
        std::int64_t count = 0;
        cudnn_->check(cudnn_->get(descriptor_.get(), name, attribute_type<T>(), max_count, &count, values.data()),
                      "tell attribute " + std::to_string(name));
        values.resize(static_cast<std::size_t>(std::min(count, max_count)));
        return values;
    }
    template <class T>
    T get(cudnnBackendAttributeName_t name) const {
        return get<T>(name, 1).at(0);
    }
    /// Descriptors that cuDNN fills in: `max_count` are created, and those that it filled in are returned.
    std::vector<CudnnDescriptor> get_descriptors(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                                 std::int64_t max_count) const {
        std::vector<CudnnDescriptor> made;
        std::vector<cudnnBackendDescriptor_t> raw;
        for (std::int64_t i = 0; i < max_count; ++i) raw.push_back(made.emplace_back(cudnn_, type).descriptor_.get());
        std::int64_t count = 0;
        cudnn_->check(cudnn_->get(descriptor_.get(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR, max_count, &count,
                                  static_cast<void*>(raw.data())),
                      "tell attribute " + std::to_string(name));
        made.erase(made.begin() + std::min(count, max_count), made.end());
        for (CudnnDescriptor& one : made) one.parts_.push_back(descriptor_);
        return made;
    }

    cudnnBackendDescriptor_t raw() const { return descriptor_.get(); }
    const std::shared_ptr<const Cudnn>& library() const { return cudnn_; }

private:
    struct Destroy {
        const Cudnn* cudnn;
        void operator()(cudnnBackendDescriptor_t descriptor) const { cudnn->destroy(descriptor); }
    };
    std::shared_ptr<const Cudnn> cudnn_;
    std::shared_ptr<void> descriptor_;
    std::vector<std::shared_ptr<void>> parts_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda

#endif
