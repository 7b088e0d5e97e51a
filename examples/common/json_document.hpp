// The JSON that the examples print: docs/reference/json.md describes it, json.schema.json beside it is its JSON Schema.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <tenon/inference.hpp>

namespace json_document {

using Json = nlohmann::ordered_json;

/// The version of the schema. It grows when a member's meaning changes or a member is removed, not when one is added.
inline constexpr int version = 1;

inline Json begin(std::string_view program) { return {{"version", version}, {"program", program}}; }

/// Adds a name of a file or a class, which may be any bytes. JSON is UTF-8: when the name isn't, `key` has it as
/// tenon::to_utf8 writes it, and `key_bytes` has its bytes in hexadecimal.
inline void add_name(Json& object, const std::string& key, const std::string& name) {
    const std::string text = tenon::programs::to_utf8(name);
    object[key] = text;
    if (text != name) object[key + "_bytes"] = tenon::programs::to_hexadecimal(name);
}

inline void print(const Json& document) { std::puts(document.dump(2).c_str()); }

}  // namespace json_document
