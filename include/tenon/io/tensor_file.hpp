#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A file of named tensors in any of the formats that tenon reads; its content decides which, not its name.

#include <cstring>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/io/mapped_file.hpp>
#include <tenon/io/npz.hpp>
#include <tenon/io/pth.hpp>
#include <tenon/io/safetensors.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// A safetensors file, a .pth of PyTorch 1.6 or later, or a .npz. The file is mapped into memory; tensors are views
/// into it where its layout allows. A file that was moved from throws tenon::Error when it is asked for tensors.
class TensorFile {
public:
    /// Opens and checks a file. Throws tenon::Error, naming the file, when it can't be read or is of another format;
    /// for some formats the text says how to convert it.
    explicit TensorFile(const std::string& path) : source_{path}, file_{path} { open(file_.bytes()); }

    /// Checks a file that is already in memory; `bytes` must outlive this object. Throws tenon::Error as above, naming
    /// the file `source`.
    TensorFile(std::span<const std::byte> bytes, std::string source) : source_{std::move(source)} { open(bytes); }

    /// All tensors, in the file's order.
    const std::vector<TensorEntry>& tensors() const {
        detail::check_not_moved_from(safetensors_ || pth_ || npz_, "file of tensors");
        return safetensors_ ? safetensors_->tensors() : pth_ ? pth_->tensors() : npz_->tensors();
    }

    /// The path the file was opened by: for error messages.
    const std::string& source() const { return source_; }

private:
    static bool begins_with(std::span<const std::byte> bytes, std::string_view text) {
        return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
    }

    void open(std::span<const std::byte> bytes) {
        if (detail::ZipArchive::looks_like(bytes)) {
            try {
                open_zip(bytes);
                check_names();
            } catch (const Error& error) {
                throw Error(source_ + ": " + error.what());
            }
            return;
        }
        if (begins_with(bytes, "\x89HDF"))
            throw Error(source_ + ": this is an HDF5 file; scripts/convert_weights.py makes a safetensors file of it");
        if (begins_with(bytes, "\x80\x02\x8a\x0a"))
            throw Error(source_ +
                        ": this is a .pth file from before PyTorch 1.6; load it with torch.load and save it again with "
                        "torch.save, or convert it with scripts/convert_weights.py");
        safetensors_ = std::make_unique<SafetensorsFile>(bytes, source_);
    }

    void open_zip(std::span<const std::byte> bytes) {
        archive_ = std::make_unique<detail::ZipArchive>(bytes);
        if (detail::PthFile::looks_like(*archive_)) {
            pth_ = std::make_unique<detail::PthFile>(*archive_);
        } else if (detail::NpzFile::looks_like(*archive_)) {
            npz_ = std::make_unique<detail::NpzFile>(*archive_);
        } else if (archive_->find("model.weights.h5") != nullptr) {
            throw Error("this is a .keras file; scripts/convert_weights.py makes a safetensors file of it");
        } else {
            throw Error("the zip archive holds neither a state_dict of PyTorch (data.pkl) nor arrays of NumPy (.npy)");
        }
    }

    /// Throws tenon::Error when two tensors have one name; a safetensors file was checked for that when it was opened.
    void check_names() const {
        std::set<std::string_view> names;
        for (const TensorEntry& entry : tensors())
            if (!names.insert(entry.name).second)
                throw Error("the name " + detail::quote_name(entry.name) + " occurs twice");
    }

    std::string source_;
    detail::MappedFile file_;
    std::unique_ptr<detail::ZipArchive> archive_;
    std::unique_ptr<SafetensorsFile> safetensors_;
    std::unique_ptr<detail::PthFile> pth_;
    std::unique_ptr<detail::NpzFile> npz_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
