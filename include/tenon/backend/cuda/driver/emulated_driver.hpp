#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The emulated driver: memory of the host, kernels in the emulator, streams that do everything as late as allowed, and
// a record of all calls.
//
// The interface of a driver (this one, and DeviceDriver over CUDA's runtime): allocate/release for memory of the device
// and allocate_host/release_host for pinned memory; upload, download and launch on a stream; record/wait for the order
// between streams; record_graph(f) to record what f launches instead of running it, launch_graph to run it;
// synchronize; select() for the time in which a library is called for its device.

#include <atomic>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include <tenon/backend/cuda/driver/chosen_device.hpp>
#include <tenon/backend/cuda/driver/stream.hpp>
#include <tenon/backend/cuda/language/emulator.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Runs on the host what an engine asks of the device. Laziness is the point: a copy is made, and memory of the host is
/// read, only when somebody waits for it, so a missing wait shows as a wrong result (a NaN, as memory is poisoned).
class EmulatedDriver {
public:
    using Graph = int;
    using Event = int;

    static constexpr int devices = 2;  ///< how many there seem to be; the first is current

    /// `multiprocessors` is the number it reports; tiles and splits of convolutions depend on it.
    explicit EmulatedDriver(int multiprocessors = 4) : multiprocessors_{multiprocessors} {}
    explicit EmulatedDriver(ChosenDevice device) : device_{number_of(device, 0, devices)} { ++drivers_made[device_]; }
    EmulatedDriver(const EmulatedDriver&) = delete;
    EmulatedDriver& operator=(const EmulatedDriver&) = delete;
    ~EmulatedDriver() {
        for (const auto& [memory, size] : blocks_) ::operator delete (memory, std::align_val_t{256});
    }

    void* allocate(std::size_t bytes) { return take("allocate", bytes); }
    void* allocate_host(std::size_t bytes) { return take("allocate_host", bytes); }
    void release(void* memory) { give_back("release", memory); }
    void release_host(void* memory) { give_back("release_host", memory); }

    void upload(void* to, const void* from, std::size_t bytes, Stream stream) {
        copy("upload", to, from, bytes, stream);
    }
    void download(void* to, const void* from, std::size_t bytes, Stream stream) {
        copy("download", to, from, bytes, stream);
    }

    /// Launches a kernel on the compute stream, or records it for the open graph.
    template <class Kernel>
    void launch(Grid grid, const typename Kernel::Arguments& arguments) {
        if (grid.x < 1 || grid.y < 1 || grid.z < 1 || grid.y > 65535 || grid.z > 65535)
            throw Error(std::string("kernel ") + Kernel::name + " is launched with a grid of " +
                        std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " + std::to_string(grid.z) +
                        " blocks");
        log("launch " + std::string(Kernel::name) + " " + std::to_string(grid.x) + "x" + std::to_string(grid.y) + "x" +
            std::to_string(grid.z) + " of " + std::to_string(Kernel::threads));
        const std::uint64_t seed = ++seed_;
        auto work = [grid, arguments, seed] { emulate<Kernel>(grid, arguments, seed); };
        if (recording_ >= 0)
            graphs_[recording_].push_back(std::move(work));
        else
            push(Stream::compute, std::move(work));
    }

    template <class F>
    Graph record_graph(const F& f) {
        log("begin_graph");
        recording_ = next_graph_++;
        graphs_[recording_];
        f();
        log("end_graph of " + std::to_string(graphs_[recording_].size()));
        return std::exchange(recording_, -1);
    }
    void launch_graph(Graph graph) {
        log("launch_graph " + std::to_string(graph));
        push(Stream::compute, [this, graph] {
            for (const auto& work : graphs_[graph]) work();
        });
    }
    void release_graph(Graph graph) {
        log("release_graph " + std::to_string(graph));
        graphs_.erase(graph);
    }

    Event make_event() { return static_cast<int>(events_++); }
    void release_event(Event) {}
    void record(Event event, Stream stream) {
        log("record " + std::to_string(event) + name(stream));
        recorded_[event] = {stream, pushed_[index(stream)]};
    }
    /// The stream continues after what was recorded.
    void wait(Event event, Stream stream) {
        log("wait " + std::to_string(event) + name(stream));
        const auto found = recorded_.find(event);
        if (found == recorded_.end()) return;  // as CUDA does
        push(stream, [this, point = found->second] { run_until(point.stream, point.count); });
    }
    /// The host continues after what was recorded.
    void synchronize(Event event) {
        log("synchronize " + std::to_string(event));
        const auto found = recorded_.find(event);
        if (found != recorded_.end()) run_until(found->second.stream, found->second.count);
    }
    void synchronize(Stream stream) {
        log("synchronize" + name(stream));
        run_until(stream, pushed_[index(stream)]);
    }

    int multiprocessors() const { return multiprocessors_; }
    int device() const { return device_; }
    /// How many drivers have been made for a device that was chosen.
    static int made_on(int device) { return drivers_made[device]; }

    /// Memory of the host has no device to select.
    int select() const { return device_; }

    /// All calls so far, one per line.
    const std::vector<std::string>& calls() const { return calls_; }
    void clear_calls() { calls_.clear(); }
    /// Bytes that are allocated now.
    std::size_t bytes() const {
        std::size_t sum = 0;
        for (const auto& [memory, size] : blocks_) sum += size;
        return sum;
    }

private:
    struct Point {
        Stream stream;
        long count;
    };

    static std::size_t index(Stream stream) { return static_cast<std::size_t>(stream); }
    static std::string name(Stream stream) { return stream == Stream::compute ? " compute" : " copy"; }
    void log(std::string call) { calls_.push_back(std::move(call)); }

    void* take(const char* call, std::size_t bytes) {
        log(std::string(call) + " " + std::to_string(bytes));
        void* const memory = ::operator new (bytes, std::align_val_t{256});
        std::memset(memory, 0xff, bytes);
        blocks_[memory] = bytes;
        return memory;
    }
    void give_back(const char* call, void* memory) {
        if (!memory) return;
        log(call);
        if (blocks_.erase(memory) != 1) throw Error("memory is released that was not allocated");
        ::operator delete (memory, std::align_val_t{256});
    }

    void copy(const char* call, void* to, const void* from, std::size_t bytes, Stream stream) {
        log(std::string(call) + " " + std::to_string(bytes) + name(stream));
        push(stream, [to, from, bytes] { std::memcpy(to, from, bytes); });
    }

    void push(Stream stream, std::function<void()> work) {
        if (recording_ >= 0) throw Error("only kernels can be recorded in a graph");
        queues_[index(stream)].push_back(std::move(work));
        ++pushed_[index(stream)];
    }
    void run_until(Stream stream, long count) {
        auto& queue = queues_[index(stream)];
        while (done_[index(stream)] < count) {
            const std::function<void()> work = std::move(queue.front());
            queue.pop_front();
            ++done_[index(stream)];
            work();
        }
    }

    std::map<void*, std::size_t> blocks_;
    std::map<int, std::vector<std::function<void()>>> graphs_;
    std::map<int, Point> recorded_;
    std::deque<std::function<void()>> queues_[streams];
    long pushed_[streams]{}, done_[streams]{};
    std::vector<std::string> calls_;
    std::uint64_t seed_ = 0;
    long events_ = 0;
    int recording_ = -1, next_graph_ = 0;
    int multiprocessors_ = 4, device_ = 0;
    static inline std::atomic<int> drivers_made[devices]{};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
