// The options of the command line that say how image files are decoded.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include <CLI/CLI.hpp>

#include <tenon/image.hpp>

inline void add_decoding_options(CLI::App& app, tenon::DecodeOptions& options) {
    app.add_flag("--exif", options.exif_orientation,
                 "Turn photos as their camera says (EXIF, XMP); networks learned from photos as stored");
    app.add_flag("--accept-damaged", options.accept_damaged,
                 "Decode damaged or truncated files as far as possible, with a warning");
    app.add_option_function<std::int64_t>(
           "--max-pixels",
           [&options](std::int64_t pixels) {
               options.max_pixels = pixels;
               // No file of an image needs more: 4 channels of 8 bits that couldn't be compressed.
               options.max_file_bytes = std::max(options.max_file_bytes, static_cast<std::size_t>(pixels) * 4);
           },
           "Images of more pixels are refused")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40))
        ->default_str(std::to_string(options.max_pixels));
}
