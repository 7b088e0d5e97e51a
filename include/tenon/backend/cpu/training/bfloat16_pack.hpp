#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Rounding and packing the weights of a product of bfloat16 for a training iteration, in the order of
// QuantizedPacker::pack_product.

#include <algorithm>

#include <tenon/backend/cpu/training/bfloat16_words.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Rounds `count` floats in a row, which need not be aligned, to numbers of 16 bits.
inline void round_row(const float* from, long count, std::uint16_t* to) {
    long i = 0;
    for (; i + vector_width <= count; i += vector_width) {
        Vector value;
        std::memcpy(&value, from + i, sizeof value);
        const auto numbers = __builtin_convertvector(word_pairs(value, zero()), Shorts);
        std::memcpy(to + i, &numbers, sizeof numbers);
    }
    for (; i < count; ++i) to[i] = to_bfloat16(from[i]);
}

/// Rounds two rows to words: numbers of `lower`, and of `upper`, zero if it is null, in the upper halves.
inline void round_rows(const float* lower, const float* upper, long count, float* words) {
    const auto pair_up = [&](const float* low, const float* high, long size, float* to) {
        Vector a = zero(), b = zero();
        std::memcpy(&a, low, 4 * index(size));
        if (high) std::memcpy(&b, high, 4 * index(size));
        const Sums pairs = word_pairs(a, b);
        std::memcpy(to, &pairs, 4 * index(size));
    };
    long i = 0;
    for (; i + vector_width <= count; i += vector_width)
        pair_up(lower + i, upper ? upper + i : nullptr, vector_width, words + i);
    if (i < count) pair_up(lower + i, upper ? upper + i : nullptr, count - i, words + i);
}

/// Packs the weights between 16 outputs of a step and all of its inputs; `transposed` for a data gradient, whose
/// outputs are the layer's inputs and whose taps are mirrored.
class Bfloat16BlockPacker {
public:
    Bfloat16BlockPacker(const QuantizedStep& step, const float* weight, float* packed, int block, bool transposed)
        : taps_{step.terms[0].window.taps()},
          inputs_{step.terms[0].group_inputs},
          outputs_{step.terms[0].group_outputs},
          words_{step.words * pack_of(Storage::bf16) / weight_pack_of(Storage::bf16)},
          first_{block * channel_block},
          count_{std::min(channel_block, outputs_ - first_)},
          weight_{weight} {
        const int panel = block / panel_blocks;
        width_ = std::min(panel_blocks, step.result().planes() - panel * panel_blocks) * channel_block;
        to_ = packed + panel * step.panel_floats + block % panel_blocks * channel_block;
        transposed ? pack_transposed() : pack_plain();
    }

private:
    /// Where the 16 outputs' words of inputs 2 * word and 2 * word + 1 at a tap are.
    float* at(int word, int tap) const {
        const int plane = word / channel_block;
        const int in_plane = std::min(channel_block, words_ - plane * channel_block);
        return to_ + (long{plane} * channel_block * taps_ + long{tap} * in_plane + word % channel_block) * width_;
    }
    void clear(int word) const {
        for (int tap = 0; tap < taps_; ++tap) std::fill_n(at(word, tap), channel_block, 0.0f);
    }

    /// A row of the weights has the inputs of one output, each with all taps.
    void pack_plain() const {
        constexpr int chunk = 16;  // words whose taps of 16 outputs stay in the first-level cache
        for (int first = 0; first < words_; first += chunk) {
            const int last = std::min(first + chunk, words_), inputs = std::min(2 * last, inputs_) - 2 * first;
            if (count_ < channel_block || inputs < 2 * (last - first))
                for (int word = first; word < last; ++word) clear(word);
            for (int o = 0; o < count_ && inputs > 0; ++o) {
                std::uint16_t numbers[2 * chunk * max_bfloat16_taps];
                round_row(weight_ + (long{first_ + o} * inputs_ + 2 * first) * taps_, long{inputs} * taps_, numbers);
                for (int word = 0; 2 * word < inputs; ++word) {
                    const std::uint16_t* const pair = numbers + 2 * word * taps_;
                    for (int tap = 0; tap < taps_; ++tap) {
                        const std::uint32_t upper = 2 * word + 1 < inputs ? pair[taps_ + tap] : std::uint16_t{0};
                        store_word(at(first + word, tap) + o, pair[tap] | upper << 16);
                    }
                }
            }
        }
    }

    /// The step's inputs are the layer's outputs: two rows of the weights have the words of all of the step's outputs.
    void pack_transposed() const {
        alignas(64) float words[channel_block * max_bfloat16_taps];
        for (int word = 0; word < words_; ++word) {
            if (count_ < channel_block || 2 * word >= inputs_) clear(word);
            if (2 * word >= inputs_) continue;
            const float* const lower = weight_ + (long{2 * word} * outputs_ + first_) * taps_;
            const float* const upper = 2 * word + 1 < inputs_ ? lower + long{outputs_} * taps_ : nullptr;
            round_rows(lower, upper, long{count_} * taps_, words);
            for (int tap = 0; tap < taps_; ++tap) {
                float* const to = at(word, taps_ - 1 - tap);
                for (int o = 0; o < count_; ++o) std::memcpy(to + o, words + o * taps_ + tap, sizeof *to);
            }
        }
    }

    static void store_word(float* to, std::uint32_t word) { std::memcpy(to, &word, sizeof word); }

    int taps_, inputs_, outputs_, words_, first_, count_;
    const float* weight_;
    int width_ = 0;
    float* to_ = nullptr;
};

/// Packs a product's weights. Biases are added to its sums.
inline void pack_bfloat16(const Bfloat16TrainingStep& training, const TrainingFrame& frame) {
    const QuantizedStep& step = training.product;
    const bool transposed = training.kind == TrainingKind::data_gradient;
    const int layer = step.terms[0].layer, outputs = step.result().channels;
    const float* const weight = frame.parameter(layer, ParameterRole::weight);
    const float* const bias = transposed ? nullptr : frame.parameter(layer, ParameterRole::bias);
    frame.team().for_each(step.result().planes(), [&](int block) {
        Bfloat16BlockPacker{step, weight, frame.packed + step.weights, block, transposed};
        float* const shift = frame.packed + step.shift + block * channel_block;
        for (int c = 0; c < channel_block; ++c)
            shift[c] = bias && block * channel_block + c < outputs ? bias[block * channel_block + c] : 0.0f;
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
