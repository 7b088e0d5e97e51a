// Augmentations by hand: colors, rotations, RandAugment, CutMix, versions to test with; balanced classes.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/data/augment/views.hpp>
#include <tenon/data/loader.hpp>

#include "../support.hpp"

using namespace tenon::augmentations;
using tenon_test::contains;
using tenon_test::error_of;

namespace {

using Samples = std::vector<float>;

/// A step's result for an image.
template <class Step>
Samples after(const Step& step, const tenon::Shape& shape, Samples samples, long sample = 0) {
    tenon::Picture picture{shape, std::move(samples)}, spare;
    step.apply(picture, spare, tenon::detail::SampleDraws(1, 0, sample).for_purpose(Step::purpose));
    return picture.samples;
}

template <class Change>
Samples changed(const tenon::Shape& shape, Samples samples, const Change& change) {
    tenon::Picture picture{shape, std::move(samples)};
    change(picture);
    return picture.samples;
}

/// One operation of RandAugment at full strength.
Samples operation(int which, int sign, const tenon::Shape& shape, Samples samples, int magnitude = 30) {
    tenon::Picture picture{shape, std::move(samples)}, spare;
    RandAugment{.magnitude = magnitude, .border = tenon::Border::reflect}.apply_one(which, sign, picture, spare);
    return picture.samples;
}

void check_near(const Samples& found, const Samples& expected, double error = 1e-4) {
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        CAPTURE(i);
        CHECK(std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i])) <= error);
    }
}

}  // namespace

TEST_CASE("brightness, contrast, saturation and hue by hand") {
    using namespace tenon::detail;
    const tenon::Shape two{1, 1, 2}, pixel{3, 1, 1};
    CHECK(changed(two, {100, 200}, [](auto& p) { change_brightness(p, 1.5); }) == Samples{150, 255});
    CHECK(changed(two, {100, 200}, [](auto& p) { change_contrast(p, 0.5); }) == Samples{125, 175});
    CHECK(changed(two, {100, 200}, [](auto& p) { change_contrast(p, 3); }) == Samples{0, 255});
    // Luma 0.2989 * 200 + 0.587 * 100 + 0.114 * 50 = 124.18.
    check_near(changed(pixel, {200, 100, 50}, [](auto& p) { change_saturation(p, 0); }), {124.18f, 124.18f, 124.18f});
    check_near(changed(pixel, {200, 100, 50}, [](auto& p) { change_saturation(p, 0.5); }), {162.09f, 112.09f, 87.09f});
    // A third of the circle makes green of red; a twelfth is half of the way from red to yellow.
    check_near(changed(pixel, {200, 100, 50}, [](auto& p) { change_hue(p, 1.0 / 3); }), {50, 200, 100});
    check_near(changed(pixel, {200, 100, 50}, [](auto& p) { change_hue(p, -1.0 / 3); }), {100, 50, 200});
    check_near(changed(pixel, {200, 100, 50}, [](auto& p) { change_hue(p, 1.0 / 12); }), {200, 175, 50});
    check_near(changed(pixel, {200, 100, 50}, [](auto& p) { change_hue(p, -0.5); }), {50, 150, 200});
    CHECK(changed(pixel, {70, 70, 70}, [](auto& p) { change_hue(p, 0.3); }) == Samples{70, 70, 70});
}

TEST_CASE("ColorJitter draws its factors from their ranges, in every order") {
    const tenon::Shape shape{3, 1, 1};
    double low = 2, high = 0;
    for (long i = 0; i < 500; ++i) {
        const double factor =
            static_cast<double>(after(ColorJitter{.brightness = 0.4}, shape, {100, 100, 100}, i)[0]) / 100;
        low = std::min(low, factor);
        high = std::max(high, factor);
    }
    CHECK(low >= 0.6);
    CHECK(low < 0.62);
    CHECK(high <= 1.4);
    CHECK(high > 1.38);
    // Brightness before contrast, or after it, is another result where samples are clipped: both happen.
    const ColorJitter both{.brightness = 1, .contrast = 1};
    int differs = 0, same = 0;
    for (long i = 0; i < 200; ++i) {
        const tenon::Shape wide{1, 1, 2};
        const Samples found = after(both, wide, {100, 250}, i);
        const tenon::detail::SampleDraws draws = tenon::detail::SampleDraws(1, 0, i).for_purpose(ColorJitter::purpose);
        const Samples brightness_first = changed(wide, {100, 250}, [&](auto& p) {
            tenon::detail::change_brightness(p, draws.uniform(0, 0, 2));
            tenon::detail::change_contrast(p, draws.uniform(1, 0, 2));
        });
        (found == brightness_first ? same : differs) += 1;
    }
    CHECK(same > 60);
    CHECK(differs > 40);
    CHECK(after(ColorJitter{}, shape, {1, 2, 3}) == Samples{1, 2, 3});
    CHECK(contains(error_of([&] { ColorJitter{.hue = 0.6}.result(shape); }), "a hue from 0 to 0.5, found 0.6"));
    CHECK(contains(error_of([&] { ColorJitter{.contrast = -1}.result(shape); }), "a contrast from 0 to 100, found -1"));
    CHECK(contains(error_of([&] { ColorJitter{}.result({2, 4, 4}); }), "images of 1 or 3 channels"));
}

TEST_CASE("rotations by hand") {
    const tenon::Shape shape{1, 3, 3};
    const Samples image{1, 2, 3, 4, 5, 6, 7, 8, 9};
    const auto turned = [&](double degrees, tenon::Border border) {
        tenon::Picture picture{shape, image}, spare;
        tenon::detail::apply_warp(picture, spare, tenon::detail::Warp::rotation(degrees), border);
        return picture.samples;
    };
    check_near(turned(90, tenon::Border::zero), {3, 6, 9, 2, 5, 8, 1, 4, 7});  // counterclockwise
    check_near(turned(180, tenon::Border::zero), {9, 8, 7, 6, 5, 4, 3, 2, 1});
    // By 45 degrees a corner is read from sqrt(2) to the right of the center, or 0.41 beyond the border.
    const double beyond = std::sqrt(2) - 1;
    CHECK(turned(45, tenon::Border::zero)[0] == doctest::Approx((1 - beyond) * 2 * 0 + (1 - beyond) * 2).epsilon(1e-5));
    CHECK(turned(45, tenon::Border::reflect)[0] ==
          doctest::Approx((1 - beyond) * 2 + beyond * 5).epsilon(1e-5));  // mirrored at the middle of the edge
    CHECK(turned(45, tenon::Border::zero)[4] == doctest::Approx(5));
    std::set<Samples> all;
    for (long i = 0; i < 20; ++i) all.insert(after(Rotation{30}, shape, image, i));
    CHECK(all.size() == 20);
    CHECK(after(Rotation{0}, shape, image) == image);
    CHECK(contains(error_of([&] { Rotation{181}.result(shape); }), "by 0 to 180 degrees, found 181"));
}

TEST_CASE("RandAugment's operations by hand") {
    const tenon::Shape four{1, 1, 4}, ramp{1, 4, 8};
    Samples columns;  // each sample is the number of its column
    for (int i = 0; i < 32; ++i) columns.push_back(static_cast<float>(i % 8));
    CHECK(operation(0, 1, ramp, columns) == columns);
    // A shear of 0.3 from the upper edge: 0.15 in the first row, 1.05 in the last.
    const Samples sheared = operation(1, 1, ramp, columns);
    CHECK(sheared[2] == doctest::Approx(2.15));
    CHECK(sheared[3 * 8 + 2] == doctest::Approx(3.05));
    CHECK(operation(1, -1, ramp, columns)[3 * 8 + 2] == doctest::Approx(0.95));
    CHECK(operation(2, 1, {1, 8, 4}, Samples(32, 7))[9] == doctest::Approx(7));
    // A shift by 150 / 331 of 8 columns is 3.6, which is cut off.
    CHECK(operation(3, 1, ramp, columns)[1] == 4);
    CHECK(operation(3, -1, ramp, columns)[5] == 2);
    CHECK(operation(4, 1, ramp, columns) == columns);
    CHECK(operation(5, 1, {1, 1, 1}, {9})[0] == doctest::Approx(9));
    CHECK(operation(6, -1, four, {10, 100, 200, 250})[1] == doctest::Approx(10));
    CHECK(operation(6, 1, four, {10, 100, 200, 250}, 10)[1] == doctest::Approx(130));
    CHECK(operation(8, -1, four, {0, 100, 100, 200})[0] == doctest::Approx(90));
    // An impulse of 130 is 5 / 13 of that when it is smoothed, 0.1 * 130 + 0.9 * 50.
    Samples impulse(25);
    impulse[12] = 130;
    CHECK(operation(9, -1, {1, 5, 5}, impulse)[12] == doctest::Approx(58));
    CHECK(operation(9, -1, {1, 5, 5}, impulse)[11] == doctest::Approx(9));
    CHECK(operation(9, -1, {1, 5, 5}, impulse)[2] == 0);
    CHECK(operation(10, 1, four, {37, 100, 15, 255}) == Samples{32, 96, 0, 240});
    CHECK(operation(10, 1, four, {37, 100, 15, 255}, 0) == Samples{37, 100, 15, 255});
    CHECK(operation(11, 1, four, {37, 100, 128, 255}, 15) == Samples{37, 100, 127, 0});
    CHECK(operation(12, 1, four, {50, 100, 150, 50}) == Samples{0, 127.5f, 255, 0});
    CHECK(operation(12, 1, four, {50, 50, 50, 50}) == Samples{50, 50, 50, 50});
    Samples halves(512, 10);
    std::fill(halves.begin() + 256, halves.end(), 20.0f);
    const Samples spread = operation(13, 1, {1, 16, 32}, halves);
    CHECK(spread.front() == 0);
    CHECK(spread.back() == 255);
    CHECK(operation(13, 1, four, {1, 2, 3, 4}) == Samples{1, 2, 3, 4});  // too few pixels to spread
    // All operations are drawn, and two of them for each image.
    const Samples image{10, 60, 110, 160, 210, 30, 80, 130, 180};
    std::set<Samples> all;
    for (long i = 0; i < 300; ++i) all.insert(after(RandAugment{}, {1, 3, 3}, image, i));
    CHECK(all.size() > 60);
    CHECK(after(RandAugment{.operations = 0}, {1, 3, 3}, image) == image);
    CHECK(contains(error_of([] { RandAugment{.magnitude = 31}.result({3, 8, 8}); }), "from 0 to 30, found 31"));
    CHECK(contains(error_of([] { RandAugment{.operations = 15}.result({3, 8, 8}); }), "0 to 14 operations, found 15"));
    CHECK(contains(error_of([] { RandAugment{}.result({4, 8, 8}); }), "1 or 3 channels for RandAugment"));
}

TEST_CASE("CutMix exchanges rectangles and mixes targets by their area") {
    const CutMix cutmix{.alpha = 1, .classes = 3};
    const tenon::Shape shape{1, 2, 2};
    Samples images{1, 2, 3, 4, 10, 20, 30, 40, 5, 6, 7, 8}, targets(9);
    cutmix.mix(images, shape, std::vector<int>{0, 1, 2}, targets, {.top = 1, .left = 0, .bottom = 2, .right = 1});
    CHECK(images == Samples{1, 2, 7, 4, 10, 20, 30, 40, 5, 6, 3, 8});
    CHECK(targets == Samples{0.75f, 0, 0.25f, 0, 1, 0, 0.25f, 0, 0.75f});
    // The share of the area is uniform for alpha = 1, and a part of the rectangle may be outside: a side is sqrt(1 - s)
    // long, of which, with its center anywhere, 1 - side / 4 is inside on average. The mean area is that of u^2 (1 - u
    // / 4)^2 over s, with u^2 uniform: 1/2 - 1/5 + 1/48.
    const tenon::Shape large{3, 200, 300};
    double area = 0;
    constexpr int count = 4000;
    for (long i = 0; i < count; ++i) {
        const auto [top, left, bottom, right] = cutmix.rectangle(large, 3, i % 5, i);
        CHECK((top >= 0 && top <= bottom && bottom <= 200 && left >= 0 && left <= right && right <= 300));
        area += (bottom - top) * (right - left) / 60000.0;
    }
    CHECK(std::abs(area / count - (0.5 - 0.2 + 1.0 / 48)) <= 0.015);
    CHECK(contains(error_of([&] { cutmix.check(std::vector<int>{3}); }), "from 0 to 2 for CutMix, found 3"));
    CHECK(contains(error_of([&] { CutMix{.alpha = 2}.check({}); }), "CutMix with alpha from 0 to 1"));
}

namespace {

/// Images of 1 x 4 x 4: 20 of class 0, 3 of class 1, one of class 3 and none of class 2.
tenon::ImageDataset rare_classes() {
    tenon::ImageDataset dataset{.shape = {1, 4, 4}, .images = {}, .labels = {}};
    for (int i = 0; i < 24; ++i) {
        for (int j = 0; j < 16; ++j) dataset.images.push_back(static_cast<std::uint8_t>(i + 3 * j));
        dataset.labels.push_back(i < 20 ? 0 : i < 23 ? 1 : 3);
    }
    return dataset;
}

}  // namespace

TEST_CASE("balanced epochs have equally many images of each class") {
    const tenon::ImageDataset dataset = rare_classes();
    const tenon::Pipeline plain{tenon::Normalize{.scale = 1}};
    tenon::Loader loader{dataset, plain, {.batch_size = 24, .seed = 2, .balance = true}};
    std::set<Samples> epochs;
    std::set<int> of_frequent_class;
    for (long epoch = 0; epoch < 6; ++epoch) {
        const tenon::Batch batch = loader.batch(epoch, 0);
        std::map<int, int> of_class, of_image;
        for (std::size_t i = 0; i < 24; ++i) {
            const int image = static_cast<int>(batch.images[i * 16]);
            CHECK(dataset.labels[static_cast<std::size_t>(image)] == batch.labels[i]);
            ++of_class[batch.labels[i]];
            ++of_image[image];
            if (image < 20) of_frequent_class.insert(image);
        }
        CHECK(of_class == std::map<int, int>{{0, 8}, {1, 8}, {3, 8}});
        for (const auto& [image, times] : of_image)
            CHECK((image < 20 ? times == 1 : image < 23 ? times == 2 || times == 3 : times == 8));
        epochs.insert({batch.images.begin(), batch.images.end()});
    }
    CHECK(epochs.size() == 6);
    CHECK(of_frequent_class.size() > 16);  // each epoch has other 8 of the 20
    // Each time, an image is augmented anew.
    tenon::Loader turned{dataset, tenon::Pipeline{Rotation{90}}, {.batch_size = 24, .seed = 2, .balance = true}};
    const tenon::Batch batch = turned.batch(0, 0);
    std::set<Samples> of_last;
    for (std::size_t i = 0; i < 24; ++i)
        if (batch.labels[i] == 3)
            of_last.emplace(batch.images.begin() + static_cast<long>(i) * 16,
                            batch.images.begin() + static_cast<long>(i + 1) * 16);
    CHECK(of_last.size() == 8);
    tenon::Loader usual{dataset, plain, {.batch_size = 24, .seed = 2}};
    CHECK(usual.fingerprint() != loader.fingerprint());
    CHECK(contains(error_of([&] {
                       tenon::Loader{dataset, plain, {.shuffle = false, .balance = true}};
                   }),
                   "needs shuffle"));
}

TEST_CASE("classes are balanced whatever their numbers are") {
    tenon::ImageDataset dataset = rare_classes();
    for (int& label : dataset.labels) label = label == 3 ? 2'000'000'000 : label;
    tenon::Loader loader{dataset, tenon::Pipeline{tenon::Normalize{}}, {.batch_size = 24, .balance = true}};
    CHECK(std::ranges::count(loader.batch(0, 0).labels, 2'000'000'000) == 8);
}

TEST_CASE("balanced, augmented and cut batches are bitwise the same for any number of threads") {
    const tenon::ImageDataset dataset = rare_classes();
    const tenon::Pipeline pipeline{ColorJitter{.brightness = 0.4, .contrast = 0.4}, Rotation{20}, RandAugment{}};
    std::vector<Samples> images, targets;
    for (const int threads : {1, 2, 4}) {
        tenon::Loader loader{dataset,
                             pipeline,
                             {.batch_size = 7, .seed = 5, .threads = threads, .prefetch = threads - 1, .balance = true},
                             CutMix{.alpha = 0.8, .classes = 4}};
        for (long i = 0; i < 12; ++i) {
            const tenon::Batch batch = loader.batch(i / 4, i % 4);
            CHECK(batch.labels.empty());
            const Samples found(batch.images.begin(), batch.images.end()),
                mixed(batch.targets.begin(), batch.targets.end());
            CHECK(mixed.size() == found.size() / 16 * 4);
            if (threads == 1) {
                images.push_back(found);
                targets.push_back(mixed);
            }
            CHECK(found == images[static_cast<std::size_t>(i)]);
            CHECK(mixed == targets[static_cast<std::size_t>(i)]);
        }
    }
    CHECK(std::set<Samples>(images.begin(), images.end()).size() == 12);
    CHECK(std::set<Samples>(targets.begin(), targets.end()).size() > 8);
}

TEST_CASE("views to test with: the image, its mirror image and shifted ones") {
    const tenon::Shape shape{1, 2, 3};
    const Samples images{1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 9, 9};
    const Views all{.mirror = true, .shift = 1};
    CHECK(all.count() == 10);
    CHECK(Views{.mirror = false}.count() == 1);
    CHECK(all.view(images, shape, 0) == images);
    CHECK(Views{}.view(images, shape, 1) == Samples{3, 2, 1, 6, 5, 4, 8, 7, 7, 9, 9, 9});
    std::set<Samples> different;
    for (int i = 0; i < 10; ++i) different.insert(all.view(std::span(images).first(6), shape, i));
    CHECK(different.contains(Samples{4, 5, 6, 1, 2, 3}));  // up or down, reflected
    CHECK(different.contains(Samples{2, 3, 2, 5, 6, 5}));  // to the left
    CHECK(different.contains(Samples{2, 1, 2, 5, 4, 5}));  // to the right
    CHECK(different.size() == 6);  // of two rows up and down are the same, and left is right of the mirror image
    // Of what is linear, the mean of the results is the result of the mean.
    Samples logits;
    const Samples mean = mean_logits(Views{}, images, shape, [&](std::span<const float> some) {
        logits = {some[0], some[6]};
        return std::span<const float>(logits);
    });
    CHECK(mean == Samples{2, 7.5f});
    CHECK(contains(error_of([&] { Views{.shift = 2}.view(images, shape, 0); }), "by 0 to 1 pixels, found 2"));
    CHECK(contains(error_of([&] { Views{}.view(std::span(images).first(5), shape, 0); }), "found 5 scalars"));
}
