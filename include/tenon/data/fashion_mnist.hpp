// Fashion-MNIST: 60,000 training and 10,000 test images of clothes in 10 classes, grey, 28 x 28 pixels. Debian's
// package dataset-fashion-mnist has it. Part of the component tenon::image (zlib).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/data/gzip.hpp>
#include <tenon/data/idx.hpp>
#include <tenon/data/image_dataset.hpp>
#include <tenon/image/preprocess.hpp>

namespace tenon {

/// What the labels 0 to 9 mean.
inline constexpr std::array<std::string_view, 10> fashion_mnist_classes = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};

/// Where Debian's package puts the files.
inline constexpr std::string_view fashion_mnist_folder = "/usr/share/datasets/fashion-mnist";

inline namespace TENON_ISA_NAMESPACE {

/// The images and labels in a folder that holds the four files under their usual names, with or without ".gz". Error,
/// naming the file, if one is missing, damaged or of other sizes.
inline ImageDataset read_fashion_mnist(Subset subset, const std::filesystem::path& folder = fashion_mnist_folder) {
    constexpr std::size_t max_bytes = std::size_t{1} << 28;
    const std::string prefix = subset == Subset::training ? "train" : "t10k";
    std::filesystem::path paths[] = {folder / (prefix + "-images-idx3-ubyte"),
                                     folder / (prefix + "-labels-idx1-ubyte")};
    IdxArray arrays[2];
    for (std::size_t i = 0; i < 2; ++i) {
        if (!std::filesystem::exists(paths[i])) paths[i] += ".gz";
        arrays[i] = parse_idx(read_file_or_gzip(paths[i], max_bytes), paths[i].string());
    }
    ImageDataset dataset = make_image_dataset(std::move(arrays[0]), paths[0].string(), arrays[1], paths[1].string());
    if (dataset.shape != Shape{1, 28, 28})
        throw Error(paths[0].string() + ": expected images of shape [1, 28, 28], found " + to_string(dataset.shape));
    const auto wrong =
        std::ranges::find_if(dataset.labels, [](int label) { return label >= std::ssize(fashion_mnist_classes); });
    if (wrong != dataset.labels.end())
        throw Error(paths[1].string() + ": expected labels from 0 to 9, found " + std::to_string(*wrong));
    return dataset;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
