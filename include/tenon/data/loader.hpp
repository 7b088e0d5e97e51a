#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Loader: batches of a data set, shuffled, augmented and prepared ahead. The data set is in memory (ImageDataset), on
// disk (PhotoDataset), or one of your own.
//
//     Loader loader{dataset, Pipeline{PadCrop{4}, Normalize{cifar10_mean, cifar10_deviation}}, {.batch_size = 256}};

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/arena_threads.hpp>
#include <tenon/core/available_threads.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/float_environment.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/random.hpp>
#include <tenon/data/augment/cutmix.hpp>
#include <tenon/data/balance.hpp>
#include <tenon/data/batch.hpp>
#include <tenon/data/datasets/image_dataset.hpp>
#include <tenon/data/parallel.hpp>
#include <tenon/data/pipeline.hpp>

namespace tenon {

/// How a Loader makes batches.
struct LoaderOptions {
    int batch_size = 128;
    bool shuffle = true;     ///< in a new order in each epoch; else in the data set's
    bool drop_last = false;  ///< whether images that don't fill the last batch of an epoch are left out of it
    std::uint64_t seed = 0;  ///< of order and augmentation
    int threads = 1;         ///< that decode and prepare batches, besides the caller's; 0: one per core this process
                             ///< may use
    int prefetch = 1;        ///< batches that are prepared ahead; 0: each one when it is asked for
    bool balance = false;    ///< whether an epoch has equally many images of each class: those of rare classes several
                             ///< times, each time augmented anew, and not all of frequent ones
};

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// A data set that a Loader reads: size() images, each with a label from 0. `read` makes a picture of image `index`,
/// the same one whenever it is called, and may be called by several threads at once. `shapes` are examples of the
/// pictures' shapes, with which a pipeline is checked: the smallest height and width, and others if shapes differ.
template <class T>
concept LoadableDataset = requires(const T& dataset, std::size_t index, Picture& picture) {
    { dataset.size() } -> std::convertible_to<std::size_t>;
    { dataset.label(index) } -> std::convertible_to<int>;
    { *dataset.shapes().begin() } -> std::convertible_to<Shape>;
    dataset.read(index, picture);
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// A BatchSource of a data set, which must outlive it. What `read` throws (for a broken photo, say) is thrown by the
/// call of `batch` that needs the image, not earlier, however far ahead batches are prepared; the loader stays usable.
///
/// Law: batch(epoch, index) is, to the bit, a function of data set, pipeline, options other than threads and prefetch,
/// and its arguments; it depends neither on threads nor on earlier calls. All batches are made with the rounding mode
/// of the thread that makes the loader. (tests: tests/data/loader_test.cpp, photo_dataset_test.cpp)
template <class Steps, detail::LoadableDataset Dataset = ImageDataset>
class Loader {
public:
    /// Throws tenon::Error when the data set is empty or inconsistent, the pipeline does not accept its images or does
    /// not make them one size, or an option is out of range.
    Loader(const Dataset& dataset, Steps pipeline, LoaderOptions options = {}, MixUp mixup = {})
        : Loader(dataset, std::move(pipeline), options, mixup, {.alpha = 0}) {}
    /// The same with CutMix.
    template <std::same_as<augmentations::CutMix> Mix>
    Loader(const Dataset& dataset, Steps pipeline, LoaderOptions options, Mix cutmix)
        : Loader(dataset, std::move(pipeline), options, {}, cutmix) {}
    Loader(Dataset&&, Steps, LoaderOptions = {}, MixUp = {}) = delete;

    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;
    ~Loader() {
        for (auto& slot : slots_) abandon(*slot);
    }

    /// Shares the batches with the other ranks of a world, a distributed::Mpi, say: from now on this process prepares
    /// only the images of each batch that a Trainer of that world takes from it. Order and batches remain those of the
    /// whole data set, so all ranks together see every image once an epoch, however many they are. With MixUp and
    /// CutMix, which need pairs from all over a batch, every process prepares complete batches.
    template <class World>
    requires requires(const World& world) {
        { world.rank() } -> std::convertible_to<int>;
        { world.size() } -> std::convertible_to<int>;
    }
    void shard(const World& world) {
        for (auto& slot : slots_) {
            abandon(*slot);
            slot->key = nothing;
        }
        rank_ = world.rank();
        ranks_ = world.size();
    }

    /// A number that loaders of other data or with other options don't have: of all labels and some images.
    std::uint64_t fingerprint() const {
        std::uint64_t value = detail::hash_name("loader");
        const auto add = [&](std::uint64_t number) { value = detail::mix(value ^ number) + detail::golden_step; };
        add(dataset_.size());
        add(static_cast<std::uint64_t>(options_.batch_size));
        add((options_.balance ? 4U : 0U) + (options_.shuffle ? 2U : 0U) + (options_.drop_last ? 1U : 0U));
        add(options_.seed);
        for (std::size_t i = 0; i < dataset_.size(); ++i) add(static_cast<std::uint64_t>(dataset_.label(i)));
        constexpr std::size_t samples = 16;
        Picture picture;
        for (std::size_t i = 0; i < samples; ++i) {
            dataset_.read((dataset_.size() - 1) * i / (samples - 1), picture);
            for (const auto sample : picture.samples) add(std::bit_cast<std::uint32_t>(sample));
        }
        return value;
    }

    /// The shape of a batch's images.
    const Shape& shape() const { return shape_; }

    /// The number of images in an epoch's batches.
    long images() const {
        const long size = std::ssize(dataset_);
        return options_.drop_last ? size / options_.batch_size * options_.batch_size : size;
    }
    /// The number of batches in an epoch; without drop_last the last one may be smaller than the others.
    long batches() const { return (images() + options_.batch_size - 1) / options_.batch_size; }

    /// Batch `index` of an epoch, from 0, valid until the next call. With MixUp or CutMix it has targets, else labels.
    /// Throws tenon::Error when there is no such batch, and what `read` throws.
    Batch batch(long epoch, long index) {
        if (epoch < 0 || index < 0 || index >= batches())
            throw Error("expected one of the batches 0 to " + std::to_string(batches() - 1) +
                        " of an epoch, found batch " + std::to_string(index) + " of epoch " + std::to_string(epoch));
        // This batch and the prefetched ones are as many as the slots, so each of them gets a slot.
        const Key first{epoch, index};
        Key key = first;
        std::vector<Slot*> idle;
        for (auto& slot : slots_)
            if (!is_soon(slot->key, first)) idle.push_back(slot.get());
        for (std::size_t i = 0; i < slots_.size(); ++i, key = next(key))
            if (find(key) == nullptr) {
                start(*idle.back(), key);
                idle.pop_back();
            }
        Slot& slot = *find(first);
        try {
            arena_.execute([&] { slot.tasks.wait(); });
        } catch (...) {
            slot.key = nothing;
            throw;
        }
        if (mixes()) return {.images = slot.images, .labels = {}, .targets = slot.targets};
        return {.images = slot.images, .labels = slot.labels, .targets = {}, .first = slot.first, .whole = slot.whole};
    }

private:
    Loader(const Dataset& dataset, Steps pipeline, LoaderOptions options, MixUp mixup, augmentations::CutMix cutmix)
        : dataset_{dataset},
          pipeline_{std::move(pipeline)},
          options_{options},
          mixup_{mixup},
          cutmix_{cutmix},
          shape_{shape_after(pipeline_, dataset)},
          arena_{workers_of(options) + 1} {
        if (dataset.size() == 0) throw Error("a loader needs a data set of at least 1 image, found an empty one");
        check_range("images in a batch", options.batch_size, 1, 1 << 24);
        check_range("threads", options.threads, 0, max_threads);
        check_range("batches prepared ahead", options.prefetch, 0, 64);
        if (batches() == 0)
            throw Error("with drop_last a loader needs at least one batch of " + std::to_string(options.batch_size) +
                        " images, found a data set of " + std::to_string(dataset.size()));
        if constexpr (requires { dataset.check(); }) dataset.check();
        if (options.balance && !options.shuffle)
            throw Error("a loader that balances classes draws images, so it needs shuffle");
        std::vector<int> labels(mixes() || options.balance ? dataset.size() : 0);
        for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = dataset.label(i);
        mixup_.check(labels);
        cutmix_.check(labels);
        if (options.balance) members_ = detail::members_of_classes(labels);
        for (int i = 0; i <= options.prefetch; ++i) slots_.push_back(std::make_unique<Slot>());
    }

    static constexpr int max_threads = 1024;
    /// The minimum of images per task: decoding one is enough work, copying one isn't.
    static constexpr std::size_t images_per_task = std::same_as<Dataset, ImageDataset> ? 8 : 1;

    struct Key {
        long epoch = -1, index = -1;
        friend bool operator==(const Key&, const Key&) = default;
    };
    static constexpr Key nothing{};

    /// Memory for a batch, and the task that fills it.
    struct Slot {
        Key key;
        long first = 0, whole = 0;  ///< which images of the batch it has, and of how many (Batch)
        std::shared_ptr<const std::vector<std::uint64_t>> order;
        std::vector<float> images;
        std::vector<int> labels;
        std::vector<float> targets;
        tbb::task_group tasks;
    };

    bool mixes() const { return mixup_.is_on() || cutmix_.is_on(); }

    /// Workers of the arena besides the calling thread: no more than oneTBB has, which is one less than there are
    /// cores, or it warns on the standard error.
    static int workers_of(const LoaderOptions& options) {
        const int cores = detail::available_threads();
        const int wanted = options.threads == 0 ? cores : std::clamp(options.threads, 1, max_threads);
        return std::min(wanted, std::max(1, cores - 1));
    }
    /// The one shape to which a pipeline brings a data set's images.
    static Shape shape_after(const Steps& pipeline, const Dataset& dataset) {
        const auto shapes = dataset.shapes();
        const Shape result = pipeline.result(*shapes.begin());
        for (const Shape& shape : shapes)
            if (const Shape other = pipeline.result(shape); other != result)
                throw Error("a loader of images of several sizes needs a pipeline that makes them one size, by " +
                            std::string("RandomResizedCrop or CenterCrop, say; this one makes ") + to_string(result) +
                            " of " + to_string(*shapes.begin()) + " and " + to_string(other) + " of " +
                            to_string(shape));
        return result;
    }
    static void check_range(const std::string& what, int value, int min, int max) {
        if (value < min || value > max)
            throw Error("a loader needs " + std::to_string(min) + " to " + std::to_string(max) + " " + what +
                        ", found " + std::to_string(value));
    }

    Key next(Key key) const {
        return key.index + 1 < batches() ? Key{key.epoch, key.index + 1} : Key{key.epoch + 1, 0};
    }
    bool is_soon(Key key, Key first) const {
        const long distance = (key.epoch - first.epoch) * batches() + key.index - first.index;
        return key != nothing && distance >= 0 && distance < std::ssize(slots_);
    }
    Slot* find(Key key) {
        const auto found = std::ranges::find_if(slots_, [&](const auto& slot) { return slot->key == key; });
        return found == slots_.end() ? nullptr : found->get();
    }

    /// The order of the images in an epoch.
    std::shared_ptr<const std::vector<std::uint64_t>> order_of(long epoch) {
        if (!options_.shuffle) epoch = 0;
        if (order_ == nullptr || order_epoch_ != epoch) {
            const std::uint64_t stream =
                detail::hash_name("shuffle") + static_cast<std::uint64_t>(epoch) * detail::golden_step;
            std::vector<std::uint64_t> order(dataset_.size());
            if (options_.balance) {
                order = detail::balanced_order(members_, dataset_.size(), options_.seed, stream);
            } else if (options_.shuffle) {
                std::ranges::copy(detail::permutation(dataset_.size(), options_.seed, stream), order.begin());
            } else {
                std::iota(order.begin(), order.end(), std::uint64_t{0});
            }
            order_ = std::make_shared<const std::vector<std::uint64_t>>(std::move(order));
            order_epoch_ = epoch;
        }
        return order_;
    }

    /// Waits for a slot's task and discards its exception: nobody will read that batch.
    void abandon(Slot& slot) noexcept {
        try {
            arena_.execute([&] { slot.tasks.wait(); });
        } catch (...) {
            slot.key = nothing;
        }
    }

    void start(Slot& slot, Key key) {
        abandon(slot);
        slot.key = nothing;
        slot.order = order_of(key.epoch);
        const long begin = key.index * options_.batch_size;
        const long whole = std::min<long>(options_.batch_size, images() - begin);
        const bool is_shared = ranks_ > 1 && !mixes();
        slot.first = is_shared ? whole * rank_ / ranks_ : 0;
        slot.whole = is_shared ? whole : 0;
        const long end = is_shared ? whole * (rank_ + 1) / ranks_ : whole;
        const auto size = detail::index(end - slot.first);
        slot.images.resize(size * detail::index(shape_.elements()));
        slot.labels.resize(size);
        slot.key = key;
        arena_.execute([&] { slot.tasks.run([this, &slot] { fill(slot); }); });
    }

    /// Makes a slot's batch. Each image is computed on its own, so the split among threads does not matter.
    void fill(Slot& slot) const {
        const auto elements = detail::index(shape_.elements());
        const auto begin = detail::index(slot.key.index * options_.batch_size + slot.first);
        tbb::parallel_for(
            tbb::blocked_range<std::size_t>(0, slot.labels.size(), images_per_task),
            [&](const tbb::blocked_range<std::size_t>& range) {
                const detail::InFloatEnvironment of_loader{environment_};
                Picture picture, spare;
                for (std::size_t i = range.begin(); i != range.end(); ++i) {
                    const std::uint64_t drawn = (*slot.order)[begin + i];
                    const std::size_t position = drawn % dataset_.size();  // several times in a balanced epoch
                    dataset_.read(position, picture);
                    pipeline_.apply(picture, spare,
                                    detail::SampleDraws(options_.seed, slot.key.epoch, static_cast<long>(drawn)));
                    if (picture.shape != shape_)
                        throw Error("the pipeline of a loader made image " + std::to_string(position) + " one of " +
                                    to_string(picture.shape) + ", expected " + to_string(shape_));
                    std::ranges::copy(picture.samples, slot.images.begin() + static_cast<std::ptrdiff_t>(i * elements));
                    slot.labels[i] = dataset_.label(position);
                }
            });
        if (!mixes()) return;
        const detail::InFloatEnvironment of_loader{environment_};
        const auto [epoch, index] = slot.key;
        slot.targets.resize(slot.labels.size() * detail::index(mixup_.is_on() ? mixup_.classes : cutmix_.classes));
        if (mixup_.is_on())
            mixup_.mix(slot.images, slot.labels, slot.targets, mixup_.share(options_.seed, epoch, index));
        else
            cutmix_.mix(slot.images, shape_, slot.labels, slot.targets,
                        cutmix_.rectangle(shape_, options_.seed, epoch, index));
    }

    const Dataset& dataset_;
    Steps pipeline_;
    LoaderOptions options_;
    MixUp mixup_;
    augmentations::CutMix cutmix_;
    std::vector<std::vector<std::uint32_t>> members_;  ///< of each class, if classes are balanced
    Shape shape_;
    int rank_ = 0, ranks_ = 1;
    std::shared_ptr<const std::vector<std::uint64_t>> order_;
    long order_epoch_ = -1;
    detail::FloatEnvironment environment_ = detail::FloatEnvironment::current();  ///< which all batches are made in
    tbb::task_arena arena_;
    detail::ArenaThreads threads_{arena_};
    std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
