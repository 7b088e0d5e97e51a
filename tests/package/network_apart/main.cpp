// A file that declares the network, and whose program has it from a library; another file of the program compiles it
// too.
#include <cstdio>
#include <cstring>

#include "declared.hpp"

std::vector<float> logits_compiled_here(std::span<const float> image);

int main() {
    std::vector<float> image(static_cast<std::size_t>(tenon::input_shape<Small>.elements()));
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i % 17) - 8;
    tenon::Model<Small> model{{.threads = 1}};
    model.initialize(3);
    const std::span<const float> logits = model(image);
    const std::vector<float> others = logits_compiled_here(image);
    const bool same =
        logits.size() == others.size() && std::memcmp(logits.data(), others.data(), others.size() * sizeof(float)) == 0;
    std::printf("%zu logits, %s\n", logits.size(), same ? "the same in both files" : "different");
    return same && logits.size() == 10 && logits[0] != logits[1] ? 0 : 1;
}
