// Loss, top-1, top-5 and confusion of a handful of logits that can be counted by hand.
#include <cmath>

#include <doctest/doctest.h>

#include <tenon/train/metrics.hpp>

#include "../support.hpp"

namespace {
using namespace tenon;

TEST_CASE("metrics of logits counted by hand") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> logits{
        9,   1, 2, 3, 4, 5, 6,  // right
        9,   1, 2, 3, 4, 5, 6,  // the label is second
        6,   5, 4, 3, 2, 1, 0,  // the label is sixth
        1,   1, 0, 0, 0, 0, 0,  // equal to the label's, but after it: right
        1,   1, 0, 0, 0, 0, 0,  // equal to the label's and before it: second
        nan, 1, 0, 0, 0, 0, 0,  // the label's is undefined: never right
    };
    const std::vector<int> labels{0, 6, 5, 0, 1, 0};
    Metrics metrics{7};
    // In two parts, as batches come.
    metrics.add(std::span(logits).first(14), {{}, std::span(labels).first(2), {}});
    metrics.add(std::span(logits).subspan(14), {{}, std::span(labels).subspan(2), {}});
    const Evaluation found = metrics.result();
    CHECK(found.images == 6);
    CHECK(found.top1 == doctest::Approx(2.0 / 6));
    CHECK(found.accuracy() == found.top1);
    CHECK(found.top5 == doctest::Approx(4.0 / 6));
    CHECK(found.confusion(0, 0) == 2);
    CHECK(found.confusion(6, 0) == 1);
    CHECK(found.confusion(5, 0) == 1);
    CHECK(found.confusion(1, 0) == 1);
    CHECK(found.confusion(0, 1) == 1);
    CHECK(std::isnan(found.loss));
}

TEST_CASE("the loss is the mean cross-entropy, of labels and of soft targets") {
    const std::vector<float> logits{0, std::log(3.0f), 0, 0};
    const std::vector<int> labels{1, 0};
    Metrics metrics{2};
    metrics.add(logits, {{}, labels, {}});
    CHECK(metrics.result().loss == doctest::Approx((-std::log(0.75) + std::log(2.0)) / 2).epsilon(1e-6));
    const std::vector<float> soft{0.25f, 0.75f, 0.5f, 0.5f};
    Metrics mixed{2};
    mixed.add(logits, {{}, {}, soft});
    CHECK(mixed.result().loss ==
          doctest::Approx((-0.25 * std::log(0.25) - 0.75 * std::log(0.75) + std::log(2.0)) / 2).epsilon(1e-6));
    CHECK(mixed.result().top1 == 1);
    CHECK(tenon_test::contains(tenon_test::error_of([&] {
                                   mixed.add(logits, {{}, std::span(labels).first(1), {}});
                               }),
                               "needs 2 labels, not 1"));
    CHECK(Metrics{2}.result().images == 0);
    CHECK(Metrics{2}.result().loss == 0);
}

TEST_CASE("precision, recall and F1 of a confusion matrix") {
    ConfusionMatrix matrix{3};
    for (int i = 0; i < 6; ++i) matrix.add(0, 0);
    for (int i = 0; i < 2; ++i) matrix.add(0, 1);
    for (int i = 0; i < 3; ++i) matrix.add(1, 1);
    matrix.add(1, 0);
    CHECK(matrix.precision(0) == doctest::Approx(6.0 / 7));
    CHECK(matrix.recall(0) == doctest::Approx(6.0 / 8));
    CHECK(matrix.f1(0) == doctest::Approx(2 * (6.0 / 7) * 0.75 / (6.0 / 7 + 0.75)));
    CHECK(matrix.precision(1) == doctest::Approx(3.0 / 5));
    CHECK(matrix.precision(2) == 0);
    CHECK(matrix.recall(2) == 0);
    CHECK(matrix.f1(2) == 0);
}

}  // namespace
