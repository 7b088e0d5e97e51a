#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Reads weights that are spread over several safetensors files, by the index that Hugging Face's libraries write beside
// them: model.safetensors.index.json.

#include <cstddef>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/cold.hpp>
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
    TENON_COLD static bool looks_like(std::span<const std::byte> bytes) {
        const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        const std::size_t first = text.find_first_not_of(" \t\r\n");
        const bool is_text = text.substr(0, 16).find('\0') == text.npos;  // a safetensors file begins with zeros
        return is_text && first != text.npos && text[first] == '{' && text.find("\"weight_map\"") != text.npos;
    }

    /// Reads the index and the files in `folder` (with the slash; `open` makes a SafetensorsFile of a path). Throws
    /// tenon::Error when the index is malformed, names a file outside of the folder, or a file lacks a tensor.
    TENON_COLD ShardedWeightsOf(std::span<const std::byte> index, const std::string& folder,
                                FunctionRef<SafetensorsFile(const std::string&)> open) {
        NameIndex files;
        std::vector<std::string> names;    // of tensors
        std::vector<std::size_t> file_of;  // the number of a tensor's file
        JsonReader reader(std::string_view(reinterpret_cast<const char*>(index.data()), index.size()));
        try {
            reader.read_object([&](const std::string& key) {
                if (key != "weight_map") return reader.skip();
                reader.read_object([&](const std::string& tensor) {
                    const std::string file = reader.read_string();
                    if (names.size() == max_tensors) reader.fail({"expected at most ", max_tensors, " tensors"});
                    files.add(file, files.size());
                    names.push_back(std::string(tensor));
                    file_of.push_back(*files.find(file));
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
            for (std::size_t tensor = 0; tensor < names.size(); ++tensor)
                if (file_of[tensor] == i) tensors_.push_back(TensorEntry(shard.at(names[tensor])));
        }
    }

    const std::vector<TensorEntry>& tensors() const { return tensors_; }

    /// The tensors and the files that they are in, which this object then has no more.
    std::vector<TensorEntry> take(std::list<SafetensorsFile>& files) {
        files = std::move(files_);
        return std::move(tensors_);
    }

private:
    std::list<SafetensorsFile> files_;
    std::vector<TensorEntry> tensors_;
};
using ShardedWeights = ShardedWeightsOf<>;

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
