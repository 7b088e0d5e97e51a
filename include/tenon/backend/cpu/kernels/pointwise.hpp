#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Steps that are bound by memory: additions and norms that no other step fused, softmax.

#include <limits>

#include <tenon/backend/cpu/layout/step.hpp>
#include <tenon/core/math.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// How kernels read floats: the first pixel of a block of channels, and the vector that begins `lane` channels after a
/// pixel's first one.
struct FloatSource {
    static const float* source_plane(const Tensor& source, const float* image, int plane) {
        return image + source.origin() + long{plane} * source.plane();
    }
    TENON_INLINE static Vector source_vector(const float* pixel, int lane) { return load(pixel + lane); }
};

/// One plane of a step's results in one image: where its pixels are, what is added to them, and how its channels are
/// activated.
template <class AnyStep>
class ResultPlane {
public:
    ResultPlane(const AnyStep& step, const Frame& frame, int image, int plane)
        : step_{step}, image_{frame.image(image)}, plane_{plane} {
        if (step.activated.exists()) {
            scale_ = frame.weights + step.activated_scale + plane * channel_block;
            shift_ = scale_ + step.activated.planes() * channel_block;
        }
    }

protected:
    /// The target's value: adds the residual and applies a ReLU where the step has them.
    TENON_INLINE Vector complete(int y, int x, int lane, Vector value) const {
        if (step_.residual.exists())
            value = add(value, load(at(step_.residual, y * step_.residual_stride, x * step_.residual_stride) + lane));
        return step_.relu ? relu(value) : value;
    }
    TENON_INLINE float* at(const Tensor& tensor, int y, int x) const {
        return image_ + tensor.origin() + long{plane_} * tensor.plane() + long{y} * tensor.row() +
               long{x} * channel_block;
    }

    const AnyStep& step_;
    float* image_;
    int plane_;
    const float* scale_ = nullptr;  ///< of the activated result, a float per channel of the block
    const float* shift_ = nullptr;
};

/// Stores one vector of a step's results: adds what the operation says (see Op) and writes the target and the activated
/// result. Used by all steps except convolutions, whose tiles hold the channels' constants in registers.
class Epilogue : ResultPlane<Step>, public FloatSource {
public:
    using ResultPlane::ResultPlane;

    /// `lane` is the vector's first channel in its block.
    TENON_INLINE void operator()(int y, int x, int lane, Vector value) const {
        value = complete(y, x, lane, value);
        if (step_.target.exists()) store(at(step_.target, y, x) + lane, value);
        if (step_.activated.exists()) {
            value = multiply_add(value, load(scale_ + lane), load(shift_ + lane));
            if (step_.activated_relu) value = relu(value);
            store(at(step_.activated, y, x) + lane, value);
        }
    }
};

/// Zeroes the borders of a plane of a step's results.
inline void zero_result_borders(const Step& step, float* image, int plane) {
    for (const Tensor* tensor : {&step.target, &step.activated})
        if (tensor->exists() && tensor->has_border()) zero_border(*tensor, image, plane, plane + 1);
}

/// Calls f(image, plane) for all images and planes of the step's result, divided among the team, and zeroes the
/// results' borders.
template <class AnyStep, class F>
void for_each_plane(const AnyStep& step, const Frame& frame, const F& f) {
    const int planes = step.result().planes();
    frame.team->for_each(frame.images * planes, [&](int i) {
        zero_result_borders(step, frame.image(i / planes), i % planes);
        f(i / planes, i % planes);
    });
}

// These kernels, pools and the operations of channel_ops.hpp serve other kinds of steps too: `End` stores their
// results and, where a kernel asks it, loads what they read.

/// Pixel by pixel: an addition, a ReLU, or a batch norm that no other step could apply.
template <class End = Epilogue, class AnyStep = Step>
void run_pointwise(const AnyStep& step, const Frame& frame) {
    const Tensor& source = step.source();
    for_each_plane(step, frame, [&](int image, int plane) {
        const float* from = End::source_plane(source, frame.image(image), plane);
        const End epilogue{step, frame, image, plane};
        for (int y = 0; y < source.height; ++y)
            for (int x = 0; x < source.width; ++x)
                for (int lane = 0; lane < channel_block; lane += vector_width)
                    epilogue(y, x, lane, End::source_vector(from + long{y} * source.row() + x * channel_block, lane));
    });
}

/// A batch norm or a scale of planes: what is between the input and a first convolution (see Tensor).
inline void run_planar_norm(const Step& step, const Frame& frame) {
    const Tensor &source = step.source(), &target = step.activated;
    for_each_plane(step, frame, [&](int image, int plane) {
        const float* from = frame.image(image) + source.origin() + long{plane} * source.plane();
        float* to = frame.image(image) + target.origin() + long{plane} * target.plane();
        const float* scales = frame.weights + step.activated_scale;
        const float scale = scales[plane], shift = scales[target.planes() * channel_block + plane];
        for (int y = 0; y < source.height; ++y, from += source.row(), to += target.row())
            for (int x = 0; x < source.width; ++x) {
                const float value = from[x] * scale + shift;
                to[x] = step.activated_relu && value < 0 ? 0.0f : value;
            }
    });
}

/// Softmax over all features of an image. Sums are computed in double in the order of storage, so the result does not
/// depend on the width of vectors.
inline void run_softmax(const Step& step, const Frame& frame) {
    const Tensor &source = step.source(), &target = step.result();
    frame.team->for_each(frame.images, [&](int i) {
        const float* from = frame.image(i) + source.origin();
        float* to = frame.image(i) + target.origin();
        for (long at = 0; at < source.floats(); ++at) to[at] = 0.0f;  // also channels after the last
        const auto for_each = [&](const auto& f) {
            for (int plane = 0; plane < source.planes(); ++plane)
                for (int pixel = 0; pixel < source.pixels(); ++pixel)
                    for (int c = 0; c < channel_block && plane * channel_block + c < source.channels; ++c)
                        f((long{plane} * source.pixels() + pixel) * channel_block + c);
        };
        float largest = -std::numeric_limits<float>::infinity();
        for_each([&](long at) { largest = std::max(largest, from[at]); });
        double sum = 0;
        for_each([&](long at) {
            to[at] = detail::exp(from[at] - largest);
            sum += double{to[at]};
        });
        for_each([&](long at) { to[at] = static_cast<float>(double{to[at]} / sum); });
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
