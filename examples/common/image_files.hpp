// The images that a command line names: files, folders of them, and the standard input.
#pragma once

#include <array>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <tenon/image.hpp>
#include <tenon/network.hpp>

#include "own_options.hpp"

/// A file that should be an image; or why an argument of the command line gives none.
struct ImageFile {
    std::string path;
    std::string problem = {};  ///< a sentence; empty: none
};

/// What was skipped in a folder and the folders in it.
struct SkippedFiles {
    std::string folder;
    std::map<std::string, long> kinds;  ///< as tenon::ImageFolder::skipped
};

struct ImageFiles {
    std::vector<ImageFile> files;       ///< in the order of the arguments; a folder's as list_images has them
    std::vector<SkippedFiles> skipped;  ///< of folders where something was
};

/// The argument that means the standard input.
inline constexpr const char* standard_input = "-";

namespace image_files {
inline void list_folder(const std::string& folder, ImageFiles& images) {
    tenon::programs::ImageListing listing = tenon::programs::list_images(folder);
    for (const std::filesystem::path& path : listing.files) images.files.push_back({path.string(), {}});
    for (const auto& [path, problem] : listing.problems) images.files.push_back({path.string(), problem});
    if (listing.files.empty() && listing.problems.empty())
        images.files.push_back({folder, folder + ": expected a folder with " +
                                            std::string(tenon::programs::image_kinds) + " files, found none in it"});
    if (!listing.skipped.empty()) images.skipped.push_back({folder, std::move(listing.skipped)});
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

/// Decodes a file, or the standard input for `-`; a warning is printed after the program's name. Throws tenon::Error
/// when it is not an image.
inline tenon::Image read_image_file(const ImageFile& file, const tenon::DecodeOptions& options, const char* program) {
    if (!file.problem.empty()) throw tenon::Error(file.problem);
    try {
        std::string warning;
        tenon::Image image = file.path != standard_input
                                 ? tenon::read_image(file.path, options, &warning)
                                 : tenon::decode_image(image_files::read_standard_input(options.max_file_bytes),
                                                       "standard input", options, &warning);
        if (!warning.empty()) std::fprintf(stderr, "%s: warning: %s\n", program, warning.c_str());
        return image;
    } catch (const tenon::Error& error) {
        // A program that reads image files has the options of decoding.hpp.
        throw tenon::Error(name_option(error.what(), "DecodeOptions::max_pixels", "--max-pixels"));
    }
}

/// `photos: skipped 1 .txt, 3 hidden`
inline std::string to_string(const SkippedFiles& skipped) {
    return skipped.folder + ": skipped " + tenon::programs::skipped_text(skipped.kinds);
}
