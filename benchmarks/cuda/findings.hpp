// The options of the program `gpu`, and how it prints its findings.
#pragma once

#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <tenon/backend/shared/precision.hpp>
#include <tenon/core/error.hpp>

namespace gpu_check {

struct Options {
    std::string precision = "bf16", folder;
    std::vector<int> batches{1};
};

/// Prints a finding: one line, flushed.
inline void print(const nlohmann::json& finding) {
    if (!(std::cout << finding << std::endl)) throw tenon::Error("cannot write to the standard output");
}

/// Calls f with each precision as a constant.
template <class F>
void for_each_precision(F f) {
    using enum tenon::Precision;
    f(std::integral_constant<tenon::Precision, float32>{});
    f(std::integral_constant<tenon::Precision, tensor_float32>{});
    f(std::integral_constant<tenon::Precision, bfloat16>{});
    f(std::integral_constant<tenon::Precision, float16>{});
}

template <class Element>
void write_raw(const std::string& path, const std::vector<Element>& values) {
    std::ofstream file{path, std::ios::binary};
    file.write(reinterpret_cast<const char*>(values.data()),
               static_cast<std::streamsize>(values.size() * sizeof(Element)));
    if (!file.flush()) throw tenon::Error(path + " cannot be written");
}

inline void write_json(const std::string& path, const nlohmann::json& document) {
    std::ofstream file{path};
    if (!(file << document << std::endl)) throw tenon::Error(path + " cannot be written");
}

}  // namespace gpu_check
