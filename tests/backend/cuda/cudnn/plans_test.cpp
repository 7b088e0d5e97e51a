// cuDNN's plans for every convolution of every shipped network, made without a device from the description of one. The
// descriptions are put together from what cuDNN asks for and the devices' data sheets; they were not read off devices.
#include <algorithm>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include <tenon/backend/cuda/driver/emulated_driver.hpp>
#include <tenon/backend/cuda/launch/inference.hpp>
#include <tenon/backend/cuda/libraries/cudnn_convolution.hpp>
#include <tenon/backend/cuda/libraries/provider_choice.hpp>
#include <tenon/engine/cuda_program.hpp>
#include <tenon/models/cifar.hpp>
#include <tenon/models/cifar10_resnet.hpp>
#include <tenon/models/cifar_keras.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/keras.hpp>
#include <tenon/models/mxnet.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/models/timm.hpp>
#include <tenon/models/wide_resnet.hpp>

#include "../../../support.hpp"

namespace {

using namespace tenon;
using namespace tenon::cuda;
using tenon_test::contains;
using tenon_test::error_of;

constexpr std::int64_t workspace_bytes = std::int64_t{64} << 20;  // device_libraries.hpp
constexpr Precision precisions[] = {Precision::float32, Precision::tensor_float32, Precision::bfloat16,
                                    Precision::float16};

/// The library; none, said loudly, where it can't be loaded.
std::shared_ptr<const Cudnn> library() {
    static const std::shared_ptr<const Cudnn> cudnn = []() -> std::shared_ptr<const Cudnn> {
        try {
            return std::make_shared<const Cudnn>();
        } catch (const Error& error) {
            std::cout << "SKIPPED: " << error.what() << '\n';
            return nullptr;
        }
    }();
    return cudnn;
}

CudnnDevice device(const char* name) {
    std::string json =
        tenon_test::read_file(tenon_test::source_file(std::string("tests/backend/cuda/cudnn/") + name + ".json"));
    std::erase(json, '\n');
    return CudnnDevice::described(library(), json);
}

/// A convolution's problem, in 32 bits, forward.
template <class Net>
void collect(std::set<ConvProblem>& problems, int images) {
    for (const detail::Op& op : lowered<Net>.ops)
        if (op.kind == OpKind::conv)
            problems.insert(problem_of(Precision::float32, ConvDirection::forward, lowered<Net>, op.terms[0], images));
}

/// All distinct convolutions of the shipped networks. Deeper networks of a family repeat its convolutions.
std::set<ConvProblem> all_convolutions(int images) {
    std::set<ConvProblem> problems;
    const auto all = [&]<class... Nets>() { (collect<Nets>(problems, images), ...); };
    all.operator()<FashionMnistResNet, Cifar10ResNet, ResNet50V2<>, ResNet18<>, ResNet34<>, ResNet50<>, ResNet101<>,
                   WideResNet50_2<>, ResNeXt50_32x4d<>, KerasResNet50<>, KerasResNet50V2<>, TimmResNetV2_50<>,
                   MxnetResNet50V2<>, CifarResNet20<>, CifarResNet20V2<>, KerasCifarResNet20V2<>, MlperfTinyResNet8<>,
                   WideResNet28_10<>>();
    return problems;
}

std::string words(const ConvProblem& p) {
    return std::to_string(p.channels) + "x" + std::to_string(p.height) + "x" + std::to_string(p.width) + " to " +
           std::to_string(p.outputs) + ", kernel " + std::to_string(p.kernel_height) + ", stride " +
           std::to_string(p.stride_height) + ", groups " + std::to_string(p.groups) + ", direction " +
           std::to_string(static_cast<int>(p.direction)) + ", precision " +
           std::to_string(static_cast<int>(p.precision));
}

/// The first of the offers that is in cuDNN's libraries, made into a plan: what device_libraries.hpp does. Its
/// workspace; -1 if there is none.
std::int64_t planned_workspace(const ConvProblem& problem, const CudnnDevice& device, std::int64_t most) {
    for (const CudnnOffer& offer : CudnnConvolution{library(), problem}.offers(device)) {
        if (offer.is_compiled_at_run_time()) continue;
        try {
            const CudnnDescriptor plan = CudnnConvolution::plan(offer, device);
            const auto bytes = plan.get<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
            if (bytes <= most) return bytes;
        } catch (const Error&) {
        }
    }
    return -1;
}

TEST_CASE("every convolution has a plan in every direction and precision") {
    if (!library()) return;
    const std::set<ConvProblem> convolutions = all_convolutions(32);
    CHECK(convolutions.size() > 80);
    for (const char* name : {"h100", "a100"}) {
        const CudnnDevice described = device(name);
        int plans = 0, missing = 0;
        for (ConvProblem problem : convolutions)
            for (const Precision precision : precisions)
                for (const auto direction :
                     {ConvDirection::forward, ConvDirection::data_gradient, ConvDirection::weight_gradient}) {
                    problem.precision = precision;
                    problem.direction = direction;
                    if (planned_workspace(problem, described, std::int64_t{1} << 34) >= 0) {
                        ++plans;
                    } else {
                        ++missing;
                        MESSAGE(std::string(name) << ": no plan for " << words(problem));
                    }
                }
        MESSAGE(std::string(name) << ": " << plans << " plans for " << convolutions.size() << " convolutions");
        CHECK(missing == 0);
    }
}

TEST_CASE("bias, residual and ReLU are fused in kernels that are in the libraries") {
    if (!library()) return;
    const CudnnDevice described = device("h100");
    ConvProblem problem{.images = 64,
                        .channels = 128,
                        .height = 28,
                        .width = 28,
                        .outputs = 128,
                        .result_height = 28,
                        .result_width = 28,
                        .kernel_height = 3,
                        .kernel_width = 3,
                        .top = 1,
                        .left = 1};
    for (const Precision precision : precisions)
        for (const bool residual : {false, true})
            for (const bool relu : {false, true}) {
                problem.precision = precision;
                problem.bias = true;
                problem.residual = residual;
                problem.relu = relu;
                CAPTURE(words(problem));
                CHECK(planned_workspace(problem, described, std::int64_t{1} << 30) >= 0);
            }
}

TEST_CASE("in 32 bits no offer uses tensor cores, in other precisions one does") {
    if (!library()) return;
    const CudnnDevice described = device("h100");
    ConvProblem problem{
        .images = 8, .channels = 64, .height = 14, .width = 14, .outputs = 64, .result_height = 14, .result_width = 14};
    for (const Precision precision : precisions) {
        problem.precision = precision;
        const auto offers = CudnnConvolution{library(), problem}.offers(described);
        REQUIRE(!offers.empty());
        const auto uses = std::ranges::count_if(
            offers, [](const CudnnOffer& offer) { return offer.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE); });
        CHECK((uses > 0) == (precision != Precision::float32));
        CHECK(std::ranges::all_of(offers, &CudnnOffer::is_deterministic));
    }
}

/// Plans all that the table leaves to cuDNN in a network; how many of its products go to whom.
template <class Net, Precision P>
std::map<Provider, int> plan_chosen(int images) {
    const CudnnDevice described = device("h100");
    alignas(256) static unsigned char memory[256];
    cuda::Frame<EmulatedDriver> frame{};
    frame.arena = memory;
    frame.weights = memory;
    frame.images = images;
    std::map<Provider, int> chosen;
    for (const cuda::Step& step : cuda::CompiledNetwork<Net, P>::plan.steps) {
        if (!step.is_product()) continue;
        const auto problem = problem_of(P, conv_arguments<Number<P>>(step, frame));
        const Provider provider =
            problem ? choose_provider(*problem, {.cublaslt = true, .cudnn = true}, 132) : Provider::own;
        ++chosen[provider];
        if (provider != Provider::cudnn) continue;
        CAPTURE(words(*problem));
        CHECK(planned_workspace(*problem, described, workspace_bytes) >= 0);
    }
    return chosen;
}

TEST_CASE("what the table leaves to cuDNN has a plan that fits") {
    if (!library()) return;
    const auto large = plan_chosen<ResNet50V2<>, Precision::bfloat16>(256);
    CHECK(large.at(Provider::cudnn) > 0);
    CHECK(large.at(Provider::cublaslt) > 0);
    CHECK(plan_chosen<ResNet50V2<>, Precision::bfloat16>(1).count(Provider::cudnn) == 0);
    CHECK(plan_chosen<ResNet50<>, Precision::float16>(256).at(Provider::cudnn) > 0);
    CHECK(plan_chosen<ResNet50<>, Precision::tensor_float32>(256).at(Provider::cudnn) > 0);
    CHECK(plan_chosen<ResNet50<>, Precision::float32>(256).size() == 1);
}

TEST_CASE("weight gradients that the table leaves to cuDNN have plans that fit") {
    if (!library()) return;
    for (const char* name : {"h100", "a100"}) {
        const CudnnDevice described = device(name);
        int chosen = 0;
        for (ConvProblem problem : all_convolutions(256)) {
            problem.precision = Precision::tensor_float32;
            problem.direction = ConvDirection::weight_gradient;
            if (choose_provider(problem, {.cublaslt = true, .cudnn = true}, 132) != Provider::cudnn) continue;
            CAPTURE(words(problem));
            CHECK(planned_workspace(problem, described, workspace_bytes) >= 0);
            ++chosen;
        }
        CHECK(chosen > 10);
    }
}

TEST_CASE("contradictions are told in a sentence") {
    if (!library()) return;
    const ConvProblem problem{
        .channels = 9, .height = 5, .width = 5, .outputs = 8, .result_height = 5, .result_width = 5, .groups = 2};
    CHECK(contains(error_of([&] { CudnnConvolution{library(), problem}; }), "cuDNN could not make"));
    CHECK(contains(error_of([] { CudnnDevice::described(library(), "{\"deviceVer\":900}"); }),
                   "cuDNN could not make the description of a device"));
    CHECK(contains(error_of([] { DynamicLibrary{"libno_such_library.so.1"}; }), "could not be loaded"));
}

}  // namespace
