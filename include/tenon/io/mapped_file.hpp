#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A file mapped into memory, read-only (POSIX).

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// `FILE: WHAT: reason`, the reason being the system's text for `error_number`.
template <class Once = void>
TENON_COLD [[gnu::noinline]] Error file_error(const std::string& path, std::string_view what,
                                              int error_number = errno) {
    return Error(joined({path, ": ", what, ": ", std::strerror(error_number)}));
}

/// Owns a POSIX file descriptor.
class FileDescriptor {
public:
    explicit FileDescriptor(int value) : value_(value) {}
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    ~FileDescriptor() {
        if (value_ >= 0) ::close(value_);
    }

    int get() const { return value_; }

    /// Closes it now. Returns the result of close(2), which reports write errors that some file systems delay until
    /// then.
    int close() { return ::close(std::exchange(value_, -1)); }

private:
    int value_;
};

/// A complete file as read-only memory; its pages are read when they are touched. Shortening the file while it is
/// mapped takes the memory away (SIGBUS), so replace files by renaming, as write_safetensors does.
template <class Once = void>
class MappedFileOf {
public:
    /// An empty mapping of no file.
    MappedFileOf() = default;

    /// Maps the regular file at `path`. Throws tenon::Error with the system's reason when that fails.
    TENON_COLD explicit MappedFileOf(const std::string& path) {
        if (path.find('\0') != std::string::npos) throw Error("a file name holds a NUL character");
        // O_NONBLOCK: opening a pipe nobody writes to must be an error too, not a wait.
        const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        if (file.get() < 0) throw file_error(path, "cannot open the file");
        struct stat status {};
        if (::fstat(file.get(), &status) != 0) throw file_error(path, "cannot read the file's size");
        if (!S_ISREG(status.st_mode))
            throw_error({path, ": expected a regular file, found ",
                         (S_ISDIR(status.st_mode) ? "a folder" : "a device or pipe")});
        if (status.st_size == 0) return;  // mmap refuses an empty mapping
        if (static_cast<unsigned long long>(status.st_size) > std::numeric_limits<std::size_t>::max())
            throw_error({path, ": the file is larger than the address space"});
        const auto size = index(status.st_size);
        void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
        if (address == MAP_FAILED) throw file_error(path, "cannot map the file into memory");
        bytes_ = {static_cast<const std::byte*>(address), size};
    }

    MappedFileOf(MappedFileOf&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
    MappedFileOf& operator=(MappedFileOf&& other) noexcept {
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~MappedFileOf() {
        if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
    }

    /// The file's content, valid while this object (or the one it was moved into) exists.
    std::span<const std::byte> bytes() const { return bytes_; }

private:
    std::span<const std::byte> bytes_;
};
using MappedFile = MappedFileOf<>;

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
