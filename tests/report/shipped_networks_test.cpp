// Every shipped network through everything that reports are made from: summary, graph, ONNX and profile.
//
// The programs are planned when the test runs, all in one capacity: the passes are compiled once for all networks, and
// the sanitizers that the test is compiled with see them work.
#include "shipped_networks.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/report/dot.hpp>
#include <tenon/report/onnx_graph.hpp>
#include <tenon/report/profile.hpp>
#include <tenon/report/summary.hpp>

#include "../support.hpp"

namespace {

using namespace tenon;
using tenon_test::AnyProgram;
using tenon_test::room;
using tenon_test::shipped_networks;
using tenon_test::ShippedNetwork;

template <class T, int Size>
std::span<const T> span_of(const detail::FixedVector<T, Size>& items) {
    return {items.begin(), items.end()};
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

/// The names of networks that a header of include/tenon/models defines: what derives from a ...Network, and is none.
std::set<std::string> defined_networks() {
    std::set<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(tenon_test::source_file("include/tenon/models"))) {
        const std::string text = tenon_test::read_file(file.path().string());
        constexpr std::string_view keyword = "\nstruct ";
        for (std::size_t at = text.find(keyword); at != std::string::npos; at = text.find(keyword, at + 1)) {
            const std::string line = text.substr(at + keyword.size(), text.find('{', at) - at - keyword.size());
            const std::size_t colon = line.find(" : "), base = line.find('<');
            if (colon == std::string::npos || base == std::string::npos || base < colon) continue;
            const std::string name = line.substr(0, line.find_first_of(" \n"));
            if (line.substr(0, base).ends_with("Network") || line.substr(colon, base - colon).ends_with("NetworkV2"))
                if (!tenon_test::contains(name, "Network")) names.insert(name);
        }
    }
    return names;
}

/// What a profile says of a program, planned for one of the algorithms.
void check_profile(const AnyProgram& lowered, cpu::ConvAlgorithm algorithm) {
    const AnyProgram program = detail::compact_projections(optimize(lowered, cpu::JoinsUnlessWinograd{algorithm}));
    const auto plan = cpu::Planner<room>{program, algorithm}.plan();
    const std::vector<StepProfile> profiles =
        detail::step_profiles(span_of(program.ops), span_of(program.layers), span_of(program.parameters),
                              span_of(plan.steps), span_of(plan.followers));
    REQUIRE(profiles.size() == static_cast<std::size_t>(plan.steps.size()));
    std::set<std::string> known{"load_input", "store_output"};
    for (const detail::LayerInfo& layer : program.layers) known.insert(to_string(layer.path));
    long work = 0, expected = 0;
    for (const StepProfile& profile : profiles) {
        CAPTURE(profile.name);
        // A name is made of layers: `a`, `a + b`, `a, b`, `a, subsampled`.
        for (std::size_t begin = 0; begin < profile.name.size();) {
            const std::size_t end = profile.name.find_first_of(" ,", begin);
            const std::string word = profile.name.substr(begin, end - begin);
            CHECK((known.contains(word) || word == "+" || word == "subsampled"));
            begin = end == std::string::npos ? end : profile.name.find_first_not_of(" ,", end);
        }
        CHECK(profile.input.elements() > 0);
        CHECK(profile.output.elements() > 0);
        CHECK(profile.bytes > 0);
        CHECK((!profile.saves_products || (algorithm == cpu::ConvAlgorithm::fast && profile.multiply_adds > 0)));
        work += profile.multiply_adds;
    }
    for (const detail::Op& op : lowered.ops) expected += detail::multiply_adds_of(lowered, op);
    CHECK(work == expected);
    const std::string table = to_string(profiles);
    CHECK(count(table, "\n") >= profiles.size() + 3);
}

void check_onnx(const AnyProgram& program, long batch) {
    std::vector<std::string> names;
    for (const detail::Parameter& parameter : program.parameters)
        names.push_back(to_string(program.layers[parameter.layer].path) + "." + std::to_string(names.size()));
    const float nothing = 0;  // weights are borrowed, and nothing reads them before a file is written
    const std::vector<const float*> tensors(names.size(), &nothing);
    const detail::OnnxSource source{span_of(program.ops),
                                    span_of(program.values),
                                    span_of(program.layers),
                                    span_of(program.parameters),
                                    program.output,
                                    names,
                                    tensors};
    long bytes = 0;
    for (const detail::Parameter& parameter : program.parameters) bytes += 4 * parameter.elements();
    CHECK(static_cast<long>(detail::OnnxGraphBuilder(source, batch).build("network").size()) > bytes);
}

TEST_CASE("every network that a header of models/ defines is in this test") {
    std::set<std::string> tested;
    for (const ShippedNetwork& entry : shipped_networks()) tested.insert(entry.name);
    const std::set<std::string> defined = defined_networks();
    CHECK(defined.size() >= 45);
    for (const std::string& name : defined) {
        CAPTURE(name);
        CHECK(tested.contains(name));
    }
}

TEST_CASE("summary, graph, ONNX and profile of every shipped network") {
    std::string covered;
    for (const ShippedNetwork& entry : shipped_networks()) {
        CAPTURE(entry.name);
        const AnyProgram program = entry.lower();
        const std::string summary =
            tenon::summary(span_of(program.ops), span_of(program.layers), span_of(program.parameters));
        const auto rows =
            detail::layer_rows(span_of(program.ops), span_of(program.layers), span_of(program.parameters));
        CHECK(rows.size() >= static_cast<std::size_t>(program.ops.size()));
        CHECK(count(summary, "\n") == rows.size() + (detail::total_of(rows).frozen > 0 ? 8 : 7));
        CHECK(count(to_dot(program), "subgraph") <= 8);
        const std::string graph = to_dot(program, {.expanded = true});
        CHECK(count(graph, " [label=\"") >= static_cast<std::size_t>(2 * program.ops.size() + 1));
        const AnyProgram joined = optimize(program);
        CHECK(count(to_dot(joined, {.expanded = true}), "\\n+ ") ==
              static_cast<std::size_t>(std::count_if(joined.ops.begin(), joined.ops.end(), [](const detail::Op& op) {
                  return op.second_convolution() != nullptr;
              })));
        CHECK(tenon_test::contains(to_dot(detail::add_transfers(joined)), "store_output"));
        for (const long batch : {0L, 1L}) check_onnx(program, batch);
        for (const cpu::ConvAlgorithm algorithm : {cpu::ConvAlgorithm::exact, cpu::ConvAlgorithm::fast})
            check_profile(program, algorithm);
        covered += "\n    " + entry.name + ": " + std::to_string(program.ops.size()) + " operations";
    }
    MESSAGE(shipped_networks().size() << " networks:" << covered);
}

}  // namespace
