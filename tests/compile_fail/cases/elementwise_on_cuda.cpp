// title: A function of your own on CUDA
// meaning: The functor of `Elementwise` is compiled for the CPU; a GPU has no kernel that calls it.
// fix: Run the network on `Cpu` or `Reference<float>`, or make the function an operation of the library, with a kernel
// fix: (docs/how_to/add_a_layer.md).
// first: static assertion failed.*tenon: CUDA has no kernel for the function that Elementwise was given
// expect: an operation of the library has one
// max-lines: 13
#include <tenon/inference.hpp>

using namespace tenon;

struct Square {
    template <class T>
    T operator()(T x) const {
        return x * x;
    }
    template <class T>
    T derivative(T x) const {
        return 2 * x;
    }
};

struct Net : Network<Input<3, 32, 32>, Conv<16>, Elementwise<Square>, GlobalAvgPool, Linear<10>> {};

float first_score(std::span<const float> image) {
#ifndef TENON_TWIN
    Model<Net, Cuda> model;
#else
    Model<Net> model;
#endif
    model.initialize(1);
    return model(image)[0];
}
