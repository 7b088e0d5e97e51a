// Single Blocks of all three shortcut kinds, and single Stacks: networks of one layer.
#include <tenon/topology/block.hpp>
#include <tenon/topology/facts.hpp>

#include "golden.hpp"

namespace tenon_test {
namespace {

using namespace tenon;

/// The names of a Block of the listing on its own.
constexpr detail::NameRule block_names[] = {
    {"block0.preact.norm0", "preact.0"}, {"block0.shortcut.conv0", "short"}, {"block0.body.conv0", "conv1.0"},
    {"block0.body.norm0", "conv1.1"},    {"block0.body.conv1", "conv2.0"},   {"block0.body.norm1", "conv2.1"},
    {"block0.body.conv2", "conv3"},
};

/// The names of a Stack of the listing on its own.
constexpr detail::NameRule stack_names[] = {
    {"stack0.block#.preact.norm0", "conv.{0}.preact.0"}, {"stack0.block#.shortcut.conv0", "conv.{0}.short"},
    {"stack0.block#.body.conv0", "conv.{0}.conv1.0"},    {"stack0.block#.body.norm0", "conv.{0}.conv1.1"},
    {"stack0.block#.body.conv1", "conv.{0}.conv2.0"},    {"stack0.block#.body.norm1", "conv.{0}.conv2.1"},
    {"stack0.block#.body.conv2", "conv.{0}.conv3"},
};

template <int Channels, int Side, class Layer>
struct Alone : Network<Input<Channels, Side, Side>, Layer> {};

template <int Channels, int Side, class Layer>
GoldenCase block_case(const char* name) {
    return GoldenCase::of<Alone<Channels, Side, Layer>>(name, block_names);
}

template <int Channels, int Side, class Layer>
GoldenCase stack_case(const char* name) {
    return GoldenCase::of<Alone<Channels, Side, Layer>>(name, stack_names);
}

TEST_CASE("single Blocks compute what PyTorch computes") {
    check_group("block", {
                             block_case<64, 7, Block<16, ConvShortcut>>("projection_64_16_stride1_7x7"),
                             block_case<64, 12, Block<32, ConvShortcut>>("projection_64_32_stride1_12x12"),
                             block_case<128, 7, Block<32, ConvShortcut, Stride<2>>>("projection_128_32_stride2_7x7"),
                             block_case<20, 7, Block<5, ConvShortcut>>("projection_20_5_stride1_7x7"),
                             block_case<64, 7, Block<16>>("identity_64_16_stride1_7x7"),
                             block_case<128, 12, Block<32>>("identity_128_32_stride1_12x12"),
                             block_case<64, 14, Block<16>>("identity_64_16_stride1_14x14"),
                             block_case<20, 7, Block<5>>("identity_20_5_stride1_7x7"),
                             block_case<64, 12, Block<16, Stride<2>>>("max_pool_64_16_stride2_12x12"),
                             block_case<128, 7, Block<32, Stride<2>>>("max_pool_128_32_stride2_7x7"),
                             block_case<64, 14, Block<16, Stride<2>>>("max_pool_64_16_stride2_14x14"),
                             block_case<20, 7, Block<5, Stride<2>>>("max_pool_20_5_stride2_7x7"),
                         });
}

TEST_CASE("single Stacks compute what PyTorch computes") {
    check_group("stack", {
                             stack_case<64, 14, Stack<16, 3>>("64_16_blocks3_stride2_14x14"),
                             stack_case<64, 7, Stack<32, 2, Stride<1>>>("64_32_blocks2_stride1_7x7"),
                             stack_case<24, 7, Stack<6, 4>>("24_6_blocks4_stride2_7x7"),
                         });
}

}  // namespace
}  // namespace tenon_test
