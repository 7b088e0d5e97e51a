#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/data/augment/mixup.hpp>
#include <tenon/data/pipeline.hpp>
#include <tenon/image/preprocess.hpp>

#include "../support.hpp"

using tenon::Picture;
using tenon::detail::SampleDraws;
using tenon_test::contains;
using tenon_test::error_of;

namespace {

/// Sample i of the picture is i + 1.
Picture counting(const tenon::Shape& shape) {
    Picture picture{shape, std::vector<float>(static_cast<std::size_t>(shape.elements()))};
    for (std::size_t i = 0; i < picture.samples.size(); ++i) picture.samples[i] = static_cast<float>(i + 1);
    return picture;
}

template <class Step>
Picture applied(const Step& step, Picture picture, const tenon::detail::SampleDraws& draws) {
    Picture spare;
    const tenon::Shape expected = step.result(picture.shape);
    step.apply(picture, spare, draws);
    CHECK(picture.shape == expected);
    CHECK(picture.samples.size() == static_cast<std::size_t>(expected.elements()));
    return picture;
}

std::vector<float> row(const Picture& picture, int y) {
    const auto samples = picture.row(0, y);
    return {samples.begin(), samples.end()};
}

}  // namespace

TEST_CASE("draws are functions of seed, epoch, sample, purpose and index, and of each of them") {
    const auto first = [](const tenon::detail::SampleDraws& draws) { return draws.uniform(0, 0, 1); };
    const tenon::detail::SampleDraws draws = tenon::detail::SampleDraws(1, 2, 3).for_purpose("flip");
    CHECK(first(draws) == first(tenon::detail::SampleDraws(1, 2, 3).for_purpose("flip")));
    std::set<double> others = {first(draws), draws.uniform(1, 0, 1)};
    others.insert(first(tenon::detail::SampleDraws(2, 2, 3).for_purpose("flip")));
    others.insert(first(tenon::detail::SampleDraws(1, 3, 3).for_purpose("flip")));
    others.insert(first(tenon::detail::SampleDraws(1, 2, 4).for_purpose("flip")));
    others.insert(first(tenon::detail::SampleDraws(1, 3, 2).for_purpose("flip")));
    others.insert(first(tenon::detail::SampleDraws(1, 2, 3).for_purpose("cutout")));
    others.insert(first(tenon::detail::SampleDraws(1, 2, 3).for_purpose("flip", 1)));
    others.insert(first(draws.for_all_epochs()));
    CHECK(others.size() == 9);
    CHECK(first(draws.for_all_epochs()) ==
          first(tenon::detail::SampleDraws(1, 7, 3).for_purpose("flip").for_all_epochs()));
    std::vector<int> counts(7, 0);
    for (long sample = 0; sample < 7000; ++sample)
        ++counts[static_cast<std::size_t>(tenon::detail::SampleDraws(1, 0, sample).below(0, 7))];
    for (const int count : counts) CHECK(count == doctest::Approx(1000).epsilon(0.15));
}

TEST_CASE("PadCrop shifts by every distance, and fills with zeros or the mirrored image") {
    const Picture picture = counting({1, 3, 3});
    std::map<std::vector<float>, int> zeros, mirrored;
    for (long sample = 0; sample < 900; ++sample) {
        const tenon::detail::SampleDraws draws(1, 0, sample);
        ++zeros[applied(tenon::PadCrop{1, tenon::Border::zero}, picture, draws).samples];
        ++mirrored[applied(tenon::PadCrop{1, tenon::Border::reflect}, picture, draws).samples];
    }
    CHECK(zeros.size() == 9);
    CHECK(mirrored.size() == 9);
    for (const auto& [samples, count] : zeros) CHECK(count == doctest::Approx(100).epsilon(0.4));
    CHECK(zeros.contains({1, 2, 3, 4, 5, 6, 7, 8, 9}));
    CHECK(zeros.contains({0, 0, 0, 0, 1, 2, 0, 4, 5}));
    CHECK(zeros.contains({5, 6, 0, 8, 9, 0, 0, 0, 0}));
    CHECK(mirrored.contains({5, 4, 5, 2, 1, 2, 5, 4, 5}));
    CHECK(mirrored.contains({5, 6, 5, 8, 9, 8, 5, 6, 5}));
    CHECK(contains(error_of([] {
                       tenon::PadCrop{4}.result({3, 4, 9});
                   }),
                   "expected PadCrop to pad an image of [3, 4, 9] by 0 to 3 pixels, found 4"));
    CHECK(tenon::PadCrop{4, tenon::Border::zero}.result({3, 4, 9}) == tenon::Shape{3, 4, 9});
}

TEST_CASE("RandomFlip flips a share of the images, AlternatingFlip each image every other epoch") {
    const Picture picture = counting({2, 1, 3});
    const std::vector<float> mirrored = {3, 2, 1, 6, 5, 4};
    int flips = 0, alternating = 0;
    for (long sample = 0; sample < 1000; ++sample) {
        const tenon::detail::SampleDraws draws(1, 4, sample);
        const auto random = applied(tenon::RandomFlip{0.3}, picture, draws).samples;
        CHECK((random == mirrored || random == picture.samples));
        flips += random == mirrored;
        const bool even = applied(tenon::AlternatingFlip{}, picture, draws).samples == mirrored;
        const bool odd =
            applied(tenon::AlternatingFlip{}, picture, tenon::detail::SampleDraws(1, 5, sample)).samples == mirrored;
        CHECK(even != odd);
        alternating += even;
    }
    CHECK(flips == doctest::Approx(300).epsilon(0.2));
    CHECK(alternating == doctest::Approx(500).epsilon(0.2));
    CHECK(contains(error_of([] { tenon::RandomFlip{1.5}.result({1, 1, 1}); }), "a probability from 0 to 1"));
}

TEST_CASE("Cutout sets a square of all channels to zero, cut off at the border") {
    const Picture picture = counting({2, 8, 8});
    std::set<long> sizes;
    for (long sample = 0; sample < 300; ++sample) {
        const Picture cut = applied(tenon::Cutout{4}, picture, tenon::detail::SampleDraws(1, 0, sample));
        long zeros = 0;
        for (int y = 0; y < 8; ++y)
            for (std::size_t x = 0; x < 8; ++x) {
                const bool zero = cut.row(0, y)[x] == 0;
                zeros += zero;
                CHECK(zero == (cut.row(1, y)[x] == 0));
                if (!zero) CHECK(cut.row(0, y)[x] == picture.row(0, y)[x]);
            }
        sizes.insert(zeros);
    }
    CHECK(sizes == std::set<long>{4, 6, 8, 9, 12, 16});
    CHECK(contains(error_of([] { tenon::Cutout{0}.result({1, 1, 1}); }), "a size of at least 1 pixel"));
}

TEST_CASE("Normalize gives the floats of preprocess") {
    std::vector<std::uint8_t> pixels(256 * 3);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i / 3);
    tenon::Preprocessing options{.resize = 0, .crop_height = 16, .crop_width = 16};
    const std::vector<float> expected = preprocess(tenon::Image(16, 16, 3, pixels), options);
    Picture picture{{3, 16, 16}, {}};
    for (int c = 0; c < 3; ++c)
        for (int i = 0; i < 256; ++i) picture.samples.push_back(static_cast<float>(i));
    const tenon::Normalize normalize{options.mean, options.standard_deviation};
    CHECK(applied(normalize, picture, tenon::detail::SampleDraws(0, 0, 0)).samples == expected);
    CHECK(contains(error_of([] { tenon::Normalize{{0, 0, 0}, {1, 0, 1}}.result({3, 1, 1}); }), "positive deviations"));
    CHECK(contains(error_of([] { tenon::Normalize{}.result({4, 1, 1}); }), "1 to 3 channels"));
}

TEST_CASE("CenterCrop takes the middle") {
    CHECK(row(applied(tenon::CenterCrop{2, 2}, counting({1, 4, 4}), tenon::detail::SampleDraws(0, 0, 0)), 0) ==
          std::vector<float>{6, 7});
    CHECK(row(applied(tenon::CenterCrop{1, 2}, counting({1, 2, 5}), tenon::detail::SampleDraws(0, 0, 0)), 0) ==
          std::vector<float>{3, 4});
    CHECK(contains(error_of([] { tenon::CenterCrop{5, 2}.result({1, 4, 4}); }), "at most the images' [1, 4, 4]"));
}

TEST_CASE("RandomResizedCrop draws parts within its bounds and resizes them") {
    const tenon::RandomResizedCrop crop{.height = 8, .width = 6, .min_area = 0.25};
    const tenon::Shape shape{1, 40, 60};
    double smallest = 1, largest = 0, widest = 0, tallest = 10;
    for (long sample = 0; sample < 2000; ++sample) {
        const auto part = crop.part(shape, tenon::detail::SampleDraws(1, 0, sample));
        CHECK(part.top >= 0);
        CHECK(part.left >= 0);
        CHECK(part.top + part.height <= 40);
        CHECK(part.left + part.width <= 60);
        const double area = part.height * part.width / 2400.0, ratio = static_cast<double>(part.width) / part.height;
        smallest = std::min(smallest, area);
        largest = std::max(largest, area);
        widest = std::max(widest, ratio);
        tallest = std::min(tallest, ratio);
    }
    CHECK(smallest == doctest::Approx(0.25).epsilon(0.05));
    CHECK(largest > 0.8);
    CHECK(widest == doctest::Approx(4.0 / 3).epsilon(0.05));
    CHECK(tallest == doctest::Approx(3.0 / 4).epsilon(0.05));

    // A plane stays a plane: weights sum to one, and the part's center is kept.
    Picture plane{{1, 40, 60}, {}};
    for (int y = 0; y < 40; ++y)
        for (int x = 0; x < 60; ++x) plane.samples.push_back(static_cast<float>(2 * x + 3 * y));
    for (long sample = 0; sample < 20; ++sample) {
        const tenon::detail::SampleDraws draws(1, 0, sample);
        const auto part = crop.part(shape, draws);
        const Picture small = applied(crop, plane, draws);
        const double middle = (small.row(0, 3)[2] + small.row(0, 4)[3]) / 2;
        CHECK(middle ==
              doctest::Approx(2 * (part.left + (part.width - 1) / 2.0) + 3 * (part.top + (part.height - 1) / 2.0))
                  .epsilon(1e-4));
    }
    // The whole image at its own size is itself; an image too long for any draw gives its middle.
    const tenon::RandomResizedCrop whole{.height = 5, .width = 5, .min_area = 1, .min_ratio = 1, .max_ratio = 1};
    const Picture picture = counting({2, 5, 5});
    CHECK(applied(whole, picture, tenon::detail::SampleDraws(0, 0, 0)).samples == picture.samples);
    const auto part = crop.part({1, 3, 300}, tenon::detail::SampleDraws(0, 0, 0));
    CHECK(part.left == 148);
    CHECK(part.width == 4);
    CHECK(part.height == 3);
    CHECK(contains(error_of([&] { tenon::RandomResizedCrop{.min_area = 0}.result(shape); }), "0 < min_area"));
    CHECK(contains(error_of([&] { tenon::RandomResizedCrop{.height = 0}.result(shape); }), "a positive size"));
}

TEST_CASE("a pipeline runs its steps in order, each with draws of its own") {
    const tenon::Pipeline pipeline{tenon::PadCrop{2}, tenon::RandomFlip{}, tenon::Normalize{{0.5F}, {0.25F}},
                                   tenon::CenterCrop{2, 2}};
    CHECK(pipeline.result({1, 4, 4}) == tenon::Shape{1, 2, 2});
    Picture step = counting({1, 4, 4}), spare;
    const tenon::detail::SampleDraws draws(5, 6, 7);
    const Picture all = applied(pipeline, step, draws);
    tenon::PadCrop{2}.apply(step, spare, draws.for_purpose("pad_crop", 0));
    tenon::RandomFlip{}.apply(step, spare, draws.for_purpose("flip", 1));
    tenon::Normalize{{0.5F}, {0.25F}}.apply(step, spare, draws);
    tenon::CenterCrop{2, 2}.apply(step, spare, draws);
    CHECK(all.samples == step.samples);
    CHECK(contains(error_of([&] { pipeline.result({1, 2, 2}); }), "PadCrop"));
}

TEST_CASE("MixUp mixes images and targets by a share of the Beta distribution") {
    const tenon::MixUp mixup{.alpha = 0.4, .classes = 3};
    std::vector<float> images = {0, 0, 1, 2, 4, 8}, targets(9);
    const std::vector<int> labels = {0, 1, 2};
    mixup.mix(images, labels, targets, 0.75);
    CHECK(images == std::vector<float>{1, 2, 1, 2, 3, 6});
    CHECK(targets == std::vector<float>{0.75, 0, 0.25, 0, 1, 0, 0.25, 0, 0.75});
    // Mean 1/2; variance 1 / (4 (2 alpha + 1)).
    for (const double alpha : {0.2, 0.4, 1.0}) {
        double sum = 0, squares = 0;
        constexpr long count = 4000;
        for (long i = 0; i < count; ++i) {
            const double share = tenon::MixUp{alpha, 3}.share(1, i % 7, i);
            CHECK(share >= 0);
            CHECK(share <= 1);
            sum += share;
            squares += (share - 0.5) * (share - 0.5);
        }
        CHECK(sum / count == doctest::Approx(0.5).epsilon(0.05));
        CHECK(squares / count == doctest::Approx(1 / (4 * (2 * alpha + 1))).epsilon(0.06));
    }
    CHECK(error_of([&] { mixup.check(std::vector<int>{0, 3}); }) == "expected labels from 0 to 2 for MixUp, found 3");
    CHECK(contains(error_of([&] { tenon::MixUp{2, 3}.check(labels); }), "alpha from 0 to 1"));
}
