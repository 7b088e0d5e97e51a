// What `scripts/bench compile` compiles: a program that loads a network and runs it. TENON_NETWORK names the network.
#include <vector>

#include <tenon/tenon.hpp>

using namespace tenon;
using Net = TENON_NETWORK;

int main(int argc, char** argv) {
    Model<Net> model;
    if (argc > 1) model.load(argv[1]);
    const std::vector<float> image(static_cast<std::size_t>(input_shape<Net>.elements()));
    return model(image)[0] > 0;
}
