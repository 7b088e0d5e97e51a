// What `scripts/bench compile` compiles: a program that loads a network and runs it. TENON_NETWORK names the network.
#include <vector>

#if __has_include(<tenon/inference.hpp>)
#include <tenon/inference.hpp>
#else  // revisions that had one header for all
#include <tenon/tenon.hpp>
#endif

using namespace tenon;
using Net = TENON_NETWORK;

int main(int argc, char** argv) {
    Model<Net> model;
    if (argc > 1) model.load(argv[1]);
    const std::vector<float> image(static_cast<std::size_t>(input_shape<Net>.elements()));
    return model(image)[0] > 0;
}
