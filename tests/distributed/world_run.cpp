#include "world_run.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include <tenon/data/augment/flip.hpp>
#include <tenon/data/datasets/cifar.hpp>
#include <tenon/data/loader.hpp>
#include <tenon/data/pipeline.hpp>
#include <tenon/data/split.hpp>
#include <tenon/engine/reference_training.hpp>
#include <tenon/models/cifar.hpp>
#include <tenon/train/callbacks/log_files.hpp>
#include <tenon/train/callbacks/periodic_checkpoint.hpp>
#include <tenon/train/optimizers/sgd.hpp>
#include <tenon/train/trainer.hpp>

namespace tenon_test {
namespace {

/// The blocks of a CIFAR network (strides, shortcuts that pad channels), fewer and narrower; and dropout.
struct SharedNet
    : tenon::Network<tenon::Input<3, 32, 32>,
                     tenon::Stem<tenon::Conv<8, tenon::Kernel<3>, tenon::Padding<1>>, tenon::BatchNorm, tenon::ReLU>,
                     tenon::detail::CifarStage<tenon::detail::CifarBlock, 16, 1, 2, true>,
                     tenon::detail::CifarStage<tenon::detail::CifarBlock, 32, 1, 2, true>,
                     tenon::Head<tenon::GlobalAvgPool, tenon::Dropout<tenon::Rate<1, 4>>, tenon::Linear<10>>> {};

/// Without dropout, which depends on how a batch is divided.
struct NormNet : tenon::Network<tenon::Input<3, 8, 8>, tenon::Stem<tenon::Conv<20, tenon::Kernel<3>, tenon::Stride<2>>>,
                                tenon::Head<tenon::BatchNorm, tenon::ReLU, tenon::Conv<24, tenon::Kernel<3>>,
                                            tenon::BatchNorm, tenon::GlobalAvgPool, tenon::Linear<6>>> {};

struct InterruptAfter : tenon::Callback {
    explicit InterruptAfter(long number) : steps{number} {}
    void on_step(const tenon::StepReport& report, tenon::TrainerControl& trainer) override {
        if (report.step == steps) trainer.interrupt("enough");
    }
    long steps;
};

/// Invented images of noise over one pattern per class, in CIFAR-10's binary format.
std::string cifar_file(std::size_t count, std::uint64_t seed) {
    std::string records;
    for (std::uint64_t n = 0; n < count; ++n) {
        records.push_back(static_cast<char>(n % 10));
        for (std::uint64_t k = 0; k < 3072; ++k)
            records.push_back(static_cast<char>((tenon::detail::random_bits(1, n % 10, k) >> 57) +
                                                (tenon::detail::random_bits(seed, n, k) >> 57)));
    }
    return records;
}

tenon::ImageDataset cifar_images(tenon::Subset subset) {
    const bool is_training = subset == tenon::Subset::training;
    if (const char* folder = std::getenv("TENON_TEST_CIFAR")) {
        std::vector<std::uint32_t> first(is_training ? 515 : 131);
        std::iota(first.begin(), first.end(), 0U);
        return tenon::take(tenon::read_cifar10(subset, folder), first);
    }
    const std::string file = is_training ? cifar_file(19, 2) : cifar_file(13, 3);
    tenon::ImageDataset images;
    tenon::detail::append_cifar(std::as_bytes(std::span(file)), tenon::detail::CifarRecord::cifar10, "file", images);
    return images;
}

/// The data of a network: those of CIFAR-10, or small ones.
template <class Net>
tenon::ImageDataset images_of(tenon::Subset subset) {
    if constexpr (tenon::input_shape<Net> == tenon::Shape{3, 32, 32}) return cifar_images(subset);
    return subset == tenon::Subset::training ? shared_images(53) : shared_images(31, 3);
}

template <class Net, class Backend>
std::string result_of(tenon::distributed::World world, const RunOptions& options) {
    using namespace tenon;
    const bool second = world.rank() == 1;
    ImageDataset data = images_of<Net>(Subset::training);
    const ImageDataset held_out = images_of<Net>(Subset::test);
    if (second && options.other_data) data.images[7] ^= 1;
    const int batch_size = data.size() < 50 ? 4 : data.size() < 500 ? 12 : 64;
    const Normalize normalize{{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}};
    Loader loader{data, Pipeline{PadCrop{1}, RandomFlip{}, normalize}, {.batch_size = batch_size, .seed = 5}};
    Loader validation{held_out, Pipeline{normalize}, {.batch_size = 10, .shuffle = false}};
    loader.shard(world);
    if (options.other_sharding) loader.shard(OtherRank{world.size() - 1 - world.rank(), world.size()});
    Trainer<Net, Backend> trainer{SgdOptions{.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 5e-4},
                                  {.batch_size = batch_size,
                                   .seed = second && options.other_seed ? 4U : 3U,
                                   .threads = 1,
                                   .label_smoothing = 0.1,
                                   .clip_norm = 1,
                                   .average = AverageOptions{},
                                   .world = world,
                                   .shards = options.shards,
                                   .accumulate = options.accumulate}};
    if (second && options.other_weights) {
        Parameters<Net> changed;
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
    if (options.sync_norms) return result_of<NormNet, tenon::distributed::SyncNorms<>>(world, options);
    return result_of<SharedNet, tenon::Cpu>(world, options);
}

NormErrors errors_of_parts(std::span<const int> images_of_parts) {
    using namespace tenon;
    using Backend = distributed::SyncNorms<>;
    constexpr std::size_t elements = 3 * 8 * 8;
    std::size_t whole = 0;
    for (const int images : images_of_parts) whole += static_cast<std::size_t>(images);
    const ImageDataset data = shared_images(whole);
    std::vector<float> images;
    for (const std::uint8_t pixel : data.images) images.push_back(static_cast<float>(pixel) / 64 - 2);
    Parameters<NormNet> parameters;
    parameters.seed(7);

    const int parts = static_cast<int>(images_of_parts.size()), all = static_cast<int>(whole);
    TrainingEngine<NormNet, Backend> engine{all, {.threads = 2}};
    std::ranges::copy(std::as_const(parameters).values(), engine.parameters().values().begin());
    engine.prepare_parts(parts, parts);
    std::vector<cpu::BatchPart> batch;
    std::size_t first = 0;
    for (const int count : images_of_parts) {
        const auto size = static_cast<std::size_t>(count);
        batch.push_back({std::span<const float>(images).subspan(first * elements, size * elements),
                         std::span<const int>(data.labels).subspan(first, size)});
        first += size;
    }
    const LossResult found = engine.forward_backward(
        batch, images_of_parts, 0.1,
        [](std::span<const double> mine, std::span<double> all_parts) { std::ranges::copy(mine, all_parts.begin()); });

    TrainingEngine<NormNet, Reference<double>> reference{all};
    std::ranges::copy(std::as_const(parameters).values(), reference.parameters().values().begin());
    const LossResult expected = reference.forward_backward(std::vector<double>(images.begin(), images.end()),
                                                           data.labels, {.label_smoothing = 0.1});

    NormErrors errors{std::abs(found.loss - expected.loss), 0, 0};
    for (int tensor = 0; tensor < Parameters<NormNet>::count(); ++tensor) {
        const detail::Parameter& info = Parameters<NormNet>::infos()[static_cast<std::size_t>(tensor)];
        const bool trained = detail::is_trainable(info.role);
        double error = 0, largest = 1e-30;
        for (std::size_t i = 0; i < static_cast<std::size_t>(info.elements()); ++i) {
            const std::size_t at = static_cast<std::size_t>(info.offset) + i;
            double value = trained ? 0 : double{std::as_const(engine).parameters().values()[at]};
            for (int part = 0; trained && part < parts; ++part) value += double{engine.gradients_of_part(part)[at]};
            const double wanted = trained ? reference.gradients().values()[at] : reference.parameters().values()[at];
            error = std::max(error, std::abs(value - wanted));
            largest = std::max(largest, std::abs(wanted));
        }
        double& worst = trained ? errors.gradients : errors.statistics;
        worst = std::max(worst, error / largest);
    }
    return errors;
}

}  // namespace tenon_test
