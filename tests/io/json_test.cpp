#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/io/json.hpp>

#include "../support.hpp"

using tenon::detail::JsonReader;
using tenon_test::contains;
using tenon_test::error_of;

namespace {

std::string read_string(std::string_view text) {
    tenon::detail::JsonReader reader(text);
    std::string value = reader.read_string();
    reader.read_end();
    return value;
}

std::uint64_t read_unsigned(std::string_view text) {
    tenon::detail::JsonReader reader(text);
    const std::uint64_t value = reader.read_unsigned();
    reader.read_end();
    return value;
}

/// Reads an object of arrays of integers, and writes it out again without white space.
std::string read_object_of_arrays(std::string_view text) {
    tenon::detail::JsonReader reader(text);
    std::string result;
    reader.read_object([&](const std::string& key) {
        result += key + "=";
        reader.read_array([&] { result += std::to_string(reader.read_unsigned()) + ","; });
        result += ";";
    });
    reader.read_end();
    return result;
}

void read_nested_arrays(tenon::detail::JsonReader& reader) {
    reader.read_array([&] { read_nested_arrays(reader); });
}

}  // namespace

TEST_CASE("JSON values are read") {
    CHECK(read_object_of_arrays(" {\t\"a\" : [1, 2 ,3]\n,\r\"b\":[ ] } ") == "a=1,2,3,;b=;");
    CHECK(read_object_of_arrays("{}") == "");
    CHECK(read_unsigned("0") == 0);
    CHECK(read_unsigned("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
    CHECK(read_string(R"("")") == "");
    CHECK(read_string(R"("plain \" \\ \/ \b\f\n\r\t")") == "plain \" \\ / \b\f\n\r\t");
    CHECK(read_string(R"("\u0041\u00e9\u20AC\uD834\udd1e")") == "A\xC3\xA9\xE2\x82\xAC\xF0\x9D\x84\x9E");
    CHECK(read_string(R"("\u0000")") == std::string(1, '\0'));
    CHECK(read_string("\"\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\"")
              .size() == 21);
}

TEST_CASE("malformed JSON is an error that names the byte") {
    const auto string_error = [](std::string_view text) { return error_of([&] { read_string(text); }); };
    const auto number_error = [](std::string_view text) { return error_of([&] { read_unsigned(text); }); };
    const auto object_error = [](std::string_view text) { return error_of([&] { read_object_of_arrays(text); }); };

    CHECK(string_error("") == "byte 0: expected a string, found the end of the text");
    CHECK(string_error("abc") == "byte 0: expected a string, found \"a\"");
    CHECK(string_error("\"abc") == "byte 4: expected the '\"' that ends the string, found the end of the text");
    CHECK(string_error("\"\" x") == "byte 3: expected the end of the text, found \"x\"");
    CHECK(string_error("\"\n\"") == "byte 1: a string contains an unescaped control character");
    CHECK(string_error(R"("\x41")") == "byte 2: expected an escape sequence, found \"x\"");
    CHECK(string_error("\"\\") == "byte 2: expected an escape sequence, found the end of the text");
    CHECK(string_error(std::string_view("\"\\\0\"", 4)) == "byte 2: expected an escape sequence, found \"\\u0000\"");
    CHECK(string_error(R"("\u12")") == "byte 5: expected four hexadecimal digits after \\u, found \"\\\"\"");
    CHECK(string_error(R"("\u12)") == "byte 5: expected four hexadecimal digits after \\u, found the end of the text");
    for (const char* const lone :
         {R"("\ud834")", R"("\ud834\n")", R"("\ud834\u0041")", R"("\ud834\ud834")", R"("\udd1e")"})
        CHECK(contains(string_error(lone), "one half of a surrogate pair is missing"));

    CHECK(number_error("-1") == "byte 0: expected a non-negative integer, found \"-\"");
    CHECK(number_error("01") == "byte 0: an integer has a leading zero");
    CHECK(number_error("1.0") == "byte 1: expected a non-negative integer without fraction or exponent, found \".\"");
    CHECK(number_error("1e3") == "byte 1: expected a non-negative integer without fraction or exponent, found \"e\"");
    CHECK(number_error("18446744073709551616") == "byte 0: the integer does not fit into 64 bits");
    CHECK(number_error("null") == "byte 0: expected a non-negative integer, found \"n\"");

    CHECK(object_error("[]") == "byte 0: expected an object, found \"[\"");
    CHECK(object_error("{\"a\":1}") == "byte 5: expected an array, found \"1\"");
    CHECK(object_error("{") == "byte 1: expected a string, found the end of the text");
    CHECK(object_error("{\"a\" []}") == "byte 5: expected ':' after the key \"a\", found \"[\"");
    CHECK(object_error("{\"a\":[1 2]}") == "byte 8: expected ',' or ']', found \"2\"");
    CHECK(object_error("{\"a\":[1,]}") == "byte 8: expected a non-negative integer, found \"]\"");
    CHECK(object_error("{\"a\":[],}") == "byte 8: expected a string, found \"}\"");
    CHECK(object_error("{\"a\":[]") == "byte 7: expected ',' or '}', found the end of the text");
    CHECK(object_error("{\"a\":[],\"b\":[],\"\\u0061\":[]}") == "byte 23: the key \"a\" occurs twice in one object");
    CHECK(object_error("{} {}") == "byte 3: expected the end of the text, found \"{\"");
    CHECK(object_error("\xEF\xBB\xBF{}") == "byte 0: expected an object, found \"\xEF\xBB\xBF\"");
    CHECK(object_error("\xFF") == "byte 0: expected an object, found a byte that is not UTF-8");

    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    CHECK(error_of([&] {
              tenon::detail::JsonReader reader(deep);
              read_nested_arrays(reader);
          }) == "byte 32: objects and arrays are nested too deeply");
}

TEST_CASE("a value that nobody needs is skipped, whatever it is, and none is nested without end") {
    const std::string text = R"({"a": [1, -2.5e+3, true, false, null, "x]", {"b": {}}], "c": 7})";
    JsonReader reader(text);
    std::uint64_t c = 0;
    reader.read_object([&](const std::string& key) {
        if (key == "a") return reader.skip();
        c = reader.read_unsigned();
    });
    reader.read_end();
    CHECK(c == 7);
    for (const std::string& deep : {std::string(1'000'000, '['), [] {
                                        std::string objects;
                                        for (int i = 0; i < 1'000'000; ++i) objects += "{\"a\":";
                                        return objects;
                                    }()})
        CHECK(contains(error_of([&] { JsonReader(deep).skip(); }), "objects and arrays are nested too deeply"));
    CHECK(contains(error_of([] { JsonReader("?").skip(); }), "expected a value"));
}

TEST_CASE("strings that are not UTF-8 are refused") {
    for (const std::string bad :
         {"\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80",
          "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xF0\x9D\x84"}) {
        CAPTURE(bad);
        CHECK_FALSE(tenon::detail::is_utf8(bad));
        CHECK_FALSE(tenon::detail::is_utf8("a" + bad));
        CHECK(error_of([&] { read_string("\"a" + bad + "\""); }) == "byte 2: the string is not UTF-8");
    }
    CHECK(
        tenon::detail::is_utf8("gr\xC3\xB6\xC3\x9F"
                               "e \xF0\x9D\x84\x9E"));
}

TEST_CASE("a string survives being written and read") {
    std::string all;
    for (char c = 0; c < 127; ++c) all += c;
    all += "\xE2\x98\x83";
    CHECK(read_string(tenon::detail::json_string(all)) == all);
    CHECK(tenon::detail::json_string("a\"b\\\x1b") == R"("a\"b\\\u001b")");
}

TEST_CASE("a long name is cut off in a sentence, between characters") {
    CHECK(tenon::detail::quote_name("conv1.weight") == "\"conv1.weight\"");
    CHECK(tenon::detail::quote_name("caf\xE9") == R"("caf\\xE9")");
    std::string snow(119, 'x');
    snow += "\xE2\x98\x83\xE2\x98\x83";
    CHECK(tenon::detail::quote_name(snow) == '"' + std::string(119, 'x') + "\"... (125 bytes)");
}
