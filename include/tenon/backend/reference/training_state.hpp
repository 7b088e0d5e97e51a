// What the naive training engine works on: values of a batch, parameters, gradients and batch statistics as vectors.
#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include <tenon/core/dropout_mask.hpp>
#include <tenon/program/training_program.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// The state of a training step in memory that is easy to look at: value v of image n is elements [n * size, (n + 1) *
/// size) of values[v], in the order channel, row, column.
template <class Scalar>
struct TrainingState {
    using Vector = std::vector<Scalar>;

    std::span<const Shape> shapes;
    std::span<const LayerInfo> layers;
    std::span<const Parameter> tensors;
    std::span<Scalar> parameters, gradients;  ///< arenas
    std::vector<Vector> values;
    std::vector<Vector> mean, inverse_deviation;  ///< of the batch, per layer
    long batch = 0;
    std::uint64_t seed = 0;
    bool update_running = true;

    static std::size_t at(long index) { return static_cast<std::size_t>(index); }

    const LayerInfo& layer(int index) const { return layers[at(index)]; }
    Shape shape(int value) const { return shapes[at(value)]; }
    Vector& value(int index) { return values[at(index)]; }

    /// The values of a layer's parameter, and their gradients.
    std::span<Scalar> parameter(int index, int which) const { return slice(parameters, index, which); }
    std::span<Scalar> gradient(int index, int which) const { return slice(gradients, index, which); }
    /// A batch norm's running statistics are its last two parameters; gamma and beta stand before them if it has them.
    bool is_affine(int index) const { return layer(index).parameters == 4; }
    std::span<Scalar> running(int index, int which) const {
        return slice(parameters, index, layer(index).parameters - 2 + which);
    }
    Scalar gamma(int index, std::size_t channel) const {
        return is_affine(index) ? parameter(index, 0)[channel] : Scalar{1};
    }
    Scalar beta(int index, std::size_t channel) const {
        return is_affine(index) ? parameter(index, 1)[channel] : Scalar{0};
    }
    bool has_bias(int index) const { return layer(index).parameters > 1; }

    /// Prepares a target: as large as the batch needs, holding what is added to it or zeros.
    Vector& start(int target, int sum) {
        Vector& result = value(target);
        const std::size_t size = at(batch * shape(target).elements());
        if (sum >= 0 && sum != target)
            result = value(sum);
        else
            result.assign(size, Scalar{0});
        return result;
    }

    DropoutMask mask(int index) const { return {seed, index, layer(index).rate}; }

private:
    std::span<Scalar> slice(std::span<Scalar> arena, int index, int which) const {
        const Parameter& tensor = tensors[at(layer(index).first_parameter + which)];
        return arena.subspan(at(tensor.offset), at(tensor.elements()));
    }
};

/// Calls f(output, input, weight) with the indices of all products of one image in a term of a convolution or in a
/// linear layer: result[output] += source[input] * weights[weight].
template <class F>
void for_each_product(const ConvTerm& term, bool is_linear, Shape in, Shape out, const F& f) {
    if (is_linear) {
        const long inputs = in.elements();
        for (long o = 0; o < out.channels; ++o)
            for (long i = 0; i < inputs; ++i) f(o, i, o * inputs + i);
        return;
    }
    const Window& w = term.window;
    const int inputs = in.channels / term.groups, outputs = out.channels / term.groups;
    for (int o = 0; o < out.channels; ++o)
        for (int i = 0; i < inputs; ++i)
            for (int ky = 0; ky < w.kernel_height; ++ky)
                for (int kx = 0; kx < w.kernel_width; ++kx)
                    for (int row = 0; row < out.height; ++row)
                        for (int column = 0; column < out.width; ++column) {
                            const int y = row * w.stride_height + ky - w.top;
                            const int x = column * w.stride_width + kx - w.left;
                            if (y < 0 || y >= in.height || x < 0 || x >= in.width) continue;
                            const long channel = o / outputs * inputs + i;
                            f((static_cast<long>(o) * out.height + row) * out.width + column,
                              (channel * in.height + y) * in.width + x,
                              ((static_cast<long>(o) * inputs + i) * w.kernel_height + ky) * w.kernel_width + kx);
                        }
}

/// Calls f(output, inside, input) for each pixel of each window of a pooling, in the order of the scan; `inside` is
/// false for padding. A global pooling has one window, the map.
template <class F>
void for_each_window_pixel(const Op& op, Shape in, Shape out, const F& f) {
    const bool global = op.kind == OpKind::global_average_pool || op.kind == OpKind::global_max_pool;
    Window w = op.window();
    if (global) w = {in.height, in.width, 1, 1, 0, 0, 0, 0, PadValue::excluded};
    const int rows = global ? 1 : out.height, columns = global ? 1 : out.width;
    for (int c = 0; c < out.channels; ++c)
        for (int row = 0; row < rows; ++row)
            for (int column = 0; column < columns; ++column)
                for (int ky = 0; ky < w.kernel_height; ++ky)
                    for (int kx = 0; kx < w.kernel_width; ++kx) {
                        const int y = row * w.stride_height + ky - w.top, x = column * w.stride_width + kx - w.left;
                        const bool inside = y >= 0 && y < in.height && x >= 0 && x < in.width;
                        f((static_cast<long>(c) * rows + row) * columns + column, inside,
                          (static_cast<long>(c) * in.height + y) * in.width + x);
                    }
}

/// Calls f(output, input) for each pixel that a padding of channels copies.
template <class F>
void for_each_padded_pixel(const Window& window, Shape in, Shape out, const F& f) {
    const int before = (out.channels - in.channels) / 2;
    for (int c = 0; c < in.channels; ++c)
        for (int y = 0; y < out.height; ++y)
            for (int x = 0; x < out.width; ++x)
                f((static_cast<long>(before + c) * out.height + y) * out.width + x,
                  (static_cast<long>(c) * in.height + y * window.stride_height) * in.width + x * window.stride_width);
}

/// Whether a pooling takes the largest value.
constexpr bool is_max(OpKind kind) { return kind == OpKind::max_pool || kind == OpKind::global_max_pool; }

/// For each output of a pooling of one image: the input that is its maximum, the first in the order of the scan (-1: it
/// is padding), or the number of pixels that an average is over.
template <class Scalar>
std::vector<long> pool_choices(const Op& op, Shape in, Shape out, const Scalar* x) {
    std::vector<long> choices(static_cast<std::size_t>(out.elements()), 0);
    std::vector<Scalar> largest(choices.size(), -std::numeric_limits<Scalar>::infinity());
    std::vector<bool> begun(choices.size(), false);
    const bool zeros = op.window().pad_value == PadValue::zero;
    for_each_window_pixel(op, in, out, [&](long output, bool inside, long input) {
        const auto o = static_cast<std::size_t>(output);
        if (!inside && !zeros) return;
        if (!is_max(op.kind)) {
            ++choices[o];
            return;
        }
        const Scalar value = inside ? x[input] : Scalar{0};
        if (begun[o] && !(value > largest[o]) && !std::isnan(value)) return;
        begun[o] = true;
        largest[o] = value;
        choices[o] = inside ? input : -1;
    });
    return choices;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
