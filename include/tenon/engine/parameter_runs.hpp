#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Which parameters an optimizer changes, and to which of them weight decay applies.

#include <algorithm>
#include <span>
#include <vector>

#include <tenon/backend/shared/namespaces.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/program/program.hpp>

namespace tenon {

/// The roles of parameters that weight decay applies to. By default only weights, as in most recipes of today;
/// torch.optim and He et al. decay everything: `DecayedRoles::all()`.
struct DecayedRoles {
    bool weights = true, biases = false, gammas = false, betas = false;

    static constexpr DecayedRoles all() { return {true, true, true, true}; }

    constexpr bool operator()(ParameterRole role) const {
        switch (role) {
            case ParameterRole::weight:
                return weights;
            case ParameterRole::bias:
                return biases;
            case ParameterRole::gamma:
                return gammas;
            case ParameterRole::beta:
                return betas;
            default:
                return false;
        }
    }
};

namespace detail {

/// A range of the parameter array that is trained: adjacent tensors with the same decay are one run.
struct ParameterRun {
    long begin = 0, end = 0;  ///< in scalars of the array
    bool decays = false;
    long size() const { return end - begin; }
};

}  // namespace detail

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The trained runs of an array, none longer than `longest` scalars, so that threads can divide them. `is_trained(i)`
/// says whether tensor i is trained.
template <class IsTrained>
std::vector<ParameterRun> parameter_runs(std::span<const Parameter> tensors, const IsTrained& is_trained,
                                         DecayedRoles decayed, long longest = 8192) {
    std::vector<ParameterRun> runs;
    for (int i = 0; i < static_cast<int>(tensors.size()); ++i) {
        if (!is_trained(i)) continue;
        const Parameter& tensor = tensors[index(i)];
        const bool decays = decayed(tensor.role);
        if (!runs.empty() && runs.back().end == tensor.offset && runs.back().decays == decays)
            runs.back().end += tensor.elements();
        else
            runs.push_back({tensor.offset, tensor.offset + tensor.elements(), decays});
    }
    std::vector<ParameterRun> pieces;
    for (const ParameterRun& run : runs)
        for (long begin = run.begin; begin < run.end; begin += longest)
            pieces.push_back({begin, std::min(begin + longest, run.end), run.decays});
    return pieces;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
