#include "networks.hpp"

#include <tenon/core/error.hpp>

namespace {

/// Calls visit(entry) for every network, those with weights in the repository first.
template <class Visit>
void for_each_network(Visit visit) {
    for (const auto entries : {networks_of_cifar(), networks_of_torch(), networks_of_keras()})
        for (const NetworkEntry& entry : entries) visit(entry);
}

}  // namespace

std::vector<std::string> network_names() {
    std::vector<std::string> names;
    for_each_network([&](const NetworkEntry& entry) { names.emplace_back(entry.name); });
    return names;
}

std::unique_ptr<Classifier> make_classifier(std::string_view name, int threads) {
    std::unique_ptr<Classifier> made;
    for_each_network([&](const NetworkEntry& entry) {
        if (entry.name == name) made = entry.make(name, threads);
    });
    if (!made) throw tenon::Error("there is no network " + std::string(name));
    return made;
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
