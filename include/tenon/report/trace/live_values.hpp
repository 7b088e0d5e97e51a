#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// How much of an arena holds values that a later step reads, step by step.

#include <cstddef>
#include <vector>

#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A value in an arena.
struct ArenaPlace {
    long offset = 0, floats = 0;

    bool overlaps(const ArenaPlace& other) const {
        return offset < other.offset + other.floats && other.offset < offset + floats;
    }
};

/// What a step reads and writes in an arena.
struct ArenaUse {
    std::vector<ArenaPlace> reads, writes;
};

/// The floats of an arena that are in use during each step: those of every value from the step that writes it to the
/// last that reads it. `given` is there before the first step, `kept` is read after the last.
///
///     step 0 writes A (10 floats), step 1 reads A and writes B (5), step 2 reads B -> 10, 15, 5
inline std::vector<long> live_floats(const std::vector<ArenaUse>& steps, const std::vector<ArenaPlace>& given = {},
                                     const std::vector<ArenaPlace>& kept = {}) {
    std::vector<long> live(steps.size());
    const auto add = [&](const ArenaPlace& value, std::size_t written, std::size_t first) {
        std::size_t last = written;
        bool is_replaced = false;
        for (std::size_t step = first; step < steps.size() && !is_replaced; ++step) {
            for (const ArenaPlace& read : steps[step].reads)
                if (read.overlaps(value)) last = step;
            for (const ArenaPlace& write : steps[step].writes) is_replaced = is_replaced || write.overlaps(value);
        }
        for (const ArenaPlace& read : kept)
            if (!is_replaced && read.overlaps(value)) last = steps.size() - 1;
        for (std::size_t step = written; step <= last; ++step) live[step] += value.floats;
    };
    if (steps.empty()) return live;
    for (const ArenaPlace& value : given) add(value, 0, 0);
    for (std::size_t step = 0; step < steps.size(); ++step)
        for (const ArenaPlace& value : steps[step].writes) add(value, step, step + 1);
    return live;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
