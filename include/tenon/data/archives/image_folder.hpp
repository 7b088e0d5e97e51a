#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// Image folders: a subfolder for each class with its JPEG and PNG files. Part of the component tenon::image.

#include <algorithm>
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
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/data/datasets/image_dataset.hpp>
#include <tenon/data/split.hpp>
#include <tenon/image/codecs/decode.hpp>
#include <tenon/image/codecs/list_images.hpp>
#include <tenon/image/preprocess.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// The files of an image folder. Labels are positions in `classes`.
struct ImageFolder {
    std::vector<std::string> classes;          ///< the subfolders' names, in the order of their bytes
    std::vector<std::filesystem::path> files;  ///< class by class, then folder by folder, by their names' bytes
    std::vector<int> labels;                   ///< of each file
    std::filesystem::path root;                ///< the folder with the subfolders

    /// What was skipped and how often: "hidden" for files and folders with a leading dot (.DS_Store, ._cat.jpg,
    /// .ipynb_checkpoints; a folder counts once), "link that leads back", "not a file", else a file's ending
    /// in lower case (".bmp", ".db" for Thumbs.db) or "no ending". Files beside the subfolders of classes count too.
    std::map<std::string, long> skipped = {};
};

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The number of files of each class, in the order of `classes`.
template <class Once = void>
std::vector<long> class_counts(const ImageFolder& folder) {
    std::vector<long> counts(folder.classes.size());
    for (const int label : folder.labels) ++counts[index(label)];
    return counts;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// A folder's classes and files: those that end in .jpg, .jpeg, .png or .webp, in upper or lower case; files in deeper
/// folders belong to their class, and links to folders are followed. Hidden files and folders (a leading dot) and what
/// they hold are skipped, and so is everything else; `skipped` counts it. The same files in the same order as
/// torchvision's ImageFolder, except for hidden ones, for a class's folder that is reached twice, and for the formats
/// that tenon doesn't decode. Throws tenon::Error, naming the folder, when it doesn't exist, can't be listed, has no
/// subfolders, or one of these holds no image.
template <class Once = void>
ImageFolder list_image_folder(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (!fs::is_directory(folder, error))
        throw Error(folder.string() + ": expected a folder with a subfolder for each class");
    ImageFolder result;
    result.root = folder;
    try {
        for (const auto& entry : fs::directory_iterator(folder)) {
            if (detail::is_hidden(entry.path()))
                ++result.skipped["hidden"];
            else if (entry.is_directory())
                result.classes.push_back(entry.path().filename());
            else
                ++result.skipped[detail::ending_of(entry.path())];
        }
        std::ranges::sort(result.classes);
        for (std::size_t label = 0; label < result.classes.size(); ++label) {
            detail::ImageListing listing = detail::list_images(folder / result.classes[label]);
            if (!listing.problems.empty()) throw Error(listing.problems[0].second);
            for (const auto& [kind, count] : listing.skipped) result.skipped[kind] += count;
            std::vector<fs::path>& files = listing.files;
            if (files.empty()) {
                const std::string others = detail::skipped_text(result.skipped);
                throw Error((folder / result.classes[label]).string() + ": expected " +
                            std::string(detail::image_kinds) + " files of the class " + result.classes[label] +
                            ", found none" + (others.empty() ? "" : " (left out so far: " + others + ")"));
            }
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

/// Holds out the same share of each class of a folder, drawn from a seed, as for an ImageDataset. Both parts keep the
/// folder's order. For three parts split one of the two again. Throws tenon::Error unless 0 < share < 1, and, naming
/// the folder and the class, when a class has only one file.
template <class Once = void>
FolderSplit stratified_split(const ImageFolder& folder, double share, std::uint64_t seed = 0) {
    FolderSplit split;
    try {
        const detail::PositionSplit parts = detail::stratified_positions(
            folder.labels, share, seed, [&](int label) -> std::string { return folder.classes[detail::index(label)]; });
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
template <class Once = void>
ImageDataset read_image_folder(const ImageFolder& folder, const detail::FolderImageSize& size = {}) {
    ImageDataset dataset{
        .shape = {size.color == Color::rgb ? 3 : 1, size.height, size.width}, .images = {}, .labels = folder.labels};
    dataset.images.reserve(folder.files.size() * detail::index(dataset.shape.elements()));
    for (const std::filesystem::path& file : folder.files) {
        const Image image =
            center_crop(detail::resize_shorter_side(read_image(file, {.color = size.color}), size.resize, size.filter),
                        size.height, size.width);
        const std::span<const std::uint8_t> pixels = image.pixels();
        const auto channels = detail::index(image.channels());
        for (std::size_t channel = 0; channel < channels; ++channel)
            for (std::size_t i = channel; i < pixels.size(); i += channels) dataset.images.push_back(pixels[i]);
    }
    return dataset;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
