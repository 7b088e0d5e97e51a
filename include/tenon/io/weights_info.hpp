#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What a weights file holds besides its tensors: the network they belong to, and the names of its classes.
//
//     trainer.save_weights("flowers.safetensors", {.network = "resnet18", .classes = {"daisy", "rose", "tulip"}});
//     read_weights_info("flowers.safetensors").classes[1];        // "rose" (io/read_weights_info.hpp)

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/io/json.hpp>
#include <tenon/io/safetensors.hpp>
#include <tenon/io/utf8_text.hpp>

namespace tenon {

/// What is written into a file of weights beside the tensors: into `__metadata__` of safetensors, into `metadata_props`
/// of ONNX. All of it is optional.
struct WeightsInfo {
    std::string network = {};               ///< what programs call the network: `resnet18`
    std::vector<std::string> classes = {};  ///< the names of the classes in the order of the logits; any bytes
    Metadata more = {};                     ///< other texts: `accuracy`, `license`
};

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

inline constexpr std::string_view network_key = "network", classes_key = "classes", class_bytes_key = "class_bytes";

template <class Once = void>
std::string json_array(const std::vector<std::string>& strings) {
    std::string text = "[";
    for (const std::string& string : strings) {
        if (text.size() > 1) text += ',';
        text += json_string(string);
    }
    text += ']';
    return text;
}

/// Throws tenon::Error, naming `what`, when the text is anything but a JSON array of strings.
template <class Once = void>
std::vector<std::string> parse_json_array(std::string_view text, const std::string& what) {
    std::vector<std::string> strings;
    try {
        JsonReader reader(text);
        reader.read_array([&] { strings.push_back(reader.read_string()); });
        reader.read_end();
    } catch (const Error&) {
        throw_error({"expected the ", what, " in the file's metadata as a JSON array of strings, found ",
                     std::string(text.substr(0, 200))});
    }
    return strings;
}

/// The metadata that holds `info`: `network` as it is, `classes` as a JSON array of strings. Metadata are UTF-8: when
/// the name of a class isn't, `classes` has it as to_utf8 writes it, and `class_bytes` has the bytes of all names in
/// hexadecimal. Throws tenon::Error when `info.more` has one of these keys.
///
/// Law: weights_info(to_metadata(info)) has the bytes of `info.classes` (test: tests/io/weights_info_test.cpp).
template <class Once = void>
Metadata to_metadata(const WeightsInfo& info) {
    Metadata metadata;
    for (const auto& [key, value] : info.more) {
        for (const std::string_view own : {network_key, classes_key, class_bytes_key})
            if (key == own) throw_error({"the metadata's key ", quote_name(key), " is a member of WeightsInfo"});
        metadata[to_utf8(key)] = to_utf8(value);
    }
    if (!info.network.empty()) metadata[std::string(network_key)] = to_utf8(info.network);
    if (info.classes.empty()) return metadata;
    std::vector<std::string> names, bytes;
    for (const std::string& name : info.classes) {
        names.push_back(to_utf8(name));
        bytes.push_back(to_hexadecimal(name));
    }
    if (names != info.classes) metadata[std::string(class_bytes_key)] = json_array(bytes);
    metadata[std::string(classes_key)] = json_array(names);
    return metadata;
}

/// The information in a file's metadata. Members that the metadata lack are empty; keys that aren't tenon's are in
/// `more`. Throws tenon::Error when `classes` is not a JSON array of strings, or `class_bytes` belongs to other names.
template <class Once = void>
WeightsInfo weights_info(Metadata metadata) {
    WeightsInfo info;
    const auto take = [&](std::string_view key) {
        const auto found = metadata.find(key);
        return found == metadata.end() ? std::string() : std::move(metadata.extract(found).mapped());
    };
    info.network = take(network_key);
    const std::string names = take(classes_key), bytes = take(class_bytes_key);
    if (!names.empty()) info.classes = parse_json_array(names, "classes");
    if (!bytes.empty()) {
        const std::vector<std::string> exact = parse_json_array(bytes, "bytes of classes");
        bool fits = exact.size() == info.classes.size();
        for (std::size_t i = 0; fits && i < exact.size(); ++i) {
            const auto name = from_hexadecimal(exact[i]);
            fits = name && to_utf8(*name) == info.classes[i];
            if (fits) info.classes[i] = *name;
        }
        if (!fits)
            throw Error(
                "class_bytes in the file's metadata are not those of the names in classes; where classes were "
                "edited, class_bytes must be removed");
    }
    info.more = std::move(metadata);
    return info;
}

/// Throws tenon::Error, naming the file, unless there are as many names as classes, or none.
template <class Once = void>
void check_class_count(const WeightsInfo& info, long classes, const std::string& path) {
    if (!info.classes.empty() && std::ssize(info.classes) != classes)
        throw_error({path, ": expected ", classes, " names of classes, one for each result of the network, found ",
                     info.classes.size()});
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon

namespace tenon::programs {

/// The metadata of a file of weights that hold a WeightsInfo. Throws tenon::Error when `info.more` has its keys.
using detail::to_metadata;
/// Throws tenon::Error, naming the file, unless a WeightsInfo names all classes of a network, or none.
using detail::check_class_count;

}  // namespace tenon::programs
