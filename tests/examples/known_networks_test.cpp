// The fingerprints of the shipped networks, by which errors say whose weights a file holds: the table in
// weights/known_networks.hpp is that of the networks that classify knows.
//
//     known_networks_test          compares them; 0 if they agree
//     known_networks_test --print  prints the table as it has to be
#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <tenon/weights/known_networks.hpp>

#include "networks.hpp"

namespace {

/// The tensors of a file of the network's weights, without data.
std::vector<tenon::TensorEntry> tensors_of(const NetworkEntry& entry) {
    const tenon::detail::StoredNetwork stored = entry.stored();
    std::vector<tenon::TensorEntry> tensors;
    for (const tenon::detail::StoredParameter& parameter : stored.parameters)
        tensors.push_back({parameter.name, tenon::DType::f32, parameter.shape, {}});
    for (const tenon::detail::StoredConstant& constant : stored.constants)
        tensors.push_back({constant.name, tenon::DType::f32, {constant.size}, {}});
    return tensors;
}

tenon::detail::WeightsFingerprint fingerprint_of(const std::vector<tenon::TensorEntry>& tensors) {
    tenon::detail::WeightsFingerprint fingerprint;
    for (const tenon::TensorEntry& tensor : tensors) fingerprint.add(tensor.name, tensor.shape);
    return fingerprint;
}

}  // namespace

int main(int argc, char** argv) {
    const bool prints = argc == 2 && std::strcmp(argv[1], "--print") == 0;
    const auto& known = tenon::detail::known_networks;
    int wrong = 0;
    std::size_t count = 0;
    for (const NetworkEntry& entry : all_networks()) {
        const std::string name(entry.name);
        const auto tensors = tensors_of(entry);
        const auto fingerprint = fingerprint_of(tensors);
        if (prints) {
            std::printf("    {\"%s\", 0x%016" PRIX64 "},\n", name.c_str(), fingerprint.sum);
            continue;
        }
        ++count;
        const auto found = std::ranges::find(known, entry.name, &tenon::detail::KnownNetwork::name);
        if (found == std::end(known) || found->fingerprint != fingerprint.sum) {
            std::fprintf(stderr, "%s: expected {\"%s\", 0x%016" PRIX64 "} in weights/known_networks.hpp, found %s\n",
                         name.c_str(), name.c_str(), fingerprint.sum, found == std::end(known) ? "none" : "another");
            ++wrong;
        }
        // The sentence has the network and its classes, also where another order or other numbers are in the names.
        auto reversed = tensors;
        std::ranges::reverse(reversed);
        const std::string owner = tenon::detail::whose_weights(reversed);
        const bool has_name = owner.find(" " + name + "'s") != std::string::npos;
        if (!has_name || !owner.ends_with(fingerprint.classes == 10 ? " of 10 classes" : " of 1000 classes")) {
            std::fprintf(stderr, "%s: wrong sentence: '%s'\n", name.c_str(), owner.c_str());
            ++wrong;
        }
        // One tensor more, fewer or of another shape is another network's.
        for (const int change : {0, 1, 2}) {
            auto other = tensors;
            if (change == 0) other.push_back({"extra.weight", tenon::DType::f32, {1}, {}});
            if (change == 1) other.erase(other.begin());
            if (change == 2) other.front().shape.back() += 1;
            if (tenon::detail::whose_weights(other).find(" " + name + "'s") != std::string::npos) {
                std::fprintf(stderr, "%s: change %d is not noticed\n", name.c_str(), change);
                ++wrong;
            }
        }
    }
    if (!prints && count != std::size(known)) {
        std::fprintf(stderr, "weights/known_networks.hpp has %zu networks, classify has %zu\n", std::size(known),
                     count);
        ++wrong;
    }
    if (!prints) std::printf("%zu networks, %d wrong\n", count, wrong);
    return wrong > 0 ? 1 : 0;
}
