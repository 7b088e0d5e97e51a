// The threads of an HTTP server's connections: as many as it is told, and one that refuses the others.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <httplib.h>

struct HttpLimits {
    std::size_t body_bytes = std::size_t{16} << 20;
    std::size_t connections = 64;          ///< served at once, a thread each
    std::size_t waiting_connections = 64;  ///< for one of them to end; others are refused
    std::chrono::seconds idle{5};          ///< that a client may be silent
};

namespace http {

/// What a thread is doing.
struct Work {
    bool refuses = false;     ///< always, as it is the one that refuses connections
    bool is_counted = false;  ///< in what is to be answered: a new connection, or a request
    bool has_begun = false;   ///< a request
    std::chrono::steady_clock::time_point since{};
};
inline Work& work() {
    thread_local Work value;
    return value;
}

/// Threads that serve connections, and one more that refuses those for which there is no room.
class Connections final : public httplib::TaskQueue {
public:
    using Count = std::atomic<std::size_t>;

    Connections(const HttpLimits& limits, const std::atomic<bool>& stopping, Count& open, Count& to_answer)
        : limits_(limits), stopping_(stopping), open_(open), to_answer_(to_answer) {
        for (std::size_t i = 0; i < limits.connections; ++i) threads_.emplace_back([this] { serve(waiting_); });
        threads_.emplace_back([this] {
            work().refuses = true;
            serve(refused_);
        });
    }

    void enqueue(std::function<void()> connection) override {
        const std::lock_guard lock(mutex_);
        const bool has_room = !stopping_ && waiting_.size() + busy_ < limits_.connections + limits_.waiting_connections;
        (has_room ? waiting_ : refused_).push_back(std::move(connection));
        ++to_answer_;
        changed_.notify_all();
    }
    void shutdown() override {
        {
            const std::lock_guard lock(mutex_);
            ends_ = true;
        }
        changed_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

private:
    using Queue = std::deque<std::function<void()>>;

    void serve(Queue& queue) {
        for (;;) {
            std::function<void()> connection;
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [&] { return ends_ || !queue.empty(); });
                if (queue.empty()) return;
                connection = std::move(queue.front());
                queue.pop_front();
                if (!work().refuses) ++busy_;
            }
            ++open_;
            work().is_counted = true;  // since enqueue
            connection();
            if (std::exchange(work().is_counted, false)) --to_answer_;
            --open_;
            const std::lock_guard lock(mutex_);
            if (!work().refuses) --busy_;
        }
    }

    const HttpLimits& limits_;
    const std::atomic<bool>& stopping_;
    Count &open_, &to_answer_;
    std::mutex mutex_;
    std::condition_variable changed_;
    Queue waiting_, refused_;
    std::size_t busy_ = 0;  // threads with a connection that is not refused
    bool ends_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace http
