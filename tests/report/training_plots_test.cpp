#include <cstddef>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/report/training_plots.hpp>

#include "../support.hpp"

using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;

namespace {

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

EpochReport epoch(double loss, double accuracy, double validation_loss, double validation_accuracy) {
    EpochReport report;
    report.loss = loss;
    report.accuracy = accuracy;
    report.validation_loss = validation_loss;
    report.validation_accuracy = validation_accuracy;
    return report;
}

}  // namespace

TEST_CASE("an SVG holds its elements, with texts escaped and short numbers") {
    Svg svg(10, 20.5);
    svg.text({1, 2.005}, "a<b> & \x01", 12, "#000000", SvgAnchor::end, true, 90);
    svg.rectangle({-0.001, 1.0 / 3}, 1, 2, "#ffffff");
    const std::string text = svg.str();
    CHECK(text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"10\" height=\"20.5\""));
    CHECK(text.ends_with("</svg>\n"));
    CHECK(contains(text, ">a&lt;b&gt; &amp; </text>"));
    CHECK(contains(text, "text-anchor=\"end\" font-weight=\"bold\" transform=\"rotate(90 1 2"));
    CHECK(contains(text, "<rect x=\"0\" y=\"0.33\" width=\"1\" height=\"2\""));
}

TEST_CASE("curves show each epoch that was measured") {
    const History history = {epoch(2, 0.2, not_measured, not_measured), epoch(1, 0.6, 1.5, 0.5), epoch(0, 1, 1, 0.6)};
    const std::string svg = curves_svg(history, "Title & more");
    CHECK(contains(svg, "Title &amp; more"));
    CHECK(count(svg, "<circle") == 2 * (3 + 2));
    CHECK(count(svg, ">training<") == 2);
    CHECK(count(svg, ">validation<") == 2);
    // The frame is 380 x 260 from (60, 86); the losses 2, 1, 0 go straight down from corner to corner.
    CHECK(contains(svg, "points=\"60,86 250,216 440,346 \""));
    CHECK(contains(svg, "points=\"250,151 440,216 \""));
    CHECK(!contains(svg, "nan"));
    const std::string unvalidated = curves_svg({epoch(1, 0.5, not_measured, not_measured)});
    CHECK(count(unvalidated, ">validation<") == 0);
    CHECK(count(unvalidated, "<circle") == 2);
    CHECK(!contains(unvalidated, "nan"));
    CHECK(!contains(curves_svg({}), "nan"));
}

TEST_CASE("a confusion matrix has a cell for each pair of classes and a number where there are images") {
    ConfusionMatrix confusion(3);
    for (int i = 0; i < 7; ++i) confusion.add(0, 0);
    confusion.add(1, 2);
    const std::vector<std::string> names = {"cat", "dog", "a < b"};
    const std::string svg = confusion_svg(confusion, names, "Photos");
    CHECK(count(svg, "<rect") == 1 + 9);
    CHECK(count(svg, ">7</text>") == 1);
    CHECK(count(svg, ">1</text>") == 1);
    CHECK(count(svg, ">0</text>") == 0);
    CHECK(count(svg, ">a &lt; b</text>") == 2);
    CHECK(count(svg, "#2166ac") == 1);  // a class that is always right
    CHECK(contains(svg, ">Photos</text>"));
    CHECK(error_of([&] { confusion_svg(confusion, std::span(names).first(2)); }) ==
          "expected a name for each of the 3 classes of a confusion matrix, found 2");
    // So many classes that there is no room for numbers.
    const std::vector<std::string> many(100, "name");
    CHECK(count(confusion_svg(ConfusionMatrix(100), many), "<text") == 2);
}
