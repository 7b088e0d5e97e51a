// Any bytes, decompressed if they look like gzip, give an IDX array whose values fit its sizes, or a tenon::Error; and
// CIFAR records with labels in range, or a tenon::Error.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/data/archives/gzip.hpp>
#include <tenon/data/archives/idx.hpp>
#include <tenon/data/datasets/cifar.hpp>

#include "fuzzing.hpp"

namespace {

using fuzzing::require;

void read_cifar(std::span<const std::byte> bytes) {
    constexpr int classes[] = {10, 20, 100};
    for (const auto kind : {tenon::detail::CifarRecord::cifar10, tenon::detail::CifarRecord::cifar100_coarse,
                            tenon::detail::CifarRecord::cifar100_fine}) {
        tenon::ImageDataset dataset;
        try {
            tenon::detail::append_cifar(bytes, kind, "input", dataset);
            require(dataset.size() > 0, "a file that is read has images");
        } catch (const tenon::Error&) {
            require(dataset.size() == 0, "a file that is refused adds nothing");
        }
        require(dataset.images.size() == dataset.size() * 3072, "images are complete");
        for (const int label : dataset.labels)
            require(label >= 0 && label < classes[static_cast<int>(kind)], "labels are in range");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
    read_cifar(bytes);
    try {
        std::vector<std::byte> content;
        if (tenon::detail::is_gzip(bytes)) {
            content = tenon::detail::gunzip(bytes, "input", 1 << 20);
            bytes = content;
        }
        const tenon::detail::IdxArray array = tenon::detail::parse_idx(bytes, "input");
        std::size_t count = 1;
        for (const std::size_t length : array.sizes) count *= length;
        require(array.values.size() == count, "an array has as many values as its sizes demand");
    } catch (const tenon::Error&) {
    }
    return 0;
}
