// The kernels of products as values: a test can run each that a program contains, whatever its networks chose.
#pragma once

#include <type_traits>
#include <vector>

#include <tenon/backend/cuda/kernels/conv.hpp>
#include <tenon/backend/cuda/kernels/conv_choice.hpp>
#include <tenon/backend/cuda/kernels/sum_splits.hpp>
#include <tenon/backend/cuda/training/weight_gradient.hpp>

#include "kernel_runner.hpp"

namespace tenon_test {

/// A kernel of convolutions; `run` also adds the splits.
struct ConvEntry {
    using Arguments = tenon::cuda::ConvArguments;
    tenon::cuda::ConvSpec spec{};
    void (*run)(KernelRunner&, const Arguments&) = nullptr;
};

/// A kernel of weight gradients; `run` leaves splits that it doesn't add as they are.
struct WeightGradientEntry {
    using Arguments = tenon::cuda::WeightGradientArguments;
    tenon::cuda::WeightGradientSpec spec{};
    void (*run)(KernelRunner&, const Arguments&) = nullptr;
};

template <class Kernel>
void run_convolution(KernelRunner& runner, const tenon::cuda::ConvArguments& arguments) {
    runner.template run<Kernel>(Kernel::grid(arguments), arguments);
    if (arguments.splits == 1 || arguments.tickets) return;
    constexpr int pack = Kernel::spec.output_vector;
    using Body = tenon::cuda::SumSplitsBody<typename Kernel::NumberType, pack>;
    using Sum = tenon::cuda::MapKernel<Body>;
    Body body{};
    body.count = long{arguments.pixels} * arguments.epilogue.channels / pack;
    body.partials = arguments.partials;
    body.splits = arguments.splits;
    body.epilogue = arguments.epilogue;
    runner.template run<Sum>(Sum::grid(body), body);
}

template <class Kernel>
void run_weight_gradient(KernelRunner& runner, const tenon::cuda::WeightGradientArguments& arguments) {
    runner.template run<Kernel>(Kernel::grid(arguments), arguments);
}

template <tenon::Precision P, int Tile, int Vector, int OutputVector>
ConvEntry conv_entry() {
    using Kernel = tenon::cuda::ConvKernel<tenon::cuda::conv_spec(P, Tile, Vector, OutputVector)>;
    return {Kernel::spec, &run_convolution<Kernel>};
}

template <tenon::Precision P, int Tile, int Vector, int OutputVector>
WeightGradientEntry weight_gradient_entry() {
    using Kernel = tenon::cuda::WeightGradientKernel<tenon::cuda::weight_gradient_spec(P, Tile, Vector, OutputVector)>;
    return {Kernel::spec, &run_weight_gradient<Kernel>};
}

/// The kernels that drivers have listed.
template <class Entry>
std::vector<Entry>& listed_kernels() {
    static std::vector<Entry> all;
    return all;
}

template <class Kernel>
bool list_kernel() {
    if constexpr (std::is_same_v<typename Kernel::Arguments, tenon::cuda::ConvArguments>)
        listed_kernels<ConvEntry>().push_back({Kernel::spec, &run_convolution<Kernel>});
    if constexpr (std::is_same_v<typename Kernel::Arguments, tenon::cuda::WeightGradientArguments>)
        listed_kernels<WeightGradientEntry>().push_back({Kernel::spec, &run_weight_gradient<Kernel>});
    return true;
}

/// Lists a kernel before main.
template <class Kernel>
struct Listing {
    static const bool done;
};
template <class Kernel>
const bool Listing<Kernel>::done = list_kernel<Kernel>();

/// A driver that lists the kernels of products that are compiled for it, before main and whether it launches them or
/// not: a network's batches choose one of several tiles.
template <class Base>
class ListingDriver : public Base {
public:
    using Base::Base;

    template <class Kernel>
    void launch(tenon::cuda::Grid grid, const typename Kernel::Arguments& arguments) {
        if (Listing<Kernel>::done) Base::template launch<Kernel>(grid, arguments);
    }
};

}  // namespace tenon_test
