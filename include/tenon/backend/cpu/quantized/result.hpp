#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What a kernel of packed numbers is told about its tile, and what it does with the sums: the epilogue.

#include <tenon/backend/cpu/machine.hpp>
#include <tenon/backend/cpu/quantized/bfloat16.hpp>
#include <tenon/backend/cpu/quantized/step.hpp>

namespace tenon::cpu {

/// Which form a tile's operand or result has, and the distances in words between its pixels: along a row, and between
/// rows where a tile has several. Scalars only, like all specs of kernels.
struct QuantizedTileSpec {
    int pixels = 1, rows = 1;                   ///< output pixels in all, and the rows they are in
    int blocks = 1;                             ///< blocks of 16 output channels
    int source_column = 0, source_row = 0;      ///< between the windows of neighboring output pixels
    bool bytes = false;                         ///< the source is of bytes, four to a word
    bool bfloat16 = false;                      ///< the source is of bfloat16, and so are weights and all codes
    bool interleaved = false;                   ///< the source is: its distances are in bytes
    bool pointwise = false;                     ///< the window has one tap
    int residual_column = 0, residual_row = 0;  ///< column 0: there is none
    Storage residual = Storage::f32;
    bool stores_target = false, stores_activated = false;
    Storage target_codes = Storage::f32, activated_codes = Storage::f32;  ///< f32: there are none
    int target_row = 0, target_codes_row = 0, activated_row = 0, activated_codes_row = 0;
    bool activates = false, only_target_codes = false, only_activated_codes = false;
    bool relu = false, activated_relu = false;
    int code_limit = 0, activated_limit = 0;
    int crossings = 0;  ///< row ends that the pixels may run over: at most 2

    constexpr int offset(int pixel, int column, int row) const {
        const int width = pixels / rows;
        return pixel / width * row + pixel % width * column;
    }
    /// The place of an output pixel's number in the source, where the first pixel's is known.
    const float* in_source(const float* first, int pixel) const {
        const int distance = offset(pixel, source_column, source_row);
        return interleaved ? moved_by_bytes(first, distance) : first + distance;
    }
    /// The same place for the first pixel of the next tile of a row.
    const float* after_tile(const float* first) const {
        return interleaved ? moved_by_bytes(first, pixels * source_column) : first + pixels * source_column;
    }
    /// Whether a call computes several tiles of a row: with AVX2's small tiles a call's overhead counts. Elsewhere GCC
    /// would keep sums in memory in a loop over tiles.
    constexpr bool repeats() const {
        return vector_width < channel_block && crossings == 0 && rows == 1 && (pointwise || interleaved);
    }
    /// Whether pixels are floats and weights are packed (see multiplies_bfloat16).
    constexpr bool in_floats() const { return bfloat16 && TENON_MULTIPLIES_BFLOAT16 == 0; }
};

inline namespace TENON_ISA_NAMESPACE {

/// Where a tile's part of a tensor is: its first pixel, the distance between planes, and, where tiles run over the ends
/// of rows, the words from the end of a row to the next.
struct QuantizedPlace {
    float* at = nullptr;
    int plane = 0, gap = 0;
};

/// The words from a panel's first block of channels to another one: a panel's blocks are in one plane of packed words.
constexpr int offset_of_block(const QuantizedPlace& place, Storage storage, int block) {
    return pack_of(storage) > 1 ? block * block_words(storage) : block * place.plane;
}

/// The addresses of a tile.
struct QuantizedTileArguments {
    const float* source;
    int planes, plane, words, last_words;  ///< words of a pixel in each plane, and in the last one
    int next_plane;                        ///< of floats, where a word of weights or a line of them is of two planes
    int kernel_height, kernel_width, tap_row, tap_column;
    const float* weights;
    const float* next_weights;  ///< prefetched into the second-level cache, `next_stride` words per step of the sums
    int next_stride;
    const float *factors, *shift, *scale, *activated_shift, *numbers;
    QuantizedPlace residual, target, target_codes, activated, activated_codes;
    int tiles;        ///< tiles of a row, where none runs over its end
    int wrap, width;  ///< pixels up to the end of the row that the tile begins in, and pixels of a row
};

/// Stores a result's codes: the nearest ones, of integers within the limits of the storage.
template <Storage Kind>
TENON_INLINE void store_codes(float* block, int lane, Vector in_codes, int limit) {
    if constexpr (Kind == Storage::bf16) return store_bfloat16(block, lane, in_codes);
    const float high = static_cast<float>(limit), low = Kind == Storage::u8 ? 0.0f : -high;
    store_packed<Kind>(block, lane, to_integers(clamp(in_codes, low, high)));
}

/// Stores the codes of a block of 16 channels.
template <Storage Kind>
TENON_INLINE void store_block_codes(float* block, const Vector (&in_codes)[vectors_per_block], int limit) {
#if defined(__AVX2__) && !defined(__AVX512F__)
    if constexpr (Kind != Storage::bf16 && pack_of(Kind) == 2) {
        // Integers are cut off where they are packed, above and below; floats above only, as none of 2^31 and more may
        // be rounded to integers.
        Sums integers[vectors_per_block];
        const Vector high = broadcast(static_cast<float>(limit));
        TENON_UNROLL for (int v = 0; v < vectors_per_block; ++v) {
            const Vector cut = below_or_second(in_codes[v], high);
            integers[v] =
                to_integers(Kind == Storage::u8 ? cut : above_or_second(cut, broadcast(-static_cast<float>(limit))));
        }
        return store_block_shorts<Kind == Storage::u8>(block, integers[0], integers[1]);
    }
#endif
    TENON_UNROLL for (int v = 0; v < vectors_per_block; ++v)
        store_codes<Kind>(block, v * vector_width, in_codes[v], limit);
}

/// Codes as floats: of bfloat16, the values themselves.
template <Storage Kind>
TENON_INLINE Vector load_codes(const float* block, int lane) {
    if constexpr (Kind == Storage::bf16)
        return load_bfloat16(block, lane);
    else
        return load_packed<Kind>(block, lane);
}

/// The epilogue (see Op) of a block of 16 channels: sum * factor + shift + residual, and the rest. All of it is rounded
/// operation by operation, so that every instruction set has the same bits. In bfloat16 all factors are 1. No ReLU is
/// computed where only codes from 0 on are stored, which cut off what is below.
template <QuantizedTileSpec S>
class QuantizedResult {
public:
    /// For a panel's block.
    TENON_INLINE QuantizedResult(const QuantizedTileArguments& a, int block)
        : numbers_{a.numbers},
          residual_{a.residual},
          target_{a.target},
          target_codes_{a.target_codes},
          activated_{a.activated},
          activated_codes_{a.activated_codes},
          block_{block},
          factors_{a.factors + block * channel_block},
          shift_{a.shift + block * channel_block},
          scale_{a.scale + block * channel_block},
          activated_shift_{a.activated_shift + block * channel_block} {}

    /// Stores what the block's sums of one pixel become. `place(tensor, column, row)` is the pixel in the panel's first
    /// block, where neighboring pixels of a tile are `column` words apart, and its rows `row`.
    template <class Place>
    TENON_INLINE void finish(const Sums* sums, const Place& place) const {
        Vector in_codes[vectors_per_block], activated_in_codes[vectors_per_block];
        TENON_UNROLL for (int v = 0; v < vectors_per_block; ++v) {
            const int lane = v * vector_width;
            Vector value = value_of(sums[v], lane, place);
            if constexpr (S.stores_target)
                store(place(target_, channel_block, S.target_row) + block_ * target_.plane + lane, value);
            in_codes[v] = value;
            if constexpr (S.target_codes != Storage::f32 && !S.only_target_codes && !S.bfloat16)
                in_codes[v] = multiply(value, number(StepNumber::target_inverse));
            if constexpr (S.activates) {
                value = add(rounded_product(value, load(scale_ + lane)), load(activated_shift_ + lane));
                if constexpr (S.activated_relu && !(S.only_activated_codes && S.activated_codes == Storage::u8))
                    value = relu(value);
                if constexpr (S.stores_activated)
                    store(place(activated_, channel_block, S.activated_row) + block_ * activated_.plane + lane, value);
                if constexpr (S.activated_codes != Storage::f32 && !S.only_activated_codes && !S.bfloat16)
                    value = multiply(value, number(StepNumber::activated_inverse));
                activated_in_codes[v] = value;
            }
        }
        if constexpr (S.target_codes != Storage::f32)
            store_block_codes<S.target_codes>(place(target_codes_, channel_block, S.target_codes_row) +
                                                  offset_of_block(target_codes_, S.target_codes, block_),
                                              in_codes, S.code_limit);
        if constexpr (S.activates && S.activated_codes != Storage::f32)
            store_block_codes<S.activated_codes>(place(activated_codes_, channel_block, S.activated_codes_row) +
                                                     offset_of_block(activated_codes_, S.activated_codes, block_),
                                                 activated_in_codes, S.activated_limit);
    }

private:
    TENON_INLINE Vector number(StepNumber which) const { return broadcast(numbers_[static_cast<int>(which)]); }

    /// A vector of the step's result, the block's channels from `lane` on.
    template <class Place>
    TENON_INLINE Vector value_of(Sums sum, int lane, const Place& place) const {
        const Vector shift = load(shift_ + lane);
        Vector value;
        if constexpr (S.bfloat16)
            value = add(reinterpret_cast<Vector>(sum), shift);
        else
            value = add(rounded_product(to_floats(sum), load(factors_ + lane)), shift);
        if constexpr (S.residual_column != 0) {
            const float* const from = place(residual_, S.residual_column, S.residual_row);
            Vector residual;
            if constexpr (S.residual == Storage::f32)
                residual = load(from + block_ * residual_.plane + lane);
            else
                residual = load_codes<S.residual>(from + offset_of_block(residual_, S.residual, block_), lane);
            if constexpr (!S.bfloat16 && (S.residual != Storage::f32 || S.only_target_codes))
                residual = rounded_product(residual, number(StepNumber::residual_factor));
            value = add(value, residual);
        }
        if constexpr (S.relu && !(S.only_target_codes && S.target_codes == Storage::u8)) value = relu(value);
        return value;
    }

    // Copies, as a store might change the arguments for all that the compiler knows.
    const float* numbers_;
    QuantizedPlace residual_, target_, target_codes_, activated_, activated_codes_;
    int block_;
    const float *factors_, *shift_, *scale_, *activated_shift_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
