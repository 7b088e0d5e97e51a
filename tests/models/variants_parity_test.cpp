// The papers' variants against PyTorch transcriptions (tests/parity/oracles/variants.py), and against the networks that
// stand for two of them elsewhere in the library.
#include <tenon/models/cifar.hpp>
#include <tenon/models/variants.hpp>

#include "golden.hpp"

namespace tenon_test {
namespace {

using namespace tenon;
using enum ShortcutKind;
using enum ActivationPlacement;

/// The names of tests/parity/oracles/variants.py.
constexpr detail::NameRule net_names[] = {
    {"stem.conv0", "conv1"},
    {"stem.norm0", "norm1"},
    {"stack#.block#.preact.norm0", "stages.{0}.{1}.preact_norm"},
    {"stack#.block#.body.conv#", "stages.{0}.{1}.convs.{2}"},
    {"stack#.block#.body.norm#", "stages.{0}.{1}.norms.{2}"},
    {"stack#.block#.shortcut.conv0", "stages.{0}.{1}.short_conv"},
    {"stack#.block#.shortcut.norm0", "stages.{0}.{1}.short_norm"},
    {"stack#.block#.gate.conv0", "stages.{0}.{1}.short_conv"},
    {"stack#.block#.norm0", "stages.{0}.{1}.sum_norm"},
    {"head.norm0", "last_norm"},
    {"head.linear0", "fc"},
};
constexpr detail::NameRule unit_names[] = {
    {"block0.preact.norm0", "preact_norm"},
    {"block0.body.conv#", "convs.{0}"},
    {"block0.body.norm#", "norms.{0}"},
    {"block0.shortcut.conv0", "short_conv"},
    {"block0.shortcut.norm0", "short_norm"},
    {"block0.gate.conv0", "short_conv"},
    {"block0.norm0", "sum_norm"},
};

template <ShortcutKind Kind>
GoldenCase shortcut(const char* name) {
    return GoldenCase::of<CifarVariant<1, Shortcut<Kind>, Placement<original>>>(name, net_names);
}

template <ActivationPlacement Where>
GoldenCase placement(const char* name) {
    return GoldenCase::of<CifarVariant<1, Placement<Where>>>(name, net_names);
}

template <ActivationPlacement Where>
GoldenCase bottlenecks(const char* name) {
    return GoldenCase::of<CifarVariant<2, Bottlenecks, Placement<Where>>>(name, net_names);
}

template <detail::BlockOption... Options>
struct Unit : Network<Input<8, 7, 7>, Block<12, Basic, Stride<2>, Options...>> {};

template <detail::BlockOption... Options>
GoldenCase unit(const char* name) {
    return GoldenCase::of<Unit<Options...>>(name, unit_names);
}

TEST_CASE("every variant of He et al. 2016 computes what PyTorch computes") {
    check_group(
        "variant",
        {
            shortcut<identity>("net_original_identity"),
            shortcut<constant_scaling>("net_original_constant_scaling"),
            shortcut<exclusive_gating>("net_original_exclusive_gating"),
            shortcut<shortcut_only_gating>("net_original_shortcut_only_gating"),
            shortcut<convolution>("net_original_convolution"),
            shortcut<dropout>("net_original_dropout"),
            placement<norm_after_addition>("net_norm_after_addition_identity"),
            placement<relu_before_addition>("net_relu_before_addition_identity"),
            placement<relu_only_preactivation>("net_relu_only_preactivation_identity"),
            placement<full_preactivation>("net_full_preactivation_identity"),
            bottlenecks<original>("bottlenecks_original_identity"),
            bottlenecks<norm_after_addition>("bottlenecks_norm_after_addition_identity"),
            bottlenecks<relu_before_addition>("bottlenecks_relu_before_addition_identity"),
            bottlenecks<relu_only_preactivation>("bottlenecks_relu_only_preactivation_identity"),
            bottlenecks<full_preactivation>("bottlenecks_full_preactivation_identity"),
            unit<ConvShortcut, Placement<original>>("unit_original_convolution"),
            unit<ConvShortcut, Placement<norm_after_addition>>("unit_norm_after_addition_convolution"),
            unit<ConvShortcut, Placement<relu_before_addition>>("unit_relu_before_addition_convolution"),
            unit<ConvShortcut, Placement<relu_only_preactivation>>("unit_relu_only_preactivation_convolution"),
            unit<ConvShortcut, Placement<full_preactivation>>("unit_full_preactivation_convolution"),
            unit<Shortcut<constant_scaling>, PadShortcut, Placement<norm_after_addition>>(
                "unit_norm_after_addition_constant_scaling"),
            unit<Shortcut<exclusive_gating>, PadShortcut, Placement<norm_after_addition>>(
                "unit_norm_after_addition_exclusive_gating"),
            unit<Shortcut<shortcut_only_gating>, PadShortcut, Placement<norm_after_addition>>(
                "unit_norm_after_addition_shortcut_only_gating"),
            unit<Shortcut<constant_scaling>, PadShortcut, Placement<relu_before_addition>>(
                "unit_relu_before_addition_constant_scaling"),
            unit<Shortcut<exclusive_gating>, PadShortcut, Placement<relu_before_addition>>(
                "unit_relu_before_addition_exclusive_gating"),
            unit<Shortcut<shortcut_only_gating>, PadShortcut, Placement<relu_before_addition>>(
                "unit_relu_before_addition_shortcut_only_gating"),
            unit<Shortcut<constant_scaling>, PadShortcut, PreactivateShortcut, Placement<relu_only_preactivation>>(
                "unit_relu_only_preactivation_constant_scaling_first"),
            unit<Shortcut<dropout>, PadShortcut, PreactivateShortcut, Placement<relu_only_preactivation>>(
                "unit_relu_only_preactivation_dropout_first"),
            unit<Shortcut<constant_scaling>, PadShortcut, PreactivateShortcut>(
                "unit_full_preactivation_constant_scaling_first"),
            unit<Shortcut<dropout>, PadShortcut, PreactivateShortcut>("unit_full_preactivation_dropout_first"),
        });
}

/// Whether two networks have the same operations on the same values; only names of layers may differ.
template <class First, class Second>
constexpr bool same_operations = [] {
    const auto &first = lowered<First>, &second = lowered<Second>;
    if (first.ops.size() != second.ops.size() || first.parameters.size() != second.parameters.size()) return false;
    for (int i = 0; i < first.ops.size(); ++i) {
        const detail::Op &a = first.ops[i], &b = second.ops[i];
        if (a.kind != b.kind || a.target != b.target || a.source() != b.source() || a.residual != b.residual ||
            a.window() != b.window() || first.values[a.target] != second.values[b.target])
            return false;
    }
    return true;
}();
static_assert(same_operations<CifarVariant<3, Placement<original>>, CifarResNet20<>>);
static_assert(same_operations<CifarVariant<3>, CifarResNet20V2<>>);
static_assert(!same_operations<CifarVariant<3>, CifarResNet20<>>);

// 6n + 2 and 9n + 2 layers with weights, and 1.7 M parameters in both networks that the paper names.
template <class Net>
constexpr int weight_layers = [] {
    int count = 0;
    for (const detail::Op& op : lowered<Net>.ops) count += op.kind == OpKind::conv || op.kind == OpKind::linear;
    return count;
}();
using ResNet164 = CifarVariant<18, Bottlenecks>;
static_assert(weight_layers<CifarVariant<18>> == 110 && parameter_count<CifarVariant<18>> == 1'727'962);
static_assert(weight_layers<ResNet164> == 164 && parameter_count<ResNet164> / 10'000 == 166);
static_assert(output_shape<Unit<ConvShortcut>> == Shape{12, 4, 4});

// What can't go together is refused.
template <detail::BlockOption... Options>
constexpr Reason reason_of = [] {
    Builder builder;
    Block<8, Basic, Options...>::lower(builder, builder.input({8, 5, 5}));
    return builder.rejection().reason;
}();
static_assert(reason_of<Shortcut<dropout>, Shortcut<dropout>> == Reason::block_option_given_twice);
static_assert(reason_of<Shortcut<dropout>, ConvShortcut> == Reason::block_option_given_twice);
static_assert(reason_of<Placement<original>, Placement<full_preactivation>> == Reason::block_option_given_twice);
static_assert(reason_of<Shortcut<exclusive_gating>> == Reason::gated_shortcut_preactivated);
static_assert(reason_of<Shortcut<shortcut_only_gating>, Placement<relu_only_preactivation>> ==
              Reason::gated_shortcut_preactivated);
static_assert(reason_of<ConvShortcut, PadShortcut> == Reason::convolution_with_padded_channels);
static_assert(reason_of<PreactivateShortcut, Placement<original>> == Reason::nothing_to_preactivate_shortcut);
static_assert(reason_of<Shortcut<exclusive_gating>, Placement<original>> == Reason::none);
static_assert(reason_of<PreactivateShortcut, Placement<relu_only_preactivation>> == Reason::none);

}  // namespace
}  // namespace tenon_test
