#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <tenon/io/safetensors.hpp>

#include "../support.hpp"
#include "safetensors_bytes.hpp"

using tenon::DType;
using tenon::SafetensorsFile;
using tenon::TensorEntry;
using tenon_test::contains;
using tenon_test::error_of;
using tenon_test::file_bytes;
using tenon_test::optional_data_file;
using tenon_test::source_file;

namespace {

std::string error_of_bytes(const std::string& bytes) {
    return error_of([&] { SafetensorsFile(std::as_bytes(std::span(bytes)), "F"); });
}

}  // namespace

TEST_CASE("a file of the safetensors package is read: names, types, shapes, values, metadata") {
    const SafetensorsFile file(source_file("tests/io/files/kinds.safetensors"));
    CHECK(file.tensors().size() == 15);
    CHECK(file.metadata() == tenon::Metadata{{"line\nbreak", "a \"quoted\" value, \xF0\x9D\x84\x9E"}});

    CHECK(file.at("boolean").dtype == DType::boolean);
    CHECK(file.at("boolean").bytes.size() == 3);
    CHECK(file.values<std::uint8_t>("uint8") == std::vector<std::uint8_t>{0, 1, 255});
    CHECK(file.values<std::int8_t>("int8") == std::vector<std::int8_t>{-128, 0, 127});
    CHECK(file.values<std::uint16_t>("uint16") == std::vector<std::uint16_t>{0, 65535});
    CHECK(file.values<std::int16_t>("int16") == std::vector<std::int16_t>{-32768, 32767});
    CHECK(file.values<std::uint32_t>("uint32") == std::vector<std::uint32_t>{0, UINT32_MAX});
    CHECK(file.values<std::int32_t>("int32") == std::vector<std::int32_t>{INT32_MIN, INT32_MAX});
    CHECK(file.values<std::uint64_t>("uint64") == std::vector<std::uint64_t>{0, UINT64_MAX});
    CHECK(file.values<std::int64_t>("int64") == std::vector<std::int64_t>{INT64_MIN, INT64_MAX});
    CHECK(file.values<double>("double") == std::vector<double>{0.1, -1e300});
    CHECK(file.values<float>("scalar") == std::vector<float>{2.5f});
    CHECK(file.at("scalar").shape.empty());
    CHECK(file.values<float>("empty").empty());
    CHECK(file.at("empty").shape == std::vector<std::int64_t>{2, 0, 3});
    CHECK(file.values<std::uint8_t>("quote \" backslash \\ tab \t") == std::vector<std::uint8_t>{1});
    CHECK(file.values<std::uint8_t>("gr\xC3\xB6\xC3\x9F"
                                    "e \xE2\x98\x83 \xF0\x9D\x84\x9E") == std::vector<std::uint8_t>{2});

    CHECK(file.at("float").shape == std::vector<std::int64_t>{2, 3, 4});
    const std::vector<float> floats = file.values<float>("float");
    REQUIRE(floats.size() == 24);
    for (int i = 0; i < 24; ++i) CHECK(floats[i] == static_cast<float>(i) / 8);

    CHECK(file.find("float") == &file.at("float"));
    CHECK(file.find("floa") == nullptr);
    CHECK(file.find("") == nullptr);
    CHECK(SafetensorsFile(source_file("tests/io/files/nothing.safetensors")).tensors().empty());
}

TEST_CASE("every floating point format is read as the floats that numpy reads in it") {
    const SafetensorsFile file(source_file("tests/io/files/floats.safetensors"));
    for (const std::string name : {"half", "brain", "double"}) {
        CAPTURE(name);
        const std::vector<float> expected = file.values<float>(name + ".float");
        REQUIRE(expected.size() > 8);
        std::vector<float> found(expected.size(), 99.0f);
        tenon::detail::to_float(file.at(name), found);
        CHECK(std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)) == 0);  // tells 0 from -0
        tenon::detail::to_float(file.at(name + ".float"), found);
        CHECK(std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)) == 0);
    }
}

TEST_CASE("misaligned data is read") {
    const float value = 1.25f;
    std::string data(5, '\7');
    std::memcpy(data.data() + 1, &value, sizeof value);
    for (std::size_t padding = 0; padding < 8; ++padding) {
        const std::string bytes = file_bytes(R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                             R"("y":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})" +
                                                 std::string(padding, ' '),
                                             data);
        const SafetensorsFile file(std::as_bytes(std::span(bytes)));
        CHECK(file.values<float>("y") == std::vector<float>{value});
        float found = 0;
        tenon::detail::to_float(file.at("y"), std::span(&found, 1));
        CHECK(found == value);
    }
}

TEST_CASE("reading a tensor as what it is not is an error that names both, and nothing is written") {
    const SafetensorsFile file(source_file("tests/io/files/kinds.safetensors"));
    std::vector<float> values(24, 99.0f);
    const std::vector<float> before = values;

    CHECK(error_of([&] { tenon::detail::to_float(file.at("int64"), values); }) ==
          "tensor \"int64\": expected dtype F32, F64, F16 or BF16, found I64");
    CHECK(error_of([&] { tenon::detail::to_float(file.at("double"), std::span(values).first(2)); }) ==
          "tensor \"double\": element 1 is beyond the range of float");
    CHECK(error_of([&] { tenon::detail::to_float(file.at("float"), std::span(values).first(23)); }) ==
          "tensor \"float\": has 24 elements (shape [2, 3, 4]), the destination 23");
    CHECK(error_of([&] { tenon::detail::read_elements(file.at("double"), std::span(values)); }) ==
          "tensor \"double\": expected dtype F32, found F64");
    CHECK(error_of([&] { tenon::detail::read_elements(file.at("scalar"), std::span(values)); }) ==
          "tensor \"scalar\": has 1 elements (shape []), the destination 24");
    CHECK(values == before);

    CHECK(error_of([&] {
              tenon::detail::expect_shape(file.at("float"), std::vector<std::int64_t>{2, 12});
          }) == "tensor \"float\": expected shape [2, 12], found [2, 3, 4]");
    CHECK(error_of([&] { tenon::detail::expect_shape(file.at("float"), file.at("float").shape); }) == "(no error)");
    CHECK(error_of([&] { file.values<double>("float"); }) ==
          file.source() + ": tensor \"float\": expected dtype F64, found F32");
    CHECK(contains(error_of([&] { file.at("fc.weight"); }),
                   file.source() + ": expected a tensor \"fc.weight\", found 15 tensors: \"boolean\", \"double\", "));

    // An entry that a caller made wrongly must not be read past its end.
    TensorEntry wrong = file.at("float");
    wrong.shape = {25};
    std::vector<float> longer(25);
    CHECK(error_of([&] { tenon::detail::to_float(wrong, longer); }) ==
          "tensor \"float\": F32 of shape [25] takes 100 bytes, found 96");
}

TEST_CASE("doubles on both sides of float's range") {
    // The largest double that rounds to a float, and the next one.
    const double values[] = {0x1.fffffefffffffp127, 0x1.ffffffp127};
    const TensorEntry fits{"fits", DType::f64, {1}, std::as_bytes(std::span(values, 1))};
    const TensorEntry exceeds{"exceeds", DType::f64, {1}, std::as_bytes(std::span(values + 1, 1))};
    float found = 0;
    tenon::detail::to_float(fits, std::span(&found, 1));
    CHECK(found == 0x1.fffffep127f);
    CHECK(error_of([&] { tenon::detail::to_float(exceeds, std::span(&found, 1)); }) ==
          "tensor \"exceeds\": element 0 is beyond the range of float");
}

TEST_CASE("files that break a rule of the format are refused with a sentence") {
    // A header, how many bytes of data follow it, and what the error says.
    struct Case {
        const char* header;
        std::size_t data;
        const char* expected;
    };
    const Case cases[] = {
        {"", 0, "F: not a safetensors file: expected a header that begins with '{'"},
        {" {}", 0, "expected a header that begins with '{'"},
        {"[]", 0, "expected a header that begins with '{'"},
        {"{", 0, "F: the header is malformed at byte 1: expected a string, found the end of the text"},
        {"{} {}", 0, "malformed at byte 3: expected the end of the text"},
        {R"({"a":1})", 0, "malformed at byte 5: expected an object"},
        {R"({"a":{}})", 0, "F: tensor \"a\": its dtype is missing"},
        {R"({"a":{"dtype":"F32","data_offsets":[0,0]}})", 0, "tensor \"a\": its shape is missing"},
        {R"({"a":{"dtype":"F32","shape":[0]}})", 0, "tensor \"a\": its data_offsets are missing"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":1}})", 4,
         "expected dtype, shape or data_offsets, found \"extra\""},
        {R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4,
         "the key \"dtype\" occurs twice"},
        {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
         2, "the key \"a\" occurs twice"},
        {R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4, "tensor \"a\": its dtype \"F31\" is unknown"},
        {R"({"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})", 4, "expected a string"},
        {R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4, "expected an array"},
        {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4,
         "expected a non-negative integer, found \"-\""},
        {R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "without fraction or exponent"},
        {R"({"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}})", 4,
         "a dimension is 9223372036854775808, more than can be addressed"},
        {R"({"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}})", 4,
         "does not fit into 64 bits"},
        {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
         "more elements than can be addressed"},
        {R"({"a":{"dtype":"F32","shape":[2305843009213693952],"data_offsets":[0,0]}})", 0,
         "more elements than can be addressed"},
        {R"({"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", 4,
         "more elements than can be addressed"},
        {R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1, "F4 of shape [3] does not fill whole bytes"},
        {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4,
         "tensor \"a\": F32 of shape [2] takes 8 bytes, found 4"},
        {R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,8]}})", 8, "F32 of shape [] takes 4 bytes, found 8"},
        {R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,4]}})", 4, "F32 of shape [0] takes 0 bytes, found 4"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4,
         "expected two data_offsets, begin and end, found 1"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}})", 4,
         "expected two data_offsets, begin and end, found 3"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "its data_offsets begin at 4 but end at 0"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 3,
         "its data ends at byte 4, but the file has only 3 bytes of data (truncated?)"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,18446744073709551615]}})", 4,
         "its data ends at byte 18446744073709551615, but"},
        {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
         3, "the data of tensor \"b\" begins at byte 1, but that of tensor \"a\" ends at byte 2"},
        {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
         2, "the data of tensor \"b\" begins at byte 0, but that of tensor \"a\" ends at byte 2"},
        {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}})",
         2, "the data of tensor \"b\" begins at byte 1"},
        {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}})",
         4, "bytes 1 to 3 of the data, before that of tensor \"b\", belong to no tensor"},
        {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2,
         "bytes 0 to 1 of the data, before that of tensor \"a\", belong to no tensor"},
        {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 4,
         "the last 3 bytes of the file belong to no tensor"},
        {"{}", 1, "the last 1 bytes of the file belong to no tensor"},
        {R"({"__metadata__":{"a":1}})", 0, "expected a string"},
        {R"({"__metadata__":5})", 0, "expected an object"},
        {R"({"__metadata__":nulls})", 0, "expected ',' or '}'"},
        {R"({"__metadata__":nul})", 0, "expected an object"},
        {R"({"__metadata__":{"a":"","a":""}})", 0, "the key \"a\" occurs twice"},
        {R"({"__metadata__":{},"__metadata__":{}})", 0, "the key \"__metadata__\" occurs twice"},
        {"{\"\xFF\":{}}", 0, "the string is not UTF-8"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.header);
        const std::string error = error_of_bytes(file_bytes(c.header, std::string(c.data, '\0')));
        INFO(error);
        CHECK(error.starts_with("F: "));
        CHECK(contains(error, c.expected));
    }
}

TEST_CASE("a header length that is no length is refused") {
    const auto with_length = [](std::uint64_t length, const std::string& rest) {
        std::string bytes(8, '\0');
        std::memcpy(bytes.data(), &length, 8);
        return error_of_bytes(bytes + rest);
    };
    CHECK(error_of_bytes("") == "F: not a safetensors file: the file is empty");
    CHECK(contains(error_of_bytes("1234567"), "found 7 bytes in all"));
    CHECK(with_length(3, "{}") == "F: the file is truncated: expected a header of 3 bytes, found 2");
    CHECK(contains(with_length(100'000'000, "{}"), "truncated: expected a header of 100000000 bytes, found 2"));
    CHECK(contains(with_length(100'000'001, "{}"),
                   "its header would be 100000001 bytes long, expected at most 100000000"));
    CHECK(contains(with_length(UINT64_MAX, "{}"), "its header would be 18446744073709551615 bytes long"));
    CHECK(contains(with_length(UINT64_MAX - 7, "{}"), "its header would be 18446744073709551608 bytes long"));
    CHECK(with_length(2, "{}") == "(no error)");
}

TEST_CASE("what the format allows is accepted") {
    // An overflow that a zero dimension undoes; order in the header unlike that of the data; empty tensors at any
    // border.
    for (
        const auto& [header, data] : {
            std::pair(R"({"a":{"dtype":"F32","shape":[0,9223372036854775807,2],"data_offsets":[0,0]}})", 0),
            std::pair(
                R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},"a":{"shape":[2],"data_offsets":[0,2],"dtype":"U8"}})",
                3),
            std::pair(
                R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"c":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}})",
                2),
            std::pair(
                R"({"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]},"":{"dtype":"F6_E2M3","shape":[2,2],"data_offsets":[2,5]}})",
                5),
            std::pair("{\n}\t\r\n  ", 0),
            std::pair(R"({"__metadata__": null,"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})", 0),
        }) {
        CAPTURE(header);
        CHECK(error_of_bytes(file_bytes(header, std::string(static_cast<std::size_t>(data), '\0'))) == "(no error)");
    }
}

TEST_CASE("every truncation of a valid file is refused") {
    const std::string bytes = tenon_test::read_file(source_file("tests/io/files/kinds.safetensors"));
    REQUIRE(error_of_bytes(bytes) == "(no error)");
    for (std::size_t size = 0; size < bytes.size(); ++size)
        CHECK(error_of_bytes(bytes.substr(0, size)) != "(no error)");
    CHECK(error_of_bytes(bytes + '\0') != "(no error)");
}

TEST_CASE("files that are no files are refused with the system's reason") {
    const tenon_test::TemporaryFolder folder;
    const auto error = [](const std::string& path) { return error_of([&] { SafetensorsFile file(path); }); };
    CHECK(error(folder.file("absent")) == folder.file("absent") + ": cannot open the file: No such file or directory");
    CHECK(error(folder.file("")) == folder.file("") + ": expected a regular file, found a folder");
    const std::string pipe = folder.file("pipe");
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(error(pipe) == pipe + ": expected a regular file, found a device or pipe");
    CHECK(error("") == ": cannot open the file: No such file or directory");
    CHECK(error(std::string("a\0b", 3)) == "a file name holds a NUL character");
    tenon_test::write_file(folder.file("empty"), "");
    CHECK(contains(error(folder.file("empty")), "the file is empty"));
}

TEST_CASE("a moved file keeps its tensors, also when the file it was moved from is gone") {
    SafetensorsFile file(source_file("tests/io/files/nothing.safetensors"));
    {
        SafetensorsFile first(source_file("tests/io/files/kinds.safetensors"));
        SafetensorsFile second = std::move(first);
        file = std::move(second);
    }
    CHECK(file.values<float>("scalar") == std::vector<float>{2.5f});
    CHECK(file.tensors().size() == 15);

    tenon::detail::MappedFile mapping(source_file("tests/io/files/kinds.safetensors"));
    const tenon::detail::MappedFile moved = std::move(mapping);
    CHECK(mapping.bytes().empty());
    CHECK(moved.bytes().size() > 1000);
}

TEST_CASE("real weights are read") {
    const std::string path = optional_data_file("imagenet/resnet18_v15.safetensors");
    if (path.empty()) return;
    const SafetensorsFile file(path);
    CHECK(file.tensors().size() == 102);
    const TensorEntry& weight = file.at("layer4.1.conv2.weight");
    CHECK(weight.shape == std::vector<std::int64_t>{512, 512, 3, 3});
    std::vector<float> values(512 * 512 * 9);
    tenon::detail::to_float(weight, values);
    double sum = 0;
    for (const float value : values) sum += std::abs(value);
    CHECK(std::isfinite(sum));
    CHECK(sum > 1000);
}
