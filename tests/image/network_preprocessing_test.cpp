// What happens to an image before each network, in the numbers of the libraries.
#include <cmath>

#include <doctest/doctest.h>

#include <tenon/image/network_preprocessing.hpp>
#include <tenon/image/preprocess.hpp>
#include <tenon/models/cifar.hpp>
#include <tenon/models/cifar_keras.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/keras.hpp>
#include <tenon/models/mxnet.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/models/timm.hpp>
#include <tenon/models/wide_resnet.hpp>

namespace {

using namespace tenon;

static_assert(detail::HasImageConvention<ResNet18<>> && detail::HasImageConvention<KerasCifarResNet20<>>);
static_assert(!detail::HasImageConvention<Network<Input<3, 8, 8>>>);

// The shorter side before the middle is cut out; timm's is floor(224 / crop_pct).
static_assert(preprocessing_of<ResNet50<>>.resize == 256);
static_assert(preprocessing_of<ResNet50V2<>>.resize == 256);
static_assert(preprocessing_of<KerasResNet50V2<>>.resize == 256);
static_assert(preprocessing_of<MxnetResNet50V2<>>.resize == 256);
static_assert(preprocessing_of<TimmResNetV2_50<>>.resize == 235);
static_assert(preprocessing_of<TimmResNetV2_18<>>.resize == 248);
static_assert(preprocessing_of<CifarResNet20<>>.resize == 32);
static_assert(preprocessing_of<FashionMnistResNet>.resize == 28);
static_assert(preprocessing_of<ResNet50<10, Input<3, 112, 96>>>.resize == 109);
static_assert(preprocessing_of<ResNet50<10, Input<3, 112, 96>>>.crop_height == 112);
static_assert(preprocessing_of<ResNet50<10, Input<3, 112, 96>>>.crop_width == 96);

/// The first pixel of what a network gets of an image of one color.
template <class Net>
std::vector<double> pixel(std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
    Image image(40, 50, 3);
    for (int y = 0; y < 40; ++y)
        for (int x = 0; x < 50; ++x) {
            image.row(y)[static_cast<std::size_t>(3 * x)] = red;
            image.row(y)[static_cast<std::size_t>(3 * x + 1)] = green;
            image.row(y)[static_cast<std::size_t>(3 * x + 2)] = blue;
        }
    const Preprocessing& preprocessing = preprocessing_of<Net>;
    CHECK(static_cast<long>(preprocessing.elements()) == input_shape<Net>.elements());
    const std::vector<float> input = preprocess(image, preprocessing);
    const std::size_t plane = input.size() / 3;
    return {input[0], input[plane], input[2 * plane]};
}

void expect(const std::vector<double>& found, double first, double second, double third) {
    CHECK(found[0] == doctest::Approx(first).epsilon(1e-5));
    CHECK(found[1] == doctest::Approx(second).epsilon(1e-5));
    CHECK(found[2] == doctest::Approx(third).epsilon(1e-5));
}

TEST_CASE("samples are scaled as the libraries scale them") {
    // torchvision.transforms: ToTensor, Normalize
    expect(pixel<ResNet18<>>(10, 120, 250), (10 / 255. - 0.485) / 0.229, (120 / 255. - 0.456) / 0.224,
           (250 / 255. - 0.406) / 0.225);
    expect(pixel<CifarResNet20<>>(10, 120, 250), (10 / 255. - 0.485) / 0.229, (120 / 255. - 0.456) / 0.224,
           (250 / 255. - 0.406) / 0.225);
    // keras.applications.imagenet_utils.preprocess_input: "caffe" and "tf"
    expect(pixel<KerasResNet50<>>(10, 120, 250), 250 - 103.939, 120 - 116.779, 10 - 123.68);
    expect(pixel<KerasResNet50V2<>>(10, 120, 250), 10 / 127.5 - 1, 120 / 127.5 - 1, 250 / 127.5 - 1);
    // timm.data: mean and deviation 0.5
    expect(pixel<TimmResNetV2_50<>>(10, 120, 250), (10 / 255. - 0.5) / 0.5, (120 / 255. - 0.5) / 0.5,
           (250 / 255. - 0.5) / 0.5);
    expect(pixel<MlperfTinyResNet8<>>(10, 120, 250), 10, 120, 250);
    expect(pixel<WideResNet16_4<>>(10, 120, 250), (10 / 255. - 0.49139968) / 0.24703223,
           (120 / 255. - 0.48215841) / 0.24348513, (250 / 255. - 0.44653091) / 0.26158784);
}

TEST_CASE("timm resizes bicubically, the others bilinearly") {
    CHECK(preprocessing_of<TimmResNetV2_101<>>.filter == ResizeFilter::bicubic);
    CHECK(preprocessing_of<ResNet50<>>.filter == ResizeFilter::bilinear);
    CHECK(preprocessing_of<ResNet50<>> == torchvision_imagenet);
    CHECK(preprocessing_of<KerasResNet50V2<>> == keras_tf_imagenet);
    CHECK(preprocessing_of<KerasResNet101<>> == keras_caffe_imagenet);
    CHECK(preprocessing_of<FashionMnistResNet> == fashion_mnist_preprocessing);
}

}  // namespace
