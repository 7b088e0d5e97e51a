#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// The steps between photos and a network, as in the network's library.
//
//     constexpr Preprocessing reading = preprocessing_of<ResNet18<5>>;
//     const PhotoDataset photos{"photos", photo_options(reading)};       // data/archives/photo_dataset.hpp
//     Loader training{photos, augmented_pipeline(reading), {.batch_size = 32}};
//     Loader validation{photos, plain_pipeline(reading), {.batch_size = 32, .shuffle = false}};

#include <tenon/core/isa.hpp>
#include <tenon/data/pipeline.hpp>
#include <tenon/image/preprocessing.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// The pipeline that torchvision trains with: a random part of the photo, resized to what the network reads, flipped at
/// random and normalized. `min_area` is the smallest share of a photo's area that is cut out: 0.08 for millions of
/// photos, more for few.
inline Pipeline<RandomResizedCrop, RandomFlip, Normalize> augmented_pipeline(const Preprocessing& reading,
                                                                             double min_area = 0.08) {
    return {
        RandomResizedCrop{
            .height = reading.crop_height, .width = reading.crop_width, .min_area = min_area, .filter = reading.filter},
        RandomFlip{}, Normalize{reading.mean, reading.standard_deviation, reading.scale}};
}

/// The pipeline for evaluation: the middle of the photo, normalized.
///
/// Law: with a PhotoDataset of options = photo_options(reading) the floats equal
/// preprocess(read_image(file, options.decode), reading) bit for bit, so that a program that uses the network sees what
/// training saw. (test: tests/data/photo_dataset_test.cpp)
inline Pipeline<CenterCrop, Normalize> plain_pipeline(const Preprocessing& reading) {
    return {CenterCrop{reading.crop_height, reading.crop_width, reading.crop_offset},
            Normalize{reading.mean, reading.standard_deviation, reading.scale}};
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
