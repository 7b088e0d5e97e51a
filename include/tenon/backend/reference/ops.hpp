#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What each operation computes on one image, naively: one loop per dimension, in float or double. Inference and
// training interpret programs with these. Maps are in the order channel, row, column.

#include <limits>
#include <vector>

#include <tenon/backend/shared/elementwise.hpp>
#include <tenon/backend/shared/namespaces.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/math.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/program/program.hpp>

namespace tenon::reference {
inline namespace TENON_ISA_NAMESPACE {

/// Calls f(output, input, weight) with the indices of all products of one image in a term of a convolution or in a
/// linear layer: result[output] += source[input] * weights[weight]. The products of an output come in the order of the
/// weights.
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
    long weight = 0;
    for (int o = 0; o < out.channels; ++o)
        for (int i = 0; i < inputs; ++i)
            for (int ky = 0; ky < w.kernel_height; ++ky)
                for (int kx = 0; kx < w.kernel_width; ++kx, ++weight) {
                    // The columns whose pixel is in the map: 0 <= column * stride + shift < width.
                    const int shift = kx - w.left, last = in.width - 1 - shift;
                    const int begin = shift < 0 ? (-shift + w.stride_width - 1) / w.stride_width : 0;
                    const int end = last < 0 ? 0 : std::min(out.width, last / w.stride_width + 1);
                    for (int row = 0; row < out.height; ++row) {
                        const int y = row * w.stride_height + ky - w.top;
                        if (y < 0 || y >= in.height) continue;
                        const long to = (long{o} * out.height + row) * out.width;
                        const long from = (long{o / outputs * inputs + i} * in.height + y) * in.width;
                        for (int column = begin; column < end; ++column)
                            f(to + column, from + column * w.stride_width + shift, weight);
                    }
                }
}

/// Calls f(output, inside, input) for each pixel of each window of a pooling, in the order of the scan; `inside` is
/// false for padding. A global pooling has one window, the map.
template <class F>
void for_each_window_pixel(const Op& op, Shape in, Shape out, const F& f) {
    const bool global = traits_of(op.kind).is_global_pooling;
    const Window w = global ? Window{.kernel_height = in.height, .kernel_width = in.width} : op.window();
    const int rows = global ? 1 : out.height, columns = global ? 1 : out.width;
    for (int c = 0; c < out.channels; ++c)
        for (int row = 0; row < rows; ++row)
            for (int column = 0; column < columns; ++column)
                for (int ky = 0; ky < w.kernel_height; ++ky)
                    for (int kx = 0; kx < w.kernel_width; ++kx) {
                        const int y = row * w.stride_height + ky - w.top, x = column * w.stride_width + kx - w.left;
                        const bool inside = y >= 0 && y < in.height && x >= 0 && x < in.width;
                        f((long{c} * rows + row) * columns + column, inside, (long{c} * in.height + y) * in.width + x);
                    }
}

/// Calls f(output, input) for each pixel that a padding of channels copies.
template <class F>
void for_each_padded_pixel(const Window& window, Shape in, Shape out, const F& f) {
    const int before = (out.channels - in.channels) / 2;
    for (int c = 0; c < in.channels; ++c)
        for (int y = 0; y < out.height; ++y)
            for (int x = 0; x < out.width; ++x)
                f((long{before + c} * out.height + y) * out.width + x,
                  (long{c} * in.height + y * window.stride_height) * in.width + x * window.stride_width);
}

/// For each output of a pooling of one image: the input that is its maximum, the first in the order of the scan (-1: it
/// is padding), or the number of pixels that an average is over. A NaN is the maximum of its window, as in torch.
///
/// Law: a NaN in a window is the maximum, windows of complete maps included (test: tests/train/parity_test.cpp).
template <class Scalar>
std::vector<long> pool_choices(const Op& op, Shape in, Shape out, const Scalar* x) {
    std::vector<long> choices(index(out.elements()), 0);
    std::vector<Scalar> largest(choices.size(), -std::numeric_limits<Scalar>::infinity());
    std::vector<bool> begun(choices.size(), false);
    const bool zeros = op.window().pad_value == PadValue::zero, maximum = traits_of(op.kind).is_maximum;
    for_each_window_pixel(op, in, out, [&](long output, bool inside, long input) {
        const std::size_t o = index(output);
        if (!inside && !zeros) return;
        if (!maximum) {
            ++choices[o];
            return;
        }
        const Scalar value = inside ? x[input] : Scalar{0};
        if (begun[o] && !(value > largest[o]) && !detail::isnan(value)) return;
        begun[o] = true;
        largest[o] = value;
        choices[o] = inside ? input : -1;
    });
    return choices;
}

/// Adds the products of a term of a convolution, or of a linear layer, to y.
template <class Scalar>
void add_products(const Op& op, const ConvTerm& term, Shape in, Shape out, const Scalar* x, const Scalar* weight,
                  Scalar* y) {
    for_each_product(term, op.kind == OpKind::linear, in, out,
                     [&](long o, long i, long w) { y[o] += x[i] * weight[w]; });
}

/// A pooling of windows or of complete maps; y is zero before.
template <class Scalar>
void pool(const Op& op, Shape in, Shape out, const Scalar* x, Scalar* y) {
    const std::vector<long> choices = pool_choices(op, in, out, x);
    if (traits_of(op.kind).is_maximum) {
        for (std::size_t o = 0; o < choices.size(); ++o) y[o] = choices[o] < 0 ? Scalar{0} : x[choices[o]];
        return;
    }
    for_each_window_pixel(op, in, out, [&](long o, bool inside, long i) {
        if (inside) y[o] += x[i];
    });
    for (std::size_t o = 0; o < choices.size(); ++o) y[o] /= static_cast<Scalar>(choices[o]);
}

template <class Scalar>
void softmax(long classes, const Scalar* x, Scalar* y) {
    Scalar largest = x[0], sum = 0;
    for (long i = 0; i < classes; ++i) largest = std::max(largest, x[i]);
    for (long i = 0; i < classes; ++i) sum += y[i] = detail::exp(x[i] - largest);
    for (long i = 0; i < classes; ++i) y[i] /= sum;
}

/// An operation that means the same in inference and in training and has no parameters: all but sums of products, batch
/// norms and dropouts. `second` is the other operand of an addition or a product, `rate` the layer's; y is zero before.
template <class Scalar>
void run_plain(const Op& op, double rate, Shape in, Shape out, const Scalar* x, const Scalar* second, Scalar* y) {
    const long size = out.elements();
    if (op.function) return op.function->loops<Scalar>().value(x, y, size);
    if (traits_of(op.kind).is_elementwise) {
        for (long i = 0; i < size; ++i) y[i] = elementwise_value(op.kind, x[i]);
        return;
    }
    switch (op.kind) {
        case OpKind::relu:
            for (long i = 0; i < size; ++i) y[i] = x[i] < 0 ? Scalar{0} : x[i];
            return;
        case OpKind::add:
            for (long i = 0; i < size; ++i) y[i] = x[i] + second[i];
            return;
        case OpKind::scale:
            for (long i = 0; i < size; ++i) y[i] = x[i] * static_cast<Scalar>(rate);
            return;
        case OpKind::multiply:
            for (long i = 0; i < size; ++i) y[i] = x[i] * second[i];
            return;
        case OpKind::pad_channels:
            return for_each_padded_pixel(op.window(), in, out, [&](long o, long i) { y[o] = x[i]; });
        case OpKind::max_pool:
        case OpKind::average_pool:
        case OpKind::global_average_pool:
        case OpKind::global_max_pool:
            return pool(op, in, out, x, y);
        case OpKind::softmax:
            return softmax(size, x, y);
        default:  // flatten: the same scalars
            std::copy(x, x + size, y);
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::reference
