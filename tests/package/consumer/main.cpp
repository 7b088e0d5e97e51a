// A user's program, the same for each way to depend on tenon.
#include <cstdio>
#include <string>
#include <vector>

#include <tenon/tenon.hpp>

using namespace tenon;

struct Tiny : Network<Input<3, 16, 16>, Conv<16, Kernel<3>, Padding<1>>, BatchNorm, ReLU, GlobalAvgPool, Linear<10>> {};

static_assert(output_shape<Tiny> == Shape{10});

int main() {
    const std::string version = std::to_string(TENON_VERSION_MAJOR) + "." + std::to_string(TENON_VERSION_MINOR) + "." +
                                std::to_string(TENON_VERSION_PATCH);
    if (version != EXPECTED_VERSION) {
        std::printf("version %s, expected %s\n", version.c_str(), EXPECTED_VERSION);
        return 1;
    }
    Model<Tiny> model;
    model.initialize(1);
    const std::vector<float> images(2 * static_cast<std::size_t>(input_shape<Tiny>.elements()), 0.5f);
    const auto probabilities = softmax(model(images), 10);
    float sum = 0;
    for (float probability : probabilities) sum += probability;
    std::printf("tenon %s on %s: probabilities of 2 images add up to %g\n", version.c_str(), detail::isa_name,
                static_cast<double>(sum));
    return probabilities.size() == 20 && sum > 1.999f && sum < 2.001f ? 0 : 1;
}
