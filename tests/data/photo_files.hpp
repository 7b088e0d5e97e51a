// Small photos that tests write: PNG files of a color with noise on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <png.h>

#include <tenon/core/random.hpp>
#include <tenon/image/image.hpp>

namespace tenon_test {

/// An image whose noise is a function of `seed`; channel `label` % 3 is bright.
inline tenon::Image noisy_image(int height, int width, int label, std::uint64_t seed) {
    tenon::Image image(height, width, 3);
    for (std::size_t i = 0; i < image.pixels().size(); ++i)
        image.pixels()[i] = static_cast<std::uint8_t>(tenon::detail::random_bits(seed, 7, i) % 60 +
                                                      (static_cast<int>(i % 3) == label % 3 ? 190 : 0));
    return image;
}

inline void write_png(const std::string& path, const tenon::Image& image) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.width = static_cast<png_uint_32>(image.width());
    png.height = static_cast<png_uint_32>(image.height());
    png.format = PNG_FORMAT_RGB;
    if (png_image_write_to_file(&png, path.c_str(), 0, image.pixels().data(), 0, nullptr) == 0)
        throw std::runtime_error(path + ": " + png.message);
}

/// Writes `counts[i]` photos of class i, called c0, c1, ..., of several sizes, into a folder; returns its name.
inline std::string write_photos(const std::string& folder, const std::vector<int>& counts) {
    std::uint64_t seed = 0;
    for (std::size_t label = 0; label < counts.size(); ++label)
        for (int i = 0; i < counts[label]; ++i, ++seed)
            write_png(folder + "/c" + std::to_string(label) + "/" + std::to_string(100 + i) + ".png",
                      noisy_image(20 + static_cast<int>(seed % 5) * 3, 18 + static_cast<int>(seed % 7) * 4,
                                  static_cast<int>(label), seed));
    return folder;
}

}  // namespace tenon_test
