// Whatever the bytes are, a file of class names is either refused by tenon::Error, or gives names; a text gives the
// same ones in UTF-16 and with a mark of UTF-8.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/io/utf8_text.hpp>

#include "../../examples/classify/labels.hpp"
#include "fuzzing.hpp"

namespace {

using fuzzing::require;

using Names = std::vector<std::string>;

/// The names; or as a single one the error, which must be about the file and not of another kind.
Names names_or_error(std::string_view bytes) {
    try {
        return labels::parse(bytes, "input");
    } catch (const tenon::Error& error) {
        require(std::string_view(error.what()).starts_with("input: "), "an error is about the file");
        return {error.what()};
    }
}

std::string in_utf16(std::string_view ascii) {
    std::string text = "\xFE\xFF";
    for (const char c : ascii) text += {'\0', c};
    return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const Names names = names_or_error(bytes);
    // A character of UTF-16, 2 bytes, has up to 3 in UTF-8; an error has a sentence.
    for (const std::string& name : names)
        require(name.size() <= 3 * bytes.size() / 2 + 200 && name.find('\0') == std::string::npos,
                "a name is text of the file");
    const bool has_mark =
        bytes.starts_with("\xEF\xBB\xBF") || bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF");
    require(has_mark || names_or_error("\xEF\xBB\xBF" + std::string(bytes)) == names,
            "a mark of UTF-8 changes nothing");
    bool is_ascii = true;
    for (const char c : bytes) is_ascii &= static_cast<unsigned char>(c) < 0x80;
    require(!is_ascii || names_or_error(in_utf16(bytes)) == names, "UTF-16 gives the same names");
    return 0;
}
