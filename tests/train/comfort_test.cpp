// The plateau schedule and the search for a learning rate.
#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/models/cifar.hpp>
#include <tenon/train/find_rate.hpp>
#include <tenon/train/optimizers/sgd.hpp>
#include <tenon/train/schedules/plateau.hpp>

#include "../support.hpp"
#include "patterns.hpp"

namespace {
using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;
using tenon_test::Patterns;
using tenon_test::TemporaryFolder;

/// The factors after each epoch of a history with these validation losses.
std::vector<double> factors(const schedules::PlateauOptions& options, const std::vector<double>& losses) {
    const Schedule schedule = schedules::plateau(options);
    std::vector<double> result;
    History history;
    for (const double loss : losses) {
        history.push_back({.epoch = std::ssize(history), .validation_loss = loss});
        result.push_back(schedule({.epochs = history}));
    }
    return result;
}

TEST_CASE("plateau: a history by hand") {
    using Factors = std::vector<double>;
    const double none = std::nan("");
    // Two epochs in a row that are no better are forgiven, the third is not; then it is counted anew.
    CHECK(factors({.factor = 0.5, .patience = 2}, {5, 4, 4, 4, 4, 3, 3.5, 3.5, 3.5, 3.5}) ==
          Factors{1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25});
    CHECK(factors({.factor = 0.5, .patience = 0}, {5, 5, 5, 5}) == Factors{1, 0.5, 0.25, 0.125});
    CHECK(factors({.factor = 0.5, .patience = 0, .min_factor = 0.2}, {5, 5, 5, 5}) == Factors{1, 0.5, 0.25, 0.2});
    // One epoch is not counted after a change.
    CHECK(factors({.factor = 0.5, .patience = 0, .cooldown = 1}, {5, 5, 5, 5, 5}) == Factors{1, 0.5, 0.5, 0.25, 0.25});
    // A gain of 0.1 is too small, also when it adds up only over two epochs; the best epoch stays the first.
    CHECK(factors({.factor = 0.5, .patience = 1, .min_gain = 0.5}, {5, 4.9, 4.6, 4.2}) == Factors{1, 1, 0.5, 0.5});
    // Without a validation an epoch says nothing.
    CHECK(factors({.factor = 0.5, .patience = 0}, {5, none, none, 5}) == Factors{1, 1, 1, 0.5});
    const Schedule accuracy =
        schedules::plateau({.factor = 0.5, .patience = 0, .monitor = Monitor::validation_accuracy});
    const History history{{.validation_accuracy = 0.8}, {.validation_accuracy = 0.7}};
    CHECK(accuracy({.epochs = history}) == 0.5);
    CHECK((schedules::constant(3) * accuracy)({.epochs = history}) == 1.5);
    CHECK(schedules::sequence(accuracy, Duration::steps(5), schedules::constant(7))({.step = 1, .epochs = history}) ==
          0.5);
    CHECK(schedules::sequence(schedules::constant(7), Duration::steps(5), accuracy)({.step = 9, .epochs = history}) ==
          0.5);
    CHECK(contains(error_of([] { schedules::plateau({.factor = 1}); }), "below 1, found 1"));
    CHECK(contains(error_of([] { schedules::plateau({.patience = -1}); }), "0 or more epochs, found -1 and 0"));
    CHECK(contains(error_of([] { schedules::plateau({.min_factor = 2}); }), "from 0 to 1, found 0"));
    CHECK(schedules::plateau().identity() != schedules::plateau({.patience = 9}).identity());
    CHECK(schedules::plateau().identity() != schedules::plateau({.monitor = Monitor::loss}).identity());
}

struct Comfort : Network<Input<3, 6, 6>, Conv<8, Kernel<3>, Padding<1>>, BatchNorm, ReLU, GlobalAvgPool, Linear<4>> {};

/// Saves a checkpoint after an iteration.
class SaveOnceAfter final : public Callback {
public:
    SaveOnceAfter(long step, std::string path) : step_{step}, path_{std::move(path)} {}
    void on_step(const StepReport& report, TrainerControl& trainer) override {
        if (report.step == step_) trainer.save_checkpoint(path_);
    }

private:
    long step_;
    std::string path_;
};

TEST_CASE("plateau: a run that is resumed ends with the same bits") {
    const TemporaryFolder folder;
    const std::string path = folder.file("checkpoint.safetensors");
    const FitOptions options{
        .epochs = 10,
        .schedule = schedules::plateau({.factor = 0.5, .patience = 0, .monitor = Monitor::validation_loss})};
    const auto make = [] {
        return Trainer<Comfort>{SgdOptions{.learning_rate = 2, .momentum = 0.9},
                                {.batch_size = 12, .seed = 2, .threads = 1}};
    };
    Patterns images{{3, 6, 6}, 4, 3, 12}, validation{{3, 6, 6}, 4, 2, 12, false};
    // An earlier fit's epochs are not those of the fit: some of these were no better than one before.
    auto straight = make();
    straight.fit(images, validation, {.epochs = 6, .schedule = schedules::constant(0)});
    const History earlier = straight.history();
    CHECK(!std::ranges::is_sorted(earlier, std::greater{}, &EpochReport::validation_loss));
    SaveOnceAfter saving{3 * 6 + 3 * 6 + 1, path};  // in the seventh epoch of the second fit
    FitOptions watched = options;
    watched.callbacks = {&saving};
    straight.fit(images, validation, watched);
    auto resumed = make();
    resumed.restore(path);
    resumed.fit(images, validation, options);
    std::set<double> before, after;
    for (const EpochReport& report : straight.history())
        if (report.epoch >= 6) (report.epoch < 12 ? before : after).insert(report.learning_rate);
    CHECK(straight.history()[6].learning_rate == 2);
    CHECK(before.size() >= 2);
    CHECK(*before.rbegin() > *after.rbegin());
    REQUIRE(resumed.history().size() == 16);
    for (std::size_t i = 0; i < 16; ++i) {
        CHECK(resumed.history()[i].learning_rate == straight.history()[i].learning_rate);
        CHECK(resumed.history()[i].validation_loss == straight.history()[i].validation_loss);
    }
    CHECK(std::ranges::equal(resumed.parameters().values(), straight.parameters().values()));
}

TEST_CASE("a search for a learning rate trains a copy with rates that grow") {
    Parameters<Comfort> start;
    start.seed(4);
    const std::vector<float> before(start.values().begin(), start.values().end());
    Patterns images{{3, 6, 6}, 4, 3, 12};
    const SgdOptions optimizer{.learning_rate = 123, .momentum = 0.9};
    const TrainerOptions options{.batch_size = 12, .seed = 2, .threads = 1};
    const schedules::RateSearch search{.lowest = 1e-3, .highest = 0.5, .steps = 8, .stop_at = 1000};
    const schedules::RateCurve curve = schedules::find_rate(start, images, optimizer, options, search);
    REQUIRE(curve.rates.size() == 8);
    REQUIRE(curve.smoothed.size() == 8);
    CHECK(curve.rates.front() == doctest::Approx(1e-3));
    CHECK(curve.rates.back() == doctest::Approx(0.5));
    for (std::size_t i = 1; i < 8; ++i)
        CHECK(curve.rates[i] / curve.rates[i - 1] == doctest::Approx(std::pow(500, 1.0 / 7)));
    CHECK(std::ranges::equal(start.values(), before));
    // The same with a trainer.
    Trainer<Comfort> trainer{SgdOptions{.learning_rate = 1, .momentum = 0.9}, options};
    trainer.set_parameters(start);
    struct : Callback {
        std::vector<double> losses;
        void on_step(const StepReport& report, TrainerControl&) override { losses.push_back(report.loss); }
    } recorder;
    trainer.fit(images, {.epochs = 3,
                         .schedule = {"grows",
                                      [&](const ScheduleTime& time) {
                                          const auto i = static_cast<std::size_t>(time.step);
                                          return i < 8 ? curve.rates[i] : 0.0;
                                      }},
                         .callbacks = {&recorder}});
    for (std::size_t i = 0; i < 8; ++i) CHECK(recorder.losses[i] == curve.losses[i]);
    // Threads change nothing.
    TrainerOptions with_two = options;
    with_two.threads = 2;
    CHECK(schedules::find_rate(start, images, optimizer, with_two, search).losses == curve.losses);
    // Where the loss explodes, it ends.
    const schedules::RateCurve far =
        schedules::find_rate(start, images, optimizer, options, {.lowest = 1e-2, .highest = 1e30, .steps = 60});
    CHECK(far.rates.size() < 50);
    CHECK(far.rates.size() > 4);
    CHECK(std::ranges::all_of(far.losses, [](double loss) { return std::isfinite(loss); }));
    CHECK(far.suggested < far.rates.back());
    // As soon as the smoothed loss is four times the lowest one.
    CHECK(far.smoothed[far.smoothed.size() - 2] <= 4 * *std::ranges::min_element(far.smoothed));
    const auto error = [&](const schedules::RateSearch& of) {
        return error_of([&] { schedules::find_rate(start, images, optimizer, options, of); });
    };
    CHECK(contains(error({.lowest = 0}), "a lowest rate above 0 and a higher one, found 0"));
    CHECK(contains(error({.steps = 1}), "2 or more steps, found 1"));
    CHECK(contains(error({.stop_at = 1}), "more than 1 times the lowest loss"));
    std::ranges::fill(start.values(), std::nanf(""));
    CHECK(contains(error({}), "the loss of step 1"));
}

TEST_CASE("the suggested rate is where the smoothed loss falls fastest over the rate's logarithm") {
    schedules::RateCurve curve{.rates = {1e-4, 1e-3, 1e-2, 1e-1, 1}, .losses = {2, 1.9, 1.0, 0.9, 5}};
    detail::complete(curve, 0);
    CHECK(curve.smoothed == curve.losses);
    CHECK(curve.suggested == doctest::Approx(std::sqrt(1e-5)).epsilon(1e-9));
    // A share of 1/2: means 2, (0.5 * 2 + 1.9) / 1.5, ...
    detail::complete(curve, 0.5);
    CHECK(curve.smoothed[0] == 2);
    CHECK(curve.smoothed[1] == doctest::Approx((0.5 * 2 + 1.9) / 1.5));
    CHECK(curve.smoothed[2] == doctest::Approx((0.25 * 2 + 0.5 * 1.9 + 1.0) / 1.75));
    curve.losses = {1, 2, 3, 4, 5};
    detail::complete(curve, 0);
    CHECK(curve.suggested == 1e-4);
}

}  // namespace
