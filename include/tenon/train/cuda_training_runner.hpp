// CudaTrainingRunner: training steps of one network through a driver, CUDA's or its double.
#pragma once

#include <algorithm>
#include <cmath>
#include <compare>
#include <map>
#include <tuple>
#include <vector>

#include <tenon/backend/cuda/stream.hpp>
#include <tenon/backend/cuda/training_launch.hpp>
#include <tenon/backend/cuda/update.hpp>
#include <tenon/train/cuda_training_device.hpp>
#include <tenon/train/training_options.hpp>

namespace tenon {

/// A network's training program and its plan for CUDA: constants that all compilers see.
template <class Net, Precision P>
struct CudaTraining {
    static constexpr const auto& program = training_program<Net, DifferentiationOptions{.spread_strides = true}>;
    static constexpr auto plan = cuda::TrainingPlanner{program, number_bytes(P)}.plan();
    static constexpr int steps = plan.steps.size();

    static_assert(program.values[program.output].pixels() == 1,
                  "tenon: training by a loss over classes needs a network that ends in a flat vector");
};

inline namespace TENON_ISA_NAMESPACE {

/// Runs training steps. All memory is allocated by the constructor. Parameters and gradients live on the device in the
/// order of the program, in 32 bits. A batch size's launches are recorded as one graph when it comes for the first
/// time.
///
/// Law: losses, gradients and running statistics are bitwise equal from run to run (test:
/// tests/cuda/training_test.cpp).
template <class Net, Precision P, class Driver>
class CudaTrainingRunner {
public:
    using Compiled = CudaTraining<Net, P>;
    static constexpr int classes = classes_of<Net>;

    /// Room for batches of up to `largest_batch` images; `options` are the driver's.
    template <class... Options>
    explicit CudaTrainingRunner(int largest_batch, const Options&... options)
        : driver_{options...}, largest_batch_{largest_batch} {
        const auto& plan = Compiled::plan;
        try {
            arena_ = allocate<unsigned char>(plan.image_scalars * number_bytes(P) * largest_batch);
            packed_ = allocate<unsigned char>(plan.packed_bytes);
            statistics_ = allocate<float>(plan.statistics_floats);
            partials_ = allocate<float>(cuda::training_partials(P, plan, driver_.multiprocessors()));
            parameters_ = allocate<float>(state_count<Net>);
            gradients_ = allocate<float>(state_count<Net>);
            logits_ = allocate<float>(long{classes} * largest_batch);
            losses_ = allocate<cuda::ImageLoss>(largest_batch);
            input_ = allocate<float>(inputs * largest_batch);
            labels_ = allocate<int>(largest_batch);
            targets_ = allocate<float>(long{classes} * largest_batch);
            scalars_ = allocate<cuda::StepScalars>(1);
            host_input_ = allocate_host<float>(inputs * largest_batch);
            host_labels_ = allocate_host<int>(largest_batch);
            host_targets_ = allocate_host<float>(long{classes} * largest_batch);
            host_scalars_ = allocate_host<cuda::StepScalars>(1);
            host_losses_ = allocate_host<cuda::ImageLoss>(largest_batch);
            copied_ = driver_.make_event();
            has_event_ = true;
            // What is not trained has gradients of zero for ever.
            const std::vector<float> zeros(static_cast<std::size_t>(state_count<Net>));
            upload(gradients_, zeros.data(), state_count<Net>);
        } catch (...) {
            release();
            throw;
        }
    }
    CudaTrainingRunner(const CudaTrainingRunner&) = delete;
    CudaTrainingRunner& operator=(const CudaTrainingRunner&) = delete;
    ~CudaTrainingRunner() { release(); }

    /// Whole arenas, between host and device; those of updates exist once these are prepared.
    void set(TrainingArena arena, const float* values) { upload(address(arena), values, state_count<Net>); }
    void get(TrainingArena arena, float* values) { download(values, address(arena), state_count<Net>); }
    /// The logits of the last batch, of `images` images.
    void get_logits(float* values, long images) { download(values, logits_, images * classes); }

    /// Loss, gradients and new running statistics of a batch, which has been checked.
    LossResult forward_backward(const TrainingBatch& batch, StepOptions options) {
        cuda::StepScalars scalars{};
        scalars.seed = options.seed;
        scalars.label_smoothing = options.label_smoothing;
        run(batch, scalars, {});
        return mean_loss(batch.size);
    }

    /// Takes an optimizer's rule and the stretches of the arena that it changes, and allocates its slots, which are
    /// zero, and the average if there is one, which is undefined until it is set. Called once, before any step.
    void prepare_updates(const UpdateRule& rule, const ParameterRun* runs, long count, bool average) {
        rule_ = rule;
        std::vector<cuda::UpdateRun> table;
        for (long i = 0; i < count; ++i) table.push_back({runs[i].begin, runs[i].end, runs[i].decays ? 1 : 0});
        run_count_ = static_cast<int>(count);
        runs_ = allocate<cuda::UpdateRun>(count);
        squares_ = allocate<double>(count);
        control_ = allocate<cuda::UpdateControl>(1);
        host_control_ = allocate_host<cuda::UpdateControl>(1);
        driver_.upload(runs_, table.data(), sizeof(cuda::UpdateRun) * table.size(), cuda::Stream::compute);
        driver_.synchronize(cuda::Stream::compute);
        const std::vector<float> zeros(static_cast<std::size_t>(state_count<Net>));
        for (int i = 0; i < rule.slots(); ++i) {
            slots_[i] = allocate<float>(state_count<Net>);
            upload(slots_[i], zeros.data(), state_count<Net>);
        }
        if (average) average_ = allocate<float>(state_count<Net>);
    }

    /// A whole step, the update included: one graph.
    UpdateResult train(const TrainingBatch& batch, StepOptions options, const UpdateStep& update) {
        cuda::StepScalars scalars{};
        scalars.seed = options.seed;
        scalars.label_smoothing = options.label_smoothing;
        scalars.clip_norm = update.clip_norm;
        scalars.rate = static_cast<float>(update.learning_rate);
        if (rule_.kind == UpdateRule::Kind::adamw) {
            const auto number = static_cast<double>(update.number);
            scalars.size = static_cast<float>(update.learning_rate / (1 - std::pow(rule_.beta1, number)));
            scalars.root = static_cast<float>(1 / std::sqrt(1 - std::pow(rule_.beta2, number)));
            scalars.kept = static_cast<float>(1 - update.learning_rate * rule_.weight_decay);
        }
        scalars.average_kept = static_cast<float>(update.average_decay);
        scalars.average_taken = static_cast<float>(1 - update.average_decay);
        run(batch, scalars, {true, update.clip_norm > 0, update.average});
        return {mean_loss(batch.size), host_control_->gradient_norm};
    }

    Driver& driver() { return driver_; }

private:
    static constexpr long inputs = input_shape<Net>.elements();

    static constexpr auto functions = []<int... I>(std::integer_sequence<int, I...>) {
        return FixedVector<cuda::TrainingFunction<Driver>, Compiled::steps>{
            {cuda::training_step_function<Compiled::plan, I, P, Driver>()...}, Compiled::steps};
    }
    (std::make_integer_sequence<int, Compiled::steps>{});

    template <class Element>
    Element* allocate(long count) {
        device_memory_.push_back(nullptr);  // first the place, so that nothing is lost when that throws
        device_memory_.back() = driver_.allocate(sizeof(Element) * static_cast<std::size_t>(std::max(count, 1L)));
        return static_cast<Element*>(device_memory_.back());
    }
    template <class Element>
    Element* allocate_host(long count) {
        host_memory_.push_back(nullptr);
        host_memory_.back() = driver_.allocate_host(sizeof(Element) * static_cast<std::size_t>(std::max(count, 1L)));
        return static_cast<Element*>(host_memory_.back());
    }

    /// Copies and waits.
    void upload(float* to, const float* from, long count) {
        driver_.upload(to, from, sizeof(float) * static_cast<std::size_t>(count), cuda::Stream::compute);
        driver_.synchronize(cuda::Stream::compute);
    }
    void download(float* to, const float* from, long count) {
        driver_.download(to, from, sizeof(float) * static_cast<std::size_t>(count), cuda::Stream::compute);
        driver_.synchronize(cuda::Stream::compute);
    }
    /// Copies through pinned memory, which the step before has left.
    template <class Element>
    void stage(Element* to, Element* through, const Element* from, long count) {
        std::copy_n(from, count, through);
        driver_.upload(to, through, sizeof(Element) * static_cast<std::size_t>(count), cuda::Stream::copy);
    }

    /// What a step does besides forward and backward.
    struct Parts {
        bool update = false, clip = false, average = false;
        friend auto operator<=>(const Parts&, const Parts&) = default;
    };

    float* address(TrainingArena arena) const {
        float* const addresses[] = {parameters_, gradients_, average_, slots_[0], slots_[1]};
        return addresses[static_cast<int>(arena)];
    }

    void run(const TrainingBatch& batch, const cuda::StepScalars& scalars, Parts parts) {
        const auto size = static_cast<int>(batch.size);
        stage(input_, host_input_, batch.images, inputs * size);
        if (batch.labels) stage(labels_, host_labels_, batch.labels, size);
        if (batch.targets) stage(targets_, host_targets_, batch.targets, long{classes} * size);
        stage(scalars_, host_scalars_, &scalars, 1);
        driver_.record(copied_, cuda::Stream::copy);
        driver_.wait(copied_, cuda::Stream::compute);
        driver_.launch_graph(graph(size, batch.targets != nullptr, parts));
        driver_.download(host_losses_, losses_, sizeof(cuda::ImageLoss) * batch_size(size), cuda::Stream::compute);
        if (parts.update) driver_.download(host_control_, control_, sizeof(cuda::UpdateControl), cuda::Stream::compute);
        driver_.synchronize(cuda::Stream::compute);
    }

    static std::size_t batch_size(int images) { return static_cast<std::size_t>(images); }

    LossResult mean_loss(long images) const {
        LossResult sum;
        for (long n = 0; n < images; ++n) {
            sum.loss += host_losses_[n].loss;
            sum.correct += host_losses_[n].correct;
        }
        sum.loss /= static_cast<double>(images);
        return sum;
    }

    /// The graph of a training step.
    typename Driver::Graph graph(int size, bool soft, Parts parts) {
        const auto key = std::tuple{size, soft, parts};
        if (const auto found = graphs_.find(key); found != graphs_.end()) return found->second;
        cuda::TrainingFrame<Driver> frame{};
        frame.frame = {&driver_, arena_, packed_, input_, nullptr, partials_, size};
        frame.parameters = parameters_;
        frame.gradients = gradients_;
        frame.packed = packed_;
        frame.statistics = statistics_;
        frame.scalars = scalars_;
        return graphs_[key] = driver_.record_graph([&] {
            launch_gradients(frame, soft);
            if (parts.update) launch_update(size, parts);
        });
    }

    void launch_gradients(const cuda::TrainingFrame<Driver>& frame, bool soft) {
        const auto& plan = Compiled::plan;
        cuda::Step load{};
        load.target = plan.input;
        cuda::launch_load_input<P>(load, frame.frame);
        for (int i = 0; i < plan.forward_steps; ++i) functions[i](plan.steps[i], frame);
        launch_loss(frame, soft);
        for (int i = plan.forward_steps; i < Compiled::steps; ++i) functions[i](plan.steps[i], frame);
    }

    void launch_update(int size, Parts parts) {
        const bool clip = parts.clip && run_count_ > 0;  // a frozen network changes nothing
        const cuda::SquaresArguments squares{gradients_, runs_, squares_, run_count_};
        if (clip) driver_.template launch<cuda::SquaresKernel>(cuda::SquaresKernel::grid(squares), squares);
        const cuda::ControlArguments control{losses_, size, clip ? squares_ : nullptr, run_count_, scalars_, control_};
        driver_.template launch<cuda::ControlKernel>(cuda::ControlKernel::grid(control), control);
        cuda::UpdateArguments update{};
        update.parameters = parameters_;
        update.gradients = gradients_;
        update.slots[0] = slots_[0];
        update.slots[1] = slots_[1];
        update.runs = runs_;
        update.count = run_count_;
        update.scalars = scalars_;
        update.control = control_;
        update.kind = rule_.kind;
        update.nesterov = rule_.nesterov;
        update.keras = rule_.keras;
        update.decoupled = rule_.decoupled;
        update.weight_decay = static_cast<float>(rule_.weight_decay);
        update.momentum = static_cast<float>(rule_.momentum);
        update.beta1 = static_cast<float>(rule_.beta1);
        update.rest1 = static_cast<float>(1 - rule_.beta1);
        update.beta2 = static_cast<float>(rule_.beta2);
        update.rest2 = static_cast<float>(1 - rule_.beta2);
        update.epsilon = static_cast<float>(rule_.epsilon);
        if (run_count_ > 0) driver_.template launch<cuda::UpdateKernel>(cuda::UpdateKernel::grid(update), update);
        if (parts.average)
            cuda::launch_map(driver_, cuda::AverageBody{state_count<Net>, parameters_, average_, scalars_, control_});
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
        arguments.scale = loss_scale(P);
        driver_.template launch<Kernel>(Kernel::grid(arguments), arguments);
    }

    void release() {
        for (const auto& [key, graph] : graphs_) driver_.release_graph(graph);
        if (has_event_) driver_.release_event(copied_);
        for (void* memory : device_memory_) driver_.release(memory);
        for (void* memory : host_memory_) driver_.release_host(memory);
    }

    Driver driver_;
    int largest_batch_;
    std::vector<void*> device_memory_, host_memory_;
    unsigned char *arena_ = nullptr, *packed_ = nullptr;
    float *statistics_ = nullptr, *partials_ = nullptr, *parameters_ = nullptr, *gradients_ = nullptr;
    float *logits_ = nullptr, *input_ = nullptr, *targets_ = nullptr;
    float *host_input_ = nullptr, *host_targets_ = nullptr;
    int *labels_ = nullptr, *host_labels_ = nullptr;
    cuda::ImageLoss *losses_ = nullptr, *host_losses_ = nullptr;
    cuda::StepScalars *scalars_ = nullptr, *host_scalars_ = nullptr;
    typename Driver::Event copied_{};
    bool has_event_ = false;
    UpdateRule rule_{};
    cuda::UpdateRun* runs_ = nullptr;
    int run_count_ = 0;
    double* squares_ = nullptr;
    cuda::UpdateControl *control_ = nullptr, *host_control_ = nullptr;
    float *slots_[2]{}, *average_ = nullptr;
    std::map<std::tuple<int, bool, Parts>, typename Driver::Graph> graphs_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
