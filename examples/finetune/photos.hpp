// The photos that a network is fine-tuned with: a folder with a subfolder for each class, a part of each held out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include <tenon/image.hpp>
#include <tenon/network.hpp>

/// The photos and how they are split.
struct PhotoSource {
    std::string folder;
    std::string validation;  ///< a folder of its own to validate on, with the same classes; empty: a part of `folder`
    double hold_out = 0.2;   ///< share of each class of `folder` to validate on, if `validation` is empty
    std::uint64_t seed = 1;  ///< of the draw of held-out photos

    tenon::DecodeOptions decoding{};
    bool skip_broken = false;     ///< whether photos that can't be decoded are left out instead of refused
    long cache_megabytes = 1024;  ///< memory for decoded photos, for each of the two parts
};

/// Lists the photos. Throws tenon::Error when there are fewer than two classes or more than `max_classes`, when the
/// folders' classes differ, and as list_image_folder and stratified_split do.
inline tenon::FolderSplit list_photos(const PhotoSource& options, int max_classes) {
    const auto list = [](const std::string& folder) {
        tenon::ImageFolder listed = tenon::list_image_folder(folder);
        if (!listed.skipped.empty())
            std::printf("%s: skipped %s\n", folder.c_str(), tenon::programs::skipped_text(listed.skipped).c_str());
        return listed;
    };
    const tenon::ImageFolder all = list(options.folder);
    const std::size_t classes = all.classes.size();
    if (classes < 2)
        throw tenon::Error(options.folder + ": expected a subfolder for each of at least 2 classes, found only " +
                           all.classes[0]);
    if (classes > static_cast<std::size_t>(max_classes))
        throw tenon::Error(options.folder + ": expected at most " + std::to_string(max_classes) + " classes, found " +
                           std::to_string(classes) +
                           "; compile finetune with -DTENON_FINETUNE_CLASSES=" + std::to_string(classes) + " or more");
    if (options.validation.empty()) return tenon::stratified_split(all, options.hold_out, options.seed);
    tenon::FolderSplit parts{all, list(options.validation)};
    for (const std::string& name : parts.validation.classes)
        if (!std::ranges::binary_search(all.classes, name))
            throw tenon::Error(options.validation + ": expected the classes of " + options.folder + ", found " + name +
                               " besides");
    if (parts.validation.classes.size() != classes)
        throw tenon::Error(options.validation + ": expected the " + std::to_string(classes) + " classes of " +
                           options.folder + ", found " + std::to_string(parts.validation.classes.size()) + " of them");
    return parts;
}
