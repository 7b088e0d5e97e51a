// Image folders: a subfolder for each class with the JPEG and PNG files that show it. Part of the component
// tenon::image.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/data/image_dataset.hpp>
#include <tenon/image/decode.hpp>
#include <tenon/image/preprocess.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// The files of an image folder. Labels are positions in `classes`.
struct ImageFolder {
    std::vector<std::string> classes;          ///< the subfolders' names, in the order of their bytes
    std::vector<std::filesystem::path> files;  ///< class by class, within a class in the order of their names' bytes
    std::vector<int> labels;                   ///< of each file
};

/// A folder's classes and files: what ends in .jpg, .jpeg or .png, in upper or lower case; files in deeper folders
/// count for their class, hidden ones (a leading dot) are left out. Equals torchvision's ImageFolder. Error, naming the
/// folder, if there is none, it has no subfolders, or one of these holds no image.
inline ImageFolder list_image_folder(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    const auto is_hidden = [](const fs::path& path) { return path.filename().string().starts_with('.'); };
    std::error_code error;
    if (!fs::is_directory(folder, error)) throw Error(folder.string() + ": expected a folder with a subfolder a class");
    ImageFolder result;
    try {
        for (const auto& entry : fs::directory_iterator(folder))
            if (entry.is_directory() && !is_hidden(entry.path())) result.classes.push_back(entry.path().filename());
        std::ranges::sort(result.classes);
        for (std::size_t label = 0; label < result.classes.size(); ++label) {
            std::vector<fs::path> files;
            for (const auto& entry : fs::recursive_directory_iterator(folder / result.classes[label])) {
                std::string extension = entry.path().extension().string();
                std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
                if (entry.is_regular_file() && !is_hidden(entry.path()) &&
                    (extension == ".jpg" || extension == ".jpeg" || extension == ".png"))
                    files.push_back(entry.path());
            }
            if (files.empty())
                throw Error((folder / result.classes[label]).string() + ": expected JPEG or PNG files of the class " +
                            result.classes[label] + ", found none");
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

/// How images of a folder are brought to one size: the shorter side is resized, then the middle cut out.
struct FolderImageSize {
    int resize = 256;  ///< length of the shorter side
    int height = 256, width = 256;
    Color color = Color::rgb;
    ResizeFilter filter = ResizeFilter::bilinear;
};

/// Decodes all files of an image folder into memory, at one size: 3 x height x width bytes an image. Error, naming the
/// file, if one cannot be decoded.
inline ImageDataset read_image_folder(const ImageFolder& folder, const FolderImageSize& size = {}) {
    ImageDataset dataset{
        .shape = {size.color == Color::rgb ? 3 : 1, size.height, size.width}, .images = {}, .labels = folder.labels};
    dataset.images.reserve(folder.files.size() * static_cast<std::size_t>(dataset.shape.elements()));
    for (const std::filesystem::path& file : folder.files) {
        const Image image =
            center_crop(resize_shorter_side(read_image(file, {.color = size.color}), size.resize, size.filter),
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
