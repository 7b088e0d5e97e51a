#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// The image files in a folder and the folders in it: one rule for data sets and for programs.

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/image/codecs/decode_options.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// What a folder holds.
struct ImageListing {
    std::vector<std::filesystem::path> files;  ///< folder by folder, in a folder in the order of their names' bytes

    /// What was skipped and how often: see ImageFolder::skipped.
    std::map<std::string, long> skipped;

    /// Folders that can't be listed, and why: a sentence that begins with the folder's name.
    std::vector<std::pair<std::filesystem::path, std::string>> problems;
};

inline bool is_hidden(const std::filesystem::path& path) { return path.filename().string().starts_with('.'); }

/// A file's ending in lower case, with its dot; "no ending" where there is none.
template <class Once = void>
std::string ending_of(const std::filesystem::path& path) {
    std::string text = path.extension().string();
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text.empty() ? "no ending" : text;
}

/// Whether a file's name says that it can be decoded: .jpg, .jpeg, .png or, with libwebp, .webp, in upper or lower
/// case.
template <class Once = void>
bool is_image_name(const std::filesystem::path& path) {
    const std::string ending = ending_of(path);
    return ending == ".jpg" || ending == ".jpeg" || ending == ".png" || (reads_webp && ending == ".webp");
}

/// Lists a folder and those in it, to any depth. Hidden files and folders are skipped: macOS, Jupyter and others leave
/// copies there. Links to folders are followed, as by torchvision's ImageFolder, except where they lead back: to a
/// folder listed before, or to one that holds `root`.
template <class Once = void>
ImageListing list_images(const std::filesystem::path& root) {
    namespace fs = std::filesystem;
    ImageListing listing;
    std::set<fs::path> listed;
    std::error_code failed;
    for (fs::path above = fs::canonical(root, failed).parent_path(); !failed && listed.insert(above).second;)
        above = above.parent_path();
    // Real folders are listed before links, so that a folder is found under its own name.
    std::vector<fs::path> folders{root}, links;
    while (!folders.empty() || !links.empty()) {
        std::vector<fs::path>& source = folders.empty() ? links : folders;
        const fs::path folder = std::move(source.back());
        source.pop_back();
        std::error_code error;
        const fs::path real = fs::canonical(folder, error);
        if (!error && !listed.insert(real).second) {
            ++listing.skipped["link that leads back"];
            continue;
        }
        std::vector<fs::path> found_links;
        for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
            const fs::path& path = entry->path();
            std::error_code unknown;  // such an entry is no file
            if (is_hidden(path))
                ++listing.skipped["hidden"];
            else if (entry->is_directory(unknown))
                (entry->is_symlink(unknown) ? found_links : folders).push_back(path);
            else if (!entry->is_regular_file(unknown))
                ++listing.skipped["not a file"];  // a link that leads nowhere, a pipe
            else if (is_image_name(path))
                listing.files.push_back(path);
            else
                ++listing.skipped[ending_of(path)];
        }
        std::ranges::sort(found_links, std::ranges::greater{});  // the first by name is taken first
        links.insert(links.begin(), found_links.begin(), found_links.end());
        if (error)
            listing.problems.emplace_back(folder, folder.string() + ": cannot list the folder: " + error.message());
    }
    // The order of torchvision: by folder, then by name.
    std::ranges::sort(listing.files, {}, [](const fs::path& path) {
        return std::pair(path.parent_path().string(), path.filename().string());
    });
    std::ranges::sort(listing.problems);
    return listing;
}

/// What was skipped, as text: `12 hidden, 3 .bmp`; empty when nothing was.
template <class Once = void>
std::string skipped_text(const std::map<std::string, long>& skipped) {
    std::string text;
    for (const auto& [kind, count] : skipped) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + kind;
    return text;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail

namespace tenon::programs {

/// The image files in a folder, what was skipped there, and folders that can't be listed.
using detail::ImageListing;
/// Lists the image files in a folder and those in it, to any depth.
using detail::list_images;
/// What was skipped, as text: `12 hidden, 3 .bmp`.
using detail::skipped_text;

}  // namespace tenon::programs
