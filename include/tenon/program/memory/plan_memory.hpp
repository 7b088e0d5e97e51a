#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The memory plan: where in one arena each value of a program lives, as constants.

#include <tenon/core/round.hpp>
#include <tenon/program/uses.hpp>

namespace tenon::detail {

/// Offsets of the values in an arena, in scalars; -1 for values that are not in it.
template <Capacity C>
struct MemoryPlan {
    long offset[array_bound<C.values + 2>]{};
    long size = 0;  ///< of the arena

    static constexpr long alignment = 16;  ///< scalars: a cache line of floats
};

/// The operand whose memory an operation's raw result may take: one that it adds or maps pixel by pixel, as every
/// backend's kernels read a pixel of it before they write the same pixel of the result. -1: none. The sources of
/// convolutions and poolings are read at other pixels too.
constexpr int replaceable_operand(const Op& op) {
    const bool read_elsewhere = op.residual == op.terms[0].source || op.residual == op.terms[1].source;
    if (op.kind == OpKind::conv) return op.residual_stride == 1 && !read_elsewhere ? op.residual : -1;
    return traits_of(op.kind).is_in_place ? op.source() : -1;
}

/// One place in the arena during a part of the program: a value, or several that replace one another in place.
struct Lifetime {
    int first = 0, last = 0;  ///< operations between which the place is taken, both included
    long size = 0;
    long offset = -1;
};

/// Plans where values live. `sizes[v]` is the size of value v in scalars, 0 for values outside the arena (the user's
/// input); `same_form(a, b)` says whether two values have the same layout, so that one may replace the other in place.
///
/// `with_next(i)` says whether operation i is interleaved with operation i + 1, so that its operands stay alive while
/// the latter writes.
///
/// Law: values that are alive at the same operation don't overlap, except for a result in place of an operand that dies
/// (test: tests/program/plan_memory_test.cpp). Lifetimes are placed largest first, each in the lowest gap among those
/// that it overlaps in time; for the few sizes that a network's values have this is close to the optimum.
///
/// Example: three convolutions in a row, sizes {0, 32, 16, 32} -> offsets {-1, 0, 32, 0}, 48 scalars: value 3 takes
/// value 1's place, and value 2 is above both.
template <Capacity C>
class MemoryPlanner {
public:
    template <class SameForm, class WithNext>
    constexpr MemoryPlanner(const Program<C>& program, const long (&sizes)[array_bound<C.values + 2>],
                            SameForm same_form, WithNext with_next) {
        int last_use[array_bound<C.values + 2>]{};
        for (int i = 0; i < program.ops.size(); ++i)
            for_each_operand(program.ops[i], [&](int value) { last_use[value] = i; });
        last_use[program.output] = program.ops.size();
        for (int& lifetime : lifetime_of_) lifetime = -1;
        for (int i = 0; i < program.ops.size(); ++i) {
            const Op& op = program.ops[i];
            const int operand = replaceable_operand(op);
            const bool in_place = operand >= 0 && op.target >= 0 && last_use[operand] == i &&
                                  lifetime_of_[operand] >= 0 && same_form(operand, op.target);
            if (in_place) lifetime_of_[op.target] = lifetime_of_[operand];
            for (const int value : {op.target, op.activated}) {
                if (value < 0 || sizes[value] == 0) continue;
                if (lifetime_of_[value] < 0) {
                    lifetime_of_[value] = lifetimes_.size();
                    lifetimes_.push_back({i, i, sizes[value], -1});
                }
                Lifetime& lifetime = lifetimes_[lifetime_of_[value]];
                lifetime.last = last_use[value] > i ? last_use[value] : i;
            }
        }
        for (int i = 0; i < program.ops.size(); ++i)
            if (with_next(i))
                for_each_operand(program.ops[i], [&](int value) {
                    if (lifetime_of_[value] < 0) return;
                    Lifetime& lifetime = lifetimes_[lifetime_of_[value]];
                    if (lifetime.last == i) lifetime.last = i + 1;
                });
    }

    constexpr MemoryPlan<C> plan() {
        int order[array_bound<C.values + 2>]{};  // by size, then by time
        for (int i = 0; i < lifetimes_.size(); ++i) {
            int at = i;
            for (; at > 0 && lifetimes_[order[at - 1]].size < lifetimes_[i].size; --at) order[at] = order[at - 1];
            order[at] = i;
        }
        MemoryPlan<C> plan{};
        for (int i = 0; i < lifetimes_.size(); ++i) {
            Lifetime& lifetime = lifetimes_[order[i]];
            lifetime.offset = lowest_gap(lifetime);
            if (lifetime.offset + lifetime.size > plan.size) plan.size = lifetime.offset + lifetime.size;
            insert(order[i]);
        }
        for (int value = 0; value < C.values + 2; ++value)
            plan.offset[value] = lifetime_of_[value] < 0 ? -1 : lifetimes_[lifetime_of_[value]].offset;
        return plan;
    }

private:
    /// The lowest offset at which a lifetime fits between those placed that it overlaps in time.
    constexpr long lowest_gap(const Lifetime& lifetime) const {
        constexpr long unit = MemoryPlan<C>::alignment;
        long offset = 0;
        for (const int index : placed_) {
            const Lifetime& other = lifetimes_[index];
            if (other.first > lifetime.last || lifetime.first > other.last) continue;
            if (other.offset - offset >= lifetime.size) break;
            const long end = other.offset + round_up(other.size, unit);
            if (end > offset) offset = end;
        }
        return offset;
    }

    /// Keeps the placed lifetimes in the order of their offsets.
    constexpr void insert(int index) {
        placed_.push_back(index);
        for (int i = placed_.size() - 1; i > 0 && lifetimes_[placed_[i - 1]].offset > lifetimes_[index].offset; --i) {
            placed_[i] = placed_[i - 1];
            placed_[i - 1] = index;
        }
    }

    FixedVector<Lifetime, C.values + 2> lifetimes_{};
    FixedVector<int, C.values + 2> placed_{};
    int lifetime_of_[array_bound<C.values + 2>]{};
};

/// The memory plan of a program: see MemoryPlanner.
template <Capacity C, class SameForm, class WithNext>
constexpr MemoryPlan<C> plan_memory(const Program<C>& program, const long (&sizes)[array_bound<C.values + 2>],
                                    SameForm same_form, WithNext with_next) {
    return MemoryPlanner<C>{program, sizes, same_form, with_next}.plan();
}

/// The same where every operation ends before the next begins.
template <Capacity C, class SameForm>
constexpr MemoryPlan<C> plan_memory(const Program<C>& program, const long (&sizes)[array_bound<C.values + 2>],
                                    SameForm same_form) {
    return plan_memory(program, sizes, same_form, [](int) { return false; });
}

}  // namespace tenon::detail
