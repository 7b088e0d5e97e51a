// title: A model of layers without an input
// meaning: A `Sequential` is a layer: it has no input of its own, so it has no shapes, and no program can be made of it.
// fix: Put the layers into a network, a struct of its own.
// first: static assertion failed.*tenon: this is not a network
// expect: derived from Network<Input<channels, height, width>, layers...>
// max-lines: 12
#include <tenon/tenon.hpp>

using namespace tenon;

#ifndef TENON_TWIN
using Net = Sequential<Conv<16>, Flatten, Linear<10>>;
#else
struct Net : Network<Input<3, 32, 32>, Sequential<Conv<16>, Flatten, Linear<10>>> {};
#endif

float first_score(std::span<const float> image) {
    Model<Net> model;
    model.initialize(1);
    return model(image)[0];
}
