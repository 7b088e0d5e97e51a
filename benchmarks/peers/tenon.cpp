// tenon's side of `scripts/bench peers`: a process that loads one network, computes one batch, and then times itself on
// command. The peers' side, peer.py, speaks the same protocol. PEERS_PRECISION is what it computes in.
//
// Lines on standard input: "time N" prints the milliseconds of N calls, "turns N" those of N calls of this and of a
// second model, one after the other, "both N" the same with both at once, "peak" GFLOP/s and "bandwidth" GB/s of the
// same threads. The first line on standard output says that the batch's results are written, and the milliseconds of
// loading and of the first call.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include <tenon/tenon.hpp>

#include "../peak.hpp"
#include "bandwidth.hpp"
#include "raw_file.hpp"
#include "serve.hpp"

#ifndef PEERS_PRECISION
#define PEERS_PRECISION float32
#endif

namespace {

using namespace tenon;
constexpr Precision precision = Precision::PEERS_PRECISION;
using Backend = std::conditional_t<precision == Precision::float32, Cpu, CpuWith<precision>>;
using tenon_benchmark::read_floats, tenon_benchmark::write_floats;

struct Options {
    std::string network, weights, input, output, onnx, calibration;
    int batch = 1, threads = 1, calibration_images = 0;
};

/// Writes weights, and the graph for the peers, once per network and batch; for integers, calibrated weights.
template <class Net>
void prepare(const Options& options) {
    Parameters<Net> parameters;
    parameters.seed(1);
    if constexpr (precision == Precision::int8) {
        Parameters<Net> copy;
        copy.seed(1);
        CpuWith<Precision::int8>::Calibrator<Net> calibrator{std::move(copy)};
        calibrator.add(read_floats(options.calibration, options.calibration_images * input_shape<Net>.elements()));
        calibrator.save(options.weights);
    } else {
        parameters.save(options.weights);
    }
    write_onnx(options.onnx, parameters, {.batch = options.batch});
}

template <class Net>
void serve(const Options& options) {
    using Compiled = typename Model<Net, Backend>::Engine::Compiled;
    const std::vector<float> images = read_floats(options.input, options.batch * input_shape<Net>.elements());
    std::vector<float> results(static_cast<std::size_t>(options.batch * output_shape<Net>.elements()));
    using OneModel = Model<Net, Backend>;
    std::unique_ptr<OneModel> model, second;
    const auto load = [&](std::unique_ptr<OneModel>& one) {
        one = std::make_unique<OneModel>(ModelOptions{.threads = options.threads});
        one->load(options.weights);
    };
    const nlohmann::json load_ms = tenon_benchmark::time_calls(1, [&] { load(model); });
    const nlohmann::json first_ms = tenon_benchmark::time_calls(1, [&] { (*model)(images, results); });
    write_floats(options.output, results);
    std::vector<float> other_results(results.size());
    const auto run_second = [&] { (*second)(images, other_results); };
    const auto time_both = [&](int count, const auto& both) {
        if (!second) load(second);
        run_second();
        return tenon_benchmark::time_calls(count, both);
    };
    tenon_benchmark::serve(
        {{"name", "tenon"},
         {"load_ms", load_ms[0]},
         {"first_ms", first_ms[0]},
         {"multiply_adds", multiply_adds<Net>},
         {"instruction_set", detail::isa_name},
         {"image_bytes", 4 * Compiled::plan.image_floats}},
        {{"time", [&](int count) { return tenon_benchmark::time_calls(count, [&] { (*model)(images, results); }); }},
         {"turns",
          [&](int count) {
              return time_both(count, [&] {
                  (*model)(images, results);
                  run_second();
              });
          }},
         {"both",
          [&](int count) {
              return time_both(count, [&] {
                  std::thread other(run_second);
                  (*model)(images, results);
                  other.join();
              });
          }},
         {"peak", [&](int) { return tenon_benchmark::peak(options.threads); }},
         {"bandwidth", [&](int) { return tenon_benchmark::bandwidth(options.threads); }}});
}

using Program = tenon_benchmark::NetworkProgram<Options>;

template <class Net>
constexpr Program program(const char* name) {
    return {name, prepare<Net>, serve<Net>};
}

constexpr Program all_programs[] = {
    program<ResNet50V2<>>("ResNet50V2"), program<MxnetResNet50V2<>>("MxnetResNet50V2"), program<ResNet50<>>("ResNet50"),
    program<ResNet18<>>("ResNet18"),     program<CifarResNet20V2<>>("CifarResNet20V2"),
};

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"tenon's side of scripts/bench peers"};
    Options options;
    app.add_option("--network", options.network)->required();
    app.add_option("--batch", options.batch)->check(CLI::PositiveNumber);
    app.add_option("--threads", options.threads, "0: as many as the machine or its quota has")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--weights", options.weights, "safetensors file")->required();
    app.add_option("--onnx", options.onnx, "write weights and this graph, and end");
    app.add_option("--calibration", options.calibration, "images to calibrate integers on, as raw floats");
    app.add_option("--calibration-images", options.calibration_images, "how many");
    app.add_option("--input", options.input, "images, as raw floats");
    app.add_option("--output", options.output, "for the results, as raw floats");
    CLI11_PARSE(app, argc, argv);
    return tenon_benchmark::run_network<Options>(all_programs, options, "peers");
}
