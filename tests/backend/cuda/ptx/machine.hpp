// The state that instructions see: warps and blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "module.hpp"

namespace ptx {

struct Block;

/// An asynchronous copy that nobody has waited for.
struct Copy {
    int lane;
    std::uint32_t to;
    std::uint64_t from;
    std::uint32_t bytes, valid_bytes;
    long group;
};

/// 32 threads. Where they part, the ways run one after another until they meet again: a stack of the lanes that are on
/// a way, and of the instruction where it ends.
struct Warp {
    struct Way {
        std::uint32_t lanes;
        std::int32_t next, join;
    };
    enum class State { ready, waits, done };

    unsigned char* registers = nullptr;
    std::uint32_t active = 0;
    Block* block = nullptr;
    int first_thread = 0;
    std::uint32_t all = all_lanes;  ///< the lanes that exist
    State state = State::ready;
    std::vector<Way> ways;
    std::vector<Copy> copies;
    long groups[warp_size]{};

    template <class T>
    T* reg(std::uint32_t at) const {
        return reinterpret_cast<T*>(registers + at);
    }
};

struct Block {
    Device* device = nullptr;
    Kernel* kernel = nullptr;
    const Launch* launch = nullptr;
    unsigned index[3]{};
    std::uint64_t number = 0, epoch = 1;
    Order order;                       ///< from atomic operations; not before the barrier after the last one
    std::uint64_t acquired_epoch = 0;  ///< of that operation
    Region* shared = nullptr;
    const Instruction* at = nullptr;  ///< for messages and costs

    std::uint64_t tag(int thread) const {
        return Tag::of(device->launches, number, epoch, static_cast<std::uint64_t>(thread));
    }
    Cost& cost() const { return kernel->costs[static_cast<std::size_t>(at - kernel->code.data())]; }
    [[noreturn]] void fail(int thread, const std::string& what) const;
};

/// Calls f(lane) for the active lanes.
template <class F>
inline void each_lane(const Warp& warp, const F& f) {
    if (warp.active == all_lanes) {
        for (int lane = 0; lane < warp_size; ++lane) f(lane);
    } else {
        for (std::uint32_t rest = warp.active; rest; rest &= rest - 1) f(__builtin_ctz(rest));
    }
}

/// Demands that no lane is missing, as instructions with .aligned and barriers do.
void demand_all_lanes(const Warp& warp);

/// An instruction that computes lane by lane: its function and its operands, one letter each: p a predicate, h, w and d
/// registers of 16, 32 and 64 bits. Null if there is none of that name.
struct LaneOperation {
    Instruction::Run run;
    std::string operands;
};
const LaneOperation* find_lane_operation(const std::string& name);

/// Loads and stores of `count` elements; `type` as in PTX; `register_bytes` of the registers.
Instruction::Run find_load(Space space, const std::string& type, int register_bytes);
Instruction::Run find_store(Space space, const std::string& type, int register_bytes);

// Operands: the address in shared memory, the address in global memory, the bytes that are copied, the others being
// zeros; offset is the size.
/// atom.inc of global memory: old >= limit ? 0 : old + 1. Operands: the old value, the address, the limit. With
/// `Orders` it releases and acquires.
template <bool Orders>
void increment(Warp& warp, const Instruction& instruction);

void copy_async(Warp& warp, const Instruction& instruction);
void commit_copies(Warp& warp, const Instruction& instruction);
void wait_for_copies(Warp& warp, const Instruction& instruction);  ///< offset: the newest groups that may be missing

template <bool Transposed>
void load_matrices(Warp& warp, const Instruction& instruction);

enum class MatrixType { bfloat16, float16, tensor_float32 };
template <MatrixType Type>
void multiply_matrices(Warp& warp, const Instruction& instruction);

}  // namespace ptx
