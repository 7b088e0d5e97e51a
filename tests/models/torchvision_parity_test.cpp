// torchvision's ResNets.
#include <tenon/models/resnet_v1.hpp>

#include "golden.hpp"

namespace tenon_test {
namespace {

using namespace tenon;

TEST_CASE("torchvision's networks compute what PyTorch computes") {
    using In = Input<3, 64, 64>;
    check_group("torchvision",
                {
                    GoldenCase::of<ResNet18<1000, In>>("resnet18_64x64_batch1", detail::torchvision_names),
                    GoldenCase::of<ResNet50<1000, In>>("resnet50_64x64_batch1", detail::torchvision_names),
                });
}

}  // namespace
}  // namespace tenon_test
