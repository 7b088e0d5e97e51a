// What several test programs need: the text of an expected error, comparisons of bits, files beside the tests, files
// that may be absent, and folders for what tests write.
#pragma once

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <string>

#include <unistd.h>

#include <tenon/core/error.hpp>

namespace tenon_test {

/// The text of the tenon::Error that `action` throws; "(no error)" if it throws none. Other exceptions pass.
template <class Action>
std::string error_of(Action&& action) {
    try {
        action();
    } catch (const tenon::Error& error) {
        return error.what();
    }
    return "(no error)";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Whether numbers are the same to the last bit.
inline bool same_bytes(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

/// A file of the repository, by its path from the root.
inline std::string source_file(const std::string& path) { return TENON_SOURCE_DIR "/" + path; }

/// A file of the folder TENON_TEST_DATA, which is no part of the repository; an empty string, said loudly, if it is
/// absent.
inline std::string optional_data_file(const std::string& path) {
    const char* const folder = std::getenv("TENON_TEST_DATA");
    const std::string file = (folder ? std::string(folder) : source_file("../shared/data")) + "/" + path;
    if (std::filesystem::exists(file)) return file;
    std::cerr << "SKIPPED: " << file << " is absent; set TENON_TEST_DATA to the folder of real weights and images.\n";
    return {};
}

inline std::string read_file(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

inline void write_file(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
}

/// A new folder, removed with its content at the end.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "tenon-test-XXXXXX").string();
        if (!::mkdtemp(pattern.data())) throw std::runtime_error("cannot create a temporary folder");
        path_ = pattern;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

}  // namespace tenon_test
