#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Writes parameters as safetensors under the names and in the layout of a convention.

#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/compile_once.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/math.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/span_of.hpp>
#include <tenon/io/safetensors_writer.hpp>
#include <tenon/weights/ranges_name.hpp>
#include <tenon/weights/stored_parameter.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Writes what a convention stores of a network: `tensors` points to the parameters in tenon's own order, each as long
/// as `stored` says. Values are floats, or rounded to half precision (DType::f16). The file at `path` is replaced
/// completely or not at all. `ranges`, if any, are stored beside them (ranges_name). Throws tenon::Error when it can't
/// be written, or a value is too large for half precision.
template <class Once = void>
void write_weights(const std::string& path, const StoredNetwork& stored, std::span<const float* const> tensors,
                   const Metadata& metadata = {}, DType type = DType::f32, std::span<const float> ranges = {}) {
    if (type != DType::f32 && type != DType::f16)
        throw_error({path, ": weights are stored as F32 or F16, not ", std::string(dtype_name(type))});
    std::list<std::vector<float>> copies;
    std::list<std::vector<std::uint16_t>> halves;
    std::vector<TensorEntry> entries;
    const auto add = [&](const std::string& name, std::vector<std::int64_t> shape, std::span<const float> values) {
        if (type == DType::f32) return entries.push_back({name, type, std::move(shape), std::as_bytes(values)});
        constexpr float max_half = 65504;
        for (const float value : values)
            if (!(detail::abs(value) <= max_half))
                throw_error({path, ": ", fixed_text(value), " in tensor ", name, " can't be stored in half precision"});
        auto& rounded = halves.emplace_back(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) rounded[i] = float_to_half(values[i]);
        entries.push_back({name, type, std::move(shape), std::as_bytes(span_of(rounded))});
    };
    for (std::size_t i = 0; i < stored.parameters.size(); ++i) {
        const StoredParameter& parameter = stored.parameters[i];
        std::span<const float> values{tensors[i], index(parameter.parameter.elements())};
        if (!parameter.has_native_layout()) {
            const std::span<float> copy = span_of(copies.emplace_back(values.size()));
            parameter.to_file(values, copy);
            values = copy;
        }
        add(parameter.name, parameter.shape, values);
    }
    for (const StoredConstant& constant : stored.constants)
        add(constant.name, {constant.size}, span_of(copies.emplace_back(index(constant.size), constant.value)));
    if (!ranges.empty())
        entries.push_back(
            make_tensor_entry(std::string(ranges_name), {static_cast<std::int64_t>(ranges.size())}, ranges));
    write_safetensors(path, span_of(entries), metadata);
}
TENON_COMPILE_ONCE(void write_weights<void>(const std::string&, const StoredNetwork&, std::span<const float* const>,
                                            const Metadata&, DType, std::span<const float>));

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
