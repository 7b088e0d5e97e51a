// A file that declares the network, and whose program has it from a library; another file of the program compiles it
// too, for tenon::compiled, and reads the weights that this one wrote.
#include <cstdio>
#include <cstring>

#include "declared.hpp"

std::vector<float> logits_compiled_here(const char* weights, std::span<const float> image);

int main() {
    const char* const weights = "network_apart.safetensors";
    std::vector<float> image(static_cast<std::size_t>(tenon::input_shape<Small>.elements()));
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i % 17) - 8;
    tenon::Parameters<Small> parameters;
    parameters.seed(3);
    parameters.save(weights);
    tenon::Model<Small> model{{.threads = 1}};
    model.load(weights);
    const std::span<const float> logits = model(image);
    const std::vector<float> others = logits_compiled_here(weights, image);
    const bool same =
        logits.size() == others.size() && std::memcmp(logits.data(), others.data(), others.size() * sizeof(float)) == 0;
    std::printf("%zu logits, %s\n", logits.size(), same ? "the same in both files" : "different");
    return same && logits.size() == 10 && logits[0] != logits[1] ? 0 : 1;
}
