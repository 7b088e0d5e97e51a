// The folder into which a program writes its results, and the command that made them.
#pragma once

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <unistd.h>

#include <tenon/training.hpp>

namespace training {

/// The command line, quoted where a shell needs it.
inline std::string command_line(int argc, char** argv) {
    std::string text = std::filesystem::path(argv[0]).filename().string();
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const bool plain = argument.find_first_not_of(
                               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "-_./=:,+") == std::string::npos;
        if (plain && !argument.empty()) {
            text += ' ' + argument;
            continue;
        }
        text += " '";
        for (const char c : argument) text += c == '\'' ? "'\\''" : std::string(1, c);
        text += '\'';
    }
    return text;
}

/// The command that resumes a run where it was stopped.
inline std::string resume_command(const std::string& command) {
    return (command + " ").find(" --resume ") != std::string::npos ? command : command + " --resume";
}

/// Whether there is a checkpoint at `path`, or one before it.
inline bool has_checkpoint(const std::string& path) {
    return std::filesystem::exists(path) || std::filesystem::exists(tenon::programs::previous_checkpoint(path));
}

/// A file in a folder.
inline std::string file_in(const std::string& folder, const std::string& name) {
    return (std::filesystem::path(folder) / name).string();
}

/// Throws tenon::Error when it can't be created, or nothing can be written into it: now, not after hours of computing.
inline void create_folder(const std::string& folder) {
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed) throw tenon::Error(folder + ": cannot create the folder: " + failed.message());
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
        throw tenon::Error(folder + ": cannot write into the folder: " + std::strerror(errno));
}

/// Writes a file completely or not at all. Throws tenon::Error when it can't be written.
inline void write_text(const std::string& path, std::string_view text) {
    tenon::programs::write_file_atomically(path, text);
}

}  // namespace training
