// The networks of scripts/make_training_goldens.py, in the same order and with the same names.
#pragma once

#include <tenon/models/resnet_v1.hpp>
#include <tenon/topology/block.hpp>
#include <tenon/topology/network.hpp>
#include <tenon/topology/training_parts.hpp>

namespace tenon_test {
using namespace tenon;

/// Block and Stack of the original listing.
struct GoldenStack
    : Network<Input<3, 9, 8>, Stem<Conv<8, Kernel<3>, Padding<1>, Bias>, MaxPool<Kernel<3>, Stride<2>, Padding<1>>>,
              Stack<2, 3, Stride<2>>, Stack<3, 2, Stride<1>>, Head<BatchNorm, ReLU, GlobalAvgPool, Linear<5>>> {};

/// torchvision's basic block, with and without a downsample.
struct GoldenBasic
    : Network<
          Input<3, 12, 12>,
          Stem<Conv<6, Kernel<5>, Stride<2>, Padding<2>>, BatchNorm, ReLU, MaxPool<Kernel<3>, Stride<2>, Padding<1>>>,
          detail::Scoped<detail::ScopeKind::stack, detail::BasicBlock<6>>,
          detail::Scoped<detail::ScopeKind::stack, detail::BasicBlock<10, 2, true>, detail::BasicBlock<10>>,
          Head<GlobalAvgPool, Linear<4>>> {};

/// Groups, averages, dropout, a map that is flattened, batch norms with other constants.
struct GoldenMixed
    : Network<Input<4, 8, 8>, Sequential<Conv<8, Kernel<3>, Padding<1>, Groups<2>, Bias>,
                                         BatchNormWith<Epsilon<1, 1000>, Momentum<1, 4>>, ReLU, AvgPool<Kernel<2>>,
                                         Conv<6, Kernel<3>, Stride<2>, Padding<1>, Bias>, ReLU, Dropout<Rate<1, 4>>,
                                         Flatten, Linear<7>, ReLU, Linear<3>>> {};

}  // namespace tenon_test
