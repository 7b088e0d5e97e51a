#include "network.hpp"

std::vector<float> logits_compiled_here(const char* weights, std::span<const float> image) {
    tenon::Model<Small> model{{.threads = 1}};
    model.load(weights);
    const std::span<const float> logits = model(image);
    return {logits.begin(), logits.end()};
}
