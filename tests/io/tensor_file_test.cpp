// Files that torch.save and numpy.savez wrote (make_archives.py): what is in them, and what is refused.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/io/read_file.hpp>
#include <tenon/io/safetensors_writer.hpp>
#include <tenon/io/tensor_file.hpp>

#include "../support.hpp"
#include "safetensors_bytes.hpp"

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

/// The names of a file's tensors, and what was said when it was opened.
struct Opened {
    std::vector<std::string> names, notes;
};
Opened opened(const std::string& name, TensorFile::Options options = {}) {
    Opened result;
    options.notes = &result.notes;
    const TensorFile tensors{file(name), options};
    for (const TensorEntry& entry : tensors.tensors()) result.names.push_back(entry.name);
    return result;
}
const std::vector<std::string> first_layers{"conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean",
                                            "bn1.running_var"};

TEST_CASE("what is refused, and what to do instead") {
    CHECK(contains(error_of_file("module.pth"), "\"torch.nn.modules.linear.Linear\""));
    CHECK(contains(error_of_file("module.pth"), "torch.save(model.state_dict(), path)"));
    // The same from before PyTorch 1.6, and as an entry of a checkpoint, alone or beside a number.
    CHECK(contains(error_of_file("module_stream.pth"), "found an object of \"tiny.Net\", which is not read"));
    const char* const inside = "\"model\" is an object of \"torch.nn.modules.linear.Linear\", which is not read";
    CHECK(contains(opened("module_inside.pth").notes.front(), inside));
    for (const auto& [name, said] :
         {std::pair{"sparse.pth", "\"a.weight\": it is sparse, which isn't read; save it with to_"},
          {"sparse_only.pth", "\"a.weight\": it is sparse"},
          {"quantized.pth", "\"a.weight\": it is quantized, which isn't read; save it with de"},
          {"without_values.pth", "\"a.weight\": it has no values"},
          {"float8.pth", "\"a.scale\": its values are of the type \"torch.float8_e4m3fn\", which isn't read; save it"},
          {"float8_stream.pth", "\"a.scale\": its values are of the type \"torch.float8_e4m3fn\", which isn't read"},
          {"bits_stream.pth", "\"a.bits\": its storage, a \"torch.BitStorage\", is of a type that isn't read"},
          {"bits_beside.pth",
           "\"0\", which these weights don't need, is a \"torch.BitStorage\", whose size isn't known"},
          {"numpy_values.pth",
           "found only \"a.weight\", \"a.bias\", of which some are arrays of NumPy, no tensors: save"},
          {"zipped.zip",
           "this is a zip archive that holds \"weights/legacy.pth\"; unpack it, and give one of its files"},
          {"big_endian.pth", "big-endian order; expected little-endian: torch.save("}}) {
        CAPTURE(name);
        CHECK(contains(error_of_file(name), said));
    }
    // Streams say which order is theirs in a dictionary; True is followed by the dictionary's other entries.
    std::string big_endian = tenon_test::read_file(file("legacy.pth"));
    const std::size_t order = big_endian.find('\x88', big_endian.find("little_endian"));
    REQUIRE(order != std::string::npos);
    big_endian[order] = '\x89';
    CHECK(contains(error_of([&] { TensorFile{std::as_bytes(std::span(big_endian)), "file"}; }), "big-endian order"));
    CHECK(contains(error_of_file("compressed.npz"), "is compressed"));
    CHECK(contains(error_of_file("objects.npz"), "expected little-endian numbers"));
    CHECK(contains(error_of_file("big_endian.npz"), "'>f4'"));
    const std::string hdf = "\x89HDF\r\n\x1a\n";
    CHECK(contains(error_of([&] {
                       TensorFile{std::as_bytes(std::span(hdf)), "weights.h5"};
                   }),
                   "scripts/convert_weights.py"));
}

TEST_CASE("checkpoints as training scripts write them: the state_dict is found, whatever is beside it") {
    const TensorFile plain{file("parameters.pth")};  // of nn.Parameter
    const std::vector<float> kernel = values(plain, "conv1.weight", {16, 3, 3, 3});
    for (const char* name :
         {"tutorial.pth", "torchvision_reference.pth", "timm.pth", "torch_size.pth", "best_numpy.pth",
          "pytorch_cifar.pth", "lightning.pth", "compiled.pth", "averaged_model.pth", "expanded_norm.pth"}) {
        CAPTURE(name);
        std::vector<std::string> names = opened(name).names;
        std::erase(names, "n_averaged");
        CHECK(names == first_layers);
    }
    for (const char* name : {"tutorial.pth", "best_numpy.pth", "pytorch_cifar.pth", "lightning.pth", "compiled.pth"})
        CHECK(values(TensorFile{file(name)}, "conv1.weight", {16, 3, 3, 3}) == kernel);
    // One value, repeated by a stride of 0.
    const auto repeated = values(TensorFile{file("expanded_norm.pth")}, "bn1.weight", {16});
    CHECK(repeated == std::vector<float>(16, repeated[0]));
    CHECK(values(TensorFile{file("expanded.pth")}, "a", {5}) == std::vector<float>(5, -1));

    // A tensor beside the state_dict, an optimizer with tensors; objects of all kinds; what is no tensor in it.
    CHECK(opened("imagenet.pth").names == std::vector<std::string>{"a.weight", "a.bias"});
    CHECK(opened("beside.pth").names == std::vector<std::string>{"a.weight"});
    CHECK(opened("beside.pth").notes == std::vector<std::string>{"\"a.note\", \"a.steps\": no tensors, and left out"});
    CHECK(values(TensorFile{file("beside.pth")}, "a.weight", {2, 2}) == std::vector<float>{-1, -.75f, -.5f, -.25f});
}

TEST_CASE("of several state_dicts the averaged one is taken and that is said; a key decides") {
    CHECK(opened("two.pth").notes ==
          std::vector<std::string>{"the weights under \"state_dict_ema\" are taken; the file has "
                                   "others under \"state_dict\""});
    CHECK(opened("timm.pth").notes == opened("two.pth").notes);  // one dictionary under both keys
    const auto value = [](const std::string& key) {
        return values(TensorFile{file("two.pth"), {.key = key}}, "a", {1});
    };
    CHECK(value("") == std::vector<float>{2});
    CHECK(value("state_dict_ema") == std::vector<float>{2});
    CHECK(value("state_dict") == std::vector<float>{1});
    CHECK(opened("two.pth", {.key = "state_dict"}).notes.empty());
    CHECK(contains(error_of([&] { value("model"); }),
                   "expected a state_dict under \"model\"; state_dicts are under: \"state_dict_ema\", \"state_dict\""));
    CHECK(contains(error_of([&] {
                       TensorFile{file("kinds.safetensors"), {.key = "model"}};
                   }),
                   "expected a checkpoint of PyTorch with an entry \"model\""));
    // Whoever knows what is wanted finds it.
    const TensorFile::Options bias{
        .fits = [](auto entries) { return entries.size() == 1 && entries[0].shape.empty(); }};
    CHECK(opened("imagenet.pth", bias).names == std::vector<std::string>{"best_acc1"});
}

TEST_CASE("prefixes that all names have are taken off and named, in every format") {
    const auto said = [](const std::string& prefix) {
        return std::vector<std::string>{"all names begin with \"" + prefix + "\", which is taken off"};
    };
    CHECK(opened("compiled.pth").notes == said("_orig_mod."));
    CHECK(opened("lightning.pth").notes == said("model."));
    CHECK(opened("averaged_model.pth").notes == said("module."));
    CHECK(opened("parallel.safetensors").notes == said("module."));
    CHECK(opened("parallel.safetensors").names[0] == "bn1.bias");
    CHECK(opened("parallel.safetensors", {.strip_prefixes = false}).names[0] == "module.bn1.bias");
    CHECK(opened("averaged_model.pth", {.strip_prefixes = false}).names[1] == "module.conv1.weight");
    const auto prefix_of = [](std::initializer_list<const char*> names) {
        std::vector<TensorEntry> entries;
        for (const char* name : names) entries.push_back({name, DType::f32, {1}, {}});
        return detail::shared_prefix(entries);
    };
    CHECK(prefix_of({"module._orig_mod.a.weight", "module._orig_mod.b"}) == "module._orig_mod.");
    CHECK(prefix_of({"net.backbone.a", "net.backbone.b"}) == "net.backbone.");
    CHECK(prefix_of({"net.backbone.a", "net.head.b"}) == "net.");
    CHECK(prefix_of({"module.a", "b"}) == "");
    CHECK(prefix_of({"module.", "module.a"}) == "");  // a name would be empty
    CHECK(prefix_of({"conv1.a", "conv1.b"}) == "");
    CHECK(prefix_of({}) == "");
}

TEST_CASE("files of before PyTorch 1.6: one stream, of Python 2 too") {
    const std::vector<float> expected{-1, -.75f, -.5f, -.25f};
    for (const char* name : {"legacy.pth", "python2.pth", "python2_checkpoint.pth", "stream_checkpoint.pth"})
        CHECK(values(TensorFile{file(name)}, "a.weight", {2, 2}) == expected);
    CHECK(opened("stream_checkpoint.pth").names == std::vector<std::string>{"a.weight", "a.bias"});
    // Beside the weights, values of any type whose size is known.
    CHECK(values(TensorFile{file("float8_beside.pth")}, "a.weight", {2, 2}) == expected);
    CHECK(values(TensorFile{file("stream_checkpoint.pth")}, "a.bias", {2}) == std::vector<float>{1, 2});
    // All kinds of tensors, as the converter's test has them.
    const TensorFile kinds{tenon_test::source_file("tests/convert_weights/files/stream.pth")};
    CHECK(values(kinds, "transposed", {4, 3}) == std::vector<float>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11});
    CHECK(values(kinds, "part", {2}) == std::vector<float>{5, 6});
    CHECK(values(kinds, "half", {2}) == std::vector<float>{1, -1.5f});
    CHECK(values(kinds, "brain", {2}) == std::vector<float>{1, -1.5f});
    // Control characters in the name of a function don't reach a terminal; a fuzzer found this one.
    using namespace std::string_literals;
    const std::string begin =
        "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}X\x0d\0\0\0little_endian\x88s."s;
    const std::string path = tenon_test::source_file("tests/fuzz/streams/control_characters");
    std::vector<std::byte> stream = detail::read_file(path, 1 << 20);
    const auto content = std::as_bytes(std::span(begin));
    stream.insert(stream.begin(), content.begin(), content.end());
    CHECK(contains(error_of([&] { TensorFile{stream, "stream"}; }), "isn't read (\"_rebuild_par\\u0010"));
}

TEST_CASE("wrong files are named for what they are") {
    using namespace std::string_literals;
    const auto kind = [](const std::string& content) {
        return error_of([&] { TensorFile{std::as_bytes(std::span(content)), "file"}; });
    };
    for (const auto& [content, said] : std::initializer_list<std::pair<std::string, const char*>>{
             {"", "the file is empty"},
             {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "this is a Git LFS pointer"},
             {"<!DOCTYPE html><html><body>404</body></html>", "this is an HTML or XML page"},
             {"\xef\xbb\xbf\r\n <?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>",
              "this is an HTML or XML page"},
             {"\x08\x08\x12\x07pytorch\x1a\x05"
              "2.1.0:\x10",
              "this is an ONNX file"},
             {"\x1f\x8b\x08\0\0\0\0\0\0\x03"s, "compressed by gzip"},
             {std::string(257, 'a') +
                  "ustar\0"
                  "00"s +
                  std::string(248, '\0'),
              "this is a tar archive"},
             {"\x93NUMPY\x01\0v\0"s, "one array of NumPy (.npy)"},
             {"\x89HDF\r\n\x1a\n", "scripts/convert_weights.py"},
             {"PK\5\6" + std::string(18, '\0'), "an empty zip archive"},
             {"\x80\x04\x95\x05\0\0\0\0\0\0\0}."s, "a pickle of Python that torch.save did not write"},
             {"{\"conv1.weight\": [1, 2]}", "this is JSON text"},
             {"conv1.weight 1 2 3\n", "this is a text"}}) {
        CAPTURE(said);
        CHECK(contains(kind(content), "file: "));
        CHECK(contains(kind(content), said));
    }
    CHECK(contains(error_of_file("script.pth"), "this is a TorchScript archive"));
}

TEST_CASE("an index of sharded weights is read with the files beside it") {
    const tenon_test::TemporaryFolder folder;
    const std::vector<float> numbers{1, 2, 3};
    const auto shard = [&](const std::string& name, const std::string& tensor, float first) {
        const std::vector<float> data{first, numbers[1], numbers[2]};
        write_safetensors(folder.file(name), std::vector{make_tensor_entry<float>(tensor, {3}, std::span(data))});
    };
    shard("model-00001-of-00002.safetensors", "module.a", 1);
    shard("model-00002-of-00002.safetensors", "module.b", 4);
    const auto index = [&](const std::string& second) {
        const std::string path = folder.file("model.safetensors.index.json");
        tenon_test::write_file(path,
                               "{\"metadata\": {\"total_size\": 24.0, \"more\": [null, true, {}]}, \"weight_map\": "
                               "{\"module.a\": \"model-00001-of-00002.safetensors\", \"module.b\": \"" +
                                   second + "\"}}");
        return path;
    };
    const TensorFile both{index("model-00002-of-00002.safetensors")};
    CHECK(values(both, "a", {3}) == std::vector<float>{1, 2, 3});
    CHECK(values(both, "b", {3}) == std::vector<float>{4, 2, 3});
    const TensorFile read{folder.file("model.safetensors.index.json"), {.map = false}};
    CHECK(values(read, "b", {3}) == std::vector<float>{4, 2, 3});
    CHECK(contains(error_of([&] { TensorFile{index("model-00003-of-00002.safetensors")}; }),
                   "model-00003-of-00002.safetensors"));
    CHECK(contains(error_of([&] { TensorFile{index("../b.safetensors")}; }), "which is not one beside it"));
    CHECK(contains(error_of([&] { TensorFile{index("model-00001-of-00002.safetensors")}; }),
                   "expected a tensor \"module.b\""));
}

TEST_CASE("a file that is read instead of mapped may shrink afterwards") {
    const tenon_test::TemporaryFolder folder;
    const std::string path = folder.file("shrinks.safetensors");
    tenon_test::write_file(path, tenon_test::read_file(file("floats.safetensors")));
    const TensorFile mapped{path}, read{path, {.map = false}};
    std::vector<float> before(static_cast<std::size_t>(*detail::element_count(mapped.tensors()[0].shape)));
    detail::to_float(mapped.tensors()[0], before);
    std::filesystem::resize_file(path, 0);
    std::vector<float> after(before.size());
    detail::to_float(read.tensors()[0], after);  // SIGBUS if it were mapped
    CHECK(after == before);
}

TEST_CASE("files that describe more than they hold are refused before memory is taken") {
    CHECK(contains(error_of_file("transposed_often.pth"), "the file describes more elements than it holds"));
    // Strides of dimensions of size 1 don't matter, however large they are.
    CHECK(error_of_file("stride_overflow.pth") == "(no error)");
    // A shape takes a copy for each tensor that has it, and a list of names memory for each name.
    CHECK(contains(error_of_file("dimensions.pth"), "tensor \"a\": expected at most 64 dimensions"));
    std::string header = "{", index = R"({"weight_map":{)", metadata = R"({"__metadata__":{)", allowed;
    for (int i = 0; i <= 100'000; ++i) {
        if (i == 100'000) allowed = header + "}";
        const std::string name = (i > 0 ? "," : "") + ('"' + std::to_string(i)) + '"';
        header += name + R"(:{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
        index += name + R"(:"a.safetensors")";
        metadata += name + R"(:"")";
    }
    const auto error_of_content = [](const std::string& content) {
        return error_of([&] { TensorFile{std::as_bytes(std::span(content)), "file"}; });
    };
    CHECK(contains(error_of_content(tenon_test::file_bytes(header + "}", "")), "expected at most 100000 tensors"));
    CHECK(error_of_content(tenon_test::file_bytes(allowed, "")) == "(no error)");
    CHECK(contains(error_of_content(tenon_test::file_bytes(metadata + "}}", "")),
                   "expected at most 100000 texts in __metadata__"));
    const tenon_test::TemporaryFolder folder;
    tenon_test::write_file(folder.file("model.safetensors.index.json"), index + "}}");
    CHECK(contains(error_of([&] { TensorFile{folder.file("model.safetensors.index.json")}; }),
                   "expected at most 100000 tensors"));
    std::string shape = "(";
    for (int i = 0; i <= 64; ++i) shape += "1,";
    CHECK(contains(error_of([&] { detail::npy_shape(shape + ")"); }), "expected at most 64 dimensions"));
    // Two entries of an archive's directory that name the same bytes, and two of one name.
    const std::string archive = tenon_test::read_file(file("kinds.npz"));
    const std::size_t directory = archive.find("PK\1\2"), second = archive.find("PK\1\2", directory + 4);
    std::string overlapping = archive, repeated = archive, many = archive;
    // A record of zip64 that says 100,001 entries, where it is, and an end that refers to it.
    const std::size_t end = archive.rfind("PK\5\6");
    std::string record(56, '\0'), locator(20, '\0');
    const std::uint64_t entries = 100'001;
    std::memcpy(record.data(), "PK\6\6", 4);
    std::memcpy(record.data() + 32, &entries, 8);
    std::memcpy(locator.data(), "PK\6\7", 4);
    std::memcpy(locator.data() + 8, &end, 8);
    many.replace(end + 10, 2, "\xFF\xFF");
    many.insert(end, record + locator);
    CHECK(contains(error_of_content(many), "the zip archive has 100001 entries; expected at most 100000"));
    std::copy_n(archive.begin() + static_cast<std::ptrdiff_t>(directory) + 42, 4,
                overlapping.begin() + static_cast<std::ptrdiff_t>(second) + 42);  // the place of the local entry
    std::copy_n(archive.begin() + static_cast<std::ptrdiff_t>(directory) + 20, 8,
                overlapping.begin() + static_cast<std::ptrdiff_t>(second) + 20);  // and its sizes
    CHECK(contains(error_of_content(overlapping), "its entries overlap"));
    for (std::size_t at = repeated.find("double.npy"); at != repeated.npos; at = repeated.find("double.npy", at))
        repeated.replace(at, 10, "number.npy");
    CHECK(contains(error_of_content(repeated), "two entries named \"number.npy\""));
}

TEST_CASE("a pickle that would run code runs none, and its memory is bounded") {
    // cposix\nsystem\n(X\x04\0\0\0truetR. : what a harmful .pth holds
    using namespace std::string_literals;
    const std::string harmful = "\x80\x02"s + "cposix\nsystem\n(X\x04\0\0\0truetR."s;
    detail::PickleReader reader{std::as_bytes(std::span(harmful))};
    const detail::PickleValue& value = reader.read();
    CHECK(value.kind == detail::PickleValue::Kind::object);
    CHECK(value.text == "posix system");
    // Instructions of one byte that each take memory: a mark, an empty tuple, a remembered value, a copy of the top.
    for (const std::string& instruction : {"("s, ")"s, ")\x94"s, ")2"s}) {
        std::string bomb = "\x80\x04)";
        for (int i = 0; i < 4'000'000; ++i) bomb += instruction;
        CHECK(contains(error_of([&] { detail::PickleReader{std::as_bytes(std::span(bomb))}.read(); }),
                       "more values than weights files do"));
    }
    // A text of 10,000 bytes that is remembered and recalled, or copied, as a name of many entries.
    for (const std::string& again : {"h\x01"s, "2"s}) {
        std::string bomb = "\x80\x04(X\x10\x27\0\0"s + std::string(10'000, 'n') + "q\x01";
        for (int i = 0; i < 200; ++i) bomb += again;
        bomb += "t.";
        CHECK(contains(error_of([&] { detail::PickleReader{std::as_bytes(std::span(bomb))}.read(); }),
                       "it repeats longer texts"));
    }
}

TEST_CASE("every truncation and every changed byte gives an error or a file, never a crash") {
    for (const char* name : {"kinds.pth", "kinds.npz", "stream_checkpoint.pth", "beside.pth"}) {
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
