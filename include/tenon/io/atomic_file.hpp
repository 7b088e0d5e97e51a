#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Writes a file completely or not at all (POSIX).

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/io/mapped_file.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// A file that is removed again unless move_to() gives it its name.
class TemporaryFile {
public:
    /// Creates a file of a name not yet taken in `folder`, with the permissions of any new file.
    explicit TemporaryFile(const std::string& folder) : descriptor_(create(folder, path_)) {}
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() {
        if (!path_.empty()) ::unlink(path_.c_str());
    }

    FileDescriptor& descriptor() { return descriptor_; }

    /// Renames it to `path`, replacing what was there; false when that fails.
    bool move_to(const std::string& path) {
        if (::rename(path_.c_str(), path.c_str()) != 0) return false;
        path_.clear();
        return true;
    }

private:
    static int create(const std::string& folder, std::string& path) {
        static std::atomic<unsigned> counter = 0;
        int descriptor = -1;
        do {
            path = folder + "/.tenon-" + std::to_string(::getpid()) + "-" + std::to_string(counter++) + ".tmp";
            descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        } while (descriptor < 0 && errno == EEXIST);
        if (descriptor < 0) path.clear();
        return descriptor;
    }

    std::string path_;  // before descriptor_, whose initializer sets it
    FileDescriptor descriptor_;
};

/// Writes all of `bytes`; false, with errno set, when that fails.
inline bool write_all(int descriptor, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return true;
}

/// Makes `parts`, one after another, the content of the file at `path`. They are written to a temporary file in the
/// same folder, which replaces `path` only when it is safely on the disk: whatever fails, the previous file is
/// unchanged. A symbolic link is followed. Throws tenon::Error, naming the file and the system's reason, when anything
/// fails.
inline void write_file_atomically(const std::string& path, std::span<const std::span<const std::byte>> parts) {
    if (path.find('\0') != std::string::npos) throw Error("a file name holds a NUL character");
    std::string target = path;
    struct stat status {};
    const bool exists = ::stat(path.c_str(), &status) == 0;
    if (exists && !S_ISREG(status.st_mode))
        throw Error(path + ": cannot write the file: it is a folder, pipe or device");
    if (exists) {
        const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path.c_str(), nullptr), &std::free);
        if (!resolved) throw file_error(path, "cannot resolve the file's name");
        target = resolved.get();
    }
    const std::size_t slash = target.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : target.substr(0, slash);

    TemporaryFile file(folder);
    if (file.descriptor().get() < 0) throw file_error(path, "cannot create a file in its folder");
    if (exists && ::fchmod(file.descriptor().get(), status.st_mode & 07777) != 0)
        throw file_error(path, "cannot set the file's permissions");
    for (const std::span<const std::byte> part : parts)
        if (!write_all(file.descriptor().get(), part)) throw file_error(path, "cannot write the file");
    if (::fsync(file.descriptor().get()) != 0 || file.descriptor().close() != 0)
        throw file_error(path, "cannot write the file");
    if (!file.move_to(target)) throw file_error(path, "cannot replace the file");

    // The new name is on the disk once the folder is. The file is complete either way, so a file system that can't sync
    // folders is not an error.
    const FileDescriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() >= 0) ::fsync(directory.get());
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
