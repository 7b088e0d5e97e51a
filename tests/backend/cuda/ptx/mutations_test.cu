// Mistakes in what nvcc made, one at a time: each must be a fault or a wrong result, or the interpreter would not find
// it in the library's kernels either.
#include <functional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/backend/cuda/kernels/conv.hpp>
#include <tenon/backend/cuda/kernels/conv_choice.hpp>
#include <tenon/backend/cuda/training/weight_gradient.hpp>
#include <tenon/core/random.hpp>

#include "../../../support.hpp"
#include "../kernel_runner.hpp"
#include "runtime.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;

std::vector<cuda::BFloat16> numbers(std::size_t count) {
    std::vector<cuda::BFloat16> values(count);
    for (std::size_t i = 0; i < count; ++i)
        values[i] = cuda::from_float<cuda::BFloat16>(
            static_cast<float>(detail::uniform(detail::random_bits(9, count, i), -1, 1)));
    return values;
}

/// A convolution of 3 x 3 with padding and a shift, in several blocks, whose depth is many tiles; with splits, the last
/// block of each tile adds them.
template <int Splits>
std::vector<float> convolve() {
    using Kernel = cuda::ConvKernel<cuda::conv_spec(Precision::bfloat16, 2, 8, 4)>;
    constexpr int channels = 24, outputs = 36, map = 49;
    tenon_test::KernelRunner runner;
    cuda::ConvArguments arguments{};
    cuda::ConvTermArguments& term = arguments.terms[0];
    term.source = runner.put(numbers(map * channels));
    term.weights = runner.put(numbers(outputs * 9 * channels));
    term.channels = term.group_channels = channels;
    term.height = term.width = arguments.height = arguments.width = 7;
    term.kernel_height = term.kernel_width = 3;
    term.top = term.left = 1;
    term.depth = 9 * channels;
    arguments.pixels = map;
    arguments.group_outputs = arguments.epilogue.channels = outputs;
    arguments.epilogue.height = arguments.epilogue.width = 7;
    arguments.epilogue.shift = runner.put(std::vector<float>(outputs, 0.5f));
    auto* const target = runner.room<cuda::BFloat16>(map * outputs);
    arguments.epilogue.target = target;
    arguments.splits = Splits;
    if (Splits > 1) {
        arguments.partials = runner.room<float>(Splits * map * outputs);
        arguments.tickets = runner.put(std::vector<unsigned>(map, 0));
    }
    runner.run<Kernel>(Kernel::grid(arguments), arguments);
    std::vector<float> results;
    for (const cuda::BFloat16 value : runner.get(target, map * outputs)) results.push_back(cuda::to_float(value));
    return results;
}

/// The gradient of its weights; with splits, the last block of each tile adds them.
template <int Splits>
std::vector<float> differentiate() {
    using Kernel = cuda::WeightGradientKernel<cuda::weight_gradient_spec(Precision::bfloat16, 1, 8, 4)>;
    constexpr int channels = 24, outputs = 36, map = 49;
    tenon_test::KernelRunner runner;
    cuda::WeightGradientArguments arguments{};
    arguments.source = runner.put(numbers(map * channels));
    arguments.gradient = runner.put(numbers(map * outputs));
    arguments.channels = arguments.group_channels = channels;
    arguments.height = arguments.width = arguments.result_height = arguments.result_width = 7;
    arguments.kernel_width = 3;
    arguments.top = arguments.left = 1;
    arguments.columns = 9 * channels;
    arguments.pixels = map;
    arguments.group_outputs = outputs;
    arguments.splits = Splits;
    arguments.layout = {.row = channels, .channels = channels, .inputs = channels, .taps = 9};
    arguments.weights = runner.room<float>(outputs * 9 * channels);
    arguments.partials = runner.room<float>(Splits * outputs * 9 * channels);
    if (Splits > 1) arguments.tickets = runner.put(std::vector<unsigned>(map, 0));
    runner.run<Kernel>(Kernel::grid(arguments), arguments);
    return runner.get(arguments.weights, outputs * 9 * channels);
}

using Calculation = std::vector<float> (*)();

/// What becomes of a calculation when the kernel's PTX is changed: "same", "different", or the fault's text. The change
/// has to change something.
std::string outcome(Calculation calculation, const char* kernel, const std::function<void(std::string&)>& change) {
    const std::vector<float> right = calculation();
    bool changed = false;
    ptx::edit_runtime([&](const std::string& text) {
        const auto name = text.find(kernel, text.find(".visible .entry"));
        if (name == std::string::npos) return text;
        const auto begin = text.rfind(".visible .entry", name), end = text.find(".visible .entry", name);
        std::string one = text.substr(begin, end == std::string::npos ? end : end - begin);
        const std::string before = one;
        change(one);
        changed = changed || one != before;
        return text.substr(0, begin) + one + (end == std::string::npos ? "" : text.substr(end));
    });
    std::string result;
    std::vector<float> found;
    const std::string error = tenon_test::error_of([&] { found = calculation(); });
    ptx::edit_runtime({});
    REQUIRE(changed);
    if (error != "(no error)") return error;
    return tenon_test::same_bytes(found, right) ? "same" : "different";
}

/// Replaces the n-th match of a pattern, or each with n < 0.
auto replacing(const char* pattern, const char* by, int n = -1) {
    return [pattern, by, n](std::string& text) {
        const std::regex regex(pattern);
        if (n < 0) {
            text = std::regex_replace(text, regex, by);
            return;
        }
        std::sregex_iterator match(text.begin(), text.end(), regex);
        for (int i = 0; i < n && match != std::sregex_iterator(); ++i) ++match;
        if (match == std::sregex_iterator()) return;
        const std::string replaced = match->format(by);
        text.replace(static_cast<std::size_t>(match->position()), static_cast<std::size_t>(match->length()), replaced);
    };
}

std::string conv(const std::function<void(std::string&)>& change) { return outcome(convolve<1>, "ConvKernel", change); }
std::string split(const std::function<void(std::string&)>& change) {
    return outcome(convolve<3>, "ConvKernel", change);
}
std::string gradient(const std::function<void(std::string&)>& change) {
    return outcome(differentiate<1>, "WeightGradientKernel", change);
}
std::string split_gradient(const std::function<void(std::string&)>& change) {
    return outcome(differentiate<3>, "WeightGradientKernel", change);
}

TEST_CASE("what is not changed computes the same") {
    CHECK(conv([](std::string& text) { text += "\n"; }) == "same");
    CHECK(split([](std::string& text) { text += "\n"; }) == "same");
    CHECK(gradient([](std::string& text) { text += "\n"; }) == "same");
    CHECK(split_gradient([](std::string& text) { text += "\n"; }) == "same");
}

TEST_CASE("operands of the tensor cores in another order") {
    const char* const mma =
        R"((mma\.sync\S*\s+\{[^}]*\}, \{)(%r\d+), (%r\d+), (%r\d+), (%r\d+)(\}, \{)(%r\d+), (%r\d+)\})";
    for (const auto& run : {conv, gradient}) {
        CHECK(run(replacing(mma, "$1$3, $2, $4, $5$6$7, $8}", 0)) == "different");
        CHECK(run(replacing(mma, "$1$2, $3, $5, $4$6$7, $8}", 1)) == "different");
        CHECK(run(replacing(mma, "$1$2, $3, $4, $5$6$8, $7}", 2)) == "different");
        CHECK(run(replacing("f32\\.bf16\\.bf16\\.f32", "f32.f16.f16.f32", 0)) == "different");
    }
}

TEST_CASE("fragments that are loaded from other rows") {
    const char* const load = R"((ldmatrix\S*\s+\{)(%r\d+), (%r\d+))";
    CHECK(conv(replacing(load, "$1$3, $2", 0)) == "different");
    CHECK(gradient(replacing(load, "$1$3, $2", 1)) == "different");
    CHECK(gradient(replacing("\\.x4\\.trans", ".x4", 0)) == "different");
    CHECK(contains(conv(replacing("(ldmatrix[^;]*)\\];", "$1+8];", 0)), "not aligned"));
    CHECK(contains(conv(replacing("(ldmatrix[^;]*)\\];", "$1+1048576];", 0)), "not in any memory"));
}

TEST_CASE("copies that nobody waits for, or that are missing") {
    const char* const late = "asynchronous copy may not have written";
    CHECK(contains(conv(replacing(R"(cp\.async\.wait_group \d;)", "")), late));
    CHECK(contains(gradient(replacing(R"(cp\.async\.wait_group \d;)", "")), late));
    CHECK(contains(conv(replacing(R"(cp\.async\.wait_group 2;)", "cp.async.wait_group 3;")), late));
    CHECK(contains(conv(replacing(R"(cp\.async\.commit_group;)", "")), late));
    CHECK(contains(conv(replacing(R"(cp\.async\.cg[^;]*;)", "", 0)), "nobody wrote"));
    // Zeros of the padding that are not filled in.
    CHECK(conv(replacing(R"((cp\.async\.cg[^;]*16), %r\d+;)", "$1;")) != "same");
    CHECK(contains(conv(replacing(R"((cp\.async\.cg\S* \[%r\d+)\])", "$1+8]", 0)), "not aligned"));
}

TEST_CASE("barriers: none can be left out but the first and the last, and all lanes must come to them") {
    for (const auto& [whole, in_splits] : {std::pair{&conv, &split}, std::pair{&gradient, &split_gradient}}) {
        int barriers = 0;
        whole([&](std::string& text) {
            const std::regex regex(R"(bar\.sync\s+0;)");
            barriers = static_cast<int>(std::distance(std::sregex_iterator(text.begin(), text.end(), regex), {}));
            text += "\n";
        });
        REQUIRE(barriers >= 4);
        for (int i = 1; i < barriers - 1; ++i) {  // the first follows registers, after the last nothing is read
            std::string result = whole(replacing(R"(bar\.sync\s+0;)", "", i));
            if (result == "same") result = in_splits(replacing(R"(bar\.sync\s+0;)", "", i));
            CAPTURE(i);
            CAPTURE(result);
            CHECK((contains(result, "without a barrier") || contains(result, "nobody wrote")));
        }
    }
    CHECK(contains(
        conv(replacing(R"(bar\.sync\s+0;)", "mov.u32 %r1, %tid.x; setp.lt.u32 %p1, %r1, 5; @%p1 bar.sync 0;", 0)),
        "all lanes"));
}

TEST_CASE("splits that are added without an order between the blocks, or by another one than the last") {
    const char* const ticket = R"(atom\.acq_rel\.gpu\.global\.inc\.u32 (%r\d+), (\[%rd\d+\]), (%r\d+);)";
    for (const auto& run : {split, split_gradient}) {
        CHECK(contains(run(replacing(ticket, "atom.relaxed.gpu.global.inc.u32 $1, $2, $3;")),
                       "reads what another thread wrote"));
        CHECK(run(replacing(ticket, "ld.global.u32 $1, $2;")) == "different");
        CHECK(run(replacing(ticket, "atom.acq_rel.gpu.global.inc.u32 $1, $2, 1;")) == "different");
        CHECK(contains(run(replacing(ticket, "mov.u32 $1, $3;")), "nobody wrote"));
    }
    CHECK(contains(split(replacing(ticket, "atom.add.u32 $1, $2, 1;")), "doesn't know the instruction atom.add.u32"));
}

TEST_CASE("accesses that are misaligned, out of bounds, or of what nobody wrote") {
    CHECK(contains(split(replacing(R"((ld\.global\.v4\.f32[^;]*\[%rd\d+)\];)", "$1+4];")), "not aligned"));
    CHECK(contains(conv(replacing(R"((st\.global\.v4[^;]*\[%rd\d+)\])", "$1+1048576]")), "not in any memory"));
    CHECK(contains(gradient(replacing(R"(st\.shared[^;]*;|cp\.async\.c[ag][^;]*;)", "")), "nobody wrote"));
    CHECK(contains(conv(replacing(R"(ld\.param\.u64 (%rd\d+), \[)", "mov.u64 $1, 0; //", 0)), "not in any memory"));
}

TEST_CASE("blocks that write what others write, and threads that do") {
    CHECK(contains(conv(replacing(R"(mov\.u32 (\S+) %ctaid\.[xy];)", "mov.u32 $1 0;")), "another thread"));
    CHECK(contains(gradient(replacing(R"(mov\.u32 (\S+) %tid\.x;)", "mov.u32 $1 0;")), "another thread"));
}

TEST_CASE("what is not known is refused") {
    CHECK(contains(conv(replacing(R"(bar\.sync\s+0;)", "nanosleep.u32 5;", 0)),
                   "doesn't know the instruction nanosleep.u32"));
    CHECK(contains(conv(replacing(R"(add\.s32)", "add.s64", 0)), "bytes"));
}

}  // namespace
