#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// What a network in 8-bit integers stores and multiplies, for exports: the decisions of its plan by value and by
// operation, and its weights in their own order, where QuantizedPacker has them in that of the kernels.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tenon/backend/shared/layer_parameters.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/engine/cpu_int8.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// How a value of a network in integers is stored.
struct StoredValue {
    bool has_floats = true;
    /// What a code of 1 stands for where the value is stored as bytes; 0 where it is not.
    double byte_scale = 0;
    int zero = 0;  ///< the byte that stands for 0
};

/// How a convolution or linear layer of a network in integers computes.
struct IntegerProduct {
    bool reads_bytes = false;
    int weight_limit = 0;  ///< the largest code of its weights; 0: it computes in floats
};

/// What the plan of a network in integers decides: about each value and each operation of its program.
struct IntegerForm {
    std::vector<StoredValue> values;
    std::vector<IntegerProduct> products;
};

/// The form of a network, by the ranges that a Calibrator has measured.
template <class Net>
IntegerForm integer_form(std::span<const float> ranges) {
    using Network = QuantizedNetwork<Net, Packing::integers>;
    const auto& program = Network::program;
    IntegerForm form{std::vector<StoredValue>(index(program.values.size())),
                     std::vector<IntegerProduct>(index(program.ops.size()))};
    const auto note = [&](int value, const Codes& codes, bool has_floats) {
        if (value < 0) return;
        const bool in_bytes = (codes.storage == Storage::u8 || codes.storage == Storage::s8) && !codes.only_pooled;
        const double range = in_bytes ? double{ranges[index(codes.product)]} : 0;
        // As in QuantizedPacker, the scale is 1 where calibration saw nothing but zeros.
        const double scale = !in_bytes ? 0 : range > 0 ? range / codes.limit : 1;
        form.values[index(value)] = {has_floats, scale, zero_code(codes.storage)};
    };
    note(0, Network::plan.steps[0].target_codes, true);  // the user's image is in floats
    for (int i = 0; i < program.ops.size(); ++i) {
        const detail::Op& op = program.ops[i];
        const QuantizedStep& step = Network::plan.steps[i + 1];  // the first one loads the input
        // The step of a norm alone stores its result as an activated one.
        note(step.target.exists() ? op.target : -1, step.target_codes, step.stores_target);
        note(op.activated >= 0         ? op.activated
             : step.activated.exists() ? op.target
                                       : -1,
             step.activated_codes, step.stores_activated);
        if (step.is_packed) form.products[index(i)] = {step.source_codes.storage != Storage::s16, step.weight_limit};
    }
    return form;
}

/// The weights of a convolution or linear layer with its norm folded in, in their own order.
struct FoldedWeights {
    std::vector<std::int8_t> codes;  ///< where the product reads bytes
    std::vector<float> scales;       ///< what a code of 1 stands for, per output channel
    std::vector<float> values;       ///< where it doesn't: rounded as the codes are, if the product has any
    std::vector<float> shifts;       ///< what is added to the sums, per output channel
};

/// Folds and rounds weights as QuantizedPacker does.
class WeightFolder : detail::LayerParameters {
public:
    using LayerParameters::LayerParameters;

    /// Of the product in `op`, with `outputs` channels and `depth` weights for each of them.
    FoldedWeights fold(const detail::Op& op, const IntegerProduct& product, int outputs, long depth) const {
        const detail::Affine affine = affine_of(op.terms[0].norm, outputs);
        std::vector<double> shifts(index(outputs), 0.0);
        add_shift(op.layer(), affine, shifts);
        FoldedWeights folded;
        for (const double shift : shifts) folded.shifts.push_back(static_cast<float>(shift));
        const float* weight = tensor(op.layer(), ParameterRole::weight);
        for (int o = 0; o < outputs; ++o, weight += depth) {
            const double factor = affine.scale[index(o)];
            double largest = 0;
            for (long i = 0; i < depth; ++i) largest = std::max(largest, std::abs(double{weight[i]} * factor));
            const double scale = product.weight_limit > 0 && largest > 0 ? largest / product.weight_limit : 1;
            folded.scales.push_back(static_cast<float>(scale));
            for (long i = 0; i < depth; ++i) {
                const double value = double{weight[i]} * factor;
                if (product.weight_limit == 0) {
                    folded.values.push_back(static_cast<float>(value));
                    continue;
                }
                const long code = std::lrint(value / scale);
                if (product.reads_bytes)
                    folded.codes.push_back(static_cast<std::int8_t>(code));
                else
                    folded.values.push_back(static_cast<float>(static_cast<double>(code) * scale));
            }
        }
        return folded;
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
