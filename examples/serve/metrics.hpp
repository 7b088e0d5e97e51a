// What a server counts, in the text format of Prometheus.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

#include "numbers.hpp"

/// Counts values in buckets, each of which holds all that are not above its bound.
template <std::size_t N>
class Histogram {
public:
    explicit constexpr Histogram(const std::array<double, N>& bounds) : bounds_(bounds) {}

    void add(double value) {
        for (std::size_t i = 0; i < N; ++i) counts_[i] += value <= bounds_[i] ? 1u : 0u;
        ++count_;
        sum_ += value;
    }
    /// The lines of the metric `name` with labels such as `path="/classify"`, or none.
    std::string text(const std::string& name, const std::string& labels) const {
        const std::string comma = labels.empty() ? "" : ",", all = labels.empty() ? "" : "{" + labels + "}";
        std::string lines;
        const auto bucket = [&](const std::string& bound, std::uint64_t count) {
            lines += name + "_bucket{" + labels + comma + "le=\"" + bound + "\"} " + std::to_string(count) + "\n";
        };
        for (std::size_t i = 0; i < N; ++i) bucket(shortest(bounds_[i]), counts_[i]);
        bucket("+Inf", count_);
        return lines + name + "_sum" + all + " " + shortest(sum_) + "\n" + name + "_count" + all + " " +
               std::to_string(count_) + "\n";
    }

private:
    std::array<double, N> bounds_;
    std::array<std::uint64_t, N> counts_{};
    std::uint64_t count_ = 0;
    double sum_ = 0;
};

class Metrics {
public:
    /// A request was answered, or refused before it had a path of its own ("other").
    void add_request(const std::string& path, int status, double seconds) {
        const std::lock_guard lock(mutex_);
        ++requests_[{path, status}];
        latencies_.try_emplace(path, latency_bounds).first->second.add(seconds);
    }
    void add_batch(std::size_t images) {
        const std::lock_guard lock(mutex_);
        batches_.add(static_cast<double>(images));
    }

    std::string text(std::size_t waiting_images, std::size_t connections) const {
        const std::lock_guard lock(mutex_);
        std::string lines;
        const auto describe = [&](const std::string& name, std::string_view type, std::string_view help) {
            lines += "# HELP " + name + " ";
            lines += help;
            lines += "\n# TYPE " + name + " ";
            lines += type;
            lines += "\n";
        };
        describe("serve_requests_total", "counter", "Requests by path and HTTP status.");
        for (const auto& [key, count] : requests_)
            lines += "serve_requests_total{path=\"" + key.first + "\",code=\"" + std::to_string(key.second) + "\"} " +
                     std::to_string(count) + "\n";
        describe("serve_errors_total", "counter", "Requests that were answered with a status of 400 or above.");
        std::uint64_t errors = 0;
        for (const auto& [key, count] : requests_) errors += key.second >= 400 ? count : 0;
        lines += "serve_errors_total " + std::to_string(errors) + "\n";
        describe("serve_request_seconds", "histogram", "Time from a request's headers to the end of its answer.");
        for (const auto& [path, latencies] : latencies_)
            lines += latencies.text("serve_request_seconds", "path=\"" + path + "\"");
        describe("serve_batch_images", "histogram", "Images in the batches that the network computed.");
        lines += batches_.text("serve_batch_images", "");
        describe("serve_waiting_images", "gauge", "Images that wait for a batch.");
        lines += "serve_waiting_images " + std::to_string(waiting_images) + "\n";
        describe("serve_connections", "gauge", "Open connections.");
        lines += "serve_connections " + std::to_string(connections) + "\n";
        describe("process_resident_memory_bytes", "gauge", "Resident memory of the process.");
        return lines + "process_resident_memory_bytes " + std::to_string(resident_bytes()) + "\n";
    }

private:
    static constexpr std::array<double, 12> latency_bounds = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                                                              0.1,   0.2,   0.5,   1,    2,    5};
    static constexpr std::array<double, 8> batch_bounds = {1, 2, 4, 8, 16, 32, 64, 128};

    static std::uint64_t resident_bytes() {
        std::ifstream file("/proc/self/statm");
        std::uint64_t all = 0, resident = 0;
        file >> all >> resident;
        return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    }

    mutable std::mutex mutex_;
    std::map<std::pair<std::string, int>, std::uint64_t> requests_;
    std::map<std::string, Histogram<latency_bounds.size()>> latencies_;
    Histogram<batch_bounds.size()> batches_{batch_bounds};
};
