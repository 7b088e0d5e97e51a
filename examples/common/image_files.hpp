// The images that a command line names: files, folders of them, and the standard input.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/image/codecs/decode.hpp>

/// A file that should be an image; or why an argument of the command line gives none.
struct ImageFile {
    std::string path;
    std::string problem = {};  ///< a sentence; empty: none
};

/// The files that were skipped in a folder.
struct SkippedFiles {
    std::string folder;
    int hidden = 0;            ///< with a leading dot, as macOS and editors write them: `._cat.jpg`
    int others = 0;            ///< files that aren't called .jpg, .jpeg or .png
    int folders = 0;           ///< folders in the folder
    std::string example = {};  ///< the first of the others
};

struct ImageFiles {
    std::vector<ImageFile> files;       ///< in the order of the arguments, within a folder in that of their names
    std::vector<SkippedFiles> skipped;  ///< of folders where something was
};

/// The argument that means the standard input.
inline constexpr const char* standard_input = "-";

namespace image_files {
inline void list_folder(const std::string& folder, ImageFiles& images) {
    namespace fs = std::filesystem;
    SkippedFiles skipped{.folder = folder};
    std::vector<std::string> found, others;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        const fs::path& path = entry->path();
        std::string extension = path.extension().string();
        std::ranges::transform(extension, extension.begin(),
                               [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        std::error_code unknown;  // then it counts as a file, and reading it reports why it fails
        if (path.filename().string().starts_with('.'))
            ++skipped.hidden;
        else if (entry->is_directory(unknown))
            ++skipped.folders;
        else if (extension == ".png" || extension == ".jpg" || extension == ".jpeg")
            found.push_back(path.string());
        else
            others.push_back(path.filename().string());
    }
    if (error) {
        images.files.push_back({folder, folder + ": cannot list the folder: " + error.message()});
        return;
    }
    if (found.empty())
        images.files.push_back({folder, folder + ": expected a folder with JPEG or PNG files, found none in it"});
    std::ranges::sort(found);
    for (std::string& path : found) images.files.push_back({std::move(path), {}});
    skipped.others = static_cast<int>(others.size());
    if (!others.empty()) skipped.example = *std::ranges::min_element(others);
    if (skipped.hidden + skipped.others + skipped.folders > 0) images.skipped.push_back(std::move(skipped));
}

/// All bytes of the standard input. Throws tenon::Error when it can't be read or holds more than `max_bytes`.
inline std::vector<std::byte> read_standard_input(std::size_t max_bytes) {
    std::vector<std::byte> bytes;
    std::array<std::byte, 1 << 16> part;
    while (const std::size_t count = std::fread(part.data(), 1, part.size(), stdin)) {
        bytes.insert(bytes.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(count));
        if (bytes.size() > max_bytes)
            throw tenon::Error("standard input: expected at most " + std::to_string(max_bytes) + " bytes, found more");
    }
    if (std::ferror(stdin) != 0) throw tenon::Error("standard input: cannot be read");
    return bytes;
}
}  // namespace image_files

/// The images that arguments name: folders are replaced by the image files in them. An argument that is wrong becomes a
/// file with a problem, so only its own images are missing.
inline ImageFiles find_images(const std::vector<std::string>& arguments) {
    ImageFiles images;
    bool reads_input = false;
    for (const std::string& argument : arguments) {
        std::error_code unknown;
        if (argument == standard_input) {
            images.files.push_back({argument, reads_input ? "standard input: it can be read only once" : ""});
            reads_input = true;
        } else if (std::filesystem::is_directory(argument, unknown)) {
            image_files::list_folder(argument, images);
        } else {
            images.files.push_back({argument, {}});
        }
    }
    return images;
}

/// Decodes a file, or the standard input for `-`. Throws tenon::Error when it is not an image.
inline tenon::Image read_image_file(const ImageFile& file, const tenon::DecodeOptions& options) {
    if (!file.problem.empty()) throw tenon::Error(file.problem);
    if (file.path != standard_input) return tenon::read_image(file.path, options);
    return tenon::decode_image(image_files::read_standard_input(options.max_file_bytes), "standard input", options);
}

/// `photos: 3 skipped: 1 hidden, 1 neither JPEG nor PNG by its name (notes.txt), 1 folder`
inline std::string to_string(const SkippedFiles& skipped) {
    std::string parts;
    const auto add = [&](int count, const std::string& what) {
        if (count > 0) parts += (parts.empty() ? "" : ", ") + std::to_string(count) + " " + what;
    };
    add(skipped.hidden, "hidden");
    add(skipped.others,
        std::string("neither JPEG nor PNG by name (") + (skipped.others > 1 ? "such as " : "") + skipped.example + ")");
    add(skipped.folders, skipped.folders == 1 ? "folder" : "folders");
    return skipped.folder + ": " + std::to_string(skipped.hidden + skipped.others + skipped.folders) +
           " skipped: " + parts;
}
