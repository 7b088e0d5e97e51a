// A driver that leaves some convolutions to libraries: DeviceDriver with cuBLASLt and cuDNN, or the double with
// doubles.
#pragma once

#include <map>
#include <optional>

#include <tenon/backend/cuda/map.hpp>
#include <tenon/backend/cuda/provider_choice.hpp>
#include <tenon/backend/cuda/stream.hpp>

namespace tenon::cuda {

/// The addresses of a convolution that a library computes; null where the problem has none.
struct ConvAddresses {
    const void *source = nullptr, *weights = nullptr, *bias = nullptr, *residual = nullptr;
    void* target = nullptr;
};

inline namespace TENON_ISA_NAMESPACE {

/// Rounds a bias to the type of the maps, which is how the libraries' kernels read it.
template <class NumberType>
struct RoundBiasBody {
    static constexpr const char* name = "round_bias";
    long count = 0;
    const float* source = nullptr;
    NumberType* target = nullptr;

    TENON_DEVICE void operator()(long index) const { target[index] = from_float<NumberType>(source[index]); }
};

/// `Base` is the driver; `Libraries` has
///     Providers there() const              what was found when the program began,
///     bool prepare(Provider, problem)      plans and allocates; false where the library refuses the problem,
///     void run(Provider, problem, addresses, driver)  on the compute stream of the driver, without allocating.
/// A problem is prepared once, when a graph is recorded first; a refused one stays tenon's.
template <class Base, class Libraries>
class ProviderDriver : public Base {
public:
    template <class... Options>
    explicit ProviderDriver(const Options&... options) : Base{options...}, libraries_{} {
        const Providers there = libraries_.there();
        if (there.cublaslt || there.cudnn) bias_ = this->allocate(most_outputs * sizeof(float));
    }
    ~ProviderDriver() {
        if (bias_) Base::release(bias_);
    }

    /// Runs a convolution by a library and returns true, or returns false: then it is tenon's.
    template <Precision P>
    bool convolve(const ConvArguments& arguments) {
        const std::optional<ConvProblem> problem = problem_of(P, arguments);
        if (!problem || problem->outputs > most_outputs) return false;
        const Provider provider = choose_provider(*problem, libraries_.there(), this->multiprocessors());
        if (provider == Provider::own) return false;
        const auto [found, is_new] = prepared_.try_emplace(*problem, false);
        if (is_new) found->second = libraries_.prepare(provider, *problem);
        if (!found->second) return false;
        ConvAddresses addresses{arguments.terms[0].source, arguments.terms[0].weights, arguments.finish.shift,
                                arguments.finish.residual, arguments.finish.target};
        if (number_bytes(P) != 4 && addresses.bias) {
            const RoundBiasBody<Number<P>> body{problem->outputs, arguments.finish.shift,
                                                static_cast<Number<P>*>(bias_)};
            using Kernel = MapKernel<RoundBiasBody<Number<P>>>;
            this->template launch<Kernel>(Kernel::grid(body), body);
            addresses.bias = bias_;
        }
        libraries_.run(provider, *problem, addresses, static_cast<Base&>(*this));
        return true;
    }

    const Libraries& libraries() const { return libraries_; }

private:
    static constexpr int most_outputs = 1 << 14;

    Libraries libraries_;
    std::map<ConvProblem, bool> prepared_;
    void* bias_ = nullptr;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
