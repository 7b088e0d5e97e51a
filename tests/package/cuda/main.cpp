// A program of g++ that runs and trains a network on a GPU and compares it with the CPU. Where there is no device it
// must be told so in a sentence, and with TENON_REQUIRE_GPU=1 that is a failure.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include <tenon/tenon.hpp>

#include "network.hpp"

template <class Backend>
bool agrees(double tolerance) {
    const std::vector<float> images(3 * 192, 0.5f);
    tenon::Model<Tiny, Backend> model{{.images_in_flight = 2}};
    tenon::Model<Tiny> cpu;
    model.initialize(1);
    cpu.initialize(1);
    const auto found = model(images), expected = cpu(images);
    for (std::size_t i = 0; i < expected.size(); ++i)
        if (!(std::abs(found[i] - expected[i]) <= tolerance)) return false;
    return true;
}

/// One training step.
template <class Backend>
bool trains(double tolerance) {
    const std::vector<float> images(3 * 192, 0.5f);
    const std::vector<int> labels{0, 3, 7};
    tenon::TrainingEngine<Tiny, Backend> engine{3};
    tenon::TrainingEngine<Tiny, tenon::Cpu> cpu{3};
    engine.parameters().seed(1);
    cpu.parameters().seed(1);
    const double found = engine.forward_backward(images, std::span<const int>(labels)).loss;
    const double expected = cpu.forward_backward(images, std::span<const int>(labels)).loss;
    if (!(std::abs(found - expected) <= tolerance)) return false;
    const auto gradients = engine.gradients().values(), right = cpu.gradients().values();
    for (std::size_t i = 0; i < right.size(); ++i)
        if (!(std::abs(gradients[i] - right[i]) <= tolerance)) return false;
    return true;
}

int main() try {
    const bool right = agrees<tenon::Cuda>(1e-5) && agrees<tenon::CudaWith<tenon::Precision::bfloat16>>(2e-2) &&
                       trains<tenon::Cuda>(1e-5) && trains<tenon::CudaWith<tenon::Precision::bfloat16>>(2e-2);
    std::puts(right ? "the device agrees with the CPU" : "the device's results are not the CPU's");
    return right ? 0 : 1;
} catch (const tenon::Error& error) {
    std::puts(error.what());
    if (std::string(error.what()).find("found no device") == std::string::npos) return 1;
    const char* const require = std::getenv("TENON_REQUIRE_GPU");
    if (require && std::string(require) == "1") return 1;
    std::puts("SKIPPED: built and linked, but not run on a GPU.");
    return 77;
}
