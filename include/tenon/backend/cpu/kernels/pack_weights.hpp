#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Packing: parameters of a network, batch norms folded in, in the order in which the steps' kernels stream them.

#include <span>
#include <vector>

#include <tenon/backend/cpu/plan/plan.hpp>
#include <tenon/backend/cpu/winograd/transform.hpp>
#include <tenon/backend/shared/layer_parameters.hpp>
#include <tenon/core/cold.hpp>
#include <tenon/core/compile_once.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/math.hpp>
#include <tenon/core/span_of.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Packs the weights of single steps. Folding is computed in double and rounded once.
template <class Once>
class WeightPackerOf : LayerParameters {
public:
    using LayerParameters::LayerParameters;

    /// Writes a step's weights into the arena, which must be zero before.
    TENON_RUNS_ONCE void pack(const Step& step, float* arena) const;

private:
    /// A convolution's weights as its algorithm reads them.
    void pack_by_algorithm(const Step& step, float* arena) const {
        if (step.pair_floats > 0) return pack_strassen(step, arena);
        if (step.winograd.plain_filters) return pack_plain_filters(step, arena);
        if (step.winograd.m == 2) return pack_winograd<2>(step, arena);
        if (step.winograd.m == 4) return pack_winograd<4>(step, arena);
        pack_conv(step, arena);
    }

    static void store_shift(const Step& step, std::span<const double> sums, float* arena) {
        for (std::size_t c = 0; c < sums.size(); ++c)
            arena[step.shift + static_cast<long>(c)] = static_cast<float>(sums[c]);
    }

    /// What the norm after a step's only term does to its outputs; its shift becomes the initial value of the sums.
    TENON_RUNS_ONCE Affine fold(const Step& step, float* arena) const {
        const StepTerm& term = step.terms[0];
        Affine affine = affine_of(term.norm, step.result().channels);
        std::vector<double> shift(index(step.result().channels), 0.0);
        add_shift(term.layer, affine, detail::span_of(shift));
        store_shift(step, detail::span_of(shift), arena);
        return affine;
    }

    /// Order: panels of output channels; in a panel the terms, in a term planes, taps, channels of the plane, and
    /// innermost the panel's channels. A weight between groups is zero and stays zero.
    void pack_conv(const Step& step, float* arena) const {
        const int outputs = step.result().channels;
        std::vector<double> shift(index(outputs), 0.0);
        long term_begin = 0;  // of the term, in floats of depth
        for (const StepTerm& term : step.terms) {
            if (!term.exists()) continue;
            const Affine affine = affine_of(term.norm, outputs);
            add_shift(term.layer, affine, detail::span_of(shift));
            const float* weight = tensor(term.layer, ParameterRole::weight);
            const int taps = term.window.taps(), pixel = term.source.pixel();
            for (int o = 0; o < outputs; ++o) {
                const int panel = o / (panel_blocks * channel_block);
                const int panel_width =
                    std::min(panel_blocks, step.result().planes() - panel * panel_blocks) * channel_block;
                const int first_plane = term.first_plane(panel * panel_blocks);
                const int first_input = o / term.group_outputs * term.group_inputs;
                float* to = arena + step.weights + panel * step.panel_floats + o % (panel_blocks * channel_block);
                for (int i = 0; i < term.group_inputs; ++i) {
                    const int input = first_input + i;
                    const long plane = input / pixel - first_plane;
                    for (int tap = 0; tap < taps; ++tap) {
                        const long depth = term_begin + (plane * taps + tap) * pixel + input % pixel;
                        to[depth * panel_width] = static_cast<float>(double{*weight++} * affine.scale[index(o)]);
                    }
                }
            }
            term_begin += long{term.planes} * pixel * taps;
        }
        store_shift(step, detail::span_of(shift), arena);
    }

    /// Order: pairs of panels; in a pair the right sides of the products in the order of their computation (see
    /// strassen_tile), in a right side half of the channels of each term in turn, and innermost a panel's channels.
    void pack_strassen(const Step& step, float* arena) const {
        constexpr int width = panel_blocks * channel_block;
        const int outputs = step.result().channels;
        const long product = strassen_product_floats(step);
        std::vector<double> shift(index(outputs), 0.0);
        long term_begin = 0;
        for (const StepTerm& term : step.terms) {
            if (!term.exists()) continue;
            const Affine affine = affine_of(term.norm, outputs);
            add_shift(term.layer, affine, detail::span_of(shift));
            const float* weight = tensor(term.layer, ParameterRole::weight);
            const int inputs = term.source.channels, half = term.planes / 2 * channel_block;
            const auto weight_of = [&](int o, int i) {
                return o < outputs && i < inputs ? double{weight[long{o} * inputs + i]} * affine.scale[index(o)] : 0.0;
            };
            for (int panel = 0; panel < step.panels; panel += 2)
                for (int o = 0; o < width; ++o) {
                    const int left = panel * width + o, right = left + width;
                    float* to = arena + step.weights + panel * step.panel_floats + term_begin * width + o;
                    for (int i = 0; i < half; ++i, to += width) {
                        const double b11 = weight_of(left, i), b21 = weight_of(left, i + half);
                        const double b12 = weight_of(right, i), b22 = weight_of(right, i + half);
                        const double t2 = b22 - b12 + b11;
                        const double sides[cpu::strassen_products] = {b11,      b21,       t2, b22 - b12,
                                                                      b21 - t2, b12 - b11, b22};
                        for (int k = 0; k < strassen_products; ++k) to[k * product] = static_cast<float>(sides[k]);
                    }
                }
            term_begin += half;
        }
        store_shift(step, detail::span_of(shift), arena);
    }

    /// Order: panels of output channels; in a panel the points, in a point channels of the source, and innermost the
    /// panel's channels.
    template <int M>
    void pack_winograd(const Step& step, float* arena) const {
        constexpr int points = (M + 2) * (M + 2);
        const StepTerm& term = step.terms[0];
        const int outputs = step.result().channels, inputs = term.source.channels;
        const Affine affine = fold(step, arena);
        const float* weight = tensor(term.layer, ParameterRole::weight);
        for (int o = 0; o < outputs; ++o) {
            const int panel = o / (panel_blocks * channel_block);
            const int width = std::min(panel_blocks, step.result().planes() - panel * panel_blocks) * channel_block;
            float* to = arena + step.weights + panel * step.panel_floats + o % (panel_blocks * channel_block);
            for (int i = 0; i < inputs; ++i, weight += 9) {
                double taps[9], transformed[array_bound<points>];
                for (int tap = 0; tap < 9; ++tap) taps[tap] = double{weight[tap]} * affine.scale[index(o)];
                transform_filter<M>(taps, transformed);
                for (int point = 0; point < points; ++point)
                    to[(long{point} * term.planes * channel_block + i) * width] =
                        static_cast<float>(transformed[point]);
            }
        }
    }

    /// Order: blocks of output channels; in a block channels of the source, in a channel taps, and innermost the
    /// block's channels.
    void pack_plain_filters(const Step& step, float* arena) const {
        const StepTerm& term = step.terms[0];
        const int outputs = step.result().channels, inputs = term.source.channels;
        const Affine affine = fold(step, arena);
        const float* weight = tensor(term.layer, ParameterRole::weight);
        for (int o = 0; o < outputs; ++o) {
            float* to = arena + step.weights + o / channel_block * step.panel_floats + o % channel_block;
            for (long i = 0; i < 9L * inputs; ++i)
                to[i * channel_block] = static_cast<float>(double{*weight++} * affine.scale[index(o)]);
        }
    }

    /// Order: groups of output features; in a group the source's floats in the order of their storage.
    void pack_linear(const Step& step, float* arena) const {
        const StepTerm& term = step.terms[0];
        const Tensor& source = term.source;
        const int outputs = step.target.channels, blocks = step.target.planes();
        const Affine affine = fold(step, arena);
        const long depth = source.floats(), inside = source.origin() - source.offset;
        const float* weight = tensor(term.layer, ParameterRole::weight);
        for (int o = 0; o < outputs; ++o) {
            const int first_block = o / channel_block / linear_blocks * linear_blocks;
            const int width = std::min(linear_blocks, blocks - first_block) * channel_block;
            float* to =
                arena + step.weights + long{first_block} * channel_block * depth + (o - first_block * channel_block);
            for (int c = 0; c < source.channels; ++c)
                for (int y = 0; y < source.height; ++y)
                    for (int x = 0; x < source.width; ++x) {
                        const long k = inside + long{c / channel_block} * source.plane() + long{y} * source.row() +
                                       x * channel_block + c % channel_block;
                        to[k * width] = static_cast<float>(double{*weight++} * affine.scale[index(o)]);
                    }
        }
    }
};

template <class Once>
void WeightPackerOf<Once>::pack(const Step& step, float* arena) const {
    if (step.kind == OpKind::conv) pack_by_algorithm(step, arena);
    if (step.kind == OpKind::linear) pack_linear(step, arena);
    if (!step.activated.exists()) return;
    const Affine affine = affine_of(step.activated_norm, step.activated.channels);
    float* scale = arena + step.activated_scale;
    float* shift = scale + step.activated.planes() * channel_block;
    for (int c = 0; c < step.activated.channels; ++c) {
        scale[c] = static_cast<float>(affine.scale[index(c)]);
        shift[c] = static_cast<float>(affine.shift[index(c)]);
    }
}
using WeightPacker = WeightPackerOf<void>;
TENON_COMPILE_ONCE(void WeightPackerOf<void>::pack(const Step&, float*) const);

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
