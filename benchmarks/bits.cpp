// What a change must not change: hashes of the bits of logits, and of parameters and running statistics after ten
// training iterations. `scripts/bench bits` compares two versions of the library; bits depend on the instruction set,
// and where a compiler fuses or orders sums of scalars, on the compiler, so no hashes are stored.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include <tenon/tenon.hpp>

using namespace tenon;

namespace {

/// FNV-1a over the bytes of the floats.
std::uint64_t hash_of(std::span<const float> values) {
    std::uint64_t hash = 14695981039346656037u;
    for (const float value : values) {
        const auto bits = std::bit_cast<std::uint32_t>(value);
        for (int byte = 0; byte < 4; ++byte) hash = (hash ^ (bits >> 8 * byte & 255)) * 1099511628211u;
    }
    return hash;
}

/// Values of a fixed sequence, in [-1, 1).
std::vector<float> sequence(std::size_t count, std::uint64_t seed) {
    std::vector<float> values(count);
    for (float& value : values) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        value = static_cast<float>(static_cast<double>(seed >> 40) / (1 << 23) - 1);
    }
    return values;
}

void print(const char* network, const char* what, std::span<const float> values) {
    std::printf("%-16s %-36s %016llx\n", network, what, static_cast<unsigned long long>(hash_of(values)));
}

template <class Net>
void run(const char* name) {
    constexpr auto elements = static_cast<std::size_t>(input_shape<Net>.elements());
    constexpr std::size_t images = 5, batch = 4;
    Model<Net> model;
    model.initialize(7);
    print(name, "logits of 5 images", model(sequence(elements * images, 1)));
    Model<Net, ExactCpu> exact;
    exact.initialize(7);
    print(name, "logits of 5 images, exact", exact(sequence(elements * images, 1)));
    TrainingEngine<Net> engine{static_cast<int>(batch)};
    Parameters<Net> start;
    start.seed(7);
    std::ranges::copy(start.values(), engine.parameters().values().begin());
    const std::vector<int> labels{0, 1, 2, 3};
    for (std::uint64_t iteration = 0; iteration < 10; ++iteration) {
        engine.forward_backward(sequence(elements * batch, iteration + 2), labels);
        const std::span<const float> gradients = engine.gradients().values();
        const std::span<float> parameters = engine.parameters().values();
        for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] -= 1e-3f * gradients[i];
    }
    print(name, "parameters after 10 iterations", engine.parameters().values());
}

}  // namespace

int main() {
    // One network where TENON_BITS_NETWORK names it, else all.
#ifdef TENON_BITS_NETWORK
#define TENON_BITS_TEXT_(name) #name
#define TENON_BITS_TEXT(name) TENON_BITS_TEXT_(name)
    run<TENON_BITS_NETWORK<>>(TENON_BITS_TEXT(TENON_BITS_NETWORK));
#else
    run<CifarResNet20V2<>>("CifarResNet20V2");
    run<ResNet18<>>("ResNet18");
    run<ResNet50V2<>>("ResNet50V2");
#endif
}
