// Which public classes can be moved, and that what was moved from says so instead of crashing.
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/data/augment/normalize.hpp>
#include <tenon/data/loader.hpp>
#include <tenon/engine/emulated_cuda.hpp>
#include <tenon/engine/emulated_cuda_training.hpp>
#include <tenon/engine/reference.hpp>
#include <tenon/engine/reference_training.hpp>
#include <tenon/image/preprocess.hpp>
#include <tenon/io/protobuf.hpp>
#include <tenon/io/safetensors_writer.hpp>
#include <tenon/io/tensor_file.hpp>
#include <tenon/report/svg.hpp>
#include <tenon/topology/elementwise.hpp>
#include <tenon/topology/pooling.hpp>
#include <tenon/train/callbacks/best_weights.hpp>
#include <tenon/train/callbacks/log_files.hpp>
#include <tenon/train/callbacks/periodic_checkpoint.hpp>
#include <tenon/train/callbacks/progress_bar.hpp>
#include <tenon/train/optimizers/adamw.hpp>
#include <tenon/train/optimizers/sgd.hpp>
#include <tenon/train/testing/feature_cache.hpp>
#include <tenon/train/trainer.hpp>

#include "../support.hpp"
#include "patterns.hpp"

namespace {
namespace moved {
using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;
using tenon_test::Patterns;

struct Dense : Network<Input<1, 4, 4>, Flatten, Linear<3>> {};
struct Empty : Network<Input<1, 2, 2>, ReLU> {};

/// Movable: by construction; assignable: by move assignment; copyable: by construction.
template <class T, bool Movable, bool Assignable, bool Copyable>
constexpr bool is = std::is_move_constructible_v<T> == Movable&& std::is_move_assignable_v<T> ==
                    Assignable&& std::is_copy_constructible_v<T> == Copyable;

// Models and engines own memory and threads: they go from one owner to the next.
static_assert(is<Model<Dense, Cpu>, true, false, false>);
static_assert(is<Model<Dense, Reference<float>>, true, true, false>);
static_assert(is<Model<Dense, EmulatedCuda<>>, true, true, false>);
static_assert(is<Model<Dense, Cuda>, true, true, false>);
static_assert(is<cpu::Engine<Dense>, true, false, false>);
static_assert(is<cuda::Engine<Dense, Precision::float32>, true, true, false>);
static_assert(is<Trainer<Dense, Cpu>, true, false, false>);
static_assert(is<TrainingEngine<Dense, Cpu>, true, false, false>);
static_assert(is<TrainingEngine<Dense, Cuda>, true, true, false>);
static_assert(is<TrainingEngine<Dense, EmulatedCuda<>>, true, true, false>);
static_assert(is<Parameters<Dense>, true, true, false>);
static_assert(is<detail::Buffer<float>, true, true, false>);
// What others refer to stays where it is.
static_assert(is<TrainingEngine<Dense, Reference<double>>, false, false, false>);
static_assert(is<detail::Optimizer<float>, false, false, false>);
static_assert(is<Sgd<float>, false, false, false>);
static_assert(is<AdamW<float>, false, false, false>);
static_assert(is<Loader<Pipeline<Normalize>>, false, false, false>);
static_assert(is<cuda::TrainingDevice<Dense, Precision::float32>, false, false, false>);
static_assert(is<detail::FileDescriptor, false, false, false>);
// Files are views into memory that they own.
static_assert(is<detail::MappedFile, true, true, false>);
static_assert(is<SafetensorsFile, true, true, false>);
static_assert(is<TensorFile, true, true, false>);
static_assert(is<detail::WeightsFile, true, true, false>);
static_assert(is<detail::CheckpointFile, true, true, false>);
static_assert(is<detail::PthFile, true, false, false>);
static_assert(is<detail::NpzFile, true, false, false>);
static_assert(is<detail::ZipArchive, true, true, true>);
// Values: moving only spares a copy.
static_assert(is<Image, true, true, true>);
static_assert(is<ImageDataset, true, true, true>);
static_assert(is<ConfusionMatrix, true, true, true>);
static_assert(is<Evaluation, true, true, true>);
static_assert(is<Metrics, true, true, true>);
static_assert(is<FeatureCache, true, true, true>);
static_assert(is<Schedule, true, true, true>);
static_assert(is<Pipeline<Normalize>, true, true, true>);
static_assert(is<detail::ProtobufMessage, true, true, true>);
static_assert(is<detail::Svg, true, true, true>);
// Callbacks: with a file of their own they move, with a stream of the caller's they stay with it.
static_assert(is<BestWeights, true, true, true>);
static_assert(is<EarlyStop, true, true, true>);
static_assert(is<PeriodicCheckpoint, true, true, true>);
static_assert(is<ProgressBar, true, false, true>);
static_assert(is<CsvLog, true, true, false>);
static_assert(is<JsonlLog, true, true, false>);

// The analyzer knows as well that these objects were moved from; that is the point.
// NOLINTBEGIN(bugprone-use-after-move, clang-analyzer-cplusplus.Move)

template <class Backend>
void check_model() {
    const std::vector<float> image(16, 0.5f);
    Model<Dense, Backend> model{{.threads = 1}};
    model.initialize(1);
    const auto expected = model(image)[0];
    Model<Dense, Backend> other = std::move(model);
    CHECK(other(image)[0] == expected);
    std::vector<float> results(3);
    constexpr std::string_view moved_from =
        "this model was moved from and has nothing left; use the one that it was moved into, or make a new one";
    if constexpr (detail::ReadsBytes<typename Backend::template Engine<Dense>>) {
        const std::vector<std::uint8_t> bytes(image.size(), 1);
        const std::vector<float> scale(static_cast<std::size_t>(input_shape<Dense>.channels), 1.0f);
        CHECK(error_of([&] { model.run_bytes(bytes, scale, scale, results); }) == moved_from);
    }
    for (const std::string& text :
         {error_of([&] { model(image); }), error_of([&] { model(image, results); }),
          error_of([&] { model.profile(image); }), error_of([&] { model.initialize(1); }),
          error_of([&] { model.set_parameters(Parameters<Dense>{}); }), error_of([&] { model.load("none"); })})
        CHECK(text == moved_from);
    CHECK(other(image)[0] == expected);
    if constexpr (std::is_move_assignable_v<Model<Dense, Backend>>) {
        model = std::move(other);
        CHECK(model(image)[0] == expected);
        CHECK(contains(error_of([&] { other(image); }), "moved from"));
    }
}

template <class Engine>
void check_engine() {
    Engine engine{1, 1};
    Parameters<Dense> parameters;
    parameters.seed(1);
    const std::vector<float> image(16, 0.5f);
    std::vector<float> results(3);
    Engine other = std::move(engine);
    CHECK(contains(error_of([&] { engine.set_parameters(parameters.tensors()); }), "this engine was moved from"));
    CHECK(contains(error_of([&] { engine.run(image.data(), results.data(), 1, [](int) {}); }), "engine was moved"));
    other.set_parameters(parameters.tensors());
    other.run(image.data(), results.data(), 1, [](int) {});
}

template <class Engine>
void check_training_engine() {
    Engine engine{2};
    const std::vector<float> images(32, 0.5f);
    const std::vector<int> labels{0, 1};
    Engine other = std::move(engine);
    CHECK(contains(error_of([&] { engine.forward_backward(images, labels); }), "was moved from"));
    CHECK(contains(error_of([&] { engine.parameters().values(); }), "was moved from"));
    CHECK(contains(error_of([&] { engine.gradients()[0]; }), "was moved from"));
    CHECK(std::isfinite(other.forward_backward(images, labels).loss));
}

TEST_CASE("a model that was moved from throws, and the one it was moved into goes on") {
    check_model<Cpu>();
    check_model<Reference<float>>();
    check_model<EmulatedCuda<>>();
}

TEST_CASE("so does an engine") {
    check_engine<cpu::Engine<Dense>>();
    check_engine<reference::Engine<Dense, float>>();
    check_engine<cuda::EmulatedEngine<Dense, Precision::float32>>();
    check_training_engine<TrainingEngine<Dense, Cpu>>();
    check_training_engine<TrainingEngine<Dense, EmulatedCuda<>>>();
}

TEST_CASE("parameters that were moved from are not read, written or saved") {
    const tenon_test::TemporaryFolder folder;
    Parameters<Dense> parameters;
    parameters.seed(3);
    const std::vector<float> expected(parameters.values().begin(), parameters.values().end());
    const Parameters<Dense> other = std::move(parameters);
    CHECK(tenon_test::same_bytes(other.values(), expected));
    for (const std::string& text : {error_of([&] { parameters.values(); }), error_of([&] { parameters[0]; }),
                                    error_of([&] { parameters.seed(1); }), error_of([&] { parameters.tensors(); }),
                                    error_of([&] { parameters.save(folder.file("a.safetensors")); })})
        CHECK(contains(text, "this set of parameters was moved from"));
    parameters = Parameters<Dense>{};
    CHECK(parameters.values().size() == expected.size());
    // A network without parameters has nothing that could be missing.
    Parameters<Empty> none;
    const Parameters<Empty> same = std::move(none);
    CHECK(none.values().empty());
    CHECK(same.values().empty());
}

TEST_CASE("a trainer goes on where it was moved to, and throws where it was moved from") {
    const tenon_test::TemporaryFolder folder;
    Patterns images{{1, 4, 4}, 3, 1, 8, false, 16};
    const auto make = [] { return Trainer<Dense, Cpu>{SgdOptions{.momentum = 0.9}, {.batch_size = 8, .threads = 1}}; };
    Trainer<Dense, Cpu> straight = make(), trainer = make();
    straight.fit(images, {.epochs = 1});
    straight.fit(images, {.epochs = 2});
    trainer.fit(images, {.epochs = 1});
    Trainer<Dense, Cpu> other = std::move(trainer);
    other.fit(images, {.epochs = 2});
    CHECK(tenon_test::same_bytes(other.parameters().values(), straight.parameters().values()));
    const std::vector<float> image(16, 0.5f);
    for (const std::string& text :
         {error_of([&] { trainer.fit(images, {.epochs = 2}); }), error_of([&] { trainer.evaluate(images); }),
          error_of([&] { trainer.predict(image); }), error_of([&] { trainer.parameters(); }),
          error_of([&] { trainer.weights(); }), error_of([&] { trainer.set_parameters(other.parameters()); }),
          error_of([&] { trainer.transfer(other.parameters()); }),
          error_of([&] { trainer.save_weights(folder.file("a.safetensors")); }),
          error_of([&] { trainer.save_checkpoint(folder.file("b.safetensors")); }),
          error_of([&] { trainer.restore(folder.file("b.safetensors")); }), error_of([&] { trainer.threads(); })})
        CHECK(contains(text, "this trainer was moved from"));
    CHECK(std::filesystem::is_empty(folder.file("")));
}

TEST_CASE("values that were moved from are empty") {
    Image image(2, 3, 1);
    const Image kept = std::move(image);
    CHECK(kept.height() == 2);
    CHECK(image.empty());
    CHECK(image.height() == 0);
    CHECK(image == Image{});
    CHECK(to_rgb(image).empty());
    CHECK(to_gray(image).empty());
    Image color(2, 3, 3);
    const Image color_kept = std::move(color);
    CHECK(to_gray(color).empty());
    CHECK(contains(error_of([&] { preprocess(color, torchvision_imagenet); }), "without pixels"));

    ConfusionMatrix confusion{2};
    confusion.add(1, 1);
    const ConfusionMatrix confusion_kept = std::move(confusion);
    CHECK(confusion_kept.recall(1) == 1);
    CHECK(confusion.classes() == 0);

    Metrics metrics{2};
    const std::vector<float> logits{0, 1};
    const std::vector<int> labels{1};
    const Metrics metrics_kept = std::move(metrics);
    CHECK(contains(error_of([&] { metrics.add(logits, {{}, labels, {}}); }), "was moved from"));
    CHECK(metrics_kept.result().images == 0);

    Schedule schedule = schedules::cosine();
    const Schedule schedule_kept = std::move(schedule);
    CHECK(schedule_kept({0, 10, 5}) == 1);
    CHECK(contains(error_of([&] { schedule({0, 10, 5}); }), "this schedule was moved from"));

    ImageDataset dataset{.shape = {1, 1, 1}, .images = {1, 2}, .labels = {0, 1}};
    const ImageDataset dataset_kept = std::move(dataset);
    CHECK(dataset_kept.size() == 2);
    CHECK(contains(error_of([&] { Loader(dataset, Pipeline{Normalize{}}); }), "found an empty one"));

    detail::ProtobufMessage message;
    message.add_text(1, "abc");
    const detail::ProtobufMessage message_kept = std::move(message);
    CHECK(message_kept.size() == 5);
    CHECK(message.size() == 0);

    Patterns images{{1, 4, 4}, 3, 1, 8, false, 16};
    Parameters<Dense> parameters;
    FeatureCache cache{parameters, images, {.batch_size = 8, .threads = 1}};
    FeatureCache cache_kept = std::move(cache);
    CHECK(cache_kept.batch(0, 0).labels.size() == 8);
    CHECK(cache.batches() == 0);
    CHECK(contains(error_of([&] { cache.batch(0, 0); }), "there is no batch 0 among 0"));
}

TEST_CASE("files that were moved from have no tensors, and moved ones keep theirs") {
    const tenon_test::TemporaryFolder folder;
    const std::string path = folder.file("a.safetensors");
    const std::vector<float> values{1, 2};
    const std::vector<TensorEntry> entries{make_tensor_entry<float>("x", {2}, std::span<const float>(values))};
    write_safetensors(path, entries);
    const auto make_moved = [&] {
        SafetensorsFile file{path};
        SafetensorsFile other = std::move(file);
        CHECK(file.tensors().empty());
        CHECK(file.find("x") == nullptr);
        CHECK(contains(error_of([&] { file.at("x"); }), "expected a tensor"));
        return other;
    };
    CHECK(make_moved().values<float>("x") == values);
    TensorFile tensors{path};
    {
        const TensorFile other = std::move(tensors);
        CHECK(other.tensors().size() == 1);
    }
    CHECK(contains(error_of([&] { tensors.tensors(); }), "this file of tensors was moved from"));
}

TEST_CASE("logs that were moved from don't write") {
    const tenon_test::TemporaryFolder folder;
    CsvLog log(folder.file("log.csv"));
    CsvLog other = std::move(log);
    Patterns images{{1, 4, 4}, 3, 1, 8, false, 16};
    Trainer<Dense, Cpu> trainer{SgdOptions{}, {.batch_size = 8, .threads = 1}};
    CHECK(contains(error_of([&] { trainer.fit(images, {.epochs = 1, .callbacks = {&log}}); }), "cannot write the log"));
    trainer.fit(images, {.epochs = 1, .callbacks = {&other}});
    CHECK(contains(tenon_test::read_file(folder.file("log.csv")), "loss"));
}

// NOLINTEND(bugprone-use-after-move, clang-analyzer-cplusplus.Move)

}  // namespace moved
}  // namespace
