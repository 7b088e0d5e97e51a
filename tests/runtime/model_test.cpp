// A model refuses what it can't use with a sentence, and stays as it was.
#include <doctest/doctest.h>

#include <tenon/models/fashion_mnist.hpp>
#include <tenon/runtime/model.hpp>

#include "../support.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;

struct Small : Network<Input<2, 3, 3>, Conv<4, Kernel<3>, Bias>, Flatten, Linear<3>> {};

std::string text_of(std::span<const float> values) {
    std::string text;
    for (const float value : values) text += std::to_string(value) + " ";
    return text;
}

TEST_CASE("a model without weights says so") {
    Model<Small> model;
    const std::vector<float> image(18);
    CHECK(contains(error_of([&] { model(image); }), "no weights yet"));
}

TEST_CASE("spans of the wrong size are refused") {
    Model<Small> model;
    model.initialize(1);
    const std::vector<float> seventeen(17), none, two(36);
    CHECK(contains(error_of([&] { model(seventeen); }), "[2, 3, 3], 18 scalars"));
    CHECK(contains(error_of([&] { model(seventeen); }), "not 17"));
    CHECK(contains(error_of([&] { model(none); }), "not 0"));
    std::vector<float> results(5);
    CHECK(contains(error_of([&] { model(two, results); }), "take 6 scalars, but the span given for them has 5"));
    results.resize(6);
    model(two, results);
    CHECK(text_of(results) == text_of(model(two)));
}

TEST_CASE("options out of range are refused") {
    CHECK(contains(error_of([] { Model<Small> model{{.threads = -1}}; }), "-1 threads"));
    CHECK(contains(error_of([] { Model<Small> model{{.images_in_flight = 0}}; }), "not 0"));
}

TEST_CASE("weights of another network, a missing file and a wrong shape leave the model as it was") {
    const tenon_test::TemporaryFolder folder;
    Model<Small> model;
    model.initialize(1);
    const std::vector<float> image(18, 0.5f);
    const std::string before = text_of(model(image));

    Parameters<FashionMnistResNet> other;
    other.save(folder.file("other.safetensors"));
    const std::string names = error_of([&] { model.load(folder.file("other.safetensors")); });
    CHECK(contains(names, "other.safetensors: these weights are not this network's"));
    CHECK(contains(names, "the network needs \"conv0.weight\""));
    CHECK(contains(names, "the file has \"conv1.conv.weight\""));

    CHECK(contains(error_of([&] { model.load(folder.file("absent.safetensors")); }), "absent.safetensors"));

    struct Wider : Network<Input<2, 3, 3>, Conv<5, Kernel<3>, Bias>, Flatten, Linear<3>> {};
    Parameters<Wider> wider;
    wider.save(folder.file("wider.safetensors"));
    const std::string shape = error_of([&] { model.load(folder.file("wider.safetensors")); });
    CHECK(contains(shape, "\"conv0.weight\": expected shape [4, 2, 3, 3], found [5, 2, 3, 3]"));

    tenon_test::write_file(folder.file("broken.safetensors"), "no tensors here");
    CHECK(contains(error_of([&] { model.load(folder.file("broken.safetensors")); }), "broken.safetensors"));
    CHECK(text_of(model(image)) == before);
}

TEST_CASE("a model takes what parameters saved") {
    const tenon_test::TemporaryFolder folder;
    Parameters<Small> parameters;
    parameters.seed(5);
    parameters.save(folder.file("small.safetensors"));
    Model<Small> saved, direct;
    saved.load(folder.file("small.safetensors"));
    direct.set_parameters(parameters);
    const std::vector<float> image(18, 0.25f);
    CHECK(text_of(saved(image)) == text_of(direct(image)));
}

TEST_CASE("softmax gives probabilities per image") {
    const std::vector<float> logits{1, 2, 3, 1000, 1000, -1000};
    const std::vector<float> probabilities = softmax(logits, 3);
    CHECK(probabilities[0] + probabilities[1] + probabilities[2] == doctest::Approx(1));
    CHECK(probabilities[2] == doctest::Approx(std::exp(3) / (std::exp(1) + std::exp(2) + std::exp(3))));
    CHECK(probabilities[3] == doctest::Approx(0.5));
    CHECK(probabilities[5] == 0);
    CHECK(contains(error_of([&] { softmax(logits, 4); }), "multiple"));
}

}  // namespace
