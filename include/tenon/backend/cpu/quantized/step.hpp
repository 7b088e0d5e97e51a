#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A step of a network in 8-bit integers or in bfloat16: the step in floats, and where the numbers of 8 or 16 bits of
// its operands and results, their codes, are.
//
// A value is stored as floats, as codes, or as both; codes are what convolutions and linear layers read. A code of
// bfloat16 is the rounded value itself. An integer is
//
//     code = round(value / scale), 0 ... 255 where the value follows a ReLU, -127 ... 127 where it is an image of few
//            channels, else 16 bits with a sign
//     scale = range / 255, range / 127 or 2 * range / limit, where the range of a value was measured by calibration
//
// The codes of neighboring channels are packed into 32-bit words, 4 or 2 in each (pack_of), and a tensor of words
// has the layout of a tensor of floats: 16 words of a pixel are a cache line. So a map of 64 channels as bytes is laid
// out like a map of 16 channels of floats, and a border of zeros is zeros in both.
//
// An image of few channels that only convolutions read is interleaved: its rows are the numbers of one pixel after
// another, so the numbers that a row of a window covers are neighbors. A 7x7 window of 3 channels is 7 rows of 21
// numbers, which 6 words of bytes hold, where a word for each pixel would take 7.

#include <tenon/backend/cpu/layout/step.hpp>
#include <tenon/backend/cpu/quantized/vector.hpp>

namespace tenon::cpu {

/// The packed numbers of a value: where they are, and what they mean.
struct Codes {
    Tensor tensor{};                 ///< of words
    Storage storage = Storage::f32;  ///< f32: there are none
    int product =
        -1;         ///< which of the network's convolutions and linear layers, in order, reads them: its range counts
    int limit = 0;  ///< the largest code: 255, or as large as sums of 32 bits allow
    bool only_pooled = false;  ///< only a pool reads them: the largest of a window is the code of the largest value

    constexpr bool exist() const { return storage != Storage::f32; }
};

/// Bytes of a number of a value.
constexpr int bytes_of(Storage storage) { return 4 / pack_of(storage); }

/// The numbers beside a step's weights that are one for all channels, by their place.
enum class StepNumber { residual_factor, target_inverse, activated_inverse };

/// A step of which operands and results may be packed numbers. The tensors of Step are of floats; where a value has
/// none, its tensor has the shape and the offset 0, and `stores_...` is false.
struct QuantizedStep : Step {
    bool is_packed = false;  ///< a convolution or linear layer whose products are those of packed numbers
    Codes source_codes{}, residual_codes{}, target_codes{}, activated_codes{};
    bool stores_target = false, stores_activated = false;  ///< as floats
    bool reads_residual_codes = false;
    int words = 0;         ///< of a pixel of the source
    int weight_limit = 0;  ///< the largest weight's code
    long factors = -1;     ///< one float per output channel: what a sum of 1 is
    long numbers = -1;     ///< see StepNumber

    /// Whether the codes of the target are all that the step stores: then factors and shift are in units of its codes.
    constexpr bool only_target_codes() const {
        return target_codes.exist() && !stores_target && !stores_activated && !activated_codes.exist();
    }
    /// Whether the activated result is only stored as codes: then its scale and shift are in units of these.
    constexpr bool only_activated_codes() const { return activated_codes.exist() && !stores_activated; }
};

inline namespace TENON_ISA_NAMESPACE {

/// A kernel of a quantized network.
using QuantizedFunction = void (*)(const QuantizedStep&, const Frame&);

/// The tensor of words for the codes of a map, in whole blocks of 16 channels.
constexpr Tensor words_of(const Tensor& map, Storage storage) {
    Tensor words = map;
    words.channels = channel_blocks(map.channels) * block_words(storage);
    return words;
}

/// The same, interleaved: one plane. The last word of a window may reach over its end, so a row has one more.
constexpr Tensor interleaved_words_of(const Tensor& map, Storage storage) {
    Tensor words = map;
    words.planar = true;
    words.channels = 1;
    words.row_words = ((map.left + map.width + map.right) * map.channels * bytes_of(storage) + 3) / 4 + 1;
    return words;
}

/// The place that many bytes after another one.
inline const float* moved_by_bytes(const float* from, long bytes) {
    return reinterpret_cast<const float*>(reinterpret_cast<const char*>(from) + bytes);
}

/// The offset of a block of 16 channels in a tensor of words, from the tensor's first pixel: a plane holds as many
/// blocks as a word holds channels.
constexpr long block_offset(const Tensor& words, Storage storage, int block) {
    const int pack = pack_of(storage);
    return long{block / pack} * words.plane() + block % pack * block_words(storage);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
