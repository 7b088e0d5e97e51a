// The page of a report: what predictions say of an evaluation, texts and images within the page, and the pages that
// page_test.py looks at in a browser.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/inference.hpp>
#include <tenon/report/page/report.hpp>

#include "../support.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;

/// Logits whose softmax is `share` for one of two classes.
std::vector<float> two_logits(int klass, double share) {
    std::vector<float> logits(2);
    logits[static_cast<std::size_t>(klass)] = static_cast<float>(std::log(share / (1 - share)));
    return logits;
}

TEST_CASE("predictions have confidence, loss, order of mistakes and a calibration error") {
    reports::Predictions all(2);
    const auto add = [&](int label, int predicted, double share) {
        all.add(two_logits(predicted, share), std::vector<int>{label});
    };
    add(0, 0, 0.88);
    add(0, 1, 0.88);
    add(1, 1, 0.68);
    add(1, 0, 0.96);
    CHECK(all.size() == 4);
    CHECK(all[0].is_right());
    CHECK(all[0].confidence == doctest::Approx(0.88));
    CHECK(all[1].loss == doctest::Approx(-std::log(0.12)));
    CHECK(all.accuracy() == 0.5);
    CHECK(all.accuracy(2) == 1);
    CHECK(all.most_confident_mistakes(5) == std::vector<std::size_t>{3, 1});
    CHECK(all.most_confident_mistakes(1) == std::vector<std::size_t>{3});
    CHECK(all.most_confused(9) == std::vector<std::pair<int, int>>{{0, 1}, {1, 0}});
    CHECK(all.confusion()(1, 0) == 1);
    // Of ten intervals, 0.88 and 0.88 are in (0.8, 0.9], half of them right; 0.68 in (0.6, 0.7], 0.96 in (0.9, 1].
    const auto bins = all.reliability(10);
    CHECK(bins[9].images == 1);
    CHECK(bins[9].accuracy == 0);
    CHECK(all.calibration_error(1) == doctest::Approx(std::abs(0.5 - (0.88 + 0.88 + 0.68 + 0.96) / 4)));
    CHECK(all.calibration_error(10) == doctest::Approx((2 * 0.38 + 0.32 + 0.96) / 4).epsilon(1e-4));
    CHECK(reports::Predictions(3).calibration_error() == 0);

    // Spare classes are left out; ties rank by their order.
    reports::Predictions spare(2);
    spare.add(std::vector<float>{1, 1, 50}, std::vector<int>{1});
    CHECK(spare[0].before == 1);
    CHECK(spare[0].confidence == doctest::Approx(0.5));
    CHECK(contains(error_of([&] { spare.add(std::vector<float>{1}, std::vector<int>{0}); }), "expected 2 logits"));
    CHECK(contains(error_of([&] {
                       spare.add(std::vector<float>{1, 2}, std::vector<int>{2});
                   }),
                   "from 0 to 1, found 2"));
    CHECK(contains(error_of([&] { spare.add(std::vector<float>{1, NAN}, std::vector<int>{0}); }), "NaN"));
    CHECK(spare.size() == 1);
    CHECK(contains(error_of([] { reports::Predictions{0}; }), "1 or more classes"));
}

TEST_CASE("texts in a page are escaped, whatever their bytes") {
    CHECK(detail::html_text("<b a=\"1\" c='2'>&\x01\n") == "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;\n");
    CHECK(detail::html_text("caf\xE9") == "caf\\xE9");
    CHECK(detail::to_base64("tenon") == "dGVub24=");
    CHECK(detail::to_base64("") == "");
    CHECK(detail::to_base64("abc") == "YWJj");
    CHECK(detail::short_name("t\xC3\xA4nzer", 3) == "t\xC3\xA4n\xE2\x80\xA6");
    CHECK(detail::short_name("short") == "short");
}

TEST_CASE("an image that a network saw is the photo again") {
    Preprocessing how{.crop_height = 1, .crop_width = 2, .order = ChannelOrder::bgr};
    // Blue, green and red planes of the pixels (255, 0, 51) and (0, 255, 102).
    const int samples[] = {51, 102, 0, 255, 255, 0};
    std::vector<float> input;
    for (std::size_t i = 0; i < 6; ++i)
        input.push_back((static_cast<float>(samples[i]) / 255 - how.mean[i / 2]) / how.standard_deviation[i / 2]);
    CHECK(reports::seen_image(input, how) == Image(1, 2, 3, {255, 0, 51, 0, 255, 102}));
    CHECK(contains(error_of([&] { reports::seen_image(std::span(input).first(5), how); }), "expected 6 floats"));
    CHECK(detail::shrunk(Image(2, 4, 1, {0, 10, 20, 30, 2, 8, 40, 50}), 2) == Image(1, 2, 1, {5, 35}));
    CHECK(detail::shrunk(Image(1, 2, 1, {1, 2}), 2) == Image(1, 2, 1, {1, 2}));
}

/// Labels 0 and 1 of tiny images, some of which no network without training gets right.
struct FewImages {
    std::vector<float> pixels;
    std::vector<int> labels;
    long images() const { return static_cast<long>(labels.size()); }
    long batches() const { return (images() + 1) / 2; }
    Batch batch(long, long index) const {
        const auto first = static_cast<std::size_t>(2 * index), count = std::min<std::size_t>(2, labels.size() - first);
        return {std::span(pixels).subspan(first * 64, count * 64), std::span(labels).subspan(first, count)};
    }
};

struct Judge : Network<Input<1, 8, 8>, Conv<4, Kernel<3>, Padding<1>>, ReLU, GlobalAvgPool, Linear<2>> {};

TEST_CASE("mistakes have the images of their places, and maps as far as the work allows") {
    Parameters<Judge> parameters;
    parameters.seed(1);
    FewImages source;
    for (int i = 0; i < 5; ++i) {
        for (int pixel = 0; pixel < 64; ++pixel) source.pixels.push_back(static_cast<float>((pixel * (i + 2)) % 9) / 8);
        source.labels.push_back(0);
    }
    Model<Judge> model{{.threads = 1}};
    model.set_parameters(parameters);
    const auto logits_of = [&](std::span<const float> images) { return model(images); };
    // Whatever the network says, the label is another class.
    const std::span<const float> logits = model(source.pixels);
    for (std::size_t i = 0; i < 5; ++i) source.labels[i] = logits[2 * i] >= logits[2 * i + 1] ? 1 : 0;
    const reports::Predictions predictions = reports::predict_all(logits_of, source, 2);
    const Preprocessing how{.crop_height = 8, .crop_width = 8, .channels = 1, .mean = {}, .standard_deviation = {1}};
    const auto cost = static_cast<double>(multiply_adds<Judge>);
    const auto found =
        reports::mistakes(parameters, predictions, source, how, {.count = 4, .multiply_adds = 2.5 * cost});
    REQUIRE(found.size() == 4);
    for (std::size_t i = 0; i < found.size(); ++i) {
        const reports::Mistake& mistake = found[i];
        CHECK(mistake.photo == reports::seen_image(std::span(source.pixels).subspan(64 * mistake.image, 64), how));
        CHECK(mistake.map.values.size() == (i < 2 ? 64 : 0));
        CHECK((i >= 2 || mistake.map.label == mistake.prediction.predicted));
        CHECK((i == 0 || mistake.prediction.confidence <= found[i - 1].prediction.confidence));
    }
}

EpochReport epoch_of(int i) {
    EpochReport epoch;
    epoch.epoch = i;
    epoch.loss = 2.0 / (1 + i);
    epoch.accuracy = 1 - 0.5 / (1 + i);
    epoch.validation_loss = epoch.loss + 0.1;
    epoch.validation_accuracy = epoch.accuracy - 0.05;
    epoch.learning_rate = 0.001 * (12 - i);
    epoch.seconds = 31;
    return epoch;
}

/// A report with everything, of classes with names that a page could stumble over.
reports::Report full_report() {
    reports::Report report;
    report.title = "A <title> & \"more\"";
    report.subtitle = "test images";
    report.classes = {"T-shirt/top",
                      "<script>alert(1)</script>",
                      "\"quoted\" & 'single'",
                      "caf\xE9",
                      "a name of a class that is far longer than any figure has room for, and then some more words",
                      "averyverylongnamewithoutanyspacewhichabrowsercantbreakunlessitistoldto_averyverylongname",
                      "\xE7\x8C\xAB",
                      "Shirt"};
    for (int i = 0; i < 12; ++i) report.history.push_back(epoch_of(i));
    reports::Predictions predictions(8);
    for (int i = 0; i < 400; ++i) {
        std::vector<float> logits(8);
        logits[static_cast<std::size_t>(i % 11 == 0 ? (i / 8) % 8 : i % 8)] = static_cast<float>(i % 5) + 0.5f;
        predictions.add(logits, std::vector<int>{i % 8});
    }
    for (const std::size_t image : predictions.most_confident_mistakes(5)) {
        reports::Mistake mistake;
        mistake.image = image;
        mistake.prediction = predictions[image];
        const int side = image % 2 == 0 ? 28 : 224;
        mistake.photo = Image(side, side, image % 2 == 0 ? 1 : 3);
        for (std::size_t i = 0; i < mistake.photo.pixels().size(); ++i)
            mistake.photo.pixels()[i] = static_cast<std::uint8_t>(i * 7 % 256);
        mistake.map.height = mistake.map.width = 2;
        mistake.map.values = {0, 1, 2, 3};
        report.mistakes.push_back(mistake);
    }
    report.predictions = predictions;
    report.network = {{"network", "<b>net</b>"}};
    report.data = {{"data \xFF", "400 images"}};
    report.command = "train --data '<folder>' " + std::string(300, 'x');
    return report;
}

TEST_CASE("a page has a section for what there is, and asks for nothing outside") {
    const std::string page = reports::to_html(full_report());
    for (const char* heading :
         {"Training", "Confusion matrix", "Classes", "Calibration", "Mistakes it was most sure of",
          "Classes that are confused most", "Network", "Data", "Environment", "Repeat it"})
        CHECK(contains(page, "<h2>" + std::string(heading) + "</h2>"));
    CHECK(!contains(page, "<script"));
    CHECK(!contains(page, "<b>net"));
    CHECK(contains(page, "A &lt;title&gt; &amp; &quot;more&quot;"));
    CHECK(contains(page, "default-src 'none'"));
    reports::Report small;
    small.title = "nothing yet";
    small.environment.clear();
    const std::string empty = reports::to_html(small);
    CHECK(!contains(empty, "<section"));
    small.predictions.emplace(2);
    CHECK(error_of([&] { reports::to_html(small); }) ==
          "expected a name for each of the 2 classes of a report's predictions, found 0");
    const tenon_test::TemporaryFolder folder;
    CHECK(contains(error_of([&] { reports::write(full_report(), folder.file("none/report.html")); }), "none"));
}

TEST_CASE("ticks close together have digits enough to tell them apart") {
    CHECK(detail::tick_text(0.5, 0.1) == "0.5");
    CHECK(detail::tick_text(0.002, 0.002) == "0.002");
    CHECK(detail::tick_text(0.0005, 0.0005) == "0.0005");
}

// page_test.py looks at these in a browser.
TEST_CASE("pages to look at") {
    const char* const folder = std::getenv("TENON_PAGES");
    if (!folder) return;
    const std::string path = std::string(folder) + "/";
    reports::write(full_report(), path + "full.html");
    reports::Report many = full_report();
    many.history.clear();
    many.mistakes.clear();
    reports::Predictions predictions(150);
    many.classes.clear();
    for (int i = 0; i < 150; ++i) {
        many.classes.push_back("class " + std::to_string(i));
        std::vector<float> logits(150);
        logits[static_cast<std::size_t>(i * i % 150)] = 3;
        predictions.add(logits, std::vector<int>{i});
    }
    many.predictions = predictions;
    reports::write(many, path + "many.html");
    reports::Report training;
    training.title = "one epoch";
    training.history = {epoch_of(0)};
    training.history[0].validation_loss = training.history[0].validation_accuracy = detail::not_measured;
    reports::write(training, path + "training.html");
}

}  // namespace
