// Runs kernels: blocks one after another, the warps of a block in turns.
#include "machine.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace ptx {
namespace {

using Kind = Instruction::Kind;

/// xorshift64*: the order of blocks and warps.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_{seed * 0x9e3779b97f4a7c15u | 1} {}
    std::uint64_t below(std::uint64_t count) {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return (state_ * 0x2545f4914f6cdd1du >> 32) % count;
    }

private:
    std::uint64_t state_;
};

template <class T>
void fill(unsigned char* registers, std::uint32_t at, std::uint64_t value) {
    for (int lane = 0; lane < warp_size; ++lane) reinterpret_cast<T*>(registers + at)[lane] = static_cast<T>(value);
}

/// The state of a warp at the start of a block.
void reset(Warp& warp, const Block& block, int index) {
    const Kernel& kernel = *block.kernel;
    std::memset(warp.registers, 0xff, kernel.register_bytes);
    for (const Kernel::Constant& constant : kernel.constants) {
        if (constant.bytes == 0)
            *warp.reg<std::uint32_t>(constant.at) = constant.value ? all_lanes : 0;
        else if (constant.bytes == 2)
            fill<std::uint16_t>(warp.registers, constant.at, constant.value);
        else if (constant.bytes == 4)
            fill<std::uint32_t>(warp.registers, constant.at, constant.value);
        else
            fill<std::uint64_t>(warp.registers, constant.at, constant.value);
    }
    warp.first_thread = index * warp_size;
    for (const Kernel::Special& special : kernel.specials) {
        const std::string& name = special.name;
        const auto axis = static_cast<std::size_t>(name.back() - 'x');
        if (name == "%tid.x") {
            for (int lane = 0; lane < warp_size; ++lane)
                warp.reg<std::uint32_t>(special.at)[lane] = static_cast<std::uint32_t>(warp.first_thread + lane);
        } else if (name.starts_with("%ctaid.") && axis < 3) {
            fill<std::uint32_t>(warp.registers, special.at, block.index[axis]);
        } else if (name.starts_with("%nctaid.") && axis < 3) {
            fill<std::uint32_t>(warp.registers, special.at, block.launch->grid[axis]);
        } else {
            throw Fault("the interpreter of PTX doesn't know the register " + name);
        }
    }
    const int lanes = std::min(warp_size, block.launch->threads - warp.first_thread);
    warp.all = lanes == warp_size ? all_lanes : (1u << lanes) - 1;
    warp.state = Warp::State::ready;
    warp.ways.assign(1, {warp.all, 0, static_cast<std::int32_t>(kernel.code.size())});
    warp.copies.clear();
    std::fill(std::begin(warp.groups), std::end(warp.groups), 0);
}

/// Lanes end.
void end_lanes(Warp& warp, std::uint32_t lanes) {
    for (Warp::Way& way : warp.ways) way.lanes &= ~lanes;
    while (!warp.ways.empty() && warp.ways.back().lanes == 0) warp.ways.pop_back();
}

/// Runs a warp until it waits at a barrier or ends, or has executed `accesses` instructions that access memory.
void run_warp(Warp& warp, int accesses) {
    Block& block = *warp.block;
    Kernel& kernel = *block.kernel;
    const Instruction* const code = kernel.code.data();
    Cost* const costs = kernel.costs.data();
    const auto end = static_cast<std::int32_t>(kernel.code.size());
    while (accesses > 0) {
        if (warp.ways.empty()) {
            warp.state = Warp::State::done;
            return;
        }
        Warp::Way& way = warp.ways.back();
        if (way.next == way.join && warp.ways.size() > 1) {
            warp.ways.pop_back();
            continue;
        }
        if (way.next >= end) block.fail(warp.first_thread, "runs beyond its last instruction");
        const Instruction& instruction = code[way.next];
        block.at = &instruction;
        std::uint32_t active = way.lanes;
        if (instruction.guard != Instruction::none) {
            const std::uint32_t guard = *warp.reg<std::uint32_t>(instruction.guard);
            active &= instruction.guard_negated ? ~guard : guard;
        }
        Cost& cost = costs[way.next];
        ++cost.runs;
        switch (instruction.kind) {
            case Kind::lanes:
                warp.active = active;
                ++way.next;
                if (active == 0) break;
                cost.lanes += static_cast<std::uint64_t>(std::popcount(active));
                instruction.run(warp, instruction);
                if (instruction.touches_memory) --accesses;
                break;
            case Kind::branch: {
                const std::uint32_t others = way.lanes & ~active;
                const std::int32_t next = way.next + 1;
                if (others == 0) {
                    way.next = instruction.target;
                } else if (active == 0) {
                    way.next = next;
                } else {
                    const std::int32_t join = instruction.join;
                    if (join == way.join && warp.ways.size() > 1)
                        warp.ways.pop_back();
                    else
                        way.next = join;  // all lanes go on from here, when both ways have come to it
                    if (next != join) warp.ways.push_back({others, next, join});
                    if (instruction.target != join) warp.ways.push_back({active, instruction.target, join});
                }
                break;
            }
            case Kind::exit:
                ++way.next;  // for the lanes that stay
                end_lanes(warp, active);
                break;
            case Kind::barrier:
                warp.active = active;
                demand_all_lanes(warp);
                ++way.next;
                warp.state = Warp::State::waits;
                return;
        }
    }
}

void run_block(Block& block, std::vector<Warp>& warps, Random& random) {
    for (std::size_t i = 0; i < warps.size(); ++i) {
        warps[i].block = &block;
        reset(warps[i], block, static_cast<int>(i));
    }
    std::vector<Warp*> ready;
    for (;;) {
        ready.clear();
        std::size_t waiting = 0;
        for (Warp& warp : warps) {
            if (warp.state == Warp::State::ready) ready.push_back(&warp);
            if (warp.state == Warp::State::waits) ++waiting;
        }
        if (ready.empty()) {
            if (waiting == 0) return;
            if (waiting != warps.size())
                block.fail(0, "waits at a barrier that other threads of the block don't reach");
            if (++block.epoch == Tag::in_flight)
                throw Fault("a block has more barriers than the interpreter can count");
            for (Warp& warp : warps) warp.state = Warp::State::ready;
            continue;
        }
        run_warp(*ready[random.below(ready.size())], 1 + static_cast<int>(random.below(64)));
    }
}

}  // namespace

void Block::fail(int thread, const std::string& what) const {
    std::string text;
    if (at) {
        const auto line = static_cast<std::size_t>(at - kernel->code.data());
        if (line < kernel->text.size()) text = " by \"" + kernel->text[line] + "\"";
    }
    throw Fault("thread " + std::to_string(thread) + " of block " + std::to_string(index[0]) + ", " +
                std::to_string(index[1]) + ", " + std::to_string(index[2]) + " " + what + text + " in " +
                kernel->demangled);
}

void demand_all_lanes(const Warp& warp) {
    if (warp.active != warp.all)
        warp.block->fail(warp.first_thread, "and its warp are at an instruction for all lanes with " +
                                                std::to_string(std::popcount(warp.active)) + " of them,");
}

void run(Device& device, Kernel& kernel, const Launch& launch) {
    if (launch.threads < 1 || launch.threads > kernel.max_threads)
        throw Fault("a kernel is launched with " + std::to_string(launch.threads) + " threads and compiled for " +
                    std::to_string(kernel.max_threads) + ": " + kernel.demangled);
    if (launch.parameters.size() != kernel.parameter_bytes)
        throw Fault("a kernel of " + std::to_string(kernel.parameter_bytes) + " bytes of parameters is launched with " +
                    std::to_string(launch.parameters.size()) + ": " + kernel.demangled);
    if (++device.launches > Tag::max_launch) {
        device.memory.forget_launches();
        device.launches = 1;
    }
    device.published.clear();
    const std::uint64_t count = std::uint64_t{launch.grid[0]} * launch.grid[1] * launch.grid[2];
    if (count == 0 || count >= Tag::many_blocks || launch.grid[1] > 65535 || launch.grid[2] > 65535)
        throw Fault("a kernel is launched with a grid that devices don't run: " + kernel.demangled);
    const auto warp_count = static_cast<std::size_t>((launch.threads + warp_size - 1) / warp_size);
    std::vector<Warp> warps(warp_count);
    const std::size_t register_bytes = (kernel.register_bytes + 63) / 64 * 64;
    const std::unique_ptr<unsigned char, decltype(&std::free)> registers{
        static_cast<unsigned char*>(std::aligned_alloc(64, std::max<std::size_t>(register_bytes * warp_count, 64))),
        &std::free};
    for (std::size_t i = 0; i < warp_count; ++i) warps[i].registers = registers.get() + i * register_bytes;
    Region shared{first_shared, launch.shared_bytes};
    Random random{launch.seed};
    const std::uint64_t first = random.below(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t number = launch.seed % 2 ? (first + i) % count : (first + count - i) % count;
        Block block;
        block.device = &device;
        block.kernel = &kernel;
        block.launch = &launch;
        block.index[0] = static_cast<unsigned>(number % launch.grid[0]);
        block.index[1] = static_cast<unsigned>(number / launch.grid[0] % launch.grid[1]);
        block.index[2] = static_cast<unsigned>(number / launch.grid[0] / launch.grid[1]);
        block.number = number;
        block.shared = &shared;
        run_block(block, warps, random);
    }
}

}  // namespace ptx
