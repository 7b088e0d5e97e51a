#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Reading a complete file into memory, with a bound on its size.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/io/mapped_file.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// All bytes of a file. Pipes and devices are read to their end, so `/dev/stdin` works too. Throws tenon::Error, naming
/// the file, when it doesn't exist, can't be read, or holds more than `max_bytes`.
template <class Once = void>
TENON_RUNS_ONCE std::vector<std::byte> read_file(const std::string& path, std::size_t max_bytes) {
    struct stat status {};
    const bool has_status = ::stat(path.c_str(), &status) == 0;
    if (has_status && S_ISDIR(status.st_mode)) throw_error({path, ": expected a file, found a folder"});
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
    if (!file) throw file_error(path, "cannot open the file");

    // The size that the file system states is only a hint: it is 0 for a pipe and may change while we read.
    constexpr std::size_t min_step = 1 << 16;
    const auto stated = static_cast<std::uintmax_t>(has_status ? status.st_size : 0);
    std::size_t step = min_step;
    if (stated > 0 && stated <= max_bytes) step = index(stated) + 1;

    std::vector<std::byte> bytes;
    while (true) {
        const std::size_t start = bytes.size();
        bytes.resize(start + step);
        const std::size_t count = std::fread(bytes.data() + start, 1, step, file.get());
        bytes.resize(start + count);
        if (bytes.size() > max_bytes) {
            throw_error({path, ": expected at most ", max_bytes, " bytes, found more"});
        }
        if (count < step) break;
        step = std::max(min_step, bytes.size());
    }
    if (std::ferror(file.get()) != 0) throw file_error(path, "cannot read the file");
    return bytes;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail

namespace tenon::programs {

/// All bytes of a file. Throws tenon::Error, naming the file, when it can't be read or holds more than `max_bytes`.
using detail::read_file;

}  // namespace tenon::programs
