// A model refuses what it can't use with a sentence, and stays as it was.
#include <algorithm>
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <tenon/models/fashion_mnist.hpp>
#include <tenon/runtime/model.hpp>
#include <tenon/weights/spare_classes.hpp>

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
    CHECK(contains(error_of([] { Model<Small> model{{.threads = 1025}}; }), "1025 threads; give 1 to 1024"));
    CHECK(contains(error_of([] { Model<Small> model{{.threads = 2'000'000'000}}; }), "2000000000 threads"));
    CHECK(contains(error_of([] { Model<Small> model{{.images_in_flight = 0}}; }), "not 0"));
    CHECK(error_of([] { Model<Small> model{{.device = 1}}; }) ==
          "device 1 was chosen for a backend that has no devices, as CUDA has");
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

TEST_CASE("weights that are infinite or NaN are refused by the tensor's name, unless they are allowed") {
    struct Normed : Network<Input<2, 3, 3>, Conv<4, Kernel<3>>, BatchNorm, Flatten, Linear<3>> {};
    const tenon_test::TemporaryFolder folder;
    const std::string path = folder.file("undefined.safetensors");
    Parameters<Normed> good;
    good.seed(5);
    Model<Normed> model;
    model.set_parameters(good);
    const std::vector<float> image(18, 0.25f);
    const std::string before = text_of(model(image));
    constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    const std::vector<std::string> names = detail::parameter_names<Normed>();
    for (int i = 0; i < good.count(); ++i)
        for (const float wrong : {nan, -infinity, -1.0f}) {
            const bool is_variance = good.infos()[static_cast<std::size_t>(i)].role == ParameterRole::running_variance;
            Parameters<Normed> parameters;
            parameters.seed(5);
            parameters[i][1] = wrong;
            parameters.save(path);
            if (wrong == -1 && !is_variance) {
                model.load(path);
                model.set_parameters(good);
                continue;
            }
            const std::string error = error_of([&] { model.load(path); });
            CHECK(contains(error, "tensor \"" + names[static_cast<std::size_t>(i)] + "\": element 1 is "));
            CHECK(error_of([&] { Parameters<Normed>{path}; }) == error);
            CHECK(text_of(model(image)) == before);
            Parameters<Normed> spare;
            CHECK(error_of([&] { load_with_spare_classes(spare, path); }) == error);
            CHECK(error_of([&] { Parameters<Normed>(path, {.allow_undefined = true}); }) == "(no error)");
        }
}

TEST_CASE("of a checkpoint's dictionaries the one that fits the network is taken, and a classifier may be missing") {
    const auto file = [](const std::string& name) { return tenon_test::source_file("tests/io/files/" + name); };
    detail::StoredNetwork network;  // a state_dict of one matrix of 2 x 2 and a bias of 2
    detail::Parameter weight, bias;
    weight.rank = 2;
    bias.rank = 1;
    network.parameters = {{.name = "a.weight", .shape = {2, 2}, .parameter = weight},
                          {.name = "a.bias", .shape = {2}, .parameter = bias}};
    // All of the formats and wrappings: one stream, a zip, a prefix.
    for (const char* name : {"imagenet.pth", "stream_checkpoint.pth"}) {
        const detail::WeightsFile found{file(name), network};
        CHECK(found.tensors()[0][1] == -.75f);
        CHECK(found.tensors()[1][1] == 2);
    }
    CHECK(contains(error_of([&] { detail::WeightsFile(file("imagenet.pth"), network, {.strip_prefixes = false}); }),
                   "the file has \"module.a.bias\""));
    // Not the first of the usual keys, but the one that fits.
    network.parameters = {{.name = "best_acc1", .shape = {}, .parameter = {}}};
    CHECK(detail::WeightsFile(file("imagenet.pth"), network).tensors()[0][0] == 69.75f);
    network.parameters = {{.name = "a", .shape = {1}, .parameter = bias}};
    CHECK(detail::WeightsFile(file("two.pth"), network).tensors()[0][0] == 2);
    CHECK(detail::WeightsFile(file("two.pth"), network, {.key = "state_dict"}).tensors()[0][0] == 1);
    std::vector<std::string> notes;
    detail::WeightsFile(file("two.pth"), network, {.notes = &notes});
    CHECK(notes.size() == 1);
    // The counter of averaged models is no weight.
    network.parameters = {{.name = "conv1.weight", .shape = {16, 3, 3, 3}, .parameter = {}}};
    CHECK_FALSE(contains(error_of([&] { detail::WeightsFile(file("averaged_model.pth"), network); }), "n_averaged"));

    // Weights without a classifier.
    const tenon_test::TemporaryFolder folder;
    Parameters<Small> whole, found;
    whole.seed(5);
    found.seed(6);
    const std::vector<float> head(found[2].begin(), found[2].end());
    const std::vector<std::string> names = detail::parameter_names<Small>();
    std::vector<TensorEntry> trunk;
    const SafetensorsFile all = [&] {
        whole.save(folder.file("whole"));
        return SafetensorsFile{folder.file("whole")};
    }();
    for (const int i : {0, 1}) trunk.push_back(all.at(names[static_cast<std::size_t>(i)]));
    write_safetensors(folder.file("trunk"), trunk);
    CHECK(contains(error_of([&] { load_with_spare_classes(found, folder.file("trunk")); }), "the network needs"));
    CHECK(load_with_spare_classes(found, folder.file("trunk"), {.allow_missing_head = true}) == 0);
    CHECK(std::ranges::equal(found[0], whole[0]));
    CHECK(std::ranges::equal(found[2], head));
    CHECK(load_with_spare_classes(found, folder.file("whole"), {.allow_missing_head = true}) == 3);
    CHECK(std::ranges::equal(found[2], whole[2]));
    trunk.pop_back();  // something else is missing
    write_safetensors(folder.file("less"), trunk);
    CHECK(contains(error_of([&] { load_with_spare_classes(found, folder.file("less"), {.allow_missing_head = true}); }),
                   "the network needs \"" + names[1] + "\""));
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
