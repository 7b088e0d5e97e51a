#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The interpreter of the naive backend that tests compare with: runs a program as the layers lowered it, without any
// pass.

#include <span>
#include <vector>

#include <tenon/backend/reference/ops.hpp>
#include <tenon/core/math.hpp>

namespace tenon::reference {
inline namespace TENON_ISA_NAMESPACE {

/// Interprets a lowered program, image by image.
template <class ScalarType>
class Interpreter {
public:
    using Scalar = ScalarType;
    using Vector = std::vector<Scalar>;

    Interpreter(std::span<const Shape> shapes, std::span<const LayerInfo> layers, std::span<const Parameter> parameters)
        : shapes_{shapes}, layers_{layers}, parameters_{parameters} {}

    /// Runs one operation on one image: reads and writes `values`; `tensors[i]` is parameter i.
    void run(const Op& op, std::vector<Vector>& values, std::span<const Vector> tensors) const {
        const Shape in = shapes_[index(op.source())], out = shapes_[index(op.target)];
        const Vector& x = values[index(op.source())];
        Vector& y = values[index(op.target)];
        y.assign(index(out.elements()), Scalar{0});
        switch (op.kind) {
            case OpKind::conv:
            case OpKind::linear:
                if (const Vector* bias = parameter(op, ParameterRole::bias, tensors))
                    for (std::size_t i = 0; i < y.size(); ++i) y[i] = (*bias)[i / index(out.pixels())];
                return add_products(op, op.terms[0], in, out, x.data(),
                                    parameter(op, ParameterRole::weight, tensors)->data(), y.data());
            case OpKind::batch_norm:
                return normalize(op, x, in, y, tensors);
            case OpKind::dropout:
                y = x;
                return;
            default: {
                const int second = op.kind == OpKind::add ? op.residual : op.second_factor();
                run_plain(op, op.layer() < 0 ? 0.0 : layers_[index(op.layer())].rate, in, out, x.data(),
                          second < 0 ? nullptr : values[index(second)].data(), y.data());
            }
        }
    }

private:
    /// A parameter of an operation's layer; nullptr if it has none with this role.
    const Vector* parameter(const Op& op, ParameterRole role, std::span<const Vector> tensors) const {
        const int found = parameter_of(layers_[index(op.layer())], parameters_.data(), role);
        return found < 0 ? nullptr : &tensors[index(found)];
    }

    /// By the running statistics. Divides by the deviation, where training multiplies by its reciprocal, which the
    /// gradients read too: the last bits differ.
    void normalize(const Op& op, const Vector& x, Shape in, Vector& y, std::span<const Vector> tensors) const {
        const auto epsilon = static_cast<Scalar>(layers_[index(op.layer())].epsilon);
        const Vector &mean = *parameter(op, ParameterRole::running_mean, tensors),
                     &variance = *parameter(op, ParameterRole::running_variance, tensors);
        const Vector *gamma = parameter(op, ParameterRole::gamma, tensors),
                     *beta = parameter(op, ParameterRole::beta, tensors);
        for (std::size_t i = 0; i < y.size(); ++i) {
            const std::size_t c = i / index(in.pixels());
            y[i] = (x[i] - mean[c]) / detail::sqrt(variance[c] + epsilon);
            if (gamma) y[i] = y[i] * (*gamma)[c] + (*beta)[c];
        }
    }

    std::span<const Shape> shapes_;
    std::span<const LayerInfo> layers_;
    std::span<const Parameter> parameters_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::reference
