#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// Image folders: a subfolder for each class with its JPEG and PNG files. Part of the component tenon::image.

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/data/datasets/image_dataset.hpp>
#include <tenon/data/split.hpp>
#include <tenon/image/codecs/decode.hpp>
#include <tenon/image/preprocess.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// The files of an image folder. Labels are positions in `classes`.
struct ImageFolder {
    std::vector<std::string> classes;          ///< the subfolders' names, in the order of their bytes
    std::vector<std::filesystem::path> files;  ///< class by class, within a class in the order of their names' bytes
    std::vector<int> labels;                   ///< of each file
    std::filesystem::path root;                ///< the folder with the subfolders

    /// What was skipped and how often: "hidden" for files and folders with a leading dot (.DS_Store, ._cat.jpg,
    /// .ipynb_checkpoints; a folder counts once), "link to a folder", "not a file", else a file's ending in lower case
    /// (".webp", ".db" for Thumbs.db) or "no ending". Files beside the subfolders of classes count too.
    std::map<std::string, long> skipped = {};
};

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// What list_image_folder skipped, as text: `12 hidden, 3 .webp`; empty when it skipped nothing.
inline std::string skipped_text(const ImageFolder& folder) {
    std::string text;
    for (const auto& [kind, count] : folder.skipped)
        text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + kind;
    return text;
}

/// The number of files of each class, in the order of `classes`.
inline std::vector<long> class_counts(const ImageFolder& folder) {
    std::vector<long> counts(folder.classes.size());
    for (const int label : folder.labels) ++counts[static_cast<std::size_t>(label)];
    return counts;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// A folder's classes and files: those that end in .jpg, .jpeg or .png, in upper or lower case; files in deeper folders
/// belong to their class. Hidden files and folders (a leading dot) and what they hold are skipped, and so is everything
/// else; `skipped` counts it. Equals torchvision's ImageFolder except for hidden files. Throws tenon::Error, naming the
/// folder, when it doesn't exist, has no subfolders, or one of these holds no image.
inline ImageFolder list_image_folder(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    const auto is_hidden = [](const fs::path& path) { return path.filename().string().starts_with('.'); };
    std::error_code error;
    if (!fs::is_directory(folder, error))
        throw Error(folder.string() + ": expected a folder with a subfolder for each class");
    ImageFolder result;
    result.root = folder;
    const auto ending = [](const fs::path& path) {
        std::string text = path.extension().string();
        std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
        return text.empty() ? std::string("no ending") : text;
    };
    try {
        for (const auto& entry : fs::directory_iterator(folder)) {
            if (is_hidden(entry.path()))
                ++result.skipped["hidden"];
            else if (entry.is_directory())
                result.classes.push_back(entry.path().filename());
            else
                ++result.skipped[ending(entry.path())];
        }
        std::ranges::sort(result.classes);
        for (std::size_t label = 0; label < result.classes.size(); ++label) {
            std::vector<fs::path> files;
            for (auto entry = fs::recursive_directory_iterator(folder / result.classes[label]);
                 entry != fs::recursive_directory_iterator(); ++entry) {
                const std::string kind = ending(entry->path());
                if (is_hidden(entry->path())) {
                    ++result.skipped["hidden"];
                    entry.disable_recursion_pending();
                } else if (entry->is_directory()) {
                    if (entry->is_symlink()) ++result.skipped["link to a folder"];  // which may lead back here
                } else if (!entry->is_regular_file()) {
                    ++result.skipped["not a file"];  // a link that leads nowhere, a pipe
                } else if (kind == ".jpg" || kind == ".jpeg" || kind == ".png") {
                    files.push_back(entry->path());
                } else {
                    ++result.skipped[kind];
                }
            }
            if (files.empty()) {
                const std::string others = detail::skipped_text(result);
                throw Error((folder / result.classes[label]).string() + ": expected JPEG or PNG files of the class " +
                            result.classes[label] + ", found none" +
                            (others.empty() ? "" : " (left out so far: " + others + ")"));
            }
            std::ranges::sort(files, {}, [](const fs::path& path) { return path.string(); });
            result.labels.insert(result.labels.end(), files.size(), static_cast<int>(label));
            std::ranges::move(files, std::back_inserter(result.files));
        }
    } catch (const fs::filesystem_error& failure) {
        throw Error(folder.string() + ": cannot list the folder: " + failure.code().message());
    }
    if (result.classes.empty()) throw Error(folder.string() + ": expected a subfolder for each class, found none");
    return result;
}

/// The files of an image folder in two parts, each with all classes.
struct FolderSplit {
    ImageFolder training, validation;
};

/// Holds out the same share of each class of a folder, drawn from a seed; see stratified_positions in split.hpp. Both
/// parts keep the folder's order. For three parts split one of the two again. Throws tenon::Error unless 0 < share < 1,
/// and, naming the folder and the class, when a class has only one file.
inline FolderSplit stratified_split(const ImageFolder& folder, double share, std::uint64_t seed = 0) {
    FolderSplit split;
    try {
        const detail::PositionSplit parts = detail::stratified_positions(
            folder.labels, share, seed,
            [&](int label) -> std::string { return folder.classes[static_cast<std::size_t>(label)]; });
        const auto take = [&](const std::vector<std::uint32_t>& positions, ImageFolder& part) {
            part.classes = folder.classes;
            part.root = folder.root;
            for (const std::uint32_t position : positions) {
                part.files.push_back(folder.files[position]);
                part.labels.push_back(folder.labels[position]);
            }
        };
        take(parts.training, split.training);
        take(parts.validation, split.validation);
    } catch (const Error& error) {
        throw Error(folder.root.string() + ": " + error.what());
    }
    return split;
}

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The one size of all images of a folder: the shorter side is resized, then the middle is cut out.
struct FolderImageSize {
    int resize = 256;  ///< length of the shorter side
    int height = 256, width = 256;
    Color color = Color::rgb;
    ResizeFilter filter = ResizeFilter::bilinear;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Decodes all files of an image folder into memory, at one size: channels x height x width bytes per image. Throws
/// tenon::Error, naming the file, when one cannot be decoded.
inline ImageDataset read_image_folder(const ImageFolder& folder, const detail::FolderImageSize& size = {}) {
    ImageDataset dataset{
        .shape = {size.color == Color::rgb ? 3 : 1, size.height, size.width}, .images = {}, .labels = folder.labels};
    dataset.images.reserve(folder.files.size() * static_cast<std::size_t>(dataset.shape.elements()));
    for (const std::filesystem::path& file : folder.files) {
        const Image image =
            center_crop(detail::resize_shorter_side(read_image(file, {.color = size.color}), size.resize, size.filter),
                        size.height, size.width);
        const std::span<const std::uint8_t> pixels = image.pixels();
        const auto channels = static_cast<std::size_t>(image.channels());
        for (std::size_t channel = 0; channel < channels; ++channel)
            for (std::size_t i = channel; i < pixels.size(); i += channels) dataset.images.push_back(pixels[i]);
    }
    return dataset;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
