// What traces record: events that lie within each other, work, memory in use, and results with the same bits.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/network.hpp>
#include <tenon/report/trace/iteration.hpp>
#include <tenon/report/trace/trace_files.hpp>

#include "../support.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;

struct Traced
    : Network<Input<3, 8, 8>, Conv<16, Kernel<3>, Padding<1>, Bias>, BatchNorm, ReLU, GlobalAvgPool, Linear<10>> {};

constexpr std::size_t image_size = 3 * 8 * 8;

std::vector<float> traced_images(std::size_t count) {
    std::vector<float> images(count * image_size);
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i % 7) - 3;
    return images;
}

/// Whether each worker's events come one after another or are within each other.
bool nests(const reports::Trace& trace) {
    for (const reports::TraceEvent& a : trace.events) {
        if (!(a.begin >= 0 && a.end >= a.begin)) return false;
        for (const reports::TraceEvent& b : trace.events)
            if (a.worker == b.worker && a.begin < b.begin && b.begin < a.end && b.end > a.end) return false;
    }
    return true;
}

TEST_CASE("a trace has an event for each step, within which its workers' parts lie, and the work of the network") {
    for (const int threads : {1, 3}) {
        CAPTURE(threads);
        Model<Traced> model{{.threads = threads}};
        model.initialize(1);
        const std::vector<float> images = traced_images(2);
        const reports::Trace trace = reports::record(model, images);
        CHECK(trace.workers == threads);
        CHECK(trace.peak > 0.1);
        CHECK(trace.is_shared());
        CHECK(nests(trace));
        double work = 0;
        std::vector<int> seen(trace.steps.size());
        for (const reports::TraceEvent& event : trace.events) {
            CHECK(event.worker >= 0);
            CHECK(event.worker < threads);
            if (event.is_part) continue;
            CHECK(event.worker == 0);
            seen[static_cast<std::size_t>(event.step)] += event.images;
            work += trace.rate(event) * event.seconds();
        }
        CHECK(std::ranges::all_of(seen, [](int images_seen) { return images_seen == 2; }));
        CHECK(work == doctest::Approx(2e-9 * 2 * static_cast<double>(multiply_adds<Traced>)));
        const auto parts = std::ranges::count_if(trace.events, &reports::TraceEvent::is_part);
        CHECK((parts > 0) == (threads > 1));
    }
    Model<Traced> model{{.threads = 1}};
    model.initialize(1);
    CHECK(error_of([&] { reports::record(model, traced_images(1), 0); }) == "a trace takes 1 or more calls, not 0");
    CHECK(contains(error_of([&] { reports::record(model, std::vector<float>(5)); }), "a batch is a positive multiple"));
}

TEST_CASE("where each thread takes images of its own, its steps are in its row") {
    Model<Traced> model{{.threads = 2, .images_in_flight = 1}};
    model.initialize(1);
    const reports::Trace trace = reports::record(model, traced_images(16));
    CHECK(nests(trace));
    std::vector<int> seen(trace.steps.size());
    for (const reports::TraceEvent& event : trace.events)
        if (!event.is_part) {
            seen[static_cast<std::size_t>(event.step)] += event.images;
            CHECK(event.worker == event.arena);
        }
    CHECK(std::ranges::all_of(seen, [](int images) { return images == 16; }));
}

/// Counts what it is told.
class Counter final : public cpu::StepRecorder {
public:
    std::atomic<int> count{0};
    void begin(int, int) override { ++count; }
    void end(int) override { ++count; }
    void part(int worker, int size, detail::FunctionRef<void(int, int)> work) override {
        ++count;
        work(worker, size);
    }
};

TEST_CASE("a recorded call gives the bits of one that is not, and so does the next, which is not recorded") {
    for (const std::size_t count : {1U, 16U}) {
        Model<Traced> model{{.threads = 2}};
        model.initialize(3);
        const std::vector<float> images = traced_images(count);
        const std::span<const float> plain = model(images);
        const std::vector<float> expected(plain.begin(), plain.end());
        std::vector<float> recorded(expected.size());
        Counter counter;
        cpu::StepRecorder* const counters[] = {&counter, &counter};
        model.record(images, recorded, counter, std::span<cpu::StepRecorder* const>(counters));
        CHECK(tenon_test::same_bytes(recorded, expected));
        const int calls = counter.count;
        CHECK(calls > 0);
        CHECK(tenon_test::same_bytes(model(images), expected));
        CHECK(counter.count == calls);
    }
}

TEST_CASE("the values in use are those that a later step reads") {
    const std::vector<detail::ArenaUse> steps = {{{}, {{0, 10}}}, {{{0, 10}}, {{16, 5}}}, {{{16, 5}}, {}}};
    CHECK(detail::live_floats(steps) == std::vector<long>{10, 15, 5});
    // A value that is replaced at its place ends with the last step that reads it before.
    const std::vector<detail::ArenaUse> again = {{{}, {{0, 10}}}, {{}, {}}, {{{0, 10}}, {{0, 10}}}, {{{0, 10}}, {}}};
    CHECK(detail::live_floats(again) == std::vector<long>{10, 10, 20, 10});
    const std::vector<detail::ArenaUse> unread = {{{}, {{0, 4}}}, {{}, {}}};
    CHECK(detail::live_floats(unread) == std::vector<long>{4, 0});
    CHECK(detail::live_floats(unread, {}, {{0, 4}}) == std::vector<long>{4, 4});
    CHECK(detail::live_floats(unread, {{8, 2}}) == std::vector<long>{6, 0});

    Model<Traced> model{{.threads = 1}};
    model.initialize(1);
    const reports::Trace trace = reports::record(model, traced_images(1));
    long most = 0;
    for (const reports::TraceStep& step : trace.steps) most = std::max(most, step.arena_bytes);
    const auto& plan = cpu::CompiledNetwork<Traced>::plan;
    CHECK(most >= 4 * 16 * 64);
    CHECK(most <= 4 * std::max(plan.single_floats, plan.image_floats));
}

TEST_CASE("a training iteration is forward steps, and gradients of as much work again, twice where both are needed") {
    Parameters<Traced> parameters;
    parameters.seed(1);
    const std::vector<float> images = traced_images(4), before(parameters.values().begin(), parameters.values().end());
    const std::vector<int> labels = {0, 1, 2, 3};
    const reports::Trace trace = reports::record_iteration(parameters, std::span<const float>(images),
                                                           std::span<const int>(labels), {.threads = 2});
    CHECK(tenon_test::same_bytes(parameters.values(), before));
    CHECK(nests(trace));
    long work = 0;
    for (const reports::TraceStep& step : trace.steps) work += step.multiply_adds;
    // The images have no gradient, so the first convolution has only that of its weights.
    constexpr long linear = 160, conv = 64 * 27 * 16;
    CHECK(work == 2 * conv + 3 * linear);
    std::vector<int> seen(trace.steps.size());
    for (const reports::TraceEvent& event : trace.events)
        if (!event.is_part) seen[static_cast<std::size_t>(event.step)] += event.images;
    CHECK(std::ranges::all_of(seen, [](int images_seen) { return images_seen == 4; }));
    const auto has = [&](const std::string& name) {
        return std::ranges::any_of(trace.steps, [&](const reports::TraceStep& step) { return step.name == name; });
    };
    CHECK(has("conv0"));
    CHECK(has("conv0: weight gradient"));
    CHECK(has("linear0: data gradient"));
    CHECK(contains(error_of([&] {
                       reports::record_iteration(parameters, std::span<const float>(images),
                                                 std::span<const int>(labels).first(3), {.threads = 1});
                   }),
                   "image"));
}

TEST_CASE("the files of a trace name workers, steps and units") {
    reports::Trace trace;
    trace.title = "a <\"title\">";
    trace.workers = 2;
    trace.peak = 100;
    reports::TraceStep step;
    step.name = "stack0.conv";
    step.kind = "conv";
    step.input = step.output = {16, 8, 8};
    step.multiply_adds = 50'000;
    step.bytes = 3000;
    step.weight_bytes = 1000;
    step.arena_bytes = 4096;
    trace.steps = {step};
    trace.events = {{0, 0, 0, 2, false, 0.001, 0.003}, {1, 0, 0, 2, true, 0.0011, 0.002}};
    const std::string json = reports::to_json(trace);
    CHECK(contains(json, R"("name":"a <\"title\">")"));
    CHECK(
        contains(json, R"({"ph":"X","name":"stack0.conv","cat":"conv","pid":1,"tid":0,"ts":1000.000,"dur":2000.000)"));
    // 2 images x 50,000 multiply-adds in 2 ms: 0.1 GFLOP/s of 2 x 100; weights are read once.
    CHECK(contains(json, R"_("multiply-adds":100000,"GFLOP/s":0.1,"share of peak (%)":0.1,"bytes":5000,"GB/s":0.0)_"));
    CHECK(contains(json, R"("cat":"part","pid":1,"tid":1,"ts":1100.000,"dur":900.000)"));
    CHECK(contains(json, R"({"ph":"C","name":"arena","pid":1,"ts":1000.000,"args":{"bytes in use":8192}})"));
    const std::string svg = reports::to_svg(trace);
    CHECK(contains(svg, "a &lt;\"title\"&gt;"));
    CHECK(contains(svg, ">worker 1<"));
    CHECK(contains(svg, ">milliseconds<"));
    CHECK(contains(svg, "<title>stack0.conv"));
    const tenon_test::TemporaryFolder folder;
    reports::write(trace, folder.file("t.svg"));
    reports::write(trace, folder.file("t.json"));
    CHECK(tenon_test::read_file(folder.file("t.svg")) == svg);
    CHECK(tenon_test::read_file(folder.file("t.json")) == json);
    CHECK(contains(error_of([&] { reports::write(trace, folder.file("none/t.json")); }), "none"));
}

}  // namespace
