// Data sets, loaders, augmentation, and the preprocessing of images.
#pragma once

#include <tenon/core/begin_door.hpp>

// IWYU pragma: begin_exports
#include <tenon/data/augment/views.hpp>
#include <tenon/data/datasets/cifar.hpp>
#include <tenon/data/loader.hpp>
#include <tenon/data/photo_pipeline.hpp>
#include <tenon/data/pipeline.hpp>
#include <tenon/data/split.hpp>
#include <tenon/data/statistics.hpp>
#include <tenon/image/image.hpp>
#include <tenon/image/image_view.hpp>
#include <tenon/image/network_preprocessing.hpp>
#include <tenon/image/preprocess.hpp>
#include <tenon/image/preprocessing.hpp>
#include <tenon/image/resize.hpp>
// IWYU pragma: end_exports

#include <tenon/core/end_door.hpp>
