// Fine-tuning: networks made from networks, parameters that go from one to the other, cached features.
#include <algorithm>
#include <cmath>
#include <cstring>

#include <doctest/doctest.h>

#include <tenon/models/cifar_keras.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/topology/replace_head.hpp>
#include <tenon/train/optimizers/adamw.hpp>
#include <tenon/train/optimizers/sgd.hpp>
#include <tenon/train/testing/feature_cache.hpp>
#include <tenon/train/trainer.hpp>
#include <tenon/weights/spare_classes.hpp>

#include "../support.hpp"
#include "patterns.hpp"

namespace {
using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;
using tenon_test::Patterns;

using FineResNet = ReplaceHead<7, ResNet18<>>;
static_assert(output_shape<FineResNet> == Shape{7});
static_assert(input_shape<FineResNet> == Shape{3, 224, 224});
static_assert(parameter_count<FineResNet> == parameter_count<ResNet18<7>>);
static_assert(naming_of<FineResNet> == Naming::torchvision);
static_assert(parameter_count<ReplaceHead<5, ResNet50V2<>>> == parameter_count<ResNet50V2<Classes<5>>>);
static_assert(output_shape<Trunk<ResNet50V2<>>> == Shape{2048});
static_assert(output_shape<Trunk<FineResNet>> == Shape{512});
static_assert(parameter_count<Trunk<FineResNet>> + parameter_count<LinearHead<FineResNet>> ==
              parameter_count<FineResNet>);
static_assert(parameter_count<LinearHead<FineResNet>> == 513 * 7);

/// A head inside of a head, something after the classifier, and a classifier without bias.
struct Nested : Network<Input<3, 8, 8>, Conv<4, Kernel<3>>, Head<ReLU, Sequential<GlobalAvgPool, Linear<6, NoBias>>>,
                        Dropout<Rate<1, 2>>> {};
static_assert(parameter_count<ReplaceHead<9, Nested>> == 4 * 27 + 4 * 9);
static_assert(output_shape<Trunk<Nested>> == Shape{4});
static_assert(parameter_count<LinearHead<Nested>> == 4 * 6);
static_assert(
    std::is_same_v<decltype(detail::parts_of(static_cast<const ReplaceHead<9, Nested>*>(nullptr))),
                   detail::Children<Input<3, 8, 8>, Conv<4, Kernel<3>>,
                                    Head<ReLU, Sequential<GlobalAvgPool, Linear<9, NoBias>>>, Dropout<Rate<1, 2>>>>);
static_assert(std::is_same_v<decltype(detail::parts_of(static_cast<const FreezeTrunk<Nested>*>(nullptr))),
                             detail::Children<Input<3, 8, 8>, Frozen<Conv<4, Kernel<3>>>,
                                              Head<Frozen<ReLU>, Sequential<Frozen<GlobalAvgPool>, Linear<6, NoBias>>>,
                                              Dropout<Rate<1, 2>>>>);

struct Base : Network<Input<3, 8, 8>, Stem<Conv<8, Kernel<3>, Padding<1>>>, Stack<4, 2, Stride<2>>,
                      Head<BatchNorm, ReLU, GlobalAvgPool, Linear<10>>> {};
using Fine = ReplaceHead<6, Base>;
using Tuned = FreezeTrunk<Fine>;

TEST_CASE("only the classifier of a network with a frozen trunk is trained, and names stay") {
    const auto names = detail::parameter_names<Base>(Naming::canonical);
    CHECK(names == detail::parameter_names<Fine>(Naming::canonical));
    CHECK(names == detail::parameter_names<Tuned>(Naming::canonical));
    for (const detail::Parameter& tensor : lowered<Tuned>.parameters)
        CHECK(lowered<Tuned>.layers[tensor.layer].frozen ==
              (&tensor - lowered<Tuned>.parameters.begin() + 2 < lowered<Tuned>.parameters.size()));
    const auto classifier = detail::parameter_names<LinearHead<Tuned>>(Naming::canonical);
    CHECK(classifier == std::vector<std::string>{"head.linear0.weight", "head.linear0.bias"});
    CHECK(names[names.size() - 2] == classifier[0]);
}

TEST_CASE("frozen norms stay and count in training as in inference, everything else is trained") {
    using Normed = FreezeNorms<Base>;
    CHECK(detail::parameter_names<Base>(Naming::canonical) == detail::parameter_names<Normed>(Naming::canonical));
    Parameters<Normed> before;
    before.seed(11);
    Patterns images{{3, 8, 8}, 6, 2, 12, false};
    Trainer<Normed> trainer{SgdOptions{.learning_rate = 0.05, .momentum = 0.9}, {.batch_size = 12}};
    trainer.set_parameters(before);
    const double loss = trainer.evaluate(images).loss;
    trainer.fit(images, {.epochs = 1});
    int norms = 0;
    for (int i = 0; i < before.count(); ++i) {
        const detail::Parameter& info = before.infos()[static_cast<std::size_t>(i)];
        const bool norm = info.role != ParameterRole::weight && info.role != ParameterRole::bias;
        norms += norm;
        CHECK((std::memcmp(before[i].data(), trainer.parameters()[i].data(), before[i].size_bytes()) == 0) == norm);
    }
    CHECK(norms == 4 * 7);
    // The first batch's loss in training is that of inference; a rate of 0 lets both batches be compared.
    Trainer<Normed> still{SgdOptions{.learning_rate = 0}, {.batch_size = 12}};
    still.set_parameters(before);
    CHECK(still.fit(images, {.epochs = 1}).back().loss == doctest::Approx(loss).epsilon(1e-5));
}

TEST_CASE("a backbone goes into a network with another head") {
    Parameters<Base> original;
    original.seed(11);
    Trainer<Tuned> trainer{SgdOptions{}, {.batch_size = 12}};
    const std::vector<float> drawn(trainer.parameters().values().begin(), trainer.parameters().values().end());
    CHECK(trainer.transfer(original) == Parameters<Base>::count() - 2);
    for (int i = 0; i < Parameters<Tuned>::count(); ++i) {
        const detail::Parameter& info = lowered<Tuned>.parameters[i];
        const std::span<const float> now = trainer.parameters()[i];
        const bool head = i + 2 >= Parameters<Tuned>::count();
        const float* const expected = head ? drawn.data() + info.offset : original[i].data();
        CHECK(std::memcmp(now.data(), expected, now.size_bytes()) == 0);
    }
    struct Unlike : Network<Input<5>, Linear<3>> {};
    const Parameters<Unlike> unlike;
    CHECK(contains(error_of([&] { trainer.transfer(unlike); }), "no parameter of the other network"));
}

TEST_CASE("training on cached features is training with a frozen trunk") {
    Parameters<Base> original;
    original.seed(11);
    const SgdOptions sgd{.learning_rate = 0.05, .momentum = 0.9};
    Patterns images{{3, 8, 8}, 6, 4, 12, false};
    Trainer<Tuned> whole{sgd, {.batch_size = 12}};
    whole.transfer(original);
    FeatureCache features{whole.parameters(), images, {.batch_size = 12, .shuffle = false}};
    CHECK(features.images() == 48);
    CHECK(features.batches() == 4);
    CHECK(features.features() == 16);
    Trainer<LinearHead<Tuned>> head{sgd, {.batch_size = 12}};
    head.transfer(whole.parameters());
    whole.fit(images, {.epochs = 3});
    head.fit(features, {.epochs = 3});
    CHECK(head.history().back().loss == doctest::Approx(whole.history().back().loss).epsilon(1e-5));
    const int last = Parameters<Tuned>::count() - 2;
    for (int i = 0; i < 2; ++i)
        for (std::size_t k = 0; k < head.weights()[i].size(); ++k)
            CHECK(std::abs(head.weights()[i][k] - whole.weights()[last + i][k]) < 1e-4f);

    // The classifier goes back into the whole network, which then predicts the same.
    Parameters<Fine> tuned;
    copy_parameters(original, tuned);
    CHECK(copy_parameters(head.weights(), tuned) == 2);
    Model<Fine> model;
    model.set_parameters(tuned);
    const Batch batch = images.batch(0, 1);
    const auto logits = model(batch.images);
    const auto expected = head.predict(features.batch(0, 1).images);
    for (std::size_t i = 0; i < logits.size(); ++i) CHECK(std::abs(logits[i] - expected[i]) < 1e-4f);
}

TEST_CASE("a cache shuffles each epoch by itself, keeps passes apart, and every image stays once in an epoch") {
    Parameters<Base> original;
    original.seed(11);
    Patterns images{{3, 8, 8}, 6, 2, 9};  // other noise in each epoch
    const FeatureCacheOptions options{.batch_size = 5, .passes = 2, .seed = 1};
    FeatureCache cache{original, images, options}, again{original, images, options};
    FeatureCacheOptions in_order = options;
    in_order.shuffle = false;
    FeatureCache plain{original, images, in_order};
    CHECK(cache.batches() == 4);
    const auto epoch_of = [](FeatureCache& source, long epoch) {
        std::vector<std::pair<std::vector<float>, int>> rows;
        for (long index = 0; index < source.batches(); ++index) {
            const Batch batch = source.batch(epoch, index);
            for (std::size_t n = 0; n < batch.labels.size(); ++n)
                rows.push_back({{batch.images.begin() + static_cast<long>(n) * 16,
                                 batch.images.begin() + static_cast<long>(n + 1) * 16},
                                batch.labels[n]});
        }
        return rows;
    };
    auto first = epoch_of(cache, 0), second = epoch_of(cache, 1), third = epoch_of(cache, 2);
    CHECK(first.size() == 18);
    CHECK(cache.batch(0, 3).labels.size() == 3);
    again.batch(2, 1);
    CHECK(epoch_of(again, 0) == first);
    CHECK(first != third);
    const auto plain_first = epoch_of(plain, 0);
    CHECK(first != plain_first);
    const auto sorted = [](auto rows) {
        std::sort(rows.begin(), rows.end());
        return rows;
    };
    CHECK(sorted(first) == sorted(third));
    CHECK(sorted(first) == sorted(plain_first));
    CHECK(sorted(first) != sorted(second));
    CHECK(contains(error_of([&] { cache.batch(0, 4); }), "no batch 4 among 4"));
    CHECK(contains(error_of([&] { FeatureCache{original, images, {.batch_size = 0}}; }), "1 or more"));
    Patterns none{{3, 8, 8}, 6, 0, 9};
    CHECK(contains(error_of([&] { FeatureCache{original, none}; }), "has no batch"));
}

/// The parameters of a trainer with those of its spare classes closed.
template <class Net>
void close(Trainer<Net>& trainer, int used) {
    Parameters<Net> parameters;
    std::ranges::copy(trainer.parameters().values(), parameters.values().begin());
    close_spare_classes(parameters, used);
    trainer.set_parameters(parameters);
}

/// Trains a network of 10 classes of which 6 are open beside one of 6 classes.
template <class Spare, class Exact, class Optimizer, class Source>
void train_beside(const Optimizer& optimizer, Source& images) {
    const TrainerOptions options{.batch_size = 12, .clip_norm = 1, .average = AverageOptions{.decay = 0.9}};
    Trainer<Spare> spare{optimizer, options};
    Trainer<Exact> exact{optimizer, options};
    close(spare, 6);
    const auto [weight, bias] = detail::classifier_indices<Spare>();
    const int last = Parameters<Spare>::count();
    REQUIRE(weight == last - 2);
    REQUIRE(bias == last - 1);
    // The rows that both have are drawn alike; that is said here, as the comparison rests on it.
    for (int i = 0; i < last; ++i)
        REQUIRE(std::memcmp(spare.parameters()[i].data(), exact.parameters()[i].data(),
                            exact.parameters()[i].size_bytes()) == 0);
    spare.fit(images, images, {.epochs = 3});
    exact.fit(images, images, {.epochs = 3});
    CHECK(exact.history().back().loss < 0.9 * exact.history().front().loss);
    for (std::size_t epoch = 0; epoch < 3; ++epoch) {
        CHECK(spare.history()[epoch].loss == doctest::Approx(exact.history()[epoch].loss).epsilon(1e-6));
        CHECK(spare.history()[epoch].validation_loss ==
              doctest::Approx(exact.history()[epoch].validation_loss).epsilon(1e-6));
        CHECK(spare.history()[epoch].validation_accuracy == exact.history()[epoch].validation_accuracy);
    }
    for (int i = 0; i < last; ++i)
        for (std::size_t k = 0; k < exact.parameters()[i].size(); ++k) {
            const float expected = exact.parameters()[i][k];
            CHECK(std::abs(spare.parameters()[i][k] - expected) <= 1e-5F * std::max(1.0F, std::abs(expected)));
        }
    // Closed classes stay closed to the bit.
    for (const float value : spare.parameters()[weight].subspan(exact.parameters()[weight].size())) CHECK(value == 0);
    for (const float value : spare.parameters()[bias].subspan(6)) CHECK(value == detail::closed_bias);
    const auto logits = spare.predict(images.batch(0, 0).images);
    for (std::size_t k = 6; k < 10; ++k) CHECK(softmax(logits.first(10))[k] == 0);
}

TEST_CASE("a network with spare classes trains as one without") {
    Patterns features{{16, 0, 0}, 6, 4, 12, false};
    train_beside<LinearHead<Base>, LinearHead<Fine>>(AdamWOptions{.learning_rate = 0.03, .weight_decay = 0.1},
                                                     features);
    Patterns images{{3, 8, 8}, 6, 4, 12, false};
    train_beside<Base, Fine>(SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01}, images);
}

TEST_CASE("weights are saved without spare classes and loaded with them") {
    const tenon_test::TemporaryFolder folder;
    Parameters<Base> base, again;
    base.seed(3);
    save_without_spare_classes(base, 6, folder.file("six"), naming_of<Base>, {{"classes", "six"}});
    const Parameters<Fine> fine{folder.file("six")};
    for (int i = 0; i < fine.count(); ++i)
        CHECK(std::memcmp(fine[i].data(), base[i].data(), fine[i].size_bytes()) == 0);
    CHECK(SafetensorsFile{folder.file("six")}.metadata().at("classes") == "six");
    again.seed(4);
    CHECK(load_with_spare_classes(again, folder.file("six")) == 6);
    close_spare_classes(base, 6);
    CHECK(std::memcmp(again.values().data(), base.values().data(), base.values().size_bytes()) == 0);

    CHECK(stored_classes<Base>(folder.file("six")) == 6);
    CHECK(stored_classes<Fine>(folder.file("six")) == 6);
    static_assert(detail::can_spare_classes<Base> && !detail::can_spare_classes<Nested>);  // its Linear has no bias

    // A file of more classes gives its first ones.
    base.seed(3);
    base.save(folder.file("ten"));
    Parameters<Fine> first;
    CHECK(load_with_spare_classes(first, folder.file("ten")) == 10);
    CHECK(std::memcmp(first.values().data(), fine.values().data(), fine.values().size_bytes()) == 0);

    CHECK(contains(error_of([&] { close_spare_classes(base, 11); }), "1 to 10 of them, not for 11"));
    CHECK(contains(error_of([&] { close_spare_classes(base, 0); }), "not for 0"));
    CHECK(contains(error_of([&] { save_without_spare_classes(base, 11, folder.file("x")); }), "has 10 classes"));
    Parameters<ResNet18<>> other;
    CHECK(contains(error_of([&] { load_with_spare_classes(other, folder.file("ten")); }), "not this network's"));
    CHECK(contains(error_of([&] { load_with_spare_classes(base, folder.file("none")); }), "No such file"));
}

TEST_CASE("spare classes in a layout with another order") {
    const tenon_test::TemporaryFolder folder;
    Parameters<MlperfTinyResNet8<10>> ten, again;
    ten.seed(3);
    save_without_spare_classes(ten, 4, folder.file("four"));
    const Parameters<MlperfTinyResNet8<4>> four{folder.file("four")};
    for (int i = 0; i < four.count(); ++i) CHECK(std::memcmp(four[i].data(), ten[i].data(), four[i].size_bytes()) == 0);
    CHECK(load_with_spare_classes(again, folder.file("four")) == 4);
    close_spare_classes(ten, 4);
    CHECK(std::memcmp(again.values().data(), ten.values().data(), ten.values().size_bytes()) == 0);
}

}  // namespace
