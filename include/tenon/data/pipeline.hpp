#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Pipeline: a sequence of augmentations.
//
//     Pipeline pipeline{PadCrop{4}, AlternatingFlip{}, Normalize{cifar10_mean, cifar10_deviation}, Cutout{8}};

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include <tenon/core/isa.hpp>
#include <tenon/data/augment/color_jitter.hpp>
#include <tenon/data/augment/crop.hpp>
#include <tenon/data/augment/cutout.hpp>
#include <tenon/data/augment/flip.hpp>
#include <tenon/data/augment/normalize.hpp>
#include <tenon/data/augment/pad_crop.hpp>
#include <tenon/data/augment/rand_augment.hpp>
#include <tenon/data/augment/rotation.hpp>
#include <tenon/data/picture.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Steps that are applied to every image, from the first to the last. Each draws random numbers of its own.
template <Augmentation... Steps>
class Pipeline {
public:
    constexpr Pipeline(Steps... steps) : steps_{steps...} {}

    /// The shape of the images that come out. Throws tenon::Error when a step cannot be applied to such images.
    Shape result(Shape shape) const {
        std::apply([&](const Steps&... steps) { ((shape = steps.result(shape)), ...); }, steps_);
        return shape;
    }

    /// Changes a picture; steps may swap it with `spare`.
    void apply(Picture& picture, Picture& spare, const detail::SampleDraws& draws) const {
        std::apply(
            [&](const Steps&... steps) {
                std::uint64_t position = 0;
                (steps.apply(picture, spare, draws.for_purpose(Steps::purpose, position++)), ...);
            },
            steps_);
    }

    static constexpr std::string_view purpose = "pipeline";

private:
    std::tuple<Steps...> steps_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
