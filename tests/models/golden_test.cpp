// The comparison with golden values itself: that it fails where it has to, and leaves no case out.
#include "golden.hpp"

#include <algorithm>

#include <tenon/models/resnet_v1.hpp>

namespace tenon_test {
namespace {

TEST_CASE("every case of the golden file belongs to a group that a test checks") {
    const tenon::SafetensorsFile file(source_file("tests/models/golden.safetensors"));
    std::set<std::string> groups;
    for (const tenon::TensorEntry& tensor : file.tensors()) groups.insert(tensor.name.substr(0, tensor.name.find('/')));
    CHECK(groups == std::set<std::string>{"block", "options", "sizes", "stack", "torchvision", "variant"});
}

TEST_CASE("seeded parameters have the names of the network's convention") {
    using Net = tenon::ResNet18<10, tenon::Input<3, 32, 32>>;
    tenon::Parameters<Net> expected;
    expected.seed(golden_seed);
    const tenon::Parameters<Net> found = seeded_parameters<Net>(tenon::detail::torchvision_names);
    for (int i = 0; i < expected.count(); ++i)
        REQUIRE(std::equal(expected[i].begin(), expected[i].end(), found[i].begin()));
}

TEST_CASE("a comparison with golden values fails on one wrong, missing or undefined value") {
    const tenon::SafetensorsFile file(source_file("tests/models/golden.safetensors"));
    const std::string name = "options/preact_bias_100_64x64_batch3";
    const Golden golden(file, name);
    REQUIRE(golden.images() == 3);
    std::vector<double> values = file.values<double>(name + "/output");
    CHECK(golden.error<double>(values, 100) < 1e-15);
    CHECK(golden.error<double>(std::span(values).first(100), 100) < 1e-15);
    const std::vector<double> statistics = file.values<double>(name + "/statistics");
    const double largest = std::max({statistics[1], statistics[3], statistics[5]});
    values[217] += 2e-5 * largest;
    CHECK(golden.error<double>(values, 100) == doctest::Approx(2e-5));
    CHECK(golden.error<double>(std::span(values).first(200), 100) < 1e-15);
    values[217] = std::numeric_limits<double>::quiet_NaN();
    CHECK(golden.error<double>(values, 100) > 1);
    CHECK(golden.error<double>(std::span(values).first(99), 100) > 1);
    CHECK(golden.error<double>(std::span(values).first(99), 99) > 1);
    CHECK(golden.error<double>({}, 100) > 1);
}

TEST_CASE("a comparison with samples sees every element by the statistics of its image") {
    const tenon::SafetensorsFile file(source_file("tests/models/golden.safetensors"));
    const std::string name = "block/identity_128_32_stride1_12x12";
    const Golden golden(file, name);
    constexpr std::size_t size = 128 * 12 * 12;
    const std::vector<double> samples = file.values<double>(name + "/samples");
    REQUIRE(samples.size() == 512);
    std::vector<double> values(2 * size);
    for (std::size_t i = 0; i < samples.size(); ++i) values[i * 7919 % values.size()] = samples[i];
    CHECK(golden.error<double>(values, size) > 1e-3);  // the samples are right, mean and largest value are not
    CHECK(golden.error<double>(values, size) < 1);
    values[7919] += 100;
    CHECK(golden.error<double>(values, size) > 1);
}

}  // namespace
}  // namespace tenon_test
