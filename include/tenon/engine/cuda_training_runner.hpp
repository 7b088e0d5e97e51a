#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// TrainingRunner: training iterations of one network through a driver, CUDA's or the emulated one.

#include <algorithm>
#include <tuple>

#include <tenon/backend/cuda/driver/graph_cache.hpp>
#include <tenon/backend/cuda/driver/host_copier.hpp>
#include <tenon/backend/cuda/launch/training.hpp>
#include <tenon/core/index.hpp>
#include <tenon/engine/cuda_loss_scale.hpp>
#include <tenon/engine/cuda_parameter_update.hpp>
#include <tenon/engine/training_options.hpp>

namespace tenon::cuda {

/// A network's training program and its plan for CUDA: constants that all compilers see.
template <class Net, Precision P>
struct CompiledTraining {
    static constexpr const auto& program = training_program<Net, DifferentiationOptions{.spread_strides = true}>;
    static constexpr auto plan = cuda::TrainingPlanner{program, number_bytes(P)}.plan();
    static constexpr int steps = plan.steps.size();

    static_assert(program.values[program.output].pixels() == 1,
                  "tenon: training by a loss over classes needs a network that ends in a flat vector");
};

inline namespace TENON_ISA_NAMESPACE {

/// Runs training iterations. All memory is allocated by the constructor. Parameters and gradients are on the device in
/// the order of the program, in 32 bits. The launches of a batch size are recorded as one graph when a batch of that
/// size first comes.
///
/// Law: losses, gradients and running statistics are bitwise equal from run to run (test:
/// tests/backend/cuda/training_test.cpp).
template <class Net, Precision P, class Driver>
class TrainingRunner {
public:
    using Compiled = CompiledTraining<Net, P>;
    static constexpr int classes = classes_of<Net>;
    static constexpr bool scales_loss = detail::scales_loss(P);

    /// Room for batches of up to `max_batch` images. The loss is scaled as `scaling` says if it is in this
    /// precision; `options` are passed to the driver.
    template <class... Options>
    explicit TrainingRunner(int max_batch, const LossScaling& scaling = {}, const Options&... options)
        : driver_{options...} {
        const auto& plan = Compiled::plan;
        arena_ = memory_.template allocate<unsigned char>(plan.image_scalars * number_bytes(P) * max_batch);
        packed_ = memory_.template allocate<unsigned char>(plan.packed_bytes);
        statistics_ = memory_.template allocate<float>(plan.statistics_floats);
        partials_ = memory_.template allocate<float>(cuda::training_partials(P, plan, driver_.multiprocessors()));
        tickets_ = memory_.template allocate_zeros<unsigned>(cuda::conv_tickets(P, driver_.multiprocessors()));
        parameters_ = memory_.template allocate<float>(state_count<Net>);
        gradients_ = memory_.allocate_zeros(state_count<Net>);  // gradients of what is not trained stay zero
        logits_ = memory_.template allocate<float>(long{classes} * max_batch);
        losses_ = memory_.template allocate<cuda::ImageLoss>(max_batch);
        input_ = memory_.template allocate<float>(inputs * max_batch);
        labels_ = memory_.template allocate<int>(max_batch);
        targets_ = memory_.template allocate<float>(long{classes} * max_batch);
        scalars_ = memory_.template allocate<cuda::StepScalars>(1);
        host_input_ = memory_.template allocate_host<float>(inputs * max_batch);
        host_labels_ = memory_.template allocate_host<int>(max_batch);
        host_targets_ = memory_.template allocate_host<float>(long{classes} * max_batch);
        host_scalars_ = memory_.template allocate_host<cuda::StepScalars>(1);
        host_losses_ = memory_.template allocate_host<cuda::ImageLoss>(max_batch);
        if constexpr (scales_loss) scale_.prepare(memory_, scaling, state_count<Net>);
        copied_ = memory_.make_event();
        prepare_packing();
    }

    /// Copies complete arenas between host and device; those of updates exist once updates are prepared.
    void set(TrainingArena arena, const float* values) { memory_.upload(address(arena), values, state_count<Net>); }
    void get(TrainingArena arena, float* values) { memory_.download(values, address(arena), state_count<Net>); }
    /// The logits of the last batch, of `images` images.
    void get_logits(float* values, long images) { memory_.download(values, logits_, images * classes); }

    /// The scale of the loss after the last iteration; 1 in precisions that have none.
    LossScale loss_scale() const { return scale_.value(); }
    void set_loss_scale(const LossScale& scale) {
        if constexpr (scales_loss) scale_.set(memory_, scale);
    }

    /// Computes loss, gradients, new running statistics and a new scale of the loss, for a batch that has been checked.
    LossResult forward_backward(const TrainingBatch& batch, StepOptions options) {
        const cuda::StepScalars scalars = scalars_of(options);
        run(batch, scalars, {});
        return mean_loss();
    }

    /// Takes an optimizer's rule and the runs of parameters that it changes. Allocates the slots, which are zero, and,
    /// if wanted, the average, which is undefined until it is set. Call it once, before any iteration.
    void prepare_updates(const UpdateRule& rule, const ParameterRun* runs, long count, bool average) {
        update_.prepare(memory_, rule, runs, count, average);
    }

    /// A complete iteration, update included, as one graph.
    UpdateResult train(const TrainingBatch& batch, StepOptions options, const UpdateStep& update) {
        cuda::StepScalars scalars = scalars_of(options);
        update_.set_scalars(scalars, update);
        run(batch, scalars, {true, update.clip_norm > 0, update.average});
        return {mean_loss(), update_.gradient_norm()};
    }

    /// Repeats the last train() `times` times, on what it left on the device, and waits once. Only losses are copied,
    /// after the last repetition: this measures the device alone.
    UpdateResult repeat(int times) {
        if (!last_.parts.update || times < 1) throw Error("there is no training step that could be repeated");
        launch(times);
        return {mean_loss(), update_.gradient_norm()};
    }

    /// Has images copied to pinned memory by several threads (HostCopier::start). Call it once.
    void copy_on(int threads) { copier_.start(threads); }

    Driver& driver() { return driver_; }

private:
    static constexpr long inputs = input_shape<Net>.elements();

    static constexpr auto functions = []<int... I>(std::integer_sequence<int, I...>) {
        return FixedVector<cuda::TrainingFunction<Driver>, Compiled::steps>{
            {cuda::training_step_function<Compiled::plan, I, P, Driver>()...}, Compiled::steps};
    }
    (std::make_integer_sequence<int, Compiled::steps>{});

    static cuda::StepScalars scalars_of(StepOptions options) {
        cuda::StepScalars scalars{};
        scalars.seed = options.seed;
        scalars.label_smoothing = options.label_smoothing;
        return scalars;
    }

    /// Copies through pinned memory; the previous iteration no longer uses it.
    template <class Element>
    void stage(Element* to, Element* through, const Element* from, long count) {
        std::copy_n(from, count, through);
        driver_.upload(to, through, sizeof(Element) * index(count), cuda::Stream::copy);
    }

    /// Copies to the device what is packed at the start of each iteration.
    void prepare_packing() {
        Packing packing;
        const cuda::TrainingFrame<Driver> addresses = frame_of(1);
        for (const cuda::TrainingStep& step : Compiled::plan.steps)
            if (step.packs) cuda::add_packing<P>(packing, step, addresses);
        const auto count = static_cast<int>(packing.parts.size());
        auto* const parts = memory_.template allocate<cuda::PackPart>(count);
        if (count > 0) memory_.upload(parts, packing.parts.data(), count);
        packing_.parts = parts;
        packing_.count = count;
        packing_.blocks = packing.blocks;
    }

    /// What the last iteration did.
    struct Last {
        typename Driver::Graph graph{};
        int size = 0;
        UpdateParts parts{};
    };

    float* address(TrainingArena arena) const {
        float* const addresses[] = {parameters_, gradients_, update_.average(), update_.slot(0), update_.slot(1)};
        return addresses[static_cast<int>(arena)];
    }

    void run(const TrainingBatch& batch, const cuda::StepScalars& scalars, UpdateParts parts) {
        const auto size = static_cast<int>(batch.size);
        upload_through(driver_, copier_, input_, host_input_, batch.images, sizeof(float) * index(inputs * size));
        if (batch.labels) stage(labels_, host_labels_, batch.labels, size);
        if (batch.targets) stage(targets_, host_targets_, batch.targets, long{classes} * size);
        stage(scalars_, host_scalars_, &scalars, 1);
        driver_.record(copied_, cuda::Stream::copy);
        driver_.wait(copied_, cuda::Stream::compute);
        last_ = {graph(size, batch.targets != nullptr, parts), size, parts};
        launch(1);
    }

    /// Launches the last iteration's graph `times` times, copies the losses of the last launch and waits.
    void launch(int times) {
        for (int i = 0; i < times; ++i) driver_.launch_graph(last_.graph);
        const std::size_t bytes = sizeof(cuda::ImageLoss) * index(last_.size);
        driver_.download(host_losses_, losses_, bytes, cuda::Stream::compute);
        if (last_.parts.update) update_.download(driver_);
        if constexpr (scales_loss) scale_.download(driver_);
        driver_.synchronize(cuda::Stream::compute);
    }

    LossResult mean_loss() const {
        LossResult sum;
        for (int n = 0; n < last_.size; ++n) {
            sum.loss += host_losses_[n].loss;
            sum.correct += host_losses_[n].correct;
        }
        sum.loss /= last_.size;
        return sum;
    }

    /// The graph of a training iteration.
    typename Driver::Graph graph(int size, bool soft, UpdateParts parts) {
        return graphs_.get(std::tuple{size, soft, parts}, [&] {
            const cuda::TrainingFrame<Driver> addresses = frame_of(size);
            launch_gradients(addresses, soft);
            if (parts.update) update_.launch(addresses, losses_, parts);
        });
    }

    cuda::TrainingFrame<Driver> frame_of(int images) {
        cuda::TrainingFrame<Driver> frame{};
        frame.frame.driver = &driver_;  // nvcc 13 breaks designated initializers that leave out a member
        frame.frame.arena = arena_;
        frame.frame.weights = packed_;
        frame.frame.input = input_;
        frame.frame.partials = partials_;
        frame.frame.tickets = tickets_;
        frame.frame.images = images;
        frame.parameters = parameters_;
        frame.gradients = gradients_;
        frame.packed = packed_;
        frame.statistics = statistics_;
        frame.scalars = scalars_;
        frame.scale = scale_.address();
        return frame;
    }

    void launch_gradients(const cuda::TrainingFrame<Driver>& frame, bool soft) {
        const auto& plan = Compiled::plan;
        cuda::launch_load_input<P>(plan.load, frame.frame);
        using Pack = cuda::PackKernel<P>;
        if (packing_.count > 0) driver_.template launch<Pack>(Pack::grid(packing_), packing_);
        for (int i = 0; i < plan.forward_steps; ++i) functions[i](plan.steps[i], frame);
        launch_loss(frame, soft);
        for (int i = plan.forward_steps; i < Compiled::steps; ++i) functions[i](plan.steps[i], frame);
        if constexpr (scales_loss) scale_.launch(frame, losses_);
    }

    void launch_loss(const cuda::TrainingFrame<Driver>& frame, bool soft) {
        using Kernel = cuda::LossKernel<cuda::Number<P>>;
        cuda::LossArguments arguments{};
        arguments.logits = cuda::address<cuda::Number<P>>(frame.frame, Compiled::plan.output);
        arguments.labels = soft ? nullptr : labels_;
        arguments.targets = soft ? targets_ : nullptr;
        arguments.gradient = cuda::address<cuda::Number<P>>(frame.frame, Compiled::plan.output_gradient);
        arguments.stored_logits = logits_;
        arguments.losses = losses_;
        arguments.scalars = scalars_;
        arguments.classes = classes;
        arguments.images = frame.frame.images;
        arguments.scale = frame.scale;
        driver_.template launch<Kernel>(Kernel::grid(arguments), arguments);
    }

    Driver driver_;
    cuda::HostCopier copier_;
    cuda::DeviceMemory<Driver> memory_{driver_};
    DeviceLossScale<Driver> scale_;
    ParameterUpdate<Driver> update_{state_count<Net>};
    unsigned char *arena_ = nullptr, *packed_ = nullptr;
    unsigned* tickets_ = nullptr;
    float *statistics_ = nullptr, *partials_ = nullptr, *parameters_ = nullptr, *gradients_ = nullptr;
    float *logits_ = nullptr, *input_ = nullptr, *targets_ = nullptr;
    float *host_input_ = nullptr, *host_targets_ = nullptr;
    int *labels_ = nullptr, *host_labels_ = nullptr;
    cuda::ImageLoss *losses_ = nullptr, *host_losses_ = nullptr;
    cuda::StepScalars *scalars_ = nullptr, *host_scalars_ = nullptr;
    cuda::PackArguments packing_{};
    typename Driver::Event copied_{};
    cuda::GraphCache<std::tuple<int, bool, UpdateParts>, Driver> graphs_{driver_};
    Last last_{};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
