// The listing's network at full size and on images whose sides are odd and differ.
#include <tenon/models/resnet_v2.hpp>

#include "golden.hpp"

namespace tenon_test {
namespace {

using namespace tenon;

TEST_CASE("the listing's network computes what PyTorch computes on images of any size") {
    using Odd = Input<3, 65, 97>;
    using OddMaximum = ResNet50V2<Odd, IncludeTop<false>, Preact<false>, UseBias<false>, TopPooling<Pooling::maximum>>;
    check_group("sizes",
                {
                    GoldenCase::of<ResNet50V2<Odd>>("preact_bias_100_65x97_batch3", detail::listing_names),
                    GoldenCase::of<ResNet50V2<Odd, IncludeTop<false>>>("preact_bias_no_top_none_65x97_batch1",
                                                                       detail::listing_names),
                    GoldenCase::of<OddMaximum>("no_preact_no_bias_no_top_max_65x97_batch1", detail::listing_names),
                    GoldenCase::of<ResNet50V2<Classes<1000>>>("preact_bias_1000_224x224_batch1", detail::listing_names),
                    GoldenCase::of<ResNet50V2<>>("preact_bias_100_224x224_batch3", detail::listing_names),
                });
}

}  // namespace
}  // namespace tenon_test
