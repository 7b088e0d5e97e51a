#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Products of a training iteration in bfloat16: of convolutions and linear layers forward, with respect to their
// sources, and with respect to their weights. Sums have 32 bits.

#include <algorithm>

#include <tenon/backend/cpu/quantized/conv.hpp>
#include <tenon/backend/cpu/training/bfloat16_pack.hpp>
#include <tenon/backend/cpu/training/bfloat16_weight_tile.hpp>
#include <tenon/backend/cpu/training/weights.hpp>
#include <tenon/backend/cpu/training_function.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// A convolution or linear layer with the current weights, or its data gradient.
template <QuantizedConvSpec S>
void run_bfloat16_product(const TrainingStep& training, const TrainingFrame& frame) {
    const auto& step = static_cast<const Bfloat16TrainingStep&>(training);
    if (step.rounds_source) make_words(frame, step.source(), step.product.source(), WordsOf::channels);
    pack_bfloat16(step, frame);
    run_quantized_conv<S>(step.product, frame.frame);
}

/// Adds one tile's products of a chunk, whose "images" are pairs of these, to the packed gradient: see run_weight_tile.
inline void run_bfloat16_weight_tile(const Bfloat16TrainingStep& training, const TrainingFrame& frame,
                                     const WeightTiles& tiles, int index, const Pixels& pixels, float* sums,
                                     bool begins) {
    const Step& step = training.step;
    const StepTerm& term = step.terms[0];
    const Tensor &source = training.source_words, &gradient = training.gradient_words;
    const Window& window = term.window;
    const auto [part, tap, plane, panel] = tiles[index];
    const int blocks = std::min(panel_blocks, step.target.planes() - panel * panel_blocks);
    const int first_input = part * gradient_inputs;
    const int ky = tap / window.kernel_width, kx = tap % window.kernel_width;
    const long depth = (long{plane} * window.taps() + tap) * channel_block + first_input;
    const int first_image = 2 * pixels.images.begin, first_row = pixels.rows.begin;
    const float* const image = frame.frame.image(first_image);
    Bfloat16WeightTile tile{};
    tile.source = image + source.origin() + long{plane} * source.plane() +
                  (long{first_row} * window.stride_height + ky - window.top) * source.row() +
                  long{kx - window.left} * channel_block + first_input;
    tile.gradient = image + gradient.origin() + block_offset(gradient, Storage::bf16, panel * panel_blocks) +
                    long{first_row} * gradient.row();
    tile.source_image = tile.gradient_image = 2 * frame.frame.image_floats;
    tile.second_image = frame.frame.image_floats;
    tile.ends_single = 2 * pixels.images.end > frame.frame.images;
    tile.source_row = long{window.stride_height} * source.row();
    tile.gradient_row = gradient.row();
    tile.source_column = window.stride_width * channel_block;
    tile.gradient_plane = gradient.plane();
    tile.images = pixels.images.size();
    tile.rows = pixels.rows.size();
    tile.width = gradient.width;
    tile.begins = begins;
    tile.next = tile.source;
    if (tap == 0 && part == 0) {
        tile.next += (plane + 1 < tiles.planes ? 1 : -plane) * long{source.plane()};
        tile.next_stride = channel_block;
    }
    tile.sums_stride = blocks * channel_block;
    tile.sums = sums + panel * step.panel_floats + depth * blocks * channel_block;
    if (blocks == panel_blocks)
        bfloat16_weight_tile<gradient_inputs, panel_blocks>(tile);
    else
        bfloat16_weight_tile<gradient_inputs, 1>(tile);
}

/// The gradients of a convolution's or linear layer's weights and bias: see run_weight_gradient. Shards and chunks are
/// of pairs of images, whose rounded pixels take as much memory as one image's floats.
///
/// Law: bitwise the same for any number of threads (test: tests/train/bfloat16_test.cpp).
inline void run_bfloat16_weight_gradient(const TrainingStep& training, const TrainingFrame& frame) {
    const auto& words = static_cast<const Bfloat16TrainingStep&>(training);
    const Step& step = training.step;
    if (words.rounds_source) make_words(frame, step.terms[0].source, words.source_words, WordsOf::images);
    if (words.rounds_gradient) make_words(frame, step.target, words.gradient_words, WordsOf::channels);
    add_weight_tiles(training, frame, (frame.frame.images + 1) / 2,
                     [&](const WeightTiles& tiles, int tile, const Pixels& pixels, float* sums, bool begins) {
                         run_bfloat16_weight_tile(words, frame, tiles, tile, pixels, sums, begins);
                     });
}

/// The kernel of one step of a training plan in bfloat16.
template <const auto& Plan, int Index>
consteval TrainingFunction bfloat16_training_function() {
    constexpr const Bfloat16TrainingStep& step = Plan.steps[Index];
    if constexpr (step.is_packed && step.kind == TrainingKind::weight_gradient)
        return &run_bfloat16_weight_gradient;
    else if constexpr (step.is_packed)
        return &run_bfloat16_product<quantized_conv_spec(step.product)>;
    else if constexpr (step.stores != WordsOf::none)
        return step.kind == TrainingKind::norm_gradient ? &run_bfloat16_norm_gradient : &run_bfloat16_norm;
    else
        return training_step_function<Plan, Index>();
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
