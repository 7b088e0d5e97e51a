// The listing's network on 64x64 images with every combination of its options that makes a difference.
#include <tenon/models/resnet_v2.hpp>

#include "golden.hpp"

namespace tenon_test {
namespace {

using namespace tenon;

template <bool WithPreact, bool WithBias, class... Options>
void add(std::vector<GoldenCase>& cases, const std::string& ending) {
    using Net = ResNet50V2<Input<3, 64, 64>, Preact<WithPreact>, UseBias<WithBias>, Options...>;
    const std::string name =
        std::string(WithPreact ? "preact" : "no_preact") + (WithBias ? "_bias_" : "_no_bias_") + ending;
    cases.push_back(GoldenCase::of<Net>(name, detail::listing_names));
}

template <bool WithPreact, bool WithBias>
void add_all(std::vector<GoldenCase>& cases) {
    add<WithPreact, WithBias>(cases, "100_64x64_batch3");
    add<WithPreact, WithBias, Classes<1000>>(cases, "1000_64x64_batch1");
    add<WithPreact, WithBias, IncludeTop<false>>(cases, "no_top_none_64x64_batch3");
    add<WithPreact, WithBias, IncludeTop<false>, TopPooling<Pooling::average>>(cases, "no_top_avg_64x64_batch3");
    add<WithPreact, WithBias, IncludeTop<false>, TopPooling<Pooling::maximum>>(cases, "no_top_max_64x64_batch3");
}

TEST_CASE("the listing's network computes what PyTorch computes, with every combination of options") {
    std::vector<GoldenCase> cases;
    add_all<true, true>(cases);
    add_all<true, false>(cases);
    add_all<false, true>(cases);
    add_all<false, false>(cases);
    check_group("options", cases);
}

}  // namespace
}  // namespace tenon_test
