// Data sets, loaders, augmentation, and the preprocessing of images.
#pragma once

// IWYU pragma: begin_exports
#include <tenon/data/datasets/cifar.hpp>
#include <tenon/data/loader.hpp>
#include <tenon/data/photo_pipeline.hpp>
#include <tenon/data/pipeline.hpp>
#include <tenon/data/split.hpp>
#include <tenon/data/statistics.hpp>
#include <tenon/image/image.hpp>
#include <tenon/image/network_preprocessing.hpp>
#include <tenon/image/preprocess.hpp>
#include <tenon/image/resize.hpp>
// IWYU pragma: end_exports
