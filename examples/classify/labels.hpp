// The names of the classes, read from a file in any of the forms in which they are published.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <tenon/data.hpp>
#include <tenon/network.hpp>

#include "python_literal.hpp"

namespace labels {

using Json = nlohmann::json;  // which finds a key in a large object quickly; order means nothing here

namespace parsing {

/// UTF-8 from UTF-16. Throws tenon::Error when the text ends in a half character or has an unpaired surrogate.
inline std::string from_utf16(std::string_view bytes, bool big_endian, const std::string& file) {
    const auto unit = [&](std::size_t i) {
        const auto first = static_cast<unsigned char>(bytes[i]), second = static_cast<unsigned char>(bytes[i + 1]);
        return static_cast<std::uint32_t>(big_endian ? first << 8 | second : second << 8 | first);
    };
    const auto is_surrogate = [](std::uint32_t code, std::uint32_t from) {
        return code >= from && code < from + 0x400;
    };
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        std::uint32_t code = i + 1 < bytes.size() ? unit(i) : 0xDC00;
        if (is_surrogate(code, 0xD800) && i + 3 < bytes.size() && is_surrogate(unit(i + 2), 0xDC00)) {
            code = 0x10000 + ((code - 0xD800) << 10) + (unit(i + 2) - 0xDC00);
            i += 2;
        }
        if (is_surrogate(code, 0xD800) || is_surrogate(code, 0xDC00))
            throw tenon::Error(file + ": expected text in UTF-16, as the file's first two bytes say, found half a " +
                               "character at byte " + std::to_string(i + 2));
        const auto add = [&](std::uint32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
        const auto add_rest = [&](int bits) { add(0x80 | (code >> bits & 0x3F)); };
        if (code < 0x80) {
            add(code);
        } else if (code < 0x800) {
            add(0xC0 | code >> 6);
            add_rest(0);
        } else if (code < 0x10000) {
            add(0xE0 | code >> 12);
            add_rest(6);
            add_rest(0);
        } else {
            add(0xF0 | code >> 18);
            add_rest(12);
            add_rest(6);
            add_rest(0);
        }
    }
    return text;
}

/// The text of a file: in UTF-8 if it begins with a mark of UTF-8 or UTF-16, which is removed; else as it is.
inline std::string decoded(std::string_view bytes, const std::string& file) {
    if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
    const bool little = bytes.starts_with("\xFF\xFE"), big = bytes.starts_with("\xFE\xFF");
    std::string text = little || big ? from_utf16(bytes.substr(2), big, file) : std::string(bytes);
    if (text.find('\0') != std::string::npos)
        throw tenon::Error(file + ": expected text with the names of classes, found a byte of 0: it is another kind " +
                           "of file, or UTF-16 or UTF-32 without a mark");
    return text;
}

/// `7`, `"tench"`, `an array`; at most 80 characters of ASCII.
inline std::string shown(const Json& value) {
    if (value.is_structured()) return value.is_array() ? "an array" : "an object";
    constexpr std::size_t max_length = 77;
    const std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
    return text.size() <= max_length ? text : text.substr(0, max_length) + "...";
}

/// A class's name: a string, or the last of two as in Keras' `["n01440764", "tench"]`.
inline std::string name_of(const Json& value, const std::string& file) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_array() && value.size() == 2 && value[0].is_string() && value[1].is_string())
        return value[1].get<std::string>();
    throw tenon::Error(file + ": expected class names as strings, or pairs of an identifier and a name, found " +
                       shown(value));
}

/// The class's number that a key states; nothing when it isn't a whole number.
inline std::optional<std::size_t> number_of(const std::string& key) {
    constexpr std::size_t max_digits = 9;
    if (key.empty() || key.size() > max_digits || key.find_first_not_of("0123456789") != std::string::npos) return {};
    return std::stoul(key);
}

/// The names in a dictionary `{"0": name, "1": name, ...}`, or `{name: 0, name: 1, ...}` as Keras' class_indices.
inline std::vector<std::string> names_of_dictionary(const Json& dictionary, const std::string& file) {
    std::vector<std::optional<std::string>> found(dictionary.size());
    for (const auto& [key, value] : dictionary.items()) {
        const bool is_inverse = value.is_number_unsigned();
        const std::optional<std::size_t> number = is_inverse ? value.get<std::size_t>() : number_of(key);
        if (!number)
            throw tenon::Error(file + ": expected a dictionary from the numbers of the classes to their names, found " +
                               "the key " + shown(Json(key)));
        if (*number >= found.size() || found[*number])
            throw tenon::Error(file + ": expected the numbers of the " + std::to_string(found.size()) +
                               " classes from 0 to " + std::to_string(found.size() - 1) + ", each once, found " +
                               std::to_string(*number) + (*number < found.size() ? " twice" : ""));
        found[*number] = is_inverse ? key : name_of(value, file);
    }
    std::vector<std::string> names;
    names.reserve(found.size());
    for (std::optional<std::string>& name : found) names.push_back(std::move(*name));
    return names;
}

/// The names in a JSON or Python literal. Throws tenon::Error when the text is neither or holds something else.
inline std::vector<std::string> names_of_literal(std::string_view text, const std::string& file) {
    // Deeper values, which names never are, are dropped while they are read. ImageNet-21k has 21,841 classes, twice in
    // Hugging Face's config.json.
    constexpr int max_values = 200'000;
    int values = 0;
    const auto is_shallow = [&](int depth, Json::parse_event_t event, const Json&) {
        if (event == Json::parse_event_t::value && ++values > max_values)
            throw tenon::Error(file + ": expected the names of a network's classes, found more than " +
                               std::to_string(max_values) + " values");
        return depth <= 4;
    };
    std::optional<Json> literal = Json::parse(text, is_shallow, /*allow_exceptions=*/false);
    if (literal->is_discarded()) literal = PythonLiteral::parse(text);
    if (!literal)
        throw tenon::Error(file + ": expected a JSON array or a dictionary of class names, found malformed JSON");
    if (literal->is_object()) {
        // Hugging Face's config.json has them among other things.
        const bool is_configuration = literal->contains("id2label") && (*literal)["id2label"].is_object();
        return names_of_dictionary(is_configuration ? (*literal)["id2label"] : *literal, file);
    }
    std::vector<std::string> names;
    for (const Json& name : *literal) names.push_back(name_of(name, file));
    return names;
}

/// The lines of a text, which end in LF, CR LF or CR; without blank lines at its end.
inline std::vector<std::string> lines_of(std::string_view text) {
    const char ending = text.find('\n') != std::string_view::npos ? '\n' : '\r';
    std::vector<std::string> lines;
    lines.reserve(static_cast<std::size_t>(std::ranges::count(text, ending)) + 1);
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(ending), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        lines.emplace_back(line);
    }
    while (!lines.empty() && lines.back().find_first_not_of(" \t") == std::string::npos) lines.pop_back();
    return lines;
}

}  // namespace parsing

/// The names in the content of a file: one per line, a JSON array or dictionary, or a dictionary or list as Python
/// prints it. Throws tenon::Error when it is none of these.
inline std::vector<std::string> parse(std::string_view content, const std::string& file) {
    const std::string text = parsing::decoded(content, file);
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first != std::string::npos && (text[first] == '[' || text[first] == '{'))
        return parsing::names_of_literal(text, file);
    if (first != std::string::npos && text[first] == '<')
        throw tenon::Error(file + ": expected the names of classes, found an HTML or XML page");
    return parsing::lines_of(text);
}

/// The `count` names in a file. Throws tenon::Error as parse does, and unless there are exactly as many and none is
/// empty.
inline std::vector<std::string> read(const std::filesystem::path& path, int count) {
    constexpr std::size_t max_bytes = 4 << 20;
    const std::vector<std::byte> bytes = tenon::programs::read_file(path, max_bytes);
    std::vector<std::string> names = parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string());
    if (names.size() != static_cast<std::size_t>(count))
        throw tenon::Error(path.string() + ": expected " + std::to_string(count) +
                           " class names, one per line or as a JSON array or dictionary, found " +
                           std::to_string(names.size()));
    const auto empty = std::ranges::find(names, "");
    if (empty != names.end())
        throw tenon::Error(path.string() + ": the name of class " + std::to_string(empty - names.begin()) +
                           " is empty");
    return names;
}

}  // namespace labels
