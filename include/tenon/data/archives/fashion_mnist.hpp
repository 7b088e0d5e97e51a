#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// Fashion-MNIST: 60,000 training and 10,000 test gray images of clothes in 10 classes, 28 x 28 pixels (Xiao et al.
// 2017, arXiv 1708.07747). Debian's package dataset-fashion-mnist contains it. Part of the component tenon::image
// (zlib).

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
#include <tenon/data/archives/gzip.hpp>
#include <tenon/data/archives/idx.hpp>
#include <tenon/data/datasets/image_dataset.hpp>
#include <tenon/image/preprocessing.hpp>

namespace tenon {

/// The names of the classes 0 to 9.
inline constexpr std::array<std::string_view, 10> fashion_mnist_classes = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};

namespace detail {

/// The folder into which Debian's package installs the files.
inline constexpr std::string_view fashion_mnist_folder = "/usr/share/datasets/fashion-mnist";

}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// The images and labels in a folder that holds the four files under their usual names, with or without ".gz". Throws
/// tenon::Error, naming the file, when one is missing, damaged or has other sizes.
template <class Once = void>
ImageDataset read_fashion_mnist(Subset subset, const std::filesystem::path& folder = detail::fashion_mnist_folder) {
    constexpr std::size_t max_bytes = std::size_t{1} << 28;
    const std::string prefix = subset == Subset::training ? "train" : "t10k";
    std::filesystem::path paths[] = {folder / (prefix + "-images-idx3-ubyte"),
                                     folder / (prefix + "-labels-idx1-ubyte")};
    detail::IdxArray arrays[2];
    for (std::size_t i = 0; i < 2; ++i) {
        if (!std::filesystem::exists(paths[i])) paths[i] += ".gz";
        arrays[i] = detail::parse_idx(detail::read_file_or_gzip(paths[i], max_bytes), paths[i].string());
    }
    ImageDataset dataset =
        detail::make_image_dataset(std::move(arrays[0]), paths[0].string(), arrays[1], paths[1].string());
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

namespace tenon::programs {

/// The folder into which Debian's package installs Fashion-MNIST.
using detail::fashion_mnist_folder;

}  // namespace tenon::programs
