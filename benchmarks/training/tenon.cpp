// tenon's side of `scripts/bench train`: a process that trains one network on one batch repeatedly, and times its steps
// on command. PyTorch's side, torch_step.py, speaks the same protocol.
//
// Lines on standard input: "time N" prints the milliseconds of N steps, "peak" GFLOP/s of the same threads and "steps"
// the share of each kind of operation in a step. The first line on standard output holds the losses of the first steps,
// and the memory that they added to the process.
#include <algorithm>
#include <fstream>
#include <map>

#include <CLI/CLI.hpp>
#include <time.h>

#include <tenon/engine/training_engine.hpp>
#include <tenon/report/onnx.hpp>
#include <tenon/tenon.hpp>
#include <tenon/train/optimizers/sgd.hpp>

#include "../peak.hpp"
#include "../peers/raw_file.hpp"
#include "../peers/serve.hpp"

namespace {

using namespace tenon;

struct Options {
    std::string network, input, onnx, precision = "float32";
    int batch = 1, threads = 1, first_steps = 3;
};

/// A line of this process's status, in MB of 2^20 bytes.
double status_megabytes(const std::string& name) {
    std::ifstream status{"/proc/self/status"};
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(name + ":")) return std::stod(line.substr(name.size() + 1)) / 1024;
    throw Error("/proc/self/status has no line " + name);
}

/// The graph for PyTorch, with the weights with which tenon's side begins.
template <class Net>
void prepare(const Options& options) {
    Parameters<Net> parameters;
    parameters.seed(1);
    write_onnx(options.onnx, parameters, {.batch = options.batch});
}

/// A network, its optimizer and one batch.
template <class Net, class Backend>
class Training {
public:
    using Engine = TrainingEngine<Net, Backend>;

    explicit Training(const Options& options)
        : images_{tenon_benchmark::read_floats(options.input, options.batch * input_shape<Net>.elements())},
          before_{status_megabytes("VmRSS")},
          engine_{options.batch, {.threads = options.threads}},
          optimizer_{SgdOptions{.learning_rate = 0.001, .momentum = 0.9, .weight_decay = 1e-4}.make<float>(
              detail::parameter_runs(Parameters<Net>::infos(), &Engine::is_trained, {}), state_count<Net>)} {
        engine_.parameters().seed(1);
        for (int i = 0; i < options.batch; ++i) labels_.push_back(i % Engine::classes);
    }

    double step() {
        const LossResult result = engine_.forward_backward(images_, labels_);
        ++steps_;
        engine_.team().run([&](int worker, int workers) {
            optimizer_->step({engine_.parameters().values(), engine_.gradients().values(), 0.001, steps_}, worker,
                             workers);
        });
        return result.loss;
    }

    Engine& engine() { return engine_; }
    double grown_megabytes() const { return status_megabytes("VmHWM") - before_; }

private:
    std::vector<float> images_;
    std::vector<int> labels_;
    double before_;
    Engine engine_;
    std::unique_ptr<detail::Optimizer<float>> optimizer_;
    long steps_ = 0;
};

/// Processor time of the calling thread, which other processes don't disturb much.
double processor_milliseconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return 1e3 * static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_nsec);
}

double last_step;
std::vector<double> step_milliseconds;

/// What an operation is: its part in training and its kind; `is_packed`: a product of bfloat16.
std::string describe(const cpu::TrainingStep& step, bool is_packed) {
    static const std::map<detail::TrainingKind, const char*> names{
        {detail::TrainingKind::forward, "forward"},
        {detail::TrainingKind::recompute, "recompute"},
        {detail::TrainingKind::statistics, "statistics"},
        {detail::TrainingKind::data_gradient, "data gradient"},
        {detail::TrainingKind::weight_gradient, "weight gradient"},
        {detail::TrainingKind::norm_gradient, "norm gradient"},
        {detail::TrainingKind::relu_gradient, "relu gradient"},
        {detail::TrainingKind::pool_gradient, "pool gradient"},
        {detail::TrainingKind::subsample_gradient, "subsample gradient"},
        {detail::TrainingKind::spread, "spread"},
        {detail::TrainingKind::add_gradient, "add gradient"},
    };
    const auto found = names.find(step.kind);
    std::string text = found == names.end() ? "other" : found->second;
    const cpu::Step& s = step.step;
    if (s.kind == OpKind::conv) {
        text += " conv " + std::to_string(s.window().kernel_height) + "x" + std::to_string(s.window().kernel_width);
        if (s.winograd.m > 0) text += " F(" + std::to_string(s.winograd.m) + ")";
    } else if (s.kind == OpKind::batch_norm) {
        text += " norm";
    } else {
        text += " " + std::to_string(static_cast<int>(s.kind));
    }
    return is_packed ? text + ", bfloat16" : text;
}

/// Milliseconds of the calling thread per kind of operation, the fastest of a few steps.
template <class Net, class Backend>
nlohmann::json profile(Training<Net, Backend>& training) {
    constexpr const auto& steps = TrainingEngine<Net, Backend>::Compiled::plan.steps;
    std::vector<double> quickest(static_cast<std::size_t>(steps.size()), 1e9);
    for (int i = 0; i < 5; ++i) {
        step_milliseconds.assign(quickest.size(), 0.0);
        training.engine().observe([](int step) {
            const double now = processor_milliseconds();
            step_milliseconds[static_cast<std::size_t>(step)] = now - last_step;
            last_step = now;
        });
        last_step = processor_milliseconds();
        training.step();
        for (std::size_t s = 0; s < quickest.size(); ++s) quickest[s] = std::min(quickest[s], step_milliseconds[s]);
    }
    training.engine().observe(nullptr);
    std::map<std::string, double> sums;
    for (int s = 0; s < steps.size(); ++s) {
        bool is_packed = false;
        if constexpr (requires { steps[s].is_packed; }) is_packed = steps[s].is_packed;
        sums[describe(steps[s], is_packed)] += quickest[static_cast<std::size_t>(s)];
    }
    return sums;
}

template <class Net, class Backend>
void serve_on(const Options& options) {
    Training<Net, Backend> training{options};
    std::vector<double> losses;
    for (int i = 0; i < options.first_steps; ++i) losses.push_back(training.step());
    tenon_benchmark::serve(
        {{"name", "tenon"},
         {"multiply_adds", multiply_adds<Net>},
         {"losses", losses},
         {"megabytes", training.grown_megabytes()},
         {"planned_megabytes",
          static_cast<double>(training_bytes<Net, Backend>(options.batch, options.threads)) / (1 << 20)}},
        {{"time", [&](int count) { return tenon_benchmark::time_calls(count, [&] { training.step(); }); }},
         {"peak", [&](int) { return tenon_benchmark::peak(options.threads); }},
         {"steps", [&](int) { return profile(training); }}});
}

template <class Net>
void serve(const Options& options) {
    if (options.precision == "bfloat16") return serve_on<Net, CpuWith<Precision::bfloat16>>(options);
    serve_on<Net, Cpu>(options);
}

using Program = tenon_benchmark::NetworkProgram<Options>;

template <class Net>
constexpr Program program(const char* name) {
    return {name, prepare<Net>, serve<Net>};
}

constexpr Program all_programs[] = {program<ResNet50V2<>>("ResNet50V2"), program<CifarResNet20V2<>>("CifarResNet20V2")};

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"tenon's side of scripts/bench train"};
    Options options;
    app.add_option("--network", options.network)->required();
    app.add_option("--batch", options.batch)->check(CLI::PositiveNumber);
    app.add_option("--threads", options.threads)->check(CLI::PositiveNumber);
    app.add_option("--onnx", options.onnx, "write this graph with the first weights, and end");
    app.add_option("--input", options.input, "images, as raw floats");
    app.add_option("--precision", options.precision)->check(CLI::IsMember({"float32", "bfloat16"}));
    CLI11_PARSE(app, argc, argv);
    return tenon_benchmark::run_network<Options>(all_programs, options, "training");
}
