// What each pass makes of tiny programs and of ResNet50V2, at compile time: this file tests by compiling.
#include <doctest/doctest.h>

#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/program/passes/compact_projections.hpp>
#include <tenon/program/passes/optimize.hpp>

namespace {

using namespace tenon;

/// The kinds of a program's operations, for comparisons with a list.
template <detail::Capacity C>
constexpr bool has_kinds(const detail::Program<C>& program, std::initializer_list<OpKind> kinds) {
    if (program.ops.size() != static_cast<int>(kinds.size())) return false;
    int i = 0;
    for (const OpKind kind : kinds)
        if (program.ops[i++].kind != kind) return false;
    return true;
}

using enum OpKind;
using Map = Input<4, 8, 8>;

// simplify: dropouts and flattenings go, their readers read on.
struct Dropped : Network<Map, Conv<2>, Dropout<>, Flatten, Dropout<>, Linear<3>, Dropout<>> {};
constexpr auto dropped = simplify(lowered<Dropped>);
static_assert(has_kinds(lowered<Dropped>, {conv, dropout, flatten, dropout, linear, dropout}));
static_assert(has_kinds(dropped, {conv, linear}));
static_assert(dropped.ops[1].source() == dropped.ops[0].target && dropped.output == dropped.ops[1].target);
static_assert(dropped.values[dropped.ops[1].source()] == Shape{2, 8, 8});

// fold_batch_norm: only after a convolution or linear layer that nobody else reads.
struct Folded : Network<Map, Conv<2>, BatchNorm, BatchNorm, GlobalAvgPool, Linear<3>, BatchNorm> {};
constexpr auto folded = detail::fold_batch_norm(lowered<Folded>);
static_assert(has_kinds(folded, {conv, batch_norm, global_average_pool, linear}));
static_assert(folded.ops[0].terms[0].norm == 1 && folded.ops[3].terms[0].norm == 5);
static_assert(folded.ops[1].source() == folded.ops[0].target && folded.output == folded.ops[3].target);
struct Shared : Network<Map, Conv<4>, Residual<BatchNorm, Identity>> {
};  // the addition reads the convolution's result raw
static_assert(has_kinds(detail::fold_batch_norm(lowered<Shared>), {conv, batch_norm, add}));
struct FirstNorm : Network<Map, BatchNorm> {};
static_assert(has_kinds(detail::fold_batch_norm(lowered<FirstNorm>), {batch_norm}));

// fuse_relu: only into an operation whose result nobody else reads.
struct Activated : Network<Map, Conv<4>, ReLU, ReLU, MaxPool<Kernel<2>>, ReLU> {};
constexpr auto activated = detail::fuse_relu(lowered<Activated>);
static_assert(has_kinds(activated, {conv, max_pool}));  // one ReLU after another changes nothing
static_assert(activated.ops[0].relu && activated.ops.back().relu && activated.output == activated.ops.back().target);
struct SharedReLU : Network<Map, Conv<4>, Residual<ReLU, Identity>> {};
constexpr auto shared_relu = detail::fuse_relu(lowered<SharedReLU>);
static_assert(has_kinds(shared_relu, {conv, relu, add}) && !shared_relu.ops[0].relu);

// fuse_add: residual, subsampled residual, projection, and what must stay an addition.
struct Plain : Network<Map, Conv<4>, Residual<Conv<4, Kernel<3>, Padding<1>>, Identity>, ReLU> {};
constexpr auto plain = detail::fuse_add(detail::fuse_relu(lowered<Plain>));
static_assert(has_kinds(plain, {conv, conv}));
static_assert(plain.ops[1].residual == plain.ops[0].target && plain.ops[1].relu);  // the addition's ReLU goes along
struct Strided : Network<Map, Conv<4>, Residual<Conv<4, Stride<2>>, MaxPool<Kernel<1>, Stride<2>>>> {};
constexpr auto strided = detail::fuse_add(lowered<Strided>);
static_assert(has_kinds(strided, {conv, conv}) && strided.ops[1].residual == strided.ops[0].target);
static_assert(strided.ops[1].residual_stride == 2);
struct Projected : Network<Map, Conv<4>, Residual<Conv<6>, Conv<6>>> {};
constexpr auto projected = detail::fuse_add(lowered<Projected>);
static_assert(has_kinds(projected, {conv, conv}));
static_assert(projected.ops[1].terms[0].source == projected.ops[0].target &&
              projected.ops[1].terms[1].source == projected.ops[0].target && projected.ops[1].residual < 0);
static_assert(projected.ops[1].terms[0].layer != projected.ops[1].terms[1].layer);
struct ReluBeforeAddition : Network<Map, Conv<4>, Residual<Sequential<Conv<4>, ReLU>, Identity>> {};
static_assert(has_kinds(detail::fuse_add(detail::fuse_relu(lowered<ReluBeforeAddition>)), {conv, conv, add}));
struct OnInput : Network<Map, Residual<Conv<4>, Conv<4>>> {};  // the input has a layout of its own
static_assert(detail::fuse_add(lowered<OnInput>).ops.back().kind == add);
struct PooledShortcut : Network<Map, Conv<4>, Residual<Conv<4, Stride<2>>, MaxPool<Kernel<2>>>> {};
constexpr auto pooled = detail::fuse_add(lowered<PooledShortcut>);
static_assert(has_kinds(pooled, {conv, max_pool, conv}) && pooled.ops[2].residual == pooled.ops[1].target);

// fuse_preactivation: a second result for the activation; the raw one only for who else reads it.
using Preactivated = PreactivatedResidual<Sequential<BatchNorm, ReLU>, Conv<4>, Identity>;
struct Trunk : Network<Map, Conv<4>, Preactivated> {};
constexpr auto trunk = optimize(lowered<Trunk>);
static_assert(has_kinds(trunk, {conv, conv}));
static_assert(trunk.ops[0].target >= 0 && trunk.ops[0].activated >= 0 && trunk.ops[0].activated_relu);
static_assert(trunk.ops[0].activated_norm == 1);
static_assert(trunk.ops[1].source() == trunk.ops[0].activated && trunk.ops[1].residual == trunk.ops[0].target);
using ProjectedBlock = PreactivatedResidual<Sequential<BatchNorm, ReLU>, Conv<6>, Conv<6>, ShortcutFrom::preactivation>;
struct NoTrunk : Network<Map, MaxPool<Kernel<2>>, ProjectedBlock> {};
constexpr auto no_trunk = optimize(lowered<NoTrunk>);
static_assert(has_kinds(no_trunk, {max_pool, conv}) && no_trunk.ops[0].target < 0 && no_trunk.ops[0].activated >= 0);
static_assert(no_trunk.ops[1].terms[0].source == no_trunk.ops[1].terms[1].source);
struct NormAlone : Network<Map, GlobalAvgPool, BatchNorm, ReLU> {};  // nothing before it can apply it
static_assert(has_kinds(optimize(lowered<NormAlone>), {global_average_pool, batch_norm}));

// The result of a network is a reader: what it needs raw is stored raw.
struct RawResult : Network<Map, Conv<4>> {};
static_assert(optimize(lowered<RawResult>).ops[0].target == optimize(lowered<RawResult>).output);

// ResNet50V2: 53 convolutions, of which 4 projections join another; norms, ReLUs and additions are all gone.
constexpr auto listing = optimize(lowered<ResNet50V2<>>);
constexpr int count(const auto& program, OpKind kind) {
    int sum = 0;
    for (const detail::Op& op : program.ops) sum += op.kind == kind;
    return sum;
}
static_assert(count(lowered<ResNet50V2<>>, conv) == 53 && count(lowered<ResNet50V2<>>, batch_norm) == 49);
static_assert(count(listing, conv) == 49 && listing.ops.size() == 52);
static_assert(count(listing, max_pool) == 1 && count(listing, global_average_pool) == 1 && count(listing, linear) == 1);
constexpr auto v1 = optimize(lowered<ResNet50<>>);
static_assert(count(v1, conv) == 49 && v1.ops.size() == 52);

// compact_projections: only pointwise second terms with strides get a copy of their pixels.
using StridedSum = Residual<Conv<6, Kernel<3>, Stride<2>, Padding<1>>, Conv<6, Stride<2>>>;
struct StridedProjection : Network<Map, Conv<4>, StridedSum> {};
constexpr auto thinned = detail::compact_projections(optimize(lowered<StridedProjection>));
static_assert(has_kinds(thinned, {conv, max_pool, conv}));
static_assert(thinned.ops[1].source() == thinned.ops[0].target && thinned.ops[1].window().stride_height == 2);
static_assert(thinned.ops[2].terms[1].source == thinned.ops[1].target &&
              thinned.ops[2].terms[1].window == detail::Window{});
static_assert(thinned.ops[2].terms[0].source == thinned.ops[0].target &&
              thinned.ops[2].terms[0].window.stride_height == 2);
static_assert(thinned.values[thinned.ops[1].target] == Shape{4, 4, 4});
static_assert(has_kinds(detail::compact_projections(optimize(lowered<Projected>)), {conv, conv}));
static_assert(has_kinds(detail::compact_projections(optimize(lowered<RawResult>)), {conv}));
static_assert(count(detail::compact_projections(v1), max_pool) == 4 &&
              detail::compact_projections(listing).ops.size() == 52);

// A pass never changes what a program computes: the multiply-adds stay.
constexpr long work(const auto& program) {
    long sum = 0;
    for (const detail::Op& op : program.ops) sum += detail::multiply_adds_of(program, op);
    return sum;
}
static_assert(work(listing) == multiply_adds<ResNet50V2<>> && work(v1) == multiply_adds<ResNet50<>> &&
              work(detail::compact_projections(v1)) == work(v1));

TEST_CASE("passes are checked by the compiler") { CHECK(listing.ops.size() == 52); }

}  // namespace
