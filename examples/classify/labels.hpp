// The names of the classes, read from a file.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <tenon/core/error.hpp>
#include <tenon/io/read_file.hpp>

namespace labels {

/// The strings of a JSON array, or the lines of a text.
inline std::vector<std::string> parse(std::string_view text, const std::string& file) {
    const auto fail = [&](const std::string& what) { throw tenon::Error(file + ": " + what); };
    std::vector<std::string> names;
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first != std::string_view::npos && text[first] == '[') {
        const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
        if (!json.is_array()) fail("expected a JSON array of class names, found malformed JSON");
        for (const nlohmann::json& name : json) {
            if (!name.is_string()) fail("expected class names as JSON strings, found " + name.dump());
            names.push_back(name.get<std::string>());
        }
        return names;
    }
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        names.emplace_back(line);
    }
    return names;
}

/// The `count` names in a file: one per line, or a JSON array of strings. Throws tenon::Error unless there are exactly
/// as many and none is empty.
inline std::vector<std::string> read(const std::filesystem::path& path, int count) {
    constexpr std::size_t max_bytes = 16 << 20;
    const std::vector<std::byte> bytes = tenon::detail::read_file(path, max_bytes);
    std::vector<std::string> names = parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string());
    if (names.size() != static_cast<std::size_t>(count))
        throw tenon::Error(path.string() + ": expected " + std::to_string(count) +
                           " class names, one per line or as a JSON array, found " + std::to_string(names.size()));
    const auto empty = std::ranges::find(names, "");
    if (empty != names.end())
        throw tenon::Error(path.string() + ": the name of class " + std::to_string(empty - names.begin()) +
                           " is empty");
    return names;
}

}  // namespace labels
