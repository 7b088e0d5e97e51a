// What weights files say of themselves: names of classes go through safetensors and ONNX byte by byte.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/io/protobuf.hpp>
#include <tenon/io/read_weights_info.hpp>
#include <tenon/io/safetensors_writer.hpp>

#include "../support.hpp"

using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;

namespace {

/// Plain, umlaut, Latin-1, cut-off UTF-8, what looks like an escape, quotes and control characters, empty.
const std::vector<std::string> names{"rose", "Bl\xC3\xBCte", "caf\xE9", "\xE2\x82", "caf\\xE9", "\"a\\b\"\n\x01", ""};

TEST_CASE("bytes that are not UTF-8 are escaped one by one, the others stay") {
    CHECK(detail::to_utf8("caf\xE9 au\xC3\xA9") == "caf\\xE9 au\xC3\xA9");
    CHECK(detail::to_utf8("\xE2\x82z\xFF") == "\\xE2\\x82z\\xFF");
    CHECK(detail::to_utf8("\xED\xA0\x80") == "\\xED\\xA0\\x80");  // a surrogate
    CHECK(detail::to_utf8("").empty());
    CHECK(detail::to_hexadecimal("caf\xE9") == "636166e9");
    CHECK(detail::from_hexadecimal("636166e9") == "caf\xE9");
    CHECK(!detail::from_hexadecimal("636"));
    CHECK(!detail::from_hexadecimal("6g"));
    CHECK(!detail::from_hexadecimal("6E"));
}

TEST_CASE("metadata hold the names of classes, whatever their bytes") {
    const WeightsInfo info{.network = "resnet18", .classes = names, .more = {{"command", "--data caf\xE9"}}};
    const Metadata metadata = detail::to_metadata(info);
    for (const auto& [key, value] : metadata) CHECK_MESSAGE(detail::is_utf8(value), key);
    CHECK(metadata.at("network") == "resnet18");
    CHECK(metadata.at("command") == "--data caf\\xE9");
    CHECK(contains(metadata.at("classes"), R"("caf\\xE9")"));
    const WeightsInfo again = detail::weights_info(metadata);
    CHECK(again.network == "resnet18");
    CHECK(again.classes == names);
    CHECK(again.more == Metadata{{"command", "--data caf\\xE9"}});

    // Names that are UTF-8 take one key, as a JSON array that any program reads.
    const Metadata plain = detail::to_metadata({.classes = {"rose", "Bl\xC3\xBCte"}});
    CHECK(plain == Metadata{{"classes", "[\"rose\",\"Bl\xC3\xBCte\"]"}});
    CHECK(detail::to_metadata({}).empty());
    CHECK(detail::weights_info({}).classes.empty());
}

TEST_CASE("metadata that are no names are told") {
    for (const char* wrong : {"5", "[1]", "[\"a\"", "{\"0\": \"a\"}", "[\"a\"] x", "cat, dog"})
        CHECK(error_of([&] {
                  detail::weights_info({{"classes", wrong}});
              }) ==
              std::string("expected the classes in the file's metadata as a JSON array of strings, found ") + wrong);
    const auto edited = [](const char* classes, const char* exact) {
        return error_of([&] { detail::weights_info({{"classes", classes}, {"class_bytes", exact}}); });
    };
    CHECK(edited(R"(["caf\\xE9"])", R"(["636166e9"])") == "(no error)");
    for (const char* exact : {R"(["636166"])", R"(["xy"])", R"(["636166e9", "61"])"})
        CHECK(contains(edited(R"(["caf\\xE9"])", exact), "class_bytes in the file's metadata are not those of"));
    for (const char* key : {"network", "classes", "class_bytes"})
        CHECK(contains(error_of([&] { detail::to_metadata({.more = {{key, "x"}}}); }), "is a member of WeightsInfo"));
}

TEST_CASE("a file's information is read back from safetensors and from ONNX") {
    const tenon_test::TemporaryFolder folder;
    const WeightsInfo info{.network = "net", .classes = names};
    const std::vector<float> values{1, 2};
    const std::vector<TensorEntry> tensors{make_tensor_entry<float>("a", {2}, values)};
    write_safetensors(folder.file("a"), tensors, detail::to_metadata(info));
    CHECK(read_weights_info(folder.file("a")).classes == names);
    CHECK(read_weights_info(folder.file("a")).network == "net");
    // Headers of any length, also of one whose first byte is that of an ONNX file.
    for (std::size_t length = 0; length < 300; length += 7) {
        write_safetensors(folder.file("b"), tensors, {{"classes", "[\"" + std::string(length, 'x') + "\"]"}});
        CHECK(read_weights_info(folder.file("b")).classes.front().size() == length);
    }

    detail::ProtobufMessage model;
    model.add_integer(1, 8);
    model.add_text(2, "tenon");
    for (const auto& [key, value] : detail::to_metadata(info)) {
        detail::ProtobufMessage property;
        property.add_text(1, key);
        property.add_text(2, value);
        model.add_message(14, std::move(property));
    }
    std::string file;
    for (const auto& part : model.parts()) file.append(reinterpret_cast<const char*>(part.data()), part.size());
    tenon_test::write_file(folder.file("c"), file);
    CHECK(read_weights_info(folder.file("c")).classes == names);
    // Cut off anywhere it is an error or less information, never a crash.
    int refused = 0;
    for (std::size_t size = 1; size < file.size(); ++size) {
        tenon_test::write_file(folder.file("d"), file.substr(0, size));
        refused += error_of([&] { read_weights_info(folder.file("d")); }) != "(no error)";
    }
    CHECK(refused > 0);

    tenon_test::write_file(folder.file("e"), "PK\x03\x04 some zip archive");
    CHECK(read_weights_info(folder.file("e")).classes.empty());
    CHECK(contains(error_of([&] { read_weights_info(folder.file("none")); }), "No such file"));
    tenon_test::write_file(folder.file("f"), "no weights");
    CHECK(contains(error_of([&] { read_weights_info(folder.file("f")); }), folder.file("f") + ": "));
    write_safetensors(folder.file("g"), tensors, {{"classes", "cat, dog"}});
    CHECK(
        contains(error_of([&] { read_weights_info(folder.file("g")); }), folder.file("g") + ": expected the classes"));
}

}  // namespace
