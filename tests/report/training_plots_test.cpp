#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/report/class_report.hpp>
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

/// The number after the first ` NAME="`.
double attribute(const std::string& text, const std::string& name) {
    return std::stod(text.substr(text.find(" " + name + "=\"") + name.size() + 3));
}

/// The right end of the widest bold line, by an estimate of its own: 0.6 of the size a character.
double end_of_title(const std::string& svg) {
    double end = 0;
    for (std::size_t bold = svg.find("font-weight=\"bold\">"); bold != std::string::npos;
         bold = svg.find("font-weight=\"bold\">", bold + 1)) {
        const std::string element = svg.substr(svg.rfind("<text", bold));
        const std::size_t begin = element.find('>') + 1, characters = element.find("</text>") - begin;
        end = std::max(
            end, attribute(element, "x") + 0.6 * attribute(element, "font-size") * static_cast<double>(characters));
    }
    return end;
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
    detail::Svg svg(10, 20.5);
    svg.text({1, 2.005}, "a<b> & \x01", 12, "#000000", detail::SvgAnchor::end, true, 90);
    svg.rectangle({-0.001, 1.0 / 3}, 1, 2, "#ffffff");
    const std::string text = svg.str();
    CHECK(text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"10\" height=\"20.5\""));
    CHECK(text.ends_with("</svg>\n"));
    CHECK(contains(text, ">a&lt;b&gt; &amp; </text>"));
    CHECK(contains(text, "text-anchor=\"end\" font-weight=\"bold\" transform=\"rotate(90 1 2"));
    CHECK(contains(text, "<rect x=\"0\" y=\"0.33\" width=\"1\" height=\"2\""));
}

TEST_CASE("curves show each epoch that was measured") {
    const History history = {epoch(2, 0.2, detail::not_measured, detail::not_measured), epoch(1, 0.6, 1.5, 0.5),
                             epoch(0, 1, 1, 0.6)};
    const std::string svg = curves_svg(history, "Title & more");
    CHECK(contains(svg, "Title &amp; more"));
    CHECK(count(svg, "<circle") == 2 * (3 + 2));
    CHECK(count(svg, ">training<") == 2);
    CHECK(count(svg, ">validation<") == 2);
    // The frame is 380 x 260 from (60, 86); the losses 2, 1, 0 go straight down from corner to corner.
    CHECK(contains(svg, "points=\"60,86 250,216 440,346 \""));
    CHECK(contains(svg, "points=\"250,151 440,216 \""));
    CHECK(!contains(svg, "nan"));
    const std::string unvalidated = curves_svg({epoch(1, 0.5, detail::not_measured, detail::not_measured)});
    CHECK(count(unvalidated, ">validation<") == 0);
    CHECK(count(unvalidated, "<circle") == 2);
    CHECK(!contains(unvalidated, "nan"));
    CHECK(!contains(curves_svg({}), "nan"));
}

TEST_CASE("a title has room, however long it is and however small the plot") {
    const std::vector<std::string> names = {"red", "blue"};
    for (const std::string& title :
         {std::string("resnet18 on photos, 93.33 % (28 of 30)"),
          std::string("a few words that go on and on ") + names[0] +
              " and on over more than one line of any plot of this size, 100.00 % (12345 of 12345)",
          std::string("/a/folder/") + std::string(150, 'n')}) {
        CAPTURE(title);
        for (const std::string& svg :
             {confusion_svg(ConfusionMatrix{2}, names, title), curves_svg({epoch(1, 0.5, 1, 0.5)}, title)}) {
            CHECK(attribute(svg, "width") >= end_of_title(svg));
            CHECK(attribute(svg, "width") < 2400);
            // Nothing of the title is lost.
            std::string found;
            for (std::size_t bold = svg.find("18\" fill=\"#222222\""); bold != std::string::npos;
                 bold = svg.find("18\" fill=\"#222222\"", bold + 1)) {
                const std::size_t begin = svg.find('>', bold) + 1;
                found += (found.empty() ? "" : " ") + svg.substr(begin, svg.find("</text>", begin) - begin);
            }
            CHECK(found == title);
        }
    }
    CHECK(count(confusion_svg(ConfusionMatrix{2}, names), "font-weight") == 0);
    // The name above the last column stays inside of the image.
    const std::vector<std::string> long_names = {"a", "a class with a rather long name, too long"};
    const std::string svg = confusion_svg(ConfusionMatrix{2}, long_names);
    const std::size_t last = svg.rfind("rotate(-60");
    CHECK(attribute(svg, "width") > attribute(svg.substr(svg.rfind("<text", last)), "x") + 0.5 * 0.55 * 12 * 41);
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
    CHECK(count(svg, ">100 %</text>") == 2);
    CHECK(count(svg, ">0</text>") == 0);
    CHECK(count(svg, ">a &lt; b</text>") == 2);
    CHECK(count(svg, "#2166ac") == 1);  // a class that is always right
    CHECK(contains(svg, ">Photos</text>"));
    CHECK(error_of([&] { confusion_svg(confusion, std::span(names).first(2)); }) ==
          "expected a name for each of the 3 classes of a confusion matrix, found 2");
    // More classes than there is room for numbers.
    const std::vector<std::string> many(100, "name");
    CHECK(count(confusion_svg(ConfusionMatrix(100), many), "<text") == 2);
}

TEST_CASE("cells say their share of the row, and never that a part is all or nothing") {
    ConfusionMatrix confusion(2);
    for (int i = 0; i < 999; ++i) confusion.add(0, 0);
    confusion.add(0, 1);
    for (int i = 0; i < 2; ++i) confusion.add(1, 0);
    confusion.add(1, 1);
    const std::string svg = confusion_svg(confusion, std::vector<std::string>{"cat", "dog"});
    for (const char* text : {">&gt;99 %<", ">&lt;1 %<", ">67 %<", ">33 %<"}) CHECK(count(svg, text) == 1);
}

TEST_CASE("a report of classes has precision, recall and F1, and no figure where there is none") {
    ConfusionMatrix confusion(3);
    for (int i = 0; i < 6; ++i) confusion.add(0, 0);
    for (int i = 0; i < 2; ++i) confusion.add(0, 1);
    for (int i = 0; i < 2; ++i) confusion.add(1, 0);
    const std::vector<std::string> names{"cat", "d\xC3\xA4mmerung", "nothing"};
    // As sklearn.metrics.classification_report(labels, predictions, zero_division=nan): 6 of 8 and 0 of 2 predictions
    // are right, 6 of 8 and 0 of 2 images.
    CHECK(class_report(confusion, names) ==
          "class       images  precision (%)  recall (%)  F1 (%)   most often taken for\n"
          "cat              8           75.0        75.0    75.0   d\xC3\xA4mmerung (2)\n"
          "d\xC3\xA4mmerung        2            0.0         0.0     0.0   cat (2)\n"
          "nothing          0              -           -       -\n"
          "mean            10           37.5        37.5    37.5\n");
    CHECK(error_of([&] { class_report(confusion, std::span(names).first(2)); }) ==
          "expected a name for each of the 3 classes of a confusion matrix, found 2");
    CHECK(contains(class_report(ConfusionMatrix{1}, std::span(names).first(1)), "mean"));
}
