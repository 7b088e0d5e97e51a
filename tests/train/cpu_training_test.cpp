// The CPU's training engine against PyTorch's traces and the naive engine; bitwise equal for any number of threads.
#include <tenon/engine/training_engine.hpp>

#include "golden_nets.hpp"
#include "golden_trace.hpp"

namespace {
using namespace tenon_test;

template <class Net>
void check(const GoldenCase& golden) {
    TrainingEngine<Net> engine{golden.batch, {.threads = 2}};
    replay<Net>(engine, within(golden, 2e-5, 2e-4, 3));
}

TEST_CASE("float training steps of the listing's stacks are close to PyTorch's") { check<GoldenStack>(stack_case); }
TEST_CASE("float training steps of basic blocks are close to PyTorch's") { check<GoldenBasic>(basic_case); }
TEST_CASE("float training steps with groups and dropout are close to PyTorch's") { check<GoldenMixed>(mixed_case); }

}  // namespace
