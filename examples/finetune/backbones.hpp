// The networks that can be fine-tuned, as functions: the user chooses the network and the number of classes when the
// program runs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/data.hpp>
#include <tenon/distributed.hpp>

#include "../common/preprocessing_options.hpp"
#include "photos.hpp"

/// The maximum of classes that photos may have. The networks are compiled with that many; those that the photos don't
/// need are closed (tenon/weights/spare_classes.hpp) and are not in the saved weights.
#ifndef TENON_FINETUNE_CLASSES
#define TENON_FINETUNE_CLASSES 1000
#endif
inline constexpr int max_classes = TENON_FINETUNE_CLASSES;

/// The command line of a training.
struct TrainingOptions : PhotoSource {
    std::string model = "resnet50";
    std::string weights;
    std::string key;               ///< of a checkpoint's entry that holds them; empty: one that fits
    bool allow_undefined = false;  ///< whether these weights may be infinite or NaN
    std::string output = "finetuned";
    int epochs = 30;            ///< of the classifier
    double rate = 0.001;        ///< of the classifier
    int passes = 1;             ///< over the photos whose features are computed; augmented if more than one
    int unfreeze = 0;           ///< epochs of the whole network afterwards
    double whole_rate = 0.002;  ///< of the whole network, at its peak
    int batch_size = 32;
    int threads = 0;
    long steps = 0;  ///< of the whole network
    double checkpoint_minutes = 5;
    bool resume = false;
    int plateau = 0;       ///< epochs, of the whole network; 0: a rate that rises and falls
    bool balance = false;  ///< whether the whole network sees equally many photos of each class
    double jitter = 0;     ///< of brightness, contrast and saturation
    int rand_augment = 0;  ///< magnitude; 0: none
    PreprocessingOptions preprocessing{};
    int shards = 0;
    tenon::distributed::World world{};  ///< the processes that train together
    std::string command;
};

/// A network with weights for another task.
struct Backbone {
    std::string_view name;
    const tenon::Preprocessing* preprocessing;
    /// Trains on photos and writes weights, logs and plots. Returns the program's exit status, not 0 when a signal
    /// stopped it. Throws tenon::Error when a file is wrong.
    int (*fine_tune)(const Backbone&, const TrainingOptions&);
    /// The logits of images, with the options' weights, which fine_tune wrote for `classes` classes with a
    /// preprocessing.
    std::vector<std::vector<float>> (*predict)(const TrainingOptions& options, int classes,
                                               std::span<const tenon::Image> images,
                                               const tenon::Preprocessing& preprocessing);
};

std::span<const Backbone> backbones();

/// Throws tenon::Error when there is none of this name.
const Backbone& find_backbone(std::string_view name);
