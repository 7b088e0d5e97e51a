#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// CIFAR-10 and CIFAR-100: 50,000 training and 10,000 test photos of 32 x 32 pixels in 10 or 100 classes, in the binary
// layout that their authors publish (https://www.cs.toronto.edu/~kriz/cifar.html): records of one or two label bytes
// and 3072 samples, channel by channel.

#include <array>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/data/datasets/image_dataset.hpp>
#include <tenon/data/statistics.hpp>
#include <tenon/io/read_file.hpp>

namespace tenon {

/// The names of the classes 0 to 9 of CIFAR-10.
inline constexpr std::array<std::string_view, 10> cifar10_classes = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};

namespace detail {

/// How a record of a CIFAR file begins.
enum class CifarRecord {
    cifar10,          ///< a label, 0 to 9
    cifar100_coarse,  ///< a label of 0 to 19, which is used, and one of 0 to 99
    cifar100_fine     ///< the same, of which the second is used
};

}  // namespace detail

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Appends the records in the bytes of a CIFAR file to a data set. Throws tenon::Error, beginning with `name`, when a
/// record is incomplete, there is none, or a label is out of range; the data set is then unchanged.
template <class Once = void>
void append_cifar(std::span<const std::byte> bytes, CifarRecord kind, std::string_view name, ImageDataset& dataset) {
    constexpr Shape shape{3, 32, 32};
    constexpr std::size_t samples = 3072;
    const std::size_t labels = kind == CifarRecord::cifar10 ? 1 : 2;
    const std::size_t record = labels + samples, count = bytes.size() / record;
    const auto fail = [&](const std::string& what) { throw Error(std::string(name) + ": " + what); };
    if (count == 0 || bytes.size() % record != 0)
        fail("expected complete records of " + std::to_string(record) + " bytes, found " +
             std::to_string(bytes.size()) + " bytes: " + std::to_string(count) + " records and " +
             std::to_string(bytes.size() % record) + " bytes of record " + std::to_string(count));
    constexpr int classes[2][2] = {{10, 0}, {20, 100}};
    const auto label_at = [&](std::size_t i, std::size_t which) {
        return std::to_integer<int>(bytes[i * record + which]);
    };
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t which = 0; which < labels; ++which)
            if (const int label = label_at(i, which), limit = classes[labels - 1][which]; label >= limit)
                fail("expected a label from 0 to " + std::to_string(limit - 1) + " in record " + std::to_string(i) +
                     ", found " + std::to_string(label));

    dataset.shape = shape;
    dataset.images.reserve(dataset.images.size() + count * samples);
    for (std::size_t i = 0; i < count; ++i) {
        const auto* const first = reinterpret_cast<const std::uint8_t*>(bytes.data()) + i * record + labels;
        dataset.images.insert(dataset.images.end(), first, first + samples);
        dataset.labels.push_back(label_at(i, kind == CifarRecord::cifar100_fine ? 1 : 0));
    }
}

/// The records of several files, one after another. All files must have equally many, so that one truncated between two
/// records is found.
template <class Once = void>
ImageDataset read_cifar(const std::filesystem::path& folder, std::span<const char* const> files, CifarRecord kind) {
    constexpr std::size_t max_bytes = std::size_t{1} << 30;
    ImageDataset dataset;
    std::size_t records = 0;
    for (const char* const file : files) {
        const std::filesystem::path path = folder / file;
        const std::size_t before = dataset.size();
        append_cifar(read_file(path, max_bytes), kind, path.string(), dataset);
        const std::size_t found = dataset.size() - before;
        if (before == 0) records = found;
        if (found != records)
            throw Error(path.string() + ": expected as many records as in " + (folder / files[0]).string() + ", " +
                        std::to_string(records) + ", found " + std::to_string(found));
    }
    return dataset;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// CIFAR-10 from a folder that holds data_batch_1.bin to data_batch_5.bin, or test_batch.bin. Throws tenon::Error,
/// naming the file and if possible the record, when one is missing, truncated or damaged.
template <class Once = void>
ImageDataset read_cifar10(Subset subset, const std::filesystem::path& folder) {
    constexpr const char* files[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                     "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};
    const std::span<const char* const> all = files;
    return detail::read_cifar(folder, subset == Subset::training ? all.first(5) : all.last(1),
                              detail::CifarRecord::cifar10);
}

/// CIFAR-100 from a folder that holds train.bin or test.bin, with its 100 fine labels or its 20 coarse ones. Throws
/// tenon::Error as read_cifar10 does.
template <class Once = void>
ImageDataset read_cifar100(Subset subset, const std::filesystem::path& folder,
                           detail::CifarRecord labels = detail::CifarRecord::cifar100_fine) {
    if (labels == detail::CifarRecord::cifar10)
        throw Error("CIFAR-100 has coarse or fine labels, not those of CIFAR-10");
    constexpr const char* files[] = {"train.bin", "test.bin"};
    const std::span<const char* const> all = files;
    return detail::read_cifar(folder, subset == Subset::training ? all.first(1) : all.last(1), labels);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
