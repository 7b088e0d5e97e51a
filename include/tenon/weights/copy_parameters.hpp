#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Copies parameters between networks that share layers.

#include <algorithm>
#include <map>
#include <string>

#include <tenon/core/index.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Copies each tensor of `from` to the tensor of `to` that has the same canonical name, role and shape, and returns how
/// many there were; the others are unchanged. It takes a backbone into a network with another head, and a trained
/// classifier back into the complete network.
template <class From, class To>
int copy_parameters(const Parameters<From>& from, Parameters<To>& to) {
    const std::vector<std::string> names = detail::parameter_names<From>(Naming::canonical);
    std::map<std::string, int> indices;
    for (int i = 0; i < from.count(); ++i) indices[names[detail::index(i)]] = i;
    const std::vector<std::string> wanted = detail::parameter_names<To>(Naming::canonical);
    int copied = 0;
    for (int i = 0; i < to.count(); ++i) {
        const auto found = indices.find(wanted[detail::index(i)]);
        if (found == indices.end()) continue;
        const detail::Parameter& source = from.infos()[detail::index(found->second)];
        const detail::Parameter& target = to.infos()[detail::index(i)];
        if (source.role != target.role || source.rank != target.rank ||
            !std::equal(source.dimensions, source.dimensions + source.rank, target.dimensions))
            continue;
        std::ranges::copy(from[found->second], to[i].begin());
        ++copied;
    }
    return copied;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
