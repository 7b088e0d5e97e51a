// Cpu: the backend that runs a network on this machine's vector units, in parallel.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>

#include <tenon/backend/cpu/pack_weights.hpp>
#include <tenon/backend/cpu/step_function.hpp>
#include <tenon/core/buffer.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/program/optimize.hpp>
#include <tenon/program/passes/thin_projections.hpp>
#include <tenon/topology/network.hpp>

namespace tenon {

inline namespace TENON_ISA_NAMESPACE {

/// A network's optimised program, its plan for the CPU and the kernels of its steps.
template <class Net, ConvAlgorithm Algorithm = ConvAlgorithm::fast>
struct CpuProgram {
    static constexpr auto program = thin_projections(optimize(lowered<Net>, JoinsUnlessWinograd{Algorithm}));
    static constexpr auto plan = [] {
        constexpr auto plan = CpuPlanner<capacity<Net>>{program, Algorithm}.plan();
        return plan.template trimmed<plan.steps.size(), plan.followers.size(), plan.handovers.size()>();
    }();
    static constexpr int steps = plan.steps.size();

    /// The kernels, one per step.
    static constexpr auto functions = []<int... I>(std::integer_sequence<int, I...>) {
        return FixedVector<StepFunction, steps>{{step_function<plan, I>()...}, steps};
    }
    (std::make_integer_sequence<int, steps>{});
};

/// Runs one network on the CPU. All memory is mapped by the constructor, and touched when it is needed.
///
/// The threads work on a step together, or, where a batch has images for all of them, each goes its own way through the
/// network with images of its own: it waits for nobody and reads nothing that another core wrote. Who has no images
/// left helps the others. An engine that was moved from throws tenon::Error when it is called.
///
/// Law: an image's results are bitwise the same either way (test: tests/runtime/determinism_test.cpp).
template <class Net, ConvAlgorithm Algorithm = ConvAlgorithm::fast>
class CpuEngine {
public:
    using Scalar = float;
    using Compiled = CpuProgram<Net, Algorithm>;

    /// Room for `images` images in flight on `threads` threads, and as many for each thread in large batches.
    CpuEngine(int threads, int images)
        : team_{threads}, images_{images}, weights_{static_cast<std::size_t>(Compiled::plan.weight_floats)} {
        for (int rank = 0; rank < team_.size(); ++rank)
            lanes_.emplace_back(rank == 0 ? team_.size() : std::min(team_.size(), most_crew), images);
    }

    /// Takes the network's parameters; `tensors[i]` points to parameter i.
    void set_parameters(std::span<const float* const> tensors) {
        moved_from_.check("engine");
        std::fill(weights_.begin(), weights_.end(), 0.0f);
        const WeightPacker packer{std::span(lowered<Net>.layers.begin(), lowered<Net>.layers.end()), tensors};
        for (const Step& step : Compiled::plan.steps) packer.pack(step, weights_.data());
        for (const Step& step : Compiled::plan.followers) packer.pack(step, weights_.data());
    }

    /// Runs all steps on `count` images.
    void run(const float* images, float* results, long count) {
        moved_from_.check("engine");
        const int threads = team_.size();
        if (threads == 1 || count < 2 * threads) return run(images, results, count, [](int) {});
        const int group = static_cast<int>(std::min<long>(images_, (count + threads - 1) / threads));
        const int groups = static_cast<int>((count + group - 1) / group);
        const Items items = team_.deal_items(groups);
        team_.run([&](int rank, int) {
            Lane& mine = lanes_[static_cast<std::size_t>(rank)];
            mine.is_busy = true;
            for (int g = team_.take_item(items, rank); g >= 0; g = team_.take_item(items, rank)) {
                const long first = static_cast<long>(group) * g;
                run_group(mine, mine.crew, images + first * inputs, results + first * outputs,
                          static_cast<int>(std::min<long>(group, count - first)), [](int) {});
            }
            mine.is_busy = false;
            for (Lane& other : lanes_)
                if (other.is_busy) other.crew.volunteer([&] { return other.is_busy.load(); });
        });
    }

    /// The same, all threads together on each step; `observe(step)` is called behind each, so once per image for the
    /// steps that work on one at a time.
    template <class Observe>
    void run(const float* images, float* results, long count, Observe observe) {
        moved_from_.check("engine");
        for (long first = 0; first < count; first += images_)
            run_group(lanes_[0], team_, images + first * inputs, results + first * outputs,
                      static_cast<int>(std::min<long>(images_, count - first)), observe);
    }

    /// Runs one step of one image on what the arena holds, for measurements.
    void run_step(int step, const float* image, float* results) {
        moved_from_.check("engine");
        Lane& lane = lanes_[0];
        run_step(step,
                 step < Compiled::plan.joint ? single_frame(lane, team_, image)
                                             : joint_frame(lane, team_, image, results, 1),
                 [](int) {});
    }

    int threads() const { return team_.size(); }

private:
    static constexpr long inputs = lowered<Net>.values[0].elements();
    static constexpr long outputs = lowered<Net>.values[lowered<Net>.output].elements();

    /// Threads that work on a lane's images at most, but for those that the whole team works on: each takes memory.
    static constexpr int most_crew = 4;

    /// What a group of images needs on its way through the network.
    struct Lane {
        Lane(int threads, int images)
            : crew{Team::crew(threads)},
              arena{static_cast<std::size_t>(Compiled::plan.arena_floats(images))},
              scratch{static_cast<std::size_t>(Compiled::plan.scratch_floats * threads)} {}

        Team crew;
        Buffer<float> arena;
        Buffer<float> scratch;
        std::atomic<bool> is_busy{false};
    };

    template <class Observe>
    void run_group(Lane& lane, const Team& team, const float* images, float* results, int count, Observe observe) {
        for (int image = 0; image < count && Compiled::plan.joint > 0; ++image) {
            const Frame frame = single_frame(lane, team, images + image * inputs);
            for (int i = 0; i < Compiled::plan.joint; ++i) run_step(i, frame, observe);
            hand_over(lane, image);
        }
        const Frame frame = joint_frame(lane, team, images, results, count);
        for (int i = Compiled::plan.joint; i < Compiled::steps; ++i) run_step(i, frame, observe);
    }

    template <class Observe>
    static void run_step(int step, const Frame& frame, Observe observe) {
        Compiled::functions[step](Compiled::plan.steps[step], frame);
        observe(step);
    }

    Frame single_frame(Lane& lane, const Team& team, const float* image) const {
        return {lane.arena.data(),
                0,
                weights_.data(),
                image,
                nullptr,
                1,
                &team,
                lane.scratch.data(),
                Compiled::plan.scratch_floats,
                Compiled::plan.followers.begin()};
    }

    Frame joint_frame(Lane& lane, const Team& team, const float* images, float* results, int count) const {
        return {arena_of(lane, 0),   Compiled::plan.image_floats,  weights_.data(), images, results, count, &team,
                lane.scratch.data(), Compiled::plan.scratch_floats};
    }

    static float* arena_of(Lane& lane, int image) {
        return lane.arena.data() + Compiled::plan.single_floats + image * Compiled::plan.image_floats;
    }

    /// Moves what the steps on one image leave to where the steps on all images read it.
    static void hand_over(Lane& lane, int image) {
        for (const Handover& value : Compiled::plan.handovers)
            std::copy_n(lane.arena.data() + value.from, value.floats, arena_of(lane, image) + value.to);
    }

    Team team_;
    int images_;
    Buffer<float> weights_;
    std::deque<Lane> lanes_;  ///< one a thread; what all do together uses the first
    detail::MovedFrom moved_from_;
};

}  // namespace TENON_ISA_NAMESPACE

/// The backend of this machine's processor: NCHW16c, register tiles, oneTBB. Scalars are floats. 3x3 convolutions are
/// computed by Winograd and pointwise ones by Strassen where that is faster; the error stays within 1e-5 of the largest
/// result (test: tests/models, parity with PyTorch).
struct Cpu {
    template <class Net>
    using Engine = CpuEngine<Net, ConvAlgorithm::fast>;
};

/// The same with every convolution as a plain sum of products.
struct ExactCpu {
    template <class Net>
    using Engine = CpuEngine<Net, ConvAlgorithm::exact>;
};

}  // namespace tenon
