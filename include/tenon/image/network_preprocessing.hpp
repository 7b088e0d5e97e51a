#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// The preprocessing that belongs to a network.
//
//     std::vector<float> input = preprocess(read_image("cat.jpg"), preprocessing_of<KerasResNet50V2<>>);

#include <tenon/core/shape.hpp>
#include <tenon/image/preprocessing.hpp>
#include <tenon/models/image_convention.hpp>
#include <tenon/topology/facts.hpp>

namespace tenon {

namespace detail {

/// What a convention does to an image for a network with inputs of a shape. Conventions that cut the middle out of a
/// larger image keep its proportion to the input for any size: 256 to 224, 128 to 112.
constexpr Preprocessing preprocessing_of_convention(ImageConvention convention, Shape input) {
    Preprocessing result = torchvision_imagenet;
    const auto resize_to = [&](int percent) {
        return input.height < input.width ? input.height * 100 / percent : input.width * 100 / percent;
    };
    result.resize = resize_to(100);
    switch (convention) {
        case ImageConvention::torchvision:
            result.resize = resize_to(100) * 256 / 224;
            break;
        case ImageConvention::keras_caffe:
            result = keras_caffe_imagenet;
            result.resize = resize_to(100) * 256 / 224;
            break;
        case ImageConvention::keras_tf:
            result = keras_tf_imagenet;
            result.resize = resize_to(100) * 256 / 224;
            break;
        case ImageConvention::timm:
        case ImageConvention::timm_basic:
            result.mean = result.standard_deviation = {0.5f, 0.5f, 0.5f};
            result.filter = ResizeFilter::bicubic;
            result.resize = resize_to(convention == ImageConvention::timm ? 95 : 90);
            break;
        case ImageConvention::cifar_torch:
            break;
        case ImageConvention::cifar:
            result.mean = {0.49139968f, 0.48215841f, 0.44653091f};
            result.standard_deviation = {0.24703223f, 0.24348513f, 0.26158784f};
            break;
        case ImageConvention::raw:
            result.scale = 1;
            result.mean = {0, 0, 0};
            result.standard_deviation = {1, 1, 1};
            break;
        case ImageConvention::fashion_mnist:
            result = fashion_mnist_preprocessing;
            break;
    }
    result.crop_height = input.height;
    result.crop_width = input.width;
    return result;
}

}  // namespace detail

/// The preprocessing of images that a network expects. Networks of your own declare it by a static member `images`, an
/// ImageConvention.
template <detail::HasImageConvention Net>
inline constexpr Preprocessing preprocessing_of = detail::preprocessing_of_convention(Net::images, input_shape<Net>);

}  // namespace tenon
