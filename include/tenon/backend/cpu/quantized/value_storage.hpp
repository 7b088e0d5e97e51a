#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// How each value of a network in packed numbers is stored: as floats, as codes, or both.
//
// Every convolution without groups and every linear layer that reads a vector is computed in integers. Its source is
// stored as bytes where it cannot be negative, and where it is an image of few channels; else as 16-bit integers: what
// a convolution reads that no ReLU precedes. What is added, the trunk of a network, stays in floats, unless a
// convolution reads it too.
//
// In bfloat16 all values are, but for what the user reads and what kernels of floats do: softmax, functions of
// elements, convolutions with groups, padded channels.

#include <tenon/backend/cpu/plan/conv.hpp>
#include <tenon/backend/cpu/quantized/packing.hpp>
#include <tenon/backend/cpu/quantized/step.hpp>
#include <tenon/program/passes/add_transfers.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// An optimized program with transfers, and what is stored of its values.
template <Capacity C>
class ValueStorage {
protected:
    constexpr ValueStorage(const Program<C>& program, Packing packing)
        : program_{add_transfers(program)}, packing_{packing} {
        find_signs();
        in_bfloat16() ? choose_bfloat16() : choose_storage();
    }

    struct Value {
        bool is_positive = false;  ///< never negative
        bool has_floats = false;
        Tensor floats{};
        Codes codes{};
    };

    static constexpr bool is_product(const Op& op) { return traits_of(op.kind).is_product; }
    constexpr bool in_bfloat16() const { return packing_ == Packing::bfloat16; }

    constexpr int products_before(int layer) const {
        int count = 0;
        for (int i = 0; i < layer; ++i) count += traits_of(program_.layers[i].path.kind).is_product ? 1 : 0;
        return count;
    }

    /// The number of products in one of an operation's sums.
    constexpr long depth_of(const Op& op) const {
        return static_cast<long>(program_.values[op.source()].channels) * op.window().taps();
    }

    /// Which values are never negative.
    constexpr void find_signs() {
        for (const Op& op : program_.ops) {
            const OpTraits& traits = traits_of(op.kind);
            const bool keeps_sign = traits.is_pooling || traits.is_global_pooling || op.kind == OpKind::pad_channels;
            const bool positive = op.relu || op.kind == OpKind::relu || op.kind == OpKind::sigmoid ||
                                  (keeps_sign && values_[op.source()].is_positive);
            if (op.target >= 0) values_[op.target].is_positive = positive;
            if (op.activated >= 0) values_[op.activated].is_positive = op.activated_relu;
        }
    }

    /// Whether an operation's products are those of packed numbers.
    constexpr bool is_packed(const Op& op) const {
        if (packing_ == Packing::none || !is_product(op) || op.terms[0].groups != 1) return false;
        if (in_bfloat16()) return true;
        if (op.kind == OpKind::linear && !program_.values[op.source()].is_flat()) return false;
        return code_limit_of(integers_for(op.source()), depth_of(op)) > 0;
    }

    /// How products of integers read a value.
    constexpr Storage integers_for(int value) const {
        return values_[value].is_positive ? Storage::u8 : is_interleaved(value) ? Storage::s8 : Storage::s16;
    }

    /// Whether an operation reads bfloat16.
    constexpr bool reads_bfloat16(const Op& op) const {
        const OpTraits& traits = traits_of(op.kind);
        return is_packed(op) || traits.is_pooling || traits.is_global_pooling || traits.is_affine ||
               op.kind == OpKind::add || op.kind == OpKind::relu || op.kind == OpKind::multiply;
    }

    constexpr void choose_bfloat16() {
        for (const Op& op : program_.ops) {
            for_each_operand(op, [&](int value) {
                if (reads_bfloat16(op))
                    values_[value].codes.storage = Storage::bf16;
                else
                    values_[value].has_floats = true;
            });
            if (is_product(op) && !is_packed(op)) stores_floats(op);
        }
    }

    /// Products in floats store floats; their codes are made of these.
    constexpr void stores_floats(const Op& op) {
        for (const int value : {op.target, op.activated})
            if (value >= 0) values_[value].has_floats = true;
    }

    constexpr void choose_storage() {
        for (const Op& op : program_.ops) {
            if (op.source() >= 0 && is_packed(op)) {
                Codes& codes = values_[op.source()].codes;
                codes.storage = integers_for(op.source());
                const int limit = code_limit_of(codes.storage, depth_of(op));
                if (codes.product < 0 || limit < codes.limit) codes.limit = limit;
                if (codes.product < 0) codes.product = products_before(op.layer());
            }
        }
        for (const Op& op : program_.ops) {
            if (!is_packed(op))
                for_each_operand(op, [&](int value) { values_[value].has_floats = true; });
            else if (op.residual >= 0 && !values_[op.residual].codes.exist())
                values_[op.residual].has_floats = true;
            if (is_product(op) && !is_packed(op)) stores_floats(op);
        }
        for (const Op& op : program_.ops)
            if (pools_codes(op)) {
                Value& source = values_[op.source()];
                source.codes = values_[op.target].codes;
                source.codes.only_pooled = true;
                source.has_floats = false;
            }
        for (int i = 1; i < program_.values.size(); ++i)
            if (!values_[i].codes.exist()) values_[i].has_floats = true;
    }

    /// Whether an operation is a largest value of which only the bytes are stored, and the only one to read a product's
    /// result: as codes grow with values, it may as well be taken of codes.
    constexpr bool pools_codes(const Op& op) const {
        if (op.kind != OpKind::max_pool || op.target < 0 || op.activated >= 0 || op.relu) return false;
        const Value &source = values_[op.source()], &target = values_[op.target];
        if (target.codes.storage != Storage::u8 || target.has_floats) return false;
        const int producer = program_.producer(op.source());
        if (!source.is_positive || source.codes.exist() || producer < 0 || !is_packed(program_.ops[producer]))
            return false;
        int readers = 0;
        for (const Op& other : program_.ops)
            for_each_operand(other, [&](int operand) { readers += operand == op.source() ? 1 : 0; });
        return readers == 1;
    }

    /// Whether the codes of a value are interleaved: the image's, with few channels, if only convolutions read it.
    constexpr bool is_interleaved(int value) const {
        const Shape& shape = program_.values[value];
        if (value != program_.ops[0].target || shape.channels >= min_blocked_channels || shape.is_flat()) return false;
        bool convolutions_only = true;
        for (const Op& op : program_.ops) {
            const bool reads_windows = op.kind == OpKind::conv && op.terms[0].groups == 1 && op.residual != value;
            if (!reads_windows) for_each_operand(op, [&](int operand) { convolutions_only &= operand != value; });
        }
        return convolutions_only;
    }

    Program<C> program_;
    Packing packing_;
    Value values_[array_bound<C.values + 2>]{};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
