// The networks of these tests, and how one of them is run by code for one instruction set.
#pragma once

#include <span>
#include <tuple>
#include <vector>

#include <tenon/models/cifar.hpp>
#include <tenon/topology/block.hpp>

namespace quantized_test {

using namespace tenon;

/// One product whose source is never negative, and so stored as bytes: by Winograd, where sums of chunks of channels
/// are added and the last tiles reach over the edge; several planes with an incomplete last one and an odd number of
/// output blocks; and a stride.
struct Bytes3x3 : Network<Input<144, 9, 9>, ReLU, Conv<48, Kernel<3>, Padding<1>>> {};
struct Bytes1x1 : Network<Input<176, 5, 7>, ReLU, Conv<80, Kernel<1>>> {};
/// Deep enough for Strassen's algorithm, with a last pair of tiles that has fewer pixels.
struct BytesDeep : Network<Input<320, 5, 7>, ReLU, Conv<64, Kernel<1>>> {};
struct BytesStrided : Network<Input<24, 11, 30>, ReLU, Conv<16, Kernel<3>, Stride<2>, Padding<1>>> {};
struct BytesLinear : Network<Input<200>, ReLU, Linear<48>> {};
/// The same with a source of either sign: interleaved images in 8 bits, and blocks in 16 bits.
struct Image3Channels : Network<Input<3, 15, 35>, Conv<32, Kernel<7>, Stride<2>, Padding<3>>> {};
struct Image1Channel : Network<Input<1, 9, 20>, Conv<16, Kernel<3>>> {};
struct WordsBlocks : Network<Input<48, 7, 7>, Conv<32, Kernel<3>, Padding<1>>> {};

/// Pre-activation: a trunk of floats, projections, results that are normalized.
struct Preactivated
    : Network<Input<3, 19, 21>, Conv<32, Kernel<3>, Padding<1>>, MaxPool<Kernel<3>, Stride<2>, Padding<1>>,
              Stack<16, 2>, Stack<32, 2>, BatchNorm, ReLU, GlobalAvgPool, Linear<10>> {};
/// Post-activation: residuals of bytes, also through a padded shortcut, which needs floats.
struct Postactivated
    : Network<Input<3, 33, 35>, Conv<32, Kernel<7>, Stride<2>, Padding<3>>, BatchNorm, ReLU,
              MaxPool<Kernel<3>, Stride<2>, Padding<1>>,
              Residual<Sequential<Conv<32, Kernel<3>, Padding<1>>, BatchNorm, ReLU, Conv<32, Kernel<3>, Padding<1>>,
                                  BatchNorm>,
                       Identity, ReLU>,
              Residual<Sequential<Conv<48, Kernel<3>, Stride<2>, Padding<1>>, BatchNorm>,
                       Sequential<Conv<48, Kernel<1>, Stride<2>>, BatchNorm>, ReLU>,
              detail::CifarBlock<48>, detail::CifarBlock<64, 2, true>, GlobalAvgPool, Linear<10>, Softmax> {};

/// Strassen's algorithm with results that have borders, with a residual of bytes, and with one of floats.
struct Deep : Network<Input<256, 7, 7>, ReLU, Conv<32, Kernel<1>>, BatchNorm, ReLU, Conv<256, Kernel<3>, Padding<1>>,
                      BatchNorm, ReLU, Residual<Sequential<Conv<256, Kernel<1>>, BatchNorm>, Identity, ReLU>,
                      Residual<Sequential<BatchNorm, ReLU, Conv<256, Kernel<1>>>, Identity>, BatchNorm, ReLU,
                      GlobalAvgPool, Linear<10>> {};

/// For bfloat16: a linear layer that reads a map, with an odd number of channels, and a mean of windows.
struct Flattened : Network<Input<5, 12, 14>, BatchNorm, Conv<24, Kernel<3>, Padding<1>>, ReLU,
                           AvgPool<Kernel<2>, Stride<2>>, Conv<23, Kernel<1>>, Flatten, Linear<10>> {};

/// For bfloat16 by Winograd: an incomplete last plane, an odd number of output blocks, tiles that reach over the edge,
/// and a residual.
struct Winograd3x3 : Network<Input<80, 9, 11>, Conv<80, Kernel<3>, Padding<1>>, BatchNorm, ReLU, detail::CifarBlock<80>,
                             Conv<72, Kernel<3>>, BatchNorm, ReLU, GlobalAvgPool, Linear<10>> {};

using Networks = std::tuple<Bytes3x3, Bytes1x1, BytesDeep, BytesStrided, BytesLinear, Image3Channels, Image1Channel,
                            WordsBlocks, Preactivated, Postactivated, Deep>;
/// Those that are run in bfloat16; the first three are one product each.
using Bfloat16Networks = std::tuple<Bytes1x1, BytesStrided, BytesLinear, Image3Channels, Image1Channel, WordsBlocks,
                                    Preactivated, Postactivated, Flattened, Winograd3x3>;

/// The results of network `index` of Networks in 8-bit integers; parameters are one after another.
using Run = std::vector<float> (*)(int index, std::span<const float> parameters, std::span<const float> ranges,
                                   std::span<const float> images, int threads);

/// The results of network `index` of Bfloat16Networks in bfloat16.
using RunBfloat16 = std::vector<float> (*)(int index, std::span<const float> parameters, std::span<const float> images,
                                           int threads);

std::vector<float> run_generic(int, std::span<const float>, std::span<const float>, std::span<const float>, int);
std::vector<float> run_avx2(int, std::span<const float>, std::span<const float>, std::span<const float>, int);
std::vector<float> run_avx512(int, std::span<const float>, std::span<const float>, std::span<const float>, int);
std::vector<float> run_avx512vnni(int, std::span<const float>, std::span<const float>, std::span<const float>, int);

std::vector<float> run_bfloat16_generic(int, std::span<const float>, std::span<const float>, int);
std::vector<float> run_bfloat16_avx2(int, std::span<const float>, std::span<const float>, int);
std::vector<float> run_bfloat16_avx512(int, std::span<const float>, std::span<const float>, int);
std::vector<float> run_bfloat16_avx512bf16(int, std::span<const float>, std::span<const float>, int);

}  // namespace quantized_test
