#pragma once
// IWYU pragma: private, include <tenon/distributed.hpp>

// Nccl: ranks with a GPU each, whose bytes NVIDIA's NCCL moves. Compiling it takes neither CUDA nor NCCL: both
// libraries are loaded when a communicator is made.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <dlfcn.h>

#include <tenon/core/index.hpp>
#include <tenon/distributed/world.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// NCCL's identification of a communicator: 128 bytes that rank 0 makes and all others get.
struct NcclId {
    std::array<char, 128> bytes{};
};

/// The functions of CUDA's driver and of NCCL that Nccl calls, as their headers declare them; pointers to their objects
/// are void*. NCCL 2.7 or later.
template <class Once = void>
class NcclLibrariesOf {
public:
    /// Throws tenon::Error where one of the libraries is not installed or lacks a function.
    NcclLibrariesOf() : driver_{open("libcuda.so.1")}, nccl_{open("libnccl.so.2")} {}

    static void check_driver(int status, const char* action) {
        if (status != 0)
            throw Error(std::string("CUDA's driver could not ") + action + ": error " + std::to_string(status));
    }
    void check(int status, const char* action) const {
        if (status != 0) throw Error(std::string("NCCL could not ") + action + ": " + error_text(status));
    }

private:
    static void* open(const char* name) {
        void* const library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (!library)
            throw Error(std::string("a world of GPUs needs a library that could not be loaded: ") + dlerror());
        return library;
    }
    /// Finds a function by its name, as a pointer of the type of the member that it initializes.
    struct Found {
        void* address;
        template <class Function>
        operator Function*() const {  // NOLINT(google-explicit-constructor): dlsym knows no types
            return reinterpret_cast<Function*>(address);
        }
    };
    static Found find(void* library, const char* name) {
        void* const address = dlsym(library, name);
        if (!address) throw Error(std::string("a loaded library lacks the function ") + name);
        return {address};
    }

    void *driver_, *nccl_;  // loaded to the end of the process, as both have threads of their own

public:
    using Address = unsigned long long;  ///< CUdeviceptr
    int (*init)(unsigned flags) = find(driver_, "cuInit");
    int (*device_of)(int* device, int ordinal) = find(driver_, "cuDeviceGet");
    int (*retain)(void** context, int device) = find(driver_, "cuDevicePrimaryCtxRetain");
    int (*release)(int device) = find(driver_, "cuDevicePrimaryCtxRelease_v2");
    int (*set_current)(void* context) = find(driver_, "cuCtxSetCurrent");
    int (*allocate)(Address* memory, std::size_t bytes) = find(driver_, "cuMemAlloc_v2");
    int (*free)(Address memory) = find(driver_, "cuMemFree_v2");
    int (*upload)(Address to, const void* from, std::size_t bytes, void* stream) = find(driver_,
                                                                                        "cuMemcpyHtoDAsync_v2");
    int (*download)(void* to, Address from, std::size_t bytes, void* stream) = find(driver_, "cuMemcpyDtoHAsync_v2");
    int (*create_stream)(void** stream, unsigned flags) = find(driver_, "cuStreamCreate");
    int (*destroy_stream)(void* stream) = find(driver_, "cuStreamDestroy_v2");
    int (*synchronize)(void* stream) = find(driver_, "cuStreamSynchronize");

    const char* (*error_text)(int status) = find(nccl_, "ncclGetErrorString");
    int (*make_id)(NcclId* id) = find(nccl_, "ncclGetUniqueId");
    int (*begin)(void** communicator, int ranks, NcclId id, int rank) = find(nccl_, "ncclCommInitRank");
    int (*end)(void* communicator) = find(nccl_, "ncclCommDestroy");
    int (*broadcast)(const void* from, void* to, std::size_t count, int type, int root, void* communicator,
                     void* stream) = find(nccl_, "ncclBroadcast");
    int (*all_gather)(const void* from, void* to, std::size_t count, int type, void* communicator,
                      void* stream) = find(nccl_, "ncclAllGather");
    int (*send)(const void* from, std::size_t count, int type, int peer, void* communicator,
                void* stream) = find(nccl_, "ncclSend");
    int (*receive)(void* to, std::size_t count, int type, int peer, void* communicator,
                   void* stream) = find(nccl_, "ncclRecv");
    int (*begin_group)() = find(nccl_, "ncclGroupStart");
    int (*end_group)() = find(nccl_, "ncclGroupEnd");
};

/// What distributed::Nccl is.
template <class Once = void>
class NcclOf {
public:
    /// Called by all ranks, each with the number of its GPU. Throws tenon::Error where the driver or NCCL is not
    /// installed, or there is no such GPU.
    explicit NcclOf(distributed::World processes, int device = 0) : processes_{processes} {
        libraries_.check_driver(libraries_.init(0), "begin");
        libraries_.check_driver(libraries_.device_of(&device_, device), ("find GPU " + std::to_string(device)).c_str());
        libraries_.check_driver(libraries_.retain(&context_, device_), "use the GPU");
        select();
        libraries_.check_driver(libraries_.create_stream(&stream_, 1), "create a stream");  // 1: non-blocking
        NcclId id;
        if (processes.rank() == 0) libraries_.check(libraries_.make_id(&id), "begin");
        processes.broadcast(std::span(&id, 1));
        libraries_.check(libraries_.begin(&communicator_, processes.size(), id, processes.rank()), "connect the ranks");
    }
    NcclOf(const NcclOf&) = delete;
    NcclOf& operator=(const NcclOf&) = delete;
    ~NcclOf() {
        libraries_.set_current(context_);
        libraries_.end(communicator_);
        for (Room* room : {&sent_, &received_})
            if (room->memory != 0) libraries_.free(room->memory);
        libraries_.destroy_stream(stream_);
        libraries_.release(device_);
    }

    int rank() const { return processes_.rank(); }
    int size() const { return processes_.size(); }
    void broadcast(std::span<std::byte> bytes, int root) {
        move(bytes, bytes, [&](const void* from, void* to) {
            return libraries_.broadcast(from, to, bytes.size(), byte_type, root, communicator_, stream_);
        });
    }
    void all_gather(std::span<const std::byte> sent, std::span<std::byte> received) {
        move(sent, received, [&](const void* from, void* to) {
            return libraries_.all_gather(from, to, sent.size(), byte_type, communicator_, stream_);
        });
    }
    void all_to_all(std::span<const std::byte> sent, std::span<std::byte> received) {
        const std::size_t part = sent.size() / index(size());
        move(sent, received, [&](const void* from, void* to) {
            libraries_.check(libraries_.begin_group(), "begin a group");
            int failed = 0;
            for (int peer = 0; peer < size(); ++peer) {
                const std::size_t at = index(peer) * part;
                for (const int status :
                     {libraries_.send(static_cast<const char*>(from) + at, part, byte_type, peer, communicator_,
                                      stream_),
                      libraries_.receive(static_cast<char*>(to) + at, part, byte_type, peer, communicator_, stream_)})
                    if (failed == 0) failed = status;
            }
            const int ended = libraries_.end_group();
            return failed != 0 ? failed : ended;
        });
    }
    void barrier() { processes_.barrier(); }
    void fail(const std::string& reason) { processes_.fail(reason); }
    void remember_checkpoint(const std::string& path) { processes_.remember_checkpoint(path); }

private:
    static constexpr int byte_type = 1;  ///< ncclUint8
    /// Memory of the device that grows.
    struct Room {
        typename NcclLibrariesOf<Once>::Address memory = 0;
        std::size_t bytes = 0;
    };

    /// The driver's current context is one per thread.
    void select() { libraries_.check_driver(libraries_.set_current(context_), "use the GPU"); }

    void* grown(Room& room, std::size_t bytes) {
        if (room.bytes < bytes) {
            if (room.memory != 0) libraries_.check_driver(libraries_.free(room.memory), "free memory");
            room = {};
            libraries_.check_driver(libraries_.allocate(&room.memory, bytes), "allocate memory of the GPU");
            room.bytes = bytes;
        }
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the driver's addresses are numbers, NCCL's are pointers
        return reinterpret_cast<void*>(static_cast<std::uintptr_t>(room.memory));
    }

    /// Copies what is sent to the GPU, calls exchange(from, to), and copies what is received from it.
    template <class Exchange>
    void move(std::span<const std::byte> sent, std::span<std::byte> received, const Exchange& exchange) {
        if (received.empty()) return;
        select();
        const void* const from = grown(sent_, sent.size());
        void* const to = grown(received_, received.size());
        libraries_.check_driver(libraries_.upload(sent_.memory, sent.data(), sent.size(), stream_), "copy to the GPU");
        libraries_.check(exchange(from, to), "send and receive");
        libraries_.check_driver(libraries_.download(received.data(), received_.memory, received.size(), stream_),
                                "copy from the GPU");
        libraries_.check_driver(libraries_.synchronize(stream_), "finish what was sent and received");
    }

    NcclLibrariesOf<Once> libraries_;
    distributed::World processes_;
    int device_ = 0;
    void *context_ = nullptr, *stream_ = nullptr, *communicator_ = nullptr;
    Room sent_, received_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail

namespace tenon::distributed {
inline namespace TENON_ISA_NAMESPACE {

/// The ranks of another world, which has to be there to begin, with a GPU each, whose bytes NCCL moves:
///
///     tenon::distributed::Mpi processes{argc, argv};
///     tenon::distributed::Nccl world{processes, processes.rank() % gpus_of_a_machine};
///
/// NCCL's own sums (ncclAllReduce) are not called: their order depends on the number of ranks and on how they are
/// connected. It moves bytes, and TreeSum adds them in its own order, so the law of equal bits holds as over MPI (test:
/// tests/distributed/nccl_test.cpp). The bytes come from the host's memory and return there.
using Nccl = detail::NcclOf<>;

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::distributed
