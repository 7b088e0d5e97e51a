#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// The original listing's networks: ResNet v2 with the stride in the last block of a stack.

#include <type_traits>

#include <tenon/models/image_convention.hpp>
#include <tenon/models/naming.hpp>
#include <tenon/topology/block.hpp>
#include <tenon/topology/facts.hpp>

namespace tenon {

/// The values of the listing's argument `pooling`; it counts only without the top.
enum class Pooling { none, average, maximum };

namespace detail {

/// The options of the listing's constructor.
struct ResNetOptions {
    bool include_top = true;
    bool preact = true;
    bool use_bias = true;
    int classes = 100;
    Pooling pooling = Pooling::none;
    bool zero_padded_pool = false;
};

}  // namespace detail

/// The network ends in a linear layer over averaged features (the default), or without it in a map or pooled features.
template <bool Include>
struct IncludeTop {
    static constexpr void apply(detail::ResNetOptions& options) { options.include_top = Include; }
};

/// With pre-activation (the default) a BN-ReLU follows the last stack and none follows the stem's convolution; without
/// it, the other way round. The blocks are pre-activated in both, as in the listing.
template <bool Use>
struct Preact {
    static constexpr void apply(detail::ResNetOptions& options) { options.preact = Use; }
};

/// The stem's convolution has a bias (the default); no other convolution of the listing has one.
template <bool Use>
struct UseBias {
    static constexpr void apply(detail::ResNetOptions& options) { options.use_bias = Use; }
};

/// The number of classes; 100 by default, as in the listing.
template <int Count>
struct Classes {
    static constexpr void apply(detail::ResNetOptions& options) { options.classes = Count; }
};

/// What follows the last stack when there is no top.
template <Pooling Kind>
struct TopPooling {
    static constexpr void apply(detail::ResNetOptions& options) { options.pooling = Kind; }
};

/// The stem's pooling is padded with zeros, as Keras' is, not with minus infinity: for weights from Keras
/// (keras_to_listing), which were trained that way. Not an option of the listing.
struct ZeroPaddedPool {
    static constexpr void apply(detail::ResNetOptions& options) { options.zero_padded_pool = true; }
};

namespace detail {

/// The Input among options; without one, color images of 224 x 224 pixels.
template <class... Options>
struct InputOf {
    using type = Input<3, 224, 224>;
};
template <int... Dimensions, class... Rest>
struct InputOf<Input<Dimensions...>, Rest...> {
    using type = Input<Dimensions...>;
};
template <class First, class... Rest>
struct InputOf<First, Rest...> : InputOf<Rest...> {};

template <class T>
concept ResNetOption = requires(ResNetOptions& options) {
    T::apply(options);
}
|| requires { T::shape; };

/// The sum of a network's options.
template <ResNetOption... Options>
consteval ResNetOptions resnet_options() {
    ResNetOptions options{};
    [[maybe_unused]] const auto apply = [&]<class Option>(Option) {
        if constexpr (requires { Option::apply(options); }) Option::apply(options);
    };
    (apply(Options{}), ...);
    return options;
}

/// Stem and head of a listing network.
template <ResNetOptions Chosen>
struct ResNetParts {
    using Convolution = std::conditional_t<Chosen.use_bias, Conv<64, Kernel<7>, Stride<2>, Padding<3>, Bias>,
                                           Conv<64, Kernel<7>, Stride<2>, Padding<3>>>;
    using Pool = std::conditional_t<Chosen.zero_padded_pool, MaxPool<Kernel<3>, Stride<2>, Padding<1>, PadZero>,
                                    MaxPool<Kernel<3>, Stride<2>, Padding<1>>>;
    using StemLayers =
        std::conditional_t<Chosen.preact, Stem<Convolution, Pool>, Stem<Convolution, BatchNorm, ReLU, Pool>>;

    using Activation = std::conditional_t<Chosen.preact, Sequential<BatchNorm, ReLU>, Identity>;
    using Top = Sequential<GlobalAvgPool, Flatten, Linear<Chosen.classes>>;
    using Pooled = std::conditional_t<Chosen.pooling == Pooling::average, GlobalAvgPool,
                                      std::conditional_t<Chosen.pooling == Pooling::maximum, GlobalMaxPool, Identity>>;
    using HeadLayers = Head<Activation, std::conditional_t<Chosen.include_top, Top, Pooled>>;
};

/// The listing's network with the given blocks per stack; each stack has its stride in its last block, except the last
/// stack, which has none.
template <class In, ResNetOptions Chosen, int First, int Second, int Third, int Fourth>
struct ListingNetwork
    : Network<In, typename ResNetParts<Chosen>::StemLayers, Stack<64, First>, Stack<128, Second>, Stack<256, Third>,
              Stack<512, Fourth, Stride<1>>, typename ResNetParts<Chosen>::HeadLayers> {
    static constexpr Naming naming = Naming::listing;
    static constexpr ImageConvention images = ImageConvention::torchvision;
};

}  // namespace detail

/// The listing's ResNet50V with its defaults: 100 classes, 224 x 224. Options in any order: IncludeTop, Preact,
/// UseBias, Input, Classes, TopPooling, ZeroPaddedPool. 25,549,416 parameters and 3.482 G multiply-adds with
/// Classes<1000>.
template <detail::ResNetOption... Options>
struct ResNet50V2 : detail::ListingNetwork<typename detail::InputOf<Options...>::type,
                                           detail::resnet_options<Options...>(), 3, 4, 6, 3> {};

/// The listing's network with 101 layers: 3, 4, 23 and 3 blocks. 44,541,544 parameters with Classes<1000>.
template <detail::ResNetOption... Options>
struct ResNet101V2 : detail::ListingNetwork<typename detail::InputOf<Options...>::type,
                                            detail::resnet_options<Options...>(), 3, 4, 23, 3> {};

/// The listing's network with 152 layers: 3, 8, 36 and 3 blocks. 60,185,192 parameters with Classes<1000>.
template <detail::ResNetOption... Options>
struct ResNet152V2 : detail::ListingNetwork<typename detail::InputOf<Options...>::type,
                                            detail::resnet_options<Options...>(), 3, 8, 36, 3> {};

}  // namespace tenon
