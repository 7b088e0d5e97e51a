// The memory plan: values that are alive together never overlap, and what may be in place is.
#include <algorithm>
#include <array>
#include <iterator>

#include <doctest/doctest.h>

#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/program/memory/plan_memory.hpp>
#include <tenon/program/memory/plan_training_memory.hpp>
#include <tenon/program/passes/optimize.hpp>
#include <tenon/program/training/differentiate.hpp>
#include <tenon/program/training/training_forward.hpp>

namespace {

using namespace tenon;

/// A plan of the optimized program in which a value's size is its shape's.
template <class Net>
struct Planned {
    static constexpr auto program = optimize(lowered<Net>);
    static constexpr int values = detail::capacity<Net>.values + 2;

    struct Sizes {
        long of[values]{};
    };
    static constexpr Sizes sizes = [] {
        Sizes result{};
        for (const detail::Op& op : program.ops)
            for (const int value : {op.target, op.activated})
                if (value >= 0) result.of[value] = program.values[value].elements();
        return result;
    }();
    static constexpr auto plan =
        detail::plan_memory(program, sizes.of, [](int a, int b) { return program.values[a] == program.values[b]; });
};

/// Whether values that are alive at the same operation lie apart, but for an operand that is replaced in place.
template <class Net>
constexpr bool is_sound() {
    using P = Planned<Net>;
    int first[P::values]{}, last[P::values]{};
    for (int i = 0; i < P::program.ops.size(); ++i) {
        const detail::Op& op = P::program.ops[i];
        for (const int value : {op.target, op.activated})
            if (value >= 0) first[value] = last[value] = i;
        detail::for_each_operand(op, [&](int value) { last[value] = i; });
    }
    last[P::program.output] = P::program.ops.size();
    for (int a = 1; a < P::program.values.size(); ++a) {
        if (P::sizes.of[a] == 0) continue;
        if (P::plan.offset[a] < 0 || P::plan.offset[a] + P::sizes.of[a] > P::plan.size) return false;
        for (int b = 1; b < a; ++b) {
            if (P::sizes.of[b] == 0 || first[a] > last[b] || first[b] > last[a]) continue;
            const bool apart = P::plan.offset[a] + P::sizes.of[a] <= P::plan.offset[b] ||
                               P::plan.offset[b] + P::sizes.of[b] <= P::plan.offset[a];
            const detail::Op& writer = P::program.ops[first[a]];
            const bool added = writer.residual == b && writer.terms[0].source != b && writer.terms[1].source != b;
            const bool in_place = P::plan.offset[a] == P::plan.offset[b] && first[a] == last[b] && added;
            if (!apart && !in_place) return false;
        }
    }
    return true;
}

struct Chain : Network<Input<4, 8, 8>, Conv<4>, Conv<4>, Conv<4>, Conv<4>> {};
static_assert(is_sound<Chain>());
static_assert(Planned<Chain>::plan.size == 2 * 4 * 64);  // two values alive at a time

using Squeezed = Residual<Sequential<Conv<2>, Conv<4>>, Identity>;
struct InPlace : Network<Input<4, 8, 8>, MaxPool<Kernel<1>>, Squeezed, Squeezed> {};
static_assert(is_sound<InPlace>());
static_assert(Planned<InPlace>::program.ops.size() == 5);
static_assert(Planned<InPlace>::plan.size == 6 * 64);  // each sum replaces the trunk it was added to

// A convolution reads all channels of its source for each output channel: its sum can't take the place of the trunk.
struct NotInPlace : Network<Input<4, 8, 8>, MaxPool<Kernel<1>>, Residual<Conv<4>, Identity>> {};
static_assert(is_sound<NotInPlace>());
static_assert(Planned<NotInPlace>::plan.size == 8 * 64);

struct Kept : Network<Input<4, 8, 8>, Conv<4>, Residual<Sequential<Conv<8>, Conv<4>>, Identity>> {};
static_assert(is_sound<Kept>());
static_assert(Planned<Kept>::plan.size == 12 * 64);  // trunk and the wide value; the sum takes the trunk's place

static_assert(is_sound<FashionMnistResNet>());
static_assert(is_sound<ResNet18<>>());
static_assert(is_sound<ResNet50V2<>>());

// ResNet50V2 at 224: one image's arena in scalars, without borders. The peak is the first stack: trunk and activated
// copy of 256 channels and the two inner values of 64 channels, all 56 x 56; the stem's 64 x 112 x 112 fits beside.
static_assert(Planned<ResNet50V2<>>::plan.size == (2 * 256 + 2 * 64) * 56 * 56);

// The worked example of TrainingMemoryPlanner: where backward's values are, too.
struct Perceptron : Network<Input<64>, Linear<48>, Sigmoid, Linear<32>, Sigmoid, Linear<16>> {};
constexpr auto perceptron_forward = detail::training_forward(lowered<Perceptron>);
constexpr auto perceptron_capacity = detail::training_capacity(perceptron_forward, {});
constexpr auto perceptron = detail::differentiate<perceptron_capacity>(perceptron_forward, {});
constexpr auto perceptron_plan = [] {
    long sizes[std::size(detail::TrainingMemoryPlan<perceptron_capacity>{}.offset)]{};
    for (int v = 0; v < perceptron.values.size(); ++v) sizes[v] = perceptron.values[v].elements();
    return detail::plan_training_memory(perceptron, sizes,
                                        [](int a, int b) { return perceptron.values[a] == perceptron.values[b]; });
}();
static_assert(perceptron.values.size() == 11 && perceptron.output_gradient == 6);
static_assert(std::ranges::equal(perceptron_plan.offset,
                                 std::array<long, 11>{0, 112, 64, 144, 112, 144, 160, 176, 176, 112, 112}));
static_assert(perceptron_plan.saved_size == 160 && perceptron_plan.size == 208);

TEST_CASE("the plan of ResNet50V2 is a small part of its values") {
    long all = 0;
    for (const long size : Planned<ResNet50V2<>>::sizes.of) all += size;
    CHECK(Planned<ResNet50V2<>>::plan.size * 4 < all);
    CHECK(is_sound<ResNet50V2<>>());
}

}  // namespace
