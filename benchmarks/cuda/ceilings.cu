// What a device's arithmetic reaches, by a large product of cuBLASLt; and its description, as cuDNN writes it.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <vector>

#include <tenon/backend/cuda/libraries/device_libraries.hpp>

#include "ceilings.hpp"

namespace gpu_check {
namespace {

/// Bytes of random numbers with a magnitude from 0.5 to 1, so that none is special.
std::vector<unsigned char> random_numbers(tenon::Precision precision, std::size_t bytes) {
    using enum tenon::Precision;
    std::vector<unsigned char> numbers(bytes);
    std::uint64_t state = 1;
    const auto fill = [&]<class Word>(Word exponent, Word free_bits) {
        for (std::size_t at = 0; at < bytes; at += sizeof(Word)) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            const Word word = exponent | (static_cast<Word>(state >> 32) & free_bits);
            std::memcpy(numbers.data() + at, &word, sizeof word);
        }
    };
    if (precision == bfloat16)
        fill(std::uint16_t{0x3f00}, std::uint16_t{0x807f});
    else if (precision == float16)
        fill(std::uint16_t{0x3800}, std::uint16_t{0x83ff});
    else
        fill(std::uint32_t{0x3f000000}, std::uint32_t{0x807fffff});
    return numbers;
}

}  // namespace

double measure_product(tenon::Precision precision) {
    using namespace tenon::cuda;
    constexpr int size = 8192;
    constexpr std::size_t workspace = std::size_t{64} << 20;
    DeviceDriver driver;
    const ConvProblem problem{.precision = precision, .images = size, .channels = size, .outputs = size};
    CublasLtProduct product{std::make_shared<const CublasLt>(), driver.device(), problem, workspace};
    const std::size_t bytes = std::size_t{size} * size * tenon::detail::number_bytes(precision);
    std::vector<void*> memory;
    for (const std::size_t amount : {bytes, bytes, bytes, workspace}) memory.push_back(driver.allocate(amount));
    // Random numbers between -1 and 1, as equal ones would be multiplied faster.
    const std::vector<unsigned char> numbers = random_numbers(precision, bytes);
    for (int i = 0; i < 2; ++i) driver.upload(memory[i], numbers.data(), bytes, Stream::compute);
    const auto run = [&] {
        product.run(memory[0], memory[1], nullptr, nullptr, memory[2], memory[3], driver.stream(Stream::compute));
    };
    const int runs = precision == tenon::Precision::float32 ? 2 : 10;
    run();
    driver.synchronize(Stream::compute);
    double best = 0;
    for (int round = 0; round < 3; ++round) {
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < runs; ++i) run();
        driver.synchronize(Stream::compute);
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        best = std::max(best, 2e-12 * size * size * size * runs / seconds);
    }
    for (void* const block : memory) driver.release(block);
    return best;
}

std::vector<std::pair<std::string, std::string>> libraries() {
    using tenon::cuda::Provider;
    std::vector<std::pair<std::string, std::string>> all;
    for (const Provider provider : {Provider::cublaslt, Provider::cudnn}) {
        const tenon::cuda::LibraryState state = tenon::cuda::LoadedLibraries::of_process().state(provider);
        all.emplace_back(state.name, state.missing.empty() ? std::to_string(state.version) + " in " + state.file
                                                           : "missing: " + state.missing);
    }
    return all;
}

std::string device_description() {
#if defined(TENON_CUDNN)
    using namespace tenon::cuda;
    const auto cudnn = std::make_shared<const Cudnn>();
    cudnnHandle_t handle = nullptr;
    cudnn->check(cudnn->create_handle(&handle), "begin");
    const std::string json = CudnnDevice::of(cudnn, handle).json();
    cudnn->destroy_handle(handle);
    return json;
#else
    return {};
#endif
}

}  // namespace gpu_check
