// The photos of the shared data and how their golden inputs were made.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/image/preprocess.hpp>

#include "../support.hpp"

/// The six photos in the order of the goldens; none, said loudly, if they are absent.
inline std::vector<std::filesystem::path> photo_paths() {
    const std::string folder = tenon_test::optional_data_file("imagenet/photos");
    if (folder.empty()) return {};
    std::vector<std::filesystem::path> photos;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) photos.push_back(entry.path());
    std::ranges::sort(photos);
    REQUIRE(photos.size() == 6);
    return photos;
}

/// As torchvision's, but with the other choice of each rounding.
inline constexpr tenon::Preprocessing golden_preprocessing{.longer_side = tenon::Rounding::nearest,
                                                           .crop_offset = tenon::Rounding::down};
