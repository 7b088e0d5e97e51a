#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/data/archives/fashion_mnist.hpp>

#include "../support.hpp"

using namespace std::string_literals;
using tenon_test::contains;
using tenon_test::error_of;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

const std::string two_by_three = "\0\0\x08\x02\0\0\0\x02\0\0\0\x03"s + "abcdef";

// printf hello | gzip -n.
const std::string hello_gzip = "\x1F\x8B\x08\0\0\0\0\0\0\x03\xCB\x48\xCD\xC9\xC9\x07\0\x86\xA6\x10\x36\x05\0\0\0"s;

std::string text_of(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("an IDX file gives its sizes and values") {
    const tenon::detail::IdxArray array = tenon::detail::parse_idx(bytes_of(two_by_three), "F");
    CHECK(array.sizes == std::vector<std::size_t>{2, 3});
    CHECK(array.values == std::vector<std::uint8_t>{'a', 'b', 'c', 'd', 'e', 'f'});
    CHECK(tenon::detail::read_idx(tenon_test::source_file("tests/data/files/letters-idx2-ubyte")).values ==
          array.values);
    const tenon::detail::IdxArray empty = tenon::detail::parse_idx(bytes_of("\0\0\x08\x02\0\0\0\0\0\0\0\x03"s), "F");
    CHECK(empty.sizes == std::vector<std::size_t>{0, 3});
    CHECK(empty.values.empty());
}

TEST_CASE("a malformed IDX file is refused with the reason") {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", "F: expected an IDX file, at least 4 bytes, found 0"},
        {"\0\0\x08"s, "F: expected an IDX file, at least 4 bytes, found 3"},
        {hello_gzip,
         "F: expected an IDX file, found one that is compressed with gzip (tenon/data/archives/gzip.hpp reads it)"},
        {"\0\1\x08\1\0\0\0\0"s, "F: expected an IDX file, which begins with two zero bytes"},
        {"\0\0\x0D\1\0\0\0\0"s, "F: expected an IDX file of unsigned bytes (type 8), found type 13"},
        {"\0\0\x08\0"s, "F: expected an IDX file of at least one dimension, found none"},
        {"\0\0\x08\x02\0\0\0\1"s, "F: expected a header of 12 bytes, found a file of 8"},
        {"\0\0\x08\xFF"s, "F: expected a header of 1024 bytes, found a file of 4"},
        {two_by_three.substr(0, 17), "F: expected 6 bytes of values, 2 x 3, found 5"},
        {two_by_three + "g", "F: expected 6 bytes of values, 2 x 3, found 7"},
        {"\0\0\x08\x03"s + std::string(12, '\xFF'), "F: its 3 dimensions hold more values than can be addressed"},
    };
    for (const auto& [content, expected] : cases)
        CHECK(error_of([&, &bytes = content] { tenon::detail::parse_idx(bytes_of(bytes), "F"); }) == expected);
    CHECK(error_of([] { tenon::detail::read_idx("no/such/file"); }) ==
          "no/such/file: cannot open the file: No such file or directory");
}

TEST_CASE("images and labels must belong together") {
    const auto make = [](std::vector<std::size_t> image_sizes, std::vector<std::size_t> label_sizes) {
        const auto array = [](std::vector<std::size_t> sizes) {
            const std::size_t count = std::reduce(sizes.begin(), sizes.end(), std::size_t{1}, std::multiplies<>());
            return tenon::detail::IdxArray{std::move(sizes), std::vector<std::uint8_t>(count)};
        };
        return tenon::detail::make_image_dataset(array(std::move(image_sizes)), "I", array(std::move(label_sizes)),
                                                 "L");
    };
    const tenon::ImageDataset dataset = make({3, 2, 5}, {3});
    CHECK(dataset.size() == 3);
    CHECK(dataset.shape == tenon::Shape{1, 2, 5});
    CHECK(dataset.image(2).data() == dataset.images.data() + 20);
    CHECK(dataset.image(2).size() == 10);
    CHECK(error_of([&] { make({3, 2}, {3}); }) == "I: expected images, count x height x width, found 3 x 2");
    CHECK(error_of([&] { make({3, 2, 0}, {3}); }) == "I: expected images, count x height x width, found 3 x 2 x 0");
    CHECK(error_of([&] { make({3, 2, 5}, {3, 1}); }) == "L: expected labels, one dimension, found 3 x 1");
    CHECK(error_of([&] { make({3, 2, 5}, {4}); }) == "L: expected a label for each of the 3 images of I, found 4");
}

TEST_CASE("a gzip file is decompressed, or refused with the reason") {
    const auto refusal = [](const std::string& content, std::size_t max_bytes = 1000) {
        return error_of([&] { tenon::detail::gunzip(bytes_of(content), "F", max_bytes); });
    };
    CHECK(text_of(tenon::detail::gunzip(bytes_of(hello_gzip), "F", 5)) == "hello");
    CHECK(text_of(tenon::detail::gunzip(bytes_of(hello_gzip + hello_gzip), "F", 1000)) == "hellohello");
    CHECK(refusal(hello_gzip, 4) == "F: expected at most 4 bytes of content, found more");
    CHECK(refusal("hello") == "F: expected a file compressed with gzip");
    for (std::size_t size = 2; size < hello_gzip.size(); ++size)
        CHECK(contains(refusal(hello_gzip.substr(0, size)), "F: cannot decompress it: the file ends early, after "));
    std::string damaged = hello_gzip;
    damaged[17] ^= 1;
    CHECK(refusal(damaged) == "F: cannot decompress it: incorrect data check");
    CHECK(refusal(hello_gzip + "more") == "F: cannot decompress it: incorrect header check");
}

TEST_CASE("a large gzip file is decompressed in pieces, up to a bound") {
    const std::string bomb = tenon_test::read_file(tenon_test::source_file("tests/data/files/zeros.gz"));
    const std::vector<std::byte> zeros = tenon::detail::gunzip(bytes_of(bomb), "F", 5 << 20);
    CHECK(zeros.size() == 5 << 20);
    CHECK(error_of([&] { tenon::detail::gunzip(bytes_of(bomb), "F", (5 << 20) - 1); }) ==
          "F: expected at most 5242879 bytes of content, found more");
}

TEST_CASE("Fashion-MNIST is read from a folder, compressed or not") {
    const tenon_test::TemporaryFolder folder;
    const auto read = [&] { return tenon::read_fashion_mnist(tenon::Subset::test, folder.file("")); };
    CHECK(contains(error_of(read), "t10k-images-idx3-ubyte.gz: cannot open the file: No such file or directory"));
    const std::string header = "\0\0\x08\x03\0\0\0\1\0\0\0\x1C\0\0\0\x1C"s;
    tenon_test::write_file(folder.file("t10k-images-idx3-ubyte"), header + std::string(784, 'x'));
    tenon_test::write_file(folder.file("t10k-labels-idx1-ubyte"), "\0\0\x08\1\0\0\0\1\x09"s);
    CHECK(read().labels == std::vector<int>{9});
    tenon_test::write_file(folder.file("t10k-labels-idx1-ubyte"), "\0\0\x08\1\0\0\0\1\x0A"s);
    CHECK(contains(error_of(read), "t10k-labels-idx1-ubyte: expected labels from 0 to 9, found 10"));
    tenon_test::write_file(folder.file("t10k-images-idx3-ubyte"), "\0\0\x08\x03\0\0\0\1\0\0\0\1\0\0\0\1x"s);
    CHECK(contains(error_of(read), "expected images of shape [1, 28, 28], found [1, 1, 1]"));
}

TEST_CASE("Debian's Fashion-MNIST has its known sizes and sums") {
    if (!std::filesystem::exists(tenon::detail::fashion_mnist_folder)) {
        std::cerr << "SKIPPED: " << tenon::detail::fashion_mnist_folder
                  << " is absent; Debian's package dataset-fashion-mnist has it.\n";
        return;
    }
    // The sums were taken with Python's gzip and numpy.
    const tenon::ImageDataset test = tenon::read_fashion_mnist(tenon::Subset::test);
    CHECK(test.size() == 10000);
    CHECK(test.shape == tenon::Shape{1, 28, 28});
    CHECK(std::reduce(test.images.begin(), test.images.end(), 0L) == 573469082);
    CHECK(std::reduce(test.labels.begin(), test.labels.end(), 0L) == 45000);
    const tenon::ImageDataset train = tenon::read_fashion_mnist(tenon::Subset::training);
    CHECK(train.size() == 60000);
    CHECK(std::reduce(train.images.begin(), train.images.end(), 0L) == 3431114169);
}
