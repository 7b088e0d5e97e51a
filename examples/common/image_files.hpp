// The image files that a command line means.
#pragma once

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string>
#include <vector>

#include <tenon/core/error.hpp>

/// The image files that are meant: folders are replaced by the image files in them, in the order of their names.
inline std::vector<std::string> expand_folders(const std::vector<std::string>& arguments) {
    std::vector<std::string> files;
    for (const std::string& argument : arguments) {
        if (!std::filesystem::is_directory(argument)) {
            files.push_back(argument);
            continue;
        }
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(argument)) {
            std::string extension = entry.path().extension().string();
            std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
            if (extension == ".png" || extension == ".jpg" || extension == ".jpeg")
                found.push_back(entry.path().string());
        }
        if (found.empty())
            throw tenon::Error(argument + ": expected a folder with JPEG or PNG files, found none in it");
        std::ranges::sort(found);
        files.insert(files.end(), found.begin(), found.end());
    }
    return files;
}
