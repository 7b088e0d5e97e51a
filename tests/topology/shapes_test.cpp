// What shapes networks yield and which networks are refused, at compile time: this file tests by compiling.
#include <doctest/doctest.h>

#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>

namespace {

using namespace tenon;

/// The shape after some layers on an input.
template <class In, class... Layers>
constexpr Shape shape_after = [] {
    Builder builder;
    return detail::lower_network<In, Layers...>(builder).shape;
}();

/// Why layers on an input are refused, and where.
template <class In, class... Layers>
constexpr Rejection rejection_of = detail::check_network<In, Layers...>();

using Map = Input<3, 32, 32>;

// Conv: floor((size + padding - kernel) / stride) + 1, as torch.nn.Conv2d.
static_assert(shape_after<Map, Conv<8>> == Shape{8, 32, 32});
static_assert(shape_after<Map, Conv<8, Kernel<3>>> == Shape{8, 30, 30});
static_assert(shape_after<Map, Conv<8, Kernel<3>, Padding<1>>> == Shape{8, 32, 32});
static_assert(shape_after<Map, Conv<8, Kernel<3>, Padding<1>, Stride<2>>> == Shape{8, 16, 16});
static_assert(shape_after<Map, Conv<8, Kernel<7>, Stride<2>, Padding<3>>> == Shape{8, 16, 16});
static_assert(shape_after<Map, Conv<8, Kernel<1, 7>>> == Shape{8, 32, 26});
static_assert(shape_after<Map, Conv<8, Stride<2, 1>>> == Shape{8, 16, 32});
static_assert(shape_after<Map, Conv<8, Kernel<3>, Padding<0, 0, 1, 1>, Stride<2>>> == Shape{8, 16, 16});
static_assert(shape_after<Map, Conv<8, Kernel<3>, Padding<1, 2>>> == Shape{8, 32, 34});
static_assert(shape_after<Input<8, 4, 4>, Conv<12, Groups<4>>> == Shape{12, 4, 4});

// Pools: the stride is the kernel unless given.
static_assert(shape_after<Map, MaxPool<Kernel<2>>> == Shape{3, 16, 16});
static_assert(shape_after<Map, MaxPool<Kernel<3>, Stride<2>, Padding<1>>> == Shape{3, 16, 16});
static_assert(shape_after<Map, AvgPool<Kernel<4>, Stride<3>>> == Shape{3, 10, 10});
static_assert(shape_after<Map, GlobalAvgPool> == Shape{3});
static_assert(shape_after<Map, GlobalMaxPool> == Shape{3});

// Layers that keep a shape, and those that flatten.
static_assert(shape_after<Map, BatchNorm, ReLU, Dropout<>, Identity> == Shape{3, 32, 32});
static_assert(shape_after<Map, Flatten> == Shape{3072});
static_assert(shape_after<Input<7>, Flatten, Linear<5>, ReLU, Softmax> == Shape{5});

// Combinators.
static_assert(shape_after<Map, Sequential<Conv<8>, Sequential<>, Conv<4>>> == Shape{4, 32, 32});
static_assert(shape_after<Map, Repeat<3, Conv<5, Kernel<3>>>> == Shape{5, 26, 26});
static_assert(shape_after<Map, Repeat<0, Conv<5, Kernel<3>>>> == Shape{3, 32, 32});
static_assert(shape_after<Map, Residual<Conv<3>, Identity>> == Shape{3, 32, 32});
static_assert(shape_after<Map, Block<4, ConvShortcut>> == Shape{16, 32, 32});
static_assert(shape_after<Map, Block<4, ConvShortcut, Stride<2>>> == Shape{16, 16, 16});
static_assert(shape_after<Input<16, 32, 32>, Block<4, Stride<2>>> == Shape{16, 16, 16});
static_assert(shape_after<Map, Stack<4, 2>> == Shape{16, 16, 16});
static_assert(shape_after<Map, Stack<4, 5, Stride<1>>> == Shape{16, 32, 32});

// Options come in any order.
static_assert(
    std::is_same_v<decltype(Block<4, Stride<2>, ConvShortcut>::lower(std::declval<Builder&>(), Cursor{})), Cursor>);
static_assert(lowered<ResNet50V2<Classes<10>, Preact<false>>>.parameters.size() ==
              lowered<ResNet50V2<Preact<false>, Classes<10>>>.parameters.size());

// Refusals: the reason, what was expected and found, and the position.
constexpr Rejection kernel = rejection_of<Map, Conv<8>, Conv<8, Kernel<40>, Padding<1>>>;
static_assert(kernel.reason == Reason::kernel_exceeds_padded_input && kernel.depth == 1 && kernel.position[0] == 1);
static_assert(kernel.expected == Shape{8, 40, 40} && kernel.got == Shape{8, 34, 34});
static_assert(rejection_of<Map, Conv<8, Groups<2>>>.reason == Reason::channels_not_divisible_by_groups);
static_assert(rejection_of<Map, Conv<8, Groups<3>>>.got == Shape{8});
static_assert(rejection_of<Map, Conv<0>>.reason == Reason::size_is_not_positive);
static_assert(rejection_of<Map, Conv<8, Stride<0>>>.reason == Reason::size_is_not_positive);
static_assert(rejection_of<Map, Conv<8, Kernel<0>>>.reason == Reason::size_is_not_positive);
static_assert(rejection_of<Map, Conv<8, Groups<0>>>.reason == Reason::size_is_not_positive);
static_assert(rejection_of<Map, Conv<8, Padding<-1>>>.reason == Reason::size_is_not_positive);
static_assert(rejection_of<Map, MaxPool<Kernel<2>, Padding<2>>>.reason == Reason::padding_exceeds_kernel);
static_assert(rejection_of<Map, Linear<10>>.reason == Reason::needs_a_flat_input);
static_assert(rejection_of<Map, Linear<10>>.expected == Shape{3072});
static_assert(rejection_of<Map, Softmax>.reason == Reason::needs_a_flat_input);
static_assert(rejection_of<Input<8>, Conv<8>>.reason == Reason::needs_a_map);
static_assert(rejection_of<Input<8>, GlobalAvgPool>.reason == Reason::needs_a_map);
static_assert(rejection_of<Map, int>.reason == Reason::not_a_layer);
static_assert(rejection_of<Input<0, 4, 4>, ReLU>.reason == Reason::input_has_no_size);
static_assert(rejection_of<Map, Stack<4, 1>>.reason == Reason::stack_needs_at_least_two_blocks);
static_assert(rejection_of<Map, Dropout<Rate<1, 1>>>.reason == Reason::rate_is_not_below_one);
static_assert(rejection_of<Map, BatchNormWith<Epsilon<0, 1>>>.reason == Reason::epsilon_or_momentum_is_not_positive);
constexpr Rejection branches = rejection_of<Map, ReLU, Sequential<ReLU, Residual<Conv<3, Stride<2>>, Identity>>>;
static_assert(branches.reason == Reason::branches_disagree && branches.depth == 2);
static_assert(branches.position[0] == 1 && branches.position[1] == 1);
static_assert(branches.expected == Shape{3, 16, 16} && branches.got == Shape{3, 32, 32});
// Inside a stack: the block with the stride, its body, the convolution.
constexpr Rejection inside =
    rejection_of<Input<3, 1, 1>, Sequential<Residual<Sequential<ReLU, Conv<4, Kernel<2>>>, Identity>>>;
static_assert(inside.depth == 4 && inside.position[0] == 0 && inside.position[1] == 0 && inside.position[2] == 0 &&
              inside.position[3] == 1);
// The first refusal is kept.
static_assert(rejection_of<Map, Linear<10>, int>.reason == Reason::needs_a_flat_input);

// Concepts, both ways.
static_assert(Layer<Conv<8>> && Layer<BatchNorm> && Layer<Stack<4, 2>> && !Layer<int> && !Layer<Kernel<3>>);
static_assert(detail::ConvOption<Bias> && !detail::PoolOption<Bias> && !detail::BlockOption<Groups<2>> &&
              detail::StackOption<Stride<1>> && !detail::StackOption<Kernel<3>> && detail::BlockOption<ConvShortcut> &&
              !detail::ConvOption<ConvShortcut>);
static_assert(NetworkType<FashionMnistResNet> && !NetworkType<Conv<8>>);

// Facts: the listing (25,549,352 and a bias of 64), torchvision's published counts.
using Listing = ResNet50V2<Classes<1000>>;
static_assert(parameter_count<Listing> == 25'549'416);
static_assert(parameter_count<ResNet50V2<Classes<1000>, UseBias<false>>> == 25'549'352);
static_assert(multiply_adds<Listing> == 3'482'255'360);
static_assert(input_shape<Listing> == Shape{3, 224, 224} && output_shape<Listing> == Shape{1000});
static_assert(output_shape<ResNet50V2<>> == Shape{100});
static_assert(output_shape<ResNet50V2<IncludeTop<false>>> == Shape{2048, 7, 7});
static_assert(output_shape<ResNet50V2<IncludeTop<false>, TopPooling<Pooling::average>>> == Shape{2048});
static_assert(output_shape<ResNet50V2<IncludeTop<false>, TopPooling<Pooling::maximum>>> == Shape{2048});
static_assert(output_shape<ResNet50V2<IncludeTop<false>, Input<3, 65, 97>>> == Shape{2048, 3, 4});
static_assert(parameter_count<ResNet18<>> == 11'689'512);
static_assert(parameter_count<ResNet34<>> == 21'797'672);
static_assert(parameter_count<ResNet50<>> == 25'557'032);
static_assert(state_count<ResNet50<>> == 25'610'152);
static_assert(parameter_count<ResNet101<>> == 44'549'160);
static_assert(parameter_count<ResNet152<>> == 60'192'808);
static_assert(multiply_adds<ResNet50<>> == 4'089'184'256);
static_assert(parameter_count<FashionMnistResNet> == 313'386);

TEST_CASE("shapes and refusals are checked by the compiler") { CHECK(shape_after<Map, Conv<8>> == Shape{8, 32, 32}); }

TEST_CASE("layers have paths by scope and ordinal") {
    const auto& program = lowered<Listing>;
    const auto path = [&](int parameter) {
        return to_string(program.layers[program.parameters[parameter].layer].path);
    };
    CHECK(path(0) == "stem.conv0");
    CHECK(path(2) == "stack0.block0.preact.norm0");
    CHECK(path(6) == "stack0.block0.shortcut.conv0");
    CHECK(path(program.parameters.size() - 1) == "head.linear0");
}

}  // namespace
