// Matching a weights file with a network's parameters: strict, and complete before anything is taken over.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tenon/io/safetensors.hpp>
#include <tenon/runtime/parameter_names.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// The parameters of a network found in a file: pointers into the mapped file where it holds aligned floats, and copies
/// where it holds another floating type.
class WeightsFile {
public:
    /// Opens `path` and finds every parameter under its name with its shape. Throws tenon::Error, naming the file, with
    /// both sets of names if some are missing or left over, or with both shapes; `num_batches_tracked` counters, which
    /// torch stores beside running statistics, are passed over.
    WeightsFile(const std::string& path, std::span<const Parameter> parameters, std::vector<std::string> names)
        : file_{std::make_unique<SafetensorsFile>(path)} {
        check_names(names);
        for (std::size_t i = 0; i < names.size(); ++i) {
            const TensorEntry& entry = *file_->find(names[i]);
            const std::vector<std::int64_t> expected(parameters[i].dimensions,
                                                     parameters[i].dimensions + parameters[i].rank);
            try {
                expect_shape(entry, expected);
                tensors_.push_back(floats(entry));
            } catch (const Error& error) {
                throw Error(path + ": " + error.what());
            }
        }
    }

    /// Pointers to the parameters in the order of the program; valid as long as this object.
    std::span<const float* const> tensors() const { return tensors_; }

private:
    static bool is_counter(std::string_view name) { return name.ends_with(".num_batches_tracked"); }

    /// `"a", "b", ... (12 in all)`, at most five of them.
    static std::string list(const std::vector<std::string>& names) {
        std::string text;
        for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 5); ++i)
            text += (i > 0 ? ", " : "") + quote_name(names[i]);
        return names.size() > 5 ? text + ", ... (" + std::to_string(names.size()) + " in all)" : text;
    }

    void check_names(const std::vector<std::string>& names) const {
        std::vector<std::string> missing, left_over, sorted = names;
        std::sort(sorted.begin(), sorted.end());
        for (const std::string& name : names)
            if (!file_->find(name)) missing.push_back(name);
        for (const TensorEntry& entry : file_->tensors())
            if (!is_counter(entry.name) && !std::binary_search(sorted.begin(), sorted.end(), entry.name))
                left_over.push_back(entry.name);
        if (missing.empty() && left_over.empty()) return;
        std::string text = file_->source() + ": these weights are not this network's:";
        if (!missing.empty()) text += " the network needs " + list(missing) + ", which the file lacks";
        if (!left_over.empty())
            text += std::string(missing.empty() ? "" : ";") + " the file has " + list(left_over) +
                    ", which the network has no place for";
        throw Error(text);
    }

    const float* floats(const TensorEntry& entry) {
        const auto address = std::bit_cast<std::uintptr_t>(entry.bytes.data());
        if (entry.dtype == DType::f32 && address % alignof(float) == 0)
            return reinterpret_cast<const float*>(entry.bytes.data());
        auto& copy = copies_.emplace_back(static_cast<std::size_t>(*element_count(entry.shape)));
        to_float(entry, copy);
        return copy.data();
    }

    std::unique_ptr<SafetensorsFile> file_;
    std::vector<std::vector<float>> copies_;
    std::vector<const float*> tensors_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
