#include "networks.hpp"

#include <tenon/network.hpp>

std::vector<NetworkEntry> all_networks() {
    std::vector<NetworkEntry> networks;
    for (const auto entries : {networks_of_cifar(), networks_of_torch(), networks_of_keras()})
        networks.insert(networks.end(), entries.begin(), entries.end());
    return networks;
}

std::vector<std::string> network_names() {
    std::vector<std::string> names;
    for (const NetworkEntry& entry : all_networks()) names.emplace_back(entry.name);
    return names;
}

std::unique_ptr<Classifier> make_classifier(std::string_view name, int threads) {
    for (const NetworkEntry& entry : all_networks())
        if (entry.name == name) return entry.make(name, threads);
    throw tenon::Error("there is no network " + std::string(name));
}

std::unique_ptr<Classifier> make_classifier_on_cuda(std::string_view name) {
#if defined(CLASSIFY_CUDA)
    std::string known;
    for (const NetworkEntry& entry : networks_on_cuda()) {
        if (entry.name == name) return entry.make(name, 1);
        known += (known.empty() ? "" : ", ") + std::string(entry.name);
    }
    throw tenon::Error("--backend cuda has no network " + std::string(name) + ", only " + known);
#else
    throw tenon::Error("--backend cuda for " + std::string(name) +
                       " needs a classify that was built for it: configure with -DTENON_CUDA=ON");
#endif
}

const PackedNetworkEntry& packed_network(std::string_view name, std::string_view precision) {
    std::string known;
    for (const PackedNetworkEntry& entry : packed_networks()) {
        if (entry.name == name) return entry;
        known += (known.empty() ? "" : ", ") + std::string(entry.name);
    }
    std::string message{precision};
    message += " has no network ";
    message += name;
    message += ", only ";
    message += known;
    throw tenon::Error(message);
}
