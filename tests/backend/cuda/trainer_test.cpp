// Trainers on CUDA in the emulator: what optimizers do to the parameters beside the CPU, fits, evaluation, checkpoints.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include <doctest/doctest.h>

#include <tenon/distributed/threads.hpp>
#include <tenon/engine/emulated_cuda_training.hpp>
#include <tenon/topology/block.hpp>
#include <tenon/topology/training_parts.hpp>
#include <tenon/train/optimizers/adamw.hpp>
#include <tenon/train/optimizers/sgd.hpp>
#include <tenon/train/trainer.hpp>

#include "../../support.hpp"
#include "../../train/patterns.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;
using tenon_test::Patterns;
using tenon_test::same_bytes;

struct Learner : Network<Input<3, 6, 6>, Conv<8, Kernel<3>, Padding<1>>,
                         Residual<Sequential<BatchNorm, ReLU, Conv<8, Kernel<3>, Padding<1>>>, Identity>, BatchNorm,
                         ReLU, GlobalAvgPool, Dropout<Rate<1, 10>>, Linear<6>> {};

using CudaTrainer = Trainer<Learner, EmulatedCuda<>>;

const SgdOptions sgd{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 5e-4};

double largest_difference(std::span<const float> a, std::span<const float> b) {
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double off = std::abs(double{a[i]} - double{b[i]});
        worst = off > worst || std::isnan(off) ? off : worst;
    }
    return worst;
}

Patterns patterns() { return {{3, 6, 6}, 6, 3, 6}; }

/// The gradients' norms of all steps.
struct Norms : Callback {
    std::vector<double> seen;
    void on_step(const StepReport& step, TrainerControl&) override { seen.push_back(step.gradient_norm); }
};

/// Six steps on both backends, with clipping, smoothing, a schedule and an average.
template <class Options>
void compare_with_cpu(const Options& optimizer, double clip_norm, double bound) {
    TrainerOptions options{.batch_size = 6, .label_smoothing = 0.1, .clip_norm = clip_norm};
    options.average = AverageOptions{.decay = 0.7, .every = 2};
    Trainer<Learner, Cpu> expected{optimizer, options};
    CudaTrainer trainer{optimizer, options};
    REQUIRE(same_bytes(expected.parameters().values(), trainer.parameters().values()));
    const std::vector<float> before(trainer.parameters().values().begin(), trainer.parameters().values().end());
    Patterns first = patterns(), second = patterns();
    Norms expected_norms, norms;
    expected.fit(first, {.epochs = 2, .schedule = schedules::cosine(), .callbacks = {&expected_norms}});
    trainer.fit(second, {.epochs = 2, .schedule = schedules::cosine(), .callbacks = {&norms}});
    REQUIRE(norms.seen.size() == 6);
    for (std::size_t i = 0; i < norms.seen.size(); ++i) {
        if (clip_norm > 0) {
            CHECK(norms.seen[i] == doctest::Approx(expected_norms.seen[i]).epsilon(1e-3));
            CHECK(norms.seen[i] > clip_norm);  // else nothing is clipped
        } else {
            CHECK((std::isnan(norms.seen[i]) && std::isnan(expected_norms.seen[i])));
        }
    }
    const double moved = largest_difference(before, trainer.parameters().values());
    CHECK(moved > 100 * bound);
    CHECK(largest_difference(expected.parameters().values(), trainer.parameters().values()) < bound);
    CHECK(largest_difference(expected.weights().values(), trainer.weights().values()) < bound);
    CHECK(trainer.history().back().loss == doctest::Approx(expected.history().back().loss).epsilon(1e-4));
}

TEST_CASE("six steps of SGD change the parameters as on the CPU, in both conventions") {
    compare_with_cpu(sgd, 0.05, 1e-5);
    compare_with_cpu(SgdOptions{.learning_rate = 0.05}, 0, 1e-5);
    SgdOptions keras = sgd;
    keras.convention = SgdConvention::keras;
    keras.decayed = DecayedRoles::all();
    compare_with_cpu(keras, 0, 1e-5);
    keras.nesterov = false;
    compare_with_cpu(keras, 0, 1e-5);
}

TEST_CASE("six steps of AdamW change the parameters as on the CPU, with decay decoupled and coupled") {
    // Gradients near zero decide the sign of a first step, so differences of rounding count up to the rate there.
    compare_with_cpu(AdamWOptions{.learning_rate = 0.01, .epsilon = 1e-3}, 0.05, 1e-4);
    compare_with_cpu(AdamWOptions{.learning_rate = 0.01, .epsilon = 1e-3, .weight_decay = 0.1, .decoupled = false}, 0,
                     1e-4);
}

/// A user's optimizer, which has a slot and no rule that the device knows: the host does its step.
class Smoothed final : public detail::Optimizer<float> {
public:
    Smoothed(std::vector<detail::ParameterRun> runs, long scalars)
        : detail::Optimizer<float>{std::move(runs), scalars, 1} {}
    std::string identity() const override { return "smoothed"; }
    double learning_rate() const override { return 0.2; }

protected:
    void update(const detail::OptimizerStep<float>& step, const detail::ParameterRun& run) override {
        float* const smooth = slot(0, run.begin);
        for (long i = 0; i < run.size(); ++i) {
            const auto at = static_cast<std::size_t>(run.begin + i);
            smooth[i] = 0.5f * (smooth[i] + step.gradients[at]);
            step.parameters[at] -= static_cast<float>(step.learning_rate) * smooth[i];
        }
    }
};
struct SmoothedOptions {
    DecayedRoles decayed{};
    template <class Scalar>
    std::unique_ptr<detail::Optimizer<Scalar>> make(std::vector<detail::ParameterRun> runs, long scalars) const {
        return std::make_unique<Smoothed>(std::move(runs), scalars);
    }
};

TEST_CASE("six steps of an optimizer without a rule change the parameters as on the CPU") {
    compare_with_cpu(SmoothedOptions{}, 0.05, 1e-5);
}

TEST_CASE("trainers of two processes on a device each end with the bits of one that computes both shards") {
    const TrainerOptions options{.batch_size = 6, .clip_norm = 1, .shards = 2};
    const auto end_of = [&](distributed::World world, int device) {
        TrainerOptions mine = options;
        mine.world = world;
        mine.device = device;
        CudaTrainer trainer{sgd, mine};
        Patterns images = patterns();
        trainer.fit(images, {.epochs = 1});
        return std::vector<float>(trainer.parameters().values().begin(), trainer.parameters().values().end());
    };
    const std::vector<float> alone = end_of({}, -1);
    std::vector<float> ends[2];
    distributed::Threads<2>{}.run(
        [&](auto& world) { ends[world.rank()] = end_of(distributed::World{world}, world.rank()); });
    CHECK(same_bytes(ends[0], alone));
    CHECK(same_bytes(ends[1], alone));
}

TEST_CASE("an update is part of the step's graph, and nothing else is copied") {
    CudaTrainer trainer{sgd, {.batch_size = 6, .clip_norm = 1}};
    Patterns images = patterns();
    trainer.fit(images, {.epochs = 1});
    // The engine is the trainer's own, so that a second one shows what a step asks of the driver.
    tenon::TrainingEngine<Learner, EmulatedCuda<>> engine{6};
    engine.parameters().seed(1);
    const auto optimizer = sgd.make<float>(
        detail::parameter_runs(Parameters<Learner>::infos(), &decltype(engine)::is_trained, sgd.decayed),
        state_count<Learner>);
    engine.prepare_updates(*optimizer->rule(), optimizer->runs(), false);
    const Batch batch = images.batch(0, 0);
    const detail::UpdateStep update{.learning_rate = 0.1, .clip_norm = 1};
    engine.train(batch.images, batch.labels, {}, update);
    cuda::EmulatedDriver& driver = engine.runner().driver();
    driver.clear_calls();
    const detail::UpdateResult result = engine.train(batch.images, batch.labels, {}, update);
    CHECK(result.gradient_norm > 0);
    const std::vector<std::string> expected{
        "upload 2592 copy",    "upload 24 copy",      "upload " + std::to_string(sizeof(cuda::StepScalars)) + " copy",
        "record 0 copy",       "wait 0 compute",      "launch_graph 0",
        "download 96 compute", "download 16 compute", "synchronize compute"};
    CHECK(driver.calls() == expected);
}

TEST_CASE("a step is repeated without copies, and changes what as many steps change") {
    Patterns images = patterns();
    const Batch batch = images.batch(0, 0);
    const auto train = [&](int steps, int repeated, auto... observe) {
        tenon::TrainingEngine<Learner, EmulatedCuda<>> engine{6};
        engine.parameters().seed(1);
        const auto optimizer = sgd.make<float>(
            detail::parameter_runs(Parameters<Learner>::infos(), &decltype(engine)::is_trained, sgd.decayed),
            state_count<Learner>);
        engine.prepare_updates(*optimizer->rule(), optimizer->runs(), false);
        CHECK_THROWS_WITH_AS(engine.repeat(1), "there is no training step that could be repeated", Error);
        detail::UpdateResult result;
        for (int i = 0; i < steps; ++i)
            result = engine.train(batch.images, batch.labels, {.seed = 5}, {.learning_rate = 0.1});
        engine.runner().driver().clear_calls();
        if (repeated > 0) result = engine.repeat(repeated);
        (observe(engine.runner().driver().calls()), ...);
        const std::span<const float> parameters = engine.parameters().values();
        return std::pair{result.loss.loss, std::vector<float>(parameters.begin(), parameters.end())};
    };
    const auto repeated = train(1, 2, [](const std::vector<std::string>& calls) {
        CHECK(calls == std::vector<std::string>{"launch_graph 0", "launch_graph 0", "download 96 compute",
                                                "download 16 compute", "synchronize compute"});
    });
    CHECK(repeated == train(3, 0));
    CHECK(repeated.first < train(1, 0).first);
}

TEST_CASE("a fit learns, is evaluated, and is bitwise the same when it is repeated") {
    const auto fit = [] {
        CudaTrainer trainer{sgd, {.batch_size = 12, .average = AverageOptions{.decay = 0.5}}};
        Patterns train{{3, 6, 6}, 6, 5, 12, true, 0.2}, test{{3, 6, 6}, 6, 2, 12, false, 0.2};
        const Evaluation before = trainer.evaluate(test);
        trainer.fit(train, test, {.epochs = 8, .schedule = schedules::one_cycle()});
        CHECK(before.top1 < 0.6);
        CHECK(trainer.history().back().validation_accuracy > 0.9);
        CHECK(trainer.history().back().loss < trainer.history().front().loss);
        std::vector<float> all(trainer.parameters().values().begin(), trainer.parameters().values().end());
        all.insert(all.end(), trainer.weights().values().begin(), trainer.weights().values().end());
        return all;
    };
    const std::vector<float> once = fit();
    CHECK(same_bytes(once, fit()));
}

TEST_CASE("a trainer that goes on from a checkpoint ends bitwise as one that was never stopped") {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / "tenon_cuda_trainer_test";
    std::filesystem::create_directories(folder);
    const std::string path = (folder / "checkpoint").string();
    const TrainerOptions options{.batch_size = 6, .clip_norm = 1, .average = AverageOptions{.decay = 0.9}};
    Patterns images = patterns();
    for (const bool adam : {false, true}) {
        const auto make = [&] {
            return adam ? std::make_unique<CudaTrainer>(AdamWOptions{}, options)
                        : std::make_unique<CudaTrainer>(sgd, options);
        };
        const auto straight = make(), stopped = make(), resumed = make();
        straight->fit(images, {.epochs = 1});
        straight->fit(images, {.epochs = 1});
        stopped->fit(images, {.epochs = 1});
        stopped->save_checkpoint(path);
        resumed->restore(path);
        resumed->fit(images, {.epochs = 1});
        stopped->fit(images, {.epochs = 1});  // saving changed nothing
        CHECK(same_bytes(straight->parameters().values(), resumed->parameters().values()));
        CHECK(same_bytes(straight->weights().values(), resumed->weights().values()));
        CHECK(same_bytes(straight->parameters().values(), stopped->parameters().values()));
    }
    std::filesystem::remove_all(folder);
}

TEST_CASE("a loss that is no number changes no parameter and is explained") {
    CudaTrainer trainer{sgd, {.batch_size = 6}};
    const std::vector<float> before(trainer.parameters().values().begin(), trainer.parameters().values().end());
    struct Broken : Patterns {
        using Patterns::Patterns;
        Batch batch(long epoch, long index) {
            Batch batch = Patterns::batch(epoch, index);
            const_cast<float&>(batch.images[7]) = std::nanf("");
            return batch;
        }
    } images{{3, 6, 6}, 6, 1, 6};
    const std::string message = error_of([&] { trainer.fit(images, {.epochs = 1}); });
    CHECK(contains(message, "image 0 of the batch has a pixel that is"));
    for (int i = 0; i < trainer.parameters().count(); ++i) {
        const detail::Parameter& info = lowered<Learner>.parameters[i];
        if (detail::is_trainable(info.role))
            CHECK(same_bytes(std::span(before).subspan(static_cast<std::size_t>(info.offset),
                                                       static_cast<std::size_t>(info.elements())),
                             trainer.parameters()[i]));
    }
}

/// No dropout, so that a step is a function of parameters and batch.
struct Tiny : Network<Input<3, 6, 6>, Conv<8, Kernel<3>, Padding<1>>, BatchNorm, ReLU, GlobalAvgPool, Linear<6>> {};
using HalfTrainer = Trainer<Tiny, EmulatedCuda<Precision::float16>>;

TEST_CASE("shards are refused where the loss is scaled") {
    CHECK(
        error_of([] {
            HalfTrainer trainer{sgd, TrainerOptions{.shards = 2}};
        }) ==
        "a trainer of several processes, shards or accumulated batches needs a precision that does without a scale of "
        "the loss, found float16");
}

/// The scales of all steps, and which were skipped.
struct Scales : Callback {
    std::vector<std::pair<double, bool>> seen;
    void on_step(const StepReport& step, TrainerControl&) override { seen.emplace_back(step.loss_scale, step.skipped); }
};

template <class Optimizer>
void check_skipped_steps(const Optimizer& optimizer) {
    constexpr int steps = 40;
    TrainerOptions options{.batch_size = 6, .clip_norm = 0.5, .average = AverageOptions{.decay = 0.9, .every = 2}};
    options.loss_scaling.initial = 0x1p36;
    Patterns images{{3, 6, 6}, 6, 1, 6, false};
    HalfTrainer trainer{optimizer, options};
    Scales scales;
    trainer.fit(images, {.epochs = steps, .callbacks = {&scales}});
    const auto skipped = static_cast<int>(trainer.state().skipped);
    REQUIRE(skipped > 3);
    REQUIRE(skipped < steps - 5);
    double scale = 0x1p36;
    for (int i = 0; i < steps; ++i) {
        CHECK(scales.seen[static_cast<std::size_t>(i)] == std::pair{scale, i < skipped});
        if (i < skipped) scale /= 2;
    }
    // Where they are missing, all is the same but for the running statistics.
    options.loss_scaling.initial = scale;
    HalfTrainer direct{optimizer, options};
    direct.fit(images, {.epochs = steps - skipped});
    CHECK(direct.state().skipped == 0);
    for (int i = 0; i < trainer.parameters().count(); ++i)
        if (detail::is_trainable(lowered<Tiny>.parameters[i].role)) {
            CHECK(same_bytes(trainer.parameters()[i], direct.parameters()[i]));
            CHECK(same_bytes(trainer.weights()[i], direct.weights()[i]));
        }
}

TEST_CASE("neither optimizer nor average count the steps that are skipped in half precision") {
    check_skipped_steps(AdamWOptions{.learning_rate = 0.01});
    check_skipped_steps(SmoothedOptions{});
}

TEST_CASE("the loss' scale belongs to a checkpoint") {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / "tenon_cuda_scale_test";
    std::filesystem::create_directories(folder);
    const std::string path = (folder / "checkpoint").string();
    TrainerOptions options{.batch_size = 6, .average = AverageOptions{.decay = 0.9}};
    options.loss_scaling = {.initial = 0x1p30, .interval = 4};
    Patterns images{{3, 6, 6}, 6, 9, 6};
    HalfTrainer straight{AdamWOptions{}, options}, resumed{AdamWOptions{}, options}, old{AdamWOptions{}, options};
    Scales seen, seen_again, seen_of_old;
    straight.fit(images, {.epochs = 2});
    straight.save_checkpoint(path);
    const long skipped = straight.state().skipped;
    CHECK(skipped > 2);
    straight.fit(images, {.epochs = 1, .callbacks = {&seen}});
    resumed.fit(images, {.epochs = 1});  // stands elsewhere before
    resumed.restore(path);
    CHECK(resumed.state().skipped == skipped);
    resumed.fit(images, {.epochs = 1, .callbacks = {&seen_again}});
    CHECK(seen.seen == seen_again.seen);
    CHECK(same_bytes(straight.parameters().values(), resumed.parameters().values()));
    CHECK(same_bytes(straight.weights().values(), resumed.weights().values()));

    const auto rewrite = [&](auto change) {
        const SafetensorsFile file{path};
        Metadata metadata = file.metadata();
        change(metadata);
        detail::write_checkpoint(path + ".changed", file.tensors(), metadata);
    };
    rewrite(
        [](Metadata& metadata) { CHECK(metadata.erase("loss_scale") + metadata.erase("loss_scale_good_steps") == 2); });
    old.fit(images, {.epochs = 1});
    old.restore(path + ".changed");
    old.fit(images, {.epochs = 1, .callbacks = {&seen_of_old}});
    CHECK(seen_of_old.seen[0] == std::pair{0x1p30, true});
    rewrite([](Metadata& metadata) { metadata["loss_scale"] = "-1"; });
    CHECK(contains(error_of([&] { old.restore(path + ".changed"); }), "expected a positive loss scale, found '-1'"));
    std::filesystem::remove_all(folder);
}

TEST_CASE("gradients that overflow at every scale are an error") {
    TrainerOptions options{.batch_size = 6};
    options.loss_scaling.backoff = 1e-3;
    HalfTrainer trainer{sgd, options};
    // Of images of zeros come a finite loss and, by a norm and a head with large factors, infinite gradients.
    Parameters<Tiny> parameters;
    std::ranges::copy(trainer.parameters().values(), parameters.values().begin());
    using enum ParameterRole;
    for (int i = 0; i < parameters.count(); ++i) {
        const detail::Parameter& info = lowered<Tiny>.parameters[i];
        if (info.role == gamma) std::ranges::fill(parameters[i], 6e4f);
        if (info.role == beta) std::ranges::fill(parameters[i], 1e-7f);
        if (info.role == weight && i > 0)
            for (float& value : parameters[i]) value = std::copysign(6e4f, value);
    }
    trainer.set_parameters(parameters);
    struct Black : Patterns {
        using Patterns::Patterns;
        Batch batch(long epoch, long index) {
            Batch batch = Patterns::batch(epoch, index);
            for (const float& pixel : batch.images) const_cast<float&>(pixel) = 0;
            return batch;
        }
    } images{{3, 6, 6}, 6, 1, 6};
    const std::string message = error_of([&] { trainer.fit(images, {.epochs = 9}); });
    CHECK(contains(message, "the gradients of step 4 (epoch 3, batch 0) are infinite or NaN at every scale"));
    for (int i = 0; i < parameters.count(); ++i)
        if (detail::is_trainable(lowered<Tiny>.parameters[i].role))
            CHECK(same_bytes(parameters[i], trainer.parameters()[i]));
}

}  // namespace
