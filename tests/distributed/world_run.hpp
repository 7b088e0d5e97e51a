// A small training run that ranks of any kind of world do together, for tests: its result as bytes. A small network of
// CIFAR's, on images in CIFAR-10's format: invented ones, or the first 515 in the folder that TENON_TEST_CIFAR names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <tenon/data/datasets/image_dataset.hpp>
#include <tenon/distributed/world.hpp>
#include <tenon/train/callbacks/callback.hpp>

namespace tenon_test {

/// Images of noise over one pattern per class.
tenon::ImageDataset shared_images(std::size_t count, std::uint64_t seed = 1);

/// How a run ended.
struct Ending {
    std::string reason;
    long steps = 0;
};

struct RunOptions {
    int epochs = 2, shards = 4, accumulate = 1;
    std::string checkpoint{};  ///< written after each iteration
    long steps = 0;            ///< interrupted after these; 0: not
    bool resume = false;
    bool sync_norms = false;  ///< batch norms see all shards
    bool other_seed = false, other_data = false, other_weights = false, other_sharding = false;  ///< in rank 1
    tenon::Callback* callback = nullptr;
    std::string log{};          ///< a CSV file
    Ending* endings = nullptr;  ///< one per rank, to be filled in
};

/// What a loader needs to know of a world.
struct OtherRank {
    int number, ranks;
    int rank() const { return number; }
    int size() const { return ranks; }
};

/// What a run must not owe to the number of ranks: parameters, running statistics, averages, the optimizer's state by
/// way of one more epoch, and the figures of all epochs. Of a run that is interrupted only the first three.
std::string result_of_run(tenon::distributed::World world, const RunOptions& options);

/// What batch norms over all parts of a batch get wrong, as a share of the largest number of its kind: compared with
/// the complete batch in double.
struct NormErrors {
    double loss, gradients, statistics;
};
NormErrors errors_of_parts(std::span<const int> images_of_parts);

}  // namespace tenon_test
