#pragma once
// IWYU pragma: private, include <tenon/distributed.hpp>

// Communicator: what processes that train together need of each other; Alone, a process without others; World, a
// reference to a communicator of any type.

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::distributed {
inline namespace TENON_ISA_NAMESPACE {

/// One of `size()` ranks that work together, numbered from 0. All but `rank`, `size` and `fail` are called by all ranks
/// in the same order, with spans of the same sizes, and move bytes without changing them: sums are made by TreeSum, so
/// that their bits don't depend on the communicator.
///
/// - `broadcast(bytes, root)`: every rank gets the bytes of `root`.
/// - `all_gather(sent, received)`: every rank gets what all have sent, in the order of ranks. `sent` may be the rank's
/// own
///   part of `received`.
/// - `all_to_all(sent, received)`: of `size()` equal parts, part i is sent to rank i; received in the order of ranks. A
///   rank need not get its own part, which it has.
/// - `barrier()`: returns when all ranks have called it.
/// - `fail(reason)`: ends the work of all ranks, which may be waiting for this one; says who failed and why.
///
/// It may also have `remember_checkpoint(path)`: what to resume from, to be said if a rank is lost.
template <class T>
concept Communicator = requires(T& world, const T& constant, std::span<const std::byte> sent,
                                std::span<std::byte> received, int root, const std::string& reason) {
    { constant.rank() } -> std::same_as<int>;
    { constant.size() } -> std::same_as<int>;
    world.broadcast(received, root);
    world.all_gather(sent, received);
    world.all_to_all(sent, received);
    world.barrier();
    world.fail(reason);
};

/// A process that trains without others.
class Alone {
public:
    int rank() const { return 0; }
    int size() const { return 1; }
    void broadcast(std::span<std::byte>, int) {}
    void all_gather(std::span<const std::byte> sent, std::span<std::byte> received) { copy(sent, received); }
    void all_to_all(std::span<const std::byte> sent, std::span<std::byte> received) { copy(sent, received); }
    void barrier() {}
    void fail(const std::string&) {}

private:
    static void copy(std::span<const std::byte> sent, std::span<std::byte> received) {
        if (sent.data() != received.data()) std::ranges::copy(sent, received.begin());
    }
};

/// Refers to a communicator, which must outlive it; by default to one that is Alone.
class World {
public:
    World() = default;
    template <Communicator Model>
    requires(!std::same_as<Model, World>) World(Model& model)
        : object_{std::addressof(model)}, calls_{&calls_of<Model>}, rank_{model.rank()}, size_{model.size()} {}

    int rank() const { return rank_; }
    int size() const { return size_; }
    /// "rank 2 of 4"
    std::string name() const { return name(rank_); }
    std::string name(int rank) const { return "rank " + std::to_string(rank) + " of " + std::to_string(size_); }

    void broadcast(std::span<std::byte> bytes, int root = 0) const { calls_->broadcast(object_, bytes, root); }
    void all_gather(std::span<const std::byte> sent, std::span<std::byte> received) const {
        expect(received.size(), sent.size() * detail::index(size_));
        calls_->all_gather(object_, sent, received);
    }
    void all_to_all(std::span<const std::byte> sent, std::span<std::byte> received) const {
        expect(received.size(), sent.size());
        calls_->all_to_all(object_, sent, received);
    }
    void barrier() const { calls_->barrier(object_); }
    void fail(const std::string& reason) const { calls_->fail(object_, reason); }
    void remember_checkpoint(const std::string& path) const { calls_->remember_checkpoint(object_, path); }

    /// The same for values of any type that may be copied as bytes.
    template <class T>
    requires std::is_trivially_copyable_v<T>
    void broadcast(std::span<T> values, int root = 0) const { broadcast(std::as_writable_bytes(values), root); }
    template <class T>
    requires std::is_trivially_copyable_v<T>
    void all_gather(std::span<const T> sent, std::span<T> received) const {
        all_gather(std::as_bytes(sent), std::as_writable_bytes(received));
    }
    template <class T>
    requires std::is_trivially_copyable_v<T>
    void all_to_all(std::span<const T> sent, std::span<T> received) const {
        all_to_all(std::as_bytes(sent), std::as_writable_bytes(received));
    }

private:
    struct Calls {
        void (*broadcast)(void*, std::span<std::byte>, int);
        void (*all_gather)(void*, std::span<const std::byte>, std::span<std::byte>);
        void (*all_to_all)(void*, std::span<const std::byte>, std::span<std::byte>);
        void (*barrier)(void*);
        void (*fail)(void*, const std::string&);
        void (*remember_checkpoint)(void*, const std::string&);
    };
    template <class Model>
    static constexpr Calls calls_of{
        [](void* model, std::span<std::byte> bytes, int root) { static_cast<Model*>(model)->broadcast(bytes, root); },
        [](void* model, std::span<const std::byte> sent, std::span<std::byte> received) {
            static_cast<Model*>(model)->all_gather(sent, received);
        },
        [](void* model, std::span<const std::byte> sent, std::span<std::byte> received) {
            static_cast<Model*>(model)->all_to_all(sent, received);
        },
        [](void* model) { static_cast<Model*>(model)->barrier(); },
        [](void* model, const std::string& reason) { static_cast<Model*>(model)->fail(reason); },
        []([[maybe_unused]] void* model, [[maybe_unused]] const std::string& path) {
            if constexpr (requires(Model & world) { world.remember_checkpoint(path); })
                static_cast<Model*>(model)->remember_checkpoint(path);
        }};

    static void expect(std::size_t found, std::size_t expected) {
        if (found != expected)
            throw Error("a world of processes would receive " + std::to_string(expected) +
                        " bytes, expected room for " + "as many, found " + std::to_string(found));
    }

    void* object_ = nullptr;
    const Calls* calls_ = &calls_of<Alone>;
    int rank_ = 0, size_ = 1;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::distributed
