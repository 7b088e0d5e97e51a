#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/data/loader.hpp>

#include "../support.hpp"

using tenon::Loader;
using tenon::LoaderOptions;
using tenon_test::contains;
using tenon_test::error_of;

namespace {

/// `count` images of 2 x 5 x 4 whose first sample is their position; the label is position modulo 3.
tenon::ImageDataset dataset_of(int count) {
    tenon::ImageDataset dataset{.shape = {2, 5, 4}, .images = {}, .labels = {}};
    for (int i = 0; i < count; ++i) {
        for (int j = 0; j < 40; ++j)
            dataset.images.push_back(j == 0 ? static_cast<std::uint8_t>(i)
                                            : static_cast<std::uint8_t>(37 * i + 11 * j));
        dataset.labels.push_back(i % 3);
    }
    return dataset;
}

const tenon::Pipeline plain{tenon::Normalize{.scale = 1}};
const tenon::Pipeline augmenting{tenon::PadCrop{2}, tenon::AlternatingFlip{},
                                 tenon::Normalize{{0.5F, 0.5F}, {0.25F, 0.5F}}, tenon::Cutout{2},
                                 tenon::RandomResizedCrop{.height = 3, .width = 3}};

static_assert(tenon::BatchSource<Loader<tenon::Pipeline<tenon::Normalize>>&>);

/// A batch's bytes.
std::string bytes_of(const tenon::Batch& batch) {
    const auto text = [](const auto& values) {
        return std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    };
    return text(batch.images) + "|" + text(batch.labels) + "|" + text(batch.targets);
}

/// The positions of the images in a batch of `plain`.
std::vector<int> positions(const tenon::Batch& batch) {
    std::vector<int> result;
    for (std::size_t i = 0; i < batch.labels.size(); ++i) {
        result.push_back(static_cast<int>(batch.images[40 * i]));
        CHECK(batch.labels[i] == result.back() % 3);
    }
    return result;
}

/// A step whose result depends on what an image shows.
struct CutAtDark {
    static constexpr std::string_view purpose = "cut_at_dark";
    tenon::Shape result(const tenon::Shape& shape) const { return shape; }
    void apply(tenon::Picture& picture, tenon::Picture&, const tenon::detail::SampleDraws&) const {
        if (picture.samples[0] == 7) picture.reshape({1, 1, 1});
    }
};

}  // namespace

TEST_CASE("an image that the pipeline makes of another size is an error") {
    const tenon::ImageDataset dataset = dataset_of(10);
    Loader loader{dataset, tenon::Pipeline{CutAtDark{}}, {.batch_size = 5, .shuffle = false}};
    CHECK(loader.batch(0, 0).labels.size() == 5);
    CHECK(error_of([&] { loader.batch(0, 1); }) ==
          "the pipeline of a loader made image 7 one of [1, 1, 1], expected [2, 5, 4]");
}

TEST_CASE("an epoch holds each image once, in another order in each epoch") {
    const tenon::ImageDataset dataset = dataset_of(23);
    Loader loader{dataset, plain, {.batch_size = 5, .seed = 1}};
    CHECK(loader.images() == 23);
    CHECK(loader.batches() == 5);
    std::set<std::vector<int>> orders;
    for (long epoch = 0; epoch < 4; ++epoch) {
        std::vector<int> order;
        for (long index = 0; index < 5; ++index) {
            const std::vector<int> part = positions(loader.batch(epoch, index));
            CHECK(part.size() == (index < 4 ? 5 : 3));
            order.insert(order.end(), part.begin(), part.end());
        }
        CHECK(std::set<int>(order.begin(), order.end()).size() == 23);
        orders.insert(order);
    }
    CHECK(orders.size() == 4);
    Loader other{dataset, plain, {.batch_size = 23, .seed = 2}};
    CHECK(!orders.contains(positions(other.batch(0, 0))));

    Loader dropping{dataset, plain, {.batch_size = 5, .drop_last = true}};
    CHECK(dropping.images() == 20);
    CHECK(dropping.batches() == 4);
    Loader ordered{dataset, plain, {.batch_size = 5, .shuffle = false}};
    CHECK(positions(ordered.batch(0, 1)) == std::vector<int>{5, 6, 7, 8, 9});
    CHECK(positions(ordered.batch(3, 4)) == std::vector<int>{20, 21, 22});
}

TEST_CASE("batches are bitwise the same for any number of threads, any prefetch and any order of requests") {
    const tenon::ImageDataset dataset = dataset_of(50);
    for (const double alpha : {0.0, 0.5}) {
        const tenon::MixUp mixup{.alpha = alpha, .classes = 3};
        std::vector<std::string> expected;
        {
            Loader loader{dataset, augmenting, {.batch_size = 8, .seed = 3, .threads = 1, .prefetch = 0}, mixup};
            for (long i = 0; i < 21; ++i) expected.push_back(bytes_of(loader.batch(i / 7, i % 7)));
        }
        CHECK(std::set<std::string>(expected.begin(), expected.end()).size() == 21);
        CHECK((expected[0].find("||") != std::string::npos) == (alpha != 0));
        for (const int threads : {0, 1, 2, 4})
            for (const int prefetch : {0, 1, 3, 10}) {
                Loader loader{
                    dataset, augmenting, {.batch_size = 8, .seed = 3, .threads = threads, .prefetch = prefetch}, mixup};
                for (long i = 0; i < 21; ++i)
                    CHECK(bytes_of(loader.batch(i / 7, i % 7)) == expected[static_cast<std::size_t>(i)]);
                std::mt19937 generator(1);
                for (int request = 0; request < 60; ++request) {
                    const long i = static_cast<long>(generator() % 21);
                    CHECK(bytes_of(loader.batch(i / 7, i % 7)) == expected[static_cast<std::size_t>(i)]);
                }
            }
    }
}

TEST_CASE("an image is augmented in the same way whatever batch it is in") {
    const tenon::ImageDataset dataset = dataset_of(30);
    Loader small{dataset, augmenting, {.batch_size = 4, .shuffle = false, .seed = 9}};
    Loader large{dataset, augmenting, {.batch_size = 30, .shuffle = false, .seed = 9}};
    const auto whole = large.batch(2, 0);
    CHECK(large.shape() == tenon::Shape{2, 3, 3});
    for (long index = 0; index < small.batches(); ++index) {
        const auto part = small.batch(2, index);
        CHECK(std::ranges::equal(part.images,
                                 whole.images.subspan(static_cast<std::size_t>(72 * index), part.images.size())));
    }
}

TEST_CASE("what a loader cannot do is refused") {
    const tenon::ImageDataset dataset = dataset_of(10), empty{.shape = {1, 1, 1}, .images = {}, .labels = {}};
    const auto refusal = [&](const LoaderOptions& options) {
        return error_of([&] { Loader{dataset, plain, options}; });
    };
    CHECK(error_of([&] {
              Loader{empty, plain};
          }) == "a loader needs a data set of at least 1 image, found an empty one");
    CHECK(refusal({.batch_size = 0}) == "a loader needs 1 to 16777216 images in a batch, found 0");
    CHECK(refusal({.threads = -1}) == "a loader needs 0 to 1024 threads, found -1");
    CHECK(refusal({.threads = 1025}) == "a loader needs 0 to 1024 threads, found 1025");
    CHECK(refusal({.prefetch = -1}) == "a loader needs 0 to 64 batches prepared ahead, found -1");
    CHECK(refusal({.batch_size = 11, .drop_last = true}) ==
          "with drop_last a loader needs at least one batch of 11 images, found a data set of 10");
    CHECK(contains(error_of([&] { Loader{dataset, tenon::Pipeline{tenon::CenterCrop{9, 9}}}; }), "CenterCrop"));
    CHECK(contains(error_of([&] {
                       Loader{dataset, plain, {}, tenon::MixUp{0.2, 2}};
                   }),
                   "expected labels from 0 to 1 for MixUp, found 2"));
    tenon::ImageDataset wrong = dataset;
    wrong.labels.push_back(1);
    CHECK(error_of([&] {
              Loader{wrong, plain};
          }) == "a data set of 11 labels and images of [2, 5, 4] needs 440 samples, found 400");
    Loader loader{dataset, plain, {.batch_size = 4}};
    for (const auto& [epoch, index] : {std::pair{0, 3}, std::pair{-1, 0}, std::pair{0, -1}})
        CHECK(contains(error_of([&, e = epoch, i = index] { loader.batch(e, i); }),
                       "expected one of the batches 0 to 2 of an epoch"));
}
