#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// PhotoDataset: photos in files, decoded when they are read, so that a data set may be larger than memory. Part of the
// component tenon::image.
//
//     const PhotoDataset photos{"photos"};                               // a subfolder for each class
//     Loader loader{photos, Pipeline{RandomResizedCrop{}, RandomFlip{}, Normalize{imagenet_mean, imagenet_deviation}},
//                   {.batch_size = 32, .threads = 4, .prefetch = 2}};

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/float_environment.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/shape.hpp>
#include <tenon/data/archives/image_folder.hpp>
#include <tenon/data/parallel.hpp>
#include <tenon/data/photo_cache.hpp>
#include <tenon/data/picture.hpp>
#include <tenon/image/codecs/decode.hpp>
#include <tenon/image/preprocess.hpp>

namespace tenon {

/// What happens when a photo can't be read or decoded.
enum class BrokenPhotos {
    stop,      ///< Reading it throws an Error that names it, possibly in the middle of an epoch.
    check,     ///< All photos are decoded once by the constructor, which throws an Error that names the broken ones.
    leave_out  ///< All photos are decoded once by the constructor; broken ones are left out and listed by broken().
};

/// How photos are read.
struct PhotoOptions {
    int resize = 256;  ///< length of the shorter side of every photo after resizing; 0: as it is stored, with a
                       ///< height and width to cut out
    int height = 0, width = 0;  ///< of the middle that is then cut out (black borders where a photo is smaller); 0:
                                ///< nothing is cut off, and photos keep their ratio of width to height
    bool stretch = false;       ///< instead of `resize`: all of a photo becomes height x width, whatever its ratio
    ResizeFilter filter = ResizeFilter::bilinear;
    Rounding longer_side = Rounding::down;     ///< of resize x longer side / shorter side
    Rounding crop_offset = Rounding::nearest;  ///< of half the pixels that are cut off
    ChannelOrder order = ChannelOrder::rgb;
    DecodeOptions decode{};  ///< color, orientation, damaged files
    BrokenPhotos broken = BrokenPhotos::stop;

    /// Memory for decoded photos, which needn't be decoded again in the next epoch: width x height x 3 bytes each. 0:
    /// none are cached. A folder of any size takes at most this, and a pointer and a name per photo.
    std::size_t cache_bytes = std::size_t{512} << 20;
};

/// A photo that can't be used or is damaged, and why.
struct BrokenPhoto {
    std::filesystem::path file;
    std::string reason;  ///< begins with the file's name
};

inline namespace TENON_ISA_NAMESPACE {

/// The options that read photos as a network's library does: see plain_pipeline in data/photo_pipeline.hpp. Throws
/// tenon::Error when one is out of range.
template <class Once = void>
PhotoOptions photo_options(const Preprocessing& reading) {
    detail::check_preprocessing(reading);
    PhotoOptions options;
    options.resize = reading.resize;
    options.stretch = reading.stretch;
    if (reading.stretch || reading.resize == 0) {
        options.height = reading.crop_height;
        options.width = reading.crop_width;
        options.crop_offset = reading.crop_offset;
    }
    options.filter = reading.filter;
    options.longer_side = reading.longer_side;
    options.order = reading.order;
    options.decode.color = reading.channels == 1 ? Color::gray : Color::rgb;
    return options;
}

/// Photos on disk with a label each, for a Loader, which decodes them in its threads, ahead of the training iteration.
/// Decoded and resized photos are cached, up to `cache_bytes`. May be read by several threads and several loaders at
/// once.
///
/// Law: what `read` gives is a function of file and options, whatever is cached; with a size to cut out it equals
/// read_image_folder's images bit for bit. (test: tests/data/photo_dataset_test.cpp)
class PhotoDataset {
public:
    /// The photos of a folder, or of a part of one (stratified_split). Files are opened when they are read, unless
    /// `broken` says otherwise. Throws tenon::Error when an option is out of range, the folder is empty, or a photo is
    /// broken and `broken` says check; with leave_out, when no photo of a class is left.
    template <class Once = void>
    explicit PhotoDataset(ImageFolder folder, const PhotoOptions& options = {})
        : folder_{std::move(folder)}, options_{options} {
        if (options.resize < (options.height > 0 ? 0 : 1))
            throw Error("expected photos' shorter side to be resized to 1 pixel or more, found " +
                        std::to_string(options.resize) +
                        (options.resize == 0 ? "; photos as they are stored need a height and width to cut out" : ""));
        if ((options.height > 0) != (options.width > 0) || options.height < 0 || options.width < 0)
            throw Error(
                "expected a positive height and width to cut out of photos, or 0 and 0 for all of them, found " +
                std::to_string(options.height) + " x " + std::to_string(options.width));
        if (options.stretch && options.height == 0)
            throw Error("expected a height and width to stretch photos to, found none");
        if (folder_.files.empty() || folder_.files.size() != folder_.labels.size())
            throw Error(folder_.root.string() + ": expected 1 photo or more, with a label each, found " +
                        std::to_string(folder_.files.size()) + " files and " + std::to_string(folder_.labels.size()) +
                        " labels");
        state_ = std::make_unique<State>(folder_.files.size(), options.cache_bytes);
        if (options.broken != BrokenPhotos::stop) find_broken();
    }
    /// The photos of all classes of a folder, as list_image_folder finds them. Throws tenon::Error as above and as
    /// list_image_folder does.
    template <class Once = void>
    explicit PhotoDataset(const std::filesystem::path& folder, const PhotoOptions& options = {})
        : PhotoDataset(list_image_folder(folder), options) {}

    /// The number of photos.
    std::size_t size() const { return folder_.files.size(); }
    /// The names of the classes; labels are positions in them.
    const std::vector<std::string>& classes() const { return folder_.classes; }
    /// The class of photo `index`.
    int label(std::size_t index) const { return folder_.labels[index]; }
    /// The files that are used, their labels, and what the listing skipped.
    const ImageFolder& files() const { return folder_; }
    /// The photos that were left out (BrokenPhotos::leave_out).
    const std::vector<BrokenPhoto>& broken() const { return broken_; }
    /// The photos that are used although something is wrong with them, such as a JPEG without its end; found where all
    /// photos are decoded by the constructor.
    const std::vector<BrokenPhoto>& damaged() const { return damaged_; }

    /// The number of cached photos, the bytes that they take (at most cache_bytes), and how often a file was decoded.
    std::size_t cached_photos() const { return state_->cache.photos(); }
    std::size_t cached_bytes() const { return state_->cache.bytes(); }
    long decoded() const { return state_->decoded.load(); }

    /// Examples of the photos' shapes: the only one, or if nothing is cut out a square, a portrait and a landscape one.
    template <class Once = void>
    std::vector<Shape> shapes() const {
        const int channels = options_.decode.color == Color::rgb ? 3 : 1, side = options_.resize;
        if (options_.height > 0) return {{channels, options_.height, options_.width}};
        return {{channels, side, side}, {channels, side + 1, side}, {channels, side, side + 1}};
    }

    /// Photo `index`, resized and cut, samples from 0 to 255. Throws tenon::Error, naming the file, when it is broken
    /// or absent.
    template <class Once = void>
    void read(std::size_t index, Picture& picture) const {
        if (const Image* const cached = state_->cache.find(index)) return write(*cached, picture);
        Image photo = decode(index);
        write(photo, picture);
        state_->cache.keep(index, std::move(photo));
    }

private:
    struct State {
        State(std::size_t photos, std::size_t bytes) : cache(photos, bytes) {}
        detail::PhotoCache cache;
        std::atomic<long> decoded = 0;
    };

    template <class Once = void>
    Image decode(std::size_t index, std::string* warning = nullptr) const {
        const std::filesystem::path& file = folder_.files[index];
        Image photo = read_image(file, options_.decode, warning);
        state_->decoded.fetch_add(1, std::memory_order_relaxed);
        try {
            if (options_.stretch)
                photo = resize(photo, options_.height, options_.width, options_.filter);
            else if (options_.resize > 0)
                photo = detail::resize_shorter_side(photo, options_.resize, options_.filter, options_.longer_side);
        } catch (const Error& error) {
            throw Error(file.string() + ": " + error.what());
        }
        if (options_.height > 0 && !options_.stretch)
            photo = center_crop(photo, options_.height, options_.width, options_.crop_offset);
        return photo;
    }

    /// Copies a photo's samples, which are pixel by pixel, into a picture, channel by channel.
    template <class Once = void>
    void write(const Image& photo, Picture& picture) const {
        const auto channels = detail::index(photo.channels());
        picture.reshape({photo.channels(), photo.height(), photo.width()});
        const std::uint8_t* const pixels = photo.pixels().data();
        const std::size_t plane = photo.pixels().size() / channels;
        for (std::size_t channel = 0; channel < channels; ++channel) {
            const std::size_t source = options_.order == ChannelOrder::rgb ? channel : channels - 1 - channel;
            float* const target = picture.samples.data() + channel * plane;
            for (std::size_t i = 0; i < plane; ++i) target[i] = pixels[i * channels + source];
        }
    }

    /// Decodes all photos on all cores; then throws, or leaves out the broken ones.
    template <class Once = void>
    void find_broken() {
        std::vector<std::optional<std::string>> reasons(size());
        std::vector<std::string> warnings(size());
        const detail::FloatEnvironment environment = detail::FloatEnvironment::current();
        tbb::parallel_for(std::size_t{0}, size(), [&](std::size_t i) {
            const detail::InFloatEnvironment of_caller{environment};
            try {
                state_->cache.keep(i, decode(i, &warnings[i]));
            } catch (const Error& error) {
                reasons[i] = error.what();
            }
        });
        ImageFolder good{.classes = folder_.classes,
                         .files = {},
                         .labels = {},
                         .root = folder_.root,
                         .skipped = std::move(folder_.skipped)};
        std::vector<std::size_t> positions;
        for (std::size_t i = 0; i < size(); ++i) {
            if (reasons[i]) {
                broken_.push_back({folder_.files[i], *reasons[i]});
            } else {
                positions.push_back(i);
                if (!warnings[i].empty()) damaged_.push_back({folder_.files[i], warnings[i]});
                good.files.push_back(std::move(folder_.files[i]));
                good.labels.push_back(folder_.labels[i]);
            }
        }
        const auto what = [&](std::size_t photos) {
            std::string text =
                std::to_string(broken_.size()) + " of " + std::to_string(photos) + " photos are broken: ";
            for (std::size_t i = 0; i < std::min<std::size_t>(broken_.size(), 5); ++i)
                text += (i > 0 ? "; " : "") + broken_[i].reason;
            return text + (broken_.size() > 5 ? "; ..." : "");
        };
        if (!broken_.empty() && options_.broken == BrokenPhotos::check)
            throw Error(good.root.string() + ": " + what(size()));
        const std::vector<long> before = detail::class_counts(folder_), left = detail::class_counts(good);
        for (std::size_t label = 0; label < left.size(); ++label)
            if (left[label] == 0 && before[label] > 0)
                throw Error(good.root.string() + ": no photo of the class " + good.classes[label] +
                            " can be decoded; " + what(size()));
        state_->cache.keep_only(positions);
        folder_ = std::move(good);
    }

    ImageFolder folder_;
    PhotoOptions options_;
    std::vector<BrokenPhoto> broken_, damaged_;
    std::unique_ptr<State> state_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
