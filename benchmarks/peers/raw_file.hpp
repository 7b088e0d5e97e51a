// Files of plain floats, through which the processes of a comparison with other runtimes exchange images and results.
#pragma once

#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/error.hpp>

namespace tenon_benchmark {

inline std::vector<float> read_floats(const std::string& path, long count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    std::ifstream file{path, std::ios::binary};
    const auto size = static_cast<std::streamsize>(values.size() * sizeof(float));
    if (!file.read(reinterpret_cast<char*>(values.data()), size) || file.peek() != std::ifstream::traits_type::eof())
        throw tenon::Error(path + " does not hold exactly " + std::to_string(count) + " floats");
    return values;
}

inline void write_floats(const std::string& path, std::span<const float> values) {
    std::ofstream file{path, std::ios::binary};
    file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
    if (!file.flush()) throw tenon::Error(path + " cannot be written");
}

}  // namespace tenon_benchmark
