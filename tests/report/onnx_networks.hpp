// What the files of tenon_onnx_networks have in common.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/io/safetensors_writer.hpp>
#include <tenon/runtime/model.hpp>
#include <tenon/weights/parameters.hpp>

namespace onnx_networks {

using namespace tenon;

/// A network's name and how to write it.
struct Entry {
    std::string_view name;
    void (*write)(const std::string&, const std::string&, std::size_t, long);
    std::size_t images = 1;
    long batch = 1;
};

/// Those in 8-bit integers.
std::span<const Entry> integer_entries();

template <class Net>
std::vector<float> seeded_input(std::size_t images) {
    std::vector<float> input(images * static_cast<std::size_t>(input_shape<Net>.elements()));
    for (std::size_t i = 0; i < input.size(); ++i)
        input[i] = static_cast<float>(detail::uniform(detail::random_bits(1, detail::hash_name("input"), i), -1, 1));
    return input;
}

/// Results of a network, and their name in the file.
using Results = std::pair<std::string, std::span<const float>>;

/// Writes what to compare an ONNX file with: the parameters, `input`, and results.
template <class Net>
void write_tensors(const std::string& path, const Parameters<Net>& parameters, std::span<const float> input,
                   std::initializer_list<Results> all_results) {
    const auto images = static_cast<std::int64_t>(input.size()) / input_shape<Net>.elements();
    const auto shape = [&](Shape of) -> std::vector<std::int64_t> {
        if (of.is_flat()) return {images, of.channels};
        return {images, of.channels, of.height, of.width};
    };
    std::vector<TensorEntry> tensors{make_tensor_entry<float>("input", shape(input_shape<Net>), input)};
    for (const auto& [name, results] : all_results)
        tensors.push_back(make_tensor_entry<float>(name, shape(output_shape<Net>), results));
    const std::vector<std::string> names = detail::parameter_names<Net>();
    for (int i = 0; i < parameters.count(); ++i) {
        const detail::Parameter& info = parameters.infos()[static_cast<std::size_t>(i)];
        tensors.push_back(make_tensor_entry<float>(names[static_cast<std::size_t>(i)],
                                                   {info.dimensions, info.dimensions + info.rank}, parameters[i]));
    }
    write_safetensors(path, tensors);
}

}  // namespace onnx_networks
