// Pipeline: augmentations in a row.
//
//     Pipeline pipeline{PadCrop{4}, AlternatingFlip{}, Normalize{cifar10_mean, cifar10_deviation}, Cutout{8}};
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include <tenon/core/isa.hpp>
#include <tenon/data/augment/crop.hpp>
#include <tenon/data/augment/cutout.hpp>
#include <tenon/data/augment/flip.hpp>
#include <tenon/data/augment/normalize.hpp>
#include <tenon/data/augment/pad_crop.hpp>
#include <tenon/data/picture.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Steps that every image goes through, from the first to the last. Each draws numbers of its own.
template <Augmentation... Steps>
class Pipeline {
public:
    constexpr Pipeline(Steps... steps) : steps_{steps...} {}

    /// The shape that images become. Error if a step cannot be applied to such images.
    Shape result(Shape shape) const {
        std::apply([&](const Steps&... steps) { ((shape = steps.result(shape)), ...); }, steps_);
        return shape;
    }

    /// Changes a picture; its content and `spare`'s are exchanged on the way.
    void apply(Picture& picture, Picture& spare, const SampleDraws& draws) const {
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
