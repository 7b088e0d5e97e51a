// What scripts/gpu_check runs on a device: tenon's side of its comparisons and measurements. Every finding is printed
// at once as a line of JSON on the standard output, so that a run that is stopped keeps its findings.
//
// Exit status: 0, 1 for an error (a sentence on the standard error), 77 when there is no device.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include <CLI/CLI.hpp>
#include <cuda_runtime_api.h>

#include "ceilings.hpp"
#include "cell.hpp"
#include "findings.hpp"
#include "networks.hpp"
#include "training.hpp"

namespace {

using namespace gpu_check;
using tenon::Precision;

void check(cudaError_t status, const char* action) {
    if (status != cudaSuccess)
        throw tenon::Error(std::string("CUDA could not ") + action + ": " + cudaGetErrorString(status));
}

void probe() {
    cudaDeviceProp device{};
    int driver = 0, clock = 0;
    check(cudaGetDeviceProperties(&device, 0), "describe the device");
    check(cudaDriverGetVersion(&driver), "tell its driver's version");
    check(cudaDeviceGetAttribute(&clock, cudaDevAttrClockRate, 0), "tell the clock rate");
    print({{"kind", "device"},
           {"name", device.name},
           {"capability", std::to_string(device.major) + "." + std::to_string(device.minor)},
           {"multiprocessors", device.multiProcessorCount},
           {"memory_bytes", device.totalGlobalMem},
           {"clock_mhz", clock / 1000},
           {"driver", driver}});
}

/// GB/s of a copy within the device's memory, counting bytes read and bytes written.
void measure_memory() {
    constexpr std::size_t bytes = std::size_t{1} << 30;
    void *from = nullptr, *to = nullptr;
    check(cudaMalloc(&from, bytes), "allocate memory");
    check(cudaMalloc(&to, bytes), "allocate memory");
    check(cudaMemset(from, 1, bytes), "set memory");
    double best = 0;
    for (int round = 0; round < 10; ++round) {
        check(cudaDeviceSynchronize(), "finish");
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < 10; ++i) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice), "copy");
        check(cudaDeviceSynchronize(), "finish");
        best = std::max(best, 10 * 2 * static_cast<double>(bytes) / milliseconds_since(start) / 1e6);
    }
    check(cudaFree(from), "free memory");
    check(cudaFree(to), "free memory");
    print({{"kind", "ceiling"}, {"what", "memory"}, {"gb_s", best}});
}

void measure_arithmetic() {
    for_each_precision([](auto precision) {
        print({{"kind", "ceiling"}, {"what", name_of(precision())}, {"tflop_s", measure_product(precision())}});
    });
}

/// Where the libraries are that may compute convolutions, or why they are missing.
void print_libraries() {
    for (const auto& [name, state] : libraries()) print({{"kind", "library"}, {"name", name}, {"state", state}});
}

/// For tests/backend/cuda/cudnn, whose descriptions of devices should be real ones.
void describe_device() {
    try {
        print({{"kind", "description"}, {"cudnn", device_description()}});
    } catch (const tenon::Error& error) {
        print({{"kind", "description"}, {"missing", error.what()}});
    }
}

template <class Net>
void compare_network(std::string_view name, std::initializer_list<int> batches) {
    for (const int batch : batches) {
        const auto expected = cpu_answer<Net>(batch);
        for_each_precision([&](auto precision) {
            print(compare<Net, tenon::CudaWith<precision()>>(name, precision(), batch, expected));
        });
    }
}

void compare_networks() {
    compare_network<Small>("FashionMnistResNet", {1, 5});
    compare_network<Cifar>("CifarResNet20V2", {1, 7, 64});
    compare_network<PostActivation>("ResNet50", {1, 3});
    compare_network<Listing>("ResNet50V2", {1, 8, 32});
}

constexpr int answered_batch = 4;

/// Weights and images; needs no device.
void write_weights(const std::string& folder) {
    parameters_of<Listing>().save(folder + "/weights.safetensors");
    write_raw(folder + "/images.raw", images_of<Listing>(answered_batch));
}

/// The device's results in every precision, for a comparison with PyTorch: as many as there are.
void answer(const std::string& folder) {
    const std::vector<float> images = images_of<Listing>(answered_batch);
    nlohmann::json bounds;
    std::string failures;
    for_each_precision([&](auto precision) {
        const std::string name{name_of(precision())};
        try {
            write_raw(folder + "/" + name + ".raw",
                      device_answer<Listing, tenon::CudaWith<precision()>>(images, answered_batch, answered_batch));
        } catch (const tenon::Error& error) {
            failures += (failures.empty() ? "" : "; ") + name + ": " + error.what();
            return;
        }
        bounds[name] = precision() == Precision::float32 ? 1e-5 : bound_of(precision());
        write_json(folder + "/bounds.json", bounds);
    });
    if (!failures.empty()) throw tenon::Error(failures);
}

void measure_networks(const Options& options) {
    for_each_precision([&](auto precision) {
        if (name_of(precision()) != options.precision) return;
        for (const int batch : options.batches)
            print(measure<Listing, tenon::CudaWith<precision()>>("ResNet50V2", precision(), batch));
    });
}

/// Small shapes that run every kernel, for compute-sanitizer, which makes them hundreds of times slower.
void run_small() {
    compare_network<Small>("FashionMnistResNet", {2});
    compare_small_step();
}

void describe_networks() {
    for_each_precision([](auto precision) { print(describe<Listing, precision()>("ResNet50V2")); });
    describe_steps();
}

/// Reports why there is no device; returns 77, or 1 when one is required.
int report_no_device(const char* why) {
    std::printf("SKIPPED: there is no device: %s\n", why);
    const char* const required = std::getenv("TENON_REQUIRE_GPU");
    return required && std::string_view(required) == "1" ? 1 : 77;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"tenon's side of scripts/gpu_check"};
    Options options;
    app.require_subcommand(1);
    app.add_subcommand("work", "the work of the network's steps; needs no device");
    app.add_subcommand("probe", "the device and the libraries that are found");
    app.add_subcommand("description", "the device in cuDNN's words");
    app.add_subcommand("ceilings", "what the device reaches");
    app.add_subcommand("logits", "compare with the CPU");
    app.add_subcommand("small", "the same on small shapes");
    app.add_subcommand("gradients", "compare training steps with the CPU's");
    CLI::App* const weights = app.add_subcommand("weights", "write weights and images into a folder; needs no device");
    CLI::App* const answers = app.add_subcommand("answer", "write answers into the folder");
    CLI::App* const steps = app.add_subcommand("step", "write a training step's inputs and results into a folder");
    for (CLI::App* const command : {weights, answers, steps})
        command->add_option("folder", options.folder)->required()->check(CLI::ExistingDirectory);
    for (CLI::App* const command :
         {app.add_subcommand("inference", "measure"), app.add_subcommand("training", "measure training steps")}) {
        command->add_option("--precision", options.precision)->check(CLI::IsMember({"fp32", "tf32", "bf16", "fp16"}));
        command->add_option("--batch", options.batches)->check(CLI::PositiveNumber);
    }
    CLI11_PARSE(app, argc, argv);
    try {
        const std::string command = app.get_subcommands().front()->get_name();
        if (command == "work") {
            describe_networks();
            return 0;
        }
        if (command == "weights") {
            write_weights(options.folder);
            return 0;
        }
        int devices = 0;
        const cudaError_t status = cudaGetDeviceCount(&devices);
        if (status != cudaSuccess) return report_no_device(cudaGetErrorString(status));
        if (devices == 0) return report_no_device("the driver lists none");
        if (command == "probe") {
            probe();
            print_libraries();
        }
        if (command == "description") describe_device();
        if (command == "ceilings") {
            measure_memory();
            measure_arithmetic();
        }
        if (command == "logits") compare_networks();
        if (command == "small") run_small();
        if (command == "answer") answer(options.folder);
        if (command == "gradients") compare_gradients();
        if (command == "step") answer_step(options.folder);
        if (command == "inference") measure_networks(options);
        if (command == "training") measure_steps(options);
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "gpu: " << error.what() << '\n';
        return 1;
    }
}
