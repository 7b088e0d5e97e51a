// One network in one precision on the device: its results, its time, and a lower bound of that time. `Backend` is
// CudaWith, or EmulatedCuda in tests.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include <tenon/core/random.hpp>
#include <tenon/tenon.hpp>

namespace gpu_check {

inline std::string_view name_of(tenon::Precision precision) {
    using enum tenon::Precision;
    return precision == float32          ? "fp32"
           : precision == tensor_float32 ? "tf32"
           : precision == bfloat16       ? "bf16"
                                         : "fp16";
}

/// The tolerance of two correct results, as a share of the largest logit. In 32 bits: the tolerance of each backend
/// from the exact result; in others sixteen roundings, as tests/backend/cuda allows the emulator.
inline double bound_of(tenon::Precision precision) {
    using enum tenon::Precision;
    return precision == float32 ? 2e-5 : precision == bfloat16 ? 0x1p-4 : 0x1p-6;
}

/// Seeded images with values in [-1, 1].
template <class Net>
std::vector<float> images_of(int batch) {
    std::vector<float> images(static_cast<std::size_t>(batch * tenon::input_shape<Net>.elements()));
    for (std::size_t i = 0; i < images.size(); ++i)
        images[i] = static_cast<float>(
            tenon::detail::uniform(tenon::detail::random_bits(1, tenon::detail::hash_name("input"), i), -1, 1));
    return images;
}

template <class Net>
tenon::Parameters<Net> parameters_of() {
    tenon::Parameters<Net> parameters;
    parameters.seed(1);
    return parameters;
}

/// The largest difference between two results, as a share of the largest expected value; NaN when one of them has a
/// NaN.
inline double difference(std::span<const float> found, std::span<const float> expected) {
    double largest = 0, worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        largest = std::max(largest, std::abs(double{expected[i]}));
        const double error = std::abs(double{found[i]} - expected[i]);
        if (error > worst || std::isnan(error)) worst = error;
    }
    return worst / largest;
}

template <class Net, class Backend>
std::vector<float> device_answer(std::span<const float> images, int batch, int in_flight) {
    typename Backend::template Engine<Net> engine{1, in_flight};
    const tenon::Parameters<Net> parameters = parameters_of<Net>();
    engine.set_parameters(parameters.tensors());
    std::vector<float> results(static_cast<std::size_t>(batch * tenon::output_shape<Net>.elements())), again = results;
    engine.run(images.data(), results.data(), batch);
    engine.run(images.data(), again.data(), batch);
    if (results != again) throw tenon::Error("two runs of one batch differ");
    return results;
}

/// The CPU's results, which are the same for all precisions of the device.
template <class Net>
std::vector<float> cpu_answer(int batch) {
    tenon::Model<Net, tenon::ExactCpu> cpu;
    cpu.set_parameters(parameters_of<Net>());
    const std::vector<float> images = images_of<Net>(batch);
    const auto results = cpu(images);
    return {results.begin(), results.end()};
}

/// Compares the device's results with the CPU's.
template <class Net, class Backend>
nlohmann::json compare(std::string_view network, tenon::Precision precision, int batch,
                       std::span<const float> expected) {
    const std::vector<float> images = images_of<Net>(batch);
    // A group of fewer images than the batch uses both buffers.
    const double error = difference(device_answer<Net, Backend>(images, batch, std::max(1, batch - 1)), expected);
    return {{"kind", "logits"},     {"network", network}, {"precision", name_of(precision)}, {"batch", batch},
            {"against", "the CPU"}, {"error", error},     {"bound", bound_of(precision)}};
}

inline double milliseconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

inline double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

/// The milliseconds of each call of `run`: enough calls for a median, unless they take more than a few seconds.
template <class Run>
std::vector<double> time_rounds(Run run) {
    std::vector<double> times;
    const auto begin = std::chrono::steady_clock::now();
    while (times.size() < 30 || (times.size() < 300 && milliseconds_since(begin) < 1500)) {
        const auto start = std::chrono::steady_clock::now();
        run();
        times.push_back(milliseconds_since(start));
        if (milliseconds_since(begin) > 6000) break;
    }
    return times;
}

/// The finding of a timed batch: repeat(n) runs it n times on the device, `runs` times in a round; once() runs it with
/// copies from and to the host.
template <class Repeat, class Once>
nlohmann::json time_batch(std::string_view kind, std::string_view network, tenon::Precision precision, int batch,
                          int runs, Repeat repeat, Once once) {
    repeat(5);
    const std::vector<double> times = time_rounds([&] { repeat(runs); });
    std::vector<double> with_copies;
    for (int i = 0; i < 5; ++i) {
        const auto start = std::chrono::steady_clock::now();
        once();
        with_copies.push_back(milliseconds_since(start));
    }
    return {{"kind", kind},
            {"network", network},
            {"precision", name_of(precision)},
            {"batch", batch},
            {"ms", median(times) / runs},
            {"fastest_ms", *std::ranges::min_element(times) / runs},
            {"with_copies_ms", median(with_copies)},
            {"rounds", times.size()}};
}

/// Milliseconds of a batch on the device. Up to 8 images every run is waited for, as small batches are about latency;
/// beyond that runs are queued.
template <class Net, class Backend>
nlohmann::json measure(std::string_view network, tenon::Precision precision, int batch) {
    const std::vector<float> images = images_of<Net>(batch);
    std::vector<float> results(static_cast<std::size_t>(batch * tenon::output_shape<Net>.elements()));
    typename Backend::template Engine<Net> engine{0, batch};
    engine.set_parameters(parameters_of<Net>().tensors());
    const auto once = [&] { engine.run(images.data(), results.data(), batch); };
    once();
    nlohmann::json finding = time_batch(
        "inference", network, precision, batch, batch <= 8 ? 1 : 10, [&](int times) { engine.repeat(batch, times); },
        once);
    // Who computes the convolutions, apart from sums of two.
    if constexpr (requires { engine.providers(); }) {
        const tenon::cuda::ProviderCounts counts = engine.providers();
        finding["convolutions"] = {{"tenon", counts.own}, {"cuBLASLt", counts.cublaslt}, {"cuDNN", counts.cudnn}};
    }
    if (const char* const providers = std::getenv("TENON_CUDA_PROVIDERS")) finding["providers"] = providers;
    return finding;
}

/// The numbers that a step reads of a tensor: with its border where it has one, else without what fills pixels up.
inline long numbers_read(const tenon::cuda::Step& step, const tenon::cuda::Tensor& tensor) {
    const bool has_border = &tensor == &step.terms[0].source && step.terms[0].row > 0;
    return has_border ? tensor.scalars() : tensor.channels * tensor.pixels();
}

/// The work of every step: floating-point operations and bytes per image, and the bytes of weights that a batch reads
/// once. With the device's peaks it gives the minimum time of a batch.
template <class Net, tenon::Precision P>
nlohmann::json describe(std::string_view network) {
    using Compiled = tenon::cuda::CompiledNetwork<Net, P>;
    nlohmann::json steps = nlohmann::json::array();
    for (const tenon::cuda::Step& step : Compiled::plan.steps) {
        long operations = 0, bytes = 0, weights = 0;
        for (const tenon::cuda::Tensor* tensor :
             {&step.terms[0].source, &step.terms[1].source, &step.residual, &step.target, &step.activated})
            if (tensor->exists()) bytes += numbers_read(step, *tensor) * tenon::detail::number_bytes(P);
        // Two convolutions of the same map read it once.
        if (step.terms[1].source.exists() && step.terms[1].source.offset == step.terms[0].source.offset)
            bytes -= step.terms[1].source.channels * step.terms[1].source.pixels() * tenon::detail::number_bytes(P);
        if (step.kind == tenon::OpKind::load_input) bytes += 4 * tenon::input_shape<Net>.elements();
        if (step.kind == tenon::OpKind::store_output) bytes += 4 * tenon::output_shape<Net>.elements();
        if (step.is_product()) {
            operations = 2 * tenon::detail::multiply_adds_of(Compiled::program, Compiled::program.ops[step.op]);
            for (const tenon::cuda::Term& term : step.terms)
                if (term.source.exists())
                    weights += long{term.depth} * step.result().channels * tenon::detail::number_bytes(P);
        }
        steps.push_back({operations, bytes, weights});
    }
    return {{"kind", "work"}, {"network", network}, {"precision", name_of(P)}, {"steps", std::move(steps)}};
}

}  // namespace gpu_check
