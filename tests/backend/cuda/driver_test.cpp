// What an engine asks of a driver, in which order; and that the emulator and the double find what they are there to
// find.
#include <algorithm>
#include <cmath>

#include <tenon/engine/emulated_cuda_training.hpp>
#include <tenon/engine/reference_training.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/train/optimizers/sgd.hpp>
#include <tenon/train/trainer.hpp>

#include "../../support.hpp"
#include "emulate.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;

struct Small : Network<Input<3, 6, 6>, Conv<8, Kernel<3>, Padding<1>, Bias>, ReLU, GlobalAvgPool, Linear<5>> {};
using Runner = tenon_test::Emulated<Small, Precision::float32>;

long count_of(const std::vector<std::string>& calls, const std::string& begin) {
    return std::ranges::count_if(calls, [&](const std::string& call) { return call.starts_with(begin); });
}

TEST_CASE("all memory is allocated by the constructor and given back") {
    cuda::EmulatedDriver* driver = nullptr;
    Runner runner{3, 2};
    driver = &runner.driver();
    using Compiled = cuda::CompiledNetwork<Small, Precision::float32>;
    const std::size_t partials = static_cast<std::size_t>(cuda::partial_floats(Precision::float32, 2) +
                                                          cuda::conv_tickets(Precision::float32, 2)) *
                                 4;
    const std::size_t slot = 2 * 3 * (108 + 5) * 4;  // twice: device and host
    const std::size_t scales = 2 * 3 * 4;            // of images in bytes
    CHECK(driver->bytes() == static_cast<std::size_t>(Compiled::plan.image_scalars) * 3 * 4 +
                                 static_cast<std::size_t>(Compiled::plan.weight_bytes) + partials + 2 * slot + scales);
    driver->clear_calls();
    Parameters<Small> parameters;
    parameters.seed(1);
    runner.set_parameters(parameters.tensors());
    const std::vector<float> images = tenon_test::seeded_images<Small>(7);
    std::vector<float> results(35);
    runner.run(images.data(), results.data(), 7);
    CHECK(count_of(driver->calls(), "allocate") == 0);
}

TEST_CASE("a batch is recorded once, in the order of the plan, and replayed") {
    Runner runner{2, 2};
    Parameters<Small> parameters;
    parameters.seed(1);
    runner.set_parameters(parameters.tensors());
    const std::vector<float> images = tenon_test::seeded_images<Small>(2);
    std::vector<float> results(10);
    runner.driver().clear_calls();
    runner.run(images.data(), results.data(), 2);
    const std::vector<std::string> expected{"upload 864 copy",
                                            "record 0 copy",
                                            "wait 0 compute",
                                            "begin_graph",
                                            "launch load_input 1x1x1 of 256",
                                            "launch conv 3x1x1 of 256",
                                            "launch global_pool 2x1x1 of 256",
                                            "launch conv 1x1x1 of 256",
                                            "launch store_output 1x1x1 of 256",
                                            "end_graph of 5",
                                            "launch_graph 0",
                                            "download 40 compute",
                                            "record 1 compute",
                                            "synchronize 1"};
    CHECK(runner.driver().calls() == expected);
    runner.driver().clear_calls();
    runner.run(images.data(), results.data(), 2);
    CHECK(count_of(runner.driver().calls(), "launch ") == 0);
    CHECK(count_of(runner.driver().calls(), "launch_graph") == 1);
}

TEST_CASE("splits of small tiles are added by the blocks that multiply, those of large ones by a launch") {
    struct Deep : Network<Input<64, 4, 4>, Conv<20, Kernel<3>, Padding<1>>> {};
    constexpr cuda::ConvChoice choice = cuda::choose_conv(Precision::float32, 16, 20, 1, 576, 16, 30);
    static_assert(choice == cuda::ConvChoice{2, 8});
    tenon_test::Emulated<Deep, Precision::float32> runner{1, 30};
    Parameters<Deep> parameters;
    parameters.seed(1);
    runner.set_parameters(parameters.tensors());
    const std::vector<float> image = tenon_test::seeded_images<Deep>(1);
    std::vector<float> results(320);
    runner.run(image.data(), results.data(), 1);
    CHECK(count_of(runner.driver().calls(), "launch conv 1x1x8 of 256") == 1);
    CHECK(count_of(runner.driver().calls(), "launch sum_splits") == 0);
    static_assert(cuda::adds_splits(Precision::float32, {2, 32}) && !cuda::adds_splits(Precision::float32, {2, 1}));
    static_assert(cuda::adds_splits(Precision::float32, {1, 8}) && !cuda::adds_splits(Precision::float32, {1, 16}));
    static_assert(cuda::adds_splits(Precision::bfloat16, {0, 2}) && !cuda::adds_splits(Precision::bfloat16, {0, 4}));
}

TEST_CASE("of many graphs the one that was used longest ago makes room") {
    cuda::EmulatedDriver driver;
    {
        cuda::GraphCache<int, cuda::EmulatedDriver> cache{driver};
        const auto use = [&](int key) { return cache.get(key, [] {}); };
        constexpr int count = cuda::GraphCache<int, cuda::EmulatedDriver>::max_graphs;
        const auto first = use(0), second = use(1);
        for (int key = 2; key < count; ++key) use(key);
        CHECK(use(0) == first);
        CHECK(count_of(driver.calls(), "release_graph") == 0);
        use(count);
        CHECK(driver.calls().back() == "release_graph " + std::to_string(second));
        CHECK(use(0) == first);
        CHECK(use(1) != second);
        CHECK(count_of(driver.calls(), "begin_graph") == count + 2);
        CHECK(count_of(driver.calls(), "release_graph") == 2);
    }
    CHECK(count_of(driver.calls(), "begin_graph") == count_of(driver.calls(), "release_graph"));
}

TEST_CASE("a batch on the device is repeated without copies") {
    Runner runner{3, 2};
    Parameters<Small> parameters;
    parameters.seed(1);
    runner.set_parameters(parameters.tensors());
    const std::vector<float> images = tenon_test::seeded_images<Small>(3);
    std::vector<float> results(15);
    runner.run(images.data(), results.data(), 3);
    runner.driver().clear_calls();
    runner.repeat(3, 2);
    CHECK(runner.driver().calls() ==
          std::vector<std::string>{"launch_graph 0", "launch_graph 0", "synchronize compute"});
}

TEST_CASE("images are copied by several threads, and sent piece by piece") {
    cuda::EmulatedDriver driver;
    cuda::HostCopier alone, four;
    four.start(9);
    CHECK(alone.threads() == 1);
    CHECK(four.threads() == cuda::HostCopier::max_threads);
    for (const std::size_t bytes :
         {std::size_t{4}, cuda::HostCopier::min_bytes + 4, 2 * cuda::HostCopier::piece_bytes + 4}) {
        std::vector<int> from(bytes / 4), to(bytes / 4);
        for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<int>(i + bytes);
        for (cuda::HostCopier* copier : {&alone, &four}) {
            void *pinned = driver.allocate_host(bytes), *device = driver.allocate(bytes);
            driver.clear_calls();
            cuda::upload_through(driver, *copier, device, pinned, from.data(), bytes);
            const auto pieces = static_cast<long>((bytes - 1) / cuda::HostCopier::piece_bytes + 1);
            CHECK(count_of(driver.calls(), "upload") == pieces);
            driver.synchronize(cuda::Stream::copy);
            driver.download(to.data(), device, bytes, cuda::Stream::copy);
            driver.synchronize(cuda::Stream::copy);
            CHECK(from == to);
            std::ranges::fill(to, 0);
            driver.release_host(pinned);
            driver.release(device);
        }
    }
}

TEST_CASE("an engine is on the device that its options choose, and one that is not there is refused") {
    CHECK(cuda::EmulatedEngine<Small, Precision::float32>(0, 1).driver().device() == 0);
    CHECK(cuda::EmulatedEngine<Small, Precision::float32>(0, 1, 1).driver().device() == 1);
    using Training = TrainingEngine<Small, EmulatedCuda<>>;
    CHECK(Training{1}.runner().driver().device() == 0);
    CHECK(Training{1, {.device = 1}}.runner().driver().device() == 1);
    const char* const missing = "the backend Cuda has no device 2: it found 2, numbered from 0; -1 is the current one";
    CHECK(error_of([] { Model<Small, EmulatedCuda<>> model{{.device = 2}}; }) == missing);
    CHECK(error_of([] { Training engine{1, {.device = 2}}; }) == missing);
    CHECK(contains(error_of([] { Model<Small, EmulatedCuda<>> model{{.device = -2}}; }), "has no device -2"));
    using SmallTrainer = Trainer<Small, EmulatedCuda<>>;
    CHECK(error_of([] { SmallTrainer trainer{SgdOptions{}, TrainerOptions{.device = 2}}; }) == missing);
    // A trainer's two engines, for iterations and for evaluation.
    const int first = cuda::EmulatedDriver::made_on(0), second = cuda::EmulatedDriver::made_on(1);
    SmallTrainer trainer{SgdOptions{}, TrainerOptions{.device = 1}};
    CHECK(cuda::EmulatedDriver::made_on(1) == second + 2);
    CHECK(cuda::EmulatedDriver::made_on(0) == first);
    const char* const none = "device 0 was chosen for a backend that has no devices, as CUDA has";
    CHECK(error_of([] { Model<Small, Reference<float>> model{{.device = 0}}; }) == none);
    CHECK(error_of([] { TrainingEngine<Small, Reference<float>> engine{1, {.device = 0}}; }) == none);
}

TEST_CASE("a model copies images in bytes as they are, and refuses what does not fit") {
    Model<Small, EmulatedCuda<>> model{{.images_in_flight = 2}};
    model.initialize(1);
    const std::vector<std::uint8_t> images(4 * 108, 3);
    const std::vector<float> numbers(4 * 108, 1.0f), scale(3, 0.5f), shift(3, -0.5f);
    std::vector<float> results(20), expected(20);
    model.run_bytes(images, scale, shift, results);
    model(numbers, expected);
    CHECK(results == expected);
    const auto error = [&](std::size_t bytes, std::size_t scales, std::size_t shifts, std::size_t count) {
        return error_of([&] {
            model.run_bytes(std::span(images).first(bytes), std::span(scale).first(scales),
                            std::span(shift).first(shifts), std::span(results).first(count));
        });
    };
    CHECK(error(4 * 108, 3, 3, 20) == "(no error)");
    CHECK(contains(error(107, 3, 3, 20), "a positive multiple of that, not 107"));
    CHECK(contains(error(4 * 108, 3, 3, 19), "the results of 4 images take 20 scalars"));
    const char* const channels =
        "the pixels of this network have 3 channels, so as many scales and shifts are expected, ";
    CHECK(contains(error(4 * 108, 1, 3, 20), std::string(channels) + "not 1 and 3"));
    CHECK(contains(error(4 * 108, 3, 2, 20), std::string(channels) + "not 3 and 2"));

    Runner runner{2, 2};
    Parameters<Small> parameters;
    parameters.seed(1);
    runner.set_parameters(parameters.tensors());
    const std::vector<float> both{1, 1, 1, 0, 0, 0};
    const auto calls_of = [&](const auto& run) {
        runner.driver().clear_calls();
        run();
        return runner.driver().calls();
    };
    const auto in_bytes = [&] { runner.run_bytes(images.data(), both.data(), results.data(), 2); };
    const auto in_floats = [&] { runner.run(numbers.data(), results.data(), 2); };
    CHECK(count_of(calls_of(in_bytes), "launch load_bytes") == 1);
    CHECK(count_of(calls_of(in_floats), "launch load_input") == 1);
    // Later only the images are copied.
    const auto again = calls_of(in_bytes);
    CHECK(count_of(again, "upload 216 copy") == 1);
    CHECK(count_of(again, "upload") == 1);
    CHECK(count_of(again, "allocate") + count_of(again, "begin_graph") == 0);
}

TEST_CASE("groups of images take turns in two buffers, and each is right") {
    const auto alone = [&] {
        std::vector<float> all;
        Runner runner{1, 2};
        Parameters<Small> parameters;
        parameters.seed(1);
        runner.set_parameters(parameters.tensors());
        const std::vector<float> images = tenon_test::seeded_images<Small>(7);
        for (std::size_t i = 0; i < 7; ++i) {
            std::vector<float> result(5);
            runner.run(images.data() + i * 108, result.data(), 1);
            all.insert(all.end(), result.begin(), result.end());
        }
        return all;
    }();
    for (const int in_flight : {1, 2, 3, 7, 9}) {
        Runner runner{in_flight, 2};
        Parameters<Small> parameters;
        parameters.seed(1);
        runner.set_parameters(parameters.tensors());
        const std::vector<float> images = tenon_test::seeded_images<Small>(7);
        std::vector<float> results(35);
        runner.run(images.data(), results.data(), 7);
        for (std::size_t i = 0; i < results.size(); ++i) CHECK(results[i] == doctest::Approx(alone[i]).epsilon(1e-5));
    }
}

/// Adds neighbors through shared memory, rightly or with one of the mistakes the emulator is there to find.
enum class Mistake { none, no_barrier, no_wait, unwritten, misaligned, misaligned_load, misaligned_store };
template <Mistake M>
struct SumNeighbours {
    static constexpr const char* name = "sum_neighbours";
    static constexpr int threads = 64;
    struct Arguments {
        const float* from;
        float* to;
    };
    struct Shared {
        alignas(16) float values[threads + 8];
    };
    struct Registers {
        float sum;
    };
    template <class Block>
    static void run(Block& block, const Arguments& arguments) {
        auto& values = block.shared().values;
        const float* from = arguments.from + block.index().x * threads;
        float* to = arguments.to + block.index().x * threads;
        const auto load = [&](int thread) {
            if (M == Mistake::unwritten && thread == 5) return;
            block.template copy_async<4>(thread, &values[thread], from + thread, true);
            block.commit(thread);
            if (M != Mistake::no_wait) block.template wait<0>(thread);
        };
        const auto add = [&](int thread) { to[thread] = values[thread] + values[(thread + 1) % threads]; };
        if (M == Mistake::no_barrier) {
            block.threads([&](int thread, Registers&) {
                load(thread);
                add(thread);
            });
            return;
        }
        if (M == Mistake::misaligned)
            block.threads(
                [&](int thread, Registers&) { block.template copy_async<8>(thread, &values[1], from + thread, true); });
        block.threads([&](int thread, Registers&) { load(thread); });
        float pack[4];
        if (M == Mistake::misaligned_load) cuda::load_floats(&values[2], pack);
        if (M == Mistake::misaligned_store) cuda::store_floats({0, 0, 0, 0}, &values[3]);
        block.threads([&](int thread, Registers&) { add(thread); });
    }
};

template <Mistake M>
bool sums_are_right() {
    std::vector<float> from(128), to(128, -1.0f);
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i);
    cuda::emulate<SumNeighbours<M>>({2, 1, 1}, {from.data(), to.data()}, 9);
    for (std::size_t i = 0; i < from.size(); ++i)
        if (to[i] != from[i] + from[i / 64 * 64 + (i + 1) % 64]) return false;
    return true;
}

TEST_CASE("the emulator finds a missing barrier, a missing wait, memory that nobody wrote and a misaligned copy") {
    CHECK(sums_are_right<Mistake::none>());
    CHECK_FALSE(sums_are_right<Mistake::no_barrier>());
    CHECK_FALSE(sums_are_right<Mistake::no_wait>());
    CHECK_FALSE(sums_are_right<Mistake::unwritten>());
    CHECK(contains(error_of([] { sums_are_right<Mistake::misaligned>(); }), "misaligned"));
    CHECK(contains(error_of([] { sums_are_right<Mistake::misaligned_load>(); }), "not aligned"));
    CHECK(contains(error_of([] { sums_are_right<Mistake::misaligned_store>(); }), "not aligned"));
}

TEST_CASE("the double copies as late as it may") {
    cuda::EmulatedDriver driver;
    float* const device = static_cast<float*>(driver.allocate(4));
    float host = 1, back = 0;
    driver.upload(device, &host, 4, cuda::Stream::copy);
    host = 2;  // too early: nobody waited
    driver.download(&back, device, 4, cuda::Stream::compute);
    driver.synchronize(cuda::Stream::compute);
    CHECK(std::isnan(back));
    const auto event = driver.make_event();
    driver.record(event, cuda::Stream::copy);
    driver.wait(event, cuda::Stream::compute);
    driver.download(&back, device, 4, cuda::Stream::compute);
    driver.synchronize(cuda::Stream::compute);
    CHECK(back == 2);
    driver.release(device);
    cuda::EmulatedDriver other;
    void* const foreign = other.allocate(4);
    CHECK(contains(error_of([&] { driver.release(foreign); }), "not allocated"));
}

}  // namespace
