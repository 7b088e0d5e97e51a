// The files of this folder and the hashes of their pixels, written by make_files.py.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/image/image.hpp>

inline std::filesystem::path file_path(const std::string& name) {
    return std::filesystem::path(TENON_SOURCE_DIR) / "tests/image/files" / name;
}

/// FNV-1a, 64 bits, over all samples.
inline std::string hash(const tenon::Image& image) {
    std::uint64_t value = 0xCBF29CE484222325;
    for (const std::uint8_t sample : image.pixels()) value = (value ^ sample) * 0x100000001B3;
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
    return text;
}

/// The words of each line of a text file, which must have lines.
inline std::vector<std::vector<std::string>> read_table(const std::string& name) {
    std::ifstream file(file_path(name));
    std::vector<std::vector<std::string>> table;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        table.emplace_back();
        for (std::string word; words >> word;) table.back().push_back(word);
    }
    REQUIRE_FALSE(table.empty());
    return table;
}

/// A PPM file as PIL writes it: "P6", width, height, 255, samples.
inline tenon::Image read_ppm(const std::string& name) {
    std::ifstream file(file_path(name), std::ios::binary);
    std::string magic;
    int width = 0;
    int height = 0;
    int largest = 0;
    file >> magic >> width >> height >> largest;
    file.get();
    REQUIRE(magic == "P6");
    tenon::Image image(height, width, 3);
    file.read(reinterpret_cast<char*>(image.pixels().data()), static_cast<std::streamsize>(image.pixels().size()));
    REQUIRE(file);
    return image;
}

/// How many samples differ; -1 if the sizes do.
inline int count_differences(const tenon::Image& a, const tenon::Image& b) {
    if (a.height() != b.height() || a.width() != b.width() || a.channels() != b.channels()) return -1;
    int count = 0;
    for (std::size_t i = 0; i < a.pixels().size(); ++i) count += a.pixels()[i] != b.pixels()[i];
    return count;
}
