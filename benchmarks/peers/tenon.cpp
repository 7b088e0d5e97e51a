// tenon's side of `scripts/bench peers`: a process that loads one network, computes one batch, and then times itself on
// command. The peers' side, peer.py, speaks the same protocol.
//
// Lines on standard input: "time N" prints the milliseconds of N calls, "peak" GFLOP/s and "bandwidth" GB/s of the
// same threads. The first line on standard output says that the batch's results are written.
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <tenon/report/onnx.hpp>
#include <tenon/tenon.hpp>

#include "../peak.hpp"
#include "bandwidth.hpp"
#include "raw_file.hpp"
#include "serve.hpp"

namespace {

using namespace tenon;
using tenon_benchmark::read_floats, tenon_benchmark::write_floats;

struct Options {
    std::string network, weights, input, output, onnx;
    int batch = 1, threads = 1;
};

/// Writes weights, and the graph for the peers, once per network and batch.
template <class Net>
void prepare(const Options& options) {
    Parameters<Net> parameters;
    parameters.seed(1);
    parameters.save(options.weights);
    write_onnx(options.onnx, parameters, {.batch = options.batch});
}

template <class Net>
void serve(const Options& options) {
    using Compiled = typename Model<Net>::Engine::Compiled;
    const std::vector<float> images = read_floats(options.input, options.batch * input_shape<Net>.elements());
    std::vector<float> results(static_cast<std::size_t>(options.batch * output_shape<Net>.elements()));
    Model<Net> model{{.threads = options.threads}};
    model.load(options.weights);
    model(images, results);
    write_floats(options.output, results);
    tenon_benchmark::serve(
        {{"multiply_adds", multiply_adds<Net>},
         {"instruction_set", detail::isa_name},
         {"image_bytes", 4 * Compiled::plan.image_floats}},
        {{"time", [&](int count) { return tenon_benchmark::time_calls(count, [&] { model(images, results); }); }},
         {"peak", [&](int) { return tenon_benchmark::peak(options.threads); }},
         {"bandwidth", [&](int) { return tenon_benchmark::bandwidth(options.threads); }}});
}

using Program = tenon_benchmark::NetworkProgram<Options>;

template <class Net>
constexpr Program program(const char* name) {
    return {name, prepare<Net>, serve<Net>};
}

constexpr Program programs[] = {
    program<ResNet50V2<>>("ResNet50V2"), program<MxnetResNet50V2<>>("MxnetResNet50V2"), program<ResNet50<>>("ResNet50"),
    program<ResNet18<>>("ResNet18"),     program<CifarResNet20V2<>>("CifarResNet20V2"),
};

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"tenon's side of scripts/bench peers"};
    Options options;
    app.add_option("--network", options.network)->required();
    app.add_option("--batch", options.batch)->check(CLI::PositiveNumber);
    app.add_option("--threads", options.threads)->check(CLI::PositiveNumber);
    app.add_option("--weights", options.weights, "safetensors file")->required();
    app.add_option("--onnx", options.onnx, "write weights and this graph, and end");
    app.add_option("--input", options.input, "images, as raw floats");
    app.add_option("--output", options.output, "for the results, as raw floats");
    CLI11_PARSE(app, argc, argv);
    return tenon_benchmark::run_network<Options>(programs, options, "peers");
}
