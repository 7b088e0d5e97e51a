// tenon's side of `scripts/bench peers`: a process that loads one network, answers one batch, and then times itself
// whenever it is told to. The peers' side, peer.py, speaks the same protocol.
//
// Lines on standard input: "time N" prints the milliseconds of N calls, "peak" GFLOP/s and "bandwidth" GB/s of the
// same threads. The first line on standard output says that the batch's results are written.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <sstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <tenon/report/onnx.hpp>
#include <tenon/tenon.hpp>

#include "../peak.hpp"
#include "bandwidth.hpp"
#include "raw_file.hpp"

namespace {

using namespace tenon;
using tenon_benchmark::read_floats, tenon_benchmark::write_floats;

struct Options {
    std::string network, weights, input, output, onnx;
    int batch = 1, threads = 1;
};

double milliseconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// Weights, and the graph for the peers: what a run prepares once per network and batch.
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
    std::cout << nlohmann::json{{"multiply_adds", multiply_adds<Net>},
                                {"instruction_set", isa_name},
                                {"image_bytes", 4 * Compiled::plan.image_floats}}
              << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words{line};
        std::string command;
        int count = 0;
        if (words >> command; command == "peak") {
            std::cout << tenon_benchmark::peak(options.threads) << std::endl;
        } else if (command == "bandwidth") {
            std::cout << tenon_benchmark::bandwidth(options.threads) << std::endl;
        } else if (command == "time" && words >> count && count > 0) {
            nlohmann::json times;
            for (int i = 0; i < count; ++i) {
                const auto start = std::chrono::steady_clock::now();
                model(images, results);
                times.push_back(milliseconds_since(start));
            }
            std::cout << times << std::endl;
        } else {
            throw Error("\"" + line + "\" is none of time N, peak and bandwidth");
        }
    }
}

struct Row {
    const char* name;
    void (*prepare)(const Options&);
    void (*serve)(const Options&);
};

template <class Net>
constexpr Row row(const char* name) {
    return {name, prepare<Net>, serve<Net>};
}

constexpr Row rows[] = {
    row<ResNet50V2<>>("ResNet50V2"), row<MxnetResNet50V2<>>("MxnetResNet50V2"), row<ResNet50<>>("ResNet50"),
    row<ResNet18<>>("ResNet18"),     row<CifarResNet20V2<>>("CifarResNet20V2"),
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
    try {
        for (const Row& row : rows)
            if (row.name == options.network) {
                (options.onnx.empty() ? row.serve : row.prepare)(options);
                return 0;
            }
        throw Error("no network is named \"" + options.network + "\"");
    } catch (const std::exception& error) {
        std::cerr << "peers: " << error.what() << '\n';
        return 1;
    }
}
