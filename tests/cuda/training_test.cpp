// Training on CUDA, in the emulator or on a device: gradients against the naive engine in double, repeatability.
#include <cstring>

#include <tenon/topology/gating.hpp>
#include <tenon/topology/training_parts.hpp>
#include <tenon/train/cuda_training_engine.hpp>
#include <tenon/train/cuda_training_runner.hpp>

#include "../train/compare_gradients.hpp"
#include "emulate.hpp"

namespace {

using namespace tenon;
using tenon_test::TrainingData;

#if defined(__CUDACC__)
using TrainingDriver = cuda::DeviceDriver;
#else
using TrainingDriver = cuda::EmulatedDriver;
#endif
template <class Net, Precision P = Precision::float32>
using Engine = CudaTrainingEngine<Net, CudaTrainingRunner<Net, P, TrainingDriver>>;

/// A padded input, uneven windows, groups, both kinds of strided shortcut, a pool that padding takes part in.
struct Strided
    : Network<Input<3, 11, 10>, Conv<12, Kernel<5>, Stride<2>, Padding<2>, Bias>,
              MaxPool<Kernel<3>, Stride<1>, Padding<1>, PadZero>, Stack<4, 2>, BatchNorm, ReLU,
              Conv<12, Kernel<3, 2>, Stride<1, 2>, Padding<0, 1, 2, 0>, Groups<4>>, BatchNorm, ReLU,
              Residual<Conv<20, Kernel<3>, Stride<2>, Padding<1>, Bias>, Conv<20, Kernel<1>, Stride<2>, Bias>>,
              GlobalAvgPool, Linear<11>> {};

/// Gates, everything that goes element by element, averages, a flattened map, softmax in the middle.
struct Uneven
    : Network<Input<5, 5, 6>, BatchNorm, ReLU, GatedResidual<Conv<5, Kernel<3>, Padding<1>>, Identity, Conv<5, Bias>>,
              PadChannels<9, Stride<2>>, Scale<3, 2>, Dropout<Rate<1, 4>>,
              Residual<Conv<9, Kernel<3>, Padding<1>>, Identity>,
              AvgPool<Kernel<3>, Stride<1>, Padding<1>, PadExcluded>, BatchNormWith<NoAffine>, Flatten, Linear<10>,
              Softmax, Linear<6>, Softmax> {};

/// Parts that are frozen, parts that are computed again, maxima over the whole map.
struct Parts : Network<Input<3, 6, 6>, Frozen<Conv<8, Kernel<3>, Padding<1>>, BatchNorm, ReLU>,
                       Checkpoint<Conv<8, Kernel<3>, Padding<1>>, BatchNorm, ReLU>,
                       Sequential<Conv<4>, Frozen<BatchNorm, ReLU, Conv<8>>>, AvgPool<Kernel<2>>,
                       Product<Identity, Sigmoid>, GlobalMaxPool, Linear<10>, ReLU, Linear<5, NoBias>> {};

/// Maxima that several pixels share.
struct Ties : Network<Input<2, 7, 7>, Conv<8>, MaxPool<Kernel<3>, Stride<2>>, GlobalMaxPool, Linear<3>> {};

/// Maps of so many pixels that sums over them are made by several blocks.
struct Wide : Network<Input<4, 40, 36>, BatchNorm, ReLU, Conv<12, Kernel<3>, Stride<2>, Padding<1>, Bias>, ReLU,
                      GlobalAvgPool, Linear<3>> {};

/// What a precision's tensor cores compute. No ReLU, whose gradient jumps where a value is rounded to the other side.
struct Mixed : Network<Input<3, 16, 14>, Conv<16, Kernel<3>, Padding<1>>, BatchNorm, Sigmoid,
                       Residual<Conv<24, Kernel<3>, Stride<2>, Padding<1>>, Conv<24, Kernel<1>, Stride<2>>>, BatchNorm,
                       Sigmoid, AvgPool<Kernel<4>>, Flatten, Linear<6>> {};

constexpr int batch = 3;

template <class Net, Precision P = Precision::float32>
void compare_training(double bound = 1e-4, bool soft = false) {
    Engine<Net, P> engine{batch + 1};
    tenon_test::compare_step(engine, TrainingData<Net>{batch}, bound, soft);
}

TEST_CASE("gradients of strided and grouped convolutions equal the naive engine's") { compare_training<Strided>(); }
TEST_CASE("gradients of gates, dropouts and averages equal the naive engine's") {
    compare_training<Uneven>();
    compare_training<Uneven>(1e-4, true);
}
TEST_CASE("gradients of frozen and recomputed parts equal the naive engine's") { compare_training<Parts>(); }
TEST_CASE("sums over many pixels are made by several blocks") {
    CHECK(cuda::choose_weight_gradient(Precision::float32, batch * 360, 12, 36, 1, 4).splits == 8);
    CHECK(cuda::ChannelChunks{batch * 1440, 4, 4}.chunks > 2);
    compare_training<Wide>();
}
TEST_CASE("gradients in other precisions are close to the naive engine's") {
    // Values, gradients and weights are rounded once each; a dozen roundings of 2^-11 or 2^-8 come together.
    compare_training<Mixed, Precision::tensor_float32>(0x1p-8);
    compare_training<Mixed, Precision::float16>(0x1p-8);
    compare_training<Mixed, Precision::bfloat16>(0x1p-5);
}
TEST_CASE("of equal maxima the first one gets the gradient") {
    Engine<Ties> engine{batch};
    tenon_test::check_first_maxima(engine, TrainingData<Ties>{batch});
}

TEST_CASE("a step is bitwise repeatable, in whatever order blocks and threads run") {
    const auto step = [](int steps_before) {
        const TrainingData<Wide> data{batch};
        Engine<Wide> engine{batch};
        std::vector<float> all;
        for (int i = 0; i <= steps_before; ++i) {  // the double shuffles each launch differently
            engine.parameters().seed(4);
            all.assign(
                1, static_cast<float>(engine.forward_backward(data.images, std::span<const int>(data.labels)).loss));
        }
        const auto append = [&](std::span<const float> values) { all.insert(all.end(), values.begin(), values.end()); };
        append(engine.gradients().values());
        append(engine.parameters().values());
        append(engine.logits());
        return all;
    };
    const std::vector<float> first = step(0), third = step(2);
    REQUIRE(first.size() == third.size());
    CHECK(std::memcmp(first.data(), third.data(), first.size() * sizeof(float)) == 0);
}

#if !defined(__CUDACC__)  // what the double records
TEST_CASE("a batch size is recorded once as a graph, and all memory is allocated before and given back") {
    const TrainingData<Ties> data{batch};
    Engine<Ties> engine{batch};
    engine.parameters().seed(4);
    cuda::EmulatedDriver& driver = engine.runner().driver();
    driver.clear_calls();
    const auto count = [&](const std::string& begin) {
        return std::ranges::count_if(driver.calls(), [&](const std::string& call) { return call.starts_with(begin); });
    };
    const auto step = [&](std::size_t images) {
        driver.clear_calls();
        engine.forward_backward(std::span(data.images).first(images * 98), std::span(data.labels).first(images));
        CHECK(count("allocate") == 0);
        CHECK(count("launch_graph") == 1);
    };
    step(3);
    CHECK(count("begin_graph") == 1);
    CHECK(count("launch loss 3x1x1 of 128") == 1);
    step(3);
    CHECK(count("begin_graph") == 0);
    CHECK(count("launch ") == 0);
    step(2);
    CHECK(count("begin_graph") == 1);
}
#endif

TEST_CASE("bad batches and labels are refused") {
    const TrainingData<Ties> data{batch};
    Engine<Ties> engine{batch};
    std::vector<int> labels = data.labels;
    labels[2] = 3;
    CHECK_THROWS_WITH_AS(engine.forward_backward(data.images, std::span<const int>(labels)),
                         doctest::Contains("label 3 of image 2 is not one of the network's classes 0 to 2"), Error);
    CHECK_THROWS_AS(engine.forward_backward(std::span(data.images).first(7), std::span<const int>(labels)), Error);
    CHECK_THROWS_AS((Engine<Ties>{0}), Error);
}

}  // namespace
