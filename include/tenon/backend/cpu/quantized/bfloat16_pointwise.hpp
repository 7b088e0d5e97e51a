#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// How steps other than products read and store bfloat16.

#include <tenon/backend/cpu/quantized/pointwise.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Stores one vector of a step's results as QuantizedEpilogue does. What kernels load is bfloat16, too.
class Bfloat16Epilogue : ResultPlane<QuantizedStep> {
public:
    static const float* source_plane(const Tensor& source, const float* image, int plane) {
        return image + source.origin() + block_offset(source, Storage::bf16, plane);
    }
    TENON_INLINE static Vector source_vector(const float* pixel, int lane) { return load_bfloat16(pixel, lane); }

    using ResultPlane::ResultPlane;

    /// `lane` is the vector's first channel in its block.
    TENON_INLINE void operator()(int y, int x, int lane, Vector value) const {
        if (step_.residual.exists())
            value = add(value, load_bfloat16(pixel(step_.residual, y * step_.residual_stride, x * step_.residual_stride,
                                                   block_offset(step_.residual, Storage::bf16, plane_)),
                                             lane));
        if (step_.relu) value = relu(value);
        store(value, step_.target, step_.stores_target, step_.target_codes, y, x, lane);
        if (!step_.activated.exists()) return;
        value = add(rounded_product(value, load(scale_ + lane)), load(shift_ + lane));
        if (step_.activated_relu) value = relu(value);
        store(value, step_.activated, step_.stores_activated, step_.activated_codes, y, x, lane);
    }

    TENON_INLINE void store_codes_of(const Codes& codes, int y, int x, int lane, Vector value) const {
        store_bfloat16(pixel(codes.tensor, y, x, block_offset(codes.tensor, Storage::bf16, plane_)), lane, value);
    }

private:
    TENON_INLINE void store(Vector value, const Tensor& floats, bool stores_floats, const Codes& codes, int y, int x,
                            int lane) const {
        if (stores_floats) cpu::store(pixel(floats, y, x, long{plane_} * floats.plane()) + lane, value);
        if (codes.exist()) store_codes_of(codes, y, x, lane, value);
    }

    float* pixel(const Tensor& tensor, int y, int x, long block) const {
        return image_ + tensor.origin() + block + long{y} * tensor.row() + long{x} * channel_block;
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
