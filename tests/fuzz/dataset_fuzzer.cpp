// Any bytes, decompressed if they look like gzip, give an IDX array whose values fit its sizes, or a tenon::Error; and
// CIFAR records with labels in range, or a tenon::Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/data/archives/gzip.hpp>
#include <tenon/data/archives/idx.hpp>
#include <tenon/data/datasets/cifar.hpp>

namespace {

void read_cifar(std::span<const std::byte> bytes) {
    constexpr int classes[] = {10, 20, 100};
    for (const auto kind : {tenon::detail::CifarRecord::cifar10, tenon::detail::CifarRecord::cifar100_coarse,
                            tenon::detail::CifarRecord::cifar100_fine}) {
        tenon::ImageDataset dataset;
        try {
            tenon::detail::append_cifar(bytes, kind, "input", dataset);
            if (dataset.size() == 0) std::abort();
        } catch (const tenon::Error&) {
            if (dataset.size() != 0) std::abort();
        }
        if (dataset.images.size() != dataset.size() * 3072) std::abort();
        for (const int label : dataset.labels)
            if (label < 0 || label >= classes[static_cast<int>(kind)]) std::abort();
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
        if (array.values.size() != count) std::abort();
    } catch (const tenon::Error&) {
    }
    return 0;
}
