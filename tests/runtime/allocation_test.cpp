// A call allocates nothing: counted by this program's own operator new.

// GCC 12 takes an inlined operator delete for a free of what operator new returned; both are below.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#include <doctest/doctest.h>

#include <tenon/engine/cpu_with.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/runtime/model.hpp>

namespace {
std::atomic<long> allocations{0};
}

void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size ? size : 1)) return memory;
    throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    ++allocations;
    const auto unit = static_cast<std::size_t>(alignment);
    if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

using namespace tenon;

TEST_CASE("the counter counts") {
    const long before = allocations;
    ::operator delete(::operator new(4));
    const long after = allocations;
    CHECK(after == before + 1);
}

TEST_CASE("a call allocates nothing once the result has room") {
    using Net = FashionMnistResNet;
    for (const int threads : {1, 2}) {
        Model<Net> model{{.threads = threads}};
        model.initialize(1);
        const std::vector<float> images(static_cast<std::size_t>(6 * input_shape<Net>.elements()), 0.5f);
        std::vector<float> results(60);
        model(images);  // room for six results, threads awake
        const long before = allocations;
        for (int i = 0; i < 20; ++i) {
            model(images);
            model(images, results);
        }
        const long after = allocations;
        CHECK(after == before);
    }
}

struct Integers : Network<Input<3, 12, 12>, Conv<16, Kernel<3>, Padding<1>>, ReLU, Conv<32, Kernel<3>, Padding<1>>,
                          ReLU, GlobalAvgPool, Linear<10>> {};

TEST_CASE("nor does one in 8-bit integers or bfloat16, beside the same network in floats") {
    Parameters<Integers> parameters;
    parameters.seed(1);
    const std::vector<float> images(static_cast<std::size_t>(6 * input_shape<Integers>.elements()), 0.5f);
    const std::vector<float> ranges{1, 2, 2}, scale(3, 0.01f), shift(3, -1.0f);
    const std::vector<std::uint8_t> bytes(images.size(), 100);
    std::vector<float> results(60);
    for (const int threads : {1, 2}) {
        Model<Integers> floats{{.threads = threads}};
        Model<Integers, CpuWith<Precision::int8>> integers{{.threads = threads}};
        Model<Integers, CpuWith<Precision::bfloat16>> halves{{.threads = threads}};
        floats.set_parameters(parameters);
        integers.set_parameters(parameters, ranges);
        halves.set_parameters(parameters);
        floats(images);
        integers(images);
        halves(images);
        const long before = allocations;
        for (int i = 0; i < 20; ++i) {
            integers(images);
            floats(images);
            halves(images);
            integers.run_bytes(bytes, scale, shift, results);
            floats.run_bytes(bytes, scale, shift, results);
            halves.run_bytes(bytes, scale, shift, results);
        }
        const long after = allocations;
        CHECK(after == before);
    }
}

}  // namespace
