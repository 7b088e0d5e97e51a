// The trainer: it learns, evaluates, is told what doesn't fit, and is bitwise the same for any number of threads.

#include <algorithm>
#include <chrono>
#include <cmath>

#include <doctest/doctest.h>

#include <tenon/models/cifar.hpp>
#include <tenon/topology/training_parts.hpp>
#include <tenon/train/optimizers/adamw.hpp>
#include <tenon/train/optimizers/sgd.hpp>
#include <tenon/train/trainer.hpp>

#include "../float_environment.hpp"
#include "../support.hpp"
#include "patterns.hpp"

namespace {
using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;
using tenon_test::Patterns;
using tenon_test::same_bytes;

struct Small : Network<Input<3, 8, 8>, Stem<Conv<16, Kernel<3>, Padding<1>>>,
                       detail::CifarStage<detail::CifarBlockV2, 16, 1, 1, true>,
                       detail::CifarStage<detail::CifarBlockV2, 32, 1, 2, true>,
                       Head<BatchNorm, ReLU, GlobalAvgPool, Dropout<Rate<1, 10>>, Linear<6>>> {};

const SgdOptions sgd{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 5e-4};

TEST_CASE("32 images are learned by heart within 200 steps") {
    struct Plain : Network<Input<3, 8, 8>, Stem<Conv<16, Kernel<3>, Padding<1>>>,
                           detail::CifarStage<detail::CifarBlockV2, 16, 1, 1, true>,
                           detail::CifarStage<detail::CifarBlockV2, 32, 1, 2, true>,
                           Head<BatchNorm, ReLU, GlobalAvgPool, Linear<6>>> {};
    // Noise alone decides the label: nothing to generalize from.
    Patterns images{{3, 8, 8}, 6, 1, 32, false, 20};
    Trainer<Plain> trainer{SgdOptions{.learning_rate = 0.1, .momentum = 0.9},
                           {.batch_size = 32, .initialization = Initialization::kaiming()}};
    trainer.fit(images, {.epochs = 200, .schedule = schedules::linear_to_zero()});
    const EpochReport& last = trainer.history().back();
    CHECK(trainer.state().step == 200);
    CHECK(last.loss < 1e-3);
    CHECK(last.accuracy == 1.0);
    const double first = trainer.history().front().loss;
    CHECK(first == doctest::Approx(std::log(6.0)).epsilon(0.5));
}

TEST_CASE("a fit in bfloat16 learns what generalises") {
    Patterns train{{3, 8, 8}, 6, 8, 24}, test{{3, 8, 8}, 6, 3, 20, false};
    Trainer<Small, CpuWith<Precision::bfloat16>> trainer{sgd, {.batch_size = 24, .label_smoothing = 0.1}};
    const History& history = trainer.fit(train, test, {.epochs = 4, .schedule = schedules::one_cycle()});
    CHECK(history.back().validation_accuracy > 0.95);
    CHECK(history[3].loss < history[0].loss);

    // Evaluation is that of a model in bfloat16.
    Model<Small, CpuWith<Precision::bfloat16>> model;
    model.set_parameters(trainer.weights());
    const Batch batch = test.batch(0, 0);
    const auto expected = model(batch.images);
    CHECK(same_bytes(expected, trainer.predict(batch.images)));
}

TEST_CASE("a fit learns what generalises, and reports it") {
    Patterns train{{3, 8, 8}, 6, 8, 24}, test{{3, 8, 8}, 6, 3, 20, false};
    Trainer<Small> trainer{sgd, {.batch_size = 24, .label_smoothing = 0.1}};
    const Evaluation before = trainer.evaluate(test);
    const History& history = trainer.fit(train, test, {.epochs = 4, .schedule = schedules::one_cycle()});
    REQUIRE(history.size() == 4);
    CHECK(before.top1 < 0.6);
    CHECK(history.back().validation_accuracy > 0.95);
    CHECK(history.back().validation_top5 >= history.back().validation_accuracy);
    CHECK(history.back().images == train.images());
    CHECK(history[3].epoch == 3);
    CHECK(history[3].step == 32);
    CHECK(history[3].loss < history[0].loss);

    const Evaluation after = trainer.evaluate(test);
    CHECK(after.images == 60);
    CHECK(after.top1 == history.back().validation_accuracy);
    long right = 0, all = 0;
    for (int label = 0; label < 6; ++label)
        for (int predicted = 0; predicted < 6; ++predicted) {
            all += after.confusion(label, predicted);
            if (label == predicted) right += after.confusion(label, predicted);
        }
    CHECK(all == 60);
    CHECK(static_cast<double>(right) / 60 == after.top1);

    // Predictions are those of a model with the same weights.
    Model<Small> model;
    model.set_parameters(trainer.weights());
    const Batch batch = test.batch(0, 0);
    const auto expected = model(batch.images);
    CHECK(same_bytes(expected, trainer.predict(batch.images)));
}

TEST_CASE("a fit is bitwise the same on 1, 2 and 3 threads") {
    const TrainerOptions options{
        .batch_size = 10, .seed = 7, .label_smoothing = 0.1, .clip_norm = 1, .average = AverageOptions{.decay = 0.9}};
    const auto train = [&](int threads, const auto& optimizer) {
        TrainerOptions own = options;
        own.threads = threads;
        Trainer<Small> trainer{optimizer, own};
        Patterns images{{3, 8, 8}, 6, 3, 10};
        trainer.fit(images, images, {.epochs = 2, .schedule = schedules::cosine()});
        std::vector<float> all(trainer.parameters().values().begin(), trainer.parameters().values().end());
        all.insert(all.end(), trainer.weights().values().begin(), trainer.weights().values().end());
        all.push_back(static_cast<float>(trainer.history().back().loss));
        return all;
    };
    const std::vector<float> one = train(1, sgd), adam = train(1, AdamWOptions{});
    CHECK_FALSE(same_bytes(one, adam));
    for (const int threads : {2, 3}) {
        CHECK(same_bytes(one, train(threads, sgd)));
        CHECK(same_bytes(adam, train(threads, AdamWOptions{})));
    }
}

TEST_CASE("all threads of a fit round and flush as the caller does, in each fit as it is then") {
    const auto train = [](int threads, int rounding, bool flush) {
        Trainer<Small> trainer{sgd, {.batch_size = 30, .seed = 7, .threads = threads}};
        Patterns images{{3, 8, 8}, 6, 2, 30};
        trainer.fit(images, {.epochs = 1});  // after which the trainer's threads exist, and round as usual
        const tenon_test::Environment environment{rounding, flush};
        trainer.fit(images, images, {.epochs = 5});
        CHECK(std::fegetround() == rounding);
        std::vector<float> all(trainer.parameters().values().begin(), trainer.parameters().values().end());
        all.push_back(static_cast<float>(trainer.history().back().validation_loss));
        return all;
    };
    const std::vector<float> usual = train(1, FE_TONEAREST, false);
    for (const auto& [rounding, flush] : {std::pair{FE_UPWARD, false}, {FE_TOWARDZERO, true}}) {
        const std::vector<float> one = train(1, rounding, flush);
        CHECK_FALSE(same_bytes(one, usual));
        for (const int threads : {2, 3}) CHECK(same_bytes(one, train(threads, rounding, flush)));
    }
}

TEST_CASE("the seed decides initial parameters and dropouts") {
    Patterns images{{3, 8, 8}, 6, 1, 10};
    Trainer<Small> a{sgd, {.batch_size = 10, .seed = 1}}, b{sgd, {.batch_size = 10, .seed = 2}};
    CHECK_FALSE(same_bytes(a.parameters().values(), b.parameters().values()));
    b.set_parameters(a.parameters());
    a.fit(images, {.epochs = 1});
    b.fit(images, {.epochs = 1});
    CHECK_FALSE(same_bytes(a.parameters().values(), b.parameters().values()));
}

TEST_CASE("frozen layers stay bitwise as they are, running statistics included") {
    struct HalfFrozen : Network<Input<3, 8, 8>, Frozen<Conv<8, Kernel<3>>, BatchNorm, ReLU>, Conv<8, Kernel<3>>,
                                BatchNorm, ReLU, GlobalAvgPool, Linear<6>> {};
    Patterns images{{3, 8, 8}, 6, 3, 12};
    Trainer<HalfFrozen> trainer{AdamWOptions{.learning_rate = 0.01, .decayed = DecayedRoles::all()},
                                {.batch_size = 12, .average = AverageOptions{}}};
    const std::vector<float> before(trainer.parameters().values().begin(), trainer.parameters().values().end());
    trainer.fit(images, {.epochs = 2});
    for (int i = 0; i < Parameters<HalfFrozen>::count(); ++i) {
        const detail::Parameter& info = lowered<HalfFrozen>.parameters[i];
        const std::span<const float> then =
            std::span(before).subspan(static_cast<std::size_t>(info.offset), static_cast<std::size_t>(info.elements()));
        CHECK(same_bytes(then, trainer.parameters()[i]) == lowered<HalfFrozen>.layers[info.layer].frozen);
    }
}

TEST_CASE("the average of the parameters is evaluated, and is what the formula says") {
    Patterns images{{3, 8, 8}, 6, 1, 12};
    Trainer<Small> trainer{sgd, {.batch_size = 12, .average = AverageOptions{.decay = 0.15}}};
    std::vector<float> average(trainer.parameters().values().begin(), trainer.parameters().values().end());
    CHECK(same_bytes(average, trainer.weights().values()));
    for (int step = 1; step <= 3; ++step) {
        trainer.fit(images, {.epochs = 1});
        // The warm-up: 2/11 and 3/12 exceed 0.15 already.
        const double decay = std::min(0.15, (1.0 + step) / (10.0 + step));
        for (std::size_t i = 0; i < average.size(); ++i)
            average[i] = static_cast<float>(decay * static_cast<double>(average[i]) +
                                            (1 - decay) * static_cast<double>(trainer.parameters().values()[i]));
    }
    double worst = 0;
    for (std::size_t i = 0; i < average.size(); ++i)
        worst = std::max(worst, std::abs(static_cast<double>(average[i] - trainer.weights().values()[i])));
    CHECK(worst < 1e-6);
    CHECK_FALSE(same_bytes(trainer.parameters().values(), trainer.weights().values()));
    Model<Small> model;
    model.set_parameters(trainer.weights());
    const Batch batch = images.batch(0, 0);
    CHECK(same_bytes(model(batch.images), trainer.predict(batch.images)));
}

struct Counter : Callback {
    int begun = 0, steps = 0, epochs = 0, ended = 0;
    long stop_at = -1;
    double last_progress = 0, norm = 0;
    void on_begin(const FitPlan& plan, TrainerControl&) override {
        ++begun;
        CHECK(plan.batches == 3);
        CHECK(plan.images == 30);
    }
    void on_step(const StepReport& report, TrainerControl& trainer) override {
        ++steps;
        CHECK(report.progress > last_progress);
        last_progress = report.progress;
        norm = report.gradient_norm;
        if (report.step == stop_at) trainer.stop("enough");
    }
    void on_epoch(const EpochReport& report, TrainerControl& trainer) override {
        ++epochs;
        CHECK(trainer.history().back().epoch == report.epoch);
    }
    void on_end(TrainerControl&) override { ++ended; }
};

TEST_CASE("callbacks see every step and epoch, and may stop") {
    Patterns images{{3, 8, 8}, 6, 3, 10};
    Counter counter;
    Trainer<Small> trainer{sgd, {.batch_size = 10, .clip_norm = 100}};
    trainer.fit(images, {.epochs = 2, .callbacks = {&counter}});
    CHECK(counter.begun == 1);
    CHECK(counter.steps == 6);
    CHECK(counter.epochs == 2);
    CHECK(counter.ended == 1);
    CHECK(counter.norm > 0);
    CHECK(counter.last_progress == 1);
    CHECK(trainer.stop_reason().empty());

    Counter stopper;
    stopper.stop_at = 8;
    trainer.fit(images, {.epochs = 5, .callbacks = {&stopper}});
    CHECK(trainer.stop_reason() == "enough");
    CHECK(trainer.state().step == 8);
    CHECK(trainer.history().back().images == 20);
    CHECK(trainer.history().back().epoch == 2);
}

TEST_CASE("a budget of time ends the fit and stretches the schedule to it") {
    Patterns images{{3, 8, 8}, 6, 3, 10};
    struct Rates : Callback {
        std::vector<double> rates;
        void on_step(const StepReport& report, TrainerControl&) override { rates.push_back(report.learning_rate); }
    } rates;
    Trainer<Small> trainer{sgd, {.batch_size = 10}};
    const auto start = std::chrono::steady_clock::now();
    trainer.fit(images, {.budget_seconds = 1, .schedule = schedules::linear_to_zero(), .callbacks = {&rates}});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    CHECK(seconds >= 0.9);
    REQUIRE(rates.rates.size() > 3);
    CHECK(rates.rates.front() == 0.1);
    CHECK(std::is_sorted(rates.rates.rbegin(), rates.rates.rend()));
    // The rate of each step is the share of time that was left before it.
    CHECK(rates.rates.back() >= 0);
    CHECK(rates.rates.back() < 0.1 * 0.5);
}

TEST_CASE("an undefined loss ends the fit and says where") {
    Patterns images{{3, 8, 8}, 6, 3, 10};
    struct Poisoned {
        Patterns& source;
        std::vector<float> pixels{};
        long images() const { return source.images(); }
        long batches() const { return source.batches(); }
        Batch batch(long epoch, long index) {
            Batch batch = source.batch(epoch, index);
            pixels.assign(batch.images.begin(), batch.images.end());
            if (index == 1) pixels[3 * 192 + 5] = std::numeric_limits<float>::quiet_NaN();
            return {pixels, batch.labels, {}};
        }
    } poisoned{images};
    Trainer<Small> trainer{sgd, {.batch_size = 10}};
    const std::string image = error_of([&] { trainer.fit(poisoned, {.epochs = 1}); });
    CHECK(contains(image, "the loss of step 2 (epoch 0, batch 1) is"));
    CHECK(contains(image, "image 3 of the batch has a pixel that is"));

    Trainer<Small> wild{SgdOptions{.learning_rate = 1e30}, {.batch_size = 10}};
    const std::string rate = error_of([&] { wild.fit(images, {.epochs = 3}); });
    CHECK(contains(rate, "the loss of step 2"));
    CHECK(contains(rate, "a smaller learning rate or clipping may help"));
}

TEST_CASE("what does not fit is refused") {
    Patterns images{{3, 8, 8}, 6, 3, 10};
    Trainer<Small> trainer{sgd, {.batch_size = 8}};
    CHECK(contains(error_of([&] { trainer.fit(images, {.epochs = 1}); }),
                   "does not fit a training engine for at most 8"));
    CHECK(contains(error_of([&] { trainer.fit(images, FitOptions{}); }), "needs a number of epochs or of seconds"));
    Patterns none{{3, 8, 8}, 6, 0, 10};
    CHECK(contains(error_of([&] { trainer.fit(none, {.epochs = 1}); }), "has no batch"));
    Patterns more_classes{{3, 8, 8}, 7, 1, 8};
    CHECK(contains(error_of([&] { trainer.fit(more_classes, {.epochs = 1}); }), "label 6 of image 6"));
    CHECK(contains(error_of([&] { trainer.evaluate(more_classes); }), "label 6 of image 6"));
    CHECK(contains(error_of([] { Trainer<Small>{sgd, {.batch_size = 0}}; }), "at least 1 image"));
    CHECK(contains(error_of([] { Trainer<Small>{sgd, {.label_smoothing = 2}}; }), "label smoothing"));
    CHECK(contains(error_of([] { Trainer<Small>{sgd, {.average = AverageOptions{.decay = 1}}}; }), "decay"));
    CHECK(contains(error_of([] { Trainer<Small>{SgdOptions{.learning_rate = -1}}; }), "learning rate"));
    CHECK(contains(error_of([] { Trainer<Small>{SgdOptions{.nesterov = true}}; }), "needs a momentum"));
    CHECK(contains(error_of([] { Trainer<Small>{AdamWOptions{.beta1 = 1}}; }), "beta1"));
    CHECK(contains(error_of([&] { trainer.fit(images, {.epochs = 1, .schedule = schedules::constant(-1)}); }),
                   "gives a learning rate of -0.1"));
}

}  // namespace
