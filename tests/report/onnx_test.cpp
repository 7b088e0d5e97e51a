// What an ONNX file refuses to be, and that it is written whole or not at all. onnx_test.py compares whole networks.
#include <filesystem>
#include <limits>

#include <doctest/doctest.h>

#include <tenon/io/read_weights_info.hpp>
#include <tenon/report/onnx_int8.hpp>
#include <tenon/topology/elementwise.hpp>
#include <tenon/topology/facts.hpp>
#include <tenon/topology/pooling.hpp>

#include "../functions.hpp"
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

TEST_CASE("a user's function has no operator in ONNX") {
    struct Net : Network<Input<3, 8, 8>, Conv<4>, Elementwise<tenon_test::Mish>> {};
    const tenon_test::TemporaryFolder folder;
    CHECK(contains(error_of([&] { write_onnx(folder.file("a.onnx"), Parameters<Net>{}); }),
                   "layer elementwise0: a function of your own has no operator in ONNX"));
    CHECK(std::filesystem::is_empty(folder.file("")));
}

TEST_CASE("a file says the names of its classes") {
    const tenon_test::TemporaryFolder folder;
    const Parameters<Exported> parameters;
    std::vector<std::string> names{"a", "b", "caf\xE9", "d", "e", "f", "g", "h", "i", "\"j\""};
    write_onnx(folder.file("a.onnx"), parameters,
               {.info = {.network = "exported", .classes = names, .more = {{"license", "CC0"}}}});
    const WeightsInfo info = read_weights_info(folder.file("a.onnx"));
    CHECK(info.network == "exported");
    CHECK(info.classes == names);
    CHECK(info.more == Metadata{{"license", "CC0"}});
    names.pop_back();
    CHECK(contains(error_of([&] { write_onnx(folder.file("b.onnx"), parameters, {.info = {.classes = names}}); }),
                   "b.onnx: expected 10 names of classes, one for each result of the network, found 9"));
    write_onnx(folder.file("c.onnx"), parameters);
    CHECK(read_weights_info(folder.file("c.onnx")).classes.empty());
}

struct ExportedFew : Network<Input<3, 8, 8>, Conv<4, Kernel<3>, Bias>, BatchNorm, ReLU, GlobalAvgPool, Linear<7>> {};
struct WithoutBias : Network<Input<3, 8, 8>, GlobalAvgPool, Linear<10, NoBias>> {};

TEST_CASE("a network with spare classes is exported as one that has only those that are used") {
    const tenon_test::TemporaryFolder folder;
    Parameters<Exported> all;
    all.seed(1);
    save_without_spare_classes(all, 7, folder.file("seven"));
    const std::vector<std::string> names(7, "x");
    write_onnx(folder.file("a.onnx"), all, {.info = {.classes = names}, .used_classes = 7});
    write_onnx(folder.file("b.onnx"), Parameters<ExportedFew>{folder.file("seven")}, {.info = {.classes = names}});
    CHECK(tenon_test::read_file(folder.file("a.onnx")) == tenon_test::read_file(folder.file("b.onnx")));
    for (const int used : {-1, 11})
        CHECK(contains(error_of([&] { write_onnx(folder.file("c.onnx"), all, {.used_classes = used}); }),
                       "c.onnx: the network has 10 classes, so"));
    CHECK(contains(error_of([&] { write_onnx(folder.file("c.onnx"), Parameters<WithoutBias>{}, {.used_classes = 3}); }),
                   "c.onnx: spare classes need a network that ends in one Linear with a bias"));
}

TEST_CASE("a network in integers is exported with its ranges, and with nothing else") {
    const tenon_test::TemporaryFolder folder;
    Parameters<Exported> parameters;
    parameters.seed(1);
    const std::string path = folder.file("a.onnx");
    const auto bytes = [&](std::vector<float> ranges, OnnxOptions options = {}) {
        write_onnx(path, parameters, ranges, options);
        return tenon_test::read_file(path);
    };
    const std::string first = bytes({1, 2});
    CHECK(bytes({1, 2}) == first);
    CHECK(bytes({1, 3}) != first);
    CHECK(bytes({1, 0}) != first);  // calibration saw only zeros
    CHECK(contains(first, "QuantizeLinear"));
    CHECK(contains(bytes({1, 2}, {.info = {.classes = std::vector<std::string>(10, "cloth")}}), "cloth"));
    // A list of options alone is still a network in floats.
    write_onnx(path, parameters, {});
    CHECK_FALSE(contains(tenon_test::read_file(path), "QuantizeLinear"));
    std::filesystem::remove(path);

    const auto refusal = [&](std::vector<float> ranges, OnnxOptions options = {}) {
        return error_of([&] { write_onnx(path, parameters, ranges, options); });
    };
    CHECK(contains(refusal({}), "a.onnx: a network in 8-bit integers needs the ranges of what each layer reads"));
    CHECK(contains(refusal({}), "classify --calibrate FOLDER --save FILE"));
    CHECK(
        contains(refusal({1}), "a.onnx: the network has 2 convolutions and linear layers, but there are ranges of 1"));
    CHECK(contains(refusal({1, std::numeric_limits<float>::quiet_NaN()}), "finite numbers from 0 on; one is nan"));
    CHECK(contains(refusal({-1, 1}), "finite numbers from 0 on; one is -1"));
    CHECK(contains(refusal({1, 2}, {.batch = -1}), "a batch can't be -1"));
    CHECK(contains(refusal({1, 2}, {.used_classes = 7}), "is exported with all its classes"));
    CHECK(contains(refusal({1, 2}, {.info = {.classes = {"one"}}}), "expected 10 names of classes"));
    parameters[0][0] = std::numeric_limits<float>::infinity();
    CHECK(contains(refusal({1, 2}), "a.onnx: 8-bit integers need finite weights; parameter 0"));
    CHECK(std::filesystem::is_empty(folder.file("")));

    const Parameters<Exported> plain;
    plain.save(folder.file("plain.safetensors"));
    CHECK(contains(error_of([&] { programs::read_input_ranges(folder.file("plain.safetensors")); }),
                   "plain.safetensors: a network in 8-bit integers needs the ranges"));
}

}  // namespace
