#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// How images get to a device: copied into pinned memory on several threads, piece by piece, while the pieces before are
// on their way.

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include <tenon/backend/cuda/driver/stream.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Copies memory of the host on several threads. A batch of 256 images of 224 x 224 has 154 MB: at 10 GB/s a thread
/// takes 15 ms, where the device takes 8 for the network and 3 for the copy (estimated: docs/how_to/cuda.md). Of
/// several copies one at a time; none allocates.
template <class Once = void>
class HostCopierOf {
public:
    static constexpr int max_threads = 4;                              ///< more hardly copy faster
    static constexpr std::size_t min_bytes = std::size_t{1} << 20;     ///< less is copied by the caller alone
    static constexpr std::size_t piece_bytes = std::size_t{16} << 20;  ///< of what is copied before it is sent

    HostCopierOf() = default;
    HostCopierOf(const HostCopierOf&) = delete;
    HostCopierOf& operator=(const HostCopierOf&) = delete;
    ~HostCopierOf() {
        {
            const std::lock_guard lock{mutex_};
            is_over_ = true;
        }
        begins_.notify_all();
        for (std::thread& helper : helpers_) helper.join();
    }

    /// Starts helpers, so that with the caller `threads` copy, at most max_threads; 0: one per core this process may
    /// use. Call it once. Where the system has no more threads, there are fewer.
    void start(int threads) {
        const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
        const int count = std::min(threads > 0 ? threads : cores, max_threads) - 1;
        try {
            for (int i = 0; i < count; ++i) helpers_.emplace_back([this, i] { help(detail::index(i)); });
        } catch (const std::system_error&) {
        }
    }

    int threads() const { return static_cast<int>(helpers_.size()) + 1; }

    void copy(void* to, const void* from, std::size_t bytes) {
        if (helpers_.empty() || bytes < min_bytes) {
            std::memcpy(to, from, bytes);
            return;
        }
        {
            const std::lock_guard lock{mutex_};
            job_ = {static_cast<char*>(to), static_cast<const char*>(from), bytes};
            left_ = helpers_.size();
            ++jobs_;
        }
        begins_.notify_all();
        copy_part(job_, helpers_.size());
        std::unique_lock lock{mutex_};
        ends_.wait(lock, [&] { return left_ == 0; });
    }

private:
    struct Job {
        char* to = nullptr;
        const char* from = nullptr;
        std::size_t bytes = 0;
    };

    /// Copies the part of a thread: a whole number of pages, or the rest.
    void copy_part(const Job& job, std::size_t thread) const {
        const std::size_t count = helpers_.size() + 1, part = (job.bytes / count + 4095) / 4096 * 4096;
        const std::size_t begin = std::min(thread * part, job.bytes);
        const std::size_t end = thread + 1 == count ? job.bytes : std::min(begin + part, job.bytes);
        std::memcpy(job.to + begin, job.from + begin, end - begin);
    }

    void help(std::size_t thread) {
        std::unique_lock lock{mutex_};
        for (long done = 0;;) {
            begins_.wait(lock, [&] { return is_over_ || jobs_ != done; });
            if (is_over_) return;
            done = jobs_;
            const Job job = job_;
            lock.unlock();
            copy_part(job, thread);
            lock.lock();
            if (--left_ == 0) ends_.notify_one();
        }
    }

    std::vector<std::thread> helpers_;
    std::mutex mutex_;
    std::condition_variable begins_, ends_;
    Job job_{};
    std::size_t left_ = 0;
    long jobs_ = 0;
    bool is_over_ = false;
};
using HostCopier = HostCopierOf<>;

/// Copies to the device through pinned memory of the same size, on the stream of copies. Nothing else may use the
/// pinned memory until the copies are done.
template <class Driver>
void upload_through(Driver& driver, HostCopier& copier, void* to, void* through, const void* from, std::size_t bytes) {
    for (std::size_t at = 0; at < bytes; at += HostCopier::piece_bytes) {
        const std::size_t piece = std::min(HostCopier::piece_bytes, bytes - at);
        char* const pinned = static_cast<char*>(through) + at;
        copier.copy(pinned, static_cast<const char*>(from) + at, piece);
        driver.upload(static_cast<char*>(to) + at, pinned, piece, Stream::copy);
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
