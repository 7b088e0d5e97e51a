#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The places of a program: every layer and every scope, by the name that reports and weights use, and the value that
// leaves it.

#include <span>
#include <string>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/program/program.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A layer or a scope, `stack0.block1.body.conv2` or `stack0.block1`, and the value that is its result.
struct Place {
    std::string name;
    int value = 0;
};

/// All places in the order in which their results are computed; a scope comes after its last layer.
inline std::vector<Place> places_of(std::span<const Op> ops, std::span<const LayerInfo> layers) {
    std::vector<Place> places;
    const auto begins_with_scopes = [&](const Op& op, const Path& path, int depth) {
        const Path& other = layers[index(op.layer())].path;
        if (other.depth < depth) return false;
        for (int d = 0; d < depth; ++d)
            if (other.scopes[d] != path.scopes[d]) return false;
        return true;
    };
    for (std::size_t i = 0; i < ops.size(); ++i) {
        const Path& path = layers[index(ops[i].layer())].path;
        places.push_back({to_string(path), ops[i].target});
        // Scopes that end here, from the inside out: the next operation is outside of them.
        std::string name = to_string(path);
        for (int depth = path.depth; depth > 0; --depth) {
            name.resize(name.rfind('.'));
            if (i + 1 < ops.size() && begins_with_scopes(ops[i + 1], path, depth)) break;
            places.push_back({name, ops[i].target});
        }
    }
    return places;
}

/// The value at the place of a name. Throws tenon::Error, listing all places, when there is none.
inline int value_at(std::span<const Place> places, const std::string& name) {
    std::string all;
    for (const Place& place : places) {
        if (place.name == name) return place.value;
        all += (all.empty() ? "" : ", ") + place.name;
    }
    throw Error("the network has no place '" + name + "'; its places are " + all);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
