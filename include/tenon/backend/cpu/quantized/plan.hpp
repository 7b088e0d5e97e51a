#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// From a program to the steps of a network in 8-bit integers, of its calibration, which is all in floats, or of a
// network in bfloat16.
//
// How values are stored is chosen in value_storage.hpp.

#include <tenon/backend/cpu/plan/conv.hpp>
#include <tenon/backend/cpu/quantized/strassen_plan.hpp>
#include <tenon/backend/cpu/quantized/value_storage.hpp>
#include <tenon/backend/cpu/quantized/winograd_plan.hpp>
#include <tenon/backend/shared/lower_step.hpp>
#include <tenon/program/memory/plan_memory.hpp>

namespace tenon::cpu {

/// Everything that running a quantized network, or its calibration, needs. All steps run for all images in flight.
template <int Steps>
struct QuantizedPlan {
    FixedVector<QuantizedStep, Steps> steps{};
    long image_floats = 0, weight_floats = 0, scratch_floats = 0;
    int products = 0;  ///< convolutions and linear layers
    // What the engine asks of every plan: here no step runs for single images, and none is chained.
    static constexpr int joint = 0;
    static constexpr FixedVector<Step, 0> followers{};
    struct NoHandover {
        long from = 0, to = 0, floats = 0;
    };
    static constexpr FixedVector<NoHandover, 0> handovers{};
    static constexpr long single_floats = 0;

    constexpr long arena_floats(long images) const { return images * image_floats; }

    template <int Exact>
    constexpr QuantizedPlan<Exact> trimmed() const {
        return {steps.template with_capacity<Exact>(), image_floats, weight_floats, scratch_floats, products};
    }
};

inline namespace TENON_ISA_NAMESPACE {

/// Builds the plan of an optimized program whose convolutions are not joined (fuse_add).
template <Capacity C>
class QuantizedPlanner : ValueStorage<C> {
    using Storages = ValueStorage<C>;

public:
    /// Plans of one program have the same steps in the same order.
    constexpr QuantizedPlanner(const Program<C>& program, Packing packing) : Storages{program, packing} {}

    using Plan = QuantizedPlan<C.ops + 2>;

    constexpr Plan plan() {
        choose_layouts();
        place_values();
        for (int i = 0; i < program_.ops.size(); ++i) plan_.steps.push_back(step_of(i));
        plan_.products = products_before(program_.layers.size());
        return plan_;
    }

private:
    static constexpr long cache_line = MemoryPlan<C>::alignment;
    using Storages::depth_of, Storages::in_bfloat16, Storages::is_interleaved, Storages::is_packed,
        Storages::products_before, Storages::program_, Storages::reads_bfloat16, Storages::values_;
    using typename Storages::Value;

    constexpr void choose_layouts() {
        for (int i = 0; i < program_.values.size(); ++i) {
            const Shape shape = program_.values[i];
            Tensor& tensor = values_[i].floats;
            tensor.channels = shape.channels;
            if (!shape.is_flat()) {
                tensor.height = shape.height;
                tensor.width = shape.width;
            }
            Codes& codes = values_[i].codes;
            if (codes.exist() && !is_interleaved(i)) codes.tensor = words_of(tensor, codes.storage);
            if (codes.exist() && is_interleaved(i)) codes.tensor = tensor;
        }
        for (const Op& op : program_.ops) {
            if (op.kind != OpKind::conv) continue;
            Value& value = values_[op.source()];
            Tensor& source = is_packed(op) ? value.codes.tensor : value.floats;
            const Window& window = op.window();
            source.top = std::max(source.top, window.top);
            source.left = std::max(source.left, window.left);
            source.bottom = std::max(source.bottom, window.bottom);
            source.right = std::max(source.right, window.right);
            const WinogradGrid grid = winograd_of(op);
            if (grid.m == 0) continue;  // Winograd's last tiles read over the edge
            source.bottom = std::max(source.bottom, grid.source_rows() - window.top - source.height);
            source.right = std::max(source.right, grid.source_columns() - window.left - source.width);
        }
        for (int i = 0; i < program_.values.size(); ++i) {
            Codes& codes = values_[i].codes;
            if (codes.exist() && is_interleaved(i)) codes.tensor = interleaved_words_of(codes.tensor, codes.storage);
        }
    }

    /// The tiles of a convolution of bytes or of bfloat16 that is computed by Winograd.
    constexpr WinogradGrid winograd_of(const Op& op) const {
        if (op.kind != OpKind::conv || !is_packed(op)) return {};
        const Shape &input = program_.values[op.source()],
                    &output = program_.values[op.target >= 0 ? op.target : op.activated];
        if (in_bfloat16()) return choose_bfloat16_winograd(op.terms[0], input, output);
        if (values_[op.source()].codes.storage != Storage::u8) return {};
        return choose_integer_winograd(op.terms[0], input, output);
    }

    /// Places the floats and then the codes of each value in the arena.
    constexpr void place_values() {
        long sizes[array_bound<C.values + 2>]{}, float_sizes[array_bound<C.values + 2>]{};
        for (int i = 1; i < program_.values.size(); ++i) {
            if (program_.producer(i) < 0) continue;
            if (values_[i].has_floats) float_sizes[i] = round_up(values_[i].floats.floats(), cache_line);
            sizes[i] = float_sizes[i];
            if (values_[i].codes.exist()) sizes[i] += round_up(values_[i].codes.tensor.floats(), cache_line);
        }
        const MemoryPlan<C> memory = plan_memory(program_, sizes, [&](int a, int b) { return same_form(a, b); });
        plan_.image_floats = round_up(memory.size, cache_line);
        for (int i = 0; i < program_.values.size(); ++i) {
            values_[i].floats.offset = values_[i].has_floats ? memory.offset[i] : 0;
            if (values_[i].codes.exist()) values_[i].codes.tensor.offset = memory.offset[i] + float_sizes[i];
        }
    }

    /// Whether one value may take another's place: both are floats only, or codes only, of the same form.
    constexpr bool same_form(int a, int b) const {
        const Value &x = values_[a], &y = values_[b];
        if (x.has_floats != y.has_floats || x.codes.storage != y.codes.storage) return false;
        if (x.has_floats) return !x.codes.exist() && x.floats.same_form(y.floats);
        return x.codes.tensor.same_form(y.codes.tensor);
    }

    constexpr long take_weights(long floats) {
        const long offset = plan_.weight_floats;
        plan_.weight_floats += round_up(floats, cache_line);
        return offset;
    }

    constexpr QuantizedStep step_of(int index) {
        const Op& op = program_.ops[index];
        Tensor tensors[array_bound<C.values + 2>]{};
        for (int i = 0; i < program_.values.size(); ++i) tensors[i] = values_[i].floats;
        QuantizedStep step{};
        static_cast<Step&>(step) = lower_step<Step>(program_, index, tensors);
        for (int i = 0; i < 2; ++i) step.terms[i].groups = op.terms[i].groups;
        step.is_packed = is_packed(op);
        if (op.source() >= 0) step.source_codes = values_[op.source()].codes;
        if (op.residual >= 0) step.residual_codes = values_[op.residual].codes;
        // lower_step makes the result of a norm its activated one
        const int target = step.target.exists() ? op.target : -1;
        const int activated = op.activated >= 0 ? op.activated : step.activated.exists() ? op.target : -1;
        if (target >= 0) {
            step.target_codes = values_[target].codes;
            step.stores_target = values_[target].has_floats;
        }
        if (activated >= 0) {
            step.activated_codes = values_[activated].codes;
            step.stores_activated = values_[activated].has_floats;
        }
        const int channels = step.result().exists() ? step.result().channels : 0;
        const long padded = round_up(channels, channel_block);
        step.reads_residual_codes =
            op.residual >= 0 && (in_bfloat16() ? reads_bfloat16(op) : !values_[op.residual].has_floats);
        if (step.is_packed)
            plan_product(step, op);
        else if (in_bfloat16() && reads_bfloat16(op))
            read_codes(step, op);
        else if (op.kind == OpKind::conv)
            plan_float_conv(step);
        else if (op.kind == OpKind::linear)
            plan_float_linear(step);
        if (step.activated.exists()) step.activated_scale = take_weights(2 * padded);
        step.numbers = take_weights(cache_line);
        return step;
    }

    /// Makes the codes of a step's operands what it reads.
    constexpr void read_codes(QuantizedStep& step, const Op& op) {
        for (int i = 0; i < 2; ++i)
            if (op.terms[i].source >= 0) step.terms[i].source = values_[op.terms[i].source].codes.tensor;
        if (step.reads_residual_codes) step.residual = step.residual_codes.tensor;
    }

    constexpr void plan_product(QuantizedStep& step, const Op& op) {
        const Tensor result = step.result();
        if (step.reads_residual_codes) step.residual = step.residual_codes.tensor;
        StepTerm& term = step.terms[0];
        const int inputs = term.source.channels;
        term.source = step.source_codes.tensor;
        if (op.kind == OpKind::linear) {  // a map's features are those of a window that is all of it
            term.window.kernel_height = term.source.height;
            term.window.kernel_width = term.source.width;
        }
        term.planes = term.source.planes();
        term.group_inputs = inputs;
        term.group_outputs = result.channels;
        const bool interleaved = term.source.planar;
        const int pack = pack_of(step.source_codes.storage), weight_pack = weight_pack_of(step.source_codes.storage);
        step.words =
            interleaved ? (term.window.kernel_width * inputs + weight_pack - 1) / weight_pack : term.source.channels;
        if (!in_bfloat16()) step.weight_limit = weight_limit_of(step.source_codes.storage, depth_of(op));

        step.winograd = winograd_of(op);
        if (step.winograd.m > 0) return plan_winograd(step);

        // Tiles may be one long row where all that is read and written is one, or runs over the ends of rows.
        Step shape = step;
        if (!step.stores_target && step.target_codes.exist()) shape.target = step.target_codes.tensor;
        if (!step.stores_activated && step.activated_codes.exist()) shape.activated = step.activated_codes.tensor;
        shape.target.planar = shape.activated.planar = false;
        const Window& window = term.window;
        const bool flat = window.is_pointwise() && window.stride_height == 1 && window.stride_width == 1 &&
                          !interleaved && !term.source.has_border() && (op.residual < 0 || op.residual_stride == 1);
        step.grid = choose_grid(shape, flat, false);
        const bool dense_codes = !step.target_codes.tensor.has_border() && !step.activated_codes.tensor.has_border();
        if (flat && step.grid.wraps == 0 && step.grid.rows == 1 && result.height > 1 && !dense_codes)
            step.grid = make_grid(result.height, result.width, tile_pixels);

        if (flat && !in_bfloat16()) {
            const bool dense = dense_codes && !shape.residual.has_border() &&
                               !(step.stores_target && step.target.has_border()) &&
                               !(step.stores_activated && step.activated.has_border());
            choose_integer_strassen(step, dense ? 0 : result.width);
            if (step.pair_floats > 0) {
                take_panels(step, 7L * step.words / 4);
                plan_.scratch_floats = std::max(plan_.scratch_floats, strassen_scratch(step));
                return;
            }
        }
        take_panels(step, interleaved ? long{step.words} * window.kernel_height
                                      : long{step.words} * window.taps() * pack / weight_pack);
    }

    constexpr void plan_winograd(QuantizedStep& step) {
        const Storage source = step.source_codes.storage;
        take_panels(step, long{step.winograd.points()} * step.words * pack_of(source) / weight_pack_of(source));
        plan_.scratch_floats = std::max(plan_.scratch_floats, quantized_winograd_scratch(step));
    }

    /// Takes room for a product's weights, `depth` words of them per output channel, and for what its sums become.
    constexpr void take_panels(QuantizedStep& step, long depth) {
        const int blocks = step.result().planes();
        step.panels = (blocks + panel_blocks - 1) / panel_blocks;
        step.panel_floats = depth * panel_blocks * channel_block;
        step.weights = take_weights(depth * blocks * channel_block);
        step.shift = take_weights(long{blocks} * channel_block);
        step.factors = take_weights(long{blocks} * channel_block);
    }

    constexpr void plan_float_conv(QuantizedStep& step) {
        plan_direct_conv(step);
        step.weights = take_weights(step.panel_floats * step.result().planes() / panel_blocks);
        step.shift = take_weights(long{step.result().planes()} * channel_block);
    }

    constexpr void plan_float_linear(QuantizedStep& step) {
        const int blocks = step.target.planes();
        step.panels = (blocks + linear_blocks - 1) / linear_blocks;
        step.weights = take_weights(step.source().floats() * blocks * channel_block);
        step.shift = take_weights(long{blocks} * channel_block);
    }

    Plan plan_{};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
