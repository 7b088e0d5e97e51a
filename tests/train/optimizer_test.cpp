// Optimizers and schedules against PyTorch's and Keras', and what is bitwise independent of the number of workers.
#include <cmath>
#include <cstring>

#include <tenon/engine/reference_training.hpp>
#include <tenon/train/optimizers/adamw.hpp>
#include <tenon/train/optimizers/exponential_average.hpp>
#include <tenon/train/optimizers/gradient_norm.hpp>
#include <tenon/train/optimizers/sgd.hpp>
#include <tenon/train/schedules/schedule.hpp>

#include "golden_nets.hpp"
#include "golden_trace.hpp"

namespace {
using namespace tenon_test;

const std::string golden_path = std::string(TENON_SOURCE_DIR) + "/tests/train/golden_optimizers.safetensors";

/// Trains the network "basic" for 20 steps in double and compares losses and parameters with the golden ones.
template <class Options>
void check(const std::string& name, const Options& options, const Schedule& schedule, double clip = 0) {
    CAPTURE(name);
    const SafetensorsFile file{golden_path};
    std::vector<double> losses(20);
    tenon::detail::read_elements<double>(file.at(name + "/losses"), losses);
    using Engine = tenon::reference::TrainingEngine<GoldenBasic, double>;
    Engine engine{basic_case.batch};
    draw_parameters<GoldenBasic>(engine);
    const auto optimizer = options.template make<double>(
        tenon::detail::parameter_runs(engine.parameters().infos(), &Engine::is_trained, options.decayed, 100),
        state_count<GoldenBasic>);
    tenon::detail::GradientNorm norm{optimizer->runs()};
    for (int step = 0; step < 20; ++step) {
        const auto batch = golden_batch<GoldenBasic, double>(basic_case, step);
        const LossResult result = engine.forward_backward(batch.images, std::span<const int>(batch.labels),
                                                          {basic_case.smoothing, static_cast<std::uint64_t>(step)});
        CAPTURE(step);
        CHECK(std::abs(result.loss - losses[static_cast<std::size_t>(step)]) <= 1e-8);
        const std::span<double> gradients = engine.gradients().values();
        if (clip > 0) {
            norm.accumulate<double>(gradients);
            norm.scale<double>(gradients, tenon::detail::clipping_factor(norm.value(), clip));
        }
        const double rate = optimizer->learning_rate() * schedule({static_cast<double>(step), 20, 10});
        optimizer->step({engine.parameters().values(), gradients, rate, step + 1});
    }
    const std::vector<std::string> names = tenon::detail::parameter_names<GoldenBasic>(Naming::canonical);
    for (std::size_t i = 0; i < names.size(); ++i) {
        CAPTURE(names[i]);
        CHECK(difference<double>(file, name + "/" + names[i], engine.parameters()[static_cast<int>(i)], 0.1) <= 1e-8);
    }
}

TEST_CASE("20 steps of SGD equal PyTorch's") {
    const DecayedRoles all = DecayedRoles::all();
    check("sgd", SgdOptions{.learning_rate = 0.05, .weight_decay = 1e-2, .decayed = all}, schedules::cosine());
    check("sgd_momentum", SgdOptions{.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 1e-2, .decayed = all},
          schedules::one_cycle());
}

TEST_CASE("20 steps of Nesterov's SGD, weights decayed and gradients clipped, equal PyTorch's") {
    check("sgd_nesterov", SgdOptions{.learning_rate = 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 1e-2},
          schedules::cosine(), 0.5);
}

TEST_CASE("20 steps of AdamW and Adam equal PyTorch's") {
    check("adamw", AdamWOptions{.learning_rate = 0.01, .weight_decay = 0.1, .decayed = DecayedRoles::all()},
          schedules::cosine());
    check("adam",
          AdamWOptions{.learning_rate = 0.05,
                       .beta1 = 0.8,
                       .beta2 = 0.99,
                       .epsilon = 1e-7,
                       .weight_decay = 1e-2,
                       .decoupled = false},
          schedules::one_cycle());
}

TEST_CASE("20 steps of Keras' SGD equal its formulas") {
    check("keras_momentum", SgdOptions{.learning_rate = 0.05, .momentum = 0.9, .convention = SgdConvention::keras},
          schedules::cosine());
    check("keras_nesterov",
          SgdOptions{.learning_rate = 0.05,
                     .momentum = 0.8,
                     .nesterov = true,
                     .weight_decay = 1e-2,
                     .convention = SgdConvention::keras},
          schedules::cosine());
}

TEST_CASE("schedules give PyTorch's rates") {
    using namespace schedules;
    const SafetensorsFile file{golden_path};
    const auto rates_equal = [&](const std::string& name, const Schedule& schedule, double peak = 0.5) {
        std::vector<double> expected(40);
        tenon::detail::read_elements<double>(file.at("schedules/" + name), expected);
        CAPTURE(name);
        for (int step = 0; step < 40; ++step) {
            CAPTURE(step);
            CHECK(peak * schedule({static_cast<double>(step), 40, 8}) ==
                  doctest::Approx(expected[static_cast<std::size_t>(step)]).epsilon(1e-12));
        }
    };
    rates_equal("step", step(Duration::steps(7), 0.3));
    rates_equal("multi_step", multi_step({Duration::steps(5), Duration::share(0.5), Duration::epochs(21.0 / 8)}, 0.5));
    rates_equal("cosine", cosine(0.1));
    rates_equal("one_cycle", one_cycle());
    rates_equal("one_cycle_linear",
                one_cycle({.rise = 0.25, .start = 0.2, .end = 0.002, .annealing = Annealing::linear}));
    rates_equal("warm_up", warm_up(Duration::steps(6), 0.1));
    rates_equal("sequence", sequence(linear(0.1, 1), Duration::share(0.25), cosine()));
}

TEST_CASE("other schedules are what their formulas say") {
    using namespace schedules;
    const auto at = [](const Schedule& schedule, double step) { return schedule({step, 100, 10}); };
    CHECK(at(constant(), 99) == 1);
    CHECK(at(linear_to_zero(), 0) == 1);
    CHECK(at(linear_to_zero(), 75) == 0.25);
    CHECK(at(linear_to_zero(), 100) == 0);
    CHECK(at(scale(linear_to_zero(), 0.5), 50) == 0.25);
    CHECK(at(warm_up(Duration::epochs(2)) * linear_to_zero(), 10) == doctest::Approx(0.5 * 0.9));
    CHECK(at(warm_up(Duration::epochs(0)), 0) == 1);
    const Schedule triangle = piecewise_linear({{0, 0.2}, {0.25, 1}, {1, 0}});
    CHECK(at(triangle, 0) == 0.2);
    CHECK(at(triangle, 12.5) == doctest::Approx(0.6));
    CHECK(at(triangle, 25) == 1);
    CHECK(at(triangle, 62.5) == doctest::Approx(0.5));
    CHECK(at(triangle, 100) == 0);
    // Identities tell schedules apart: they decide whether a run may go on.
    CHECK(cosine().identity() != cosine(0.1).identity());
    CHECK(step(Duration::steps(7)).identity() != step(Duration::epochs(7)).identity());
    CHECK((warm_up(Duration::steps(5)) * cosine()).identity() == (warm_up(Duration::steps(5)) * cosine()).identity());
    CHECK_THROWS_WITH_AS(Duration::steps(-1), doctest::Contains("duration"), Error);
    CHECK_THROWS_WITH_AS(piecewise_linear({}), doctest::Contains("at least one point"), Error);
    CHECK_THROWS_WITH_AS(piecewise_linear({{0.5, 1}, {0.5, 0}}), doctest::Contains("rising"), Error);
}

TEST_CASE("schedules in steps and epochs are the same in a longer run, those that span it are stretched") {
    using namespace schedules;
    const auto is_the_same = [](const Schedule& schedule) {
        for (double at = 0; at < 40; ++at)
            if (schedule({at, 40, 10}) != schedule({at, 80, 10})) return false;
        return true;
    };
    const auto is_stretched = [](const Schedule& schedule) {
        for (double at = 0; at <= 40; ++at)
            if (schedule({at, 40, 10}) != doctest::Approx(schedule({2 * at, 80, 10}))) return false;
        return schedule({39, 40, 10}) != schedule({39, 80, 10});
    };
    for (const Schedule& schedule :
         {constant(0.5), step(Duration::epochs(2)), step(Duration::steps(15)), warm_up(Duration::epochs(1)),
          multi_step({Duration::epochs(1), Duration::steps(30)}),
          warm_up(Duration::steps(5)) * step(Duration::epochs(3)),
          sequence(constant(0.1), Duration::epochs(1), step(Duration::epochs(1)))}) {
        CAPTURE(schedule.identity());
        CHECK(is_the_same(schedule));
        CHECK_FALSE(is_stretched(schedule));
    }
    for (const Schedule& schedule :
         {linear(1, 0.1), linear_to_zero(), cosine(), piecewise_linear({{0, 0.2}, {0.25, 1}, {1, 0}}),
          step(Duration::share(0.3)), multi_step({Duration::share(0.5)}), warm_up(Duration::share(1)),
          sequence(linear(0.1, 1), Duration::share(0.25), cosine())}) {
        CAPTURE(schedule.identity());
        CHECK(is_stretched(schedule));
        CHECK_FALSE(is_the_same(schedule));
    }
    // The rise and fall of one_cycle and the second part of a sequence are placed by the longer run.
    CHECK_FALSE(is_the_same(one_cycle()));
    CHECK(one_cycle()({39, 40, 10}) == doctest::Approx(one_cycle()({79, 80, 10})));
    const Schedule warmed = sequence(linear(0.1, 1), Duration::epochs(1), cosine());
    CHECK(warmed({5, 40, 10}) == warmed({5, 80, 10}));
    CHECK(warmed({25, 40, 10}) == doctest::Approx(warmed({45, 80, 10})));
}

/// Tensors of awkward sizes: trained, not trained, decayed or not.
const std::vector<tenon::detail::Parameter> tensors = [] {
    std::vector<tenon::detail::Parameter> result;
    long offset = 0;
    for (const auto& [role, size] : std::vector<std::pair<ParameterRole, int>>{{ParameterRole::weight, 1001},
                                                                               {ParameterRole::gamma, 7},
                                                                               {ParameterRole::beta, 7},
                                                                               {ParameterRole::running_mean, 7},
                                                                               {ParameterRole::running_variance, 7},
                                                                               {ParameterRole::weight, 513},
                                                                               {ParameterRole::bias, 3}}) {
        result.push_back({role, 0, {size, 1, 1, 1}, 1, offset});
        offset += size;
    }
    return result;
}();

TEST_CASE("runs cover what is trained once, and know what decays") {
    const auto trained = [](int i) { return tenon::detail::is_trainable(tensors[static_cast<std::size_t>(i)].role); };
    const auto runs = tenon::detail::parameter_runs(tensors, trained, {}, 400);
    std::vector<int> covered(1545), decays(1545);
    for (const tenon::detail::ParameterRun& run : runs) {
        CHECK(run.size() <= 400);
        for (long i = run.begin; i < run.end; ++i) {
            ++covered[static_cast<std::size_t>(i)];
            decays[static_cast<std::size_t>(i)] += run.decays ? 1 : 0;
        }
    }
    for (std::size_t i = 0; i < covered.size(); ++i) {
        const bool weight = i < 1001 || (i >= 1029 && i < 1542);
        CHECK(covered[i] == (i >= 1015 && i < 1029 ? 0 : 1));
        CHECK(decays[i] == (weight ? 1 : 0));
    }
    CHECK(tenon::detail::parameter_runs(tensors, trained, DecayedRoles::all()).size() == 2);
}

TEST_CASE("steps, norms and averages are bitwise the same for any number of workers") {
    const auto trained = [](int i) { return tenon::detail::is_trainable(tensors[static_cast<std::size_t>(i)].role); };
    const auto draw = [](std::uint64_t stream) {
        std::vector<float> values(1545);
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = static_cast<float>(tenon::detail::uniform(tenon::detail::random_bits(1, stream, i), -1, 1));
        return values;
    };
    const auto train = [&](const auto& options, int workers) {
        std::vector<float> parameters = draw(1), average = draw(1);
        const auto optimizer =
            options.template make<float>(tenon::detail::parameter_runs(tensors, trained, options.decayed, 100), 1545);
        tenon::detail::GradientNorm norm{optimizer->runs()};
        const tenon::detail::ExponentialAverage averaging{{.decay = 0.9}};
        for (int step = 1; step <= 3; ++step) {
            const std::vector<float> gradients = draw(10 + static_cast<std::uint64_t>(step));
            for (int worker = 0; worker < workers; ++worker) norm.accumulate<float>(gradients, worker, workers);
            for (int worker = 0; worker < workers; ++worker)
                optimizer->step({parameters, gradients, 0.1, step}, worker, workers);
            for (int worker = 0; worker < workers; ++worker)
                averaging.update<float>(average, parameters, step, worker, workers);
            parameters[1020] = static_cast<float>(norm.value());  // not trained, so it stays
        }
        parameters.insert(parameters.end(), average.begin(), average.end());
        return parameters;
    };
    const auto check_workers = [&](const auto& options) {
        const std::vector<float> one = train(options, 1), untouched = draw(1);
        CHECK(one[1016] == untouched[1016]);
        CHECK(one[0] != untouched[0]);
        for (const int workers : {2, 3, 7, 64}) {
            const std::vector<float> many = train(options, workers);
            CHECK(std::memcmp(one.data(), many.data(), one.size() * sizeof(float)) == 0);
        }
    };
    check_workers(SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01});
    check_workers(SgdOptions{.momentum = 0.9, .weight_decay = 0.01, .convention = SgdConvention::keras});
    check_workers(AdamWOptions{});
}

TEST_CASE("the norm of gradients is that of the trained ones, and clipping brings it down to its bound") {
    std::vector<double> gradients(1545, 0.5);
    const auto trained = [](int i) { return tenon::detail::is_trainable(tensors[static_cast<std::size_t>(i)].role); };
    tenon::detail::GradientNorm norm{tenon::detail::parameter_runs(tensors, trained, {}, 100)};
    norm.accumulate<double>(gradients);
    CHECK(norm.value() == doctest::Approx(0.5 * std::sqrt(1531.0)));
    norm.scale<double>(gradients, tenon::detail::clipping_factor(norm.value(), 2));
    norm.accumulate<double>(gradients);
    CHECK(norm.value() == doctest::Approx(2).epsilon(1e-6));
    CHECK(gradients[1020] == 0.5);
    CHECK(tenon::detail::clipping_factor(1.5, 2) == 1);
}

}  // namespace
