#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// A block of a kernel on the device: the counterpart of EmulatedBlock. Only nvcc sees the content of this header.

#if defined(__CUDACC__)

#include <tenon/backend/cuda/language/number.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// On the device what EmulatedBlock is on the host: phases, warps, asynchronous copies, tensor cores.
template <class Kernel>
class DeviceBlock {
public:
    using Registers = typename Kernel::Registers;
    using Shared = typename Kernel::Shared;

    __device__ __forceinline__ DeviceBlock(Shared& shared, Registers& registers)
        : shared_{shared}, registers_{registers} {}

    __device__ __forceinline__ Grid index() const {
        return {static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y), static_cast<int>(blockIdx.z)};
    }
    /// The number of blocks.
    __device__ __forceinline__ Grid grid() const {
        return {static_cast<int>(gridDim.x), static_cast<int>(gridDim.y), static_cast<int>(gridDim.z)};
    }
    __device__ __forceinline__ Shared& shared() { return shared_; }

    template <class F>
    __device__ __forceinline__ void threads(const F& f) {
        f(static_cast<int>(threadIdx.x), registers_);
        __syncthreads();
    }

    class Warp {
    public:
        __device__ __forceinline__ explicit Warp(Registers& registers) : registers_{registers} {}
        __device__ __forceinline__ int index() const { return static_cast<int>(threadIdx.x) / 32; }

        template <class F>
        __device__ __forceinline__ void lanes(const F& f) {
            f(static_cast<int>(threadIdx.x), registers_);
        }

        template <class Address, class Select>
        __device__ __forceinline__ void load_matrices(const Address& address, const Select& select) {
            const auto at = static_cast<unsigned>(__cvta_generic_to_shared(address(static_cast<int>(threadIdx.x))));
            std::uint32_t(&words)[4] = select(registers_);
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                         : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                         : "r"(at)
                         : "memory");
        }

        template <class Address, class Select>
        __device__ __forceinline__ void load_transposed_matrices(const Address& address, const Select& select) {
            const auto at = static_cast<unsigned>(__cvta_generic_to_shared(address(static_cast<int>(threadIdx.x))));
            std::uint32_t(&words)[4] = select(registers_);
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                         : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                         : "r"(at)
                         : "memory");
        }

        template <Precision P, class Select>
        __device__ __forceinline__ void multiply_add(const Select& select) {
            const auto part = select(registers_);
            float(&c)[4] = part.sums;
            const std::uint32_t(&a)[4] = part.a;
            if constexpr (P == Precision::bfloat16)
                asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                    "{%0, %1, %2, %3};"
                    : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                    : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(part.b0), "r"(part.b1));
            else if constexpr (P == Precision::float16)
                asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                    "{%0, %1, %2, %3};"
                    : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                    : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(part.b0), "r"(part.b1));
            else
                asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                    "{%0, %1, %2, %3};"
                    : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                    : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(part.b0), "r"(part.b1));
        }

    private:
        Registers& registers_;
    };

    template <class F>
    __device__ __forceinline__ void warps(const F& f) {
        Warp warp{registers_};
        f(warp);
        __syncthreads();
    }

    template <int Bytes>
    __device__ __forceinline__ void copy_async(int, void* to, const void* from, bool valid) {
        const auto at = static_cast<unsigned>(__cvta_generic_to_shared(to));
        const int bytes = valid ? Bytes : 0;  // the rest is filled with zeros
        if constexpr (Bytes == 16)
            asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(bytes) : "memory");
        else
            asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(at), "l"(from), "n"(Bytes), "r"(bytes)
                         : "memory");
    }
    __device__ __forceinline__ void commit(int) { asm volatile("cp.async.commit_group;" ::: "memory"); }
    template <int Newest>
    __device__ __forceinline__ void wait(int) {
        asm volatile("cp.async.wait_group %0;" ::"n"(Newest) : "memory");
    }

    /// Counts the blocks that come here, from 0 to `last` and then from 0 again, and returns how many have come before.
    /// For one thread of a block, after a barrier: what the blocks before stored until their barriers can be loaded
    /// after the next one. The instruction releases and acquires; the barriers pass that on to the other threads.
    __device__ __forceinline__ unsigned take_ticket(unsigned* counter, unsigned last) {
        unsigned ticket;
        asm volatile("atom.acq_rel.gpu.global.inc.u32 %0, [%1], %2;"
                     : "=r"(ticket)
                     : "l"(__cvta_generic_to_global(counter)), "r"(last)
                     : "memory");
        return ticket;
    }

private:
    Shared& shared_;
    Registers& registers_;
};

/// The blocks of a kernel that a multiprocessor must be able to run at the same time, which bounds their registers;
/// 0: no bound.
template <class Kernel>
inline constexpr int min_blocks_of = [] {
    if constexpr (requires { Kernel::min_blocks; })
        return Kernel::min_blocks;
    else
        return 0;
}();

/// The entry of a kernel on the device.
template <class Kernel>
__global__ void __launch_bounds__(Kernel::threads, min_blocks_of<Kernel>)
    run_kernel(const __grid_constant__ typename Kernel::Arguments arguments) {
    extern __shared__ __align__(128) unsigned char shared_memory[];
    typename Kernel::Registers registers;
    DeviceBlock<Kernel> block{*reinterpret_cast<typename Kernel::Shared*>(shared_memory), registers};
    Kernel::run(block, arguments);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda

#endif
