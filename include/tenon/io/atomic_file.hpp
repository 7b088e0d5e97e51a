#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Writes a file completely or not at all (POSIX).

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/io/mapped_file.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Where a file is that is reached through symbolic links, whether it exists or not: for `run.checkpoint`, a link to
/// `/scratch/run.checkpoint`, the latter. Throws tenon::Error when the links lead in a circle or can't be read.
template <class Once = void>
std::string follow_links(const std::string& path) {
    std::string target = path;
    constexpr int max_links = 40;  // as Linux
    for (int i = 0; i <= max_links; ++i) {
        char text[PATH_MAX];
        const ssize_t length = ::readlink(target.c_str(), text, sizeof text);
        if (length < 0 && (errno == EINVAL || errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG))
            return target;  // no link; what else may be wrong is found when it is used
        if (length < 0) throw file_error(path, joined({"cannot follow the link ", target}));
        const std::string_view next(text, index(length));
        target.resize(next.starts_with('/') ? 0 : target.rfind('/') + 1);  // npos + 1 is 0
        target += next;
    }
    throw file_error(path, "cannot follow the link", ELOOP);
}

/// The folder of a file.
template <class Once = void>
std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

/// A file that is removed again unless move_to() gives it its name. Where a process is killed before, the next one that
/// writes a file of the same name removes it: the lock on it tells that nobody writes it any more.
template <class Once>
class TemporaryFileOf {
public:
    /// Creates a file in the folder of `target`, with the permissions of any new file.
    explicit TemporaryFileOf(const std::string& target) : descriptor_(create(target, path_)) {}
    TemporaryFileOf(const TemporaryFileOf&) = delete;
    TemporaryFileOf& operator=(const TemporaryFileOf&) = delete;
    ~TemporaryFileOf() {
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
    /// How the temporary files of a target are called, up to their number: `.tenon-`, 16 digits of the name's hash (a
    /// name may be as long as the system allows), `-`.
    static std::string prefix_of(const std::string& target) {
        constexpr std::string_view digits = "0123456789abcdef";
        std::uint64_t hash = 0xCBF29CE484222325;  // FNV-1a
        for (const char c : target.substr(target.rfind('/') + 1))
            hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
        std::string prefix = ".tenon-";
        for (int shift = 60; shift >= 0; shift -= 4) prefix += digits[hash >> shift & 15];
        return prefix + '-';
    }

    /// Removes what killed processes left of earlier files for the same target.
    static void remove_abandoned(const std::string& folder, const std::string& prefix) {
        const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(folder.c_str()), &::closedir);
        while (const dirent* const entry = entries ? ::readdir(entries.get()) : nullptr) {
            const std::string_view name = entry->d_name;
            if (!name.starts_with(prefix) || !name.ends_with(".tmp")) continue;
            const std::string path = joined({folder, "/", name});
            const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
            if (file.get() >= 0 && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
        }
    }

    static int create(const std::string& target, std::string& path) {
        static std::atomic<unsigned> counter = 0;
        const std::string folder = folder_of(target), prefix = prefix_of(target);
        remove_abandoned(folder, prefix);
        for (;;) {
            path = joined({folder, "/", prefix, ::getpid(), "-", counter++, ".tmp"});
            const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
            if (file < 0 && errno == EEXIST) continue;
            if (file < 0) {
                path.clear();
                return file;
            }
            // Another process may have taken it for an abandoned one before it was locked. Where a file system knows no
            // locks, nobody gets one, so nothing is removed.
            struct stat status {};
            const bool is_locked = ::flock(file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
            if (is_locked && ::fstat(file, &status) == 0 && status.st_nlink > 0) return file;
            ::unlink(path.c_str());
            ::close(file);
        }
    }

    std::string path_;  // before descriptor_, whose initializer sets it
    FileDescriptor descriptor_;
};
using TemporaryFile = TemporaryFileOf<void>;

/// Writes all of `bytes`; false, with errno set, when that fails.
template <class Once = void>
bool write_all(int descriptor, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        bytes = bytes.subspan(index(written));
    }
    return true;
}

/// Makes `parts`, one after another, the content of the file at `path`. They are written to a temporary file in the
/// same folder, which replaces `path` only when it is safely on the disk: whatever fails, the previous file is
/// unchanged. A symbolic link is followed, also one to a file that doesn't exist yet. Throws tenon::Error, naming the
/// file and the system's reason, when anything fails.
template <class Once = void>
void write_file_atomically(const std::string& path, std::span<const std::span<const std::byte>> parts) {
    if (path.find('\0') != std::string::npos) throw Error("a file name holds a NUL character");
    const std::string target = follow_links(path), folder = folder_of(target);
    struct stat status {};
    const bool exists = ::stat(target.c_str(), &status) == 0;
    if (exists && !S_ISREG(status.st_mode))
        throw_error({path, ": cannot write the file: it is a folder, pipe or device"});

    TemporaryFile file(target);
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

/// The same for a text.
template <class Once = void>
void write_file_atomically(const std::string& path, std::string_view text) {
    const std::span<const std::byte> part = std::as_bytes(std::span<const char>{text.data(), text.size()});
    write_file_atomically(path, std::span(&part, 1));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon

namespace tenon::programs {

/// Writes a file of bytes or a text completely or not at all. Throws tenon::Error, naming the file and the system's
/// reason.
using detail::write_file_atomically;

}  // namespace tenon::programs
