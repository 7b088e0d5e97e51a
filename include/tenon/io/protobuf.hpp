#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Writes messages in protobuf's wire format, without a schema, for exports to the formats of other programs.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/core/moved_from.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A message that grows field by field. Field numbers and kinds are those of its schema; repeated fields are added
/// again. Large blocks are borrowed, so a message with all weights of a network copies none of them.
class ProtobufMessage {
public:
    /// An integer: the schema's int32, int64 or enum.
    void add_integer(int field, std::int64_t value) {
        add_key(field, 0);
        add_varint(std::bit_cast<std::uint64_t>(value));
    }

    /// The schema's float.
    void add_float(int field, float value) {
        add_key(field, 5);
        const auto bits = std::bit_cast<std::uint32_t>(value);
        for (int shift = 0; shift < 32; shift += 8) tail() += static_cast<char>(bits >> shift & 0xFF);
        size_ += 4;
    }

    /// The schema's string or bytes.
    void add_text(int field, std::string_view text) {
        add_length(field, text.size());
        tail() += text;
        size_ += text.size();
    }

    /// The schema's bytes, which are not copied and must outlive the message.
    void add_borrowed(int field, std::span<const std::byte> bytes) {
        add_length(field, bytes.size());
        pieces_.push_back({{}, bytes, true});
        size_ += bytes.size();
    }

    /// A message inside this message.
    void add_message(int field, ProtobufMessage message) {
        add_length(field, message.size_);
        for (Piece& piece : message.pieces_) {
            if (piece.is_borrowed)
                pieces_.push_back(std::move(piece));
            else
                tail() += piece.own;
        }
        size_ += message.size_;
    }

    /// Bytes of the message so far.
    std::size_t size() const { return size_; }

    /// The message's bytes, one part after another; valid until it changes.
    std::vector<std::span<const std::byte>> parts() const {
        std::vector<std::span<const std::byte>> parts;
        parts.reserve(pieces_.size());
        for (const Piece& piece : pieces_)
            parts.push_back(piece.is_borrowed ? piece.borrowed : std::as_bytes(std::span(piece.own)));
        return parts;
    }

private:
    struct Piece {
        std::string own;
        std::span<const std::byte> borrowed;
        bool is_borrowed = false;
    };

    std::string& tail() {
        if (pieces_.empty() || pieces_.back().is_borrowed) pieces_.emplace_back();
        return pieces_.back().own;
    }

    void add_varint(std::uint64_t value) {
        std::string& text = tail();
        for (; value >= 0x80; value >>= 7, size_ += 1) text += static_cast<char>((value & 0x7F) | 0x80);
        text += static_cast<char>(value);
        size_ += 1;
    }
    void add_key(int field, unsigned wire_type) { add_varint(static_cast<std::uint64_t>(field) << 3 | wire_type); }
    void add_length(int field, std::size_t length) {
        add_key(field, 2);
        add_varint(length);
    }

    std::vector<Piece> pieces_;
    ClearedByMove<std::size_t> size_ = 0;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
