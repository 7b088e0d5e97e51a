#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A file of named tensors in any of the formats that tenon reads; its content decides which, not its name.

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
#include <tenon/core/moved_from.hpp>
#include <tenon/core/names.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/span_of.hpp>
#include <tenon/io/file_kind.hpp>
#include <tenon/io/mapped_file.hpp>
#include <tenon/io/name_prefixes.hpp>
#include <tenon/io/npz.hpp>
#include <tenon/io/pth.hpp>
#include <tenon/io/read_file.hpp>
#include <tenon/io/safetensors.hpp>
#include <tenon/io/shards.hpp>
#include <tenon/io/tensor_file_options.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// A safetensors file or an index of several, a .pth of PyTorch, or a .npz. The file is mapped into memory; tensors are
/// views into it where its layout allows. A file that was moved from throws tenon::Error when it is asked for tensors.
class TensorFile {
public:
    using Options = detail::TensorFileOptions;

    /// Opens and checks a file. Throws tenon::Error, naming the file, when it can't be read or is of another format;
    /// the text says of which, and how to convert it where that is possible.
    template <class Once = void>
    TENON_RUNS_ONCE explicit TensorFile(const std::string& path, const Options& options = {}) : source_{path} {
        if (options.map) {
            file_ = detail::MappedFile{path};
            open(file_.bytes(), options);
        } else {
            memory_ = whole_file(path);
            open(detail::span_of(memory_), options);
        }
    }

    /// Checks a file that is already in memory; `bytes` must outlive this object. Throws tenon::Error as above, naming
    /// the file `source`.
    template <class Once = void>
    TensorFile(std::span<const std::byte> bytes, std::string source, const Options& options = {})
        : source_{std::move(source)} {
        open(bytes, options);
    }

    /// All tensors, in the file's order; without the prefixes that all of their names have.
    const std::vector<TensorEntry>& tensors() const {
        detail::check_not_moved_from(is_open_, "file of tensors");
        return tensors_;
    }

    /// The path the file was opened by: for error messages.
    const std::string& source() const { return source_; }

private:
    template <class Once = void>
    TENON_RUNS_ONCE void open(std::span<const std::byte> bytes, Options options) {
        // Dictionaries of a checkpoint are compared by the names that they would have.
        const auto fits_bare = [fits = options.fits](std::span<const TensorEntry> entries) {
            std::vector<TensorEntry> bare;
            for (const TensorEntry& entry : entries) bare.push_back(TensorEntry(entry));
            detail::take_off(detail::span_of(bare), detail::shared_prefix(detail::span_of(bare)));
            return fits(detail::span_of(bare));
        };
        if (options.fits && options.strip_prefixes) options.fits = fits_bare;
        try {
            detail::TensorsWithCopies content = read(bytes, options);
            tensors_ = std::move(content.entries);
            copies_ = std::move(content.copies);
            if (const std::string prefix =
                    options.strip_prefixes ? detail::shared_prefix(detail::span_of(tensors_)) : "";
                !prefix.empty()) {
                detail::take_off(detail::span_of(tensors_), prefix);
                options.note({"all names begin with ", detail::quote_name(prefix), ", which is taken off"});
            }
            check_names();
        } catch (const Error& error) {
            const std::string text = error.what();
            const std::string begin = detail::joined({source_, ": "});
            detail::throw_error({text.starts_with(begin) ? "" : begin, text});
        }
        is_open_ = true;
    }

    template <class Once = void>
    TENON_COLD detail::TensorsWithCopies read(std::span<const std::byte> bytes, const Options& options) {
        if (detail::ZipArchive::looks_like(bytes)) return read_zip(bytes, options);
        if (detail::PthFile::looks_like_stream(bytes)) return detail::PthFile{bytes, options}.take();
        if (!options.key.empty())
            detail::throw_error({"expected a checkpoint of PyTorch with an entry ", detail::quote_name(options.key),
                                 ", found a file of another format"});
        if (detail::ShardedWeights::looks_like(bytes)) {
            const std::string folder = source_.substr(0, source_.rfind('/') + 1);
            std::list<std::vector<std::byte>> memory;
            detail::ShardedWeights shards{
                bytes, folder, [&](const std::string& path) {
                    if (options.map) return SafetensorsFile{path};
                    return SafetensorsFile{detail::span_of(memory.emplace_back(whole_file(path))), path};
                }};
            return {shards.take(shards_), std::move(memory)};
        }
        return {SafetensorsFile{bytes, source_}.tensors(), {}};
    }

    template <class Once = void>
    TENON_COLD static std::vector<std::byte> whole_file(const std::string& path) {
        return detail::read_file(path, static_cast<std::size_t>(-1) / 2);
    }

    template <class Once = void>
    TENON_COLD static detail::TensorsWithCopies read_zip(std::span<const std::byte> bytes, const Options& options) {
        const detail::ZipArchive archive{bytes};
        if (detail::PthFile::looks_like(archive)) return detail::PthFile{archive, options}.take();
        if (!options.key.empty())
            detail::throw_error({"expected a checkpoint of PyTorch with an entry ", detail::quote_name(options.key),
                                 ", found an archive of another kind"});
        if (detail::NpzFile::looks_like(archive)) return detail::NpzFile{archive}.take();
        if (archive.find("model.weights.h5"))
            throw Error("this is a .keras file; scripts/convert_weights.py makes a safetensors file of it");
        for (const detail::ZipArchive::Entry& entry : archive.entries())
            if (entry.name.ends_with("models/model.json") || entry.name.ends_with("serialized_exported_program.json"))
                throw Error(
                    "this is a program that torch.export wrote (.pt2); save weights with "
                    "torch.save(model.state_dict(), path)");
        for (const detail::ZipArchive::Entry& entry : archive.entries())
            for (const std::string_view ending : {".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".npz", ".h5"})
                if (entry.name.ends_with(ending))
                    detail::throw_error({"this is a zip archive that holds ", detail::quote_name(entry.name),
                                         "; unpack it, and give one of its files"});
        throw Error("the zip archive holds neither a state_dict of PyTorch (data.pkl) nor arrays of NumPy (.npy)");
    }

    /// Throws tenon::Error when two tensors have one name.
    template <class Once = void>
    TENON_COLD void check_names() const {
        detail::NameIndex names;
        for (const TensorEntry& entry : tensors_)
            if (!names.add(entry.name))
                detail::throw_error({"the name ", detail::quote_name(entry.name), " occurs twice"});
    }

    std::string source_;
    detail::MappedFile file_;
    std::vector<std::byte> memory_;
    std::list<std::vector<std::byte>> copies_;  ///< of tensors that the file has in another order, and of shards
    std::list<SafetensorsFile> shards_;
    std::vector<TensorEntry> tensors_;
    detail::ClearedByMove<bool> is_open_{false};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
