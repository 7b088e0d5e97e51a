// title: A Stack of fewer than two blocks
// meaning: A `Stack` begins with a block that projects and ends with one that carries the stride, so it has at least
// meaning: two blocks.
// fix: Use two blocks or more, or a single `Block` with both options.
// expect: Rejected<tenon::Stack<64, 1
// expect: reason::a_stack_needs_at_least_two_blocks
// expect: At<1>
// expect: Expected<(tenon::)?Shape\{2, 0, 0\}>, tenon::Got<(tenon::)?Shape\{1, 0, 0\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 56, 56>, Conv<64>, Stack<64, 1>> {};
#else
struct Classifier : Network<Input<3, 56, 56>, Conv<64>, Block<64, ConvShortcut, Stride<2>>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
