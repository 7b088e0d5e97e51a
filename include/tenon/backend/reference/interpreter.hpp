// The interpreter of the naive backend that tests compare with: runs a program as the layers lowered it, without any
// pass, one loop per dimension, in float or double.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include <tenon/program/program.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Interprets a lowered program. Values are vectors in the order channel, row, column.
template <class ScalarType>
class ReferenceInterpreter {
public:
    using Scalar = ScalarType;
    using Values = std::vector<std::vector<Scalar>>;

    ReferenceInterpreter(std::span<const Shape> shapes, std::span<const LayerInfo> layers)
        : shapes_{shapes}, layers_{layers} {}

    /// Runs one operation on one image; `tensors[i]` is parameter i.
    void run(const Op& op, Values& values, std::span<const std::vector<Scalar>> tensors) const {
        const auto& x = values[index(op.source())];
        auto& y = values[index(op.target)];
        const Shape in = shapes_[index(op.source())], out = shapes_[index(op.target)];
        y.assign(static_cast<std::size_t>(out.elements()), Scalar{0});
        const auto parameter = [&](int which) -> const std::vector<Scalar>& {
            return tensors[index(layers_[index(op.layer())].first_parameter + which)];
        };
        const bool bias = layers_[index(op.layer())].parameters > 1;
        switch (op.kind) {
            case OpKind::conv:
                return convolve(op, x, in, y, out, parameter(0), bias ? &parameter(1) : nullptr);
            case OpKind::linear:
                for (int o = 0; o < out.channels; ++o) {
                    Scalar sum = bias ? parameter(1)[index(o)] : Scalar{0};
                    for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * parameter(0)[index(o) * x.size() + i];
                    y[index(o)] = sum;
                }
                return;
            case OpKind::batch_norm:
                return normalize(op, x, in, y, tensors);
            case OpKind::relu:
                for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] < 0 ? Scalar{0} : x[i];
                return;
            case OpKind::add:
                for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] + values[index(op.residual)][i];
                return;
            case OpKind::scale: {
                const auto factor = static_cast<Scalar>(layers_[index(op.layer())].rate);
                for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] * factor;
                return;
            }
            case OpKind::multiply:
                for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] * values[index(op.second_factor())][i];
                return;
            case OpKind::sigmoid:
                for (std::size_t i = 0; i < y.size(); ++i) y[i] = Scalar{1} / (Scalar{1} + std::exp(-x[i]));
                return;
            case OpKind::pad_channels:
                return pad_channels(op, x, in, y, out);
            case OpKind::max_pool:
            case OpKind::average_pool:
                return pool(op, x, in, y, out);
            case OpKind::global_average_pool:
            case OpKind::global_max_pool:
                return global_pool(op, x, in, y);
            case OpKind::softmax: {
                Scalar largest = x[0], sum = 0;
                for (const Scalar value : x) largest = std::max(largest, value);
                for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] = std::exp(x[i] - largest);
                for (Scalar& value : y) value /= sum;
                return;
            }
            default:  // flatten, dropout: the same scalars
                y = x;
        }
    }

private:
    static std::size_t index(int i) { return static_cast<std::size_t>(i); }
    static std::size_t index(Shape shape, int c, int y, int x) {
        return (index(c) * index(shape.height) + index(y)) * index(shape.width) + index(x);
    }

    /// The mean and variance are a norm's last two parameters; gamma and beta stand before them if it has them.
    void normalize(const Op& op, const std::vector<Scalar>& x, Shape in, std::vector<Scalar>& y,
                   std::span<const std::vector<Scalar>> tensors) const {
        const LayerInfo& layer = layers_[index(op.layer())];
        const auto first = tensors.subspan(index(layer.first_parameter), index(layer.parameters));
        const bool affine = layer.parameters == 4;
        const auto &mean = first[first.size() - 2], &variance = first[first.size() - 1];
        for (std::size_t i = 0; i < y.size(); ++i) {
            const std::size_t c = i / static_cast<std::size_t>(in.pixels());
            y[i] = (x[i] - mean[c]) / std::sqrt(variance[c] + static_cast<Scalar>(layer.epsilon));
            if (affine) y[i] = y[i] * first[0][c] + first[1][c];
        }
    }

    /// Tap by tap over whole maps: each output adds up its products in the order of the weights, as if alone.
    static void convolve(const Op& op, const std::vector<Scalar>& x, Shape in, std::vector<Scalar>& y, Shape out,
                         const std::vector<Scalar>& weight, const std::vector<Scalar>* bias) {
        const Window& w = op.window();
        const int inputs = in.channels / op.terms[0].groups, outputs = out.channels / op.terms[0].groups;
        const Scalar* factor = weight.data();
        for (int o = 0; o < out.channels; ++o) {
            Scalar* const to = y.data() + index(out, o, 0, 0);
            std::fill_n(to, out.pixels(), bias ? (*bias)[index(o)] : Scalar{0});
            for (int i = 0; i < inputs; ++i)
                for (int ky = 0; ky < w.kernel_height; ++ky)
                    for (int kx = 0; kx < w.kernel_width; ++kx, ++factor)
                        for (int row = 0; row < out.height; ++row) {
                            const int iy = row * w.stride_height + ky - w.top;
                            if (iy < 0 || iy >= in.height) continue;
                            const Scalar* const from = x.data() + index(in, o / outputs * inputs + i, iy, 0);
                            for (int column = 0; column < out.width; ++column) {
                                const int ix = column * w.stride_width + kx - w.left;
                                if (ix >= 0 && ix < in.width) to[row * out.width + column] += from[ix] * *factor;
                            }
                        }
        }
    }

    static void pad_channels(const Op& op, const std::vector<Scalar>& x, Shape in, std::vector<Scalar>& y, Shape out) {
        const int before = (out.channels - in.channels) / 2;
        for (int c = 0; c < in.channels; ++c)
            for (int row = 0; row < out.height; ++row)
                for (int column = 0; column < out.width; ++column)
                    y[index(out, before + c, row, column)] =
                        x[index(in, c, row * op.window().stride_height, column * op.window().stride_width)];
    }

    static void pool(const Op& op, const std::vector<Scalar>& x, Shape in, std::vector<Scalar>& y, Shape out) {
        const Window& w = op.window();
        const bool maximum = op.kind == OpKind::max_pool, zeros = w.pad_value == PadValue::zero;
        for (int c = 0; c < out.channels; ++c)
            for (int row = 0; row < out.height; ++row)
                for (int column = 0; column < out.width; ++column) {
                    Scalar result = maximum ? -std::numeric_limits<Scalar>::infinity() : Scalar{0};
                    int counted = 0;
                    for (int ky = 0; ky < w.kernel_height; ++ky)
                        for (int kx = 0; kx < w.kernel_width; ++kx) {
                            const int iy = row * w.stride_height + ky - w.top;
                            const int ix = column * w.stride_width + kx - w.left;
                            const bool inside = iy >= 0 && iy < in.height && ix >= 0 && ix < in.width;
                            if (!inside && !zeros) continue;
                            const Scalar value = inside ? x[index(in, c, iy, ix)] : Scalar{0};
                            result = maximum ? (std::isnan(value) || value > result ? value : result) : result + value;
                            ++counted;
                        }
                    y[index(out, c, row, column)] = maximum ? result : result / static_cast<Scalar>(counted);
                }
    }

    static void global_pool(const Op& op, const std::vector<Scalar>& x, Shape in, std::vector<Scalar>& y) {
        const bool maximum = op.kind == OpKind::global_max_pool;
        const auto pixels = static_cast<std::size_t>(in.pixels());
        for (std::size_t c = 0; c < y.size(); ++c) {
            Scalar result = maximum ? x[c * pixels] : Scalar{0};
            for (std::size_t i = 0; i < pixels; ++i)
                result = maximum ? std::max(result, x[c * pixels + i]) : result + x[c * pixels + i];
            y[c] = maximum ? result : result / static_cast<Scalar>(pixels);
        }
    }

    std::span<const Shape> shapes_;
    std::span<const LayerInfo> layers_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
