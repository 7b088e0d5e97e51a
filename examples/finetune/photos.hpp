// The photos that a network is fine-tuned with: a folder with a subfolder for each class, a part of each held out.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/data/image_folder.hpp>
#include <tenon/data/sample_draws.hpp>

/// Where photos come from.
struct PhotoOptions {
    std::string folder;
    std::string validation;  ///< a folder of its own to validate on, with the same classes; empty: a part of `folder`
    double hold_out = 0.2;   ///< share of each class of `folder` to validate on, if there is no other folder
    std::uint64_t seed = 1;  ///< of the photos that are held out
};

/// The files to train with and to validate on.
struct PhotoFiles {
    tenon::ImageFolder training, validation;
};

/// Holds out a share of the files of each class, at least one and not all, so that no class is missing on either side.
inline PhotoFiles hold_out(const tenon::ImageFolder& all, double share, std::uint64_t seed, const std::string& folder) {
    PhotoFiles parts;
    parts.training.classes = parts.validation.classes = all.classes;
    std::size_t first = 0;
    for (std::size_t label = 0; label < all.classes.size(); ++label) {
        std::size_t last = first;
        while (last < all.labels.size() && all.labels[last] == static_cast<int>(label)) ++last;
        const std::size_t count = last - first;
        if (count < 2)
            throw tenon::Error(folder + ": expected at least 2 photos of each class, one to train with and one to " +
                               "validate on, found 1 of the class " + all.classes[label]);
        const auto held_out = std::clamp<std::size_t>(
            static_cast<std::size_t>(std::llround(share * static_cast<double>(count))), 1, count - 1);
        std::vector<bool> is_held_out(count);
        const auto order = tenon::permutation(count, seed, tenon::hash_name("validation") + label);
        for (std::size_t i = 0; i < held_out; ++i) is_held_out[order[i]] = true;
        for (std::size_t i = 0; i < count; ++i) {
            tenon::ImageFolder& part = is_held_out[i] ? parts.validation : parts.training;
            part.files.push_back(all.files[first + i]);
            part.labels.push_back(all.labels[first + i]);
        }
        first = last;
    }
    return parts;
}

/// Lists the photos. tenon::Error if there are fewer than two classes or more than `most_classes`, if the folders'
/// classes differ, or as list_image_folder.
inline PhotoFiles list_photos(const PhotoOptions& options, int most_classes) {
    const tenon::ImageFolder all = tenon::list_image_folder(options.folder);
    const std::size_t classes = all.classes.size();
    if (classes < 2)
        throw tenon::Error(options.folder + ": expected a subfolder for each of at least 2 classes, found only " +
                           all.classes[0]);
    if (classes > static_cast<std::size_t>(most_classes))
        throw tenon::Error(options.folder + ": expected at most " + std::to_string(most_classes) + " classes, found " +
                           std::to_string(classes) +
                           "; compile finetune with -DTENON_FINETUNE_CLASSES=" + std::to_string(classes) + " or more");
    if (options.validation.empty()) return hold_out(all, options.hold_out, options.seed, options.folder);
    PhotoFiles parts{all, tenon::list_image_folder(options.validation)};
    for (const std::string& name : parts.validation.classes)
        if (!std::ranges::binary_search(all.classes, name))
            throw tenon::Error(options.validation + ": expected the classes of " + options.folder + ", found " + name +
                               " besides");
    if (parts.validation.classes.size() != classes)
        throw tenon::Error(options.validation + ": expected the " + std::to_string(classes) + " classes of " +
                           options.folder + ", found " + std::to_string(parts.validation.classes.size()) + " of them");
    return parts;
}
