// title: A model of something that is not a network
// meaning: `Model`, `Trainer`, `Parameters` and what reports about a network take the struct that the network is.
// fix: Name the network.
// first: static assertion failed.*tenon: this is not a network
// expect: derived from Network<Input<channels, height, width>, layers...>
// max-lines: 12
#include <tenon/tenon.hpp>

using namespace tenon;

struct Net : Network<Input<3, 32, 32>, Conv<16>, Flatten, Linear<10>> {};

float first_score(std::span<const float> image) {
#ifndef TENON_TWIN
    Model<int> model;
#else
    Model<Net> model;
#endif
    model.initialize(1);
    return model(image)[0];
}
