// Files that torch.save and numpy.savez wrote (make_archives.py): what is in them, and what is refused.
#include <algorithm>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/io/tensor_file.hpp>

#include "../support.hpp"

namespace {
using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;

std::string file(const std::string& name) { return tenon_test::source_file("tests/io/files/" + name); }

std::vector<float> values(const TensorFile& from, const std::string& name, const std::vector<std::int64_t>& shape) {
    const auto found = std::ranges::find(from.tensors(), name, &TensorEntry::name);
    REQUIRE_MESSAGE(found != from.tensors().end(), name);
    CHECK(found->shape == shape);
    std::vector<float> result(static_cast<std::size_t>(*detail::element_count(found->shape)));
    detail::to_float(*found, result);
    return result;
}

std::string error_of_file(const std::string& name) {
    return error_of([&] { TensorFile{file(name)}; });
}

TEST_CASE("every kind of tensor that PyTorch stores") {
    const TensorFile pth{file("kinds.pth")};
    CHECK(pth.tensors().size() == 11);
    CHECK(values(pth, "single", {2, 3}) == std::vector<float>{-1, -.75f, -.5f, -.25f, 0, .25f});
    CHECK(values(pth, "double", {2, 2}) == std::vector<float>{-1, -.75f, -.5f, -.25f});
    CHECK(values(pth, "half", {3}) == std::vector<float>{-1, -.75f, -.5f});
    CHECK(values(pth, "bfloat16", {3}) == std::vector<float>{-1, -.75f, -.5f});
    CHECK(values(pth, "scalar", {}) == std::vector<float>{2.5f});
    CHECK(values(pth, "empty", {0, 3}).empty());
    CHECK(values(pth, "transposed", {3, 2}) == std::vector<float>{-1, -.25f, -.75f, 0, -.5f, .25f});
    CHECK(values(pth, "channels_last", {1, 2, 2, 2}) == std::vector<float>{-1, -.75f, -.5f, -.25f, 0, .25f, .5f, .75f});
    CHECK(values(pth, "part", {2, 3}) == std::vector<float>{1, 1.25f, 1.5f, 2.5f, 2.75f, 3});
    CHECK(values(pth, "row", {6}) == std::vector<float>{2, 2.25f, 2.5f, 2.75f, 3, 3.25f});
}

TEST_CASE("a state_dict of layers, and one inside of a checkpoint") {
    const TensorFile layers{file("layers.pth")};
    std::vector<std::string> names;
    for (const TensorEntry& entry : layers.tensors()) names.push_back(entry.name);
    CHECK(names == std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean",
                                            "1.running_var", "1.num_batches_tracked"});
    CHECK(values(layers, "1.running_var", {2}) == std::vector<float>{1, 1});
    const TensorFile checkpoint{file("checkpoint.pth")};
    CHECK(values(checkpoint, "a.weight", {2, 2}) == std::vector<float>{-1, -.75f, -.5f, -.25f});
}

TEST_CASE("arrays of NumPy") {
    const TensorFile npz{file("kinds.npz")};
    const std::vector<float> expected{-1, -.75f, -.5f, -.25f, 0, .25f};
    for (const char* name : {"a/kernel", "double", "half", "column_major"})
        CHECK(values(npz, name, {2, 3}) == expected);
    CHECK(values(npz, "scalar", {}) == std::vector<float>{2.5f});
}

TEST_CASE("what is refused, and what to do instead") {
    CHECK(contains(error_of_file("legacy.pth"), "from before PyTorch 1.6"));
    CHECK(contains(error_of_file("module.pth"), "torch.save(model.state_dict(), path)"));
    CHECK(contains(error_of_file("expanded.pth"), "more than the 1 of its storage"));
    CHECK(contains(error_of_file("compressed.npz"), "is compressed"));
    CHECK(contains(error_of_file("objects.npz"), "expected little-endian numbers"));
    CHECK(contains(error_of_file("big_endian.npz"), "'>f4'"));
    const std::string hdf = "\x89HDF\r\n\x1a\n";
    CHECK(contains(error_of([&] {
                       TensorFile{std::as_bytes(std::span(hdf)), "weights.h5"};
                   }),
                   "scripts/convert_weights.py"));
}

TEST_CASE("a pickle that would run code is refused by name") {
    // cposix\nsystem\n(X\x04\0\0\0truetR. : what a harmful .pth holds
    using namespace std::string_literals;
    const std::string harmful = "\x80\x02"s + "cposix\nsystem\n(X\x04\0\0\0truetR."s;
    CHECK(contains(error_of([&] { detail::PickleReader{std::as_bytes(std::span(harmful))}.read(); }),
                   "\"posix.system\""));
}

TEST_CASE("every truncation and every changed byte gives an error or a file, never a crash") {
    for (const char* name : {"kinds.pth", "kinds.npz"}) {
        const std::string whole = tenon_test::read_file(file(name));
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const auto part = std::as_bytes(std::span(whole.data(), size));
            CHECK(error_of([&] { TensorFile{part, "file"}; }) != "(no error)");
        }
        for (std::size_t i = 0; i < whole.size(); ++i) {
            std::string changed = whole;
            changed[i] = static_cast<char>(~changed[i]);
            error_of([&] { TensorFile{std::as_bytes(std::span(changed)), "file"}; });
        }
    }
}
}  // namespace
