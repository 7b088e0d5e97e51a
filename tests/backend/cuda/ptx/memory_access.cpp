// Instructions that access memory: loads, stores, asynchronous copies, and matrices for the tensor cores.
#include <algorithm>
#include <array>
#include <cstdio>

#include "machine.hpp"

namespace ptx {
namespace {

std::string hexadecimal(std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

[[noreturn]] void fail_at(const Warp& warp, int lane, const std::string& what, std::uint64_t address) {
    warp.block->fail(warp.first_thread + lane, what + " at address " + hexadecimal(address));
}

/// The memory that an access goes to; demands that it exists and that the address is aligned to the whole access.
Region& region_of(const Warp& warp, int lane, Space space, std::uint64_t& address, std::size_t bytes) {
    if (address % bytes != 0)
        fail_at(warp, lane, "accesses " + std::to_string(bytes) + " bytes that are not aligned to them", address);
    Block& block = *warp.block;
    if (space == Space::generic && address >= shared_window && address < shared_window + 0x100000000) {
        address -= shared_window;
        space = Space::shared;
    }
    Region* region = nullptr;
    if (space == Space::shared)
        region = block.shared->contains(address, bytes) ? block.shared : nullptr;
    else
        region = block.device->memory.find(address, bytes);
    if (!region)
        fail_at(warp, lane, "accesses " + std::to_string(bytes) + " bytes that are not in any memory", address);
    if (region != block.shared && region->device != block.launch->device)
        fail_at(warp, lane, "accesses memory of another device", address);
    return *region;
}

bool is_shared(const Warp& warp, const Region& region) { return &region == warp.block->shared; }

const unsigned char* read(const Warp& warp, int lane, Space space, std::uint64_t address, std::size_t bytes) {
    Region& region = region_of(warp, lane, space, address, bytes);
    const std::uint64_t mine = warp.block->tag(warp.first_thread + lane);
    const Block& block = *warp.block;
    const Order* const order = block.acquired_epoch > 0 && block.acquired_epoch < block.epoch ? &block.order : nullptr;
    const char* const wrong = is_shared(warp, region) ? region.read<true>(address, bytes, mine)
                                                      : region.read<false>(address, bytes, mine, order);
    if (wrong) fail_at(warp, lane, wrong, address);
    return region.at(address);
}

/// Where a lane may write. The writer is remembered as in flight if the bytes come later.
unsigned char* write(const Warp& warp, int lane, Space space, std::uint64_t address, std::size_t bytes,
                     bool in_flight = false, bool lands = false) {
    Region& region = region_of(warp, lane, space, address, bytes);
    const std::uint64_t mine = warp.block->tag(warp.first_thread + lane);
    const std::uint64_t tag = in_flight ? Tag::with_epoch(mine, Tag::in_flight) : mine;
    if (lands) {  // the copy's own note of being in flight is not a race
        const std::size_t first = (address - region.begin) / Region::granule;
        for (std::size_t i = 0; i < bytes / Region::granule; ++i) region.writers[first + i] = mine;
        return region.at(address);
    }
    const char* const wrong = is_shared(warp, region) ? region.write<true>(address, bytes, mine, tag)
                                                      : region.write<false>(address, bytes, mine, tag);
    if (wrong) fail_at(warp, lane, wrong, address);
    return region.at(address);
}

/// Counts how often the 32 banks of 4 bytes are accessed for the addresses of the active lanes: `bytes` of 8 are
/// served by half-warps, of 16 by quarters.
void count_banks(const Warp& warp, const std::uint64_t* addresses, std::size_t bytes) {
    Cost& cost = warp.block->cost();
    ++cost.requests;
    const int group = bytes == 16 ? 8 : bytes == 8 ? 16 : 32;
    for (int first = 0; first < warp_size; first += group) {
        std::array<std::array<std::uint64_t, warp_size>, 32> words;
        std::array<int, 32> used{};
        int most = 0;
        for (int lane = first; lane < first + group; ++lane) {
            if (!(warp.active >> lane & 1)) continue;
            for (std::uint64_t at = addresses[lane] / 4; at <= (addresses[lane] + bytes - 1) / 4; ++at) {
                auto& bank = words[at % 32];
                int& count = used[at % 32];
                if (std::find(bank.begin(), bank.begin() + count, at) != bank.begin() + count) continue;
                bank[static_cast<std::size_t>(count)] = at;
                most = std::max(most, ++count);
            }
        }
        cost.wavefronts += static_cast<std::uint64_t>(most);
    }
}

template <class Address>
void note_banks(const Warp& warp, const Address* addresses, std::int64_t offset, std::size_t bytes) {
    std::uint64_t all[warp_size];
    for (int lane = 0; lane < warp_size; ++lane) all[lane] = addresses[lane] + static_cast<std::uint64_t>(offset);
    count_banks(warp, all, bytes);
}

template <Space S, class T, class R>
void load(Warp& warp, const Instruction& instruction) {
    using Address = std::conditional_t<S == Space::shared, std::uint32_t, std::uint64_t>;
    const int count = instruction.count;
    const std::size_t bytes = sizeof(T) * static_cast<std::size_t>(count);
    const Address* const addresses = warp.reg<const Address>(instruction.at[count]);
    if (S == Space::shared && warp.block->launch->counts_banks) note_banks(warp, addresses, instruction.offset, bytes);
    R* to[4];
    for (int i = 0; i < count; ++i) to[i] = warp.reg<R>(instruction.at[i]);
    each_lane(warp, [&](int lane) {
        const std::uint64_t address = addresses[lane] + static_cast<std::uint64_t>(instruction.offset);
        const unsigned char* from;
        if constexpr (S == Space::parameter) {
            const auto& parameters = warp.block->launch->parameters;
            if (address > parameters.size() || parameters.size() - address < bytes)
                fail_at(warp, lane, "reads beyond its parameters", address);
            if (address % bytes != 0) fail_at(warp, lane, "reads a parameter that is not aligned", address);
            from = parameters.data() + address;
        } else {
            from = read(warp, lane, S, address, bytes);
        }
        T values[4];
        std::memcpy(values, from, bytes);
        for (int i = 0; i < count; ++i) to[i][lane] = static_cast<R>(values[i]);
    });
}

template <Space S, class T, class R>
void store(Warp& warp, const Instruction& instruction) {
    using Address = std::conditional_t<S == Space::shared, std::uint32_t, std::uint64_t>;
    const int count = instruction.count;
    const std::size_t bytes = sizeof(T) * static_cast<std::size_t>(count);
    const Address* const addresses = warp.reg<const Address>(instruction.at[0]);
    if (S == Space::shared && warp.block->launch->counts_banks) note_banks(warp, addresses, instruction.offset, bytes);
    each_lane(warp, [&](int lane) {
        T values[4];
        for (int i = 0; i < count; ++i) values[i] = static_cast<T>(warp.reg<const R>(instruction.at[i + 1])[lane]);
        const std::uint64_t address = addresses[lane] + static_cast<std::uint64_t>(instruction.offset);
        std::memcpy(write(warp, lane, S, address, bytes), values, bytes);
    });
}

/// Calls f.template operator()<Memory type, Register type>() for a type of PTX.
template <class F>
Instruction::Run with_types(const std::string& type, int register_bytes, const F& f) {
    const auto wide = [&]<class T>() -> Instruction::Run {
        using Wide16 = std::conditional_t<std::is_signed_v<T>, std::int16_t, std::uint16_t>;
        using Wide32 = std::conditional_t<std::is_signed_v<T>, std::int32_t, std::uint32_t>;
        using Wide64 = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
        if (register_bytes < static_cast<int>(sizeof(T))) return nullptr;
        if (register_bytes == 2) return f.template operator()<T, Wide16>();
        if (register_bytes == 4) return f.template operator()<T, Wide32>();
        return f.template operator()<T, Wide64>();
    };
    if (type == "u8" || type == "b8") return wide.template operator()<std::uint8_t>();
    if (type == "s8") return wide.template operator()<std::int8_t>();
    if (type == "u16" || type == "b16") return wide.template operator()<std::uint16_t>();
    if (type == "s16") return wide.template operator()<std::int16_t>();
    if (type == "u32" || type == "b32" || type == "f32") return wide.template operator()<std::uint32_t>();
    if (type == "s32") return wide.template operator()<std::int32_t>();
    if (type == "u64" || type == "b64" || type == "f64" || type == "s64")
        return wide.template operator()<std::uint64_t>();
    return nullptr;
}

template <class F>
Instruction::Run with_space(Space space, const F& f) {
    switch (space) {
        case Space::generic:
            return f.template operator()<Space::generic>();
        case Space::global:
            return f.template operator()<Space::global>();
        case Space::shared:
            return f.template operator()<Space::shared>();
        case Space::parameter:
            return f.template operator()<Space::parameter>();
    }
    return nullptr;
}

/// The value of a 16-bit number, from its bits.
float bfloat16_value(std::uint16_t bits) {
    const std::uint32_t wide = std::uint32_t{bits} << 16;
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
}
float float16_value(std::uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
    float value;
    if (exponent == 31)
        value = fraction ? __builtin_nanf("") : __builtin_inff();
    else if (exponent == 0)
        value = static_cast<float>(fraction) * 0x1p-24f;
    else {
        const std::uint32_t wide =
            static_cast<std::uint32_t>(exponent + 112) << 23 | static_cast<std::uint32_t>(fraction) << 13;
        std::memcpy(&value, &wide, sizeof value);
    }
    return bits & 0x8000 ? -value : value;
}

/// Multiplies 16 x K by K x 8 and adds, with exact products and sums in double.
template <int K>
void multiply_add(const float (&a)[16][K], const float (&b)[K][8], double (&sums)[16][8]) {
    for (int row = 0; row < 16; ++row)
        for (int k = 0; k < K; ++k) {
            const double factor = a[row][k];
            for (int column = 0; column < 8; ++column) sums[row][column] += factor * static_cast<double>(b[k][column]);
        }
}

}  // namespace

Instruction::Run find_load(Space space, const std::string& type, int register_bytes) {
    return with_space(space, [&]<Space S>() {
        return with_types(type, register_bytes, []<class T, class R>() -> Instruction::Run { return load<S, T, R>; });
    });
}
Instruction::Run find_store(Space space, const std::string& type, int register_bytes) {
    if (space == Space::parameter) return nullptr;
    return with_space(space, [&]<Space S>() {
        return with_types(type, register_bytes, []<class T, class R>() -> Instruction::Run { return store<S, T, R>; });
    });
}

template <bool Orders>
void increment(Warp& warp, const Instruction& instruction) {
    Block& block = *warp.block;
    each_lane(warp, [&](int lane) {
        std::uint64_t address =
            warp.reg<const std::uint64_t>(instruction.at[1])[lane] + static_cast<std::uint64_t>(instruction.offset);
        Region& region = region_of(warp, lane, Space::global, address, 4);
        if (const char* const wrong = region.update(address, block.tag(warp.first_thread + lane)))
            fail_at(warp, lane, wrong, address);
        std::uint32_t old;
        std::memcpy(&old, region.at(address), sizeof old);
        const std::uint32_t next = old >= warp.reg<const std::uint32_t>(instruction.at[2])[lane] ? 0 : old + 1;
        std::memcpy(region.at(address), &next, sizeof next);
        warp.reg<std::uint32_t>(instruction.at[0])[lane] = old;
        if constexpr (Orders) {
            Order& published = block.device->published[address];
            block.order.join(published);
            block.acquired_epoch = block.epoch;
            published.join(block.order);
            published.set(block.number, block.epoch);
        }
    });
}
template void increment<false>(Warp&, const Instruction&);
template void increment<true>(Warp&, const Instruction&);

void copy_async(Warp& warp, const Instruction& instruction) {
    const auto bytes = static_cast<std::uint32_t>(instruction.count);
    const auto* const to = warp.reg<const std::uint32_t>(instruction.at[0]);
    const auto* const from = warp.reg<const std::uint64_t>(instruction.at[1]);
    const auto* const valid = warp.reg<const std::uint32_t>(instruction.at[2]);
    if (warp.block->launch->counts_banks) note_banks(warp, to, instruction.offset, bytes);
    each_lane(warp, [&](int lane) {
        const std::uint32_t address = to[lane] + static_cast<std::uint32_t>(instruction.offset);
        if (valid[lane] > bytes) fail_at(warp, lane, "copies more bytes than it says it does", address);
        if (from[lane] % bytes != 0) fail_at(warp, lane, "copies from an address that is not aligned", from[lane]);
        write(warp, lane, Space::shared, address, bytes, true);
        // May be read at once, so it must be readable now; it is read as late as possible.
        if (valid[lane] > 0) {
            std::uint64_t source = from[lane];
            region_of(warp, lane, Space::global, source, bytes);
        }
        warp.copies.push_back({lane, address, from[lane], bytes, valid[lane], warp.groups[lane]});
    });
}

void commit_copies(Warp& warp, const Instruction&) {
    each_lane(warp, [&](int lane) { ++warp.groups[lane]; });
}

void wait_for_copies(Warp& warp, const Instruction& instruction) {
    std::size_t kept = 0;
    for (const Copy& copy : warp.copies) {
        if (!(warp.active >> copy.lane & 1) || copy.group >= warp.groups[copy.lane] - instruction.offset) {
            warp.copies[kept++] = copy;
            continue;
        }
        unsigned char* const to = write(warp, copy.lane, Space::shared, copy.to, copy.bytes, false, true);
        if (copy.valid_bytes > 0)
            std::memcpy(to, read(warp, copy.lane, Space::global, copy.from, copy.bytes), copy.valid_bytes);
        std::memset(to + copy.valid_bytes, 0, copy.bytes - copy.valid_bytes);
    }
    warp.copies.resize(kept);
}

/// ldmatrix.x4: lane 8 m + r gives the address of row r of matrix m, eight numbers of 16 bits. Lane l gets, of each
/// matrix, numbers 2 (l % 4) and the next of row l / 4; transposed, numbers l / 4 of rows 2 (l % 4) and the next.
template <bool Transposed>
void load_matrices(Warp& warp, const Instruction& instruction) {
    demand_all_lanes(warp);
    const auto* const addresses = warp.reg<const std::uint32_t>(instruction.at[4]);
    if (warp.block->launch->counts_banks) note_banks(warp, addresses, instruction.offset, 16);
    std::uint16_t rows[4][8][8];
    for (int lane = 0; lane < warp_size; ++lane) {
        const std::uint32_t address = addresses[lane] + static_cast<std::uint32_t>(instruction.offset);
        std::memcpy(rows[lane / 8][lane % 8], read(warp, lane, Space::shared, address, 16), 16);
    }
    for (int m = 0; m < 4; ++m) {
        auto* const to = warp.reg<std::uint32_t>(instruction.at[m]);
        for (int lane = 0; lane < warp_size; ++lane) {
            const int i = lane / 4, j = lane % 4 * 2;
            const std::uint16_t low = Transposed ? rows[m][j][i] : rows[m][i][j];
            const std::uint16_t high = Transposed ? rows[m][j + 1][i] : rows[m][i][j + 1];
            to[lane] = low | std::uint32_t{high} << 16;
        }
    }
}
template void load_matrices<false>(Warp&, const Instruction&);
template void load_matrices<true>(Warp&, const Instruction&);

/// mma.sync m16n8k16 of 16-bit numbers and m16n8k8 of tf32, as the ISA's tables of fragments say. With g = lane / 4 and
/// t = lane % 4:
///   16 bits: a_i (i < 8) is row g, or g + 8 where i / 2 is odd, column 2 t + i % 2, + 8 where i >= 4;
///            b_i (i < 4) is row 2 t + i % 2, + 8 where i >= 2, column g;
///   tf32:    a_i (i < 4) is row g, or g + 8 where i is odd, column t, + 4 where i >= 2; b_i (i < 2) is row t + 4 i,
///            column g;
///   both:    c_i (i < 4) is row g, or g + 8 where i >= 2, column 2 t + i % 2.
template <MatrixType Type>
void multiply_matrices(Warp& warp, const Instruction& instruction) {
    demand_all_lanes(warp);
    constexpr int depth = Type == MatrixType::tensor_float32 ? 8 : 16;
    float a[16][depth], b[depth][8];
    const auto part = [&](int operand, int lane) {
        return warp.reg<const std::uint32_t>(instruction.at[operand])[lane];
    };
    const auto half = [](std::uint32_t word, int i) {
        const auto bits = static_cast<std::uint16_t>(i == 0 ? word : word >> 16);
        return Type == MatrixType::bfloat16 ? bfloat16_value(bits) : float16_value(bits);
    };
    const auto tensor_float = [](std::uint32_t word) {
        word &= ~0x1fffu;  // the tensor cores ignore these bits
        float value;
        std::memcpy(&value, &word, sizeof value);
        return value;
    };
    double sums[16][8];
    for (int lane = 0; lane < warp_size; ++lane) {
        const int g = lane / 4, t = lane % 4;
        if constexpr (Type == MatrixType::tensor_float32) {
            for (int i = 0; i < 4; ++i) a[g + i % 2 * 8][t + i / 2 * 4] = tensor_float(part(4 + i, lane));
            for (int i = 0; i < 2; ++i) b[t + i * 4][g] = tensor_float(part(8 + i, lane));
        } else {
            for (int i = 0; i < 8; ++i)
                a[g + i / 2 % 2 * 8][t * 2 + i % 2 + i / 4 * 8] = half(part(4 + i / 2, lane), i % 2);
            for (int i = 0; i < 4; ++i) b[t * 2 + i % 2 + i / 2 * 8][g] = half(part(8 + i / 2, lane), i % 2);
        }
        for (int i = 0; i < 4; ++i)
            sums[g + i / 2 * 8][t * 2 + i % 2] = warp.reg<const float>(instruction.at[10 + i])[lane];
    }
    multiply_add(a, b, sums);
    for (int lane = 0; lane < warp_size; ++lane)
        for (int i = 0; i < 4; ++i)
            warp.reg<float>(instruction.at[i])[lane] =
                static_cast<float>(sums[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2]);
}
template void multiply_matrices<MatrixType::bfloat16>(Warp&, const Instruction&);
template void multiply_matrices<MatrixType::float16>(Warp&, const Instruction&);
template void multiply_matrices<MatrixType::tensor_float32>(Warp&, const Instruction&);

}  // namespace ptx
