// The concepts of engines, in both polarities: what the library's engines are, and what stops being one.
#include <doctest/doctest.h>

#include <tenon/engine/concepts.hpp>
#include <tenon/engine/emulated_cuda.hpp>
#include <tenon/engine/emulated_cuda_training.hpp>
#include <tenon/training.hpp>

using namespace tenon;

namespace {

struct Net : Network<Input<3, 8, 8>, Conv<4, Kernel<3>>, ReLU, GlobalAvgPool, Linear<2>> {};

template <class Backend>
using EngineOf = typename Backend::template Engine<Net>;

static_assert(detail::InferenceEngine<EngineOf<Cpu>> && detail::RunsUnobserved<EngineOf<Cpu>>);
static_assert(detail::InferenceEngine<EngineOf<ExactCpu>>);
static_assert(detail::InferenceEngine<EngineOf<Cuda>> && detail::RunsUnobserved<EngineOf<Cuda>>);
static_assert(detail::InferenceEngine<EngineOf<EmulatedCuda<>>>);
static_assert(detail::ReadsBytes<EngineOf<Cuda>> && detail::ReadsBytes<EngineOf<Cpu>>);
static_assert(!detail::ReadsBytes<EngineOf<Reference<double>>>);
static_assert(detail::InferenceEngine<EngineOf<Reference<double>>>);
static_assert(!detail::RunsUnobserved<EngineOf<Reference<double>>>);
static_assert(detail::NeedsRanges<EngineOf<CpuWith<Precision::int8>>> && !detail::NeedsRanges<EngineOf<Cpu>>);

static_assert(detail::TrainingEngine<TrainingEngine<Net, Cpu>> && detail::LendsThreads<TrainingEngine<Net, Cpu>>);
static_assert(detail::TrainingEngine<TrainingEngine<Net, Cuda>> && !detail::LendsThreads<TrainingEngine<Net, Cuda>>);
static_assert(detail::TrainingEngine<TrainingEngine<Net, Reference<double>>>);
static_assert(!detail::ScalesLoss<TrainingEngine<Net, Cpu>> && !detail::ScalesLoss<TrainingEngine<Net, Cuda>>);
static_assert(detail::ScalesLoss<TrainingEngine<Net, CudaWith<Precision::float16>>>);

template <class E>
constexpr bool updates = detail::UpdatesParameters<E, detail::UpdateRule, detail::ParameterRun>;
static_assert(updates<TrainingEngine<Net, Cuda>> && !updates<TrainingEngine<Net, Cpu>>);

// Each of these lacks one thing.
struct Whole {
    using Scalar = float;
    struct Compiled {
        static constexpr int steps = 1;
    };
    Whole(int, int) {}
    void set_parameters(std::span<const float* const>) {}
    void run(const float*, float*, long, detail::StepObserver) {}
    int threads() const { return 1; }
};
struct WithoutSteps : Whole {
    using Whole::Whole;
    struct Compiled {};
};
struct WithoutParameters : Whole {
    using Whole::Whole;
    void set_parameters(std::span<const float* const>) = delete;
};
struct WithoutObserver : Whole {
    using Whole::Whole;
    void run(const float*, float*, long) {}
};
struct Unmovable : Whole {
    using Whole::Whole;
    Unmovable(Unmovable&&) = delete;
};
static_assert(detail::InferenceEngine<Whole> && !detail::RunsUnobserved<Whole>);
static_assert(!detail::InferenceEngine<int> && !detail::InferenceEngine<WithoutSteps>);
static_assert(!detail::InferenceEngine<WithoutParameters> && !detail::InferenceEngine<WithoutObserver>);
static_assert(!detail::InferenceEngine<Unmovable>);
static_assert(!detail::TrainingEngine<Whole> && !detail::TrainingEngine<EngineOf<Cpu>>);

/// A backend whose results are twice the first values of an image.
struct Doubling {
    template <class>
    struct Engine : Whole {
        using Whole::Whole;
        void run(const float* images, float* results, long count, detail::StepObserver observe) {
            for (long i = 0; i < count * 2; ++i) results[i] = 2 * images[i];
            observe(0);
        }
    };
};

}  // namespace

TEST_CASE("a backend of a program's own runs a model") {
    Model<Net, Doubling> model;
    model.initialize(1);
    std::vector<float> image(3 * 8 * 8, 1.5f);
    CHECK(model(image)[0] == 3.0f);
    CHECK(model(image)[1] == 3.0f);
}
