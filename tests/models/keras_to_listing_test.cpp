// Weights of Keras' network, converted, give the listing's network Keras' logits.
#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include <tenon/engine/reference.hpp>
#include <tenon/models/keras.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/runtime/model.hpp>
#include <tenon/weights/keras_to_listing.hpp>

#include "../support.hpp"

namespace {
using namespace tenon;

using In = Input<3, 64, 64>;
using Keras = KerasResNet50V2<10, In>;
using Listing = ResNet50V2<Classes<10>, In, ZeroPaddedPool>;
using Unpadded = ResNet50V2<Classes<10>, In>;

template <class Net>
std::vector<double> logits(const Parameters<Net>& parameters) {
    Model<Net, Reference<double>> model;
    model.set_parameters(parameters);
    std::vector<double> image(static_cast<std::size_t>(input_shape<Net>.elements()));
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = detail::uniform(detail::random_bits(2, 2, i), -1, 1);
    const auto result = model(image);
    return {result.begin(), result.end()};
}

double difference(const std::vector<double>& a, const std::vector<double>& b) {
    double largest = 0, error = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        largest = std::max(largest, std::abs(a[i]));
        error = std::max(error, std::abs(a[i] - b[i]));
    }
    return error / largest;
}

TEST_CASE("converted weights of Keras give the same logits, and only then") {
    Parameters<Keras> keras;
    keras.seed(3);
    const std::vector<double> expected = logits(keras);
    const Parameters<Listing> converted = keras_to_listing<Listing>(keras);
    CHECK(difference(expected, logits(converted)) < 1e-6);  // the converted values are rounded to floats

    // Without the correction of the means the dropped biases are missing.
    Parameters<Listing> plain = keras_to_listing<Listing>(keras);
    const std::vector<std::string> names = detail::parameter_names<Listing>(Naming::canonical),
                                   keras_names = detail::parameter_names<Keras>(Naming::canonical);
    int corrected = 0;
    for (int i = 0; i < plain.count(); ++i) {
        const auto at = std::find(keras_names.begin(), keras_names.end(), names[static_cast<std::size_t>(i)]);
        REQUIRE(at != keras_names.end());
        const std::span<const float> theirs = keras[static_cast<int>(at - keras_names.begin())];
        if (plain.infos()[static_cast<std::size_t>(i)].role != ParameterRole::running_mean) continue;
        corrected += !std::ranges::equal(theirs, plain[i]);
        std::copy(theirs.begin(), theirs.end(), plain[i].begin());
    }
    CHECK(corrected == 16);  // the norms that read the trunk: one per block but the first, and the last one
    CHECK(difference(expected, logits(plain)) > 1e-4);

    // The pool's border is the only thing that is left between Keras' network and the listing's.
    CHECK(difference(expected, logits(keras_to_listing<Unpadded>(keras))) > 1e-4);
}

TEST_CASE("networks that don't fit each other are refused") {
    const Parameters<Keras> keras;
    CHECK(tenon_test::contains(tenon_test::error_of([&] { keras_to_listing<ResNet101V2<Classes<10>, In>>(keras); }),
                               "the network of Keras has no parameter stack2.block6"));
    CHECK(tenon_test::contains(tenon_test::error_of([&] { keras_to_listing<ResNet50V2<Classes<7>, In>>(keras); }),
                               "scalars in the network of Keras"));
}

}  // namespace
