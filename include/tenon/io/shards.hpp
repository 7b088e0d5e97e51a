#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Reads weights that are spread over several safetensors files, by the index that Hugging Face's libraries write beside
// them: model.safetensors.index.json.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/names.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/io/json.hpp>
#include <tenon/io/safetensors.hpp>
#include <tenon/io/tensor_entry.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The tensors of all files that an index names.
template <class Once = void>
class ShardedWeightsOf {
public:
    /// Whether bytes are such an index: a JSON object in which there is a weight_map.
    [[gnu::cold]] static bool looks_like(std::span<const std::byte> bytes) {
        const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        const std::size_t first = text.find_first_not_of(" \t\r\n");
        const bool is_text = text.substr(0, 16).find('\0') == text.npos;  // a safetensors file begins with zeros
        return is_text && first != text.npos && text[first] == '{' && text.find("\"weight_map\"") != text.npos;
    }

    /// Reads the index and the files in `folder` (with the slash; `open` makes a SafetensorsFile of a path). Throws
    /// tenon::Error when the index is malformed, names a file outside of the folder, or a file lacks a tensor.
    [[gnu::cold]] ShardedWeightsOf(std::span<const std::byte> index, const std::string& folder,
                                   FunctionRef<SafetensorsFile(const std::string&)> open) {
        NameIndex files;
        std::vector<std::vector<std::string>> names;  // of tensors in each file
        JsonReader reader(std::string_view(reinterpret_cast<const char*>(index.data()), index.size()));
        try {
            reader.read_object([&](const std::string& key) {
                if (key != "weight_map") return reader.skip();
                reader.read_object([&](const std::string& tensor) {
                    const std::string file = reader.read_string();
                    if (files.add(file, names.size())) names.emplace_back();
                    names[*files.find(file)].push_back(tensor);
                });
            });
            reader.read_end();
        } catch (const Error& error) {
            throw_error({"the index of sharded weights is malformed at ", error.what()});
        }
        for (const auto& [file, i] : files) {
            if (file.empty() || file.find('/') != file.npos || file.find('\0') != file.npos)
                throw_error({"the index names the file ", quote_name(file), ", which is not one beside it"});
            const SafetensorsFile& shard = files_.emplace_back(open(folder + file));
            for (const std::string& tensor : names[i]) tensors_.push_back(shard.at(tensor));
        }
    }

    const std::vector<TensorEntry>& tensors() const { return tensors_; }

private:
    std::vector<SafetensorsFile> files_;
    std::vector<TensorEntry> tensors_;
};
using ShardedWeights = ShardedWeightsOf<>;

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
