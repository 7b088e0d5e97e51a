#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// A driver that leaves some convolutions to libraries: DeviceDriver with cuBLASLt and cuDNN, or the emulated driver
// with emulated libraries.

#include <map>
#include <optional>

#include <tenon/backend/cuda/driver/stream.hpp>
#include <tenon/backend/cuda/kernels/map.hpp>
#include <tenon/backend/cuda/libraries/provider_choice.hpp>

namespace tenon::cuda {

/// The addresses of a convolution that a library computes; null where the problem has none.
struct ConvAddresses {
    const void *source = nullptr, *weights = nullptr, *bias = nullptr, *residual = nullptr;
    void* target = nullptr;
};

inline namespace TENON_ISA_NAMESPACE {

/// Rounds a bias to the type of the maps, which is what the libraries' kernels read.
template <class NumberType>
struct RoundBiasBody {
    static constexpr const char* name = "round_bias";
    long count = 0;
    const float* source = nullptr;
    NumberType* target = nullptr;

    TENON_DEVICE void operator()(long index) const { target[index] = from_float<NumberType>(source[index]); }
};

/// `Base` is the driver; `Libraries` has
///     Providers there() const              the providers that were found when the program started,
///     bool prepare(Provider, problem)      plans and allocates; false where the library refuses the problem,
///     void run(Provider, problem, addresses, driver)  runs on the driver's compute stream, without allocating.
/// A problem is prepared once, when a graph with it is first recorded; a refused one is computed by tenon's kernels.
template <class Base, class Libraries>
class ProviderDriver : public Base {
public:
    template <class... Options>
    explicit ProviderDriver(const Options&... options) : Base{options...}, libraries_{} {
        const Providers there = libraries_.there();
        if (there.cublaslt || there.cudnn) bias_ = this->allocate(max_outputs * sizeof(float));
    }
    ~ProviderDriver() {
        if (bias_) Base::release(bias_);
    }

    /// Runs a convolution in a library and returns true, or returns false: then tenon's kernels have to run it.
    template <Precision P>
    bool convolve(const ConvArguments& arguments) {
        const std::optional<ConvProblem> problem = problem_of(P, arguments);
        if (!problem || problem->outputs > max_outputs) return false;
        const Provider provider = choose_provider(*problem, libraries_.there(), this->multiprocessors());
        if (provider == Provider::own) return false;
        const auto [found, is_new] = prepared_.try_emplace(*problem, false);
        if (is_new) found->second = libraries_.prepare(provider, *problem);
        if (!found->second) return false;
        ConvAddresses addresses{arguments.terms[0].source, arguments.terms[0].weights, arguments.epilogue.shift,
                                arguments.epilogue.residual, arguments.epilogue.target};
        if (number_bytes(P) != 4 && addresses.bias) {
            const RoundBiasBody<Number<P>> body{problem->outputs, arguments.epilogue.shift,
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
    static constexpr int max_outputs = 1 << 14;

    Libraries libraries_;
    std::map<ConvProblem, bool> prepared_;
    void* bias_ = nullptr;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
