// What an ONNX file refuses to be, and that it is written whole or not at all. onnx_test.py compares whole networks.
#include <filesystem>

#include <doctest/doctest.h>

#include <tenon/report/onnx.hpp>
#include <tenon/topology/elementwise.hpp>
#include <tenon/topology/facts.hpp>
#include <tenon/topology/pooling.hpp>

#include "../support.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;

struct Exported : Network<Input<3, 8, 8>, Conv<4, Kernel<3>, Bias>, BatchNorm, ReLU, GlobalAvgPool, Linear<10>> {};

TEST_CASE("the same network and weights give the same file, other weights or another batch another") {
    const tenon_test::TemporaryFolder folder;
    const auto bytes = [&](std::uint64_t seed, long batch) {
        Parameters<Exported> parameters;
        parameters.seed(seed);
        write_onnx(folder.file("small.onnx"), parameters, {.batch = batch});
        return tenon_test::read_file(folder.file("small.onnx"));
    };
    const std::string first = bytes(1, 1);
    CHECK(first.size() > static_cast<std::size_t>(4 * state_count<Exported>));
    CHECK(bytes(1, 1) == first);
    CHECK(bytes(2, 1) != first);
    CHECK(bytes(1, 7) != first);
    CHECK(contains(bytes(1, 0), "batch"));
}

TEST_CASE("a negative batch and a folder that isn't there are errors, and leave no file") {
    const tenon_test::TemporaryFolder folder;
    const Parameters<Exported> parameters;
    CHECK(contains(error_of([&] { write_onnx(folder.file("a.onnx"), parameters, {.batch = -1}); }),
                   "a batch can't be -1"));
    CHECK(contains(error_of([&] { write_onnx(folder.file("b/a.onnx"), parameters); }), "cannot create a file"));
    CHECK(std::filesystem::is_empty(folder.file("")));
}

}  // namespace
