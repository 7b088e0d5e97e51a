#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// A driver that leaves some convolutions to libraries: DeviceDriver with cuBLASLt and cuDNN, or the emulated driver
// with emulated libraries.

#include <exception>
#include <map>
#include <optional>

#include <tenon/backend/cuda/driver/stream.hpp>
#include <tenon/backend/cuda/libraries/provider_choice.hpp>

namespace tenon::cuda {

/// The addresses of a convolution that a library computes; null where the problem has none. Of a weight gradient,
/// `weights` is what is written, in floats, and `target` the gradient that is read.
struct ConvAddresses {
    const void *source = nullptr, *weights = nullptr, *bias = nullptr, *residual = nullptr;
    void* target = nullptr;
};

inline namespace TENON_ISA_NAMESPACE {

/// `Base` is the driver; `Libraries` has
///     Providers allowed() const            the providers that may be asked,
///     bool prepare(Provider, problem, driver)  plans and allocates; false where the library is missing or refuses,
///     void run(Provider, problem, addresses, driver)  runs on the driver's compute stream, without allocating.
/// A problem is prepared and run once when a graph with it is first recorded. One that is refused, or whose first run
/// throws, is computed by tenon's kernels (test: tests/backend/cuda/provider_test.cpp).
template <class Base, class Libraries>
class ProviderDriver : public Base {
public:
    template <class... Options>
    explicit ProviderDriver(const Options&... options) : Base{options...}, libraries_{} {}

    /// Runs a convolution in a library and returns true, or returns false: then tenon's kernels have to run it.
    template <Precision P>
    bool convolve(const ConvArguments& arguments) {
        const std::optional<ConvProblem> problem = problem_of(P, arguments);
        if (!problem) return false;
        return leave(*problem, [&](Provider provider) {
            // The bias in the type of the maps, which is what the libraries' kernels read.
            const ConvAddresses addresses{arguments.terms[0].source, arguments.terms[0].weights,
                                          arguments.rounded_shift, arguments.epilogue.residual,
                                          arguments.epilogue.target};
            libraries_.run(provider, *problem, addresses, static_cast<Base&>(*this));
        });
    }

    /// The same for the gradient of a convolution's weights, which is left in `partials` as the sum of one split.
    template <Precision P>
    bool differentiate_weights(const WeightGradientArguments& arguments) {
        const std::optional<ConvProblem> problem = problem_of(P, arguments);
        if (!problem) return false;
        return leave(*problem, [&](Provider provider) {
            ConvAddresses addresses{};
            addresses.source = arguments.source;
            addresses.weights = arguments.partials;
            addresses.target = const_cast<void*>(arguments.gradient);
            libraries_.run(provider, *problem, addresses, static_cast<Base&>(*this));
        });
    }

    const Libraries& libraries() const { return libraries_; }

    /// Who computes the convolutions that have been run. Those that no library has, like a sum of two, are not counted.
    ProviderCounts counts() const {
        ProviderCounts counts;
        for (const auto& [problem, provider] : providers_)
            ++(provider == Provider::cudnn      ? counts.cudnn
               : provider == Provider::cublaslt ? counts.cublaslt
                                                : counts.own);
        return counts;
    }

private:
    /// Calls run(provider) with the library that has a problem, and returns whether there is one.
    template <class Run>
    bool leave(const ConvProblem& problem, const Run& run) {
        [[maybe_unused]] const auto selection = this->select();
        const auto [found, is_new] = providers_.try_emplace(problem, Provider::own);
        if (!is_new) {
            if (found->second != Provider::own) run(found->second);
            return found->second != Provider::own;
        }
        const Provider provider = choose_provider(problem, libraries_.allowed(), this->multiprocessors());
        if (provider == Provider::own || !libraries_.prepare(provider, problem, static_cast<Base&>(*this)))
            return false;
        try {
            run(provider);
        } catch (const std::exception&) {
            return false;  // planned but not able to run: tenon's kernels are
        }
        found->second = provider;
        return true;
    }

    Libraries libraries_;
    std::map<ConvProblem, Provider> providers_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
