// The component tenon::image: image files (JPEG, PNG, WebP) and data sets of files and archives. Needs libjpeg,
// libpng and zlib, and for WebP libwebp.
#pragma once

#include <tenon/core/begin_door.hpp>

// IWYU pragma: begin_exports
#include <tenon/data.hpp>
#include <tenon/data/archives/fashion_mnist.hpp>
#include <tenon/data/archives/gzip.hpp>
#include <tenon/data/archives/idx.hpp>
#include <tenon/data/archives/image_folder.hpp>
#include <tenon/data/archives/photo_dataset.hpp>
#include <tenon/image_file.hpp>
// IWYU pragma: end_exports

#include <tenon/core/end_door.hpp>
