// PTX as the interpreter runs it: decoded once, operands as places in a warp's register file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "memory.hpp"

namespace ptx {

inline constexpr int warp_size = 32;
inline constexpr std::uint32_t all_lanes = 0xffffffff;

struct Warp;

/// The spaces of addresses. Generic addresses of shared memory begin at `shared_window`.
enum class Space : std::uint8_t { generic, global, shared, parameter };
inline constexpr std::uint64_t shared_window = std::uint64_t{1} << 48;
/// Dynamic shared memory doesn't begin at 0, as on newer devices, so that null is no address of it.
inline constexpr std::uint32_t first_shared = 1024;

/// A decoded instruction. `at` are byte offsets in the register file: results first, then operands in the order of the
/// text, the elements of vectors one after another. Constants are registers that nobody writes.
struct Instruction {
    using Run = void (*)(Warp&, const Instruction&);
    enum class Kind : std::uint8_t { lanes, branch, exit, barrier };
    static constexpr std::uint32_t none = 0xffffffff;

    Run run = nullptr;
    std::uint32_t at[14]{};
    std::int64_t offset = 0;  ///< that is added to an address; a number that the instruction contains
    std::uint32_t guard = none;
    std::int32_t target = -1, join = -1;  ///< of a branch: where it goes, and where both ways meet again
    Kind kind = Kind::lanes;
    bool guard_negated = false;
    std::uint8_t count = 1;  ///< elements of a vector
    bool touches_memory = false;
};

/// What an instruction cost: of accesses to shared memory, how often the banks had to be read or written.
struct Cost {
    std::uint64_t runs = 0, lanes = 0;
    std::uint64_t requests = 0, wavefronts = 0;
};

struct Kernel {
    struct Constant {
        std::uint32_t at;
        int bytes;
        std::uint64_t value;
    };
    /// %tid and the like: name and place.
    struct Special {
        std::string name;
        std::uint32_t at;
    };
    std::string name;       ///< as in PTX
    std::string demangled;  ///< for messages
    std::size_t parameter_bytes = 0;
    int max_threads = 1024;
    std::uint32_t register_bytes = 0;
    std::vector<Constant> constants;
    std::vector<Special> specials;
    std::vector<Instruction> code;
    std::vector<std::string> text;  ///< of each instruction
    std::vector<Cost> costs;        ///< of each instruction, over all launches
};

/// The kernels of a PTX file, by name. Throws Fault for what the interpreter doesn't know.
std::map<std::string, Kernel> parse(std::string_view text);

/// How a kernel is run.
struct Launch {
    unsigned grid[3] = {1, 1, 1};
    int threads = 32;
    std::size_t shared_bytes = 0;  ///< dynamic
    int device = 0;                ///< whose memory it may access
    std::vector<unsigned char> parameters;
    std::uint64_t seed = 1;  ///< of the order of blocks and warps
    bool counts_banks = false;
};

/// A device: memory, the number of the launch, and what its atomic operations have published, by their addresses.
struct Device {
    Memory memory;
    std::uint64_t launches = 0;
    std::map<std::uint64_t, Order> published;
};

/// Runs a kernel. Throws Fault.
void run(Device& device, Kernel& kernel, const Launch& launch);

}  // namespace ptx
