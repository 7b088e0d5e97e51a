#include "world_run.hpp"

#include <optional>
#include <vector>

#include <tenon/data/augment/flip.hpp>
#include <tenon/data/loader.hpp>
#include <tenon/data/pipeline.hpp>
#include <tenon/models/cifar.hpp>
#include <tenon/train/callbacks/log_files.hpp>
#include <tenon/train/callbacks/periodic_checkpoint.hpp>
#include <tenon/train/optimizers/sgd.hpp>
#include <tenon/train/trainer.hpp>

namespace tenon_test {
namespace {

struct SharedNet
    : tenon::Network<tenon::Input<3, 8, 8>, tenon::Stem<tenon::Conv<8, tenon::Kernel<3>, tenon::Padding<1>>>,
                     tenon::Head<tenon::BatchNorm, tenon::ReLU, tenon::GlobalAvgPool, tenon::Dropout<tenon::Rate<1, 4>>,
                                 tenon::Linear<6>>> {};

struct InterruptAfter : tenon::Callback {
    explicit InterruptAfter(long number) : steps{number} {}
    void on_step(const tenon::StepReport& report, tenon::TrainerControl& trainer) override {
        if (report.step == steps) trainer.interrupt("enough");
    }
    long steps;
};

}  // namespace

tenon::ImageDataset shared_images(std::size_t count, std::uint64_t seed) {
    tenon::ImageDataset dataset;
    dataset.shape = {3, 8, 8};
    for (std::size_t n = 0; n < count; ++n) {
        const auto label = static_cast<int>(n % 6);
        dataset.labels.push_back(label);
        for (std::size_t k = 0; k < 3 * 8 * 8; ++k)
            dataset.images.push_back(static_cast<std::uint8_t>(
                (tenon::detail::random_bits(seed, static_cast<std::uint64_t>(label), k) >> 57) +
                (tenon::detail::random_bits(seed, n + 100, k) >> 57)));
    }
    return dataset;
}

std::string result_of_run(tenon::distributed::World world, const RunOptions& options) {
    using namespace tenon;
    const bool second = world.rank() == 1;
    const ImageDataset data = shared_images(53, second && options.other_data ? 2 : 1), held_out = shared_images(31, 3);
    const Normalize normalize{{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}};
    Loader loader{data, Pipeline{PadCrop{1}, RandomFlip{}, normalize}, {.batch_size = 12, .seed = 5}};
    Loader validation{held_out, Pipeline{normalize}, {.batch_size = 10, .shuffle = false}};
    loader.shard(world);
    if (options.other_sharding) loader.shard(OtherRank{world.size() - 1 - world.rank(), world.size()});
    Trainer<SharedNet> trainer{SgdOptions{.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 5e-4},
                               {.batch_size = 12,
                                .seed = second && options.other_seed ? 4U : 3U,
                                .threads = 1,
                                .label_smoothing = 0.1,
                                .clip_norm = 1,
                                .average = AverageOptions{},
                                .world = world,
                                .shards = options.shards,
                                .accumulate = options.accumulate}};
    if (second && options.other_weights) {
        Parameters<SharedNet> changed;
        std::ranges::copy(trainer.parameters().values(), changed.values().begin());
        changed.values()[3] += 1e-6f;
        trainer.set_parameters(changed);
    }
    if (options.resume) trainer.restore(options.checkpoint);
    InterruptAfter limit{options.steps};
    PeriodicCheckpoint checkpoint{options.checkpoint, {.steps = 1}};
    FitOptions fit{.epochs = options.epochs, .schedule = schedules::cosine(), .callbacks = {&limit}};
    if (!options.checkpoint.empty()) fit.callbacks.push_back(&checkpoint);
    std::optional<CsvLog> log;
    if (!options.log.empty()) fit.callbacks.push_back(&log.emplace(options.log));
    if (options.callback) fit.callbacks.push_back(options.callback);
    trainer.fit(loader, validation, fit);
    if (options.endings) options.endings[world.rank()] = {trainer.stop_reason(), trainer.state().step};
    std::string bytes;
    const auto append = [&](const auto& values) {
        bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
    };
    if (!trainer.is_interrupted()) {
        append(trainer.parameters().values());
        trainer.fit(loader, {.epochs = 1});  // shows the optimizer's slots
    }
    append(trainer.parameters().values());
    append(trainer.weights().values());
    for (EpochReport report : trainer.history()) {
        report.seconds = 0;
        append(tenon::detail::history_table({report}));
    }
    const Evaluation found = trainer.evaluate(validation);
    append(std::vector<double>{found.loss, found.top1, found.top5, static_cast<double>(found.images)});
    return bytes;
}

}  // namespace tenon_test
