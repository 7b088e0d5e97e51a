// Gathers the images of requests that arrive together into batches, and computes one batch after another in a thread of
// its own: a network is faster on a batch than on its images one by one.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

/// The queue of a batcher is full; the request may be sent again.
class TooBusy : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// How images are gathered.
struct Batching {
    std::size_t max_images = 8;                ///< in a batch, unless one request has more
    std::chrono::microseconds max_wait{1000};  ///< of the first image of a batch for others
    std::size_t max_waiting = 256;             ///< images; a request beyond that is refused
};

/// Law: an image's logits have the same bits in any batch, beside any others (test: tests/examples/serve_test.py).
class Batcher {
public:
    /// Computes the logits of one or more images; called from one thread.
    using Compute = std::function<std::span<const float>(std::span<const float>)>;

    /// `image_floats` are the numbers of an image; `observe` is told the images of each batch.
    Batcher(Compute compute, std::size_t image_floats, Batching how, std::function<void(std::size_t)> observe)
        : compute_(std::move(compute)),
          image_floats_(image_floats),
          how_(how),
          observe_(std::move(observe)),
          thread_([this] { work(); }) {}
    Batcher(const Batcher&) = delete;
    Batcher& operator=(const Batcher&) = delete;

    /// Answers what is waiting, then ends.
    ~Batcher() {
        {
            const std::lock_guard lock(mutex_);
            ends_ = true;
        }
        changed_.notify_one();
        thread_.join();
    }

    /// The logits of a request's images, one or more; waits for them. Throws TooBusy when the queue is full, and what
    /// computing throws.
    std::vector<float> logits(std::span<const float> images) {
        Request request{.images = images};
        std::unique_lock lock(mutex_);
        const std::size_t count = images.size() / image_floats_;
        if (waiting_ > 0 && waiting_ + count > how_.max_waiting)
            throw TooBusy("too busy: " + std::to_string(waiting_) + " images are waiting, at most " +
                          std::to_string(how_.max_waiting) + " may; send the request again later");
        request.since = std::chrono::steady_clock::now();
        queue_.push_back(&request);
        waiting_ += count;
        changed_.notify_one();
        request.done.wait(lock, [&] { return request.is_done; });
        if (request.failure) std::rethrow_exception(request.failure);
        return std::move(request.logits);
    }

    std::size_t waiting() const {
        const std::lock_guard lock(mutex_);
        return waiting_;
    }

private:
    struct Request {
        std::span<const float> images;
        std::chrono::steady_clock::time_point since{};
        std::vector<float> logits{};
        std::exception_ptr failure{};
        bool is_done = false;
        std::condition_variable done{};
    };

    void work() {
        std::vector<Request*> batch;
        std::vector<float> images;
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [&] { return ends_ || !queue_.empty(); });
            if (queue_.empty()) return;
            changed_.wait_until(lock, queue_.front()->since + how_.max_wait,
                                [&] { return ends_ || waiting_ >= how_.max_images; });
            std::size_t count = 0;
            batch.clear();
            while (!queue_.empty()) {
                const std::size_t more = queue_.front()->images.size() / image_floats_;
                if (count > 0 && count + more > how_.max_images) break;
                batch.push_back(queue_.front());
                queue_.pop_front();
                count += more;
            }
            waiting_ -= count;
            lock.unlock();
            observe_(count);
            run(batch, images);
            lock.lock();
            for (Request* request : batch) {
                request->is_done = true;
                request->done.notify_one();  // with the lock, as the request is gone once its thread has it
            }
        }
    }

    void run(const std::vector<Request*>& batch, std::vector<float>& images) {
        try {
            images.clear();
            for (const Request* request : batch)
                images.insert(images.end(), request->images.begin(), request->images.end());
            std::span<const float> all = compute_(images);
            const std::size_t classes = all.size() / (images.size() / image_floats_);
            for (Request* request : batch) {
                const std::size_t own = request->images.size() / image_floats_ * classes;
                request->logits.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(own));
                all = all.subspan(own);
            }
        } catch (...) {
            for (Request* request : batch) request->failure = std::current_exception();
        }
    }

    Compute compute_;
    std::size_t image_floats_;
    Batching how_;
    std::function<void(std::size_t)> observe_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Request*> queue_;
    std::size_t waiting_ = 0;  // images in the queue
    bool ends_ = false;
    std::thread thread_;
};
