#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Picture: an image while it is augmented.

#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/shape.hpp>
#include <tenon/data/sample_draws.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// An image as floats, channel by channel (channels x height x width), that augmentations change. At first it holds the
/// data set's samples, 0 to 255.
struct Picture {
    Shape shape;
    std::vector<float> samples;

    /// Changes the shape; the samples are then undefined.
    void reshape(const Shape& other) {
        shape = other;
        samples.resize(detail::index(other.elements()));
    }

    /// The samples of row `y` of a channel.
    std::span<float> row(int channel, int y) {
        return std::span(samples).subspan(row_offset(channel, y), detail::index(shape.width));
    }
    std::span<const float> row(int channel, int y) const {
        return std::span(samples).subspan(row_offset(channel, y), detail::index(shape.width));
    }

private:
    std::size_t row_offset(int channel, int y) const {
        return detail::index((long{channel} * shape.height + y) * shape.width);
    }
};

/// A step that changes an image: a small value. `result(shape)` is the shape of the augmented image; it throws
/// tenon::Error when such images cannot be augmented. `apply` changes the picture, for which it may use the second one
/// and swap the two. `purpose` names the step's random numbers.
template <class T>
concept Augmentation = requires(const T& step, Shape shape, Picture& picture, const detail::SampleDraws& draws) {
    { step.result(shape) } -> std::same_as<Shape>;
    step.apply(picture, picture, draws);
    { T::purpose } -> std::convertible_to<std::string_view>;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
