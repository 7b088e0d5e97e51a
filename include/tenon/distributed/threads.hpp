#pragma once
// IWYU pragma: private, include <tenon/distributed.hpp>

// Threads: ranks that are threads of one process, for tests of what processes do together.

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/distributed/world.hpp>

namespace tenon::distributed {
inline namespace TENON_ISA_NAMESPACE {

/// `Ranks` ranks, each on a thread of its own: `Threads<4>{}.run([](auto& world) { ... });`.
template <int Ranks>
class Threads {
    static_assert(Ranks >= 1, "tenon: a world has at least one rank");

public:
    /// The communicator of one rank. When a rank has failed, the others throw tenon::Error, which names it, from
    /// whatever they wait in or call next.
    class Rank {
    public:
        Rank(Threads& all, int rank) : all_{all}, rank_{rank} {}
        int rank() const { return rank_; }
        int size() const { return Ranks; }
        void broadcast(std::span<std::byte> bytes, int root) {
            all_.exchange(rank_, bytes, [&] {
                if (rank_ != root) std::ranges::copy(all_.sent(root), bytes.begin());
            });
        }
        void all_gather(std::span<const std::byte> sent, std::span<std::byte> received) {
            all_.exchange(rank_, sent, [&] {
                for (int from = 0; from < Ranks; ++from)
                    if (const auto to = part(received, sent.size(), from); to.data() != sent.data())
                        std::ranges::copy(all_.sent(from), to.begin());
            });
        }
        void all_to_all(std::span<const std::byte> sent, std::span<std::byte> received) {
            all_.exchange(rank_, sent, [&] {
                const std::size_t size = sent.size() / Ranks;
                for (int from = 0; from < Ranks; ++from)
                    std::ranges::copy(part(all_.sent(from), size, rank_), part(received, size, from).begin());
            });
        }
        void barrier() { all_.wait(); }
        void fail(const std::string& reason) { all_.fail(rank_, reason); }

    private:
        template <class Bytes>
        static Bytes part(Bytes bytes, std::size_t size, int index) {
            return bytes.subspan(size * detail::index(index), size);
        }
        Threads& all_;
        int rank_;
    };

    Threads() = default;
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;

    /// Calls work(rank) on each thread and waits for all. If any throws, so does run: the exception of the rank that
    /// failed first.
    template <class Work>
    void run(const Work& work) {
        std::array<std::exception_ptr, detail::index(Ranks)> failures{};
        // Calls f, and ends the others' waiting if it throws; that includes a thread that the system doesn't give.
        const auto guarded = [&](int rank, const auto& f) {
            try {
                f();
            } catch (const std::exception& error) {
                failures[detail::index(rank)] = std::current_exception();
                fail(rank, error.what());
            }
        };
        std::vector<std::thread> threads;  // libc++ 16 has no std::jthread
        threads.reserve(detail::index(Ranks));
        for (int rank = 0; rank < Ranks; ++rank)
            guarded(rank, [&] {
                threads.emplace_back([&, rank] {
                    guarded(rank, [&] {
                        Rank mine{*this, rank};
                        work(mine);
                    });
                });
            });
        for (std::thread& thread : threads) thread.join();
        if (failed_ < 0) return;
        if (const auto& failure = failures[detail::index(failed_)]) std::rethrow_exception(failure);
        check();  // the rank has failed without an exception
    }

private:
    std::span<const std::byte> sent(int rank) const { return sent_[detail::index(rank)]; }

    /// Shows the others `bytes`, reads theirs, and keeps the own ones until all have read them.
    template <class Read>
    void exchange(int rank, std::span<const std::byte> bytes, const Read& read) {
        sent_[detail::index(rank)] = bytes;
        wait();
        read();
        wait();
    }
    void wait() {
        std::unique_lock lock{mutex_};
        check();
        const long round = round_;
        if (++arrived_ == Ranks) {
            arrived_ = 0;
            ++round_;
            changed_.notify_all();
            return;
        }
        changed_.wait(lock, [&] { return round_ != round || failed_ >= 0; });
        if (round_ == round) check();
    }
    void check() const {
        if (failed_ >= 0)
            throw Error("rank " + std::to_string(failed_) + " of " + std::to_string(Ranks) + " failed: " + reason_);
    }
    void fail(int rank, const std::string& reason) {
        const std::lock_guard lock{mutex_};
        if (failed_ >= 0) return;
        failed_ = rank;
        reason_ = reason;
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::array<std::span<const std::byte>, detail::index(Ranks)> sent_{};
    int arrived_ = 0;
    long round_ = 0;
    int failed_ = -1;
    std::string reason_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::distributed
