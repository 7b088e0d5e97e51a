#include <algorithm>
#include <cstddef>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/data/datasets/cifar.hpp>
#include <tenon/data/split.hpp>

#include "../support.hpp"

using namespace std::string_literals;
using tenon::detail::CifarRecord;
using tenon_test::contains;
using tenon_test::error_of;

namespace {

/// A record: its labels, then 3072 samples, of which the first of each channel differ.
std::string record(const std::string& labels, char first) {
    std::string samples(3072, '\0');
    for (int c = 0; c < 3; ++c) samples[static_cast<std::size_t>(1024 * c)] = static_cast<char>(first + c);
    return labels + samples;
}

tenon::ImageDataset parse(const std::string& content, tenon::detail::CifarRecord kind) {
    tenon::ImageDataset dataset;
    tenon::detail::append_cifar(std::as_bytes(std::span(content)), kind, "F", dataset);
    return dataset;
}

std::string refusal(const std::string& content, tenon::detail::CifarRecord kind) {
    return error_of([&] { parse(content, kind); });
}

}  // namespace

TEST_CASE("records of CIFAR-10 and CIFAR-100 give labels and samples") {
    const tenon::ImageDataset ten =
        parse(record("\x09", 'a') + record("\0"s, 'k'), tenon::detail::CifarRecord::cifar10);
    CHECK(ten.shape == tenon::Shape{3, 32, 32});
    CHECK(ten.labels == std::vector<int>{9, 0});
    CHECK(ten.image(1)[0] == 'k');
    CHECK(ten.image(1)[1024] == 'l');
    CHECK(ten.image(1)[2048] == 'm');
    CHECK(ten.image(0)[1] == 0);
    const std::string hundred = record("\x13\x63", 'a') + record("\0\x02"s, 'b');
    CHECK(parse(hundred, tenon::detail::CifarRecord::cifar100_fine).labels == std::vector<int>{99, 2});
    CHECK(parse(hundred, tenon::detail::CifarRecord::cifar100_coarse).labels == std::vector<int>{19, 0});
    CHECK(parse(hundred, tenon::detail::CifarRecord::cifar100_fine).image(1)[2048] == 'd');
}

TEST_CASE("a damaged CIFAR file is refused, with the file and the record") {
    const std::string good = record("\x01", 'a');
    CHECK(refusal("", tenon::detail::CifarRecord::cifar10) ==
          "F: expected complete records of 3073 bytes, found 0 bytes: 0 records and 0 bytes of record 0");
    CHECK(refusal(good + good.substr(0, 3000), tenon::detail::CifarRecord::cifar10) ==
          "F: expected complete records of 3073 bytes, found 6073 bytes: 1 records and 3000 bytes of record 1");
    CHECK(refusal(good, tenon::detail::CifarRecord::cifar100_fine) ==
          "F: expected complete records of 3074 bytes, found 3073 bytes: 0 records and 3073 bytes of record 0");
    CHECK(refusal(good + good + record("\x0A", 'a'), tenon::detail::CifarRecord::cifar10) ==
          "F: expected a label from 0 to 9 in record 2, found 10");
    CHECK(refusal(record("\x14\x01", 'a'), tenon::detail::CifarRecord::cifar100_fine) ==
          "F: expected a label from 0 to 19 in record 0, found 20");
    CHECK(refusal(record("\x01\x64", 'a'), tenon::detail::CifarRecord::cifar100_coarse) ==
          "F: expected a label from 0 to 99 in record 0, found 100");
    tenon::ImageDataset dataset = parse(good, tenon::detail::CifarRecord::cifar10);
    CHECK(contains(error_of([&] {
                       tenon::detail::append_cifar(std::as_bytes(std::span(good)).first(100),
                                                   tenon::detail::CifarRecord::cifar10, "F", dataset);
                   }),
                   "100 bytes of record 0"));
    CHECK(dataset.size() == 1);
    CHECK(dataset.images.size() == 3072);
}

TEST_CASE("CIFAR-10 is the five files of a folder, all there and equally long") {
    const tenon_test::TemporaryFolder folder;
    const auto read = [&] { return tenon::read_cifar10(tenon::Subset::training, folder.file("")); };
    for (int i = 1; i < 5; ++i)
        tenon_test::write_file(folder.file("data_batch_" + std::to_string(i) + ".bin"),
                               record(std::string(1, static_cast<char>(i)), 'a') + record("\0"s, 'b'));
    CHECK(contains(error_of(read), "data_batch_5.bin: cannot open the file: No such file or directory"));
    tenon_test::write_file(folder.file("data_batch_5.bin"), record("\x05", 'a'));
    CHECK(contains(error_of(read), "data_batch_5.bin: expected as many records as in "));
    tenon_test::write_file(folder.file("data_batch_5.bin"), record("\x05", 'a') + record("\x06", 'b'));
    CHECK(read().labels == std::vector<int>{1, 0, 2, 0, 3, 0, 4, 0, 5, 6});
    tenon_test::write_file(folder.file("test_batch.bin"), record("\x07", 'z'));
    CHECK(tenon::read_cifar10(tenon::Subset::test, folder.file("")).labels == std::vector<int>{7});
    tenon_test::write_file(folder.file("test.bin"), record("\x07\x32", 'z'));
    CHECK(tenon::read_cifar100(tenon::Subset::test, folder.file("")).labels == std::vector<int>{50});
    CHECK(error_of([&] {
              tenon::read_cifar100(tenon::Subset::test, folder.file(""), tenon::detail::CifarRecord::cifar10);
          }) == "CIFAR-100 has coarse or fine labels, not those of CIFAR-10");
}

TEST_CASE("a split holds out other images for each seed, none twice, in the data set's order") {
    tenon::ImageDataset dataset{.shape = {1, 1, 1}, .images = {}, .labels = {}};
    for (int i = 0; i < 100; ++i) {
        dataset.images.push_back(static_cast<std::uint8_t>(i));
        dataset.labels.push_back(i);
    }
    const auto [training, validation] = tenon::split(dataset, 30, 1);
    CHECK(training.size() == 70);
    CHECK(validation.size() == 30);
    CHECK(std::ranges::is_sorted(training.labels));
    CHECK(std::ranges::is_sorted(validation.labels));
    std::set<int> all(training.labels.begin(), training.labels.end());
    all.insert(validation.labels.begin(), validation.labels.end());
    CHECK(all.size() == 100);
    CHECK(std::ranges::equal(training.images, training.labels));
    CHECK(std::ranges::equal(validation.images, validation.labels));
    CHECK(tenon::split(dataset, 30, 1).validation.labels == validation.labels);
    CHECK(tenon::split(dataset, 30, 2).validation.labels != validation.labels);
    CHECK(tenon::split(dataset, 0, 1).training.labels == dataset.labels);
    CHECK(error_of([&] { tenon::split(dataset, 100); }) ==
          "expected to hold out fewer images than the data set's 100, found 100");
}

TEST_CASE("a permutation holds each number once and depends on seed and stream alone") {
    std::vector<std::uint32_t> sorted = tenon::detail::permutation(1000, 3, 4);
    CHECK(sorted == tenon::detail::permutation(1000, 3, 4));
    CHECK(sorted != tenon::detail::permutation(1000, 3, 5));
    CHECK(sorted != tenon::detail::permutation(1000, 4, 4));
    std::ranges::sort(sorted);
    std::vector<std::uint32_t> expected(1000);
    std::iota(expected.begin(), expected.end(), 0U);
    CHECK(sorted == expected);
    // Each of the 6 orders of 3 numbers comes equally often: 1000 of 6000, standard deviation 29.
    std::vector<int> counts(21, 0);
    for (std::uint64_t seed = 0; seed < 6000; ++seed) {
        const auto order = tenon::detail::permutation(3, seed, 0);
        ++counts[9 * order[0] + 3 * order[1] >= 21 ? 20 : 9 * order[0] + 3 * order[1]];
    }
    for (const int place : {3, 6, 9, 15, 18, 20})
        CHECK(counts[static_cast<std::size_t>(place)] == doctest::Approx(1000).epsilon(0.15));
}
