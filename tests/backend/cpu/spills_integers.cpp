// Register tiles of integers and bfloat16 for spills.py: bytes and 16-bit numbers, one row and two, a residual, an
// interleaved image, Winograd's products, and, without VNNI, windows of one tap and Strassen's products.
#include <tenon/backend/cpu/quantized/strassen.hpp>
#include <tenon/backend/cpu/quantized/winograd.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

constexpr QuantizedTileSpec tile(bool bytes) {
    QuantizedTileSpec spec{.pixels = tile_pixels, .blocks = panel_blocks, .source_column = 16, .bytes = bytes};
    spec.target_codes = Storage::u8;
    spec.only_target_codes = spec.relu = true;
    spec.code_limit = 255;
    return spec;
}
constexpr QuantizedTileSpec two_rows(QuantizedTileSpec spec) {
    spec.rows = 2;
    spec.source_row = 160;
    return spec;
}
constexpr QuantizedTileSpec with_residual(QuantizedTileSpec spec) {
    spec.residual_column = 16;
    spec.stores_target = spec.activates = spec.only_activated_codes = true;
    spec.target_codes = Storage::f32;
    spec.only_target_codes = false;
    spec.activated_codes = Storage::u8;
    spec.activated_limit = 255;
    return spec;
}
constexpr QuantizedTileSpec interleaved(QuantizedTileSpec spec) {
    spec.interleaved = true;
    spec.source_column = 2 * 3 * (spec.bytes ? 1 : 2);  // stride 2, three channels
    return spec;
}
constexpr QuantizedTileSpec pointwise(QuantizedTileSpec spec, int crossings = 0) {
    spec.pointwise = true;
    spec.crossings = crossings;
    return spec;
}
constexpr QuantizedTileSpec pair(QuantizedTileSpec spec) {
    spec.pixels = 2 * tile_pixels;
    return pointwise(spec, 1);
}
constexpr QuantizedTileSpec of_bfloat16(QuantizedTileSpec spec) {
    spec.bytes = false;
    spec.bfloat16 = true;
    spec.target_codes = Storage::bf16;
    spec.code_limit = 0;
    return spec;
}
constexpr QuantizedTileSpec product(bool bfloat16) {
    return {.pixels = tile_pixels, .blocks = panel_blocks, .source_column = channel_block, .bfloat16 = bfloat16};
}

template void quantized_tile<tile(has_dot4)>(const QuantizedTileArguments&);
template void quantized_tile<two_rows(tile(has_dot4))>(const QuantizedTileArguments&);
template void quantized_tile<with_residual(tile(has_dot4))>(const QuantizedTileArguments&);
template void quantized_tile<interleaved(tile(has_dot4))>(const QuantizedTileArguments&);
template void quantized_product_tile<product(false)>(const QuantizedTileArguments&);
#if !TENON_HAS_DOT4
template void quantized_tile<pointwise(tile(false))>(const QuantizedTileArguments&);
template void quantized_tile<pointwise(tile(false), 1)>(const QuantizedTileArguments&);
template void quantized_tile<pointwise(with_residual(tile(false)))>(const QuantizedTileArguments&);
#if defined(__AVX2__) && !defined(__AVX512F__)
template void quantized_strassen_tile<pair(tile(false))>(const QuantizedTileArguments&, const StrassenMemory&);
template void quantized_strassen_tile<pair(with_residual(tile(false)))>(const QuantizedTileArguments&,
                                                                        const StrassenMemory&);
#endif
#endif
#if TENON_MULTIPLIES_BFLOAT16
template void quantized_tile<of_bfloat16(tile(false))>(const QuantizedTileArguments&);
template void quantized_product_tile<product(true)>(const QuantizedTileArguments&);
#endif

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
