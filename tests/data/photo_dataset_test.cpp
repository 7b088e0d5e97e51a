#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/data/archives/photo_dataset.hpp>
#include <tenon/data/loader.hpp>
#include <tenon/data/photo_pipeline.hpp>

#include "../support.hpp"
#include "photo_files.hpp"

using tenon::BrokenPhotos;
using tenon::Loader;
using tenon::PhotoDataset;
using tenon_test::contains;
using tenon_test::error_of;

namespace {

/// A batch of photos as bytes.
std::string photo_bytes(const tenon::Batch& batch) {
    const auto text = [](const auto& values) {
        return std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    };
    return text(batch.images) + "|" + text(batch.labels);
}

/// All batches of the epochs 0 and 1.
template <class Source>
std::vector<std::string> two_epochs(Source& source) {
    std::vector<std::string> batches;
    for (long epoch = 0; epoch < 2; ++epoch)
        for (long index = 0; index < source.batches(); ++index)
            batches.push_back(photo_bytes(source.batch(epoch, index)));
    return batches;
}

const tenon::Pipeline photo_steps{tenon::RandomResizedCrop{.height = 10, .width = 9}, tenon::RandomFlip{},
                                  tenon::Normalize{tenon::imagenet_mean, tenon::imagenet_deviation}};

static_assert(tenon::detail::LoadableDataset<PhotoDataset> && tenon::detail::LoadableDataset<tenon::ImageDataset>);
static_assert(!tenon::detail::LoadableDataset<tenon::ImageFolder>);
// A loader keeps a reference.
static_assert(!std::is_constructible_v<Loader<tenon::Pipeline<tenon::Normalize>, PhotoDataset>, PhotoDataset,
                                       tenon::Pipeline<tenon::Normalize>>);

}  // namespace

TEST_CASE("the data sets' means and deviations have names") {
    CHECK(tenon::imagenet_mean == tenon::torchvision_imagenet.mean);
    CHECK(tenon::imagenet_deviation == tenon::torchvision_imagenet.standard_deviation);
    CHECK(tenon::fashion_mnist_mean[0] == tenon::fashion_mnist_preprocessing.mean[0]);
    CHECK(tenon::fashion_mnist_deviation[0] == tenon::fashion_mnist_preprocessing.standard_deviation[0]);
}

TEST_CASE("batches of photos equal those of photos in memory bit for bit, with any threads, prefetch and cache") {
    const tenon_test::TemporaryFolder folder;
    const auto list = tenon::list_image_folder(tenon_test::write_photos(folder.file("photos"), {7, 9, 4}));
    const tenon::ImageDataset memory = read_image_folder(list, {.resize = 16, .height = 15, .width = 17});
    Loader from_memory{memory, photo_steps, {.batch_size = 6, .seed = 5}};
    const std::vector<std::string> expected = two_epochs(from_memory);
    REQUIRE(expected.size() == 8);
    CHECK(expected[0] != expected[4]);
    for (const std::size_t cache : {0UL, 5000UL, 1UL << 20})
        for (const int threads : {1, 2, 4}) {
            const PhotoDataset photos{list, {.resize = 16, .height = 15, .width = 17, .cache_bytes = cache}};
            Loader loader{
                photos, photo_steps, {.batch_size = 6, .seed = 5, .threads = threads, .prefetch = threads - 1}};
            CHECK(loader.shape() == tenon::Shape{3, 10, 9});
            CHECK(two_epochs(loader) == expected);
            CHECK(photos.cached_bytes() <= cache);
            // The second epoch decodes what isn't kept. (The third has begun.)
            if (cache == 1UL << 20) CHECK(photos.decoded() == 20);
            if (cache == 0) CHECK(photos.decoded() >= 40);
        }
}

TEST_CASE("photos of their own ratio are cropped from all of the photo, alike for any threads and after a resume") {
    const tenon_test::TemporaryFolder folder;
    const std::string path = tenon_test::write_photos(folder.file("photos"), {8, 8});
    const PhotoDataset photos{path, {.resize = 12, .cache_bytes = 4000}};
    CHECK(photos.size() == 16);
    CHECK(photos.classes() == std::vector<std::string>{"c0", "c1"});
    tenon::Picture picture;
    photos.read(1, picture);  // 23 x 22 pixels
    CHECK(picture.shape == tenon::Shape{3, 12, 12});
    photos.read(3, picture);  // 29 x 30 pixels
    CHECK(picture.shape == tenon::Shape{3, 12, 12});
    photos.read(5, picture);  // 20 x 38 pixels
    CHECK(picture.shape == tenon::Shape{3, 12, 22});

    Loader one{photos, photo_steps, {.batch_size = 5, .seed = 2, .prefetch = 0}};
    const std::vector<std::string> expected = two_epochs(one);
    Loader four{photos, photo_steps, {.batch_size = 5, .seed = 2, .threads = 4, .prefetch = 3}};
    CHECK(two_epochs(four) == expected);
    // What a killed run goes on with: everything new, from the middle of an epoch.
    const PhotoDataset again{path, {.resize = 12, .cache_bytes = 0}};
    Loader resumed{again, photo_steps, {.batch_size = 5, .seed = 2, .threads = 2}};
    for (const long index : {2L, 3L})
        CHECK(photo_bytes(resumed.batch(1, index)) == expected[static_cast<std::size_t>(4 + index)]);

    // A crop of the photo in the middle of which the middle was not cut out before.
    const tenon::Image whole = tenon::detail::resize_shorter_side(tenon::read_image(photos.files().files[5]), 12);
    Loader wide{photos,
                tenon::Pipeline{tenon::CenterCrop{12, 12}, tenon::Normalize{.scale = 1}},
                {.batch_size = 16, .shuffle = false}};
    const auto batch = wide.batch(0, 0);
    for (int x = 0; x < 12; ++x)
        CHECK(batch.images[static_cast<std::size_t>(5 * 432 + x)] ==
              static_cast<float>(whole.row(0)[static_cast<std::size_t>(3 * (x + 5))]));
}

TEST_CASE("photos that are evaluated equal what preprocess makes of them") {
    const tenon_test::TemporaryFolder folder;
    const std::string path = tenon_test::write_photos(folder.file("photos"), {6, 6});
    std::filesystem::copy_file(tenon_test::source_file("tests/image/files/full_chroma.jpg"), path + "/c0/z.jpg");
    tenon::Preprocessing small = tenon::torchvision_imagenet, caffe = tenon::keras_caffe_imagenet, grey = small,
                         stored = small, stretched = small;
    grey.channels = 1;
    grey.crop_offset = tenon::Rounding::down;
    grey.longer_side = tenon::Rounding::nearest;
    grey.filter = tenon::ResizeFilter::bicubic;
    small.resize = caffe.resize = grey.resize = 17;
    stored.resize = 0;  // smaller and larger than what is cut out
    stored.crop_offset = tenon::Rounding::down;
    stretched.stretch = true;
    for (tenon::Preprocessing reading : {small, caffe, grey, stored, stretched}) {
        reading.crop_height = 14;
        reading.crop_width = 11;
        const tenon::PhotoOptions options = photo_options(reading);
        const PhotoDataset photos{path, options};
        Loader loader{photos, plain_pipeline(reading), {.batch_size = 13, .shuffle = false}};
        const auto batch = loader.batch(0, 0);
        for (std::size_t i = 0; i < photos.size(); ++i)
            CHECK(tenon_test::same_bytes(
                batch.images.subspan(i * reading.elements(), reading.elements()),
                preprocess(tenon::read_image(photos.files().files[i], options.decode), reading)));
        Loader augmented{photos, augmented_pipeline(reading, 0.5), {.batch_size = 13}};
        CHECK(augmented.shape() == tenon::Shape{reading.channels, 14, 11});
    }
    small.resize = -1;
    CHECK(contains(error_of([&] { photo_options(small); }), "found resize = -1"));
}

TEST_CASE("the cache never takes more than its bytes, however many photos a folder has") {
    const tenon_test::TemporaryFolder folder;
    constexpr std::size_t photo = 8 * 8 * 3 + sizeof(tenon::Image), limit = 10 * photo + 7;
    for (const int count : {40, 400}) {
        const std::string path = folder.file(std::to_string(count));
        for (int i = 0; i < count; ++i)
            tenon_test::write_png(path + "/c" + std::to_string(i % 2) + "/" + std::to_string(i) + ".png",
                                  tenon_test::noisy_image(8, 8, i, static_cast<std::uint64_t>(i)));
        const PhotoDataset photos{path, {.resize = 8, .height = 8, .width = 8, .cache_bytes = limit}};
        std::atomic<bool> reading = true;
        std::size_t largest = 0;
        std::thread watcher([&] {
            while (reading) largest = std::max(largest, photos.cached_bytes());
        });
        std::vector<std::thread> readers;
        for (int reader = 0; reader < 4; ++reader)
            readers.emplace_back([&, reader] {
                tenon::Picture picture;
                for (std::size_t i = 0; i < photos.size(); ++i)
                    photos.read((i + static_cast<std::size_t>(reader)) % photos.size(), picture);
            });
        for (std::thread& reader : readers) reader.join();
        reading = false;
        watcher.join();
        CHECK(largest <= limit);
        CHECK(photos.cached_photos() == 10);
        CHECK(photos.cached_bytes() == 10 * photo);
        // Kept photos are not decoded again, the others are.
        const long before = photos.decoded();
        tenon::Picture picture;
        for (std::size_t i = 0; i < photos.size(); ++i) photos.read(i, picture);
        CHECK(photos.decoded() - before == count - 10);
    }
}

TEST_CASE("a broken photo is named by the batch that needs it, or found in advance") {
    const tenon_test::TemporaryFolder folder;
    const std::string path = tenon_test::write_photos(folder.file("photos"), {6, 4});
    const std::string broken = path + "/c0/102.png", gone = path + "/c1/103.png", reason = broken + ": cannot decode";
    const std::string whole = tenon_test::read_file(broken);
    tenon_test::write_file(broken, whole.substr(0, whole.size() / 2));

    const tenon::PhotoOptions options{.resize = 12, .cache_bytes = 0};
    const PhotoDataset photos{path, options};
    Loader loader{photos, photo_steps, {.batch_size = 2, .shuffle = false, .threads = 2, .prefetch = 3}};
    const std::string first = photo_bytes(loader.batch(0, 0));
    CHECK(contains(error_of([&] { loader.batch(0, 1); }), reason));
    CHECK(contains(error_of([&] { loader.batch(0, 1); }), reason));
    CHECK(loader.batch(0, 2).labels.size() == 2);
    CHECK(photo_bytes(loader.batch(0, 0)) == first);
    std::filesystem::rename(gone, gone + "x");
    CHECK(contains(error_of([&] { loader.batch(1, 4); }), gone + ": "));
    std::filesystem::rename(gone + "x", gone);
    tenon_test::write_file(broken, whole);
    CHECK(loader.batch(1, 4).labels.size() == 2);
    CHECK(loader.batch(0, 1).labels.size() == 2);

    tenon_test::write_file(broken, whole.substr(0, whole.size() / 2));
    tenon::PhotoOptions checking = options;
    checking.broken = BrokenPhotos::check;
    checking.cache_bytes = 1 << 20;
    const std::string found = error_of([&] { PhotoDataset{path, checking}; });
    CHECK(contains(found, path + ": 1 of 10 photos are broken: " + reason));
    checking.broken = BrokenPhotos::leave_out;
    const PhotoDataset rest{path, checking};
    CHECK(rest.size() == 9);
    REQUIRE(rest.broken().size() == 1);
    CHECK(rest.broken()[0].file == broken);
    CHECK(contains(rest.broken()[0].reason, reason));
    CHECK(tenon::detail::class_counts(rest.files()) == std::vector<long>{5, 4});
    CHECK(rest.cached_photos() == 9);
    // What is kept moved along with the positions.
    std::filesystem::rename(broken, broken + "x");
    const PhotoDataset same{path, options};
    Loader one{rest, photo_steps, {.batch_size = 9}}, other{same, photo_steps, {.batch_size = 9}};
    CHECK(photo_bytes(one.batch(0, 0)) == photo_bytes(other.batch(0, 0)));
    CHECK(rest.decoded() == 9);

    // A file that lacks only its end is used, and named.
    CHECK(rest.damaged().empty());
    tenon_test::write_file(broken, whole.substr(0, whole.size() - 12));
    const PhotoDataset endless{path, checking};
    CHECK(endless.size() == 10);
    CHECK(endless.broken().empty());
    REQUIRE(endless.damaged().size() == 1);
    CHECK(endless.damaged()[0].file == broken);
    CHECK(endless.damaged()[0].reason == broken + ": all pixels are there, but the PNG's end is not");
    std::filesystem::remove(broken);

    for (int i = 100; i < 104; ++i)
        tenon_test::write_file(path + "/c1/" + std::to_string(i) + ".png", whole.substr(0, 60));
    CHECK(contains(error_of([&] { PhotoDataset{path, checking}; }), "no photo of the class c1 can be decoded; 4 of 9"));
}

TEST_CASE("what photos cannot be read with is refused") {
    const tenon_test::TemporaryFolder folder;
    const std::string path = tenon_test::write_photos(folder.file("photos"), {2, 2});
    const auto refusal = [&](const tenon::PhotoOptions& options) {
        return error_of([&] { PhotoDataset{path, options}; });
    };
    CHECK(contains(refusal({.resize = -1}), "resized to 1 pixel or more, found -1"));
    CHECK(contains(refusal({.resize = 0}), "found 0; photos as they are stored need a height and width to cut out"));
    CHECK(contains(refusal({.stretch = true}), "expected a height and width to stretch photos to, found none"));
    CHECK(contains(refusal({.height = 4}), "or 0 and 0 for all of them, found 4 x 0"));
    CHECK(contains(error_of([&] { PhotoDataset{tenon::ImageFolder{}}; }), "expected 1 photo or more"));
    CHECK(contains(error_of([&] { PhotoDataset{folder.file("absent")}; }),
                   "expected a folder with a subfolder for each class"));
    const PhotoDataset photos{path, {.resize = 12}};
    CHECK(error_of([&] {
              Loader{photos, tenon::Pipeline{tenon::PadCrop{2}}};
          }) ==
          "a loader of images of several sizes needs a pipeline that makes them one size, by RandomResizedCrop or "
          "CenterCrop, say; this one makes [3, 12, 12] of [3, 12, 12] and [3, 13, 12] of [3, 13, 12]");
    CHECK(contains(error_of([&] { Loader{photos, tenon::Pipeline{tenon::CenterCrop{13, 12}}}; }), "CenterCrop"));
    tenon_test::write_png(path + "/c0/thin.png", tenon_test::noisy_image(1, 60000, 0, 0));
    const PhotoDataset thin{path, {.resize = 60}};
    tenon::Picture picture;
    CHECK(contains(error_of([&] { thin.read(2, picture); }), "thin.png: "));
}
