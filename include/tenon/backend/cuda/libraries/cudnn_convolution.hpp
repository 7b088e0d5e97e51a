#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Convolutions for cuDNN: the graph of operations, the engines that cuDNN offers for it, and executable plans. Works
// from the description of a device too, without the device. Without TENON_CUDNN there is nothing here.

#if defined(TENON_CUDNN)

#include <algorithm>
#include <array>

#include <tenon/backend/cuda/libraries/conv_problem.hpp>
#include <tenon/backend/cuda/libraries/cudnn.hpp>

namespace tenon::cuda {

/// The tensors of a plan; a call gives their addresses for these numbers.
enum class CudnnTensor : std::int64_t { source = 1, weights, target, bias, residual };

inline namespace TENON_ISA_NAMESPACE {

/// What a problem is planned for: a device that is present (given by a handle), or the description of one.
class CudnnDevice {
public:
    /// A description as cuDNN writes it: JSON with the properties that its heuristics use.
    static CudnnDevice described(std::shared_ptr<const Cudnn> cudnn, const std::string& json) {
        CudnnDescriptor properties{cudnn, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR};
        properties.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, std::span<const char>(json.c_str(), json.size() + 1));
        properties.finalize("the description of a device");
        return CudnnDevice{std::move(properties)};
    }
    /// The device of a handle.
    static CudnnDevice of(std::shared_ptr<const Cudnn> cudnn, cudnnHandle_t handle) {
        CudnnDescriptor properties{cudnn, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR};
        properties.set(CUDNN_ATTR_DEVICEPROP_HANDLE, handle);
        properties.finalize("the description of the device");
        return CudnnDevice{std::move(properties)};
    }

    /// The description as JSON, to be stored for tests elsewhere.
    std::string json() const {
        const auto text = properties_.get<char>(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, 1 << 16);
        return {text.begin(), std::find(text.begin(), text.end(), '\0')};
    }

    const CudnnDescriptor& properties() const { return properties_; }
    const std::shared_ptr<const Cudnn>& library() const { return properties_.library(); }

private:
    explicit CudnnDevice(CudnnDescriptor properties) : properties_{std::move(properties)} {}
    CudnnDescriptor properties_;
};

/// An engine with its settings, as cuDNN offers it for a problem.
class CudnnOffer {
public:
    explicit CudnnOffer(CudnnDescriptor settings) : settings_{std::move(settings)} {
        const auto engines = settings_.get_descriptors(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
        const CudnnDescriptor& engine = engines.at(0);
        index_ = engine.get<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
        numerical_ =
            engine.get<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
        behavior_ =
            engine.get<cudnnBackendBehaviorNote_t>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_BEHAVIOR_NOTE_TYPE_COUNT);
    }

    std::int64_t engine() const { return index_; }
    bool has(cudnnBackendNumericalNote_t note) const { return std::ranges::count(numerical_, note) > 0; }
    bool has(cudnnBackendBehaviorNote_t note) const { return std::ranges::count(behavior_, note) > 0; }
    /// Whether it is compiled when a plan is made, which takes about a second; other engines are in cuDNN's libraries.
    bool is_compiled_at_run_time() const { return has(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION); }
    /// Whether it gives the same bits in every run.
    bool is_deterministic() const { return !has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC); }
    /// Whether it may compute in a precision: in 32 bits, neither tensor cores nor rounded inputs are allowed.
    bool suits(Precision precision) const {
        return precision != Precision::float32 ||
               (!has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) && !has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS));
    }
    const CudnnDescriptor& settings() const { return settings_; }

private:
    CudnnDescriptor settings_;
    std::int64_t index_ = -1;
    std::vector<cudnnBackendNumericalNote_t> numerical_;
    std::vector<cudnnBackendBehaviorNote_t> behavior_;
};

/// A problem as a graph of operations, and what cuDNN offers for it.
class CudnnConvolution {
public:
    /// Throws tenon::Error where cuDNN finds the problem inconsistent.
    CudnnConvolution(std::shared_ptr<const Cudnn> cudnn, const ConvProblem& problem)
        : cudnn_{std::move(cudnn)}, problem_{problem}, graph_{make_graph()} {}

    /// What cuDNN's heuristics offer on a device, best first; where all of it would be compiled at run time, followed
    /// by cuDNN's fallbacks. Contains only what suits the precision and gives the same bits in every run.
    std::vector<CudnnOffer> offers(const CudnnDevice& device) const {
        std::vector<CudnnOffer> offers;
        for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
            CudnnDescriptor heuristics{cudnn_, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR};
            heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_);
            heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
            heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, device.properties());
            heuristics.finalize("heuristics");
            for (CudnnDescriptor& settings : heuristics.get_descriptors(
                     CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, max_offers)) {
                CudnnOffer offer{std::move(settings)};
                if (offer.suits(problem_.precision) && offer.is_deterministic()) offers.push_back(std::move(offer));
            }
            if (!std::ranges::all_of(offers, &CudnnOffer::is_compiled_at_run_time)) break;
        }
        return offers;
    }

    /// An executable plan. Throws tenon::Error where the engine cannot do it after all.
    static CudnnDescriptor plan(const CudnnOffer& offer, const CudnnDevice& device) {
        CudnnDescriptor plan{device.library(), CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR};
        plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, offer.settings());
        plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, device.properties());
        plan.finalize("a plan");
        return plan;
    }

private:
    static constexpr std::int64_t max_offers = 64;
    using Sizes = std::vector<std::int64_t>;

    static constexpr cudnnDataType_t stored_type(Precision precision) {
        return precision == Precision::bfloat16  ? CUDNN_DATA_BFLOAT16
               : precision == Precision::float16 ? CUDNN_DATA_HALF
                                                 : CUDNN_DATA_FLOAT;
    }

    /// Sizes are given in cuDNN's order (images, channels, height, width); channels are innermost in memory. Virtual
    /// tensors are never stored and have 32 bits.
    CudnnDescriptor tensor(std::int64_t number, const Sizes& sizes, bool is_virtual = false) const {
        const Sizes strides{sizes[1] * sizes[2] * sizes[3], 1, sizes[1] * sizes[3], sizes[1]};
        CudnnDescriptor made{cudnn_, CUDNN_BACKEND_TENSOR_DESCRIPTOR};
        made.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, number);
        made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, is_virtual ? CUDNN_DATA_FLOAT : stored_type(problem_.precision));
        made.set(CUDNN_ATTR_TENSOR_DIMENSIONS, sizes);
        made.set(CUDNN_ATTR_TENSOR_STRIDES, strides);
        made.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{16});
        if (is_virtual) made.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, true);
        made.finalize("a tensor");
        return made;
    }
    CudnnDescriptor tensor(CudnnTensor number, const Sizes& sizes) const {
        return tensor(static_cast<std::int64_t>(number), sizes);
    }

    /// The padding after the last row or column that gives the result its size: as much as before the first if that is
    /// right, because more engines support that.
    static std::int64_t padding_after(int results, int stride, int kernel, int size, int before) {
        if ((size + 2 * before - kernel) / stride + 1 == results) return before;
        return std::max(0, (results - 1) * stride + kernel - size - before);
    }

    CudnnDescriptor window() const {
        const ConvProblem& p = problem_;
        const Sizes before{p.top, p.left}, strides{p.stride_height, p.stride_width}, dilations{1, 1};
        const Sizes after{padding_after(p.result_height, p.stride_height, p.kernel_height, p.height, p.top),
                          padding_after(p.result_width, p.stride_width, p.kernel_width, p.width, p.left)};
        CudnnDescriptor made{cudnn_, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR};
        made.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2});
        made.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
        made.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
        made.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, before);
        made.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, after);
        made.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, strides);
        made.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, dilations);
        made.finalize("a window");
        return made;
    }

    CudnnDescriptor pointwise(cudnnPointwiseMode_t mode, const CudnnDescriptor& from, const CudnnDescriptor* other,
                              const CudnnDescriptor& to) const {
        CudnnDescriptor kind{cudnn_, CUDNN_BACKEND_POINTWISE_DESCRIPTOR};
        kind.set(CUDNN_ATTR_POINTWISE_MODE, mode).set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
        kind.finalize("a pointwise operation");
        CudnnDescriptor made{cudnn_, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR};
        made.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind);
        made.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, from);
        if (other) made.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *other);
        made.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, to);
        made.finalize("a pointwise operation");
        return made;
    }

    CudnnDescriptor make_graph() const {
        const ConvProblem& p = problem_;
        const Sizes source_sizes{p.images, p.channels, p.height, p.width};
        const Sizes target_sizes{p.images, p.outputs, p.result_height, p.result_width};
        const Sizes weight_sizes{p.outputs, p.channels / p.groups, p.kernel_height, p.kernel_width};
        const CudnnDescriptor source = tensor(CudnnTensor::source, source_sizes);
        const CudnnDescriptor weights = tensor(CudnnTensor::weights, weight_sizes);
        const CudnnDescriptor target = tensor(CudnnTensor::target, target_sizes);
        std::vector<CudnnDescriptor> operations;
        if (p.direction == ConvDirection::data_gradient) {
            operations.push_back(product(
                CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY},
                source, weights, target));
        } else if (p.direction == ConvDirection::weight_gradient) {
            operations.push_back(product(
                CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY},
                source, weights, target));
        } else {
            std::int64_t next = 100;  // numbers of virtual tensors
            int left = int{p.residual} + int{p.bias} + int{p.relu};
            CudnnDescriptor sum = left > 0 ? tensor(next++, target_sizes, true) : target;
            operations.push_back(
                product(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                        {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y},
                        source, weights, sum));
            const auto append = [&](cudnnPointwiseMode_t mode, const CudnnDescriptor* other) {
                CudnnDescriptor to = --left > 0 ? tensor(next++, target_sizes, true) : target;
                operations.push_back(pointwise(mode, sum, other, to));
                sum = to;
            };
            const CudnnDescriptor residual = tensor(CudnnTensor::residual, target_sizes);
            const CudnnDescriptor bias = tensor(CudnnTensor::bias, {1, p.outputs, 1, 1});
            if (p.residual) append(CUDNN_POINTWISE_ADD, &residual);
            if (p.bias) append(CUDNN_POINTWISE_ADD, &bias);
            if (p.relu) append(CUDNN_POINTWISE_RELU_FWD, nullptr);
        }
        CudnnDescriptor graph{cudnn_, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR};
        graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations);
        graph.finalize("a graph of operations");
        return graph;
    }

    /// A convolution or one of its gradients; `names` are its attributes: alpha, beta, window, source, weights, target.
    CudnnDescriptor product(cudnnBackendDescriptorType_t type, const std::array<cudnnBackendAttributeName_t, 6>& names,
                            const CudnnDescriptor& source, const CudnnDescriptor& weights,
                            const CudnnDescriptor& target) const {
        CudnnDescriptor made{cudnn_, type};
        made.set(names[0], 1.0f).set(names[1], 0.0f).set(names[2], window());
        made.set(names[3], source).set(names[4], weights).set(names[5], target);
        made.finalize("a convolution");
        return made;
    }

    std::shared_ptr<const Cudnn> cudnn_;
    ConvProblem problem_;
    CudnnDescriptor graph_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda

#endif
