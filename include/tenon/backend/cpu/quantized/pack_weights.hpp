#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Packing for integers: weights folded with their norms, rounded to codes with a scale per output channel, and the
// factors that turn sums of codes into floats or into codes of the result. For bfloat16: the folded weights, rounded.

#include <tenon/backend/cpu/kernels/pack_weights.hpp>
#include <tenon/backend/cpu/quantized/bfloat16.hpp>
#include <tenon/backend/cpu/quantized/plan.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/math.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Packs the weights of single steps. Everything is computed in double and rounded once, with the same bits on every
/// instruction set.
template <class Once>
class QuantizedPackerOf : LayerParameters {
public:
    /// `ranges[i]` is the range of what the network's i-th convolution or linear layer reads.
    QuantizedPackerOf(std::span<const LayerInfo> layers, std::span<const Parameter> parameters,
                      std::span<const float* const> tensors, std::span<const float> ranges)
        : LayerParameters{layers, parameters, tensors}, in_floats_{layers, parameters, tensors}, ranges_{ranges} {}

    /// Writes a step's weights and numbers into the arena, which must be zero before.
    void pack(const QuantizedStep& step, float* arena) const {
        float* const numbers = arena + step.numbers;
        const auto number = [&](StepNumber which) -> float& { return numbers[static_cast<int>(which)]; };
        const double target = scale_of(step.target_codes), activated = scale_of(step.activated_codes);
        const double unit = step.is_packed && step.only_target_codes() ? target : 1.0;  // of sums and residuals
        number(StepNumber::residual_factor) =
            static_cast<float>((step.reads_residual_codes ? scale_of(step.residual_codes) : 1.0) / unit);
        number(StepNumber::target_inverse) = static_cast<float>(1 / target);
        number(StepNumber::activated_inverse) = static_cast<float>(1 / activated);
        if (!step.is_packed) return in_floats_.pack(step, arena);
        pack_product(step, unit, arena);
        if (step.activated.exists()) pack_activation(step, step.only_activated_codes() ? activated : 1.0, arena);
    }

    /// The same for a step in floats.
    void pack(const Step& step, float* arena) const { in_floats_.pack(step, arena); }

private:
    /// What a code of 1 stands for. 16-bit codes reach twice as far as calibration saw; they have bits to spare.
    double scale_of(const Codes& codes) const {
        if (!codes.exist() || codes.storage == Storage::bf16) return 1;
        const double range = double{ranges_[index(codes.product)]};
        if (!(range > 0)) return 1;  // calibration saw nothing but zeros
        return (codes.storage == Storage::s16 ? 2 * range : range) / codes.limit;
    }

    void pack_activation(const QuantizedStep& step, double unit, float* arena) const {
        const Affine affine = affine_of(step.activated_norm, step.activated.channels);
        float* scale = arena + step.activated_scale;
        float* shift = scale + step.activated.planes() * channel_block;
        for (int c = 0; c < step.activated.channels; ++c) {
            scale[c] = with_plain_nan(static_cast<float>(affine.scale[index(c)] / unit));
            shift[c] = with_plain_nan(static_cast<float>(affine.shift[index(c)] / unit));
        }
    }

    /// Order: panels of output channels; in a panel planes of words, taps, words of the plane, or the words of a
    /// window's rows if the source is interleaved; innermost the panel's channels, each with the codes of one word.
    void pack_product(const QuantizedStep& step, double unit, float* arena) const {
        const StepTerm& term = step.terms[0];
        const int outputs = step.result().channels, inputs = term.group_inputs, taps = term.window.taps();
        const Affine affine = affine_of(term.norm, outputs);
        std::vector<double> shift(index(outputs), 0.0);
        add_shift(term.layer, affine, shift);
        const float* weight = tensor(term.layer, ParameterRole::weight);
        const double source = scale_of(step.source_codes);
        const int pack = weight_pack_of(step.source_codes.storage);
        const int all_words = step.words * pack_of(step.source_codes.storage) / pack;
        std::vector<std::int16_t> plain(step.pair_floats > 0 ? index(outputs * inputs) : 0);
        for (int o = 0; o < outputs; ++o, weight += long{inputs} * taps) {
            double largest = 0;
            for (long i = 0; i < long{inputs} * taps; ++i)
                largest = std::max(largest, detail::abs(double{weight[i]} * affine.scale[index(o)]));
            const bool rounds = step.source_codes.storage == Storage::bf16;
            const double scale = rounds ? 1 : largest > 0 ? largest / step.weight_limit : 1;
            arena[step.factors + o] = static_cast<float>(source * scale / unit);

            const int panel = o / (panel_blocks * channel_block);
            const int width = std::min(panel_blocks, step.result().planes() - panel * panel_blocks) * channel_block;
            float* const to = arena + step.weights + panel * step.panel_floats + o % (panel_blocks * channel_block);
            long sum = 0;
            for (int i = 0; i < inputs; ++i) {
                const int word = i / pack;
                long codes[9]{};
                double values[9]{};
                for (int tap = 0; tap < taps; ++tap) {
                    const double value = double{weight[long{i} * taps + tap]} * affine.scale[index(o)];
                    const long code = rounds ? static_cast<std::int16_t>(to_bfloat16(static_cast<float>(value)))
                                             : detail::lrint(value / scale);
                    if (step.winograd.m > 0) {
                        codes[tap] = code;
                        values[tap] = value;
                        continue;
                    }
                    sum += code;
                    if (step.pair_floats > 0) {
                        plain[index(o * inputs + i)] = static_cast<std::int16_t>(code);
                        continue;
                    }
                    if (term.source.planar) {
                        const int width_of_window = term.window.kernel_width;
                        const int number = tap % width_of_window * inputs + i;  // of a row of the window
                        const long row = tap / width_of_window;
                        store_weight(to + (row * step.words + number / pack) * width, number % pack, pack, code);
                        continue;
                    }
                    const int plane = word / channel_block, in_plane = word % channel_block;
                    const int words = std::min(channel_block, all_words - plane * channel_block);
                    const long before = plane * channel_block;  // words per tap
                    store_weight(to + (before * taps + long{tap} * words + in_plane) * width, i % pack, pack, code);
                }
                if (step.winograd.m > 0 && rounds)
                    store_points(to, values, all_words, i, width);
                else if (step.winograd.m > 0)
                    store_points(to, codes, all_words, i, width);
            }
            // What is added to codes adds to sums as much as to a window of zeros.
            const double surplus = static_cast<double>(zero_code(step.source_codes.storage) * sum);
            const double initial = shift[index(o)] - rounded(surplus * source * scale);
            arena[step.shift + o] = with_plain_nan(static_cast<float>(initial / unit));
        }
        if (step.pair_floats > 0) store_right_sides(plain, outputs, inputs, arena + step.weights);
    }

    /// Stores the right sides of Strassen's products (strassen.hpp): pair after pair of panels, product after product.
    static void store_right_sides(const std::vector<std::int16_t>& codes, int outputs, int inputs, float* to) {
        constexpr int width = panel_blocks * channel_block;
        for (int first = 0; first < outputs; first += 2 * width)
            for (int product = 0; product < strassen_products; ++product)
                for (int word = 0; word < inputs / 4; ++word)
                    for (int o = 0; o < width; ++o, ++to)
                        for (int position = 0; position < 2; ++position) {
                            const auto code = [&](bool below, bool right) -> long {
                                const int output = first + o + (right ? width : 0);
                                const int input = 2 * word + position + (below ? inputs / 2 : 0);
                                return output < outputs ? codes[index(output * inputs + input)] : 0;
                            };
                            const long b11 = code(false, false), b12 = code(false, true);
                            const long b21 = code(true, false), b22 = code(true, true), t2 = b22 - b12 + b11;
                            const long sides[] = {b11, b21, t2, b22 - b12, b21 - t2, b12 - b11, b22};
                            store_weight(to, position, 2, sides[product]);
                        }
    }

    /// Stores the points of a filter: chunk after chunk of words, all points of a chunk, all words at a point.
    static void store_points(float* to, const long (&codes)[9], int all_words, int input, int width) {
        const int word = input / 2, first = word / winograd_chunk_words * winograd_chunk_words;
        const int words = std::min(winograd_chunk_words, all_words - first);
        long points[36];
        transform_codes_of_filter(codes, points);
        for (int point = 0; point < 36; ++point)
            store_weight(to + (long{first} * 36 + point * words + word - first) * width, input % 2, 2, points[point]);
    }

    /// The same in bfloat16, where there is one chunk.
    static void store_points(float* to, const double (&values)[9], int words, int input, int width) {
        double points[16];
        transform_filter(values, points);
        for (int point = 0; point < 16; ++point)
            store_weight(to + (long{point} * words + input / 2) * width, input % 2, 2,
                         static_cast<std::int16_t>(to_bfloat16(static_cast<float>(points[point]))));
    }

    static void store_weight(float* word, int position, int pack, long code) {
        const auto byte = static_cast<std::int8_t>(code);
        const auto number = static_cast<std::int16_t>(code);
        char* const to = reinterpret_cast<char*>(word) + position * (4 / pack);
        if (pack == 4)
            std::memcpy(to, &byte, sizeof byte);
        else
            std::memcpy(to, &number, sizeof number);
    }

    WeightPacker in_floats_;
    std::span<const float> ranges_;
};
using QuantizedPacker = QuantizedPackerOf<void>;

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
