#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Cpu: the backend that runs a network on this machine's vector units, in parallel.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <tenon/backend/cpu/threads/team.hpp>
#include <tenon/core/buffer.hpp>
#include <tenon/core/cold.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/engine/cpu_program.hpp>
#include <tenon/topology/network.hpp>

namespace tenon {

namespace cpu {
inline namespace TENON_ISA_NAMESPACE {

/// What a thread needs to take a group of images through a network. The first one also serves the whole team.
struct ThreadContext {
    ThreadContext(int threads, long arena_floats, long scratch_floats)
        : helpers{threads}, arena{index(arena_floats)}, scratch{index(scratch_floats * threads)} {}

    HelperGroup helpers;
    Buffer<float> arena;
    Buffer<float> scratch;  ///< `scratch_floats` for each thread
    std::atomic<bool> is_busy{false};
};

/// Runs one network on the CPU. All memory is mapped by the constructor, and touched when it is first needed.
///
/// Either all threads work on each step together, or, where a batch has at least two images per thread, each thread
/// takes images of its own through all steps: it waits for nobody and reads nothing that another core wrote. A thread
/// that has no images left helps the others. Throws tenon::Error when an engine that was moved from is called.
///
/// Law: an image's results are bitwise the same either way (test: tests/runtime/determinism_test.cpp).
///
/// `CompiledNet` is a CompiledNetwork, or another table of steps for the network.
template <class Net, class CompiledNet>
class TableEngine {
public:
    using Scalar = float;
    using Compiled = CompiledNet;

    /// Room for `images` images in flight on `threads` threads and, in large batches, as many for each thread.
    TENON_RUNS_ONCE TableEngine(int threads, int images)
        : team_{threads}, images_{images}, weights_{index(Compiled::plan.weight_floats)} {
        for (int worker = 0; worker < team_.size(); ++worker)
            contexts_.push_back(
                std::make_unique<ThreadContext>(worker == 0 ? team_.size() : std::min(team_.size(), max_helper_threads),
                                                Compiled::plan.arena_floats(images), Compiled::plan.scratch_floats));
    }

    /// Takes the network's parameters; `tensors[i]` points to parameter i.
    void set_parameters(std::span<const float* const> tensors) { pack_with(Compiled::packer(tensors)); }

    /// Runs all steps on `count` images.
    void run(const float* images, float* results, long count) { run_images({.floats = images}, results, count); }

    /// The same for images in bytes, pixel by pixel (row, column, channel), that stand for byte * scale[c] + scale[n +
    /// c] in channel c of n, rounded once to double and once to float: the bits of floats made so, with no copy of
    /// them. (test: tests/runtime/determinism_test.cpp)
    void run_bytes(const std::uint8_t* images, const float* scale, float* results, long count) {
        for (std::size_t i = 0; i < byte_values_.size(); ++i) {
            const std::size_t channel = i / InputImages::values_per_channel, byte = i % InputImages::values_per_channel;
            // The product is exact in double, so it makes no difference whether it is fused with the sum.
            byte_values_.data()[i] =
                static_cast<float>(static_cast<double>(byte) * static_cast<double>(scale[channel]) +
                                   static_cast<double>(scale[channels + channel]));
        }
        run_images({.bytes = images, .values = byte_values_.data()}, results, count);
    }

    /// The same, reported to a recorder of the team and to one for each thread.
    void record(const float* images, float* results, long count, StepRecorder& team,
                std::span<StepRecorder* const> threads) {
        struct Observer {
            StepRecorder& recorder;
            void begin(int step, int in_flight) const { recorder.begin(step, in_flight); }
            void operator()(int step) const { recorder.end(step); }
        };
        moved_from_.check("engine");
        const bool together = works_together(count);
        const auto record_with = [&](bool on) {
            team_.record_with(on ? &team : nullptr);
            for (std::size_t i = 0; i < contexts_.size(); ++i)
                contexts_[i]->helpers.record_with(on ? threads[i] : nullptr);
        };
        record_with(true);
        run_parallel({.floats = images}, results, count,
                     [&](int worker) { return Observer{together ? team : *threads[index(worker)]}; });
        record_with(false);
    }

    /// The same, with all threads working together on each step. Calls `observe(step)` after each step: once per image
    /// for steps that run for one image at a time.
    template <class Observe>
    void run(const float* images, float* results, long count, Observe observe) {
        run_together({.floats = images}, results, count, observe);
    }

    /// Runs one step of one image on what is in the arena, for measurements.
    void run_step(int step, const float* image, float* results) {
        moved_from_.check("engine");
        ThreadContext& context = *contexts_[0];
        run_step(step,
                 step < Compiled::plan.joint ? single_frame(context, team_, {.floats = image})
                                             : joint_frame(context, team_, {.floats = image}, results, 1),
                 [](int) {});
    }

    int threads() const { return team_.size(); }

protected:
    void check_not_moved_from() const { moved_from_.check("engine"); }

    /// Packs the weights of all steps.
    template <class Packer>
    void pack_with(const Packer& packer) {
        moved_from_.check("engine");
        std::fill(weights_.begin(), weights_.end(), 0.0f);
        for (const auto& step : Compiled::plan.steps) packer.pack(step, weights_.data());
        for (const auto& step : Compiled::plan.followers) packer.pack(step, weights_.data());
    }

    /// The memory of image `image` of those that a call of `run` with observers has in flight.
    float* arena_of(int image) { return arena_of(*contexts_[0], image); }

private:
    static constexpr long inputs = lowered<Net>.values[0].elements();
    static constexpr std::size_t channels = index(lowered<Net>.values[0].channels);
    static constexpr long outputs = lowered<Net>.values[lowered<Net>.output].elements();

    /// The most threads that work on one thread's images in a large batch, as each takes scratch memory.
    static constexpr int max_helper_threads = 4;

    /// Whether all threads work on each step together.
    bool works_together(long count) const { return team_.size() == 1 || count < 2 * team_.size(); }

    void run_images(const InputImages& images, float* results, long count) {
        run_parallel(images, results, count, [](int) { return [](int) {}; });
    }

    template <class Observe>
    void run_together(const InputImages& images, float* results, long count, Observe observe) {
        moved_from_.check("engine");
        for (long first = 0; first < count; first += images_)
            run_group(*contexts_[0], team_, images.after(first * inputs), results + first * outputs,
                      static_cast<int>(std::min<long>(images_, count - first)), observe);
    }

    /// Runs all steps on `count` images; the worker that takes images through the steps has `observer_of(worker)`.
    template <class ObserverOf>
    void run_parallel(const InputImages& images, float* results, long count, ObserverOf observer_of) {
        moved_from_.check("engine");
        if (works_together(count)) return run_together(images, results, count, observer_of(0));
        const int threads = team_.size();
        const int group = static_cast<int>(std::min<long>(images_, (count + threads - 1) / threads));
        const int groups = static_cast<int>((count + group - 1) / group);
        team_.run_items(groups, [&](WorkerItems& items) {
            ThreadContext& mine = *contexts_[index(items.worker)];
            mine.is_busy = true;
            for (int g = items.next(); g >= 0; g = items.next()) {
                const long first = long{group} * g;
                run_group(mine, mine.helpers, images.after(first * inputs), results + first * outputs,
                          static_cast<int>(std::min<long>(group, count - first)), observer_of(items.worker));
            }
            mine.is_busy = false;
            for (const auto& other : contexts_)
                if (other->is_busy) other->helpers.volunteer([&] { return other->is_busy.load(); });
        });
    }

    template <class Observe>
    void run_group(ThreadContext& context, Workers& team, const InputImages& images, float* results, int count,
                   Observe observe) {
        for (int image = 0; image < count && Compiled::plan.joint > 0; ++image) {
            const Frame frame = single_frame(context, team, images.after(image * inputs));
            for (int i = 0; i < Compiled::plan.joint; ++i) run_step(i, frame, observe);
            hand_over(context, image);
        }
        const Frame frame = joint_frame(context, team, images, results, count);
        for (int i = Compiled::plan.joint; i < Compiled::steps; ++i) run_step(i, frame, observe);
    }

    template <class Observe>
    static void run_step(int step, const Frame& frame, Observe observe) {
        if constexpr (requires { observe.begin(step, frame.images); }) observe.begin(step, frame.images);
        Compiled::functions[step](Compiled::plan.steps[step], frame);
        observe(step);
    }

    Frame single_frame(ThreadContext& context, Workers& team, const InputImages& image) const {
        return {.arena = context.arena.data(),
                .weights = weights_.data(),
                .input = image,
                .team = &team,
                .scratch = context.scratch.data(),
                .scratch_floats = Compiled::plan.scratch_floats,
                .followers = Compiled::plan.followers.begin()};
    }

    /// Without followers: Compiled asserts that no step from `joint` on has one.
    Frame joint_frame(ThreadContext& context, Workers& team, const InputImages& images, float* results,
                      int count) const {
        return {.arena = arena_of(context, 0),
                .image_floats = Compiled::plan.image_floats,
                .weights = weights_.data(),
                .input = images,
                .output = results,
                .images = count,
                .team = &team,
                .scratch = context.scratch.data(),
                .scratch_floats = Compiled::plan.scratch_floats};
    }

    static float* arena_of(ThreadContext& context, int image) {
        return context.arena.data() + Compiled::plan.single_floats + image * Compiled::plan.image_floats;
    }

    /// Copies what the steps for one image leave to where the steps for all images read it (plan/plan.hpp: handover).
    static void hand_over(ThreadContext& context, int image) {
        for (const auto& value : Compiled::plan.handovers) {
            const float* const from = context.arena.data() + value.from;
            std::copy(from, from + value.floats, arena_of(context, image) + value.to);
        }
    }

    Team team_;
    int images_;
    Buffer<float> weights_;
    Buffer<float> byte_values_{channels * InputImages::values_per_channel};  ///< what bytes of images stand for
    std::vector<std::unique_ptr<ThreadContext>>
        contexts_;  ///< one per thread; where all threads work together, the first is used
    MovedFrom moved_from_;
};

/// Runs one network on the CPU in 32-bit floats.
template <class Net, ConvAlgorithm Algorithm = ConvAlgorithm::fast>
class Engine : public TableEngine<Net, CompiledNetwork<Net, Algorithm>> {
public:
    using TableEngine<Net, CompiledNetwork<Net, Algorithm>>::TableEngine;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace cpu

/// The backend for this machine's processor: layout NCHW16c, register tiles, threads of oneTBB. Scalars are float. 3x3
/// convolutions are computed by Winograd and pointwise ones by Strassen where that is faster; the error stays within
/// 1e-5 of the largest result (test: tests/models, parity with PyTorch).
struct Cpu {
    template <class Net>
    using Engine = cpu::Engine<Net, cpu::ConvAlgorithm::fast>;
};

/// The same backend with every convolution computed as a plain sum of products.
struct ExactCpu {
    template <class Net>
    using Engine = cpu::Engine<Net, cpu::ConvAlgorithm::exact>;
};

}  // namespace tenon
