// Image files (JPEG, PNG, WebP) and their way into a network: the part of the component tenon::image that a program
// around a network needs, without the data sets of tenon/image.hpp.
#pragma once

#include <tenon/core/begin_door.hpp>

// IWYU pragma: begin_exports
#include <tenon/image/codecs/decode.hpp>
#include <tenon/image/codecs/encode_png.hpp>
#include <tenon/image/image.hpp>
#include <tenon/image/image_view.hpp>
#include <tenon/image/network_preprocessing.hpp>
#include <tenon/image/preprocess.hpp>
#include <tenon/image/preprocessing.hpp>
#include <tenon/image/resize.hpp>
// IWYU pragma: end_exports

#include <tenon/core/end_door.hpp>
