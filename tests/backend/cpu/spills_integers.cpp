// Register tiles of integers for spills.py: bytes and 16-bit numbers, one row and two, a residual, planes of words, and
// Winograd's products.
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
constexpr QuantizedTileSpec planar(QuantizedTileSpec spec) {
    spec.planar = true;
    spec.source_column = 2;
    return spec;
}

template void quantized_tile<tile(has_dot4)>(const QuantizedTileArguments&);
template void quantized_tile<two_rows(tile(has_dot4))>(const QuantizedTileArguments&);
template void quantized_tile<with_residual(tile(has_dot4))>(const QuantizedTileArguments&);
template void quantized_tile<planar(tile(false))>(const QuantizedTileArguments&);
template void integer_product_tile<QuantizedTileSpec{
    .pixels = tile_pixels, .blocks = panel_blocks, .source_column = 16}>(const QuantizedTileArguments&);

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
