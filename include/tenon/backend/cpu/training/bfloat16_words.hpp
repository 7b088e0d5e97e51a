#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Making words of bfloat16 in training: of maps, and norms that store words in place of floats.

#include <algorithm>

#include <tenon/backend/cpu/plan/bfloat16_training.hpp>
#include <tenon/backend/cpu/quantized/bfloat16.hpp>
#include <tenon/backend/cpu/training/norm_gradient.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"

/// As many words as a vector has floats: numbers of `lower`, and of `upper` in the upper halves.
TENON_INLINE Sums word_pairs(Vector lower, Vector upper) {
#if TENON_MULTIPLIES_BFLOAT16
    using Halves [[gnu::vector_size(64)]] = short;
    Halves halves;
    asm("vcvtne2ps2bf16 %2, %1, %0" : "=v"(halves) : "v"(upper), "v"(lower));
    halves = __builtin_shufflevector(halves, halves, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9,
                                     25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    return reinterpret_cast<Sums>(halves);
#else
    const auto rounded = [](Vector value) {
        const auto bits = reinterpret_cast<UnsignedBits>(value);
        return bits + 0x7fffu + ((bits >> 16) & 1u);
    };
    return reinterpret_cast<Sums>((rounded(upper) & 0xffff0000u) | (rounded(lower) >> 16));
#endif
}

#pragma GCC diagnostic pop

/// Stores a plane of 16 channels as words of channels. values_of(plane, lane)(image, y)(x) is one vector of them.
template <class ValuesOf>
TENON_INLINE void store_channel_words(const TrainingFrame& frame, const Tensor& words, int image, int plane,
                                      const ValuesOf& values_of) {
    constexpr int pack = pack_of(Storage::bf16);
    float* const base = frame.frame.image(image);
    if (words.has_border() && plane % pack == 0) zero_border(words, base, plane / pack, plane / pack + 1);
    float* const first = base + words.origin() + block_offset(words, Storage::bf16, plane);
    for (int lane = 0; lane < channel_block; lane += vector_width) {
        const auto values = values_of(plane, lane);
        for (int y = 0; y < words.height; ++y) {
            const auto value = values(image, y);
            float* const to = first + long{y} * words.row();
            for (int x = 0; x < words.width; ++x) store_bfloat16(to + x * channel_block, lane, value(x));
        }
    }
}

/// The same as words of images, for images 2 * pair and 2 * pair + 1; if the last pair has only one, the other's
/// numbers are zero.
template <class ValuesOf>
TENON_INLINE void store_image_words(const TrainingFrame& frame, const Tensor& words, int pair, int plane,
                                    const ValuesOf& values_of) {
    const int image = 2 * pair, width = words.width;
    const bool is_single = image + 1 == frame.frame.images;
    if (words.has_border()) zero_border(words, frame.frame.image(image), plane, plane + 1);
    for (int lane = 0; lane < channel_block; lane += vector_width) {
        const auto values = values_of(plane, lane);
        for (int y = 0; y < words.height; ++y) {
            float* const to = frame.at(words, image, plane, y, 0) + lane;
            const auto lower = values(image, y);
            if (is_single) {
                for (int x = 0; x < width; ++x) store_words(to + x * channel_block, word_pairs(lower(x), zero()));
                continue;
            }
            const auto upper = values(image + 1, y);
            for (int x = 0; x < width; ++x) store_words(to + x * channel_block, word_pairs(lower(x), upper(x)));
        }
    }
}

/// Stores a map as words; `planes` are those of the map in floats.
template <class ValuesOf>
void store_map_words(const TrainingFrame& frame, const Tensor& words, WordsOf form, int planes,
                     const ValuesOf& values_of) {
    if (form == WordsOf::images && multiplies_bfloat16) {
        frame.team().for_each((frame.frame.images + 1) / 2 * planes,
                              [&](int i) { store_image_words(frame, words, i / planes, i % planes, values_of); });
        return;
    }
    constexpr int pack = pack_of(Storage::bf16);  // blocks of channels whose words are in the same plane
    const int groups = (planes + pack - 1) / pack;
    frame.team().for_each(frame.frame.images * groups, [&](int i) {
        const int first = i % groups * pack;
        for (int plane = first; plane < std::min(planes, first + pack); ++plane)
            store_channel_words(frame, words, i / groups, plane, values_of);
    });
}

/// Rounds a map.
inline void make_words(const TrainingFrame& frame, const Tensor& map, const Tensor& words, WordsOf form) {
    store_map_words(frame, words, form, map.planes(), [&](int plane, int lane) {
        return [&, plane, lane](int image, int y) {
            return [from = frame.at(map, image, plane, y, 0) + lane](int x) { return load(from + x * channel_block); };
        };
    });
}

/// run_norm for a norm whose result is stored as words.
inline void run_bfloat16_norm(const TrainingStep& training, const TrainingFrame& frame) {
    const auto& step = static_cast<const Bfloat16TrainingStep&>(training);
    const Tensor& x = step.source();
    set_frozen_norm(step, frame);
    const bool has_relu = step.step.relu;
    store_map_words(frame, step.stored, step.stores, x.planes(), [&](int plane, int lane) {
        const NormNumbers numbers{step, frame, plane * channel_block + lane};
        return [&, plane, lane, scale = load(numbers.scale), shift = load(numbers.shift)](int image, int y) {
            return [from = frame.at(x, image, plane, y, 0) + lane, scale, shift, has_relu](int i) {
                const Vector value = multiply_add(load(from + i * channel_block), scale, shift);
                return has_relu ? relu(value) : value;
            };
        };
    });
}

/// run_norm_gradient for a norm whose gradient is stored as words.
inline void run_bfloat16_norm_gradient(const TrainingStep& training, const TrainingFrame& frame) {
    const auto& step = static_cast<const Bfloat16TrainingStep&>(training);
    find_gradient_means(step, frame);
    store_map_words(frame, step.stored, step.stores, step.source().planes(), [&](int plane, int lane) {
        return NormSourceGradient{step, frame, plane, lane};
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
