#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The CPU engines whose products are those of 8-bit integers or of bfloat16, and the one that runs the steps of
// integers in floats, for calibration.

#include <span>
#include <string>
#include <vector>

#include <tenon/backend/cpu/quantized/pack_weights.hpp>
#include <tenon/backend/cpu/quantized/step_function.hpp>
#include <tenon/core/math.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/engine/cpu.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// A network's table of steps in integers, the same steps in floats, or its steps in bfloat16.
template <class Net, Packing Packs>
struct QuantizedNetwork {
    // The sums of two convolutions have different scales, so each is a step of its own.
    static constexpr auto program = optimize(lowered<Net>, [](const auto&, const Op&, const Op&) { return false; });
    static constexpr auto plan = [] {
        constexpr auto plan = QuantizedPlanner<capacity<Net>>{program, Packs}.plan();
        return plan.template trimmed<plan.steps.size()>();
    }();
    static constexpr int steps = plan.steps.size();

    /// The kernels, one per step.
    using End = std::conditional_t<Packs == Packing::bfloat16, Bfloat16Epilogue, QuantizedEpilogue>;
    static constexpr auto functions = []<int... I>(std::integer_sequence<int, I...>) {
        return FixedVector<QuantizedFunction, steps>{{quantized_function<plan, I, End>()...}, steps};
    }
    (std::make_integer_sequence<int, steps>{});

    /// The packer of weights; `tensors[i]` points to parameter i of the network.
    static QuantizedPacker packer(std::span<const float* const> tensors, std::span<const float> ranges = {}) {
        const auto& lowered_program = lowered<Net>;
        return QuantizedPacker{{lowered_program.layers.begin(), lowered_program.layers.end()},
                               {lowered_program.parameters.begin(), lowered_program.parameters.end()},
                               tensors,
                               ranges};
    }
};

/// Throws tenon::Error when a parameter is infinite or NaN: integers have no code for it, and the results would be
/// finite and wrong.
template <class Net>
void expect_codes(std::span<const float* const> tensors) {
    for (int i = 0; i < lowered<Net>.parameters.size(); ++i) {
        const std::span<const float> values(tensors[index(i)], index(lowered<Net>.parameters[i].elements()));
        for (const float value : values)
            if (!detail::isfinite(value))
                throw Error("8-bit integers need finite weights; parameter " + std::to_string(i) +
                            " of the network has a value that is infinite or NaN");
    }
}

/// Runs one network on the CPU with products of 8-bit integers (backend/cpu/quantized/plan.hpp).
///
/// Law: results have the same bits on every instruction set, for any number of threads and any batch, except for
/// networks with grouped convolutions, which are computed in floats (test: tests/quantized).
template <class Net>
class Int8Engine : public TableEngine<Net, QuantizedNetwork<Net, Packing::integers>> {
    using Base = TableEngine<Net, QuantizedNetwork<Net, Packing::integers>>;

public:
    using Base::Base;

    /// How many ranges the network has: one for each convolution and linear layer, in the order of its program.
    static constexpr int range_count = Base::Compiled::plan.products;

    /// Takes the network's parameters and, for each convolution and linear layer, the range of what it reads. Throws
    /// tenon::Error, and changes nothing, when there are not `range_count` ranges, one is not a finite number from 0
    /// on, or a parameter is not finite.
    void set_parameters(std::span<const float* const> tensors, std::span<const float> ranges) {
        if (ranges.empty())
            throw Error(
                "8-bit integers need the ranges of what each layer reads, which these weights lack: measure them "
                "with CpuWith<Precision::int8>::Calibrator, or with `classify --calibrate FOLDER --save FILE`, and "
                "load that file");
        if (static_cast<int>(ranges.size()) != range_count)
            detail::throw_error({"the network has ", range_count,
                                 " convolutions and linear layers, but the weights have the ranges of ",
                                 ranges.size()});
        for (const float range : ranges)
            if (!detail::isfinite(range) || range < 0)
                detail::throw_error({"the ranges of a network's layers must be finite numbers from 0 on; one is ",
                                     std::to_string(range)});
        expect_codes<Net>(tensors);
        this->pack_with(Base::Compiled::packer(tensors, ranges));
    }

    /// Throws tenon::Error that says how to calibrate.
    void set_parameters(std::span<const float* const> tensors) { set_parameters(tensors, {}); }
};

/// Runs one network on the CPU in bfloat16 (backend/cpu/quantized/bfloat16.hpp): weights and what a step stores for
/// another one have 16 bits, sums and what is made of them before it is stored have 32.
///
/// Law: results have the same bits for any number of threads and any batch. They have the same bits on every
/// instruction set, except for networks with convolutions in groups or functions of elements, and where numbers fall
/// below 1.2e-38 (test: tests/quantized).
template <class Net>
class Bfloat16Engine : public TableEngine<Net, QuantizedNetwork<Net, Packing::bfloat16>> {
public:
    using TableEngine<Net, QuantizedNetwork<Net, Packing::bfloat16>>::TableEngine;
};

/// Runs a network in floats and shows what its layers read: what calibration measures.
template <class Net>
class CalibrationEngine : public TableEngine<Net, QuantizedNetwork<Net, Packing::none>> {
    using Base = TableEngine<Net, QuantizedNetwork<Net, Packing::none>>;

public:
    explicit CalibrationEngine(int threads) : Base{threads, 1} {}

    /// Runs one image; calls visit(range index, whether the value is never negative, float) for every float that a
    /// layer in integers reads.
    template <class Visit>
    void run_image(const float* image, float* results, Visit visit) {
        Base::run(image, results, 1, [&](int i) {
            const QuantizedStep &step = Base::Compiled::plan.steps[i], &in_codes = codes.steps[i];
            show(step.target, in_codes.target_codes, visit);
            show(step.activated, in_codes.activated_codes, visit);
        });
    }

private:
    static constexpr const auto& codes = QuantizedNetwork<Net, Packing::integers>::plan;
    static_assert(codes.steps.size() == Base::Compiled::plan.steps.size());

    template <class Visit>
    void show(const Tensor& tensor, const Codes& in_codes, Visit& visit) {
        if (!in_codes.exist() || in_codes.only_pooled) return;
        const float* const first = this->arena_of(0) + tensor.origin();
        for (int c = 0; c < tensor.channels; ++c)
            for (int y = 0; y < tensor.height; ++y)
                for (int x = 0; x < tensor.width; ++x)
                    visit(in_codes.product, in_codes.storage == Storage::u8,
                          first[long{c / channel_block} * tensor.plane() + long{y} * tensor.row() + x * channel_block +
                                c % channel_block]);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
