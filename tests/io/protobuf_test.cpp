// Messages against the examples of protobuf's description of its encoding, worked out by hand.
#include <array>
#include <string>

#include <doctest/doctest.h>

#include <tenon/io/protobuf.hpp>

namespace {

using namespace tenon;

std::string bytes_of(const detail::ProtobufMessage& message) {
    std::string text;
    for (const auto part : message.parts()) text.append(reinterpret_cast<const char*>(part.data()), part.size());
    CHECK(text.size() == message.size());
    return text;
}

template <class Add>
std::string message_of(Add add) {
    detail::ProtobufMessage message;
    add(message);
    return bytes_of(message);
}

TEST_CASE("whole numbers are varints") {
    CHECK(message_of([](auto& m) { m.add_integer(1, 150); }) == "\x08\x96\x01");
    CHECK(message_of([](auto& m) { m.add_integer(1, 0); }) == std::string("\x08\x00", 2));
    CHECK(message_of([](auto& m) { m.add_integer(16, 127); }) == "\x80\x01\x7F");
    CHECK(message_of([](auto& m) { m.add_integer(1, -2); }) == "\x08\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01");
}

TEST_CASE("texts, floats and messages") {
    CHECK(message_of([](auto& m) { m.add_text(2, "testing"); }) == "\x12\x07testing");
    CHECK(message_of([](auto& m) { m.add_float(2, 1.0F); }) == std::string("\x15\x00\x00\x80\x3F", 5));
    CHECK(message_of([](auto& m) {
              detail::ProtobufMessage inner;
              inner.add_integer(1, 150);
              m.add_message(3, std::move(inner));
          }) == "\x1A\x03\x08\x96\x01");
    CHECK(message_of([](auto& m) { m.add_message(3, {}); }) == std::string("\x1A\x00", 2));
}

TEST_CASE("borrowed bytes stand where they were added and are not copied") {
    const std::array<std::byte, 3> block{std::byte{'a'}, std::byte{'b'}, std::byte{'c'}};
    detail::ProtobufMessage inner, outer;
    inner.add_borrowed(9, block);
    inner.add_integer(1, 1);
    outer.add_integer(1, 2);
    outer.add_message(5, std::move(inner));
    outer.add_text(2, std::string(200, 'x'));
    CHECK(bytes_of(outer) ==
          "\x08\x02\x2A\x07\x4A\x03"
          "abc\x08\x01\x12\xC8\x01" +
              std::string(200, 'x'));
    bool found = false;
    for (const auto part : outer.parts()) found = found || part.data() == block.data();
    CHECK(found);
}

}  // namespace
