#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The memory plan of a training iteration: where in one arena the values of one image live, as constants.

#include <tenon/program/memory/plan_memory.hpp>
#include <tenon/program/training/training_program.hpp>

namespace tenon::detail {

/// Offsets of the values of a training program in the arena of one image, in scalars; -1 for values that have none.
template <TrainingCapacity T>
struct TrainingMemoryPlan {
    long offset[array_bound<(T.values > 0 ? T.values : 1)>]{};
    long size = 0;        ///< of the arena
    long saved_size = 0;  ///< of what is saved from forward to backward: the stack's height at the end of forward
};

/// The operand whose memory an operation's result may take, provided that it dies here: the operation reads it at the
/// pixel that it writes, before it writes it. Every backend's kernels must keep to that. -1: none; `second` asks for
/// the other operand of a pair.
template <Capacity C, TrainingCapacity T>
constexpr int replaceable_operand(const TrainingProgram<C, T>& program, const TrainingOp& op, bool second) {
    using enum TrainingKind;
    switch (op.kind) {
        case forward:
        case recompute: {
            const int operand = replaceable_operand(program.op_of(op));
            if (second || operand < 0) return program.op_of(op).kind == OpKind::add ? op.residual : -1;
            return operand == program.op_of(op).residual ? op.residual : op.sources[0];
        }
        case relu_gradient:
        case activation_gradient:
        case norm_gradient:
        case product_gradient:
        case add_gradient:
            return second ? op.gradient : op.sum;
        case data_gradient:  // these read the gradient at other pixels; a linear layer adds the sum afterwards
            if (program.op_of(op).kind == OpKind::linear) return -1;
            [[fallthrough]];
        case pool_gradient:
        case subsample_gradient:
            return second || op.sum == op.gradient ? -1 : op.sum;
        default:
            return -1;
    }
}

/// Plans where the values of one image live. `sizes[v]` is the size of value v in scalars (0: outside the arena),
/// `same_form(a, b)` says whether values a and b have the same layout, so that one may replace the other in place.
///
/// Saved values, which forward writes and backward reads, are a stack: forward pushes, backward pops. All others are
/// brief: each is placed at the lowest gap above the highest top that the stack has during its life, its floor.
///
///     offset        brief values
///       |         ________________
///       |   _____|  saved values  |_____      saved_size: the height in the middle
///       |__|   pushed       popped      |__
///       +--------------------------------------> operations
///           forward      loss     backward
///
/// Example (test: tests/program/plan_memory_test.cpp): Linear -> Sigmoid -> Linear -> Sigmoid -> Linear with values of
/// 64 (the input), 48, 48, 32, 32 and 16 scalars. The stack is what the loss and backward read: the input, the results
/// of the sigmoids, the logits; 64 + 48 + 32 + 16 = 160. The first product is brief; the sigmoid's result is pushed at
/// 64 while it is still read, so it is at 64 + 48 = 112. In backward the gradient of the logits is at 160. The next
/// one, of 32, doesn't fit between 144, to where the stack is popped, and 160, so it is at 176; the gradient of the
/// sigmoid takes its place. The next one, of 48, is at 112, where the stack ends by then. The arena has 176 + 32 = 208.
///
/// Law: values that are alive at the same operation don't overlap, except for a result in place of an operand that dies
/// (test: tests/train/random_nets_test.cpp).
template <Capacity C, TrainingCapacity T, class SameForm>
class TrainingMemoryPlanner {
public:
    constexpr TrainingMemoryPlanner(const TrainingProgram<C, T>& program, const long (&sizes)[array_bound<T.values>],
                                    SameForm same_form)
        : program_{program},
          sizes_{sizes},
          same_form_{same_form},
          loss_{program.forward_ops},
          ops_{program.ops.size()} {
        find_lives();
    }

    constexpr TrainingMemoryPlan<T> plan() {
        for (long& offset : plan_.offset) offset = -1;
        push_saved_values();
        pop_saved_values();
        place_brief_values();
        return plan_;
    }

private:
    static constexpr long aligned(long size) { return round_up(size, MemoryPlan<C>::alignment); }

    /// Sets birth_ and last_use_. The loss comes before operation loss_, the first of backward: it reads the output and
    /// writes the output's gradient. The input's gradient lives to the end.
    constexpr void find_lives() {
        for (int v = 0; v < program_.values.size(); ++v) birth_[v] = last_use_[v] = -1;
        for (int i = 0; i < ops_; ++i) {
            const int target = program_.ops[i].target;
            if (target >= 0) birth_[target] = last_use_[target] = i;
            for_each_operand(program_.ops[i], [&](int value) { last_use_[value] = i; });
        }
        birth_[program_.output_gradient] = loss_;
        const int of_loss[] = {program_.output, program_.output_gradient};  // nvcc 13 breaks a braced range here
        for (const int value : of_loss)
            if (last_use_[value] < loss_) last_use_[value] = loss_;
        if (program_.input_gradient >= 0) last_use_[program_.input_gradient] = ops_;
    }

    constexpr bool is_saved(int value) const {
        return sizes_[value] > 0 && birth_[value] < loss_ && last_use_[value] >= loss_;
    }
    constexpr bool is_brief(int value) const { return sizes_[value] > 0 && !is_saved(value); }

    constexpr void set_offset(int value, long offset) {
        plan_.offset[value] = offset;
        if (offset + sizes_[value] > plan_.size) plan_.size = offset + sizes_[value];
    }

    /// Places the saved values in the order in which forward writes them; top_[i] is the top of the stack after
    /// operation i of forward.
    constexpr void push_saved_values() {
        long top = 0;
        const auto push = [&](int value) {
            set_offset(value, top);
            top += aligned(sizes_[value]);
        };
        if (is_saved(0)) push(0);
        for (int i = 0; i < loss_; ++i) {
            const int target = program_.ops[i].target;
            if (target >= 0 && is_saved(target)) push(target);
            top_[i] = top;
        }
        plan_.saved_size = top;
    }

    /// In backward, top_[i] is the highest end of the saved values that are still read at operation i or later.
    constexpr void pop_saved_values() {
        for (int v = 0; v < program_.values.size(); ++v) {
            if (!is_saved(v)) continue;
            long& top = top_[last_use_[v] < ops_ ? last_use_[v] : ops_];
            const long end = plan_.offset[v] + aligned(sizes_[v]);
            if (end > top) top = end;
        }
        for (int i = ops_ - 1; i >= loss_; --i)
            if (top_[i + 1] > top_[i]) top_[i] = top_[i + 1];
    }

    /// The highest top during a brief value's life: at its end in forward, where the stack grows, and at its beginning
    /// in backward, where it shrinks.
    constexpr long floor_of(int value) const {
        return birth_[value] < loss_ ? top_[last_use_[value]] : top_[birth_[value]];
    }

    constexpr void place_brief_values() {
        if (is_brief(0) && last_use_[0] >= 0) place_in_gap(0);
        for (int i = 0; i < ops_; ++i) {
            if (i == loss_) {
                place_in_gap(program_.output_gradient);
                release(i - 1);
            }
            const int target = program_.ops[i].target;
            if (target >= 0 && is_brief(target)) place_result(i);
            release(i);
        }
        if (loss_ == ops_) place_in_gap(program_.output_gradient);
    }

    /// Places the result of operation i: on an operand that dies here, if one may be replaced, else in a gap.
    constexpr void place_result(int i) {
        const int target = program_.ops[i].target, operand = operand_to_replace(i);
        if (operand < 0) return place_in_gap(target);
        alive_.erase_if([&](int value) { return value == operand; });
        insert(target, plan_.offset[operand]);
    }

    /// The brief operand that dies with operation i and whose memory the result may take; -1: none.
    constexpr int operand_to_replace(int i) const {
        const TrainingOp& op = program_.ops[i];
        for (const bool second : {false, true}) {
            const int operand = replaceable_operand(program_, op, second);
            if (operand >= 0 && last_use_[operand] == i && !is_saved(operand) &&
                plan_.offset[operand] >= floor_of(op.target) && same_form_(operand, op.target))
                return operand;
        }
        return -1;
    }

    /// Places a value at the lowest gap above its floor that is large enough.
    constexpr void place_in_gap(int value) {
        long offset = floor_of(value);
        for (const int other : alive_) {
            if (plan_.offset[other] - offset >= sizes_[value]) break;
            const long end = plan_.offset[other] + aligned(sizes_[other]);
            if (end > offset) offset = end;
        }
        insert(value, offset);
    }

    /// Adds a value to those alive, which keep the order of their offsets.
    constexpr void insert(int value, long offset) {
        set_offset(value, offset);
        alive_.push_back(value);
        for (int i = alive_.size() - 1; i > 0 && plan_.offset[alive_[i - 1]] > offset; --i) {
            alive_[i] = alive_[i - 1];
            alive_[i - 1] = value;
        }
    }

    /// Removes the values that no operation after i reads.
    constexpr void release(int i) {
        alive_.erase_if([&](int value) { return last_use_[value] <= i; });
    }

    const TrainingProgram<C, T>& program_;
    const long (&sizes_)[array_bound<T.values>];
    SameForm same_form_;
    int loss_, ops_;
    int birth_[array_bound<T.values>]{}, last_use_[array_bound<T.values>]{};  // operations; -1: none
    long top_[array_bound<T.ops + 1>]{};                                      // of the stack
    FixedVector<int, T.values> alive_{};                                      // brief values, by offset
    TrainingMemoryPlan<T> plan_{};
};

/// The plan of a training program: see TrainingMemoryPlanner.
template <Capacity C, TrainingCapacity T, class SameForm>
constexpr TrainingMemoryPlan<T> plan_training_memory(const TrainingProgram<C, T>& program,
                                                     const long (&sizes)[array_bound<T.values>], SameForm same_form) {
    return TrainingMemoryPlanner<C, T, SameForm>{program, sizes, same_form}.plan();
}

}  // namespace tenon::detail
