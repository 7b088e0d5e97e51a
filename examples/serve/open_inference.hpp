// The Open Inference Protocol, version 2, over REST: requests and responses of a network with one input and two
// outputs, as JSON and with tensors as bytes after it (the binary tensor data extension).
// https://github.com/kserve/open-inference-protocol
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tenon/inference.hpp>

#include "http_server.hpp"
#include "numbers.hpp"

namespace open_inference {

using Json = nlohmann::ordered_json;

/// What a client needs to know about a network.
struct Served {
    std::string name;
    tenon::Shape image;  ///< of the input, without the batch
    int classes = 0;
    std::size_t max_images = 64;  ///< of a request

    std::size_t image_floats() const { return static_cast<std::size_t>(image.elements()); }
};

constexpr std::string_view input_name = "input";
constexpr std::array<std::string_view, 2> output_names = {"logits", "probabilities"};

/// The header that says where the JSON of a body ends and bytes begin.
constexpr const char* json_bytes_header = "Inference-Header-Content-Length";

static_assert(std::endian::native == std::endian::little, "tensors as bytes are little endian");

/// An infer request.
struct Request {
    std::string id;
    std::vector<float> images;
    std::size_t count = 0;
    struct Output {
        std::string name;
        bool as_bytes = false;
    };
    std::vector<Output> outputs;
};

inline HttpError wrong(const std::string& sentence) { return {400, sentence}; }

/// The JSON of a request, whose tensors' `data` is put aside as floats while it is read: a document of a million
/// numbers takes four bytes each.
class Parser {
public:
    explicit Parser(std::string_view text) {
        try {
            document = Json::parse(
                text, [this](int depth, Json::parse_event_t event, Json& value) { return take(depth, event, value); });
        } catch (const Json::exception& error) {
            throw wrong("expected JSON, found " + std::string(error.what()));
        }
        if (!document.is_object()) throw wrong("expected a JSON object, found another value");
    }

    Json document;
    std::vector<std::vector<float>> data;  ///< of each input

private:
    /// The request is {"inputs": [{"data": [...]}]}, so the key `data` has depth 3.
    static constexpr int tensor_depth = 2, key_depth = 3, max_depth = 12;

    bool take(int depth, Json::parse_event_t event, Json& value) {
        using Event = Json::parse_event_t;
        constexpr int max_keys = 10'000;  // an object of n keys takes n^2 comparisons, as it keeps their order
        if (event == Event::key && ++keys_ > max_keys)
            throw wrong("expected JSON with at most " + std::to_string(max_keys) + " keys, found more");
        if (depth > max_depth)
            throw wrong("expected JSON of at most " + std::to_string(max_depth) + " levels, found more");
        if (event == Event::key && depth == 1) is_inputs_ = value == "inputs";
        if (event == Event::object_start && depth == tensor_depth && is_inputs_) data.emplace_back();
        if (event == Event::key && depth == key_depth) is_data_ = is_inputs_ && value == "data";
        if (event == Event::key && depth != key_depth && is_data_ && depth > key_depth)
            throw wrong("expected numbers as an input's data, found an object");
        if (event == Event::object_end && depth == tensor_depth) is_data_ = false;
        if (event != Event::value || !is_data_ || depth <= key_depth) return true;
        if (!value.is_number()) throw wrong("expected numbers as an input's data, found " + value.dump().substr(0, 60));
        if (data.empty()) throw wrong("expected inputs as an array of objects, found another value");
        data.back().push_back(value.get<float>());
        return false;
    }

    int keys_ = 0;
    bool is_inputs_ = false, is_data_ = false;
};

/// A member of an object of a type; throws HttpError, naming it, when it is there and has another.
inline const Json* member(const Json& object, const char* name, bool (Json::*is_type)() const noexcept,
                          const std::string& type) {
    const auto found = object.find(name);
    if (found == object.end()) return nullptr;
    if (!((*found).*is_type)()) throw wrong("expected " + type + " as " + name + ", found " + found->type_name());
    return &*found;
}
inline std::string text_member(const Json& object, const char* name) {
    const Json* const text = member(object, name, &Json::is_string, "a string");
    return text ? text->get<std::string>() : std::string();
}
/// A parameter of a request, an input or an output.
inline const Json* parameter(const Json& object, const char* name, bool (Json::*is_type)() const noexcept,
                             const std::string& type) {
    const Json* const parameters = member(object, "parameters", &Json::is_object, "an object");
    return parameters ? member(*parameters, name, is_type, type) : nullptr;
}

inline std::string shape_text(const Served& served) {
    return "[n, " + std::to_string(served.image.channels) + ", " + std::to_string(served.image.height) + ", " +
           std::to_string(served.image.width) + "]";
}

/// The number of images that a tensor's shape says.
inline std::size_t images_of(const Json& input, const Served& served) {
    const Json* const shape = member(input, "shape", &Json::is_array, "an array");
    const std::array<std::size_t, 3> image = {static_cast<std::size_t>(served.image.channels),
                                              static_cast<std::size_t>(served.image.height),
                                              static_cast<std::size_t>(served.image.width)};
    const auto is_size = [](const Json& size) { return size.is_number_unsigned(); };
    if (!shape || shape->size() != 4 || !std::ranges::all_of(*shape, is_size) ||
        !std::equal(image.begin(), image.end(), shape->begin() + 1,
                    [](std::size_t size, const Json& other) { return other == size; }))
        throw wrong("expected the shape " + shape_text(served) + " of the input, found " +
                    (shape ? shape->dump().substr(0, 100) : "none"));
    const auto count = (*shape)[0].get<std::size_t>();
    if (count < 1 || count > served.max_images)
        throw wrong("expected 1 to " + std::to_string(served.max_images) + " images in a request, found " +
                    std::to_string(count));
    return count;
}

/// Reads a body; `json_bytes`, unless empty, is the header that says where bytes begin. Throws HttpError.
inline Request parse(std::string_view body, const std::string& json_bytes, const Served& served) {
    std::string_view bytes;
    if (!json_bytes.empty()) {
        const std::optional<int> length = tenon::programs::parse_number<int>(json_bytes);
        if (!length || *length < 0 || static_cast<std::size_t>(*length) > body.size())
            throw wrong("expected at most the body's " + std::to_string(body.size()) + " bytes as " +
                        json_bytes_header + ", found another");
        bytes = body.substr(static_cast<std::size_t>(*length));
        body = body.substr(0, static_cast<std::size_t>(*length));
    }
    Parser parser(body);
    const Json& document = parser.document;
    Request request;
    request.id = text_member(document, "id");
    const Json* const inputs = member(document, "inputs", &Json::is_array, "an array");
    if (!inputs || inputs->size() != 1 || !(*inputs)[0].is_object())
        throw wrong("expected one input, an object in an array, found " +
                    (inputs ? std::to_string(inputs->size()) : "none"));
    const Json& input = (*inputs)[0];
    if (const std::string name = text_member(input, "name"); name != input_name)
        throw wrong(
            "expected an input with the name input, found " +
            (name.empty() ? "none" : Json(name.substr(0, 60)).dump(-1, ' ', true, Json::error_handler_t::replace)));
    if (const std::string type = text_member(input, "datatype"); type != "FP32")
        throw wrong(
            "expected the datatype FP32, found " +
            (type.empty() ? "none" : Json(type.substr(0, 60)).dump(-1, ' ', true, Json::error_handler_t::replace)));
    request.count = images_of(input, served);
    const std::size_t expected = request.count * served.image_floats();
    if (const Json* const size = parameter(input, "binary_data_size", &Json::is_number_unsigned, "a number of bytes")) {
        if (*size != 4 * expected || bytes.size() != 4 * expected)
            throw wrong("expected " + std::to_string(4 * expected) +
                        " bytes of data after the JSON, as binary_data_size says, found " +
                        std::to_string(bytes.size()));
        request.images.resize(expected);
        std::memcpy(request.images.data(), bytes.data(), bytes.size());
    } else {
        if (!bytes.empty()) throw wrong("expected no bytes after the JSON without binary_data_size, found some");
        request.images = std::move(parser.data.at(0));
    }
    if (request.images.size() != expected)
        throw wrong("expected " + std::to_string(expected) + " numbers as the input's data, found " +
                    std::to_string(request.images.size()));
    if (!std::ranges::all_of(request.images, [](float value) { return std::isfinite(value); }))
        throw wrong("expected finite numbers as the input's data, found infinity or NaN");
    const auto is_true = [](const Json* value) { return value && value->get<bool>(); };
    const bool all_bytes = is_true(parameter(document, "binary_data_output", &Json::is_boolean, "true or false"));
    if (const Json* const outputs = member(document, "outputs", &Json::is_array, "an array")) {
        for (const Json& output : *outputs) {
            const std::string name = output.is_object() ? text_member(output, "name") : std::string();
            if (std::ranges::find(output_names, name) == output_names.end())
                throw wrong("expected outputs with the names logits and probabilities, found another");
            if (request.outputs.size() == output_names.size())
                throw wrong("expected each output once, found one twice");
            const Json* const as_bytes = parameter(output, "binary_data", &Json::is_boolean, "true or false");
            request.outputs.push_back({name, as_bytes ? is_true(as_bytes) : all_bytes});
        }
    }
    if (request.outputs.empty())
        for (const std::string_view name : output_names) request.outputs.push_back({std::string(name), all_bytes});
    return request;
}

/// The response to a request, from the logits of its images.
inline Reply respond(const Request& request, std::span<const float> logits, const Served& served) {
    const auto classes = static_cast<std::size_t>(served.classes);
    std::vector<float> probabilities;
    for (std::size_t i = 0; i < request.count; ++i)
        for (const float probability : tenon::softmax(logits.subspan(i * classes, classes)))
            probabilities.push_back(probability);
    std::string text = "{\"model_name\":" + Json(served.name).dump() + ",\"model_version\":\"1\"";
    if (!request.id.empty()) text += ",\"id\":" + Json(request.id).dump(-1, ' ', false, Json::error_handler_t::replace);
    text += ",\"outputs\":[";
    std::string bytes;
    for (std::size_t i = 0; i < request.outputs.size(); ++i) {
        const auto& [name, as_bytes] = request.outputs[i];
        const std::span<const float> values = name == "logits" ? logits : std::span<const float>(probabilities);
        text += (i == 0 ? "" : ",");
        text += "{\"name\":\"" + name + "\",\"datatype\":\"FP32\",\"shape\":[" + std::to_string(request.count) + "," +
                std::to_string(classes) + "],";
        if (as_bytes) {
            text += "\"parameters\":{\"binary_data_size\":" + std::to_string(values.size_bytes()) + "}}";
            bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
            continue;
        }
        text += "\"data\":[";
        for (std::size_t j = 0; j < values.size(); ++j) {
            if (j > 0) text += ',';
            text += shortest(values[j]);
        }
        text += "]}";
    }
    text += "]}";
    if (bytes.empty()) return {.body = std::move(text)};
    const std::string json_bytes = std::to_string(text.size());
    return {.body = text + bytes, .type = "application/octet-stream", .headers = {{json_bytes_header, json_bytes}}};
}

/// What the server is.
inline std::string server_metadata() {
    Json metadata = Json::object();
    metadata["name"] = "tenon";
    metadata["version"] = std::to_string(TENON_VERSION_MAJOR) + "." + std::to_string(TENON_VERSION_MINOR) + "." +
                          std::to_string(TENON_VERSION_PATCH);
    metadata["extensions"] = std::vector<std::string>{"binary_tensor_data"};
    return metadata.dump();
}

/// What the network takes and gives.
inline std::string model_metadata(const Served& served) {
    const auto tensor = [](std::string_view name, const std::vector<int>& shape) {
        Json description = Json::object();
        description["name"] = name;
        description["datatype"] = "FP32";
        description["shape"] = shape;
        return description;
    };
    const tenon::Shape& image = served.image;
    Json metadata = Json::object();
    metadata["name"] = served.name;
    metadata["versions"] = std::vector<std::string>{"1"};
    metadata["platform"] = "tenon";
    metadata["inputs"].push_back(tensor(input_name, {-1, image.channels, image.height, image.width}));
    for (const std::string_view name : output_names) metadata["outputs"].push_back(tensor(name, {-1, served.classes}));
    return metadata.dump();
}

}  // namespace open_inference
