#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The recorded graphs of a runner: one per size of a batch and whatever else changes the launches.

#include <map>
#include <utility>

#include <tenon/backend/cuda/driver/stream.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Graphs by key. A server may get batches of all sizes, so the graph that was used longest ago makes room when there
/// are `max_graphs` (test: tests/backend/cuda/driver_test.cpp). The driver must outlive it.
template <class Key, class Driver>
class GraphCache {
public:
    using Graph = typename Driver::Graph;
    static constexpr std::size_t max_graphs = 64;

    explicit GraphCache(Driver& driver) : driver_{driver} {}
    GraphCache(const GraphCache&) = delete;
    GraphCache& operator=(const GraphCache&) = delete;
    ~GraphCache() {
        for (const auto& [key, entry] : graphs_) driver_.release_graph(entry.graph);
    }

    /// The graph of a key; f launches what it consists of, if it is not there.
    template <class F>
    Graph get(const Key& key, const F& f) {
        if (const auto found = graphs_.find(key); found != graphs_.end()) {
            found->second.used = ++uses_;
            return found->second.graph;
        }
        const Graph graph = driver_.record_graph(f);
        if (graphs_.size() >= max_graphs) release_oldest();
        graphs_[key] = {graph, ++uses_};
        return graph;
    }

private:
    struct Entry {
        Graph graph{};
        long used = 0;
    };

    /// A graph may still be running: the driver finishes it before it is released.
    void release_oldest() {
        auto oldest = graphs_.begin();
        for (auto entry = graphs_.begin(); entry != graphs_.end(); ++entry)
            if (entry->second.used < oldest->second.used) oldest = entry;
        driver_.synchronize(Stream::compute);
        driver_.release_graph(oldest->second.graph);
        graphs_.erase(oldest);
    }

    Driver& driver_;
    std::map<Key, Entry> graphs_;
    long uses_ = 0;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
