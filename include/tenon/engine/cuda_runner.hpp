#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// NetworkRunner: runs one network through a driver, CUDA's or the emulated one.

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include <tenon/backend/cuda/driver/device_memory.hpp>
#include <tenon/backend/cuda/driver/graph_cache.hpp>
#include <tenon/backend/cuda/driver/host_copier.hpp>
#include <tenon/backend/cuda/driver/stream.hpp>
#include <tenon/backend/cuda/kernels/pack_weights.hpp>
#include <tenon/backend/cuda/launch/inference.hpp>
#include <tenon/core/index.hpp>
#include <tenon/engine/cuda_program.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Runs one network. All memory is allocated by the constructor, except plans and workspace of libraries, which the
/// first batch of a size allocates. The launches of a batch are recorded as a graph when a batch of its size is first
/// run, and replayed from then on. While the device computes one group of images, the next
/// group is copied.
///
/// Law: results are bitwise equal from run to run (test: tests/backend/cuda/network_test.cpp).
template <class Net, Precision P, class Driver>
class NetworkRunner {
public:
    using Compiled = CompiledNetwork<Net, P>;

    /// Room for `images` images in flight; `options` are passed to the driver.
    template <class... Options>
    explicit NetworkRunner(int images, const Options&... options) : driver_{options...}, images_{images} {
        const auto& plan = Compiled::plan;
        arena_ = memory_.template allocate<unsigned char>(plan.image_scalars * number_bytes(P) * images);
        weights_ = memory_.template allocate<unsigned char>(plan.weight_bytes);
        partials_ = memory_.template allocate<float>(cuda::partial_floats(P, driver_.multiprocessors()));
        tickets_ = memory_.template allocate_zeros<unsigned>(cuda::conv_tickets(P, driver_.multiprocessors()));
        byte_scale_ = memory_.allocate_zeros(std::ssize(given_scale_));
        for (Slot& slot : slots_) {
            slot.input = memory_.template allocate<float>(inputs * images);
            slot.output = memory_.template allocate<float>(outputs * images);
            slot.host_input = memory_.template allocate_host<float>(inputs * images);
            slot.host_output = memory_.template allocate_host<float>(outputs * images);
            slot.copied = memory_.make_event();
            slot.computed = memory_.make_event();
        }
    }

    /// Takes the network's parameters; `tensors[i]` points to parameter i.
    void set_parameters(std::span<const float* const> tensors) {
        std::vector<unsigned char> packed(index(Compiled::plan.weight_bytes));
        const auto& program = lowered<Net>;
        const cuda::WeightPacker<P> packer{{program.layers.begin(), program.layers.end()},
                                           {program.parameters.begin(), program.parameters.end()},
                                           tensors};
        for (const cuda::Step& step : Compiled::plan.steps) packer.pack(step, packed.data());
        memory_.upload(weights_, packed.data(), std::ssize(packed));
    }

    /// Computes the results of `count` images, in groups of at most the images in flight.
    void run(const float* images, float* results, long count) { run_groups(images, results, count); }

    /// The same for images in bytes, pixel by pixel: byte * scale + shift is what the network reads. `scale` has one
    /// number for each channel, then the shifts.
    void run_bytes(const std::uint8_t* images, const float* scale, float* results, long count) {
        if (!std::equal(given_scale_.begin(), given_scale_.end(), scale)) {
            std::copy_n(scale, std::ssize(given_scale_), given_scale_.begin());
            memory_.upload(byte_scale_, given_scale_.data(), std::ssize(given_scale_));
        }
        run_groups(images, results, count);
    }

    /// The same without graphs, waiting for each step; calls `observe(step)` after each.
    template <class Observe>
    void run_observed(const float* images, float* results, long count, Observe observe) {
        was_bytes_ = false;
        for (long group = 0; group < cuda::blocks_of(count, images_); ++group) {
            Slot& slot = slots_[0];
            const int size = group_size(group, count);
            std::copy_n(images + group * images_ * inputs, size * inputs, slot.host_input);
            driver_.upload(slot.input, slot.host_input, input_bytes(size), cuda::Stream::compute);
            driver_.synchronize(cuda::Stream::compute);
            const cuda::Frame<Driver> frame = frame_of(size, slot, false);
            for (int i = 0; i < Compiled::steps; ++i) {
                functions[i](Compiled::plan.steps[i], frame);
                driver_.synchronize(cuda::Stream::compute);
                observe(i);
            }
            driver_.download(slot.host_output, slot.output, output_bytes(size), cuda::Stream::compute);
            driver_.synchronize(cuda::Stream::compute);
            std::copy_n(slot.host_output, size * outputs, results + group * images_ * outputs);
        }
    }

    /// Runs the first `size` of the images that were last copied to the device, `times` more times, and waits once.
    /// Nothing is copied: this measures the device alone.
    void repeat(int size, int times) {
        const typename Driver::Graph replayed = graph(size, 0, was_bytes_);
        for (int i = 0; i < times; ++i) driver_.launch_graph(replayed);
        driver_.synchronize(cuda::Stream::compute);
    }

    /// Has images copied to pinned memory by several threads (HostCopier::start). Call it once.
    void copy_on(int threads) { copier_.start(threads); }

    Driver& driver() { return driver_; }

private:
    static constexpr long inputs = lowered<Net>.values[0].elements();
    static constexpr long outputs = lowered<Net>.values[lowered<Net>.output].elements();

    static constexpr auto functions = []<int... I>(std::integer_sequence<int, I...>) {
        return FixedVector<cuda::StepFunction<Driver>, Compiled::steps>{
            {cuda::step_function<Compiled::plan, I, P, Driver>()...}, Compiled::steps};
    }
    (std::make_integer_sequence<int, Compiled::steps>{});

    /// Memory for one group of images and its results.
    struct Slot {
        float *input = nullptr, *output = nullptr, *host_input = nullptr, *host_output = nullptr;
        typename Driver::Event copied{};    ///< the input is on the device
        typename Driver::Event computed{};  ///< the results are on the host
    };

    /// A slot's memory for images takes them in either form.
    template <class Scalar>
    void run_groups(const Scalar* images, float* results, long count) {
        constexpr bool in_bytes = sizeof(Scalar) == 1;
        was_bytes_ = in_bytes;
        const long groups = cuda::blocks_of(count, images_);
        for (long group = 0; group <= groups; ++group) {
            if (group < groups) {
                Slot& slot = slots_[group % 2];
                const int size = group_size(group, count);
                // The group before the last has left this slot: we have waited for its results.
                upload_through(driver_, copier_, slot.input, slot.host_input, images + group * images_ * inputs,
                               sizeof(Scalar) * index(inputs * size));
                driver_.record(slot.copied, cuda::Stream::copy);
                driver_.wait(slot.copied, cuda::Stream::compute);
                driver_.launch_graph(graph(size, static_cast<int>(group % 2), in_bytes));
                driver_.download(slot.host_output, slot.output, output_bytes(size), cuda::Stream::compute);
                driver_.record(slot.computed, cuda::Stream::compute);
            }
            if (group > 0) {
                Slot& slot = slots_[(group - 1) % 2];
                driver_.synchronize(slot.computed);
                std::copy_n(slot.host_output, group_size(group - 1, count) * outputs,
                            results + (group - 1) * images_ * outputs);
            }
        }
    }

    static constexpr std::size_t input_bytes(int images) { return sizeof(float) * index(inputs * images); }
    static constexpr std::size_t output_bytes(int images) { return sizeof(float) * index(outputs * images); }

    int group_size(long group, long count) const {
        return static_cast<int>(std::min<long>(images_, count - group * images_));
    }

    cuda::Frame<Driver> frame_of(int size, const Slot& slot, bool in_bytes) {
        return {.driver = &driver_,
                .arena = arena_,
                .weights = weights_,
                .input = slot.input,
                .output = slot.output,
                .partials = partials_,
                .tickets = tickets_,
                .images = size,
                .bytes = in_bytes ? reinterpret_cast<const std::uint8_t*>(slot.input) : nullptr,
                .byte_scale = byte_scale_};
    }

    /// The graph of a batch of `size` images in a slot.
    typename Driver::Graph graph(int size, int slot, bool in_bytes) {
        const cuda::Frame<Driver> frame = frame_of(size, slots_[slot], in_bytes);
        return graphs_.get({size, slot, in_bytes}, [&] {
            for (int i = 0; i < Compiled::steps; ++i) functions[i](Compiled::plan.steps[i], frame);
        });
    }

    Driver driver_;
    cuda::HostCopier copier_;
    cuda::DeviceMemory<Driver> memory_{driver_};
    int images_;
    unsigned char *arena_ = nullptr, *weights_ = nullptr;
    float* partials_ = nullptr;
    unsigned* tickets_ = nullptr;
    Slot slots_[2];
    float* byte_scale_ = nullptr;  ///< of images in bytes, on the device, as given last
    std::array<float, 2 * index(lowered<Net>.values[0].channels)> given_scale_{};
    bool was_bytes_ = false;  ///< whether the last images were in bytes
    cuda::GraphCache<std::tuple<int, int, bool>, Driver> graphs_{driver_};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
