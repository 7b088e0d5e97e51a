#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Packing weights for a training iteration, in parallel: as the forward kernels read them, and transposed for data
// gradients.

#include <algorithm>

#include <tenon/backend/cpu/layout/training_step.hpp>
#include <tenon/backend/cpu/plan/plan.hpp>
#include <tenon/backend/cpu/winograd/transform.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// The weights between some outputs of a panel and those inputs of their group that are in one plane of the source, all
/// taps: they are adjacent in the packed weights.
struct PackedBlock {
    int begin, end;  ///< outputs of the step
    int group;
    int input, inputs;       ///< the first input, counted in its group, and the number of inputs
    long place;              ///< index in the packed weights: first input, first tap, output 0
    int width, input_count;  ///< outputs of the panel, and inputs of the plane

    long at(int output, int i, int tap) const { return place + (long{tap} * input_count + i) * width + output; }
};

/// Calls f(block) for all weights of a panel of a convolution step.
template <class F>
void for_each_packed_block(const Step& step, const StepTerm& term, long term_begin, int panel, const F& f) {
    const int outputs = step.result().channels, first = panel * panel_blocks * channel_block;
    const int width = std::min(panel_blocks, step.result().planes() - panel * panel_blocks) * channel_block;
    const int last = std::min(first + width, outputs);
    const int taps = term.window.taps(), pixel = term.source.pixel(),
              first_plane = term.first_plane(panel * panel_blocks);
    for (int begin = first, end = 0; begin < last; begin = end) {  // outputs of one group at a time
        const int group = begin / term.group_outputs, first_input = group * term.group_inputs;
        end = std::min(last, (group + 1) * term.group_outputs);
        for (int i = 0, count = 0; i < term.group_inputs; i += count) {
            const int in_plane = (first_input + i) % pixel, plane = (first_input + i) / pixel - first_plane;
            count = std::min(pixel - in_plane, term.group_inputs - i);
            const long depth = term_begin + long{plane} * taps * pixel + in_plane;
            f(PackedBlock{.begin = begin,
                          .end = end,
                          .group = group,
                          .input = i,
                          .inputs = count,
                          .place = panel * step.panel_floats + depth * width - first,
                          .width = width,
                          .input_count = pixel});
        }
    }
}

/// Packs a convolution's weights as the step reads them; `transposed` for a data gradient, whose outputs are the
/// layer's inputs and whose taps are mirrored. Biases become the initial values of the sums.
inline void pack_training_conv(const TrainingStep& training, const TrainingFrame& frame, bool transposed) {
    const Step& step = training.step;
    float* packed = frame.packed + step.weights;
    frame.team().for_each(step.panels, [&](int panel) {
        const int planes = std::min(panel_blocks, step.result().planes() - panel * panel_blocks);
        std::fill_n(packed + panel * step.panel_floats, step.panel_floats / panel_blocks * planes, 0.0f);
        const int first = panel * panel_blocks * channel_block;
        float* shift = frame.packed + step.shift + first;
        std::fill_n(shift, planes * channel_block, 0.0f);
        long begin = 0;
        for (const StepTerm& term : step.terms) {
            if (!term.exists()) continue;
            const float* weight = frame.parameter(term.layer, ParameterRole::weight);
            const int taps = term.window.taps(), inputs = term.group_inputs, outputs = term.group_outputs;
            if (transposed) {
                for_each_packed_block(step, term, begin, panel, [&](const PackedBlock& to) {
                    for (int i = 0; i < to.inputs; ++i)
                        for (int tap = 0; tap < taps; ++tap) {
                            const long layer_output = long{to.group} * inputs + to.input + i;
                            const float* from = weight + (layer_output - to.group) * outputs * taps + (taps - 1 - tap);
                            for (int o = to.begin; o < to.end; ++o) packed[to.at(o, i, tap)] = from[long{o} * taps];
                        }
                });
            } else {
                for_each_packed_block(step, term, begin, panel, [&](const PackedBlock& to) {
                    for (int o = to.begin; o < to.end; ++o) {
                        const float* from = weight + (long{o} * inputs + to.input) * taps;
                        for (int i = 0; i < to.inputs; ++i)
                            for (int tap = 0; tap < taps; ++tap) packed[to.at(o, i, tap)] = *from++;
                    }
                });
                if (const float* const bias = frame.parameter(term.layer, ParameterRole::bias))
                    for (int c = 0; c < planes * channel_block && first + c < step.result().channels; ++c)
                        shift[c] += bias[first + c];
            }
            begin += long{term.planes} * term.source.pixel() * taps;
        }
    });
}

/// Transforms the filters of one input and a panel of outputs; taps are `taps[tap][output]`.
template <int M>
void transform_filters(const float (&taps)[9][panel_blocks * channel_block], float* to, long point, int width) {
    constexpr int n = M + 2;
    constexpr auto& g = WinogradTransform<M>::filter;
    const auto factor = [](double value) { return broadcast(static_cast<float>(value)); };
    for (int v = 0; v < width; v += vector_width) {
        Vector rows[array_bound<n>][3];
        TENON_UNROLL for (int i = 0; i < n; ++i) TENON_UNROLL for (int x = 0; x < 3; ++x) rows[i][x] = multiply_add(
            factor(g[i][2]), load(taps[6 + x] + v),
            multiply_add(factor(g[i][1]), load(taps[3 + x] + v), multiply(factor(g[i][0]), load(taps[x] + v))));
        TENON_UNROLL for (int i = 0; i < n; ++i) TENON_UNROLL for (int j = 0; j < n; ++j)
            store(to + (i * n + j) * point + v,
                  multiply_add(factor(g[j][2]), rows[i][2],
                               multiply_add(factor(g[j][1]), rows[i][1], multiply(factor(g[j][0]), rows[i][0]))));
    }
}

/// The same as pack_training_conv for a step by Winograd; filters are transformed in float.
template <int M>
void pack_training_winograd(const TrainingStep& training, const TrainingFrame& frame, bool transposed) {
    const Step& step = training.step;
    const StepTerm& term = step.terms[0];
    const int inputs = term.source.channels, outputs = step.result().channels;
    const float* weight = frame.parameter(term.layer, ParameterRole::weight);
    const float* bias = transposed ? nullptr : frame.parameter(term.layer, ParameterRole::bias);
    frame.team().for_each(step.panels, [&](int panel) {
        const int first = panel * panel_blocks * channel_block;
        const int width = std::min(panel_blocks, step.result().planes() - panel * panel_blocks) * channel_block;
        const int count = std::min(width, outputs - first);
        const long point = long{term.planes} * channel_block * width;
        float* packed = frame.packed + step.weights + panel * step.panel_floats;
        for (int plane = 0; plane < term.planes; ++plane) {
            const int first_input = plane * channel_block, in_plane = std::min(channel_block, inputs - first_input);
            alignas(64) float taps[channel_block][9][panel_blocks * channel_block]{};
            if (transposed) {
                for (int i = 0; i < in_plane; ++i) {
                    const float* from = weight + (long{first_input + i} * outputs + first) * 9;
                    for (int o = 0; o < count; ++o)
                        for (int tap = 0; tap < 9; ++tap) taps[i][8 - tap][o] = *from++;
                }
            } else {
                for (int o = 0; o < count; ++o) {
                    const float* from = weight + (long{first + o} * inputs + first_input) * 9;
                    for (int i = 0; i < in_plane; ++i)
                        for (int tap = 0; tap < 9; ++tap) taps[i][tap][o] = *from++;
                }
            }
            for (int i = 0; i < channel_block; ++i)
                transform_filters<M>(taps[i], packed + long{first_input + i} * width, point, width);
        }
        float* shift = frame.packed + step.shift + first;
        std::fill_n(shift, width, 0.0f);
        if (bias) std::copy_n(bias + first, count, shift);
    });
}

/// Calls f(feature, place) for the features of a layer that reads a tensor flat; `place` is the index in its storage.
template <class F>
void for_each_feature(const Tensor& tensor, const F& f) {
    long feature = 0;
    for (int c = 0; c < tensor.channels; ++c)
        for (int y = 0; y < tensor.height; ++y)
            for (int x = 0; x < tensor.width; ++x)
                f(feature++, tensor.origin() - tensor.offset + long{c / channel_block} * tensor.plane() +
                                 long{y} * tensor.row() + x * channel_block + c % channel_block);
}

/// The index of the weight of (output, depth) in a linear step's packed weights.
inline long linear_place(const Step& step, long output, long depth) {
    const long blocks = step.target.planes();
    const long first = output / channel_block / linear_blocks * linear_blocks;
    const long width = std::min<long>(linear_blocks, blocks - first) * channel_block;
    return first * channel_block * step.source().floats() + depth * width + (output - first * channel_block);
}

/// Packs a linear layer's weights; `transposed` for its data gradient, whose outputs are the places of `features`.
inline void pack_training_linear(const TrainingStep& training, const TrainingFrame& frame, const Tensor& features,
                                 bool transposed) {
    const Step& step = training.step;
    const LayerInfo& layer = frame.layer(training.layer);
    const long inputs = features.channels * long{features.pixels()};
    const int outputs = layer.output.channels;
    float* packed = frame.packed + step.weights;
    const float* weight = frame.parameter(training.layer, ParameterRole::weight);
    const float* bias = transposed ? nullptr : frame.parameter(training.layer, ParameterRole::bias);
    frame.team().run([&](int worker, int size) {
        const Range all = share(static_cast<int>(step.shift - step.weights), worker, size);
        std::fill(packed + all.begin, packed + all.end, 0.0f);
        if (worker == 0) std::fill_n(frame.packed + step.shift, step.target.planes() * channel_block, 0.0f);
    });
    frame.team().for_each(outputs, [&](int o) {
        const float* row = weight + o * inputs;
        for_each_feature(features, [&](long feature, long place) {
            packed[transposed ? linear_place(step, place, o) : linear_place(step, o, place)] = row[feature];
        });
        if (bias) frame.packed[step.shift + o] = bias[o];
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
