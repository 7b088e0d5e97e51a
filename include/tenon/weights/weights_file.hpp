#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Matches a weights file with a network's parameters: strictly, and completely before any value is used.

#include <bit>
#include <cstdint>
#include <list>
#include <string>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/compile_once.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/math.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/names.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/span_of.hpp>
#include <tenon/io/tensor_file.hpp>
#include <tenon/weights/known_networks.hpp>
#include <tenon/weights/load_options.hpp>
#include <tenon/weights/ranges_name.hpp>
#include <tenon/weights/stored_parameter.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The parameters of a network found in a file: pointers into the mapped file where it holds aligned floats in tenon's
/// own order, and copies elsewhere.
template <class Once = void>
class WeightsFileOf {
public:
    /// Opens `path` (safetensors, .pth or .npz) and finds every parameter under its name with its shape. Throws
    /// tenon::Error, naming the file, with both sets of names when some are missing or left over, or with both shapes,
    /// and with the shipped network that the weights do fit; and, naming the tensor, when a value is infinite or NaN or
    /// a running variance is negative. Ignores the counters that torch stores with running statistics and averages.
    TENON_COLD WeightsFileOf(const std::string& path, const StoredNetwork& network, const LoadOptions& options = {})
        : file_{path,
                file_options(options, [&](std::span<const TensorEntry> entries) { return fit(entries, network); })} {
        by_name_ = find_names(span_of(file_.tensors()), network.convention);
        check_names(network);
        bool is_misshapen = false;
        try {
            for (const StoredParameter& parameter : network.parameters) {
                const std::size_t* const found = by_name_.find(parameter.name);
                if (!found) {  // check_names knows that it may be missing
                    tensors_.push_back(static_cast<const float*>(nullptr));
                    continue;
                }
                const TensorEntry& entry = file_.tensors()[*found];
                is_misshapen = entry.shape != parameter.shape;
                expect_shape(entry, span_of(parameter.shape));
                tensors_.push_back(floats(entry, parameter));
                if (!options.allow_undefined) check_defined(entry, parameter.parameter.role, tensors_.back());
            }
            for (const StoredConstant& constant : network.constants) check_constant(constant);
            for (const TensorEntry& entry : file_.tensors())
                if (entry.name == ranges_name) {
                    ranges_.resize(index(*element_count(span_of(entry.shape))));
                    to_float(entry, span_of(ranges_));
                }
        } catch (const Error& error) {
            throw_error(
                {path, ": ", error.what(), (is_misshapen ? whose_weights(span_of(file_.tensors())) : std::string())});
        }
        if (options.input_ranges) *options.input_ranges = ranges_;
    }

    /// Pointers to the parameters in the order of the program, or nullptr for those that may be missing and are; valid
    /// while this object exists.
    std::span<const float* const> tensors() const { return span_of(tensors_); }

    /// Whether tensors are a network's: all names are there, no others, and the shapes are its own. A shape of -1 is
    /// any size.
    TENON_COLD static bool fit(std::span<const TensorEntry> entries, const StoredNetwork& network) {
        const NameIndex names = find_names(entries, network.convention);
        std::size_t found = 0;
        for (const StoredParameter& parameter : network.parameters) {
            const std::size_t* const at = names.find(parameter.name);
            if (!at && parameter.may_be_missing) continue;
            if (!at || !fits(entries[*at].shape, parameter.shape)) return false;
            ++found;
        }
        for (const StoredConstant& constant : network.constants) found += names.contains(constant.name) ? 1U : 0U;
        return found == names.size();
    }

    /// The ranges of what each convolution and linear layer reads, which a Calibrator has saved; empty if there are
    /// none.
    std::span<const float> ranges() const { return span_of(ranges_); }

private:
    TENON_COLD static bool is_counter(const TensorEntry& entry) {
        return entry.name.ends_with(".num_batches_tracked") || is_average_counter(entry);
    }

    TENON_COLD static bool fits(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& own) {
        if (shape.size() != own.size()) return false;
        for (std::size_t i = 0; i < own.size(); ++i)
            if (own[i] >= 0 && shape[i] != own[i]) return false;
        return true;
    }

    /// Throws tenon::Error when a value is infinite or NaN, or a variance negative.
    [[gnu::noinline]] static void check_defined(const TensorEntry& entry, ParameterRole role, const float* values) {
        const std::int64_t count = *element_count(span_of(entry.shape));
        const bool is_variance = role == ParameterRole::running_variance;
        const float *wrong = values, *const end = values + count;
        while (wrong != end && detail::isfinite(*wrong) && !(is_variance && *wrong < 0)) ++wrong;
        if (wrong == end) return;
        const char* const number = detail::isnan(*wrong)   ? "NaN"
                                   : detail::isinf(*wrong) ? "infinite"
                                                           : "negative, which a variance can't be";
        fail_tensor(entry.name,
                    {"element ", wrong - values, " is ", number, "; LoadOptions::allow_undefined lets it pass"});
    }

    /// Whether a tensor is not a parameter: a counter, or ranges.
    TENON_COLD static bool is_ignored(const TensorEntry& entry) {
        return is_counter(entry) || entry.name == ranges_name;
    }

    /// A name without TensorFlow's number of an operation's output: `conv1/kernel:0` -> `conv1/kernel`.
    TENON_COLD static std::string bare_name(const std::string& name) {
        return name.ends_with(":0") ? name.substr(0, name.size() - 2) : name;
    }

    /// A name with a layer's number taken apart: `conv2d_7/kernel` -> `conv2d`, `/kernel`, 7; `conv2d/kernel` has the
    /// number 0.
    struct NumberedName {
        std::string kind, rest;
        long number = 0;
    };
    TENON_COLD static NumberedName numbered(const std::string& name) {
        const std::size_t slash = std::min(name.find('/'), name.size());
        std::size_t digits = slash;
        while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9') --digits;
        if (digits == slash || digits == 0 || name[digits - 1] != '_' || slash - digits > 9)
            return {name.substr(0, slash), name.substr(slash)};
        return {name.substr(0, digits - 1), name.substr(slash), std::stol(name.substr(digits, slash - digits))};
    }

    /// The digits after a prefix; empty when the name doesn't begin with it. `resnetv24_conv0`, `resnetv2` -> `4`.
    TENON_COLD static std::string_view number_after(std::string_view name, std::string_view prefix) {
        if (!name.starts_with(prefix)) return {};
        const std::size_t end = name.find_first_not_of("0123456789", prefix.size());
        return name.substr(prefix.size(), std::min(end, name.size()) - prefix.size());
    }

    /// Indexes the file's tensors by name. If all names have the same number after a counted prefix, it is replaced by
    /// the number that the rules have there.
    TENON_COLD static NameIndex find_plain_names(std::span<const TensorEntry> entries, std::string_view prefix,
                                                 std::string_view counted_as) {
        NameIndex by_name;
        const std::string_view number =
            prefix.empty() || entries.empty() ? std::string_view() : number_after(entries[0].name, prefix);
        std::size_t digits = number.size();
        for (const TensorEntry& entry : entries)
            if (digits > 0 && number_after(entry.name, prefix) != number) digits = 0;
        for (std::size_t i = 0; i < entries.size(); ++i) {
            if (is_ignored(entries[i])) continue;
            std::string name = bare_name(entries[i].name);
            if (digits > 0) name.replace(prefix.size(), digits, counted_as);
            by_name[name] = i;
        }
        return by_name;
    }

    /// Indexes the file's tensors by name; if layers are counted from any number, by the name that they have when
    /// counting begins at 0. `conv2d_7` and `conv2d_9` -> `conv2d` and `conv2d_1`.
    TENON_COLD static NameIndex find_names(std::span<const TensorEntry> entries, const NamingConvention& convention) {
        if (!convention.counted_from_anywhere)
            return find_plain_names(entries, convention.counted_prefix, convention.counted_as);
        NameIndex by_number;  // kind, digits of the number and place in the file: their order is that of the layers
        constexpr std::size_t first = 1'000'000'000'000;  // numbers and places get as many digits
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const NumberedName name = numbered(bare_name(entries[i].name));
            if (!is_ignored(entries[i]))
                by_number.add(joined({name.kind, std::string_view("\0", 1), first + index(name.number), first + i}), i);
        }
        NameIndex by_name;
        NumberedName before;
        std::size_t position = 0;  // of a number among the different ones of its kind; 0: of none
        for (const auto& [key, i] : by_number) {
            NumberedName name = numbered(bare_name(entries[i].name));
            if (position == 0 || before.kind != name.kind)
                position = 1;
            else if (before.number != name.number)
                ++position;
            by_name[position > 1 ? joined({name.kind, "_", position - 1, name.rest}) : name.kind + name.rest] = i;
            before = std::move(name);
        }
        return by_name;
    }

    /// Throws tenon::Error when names are missing or left over.
    TENON_COLD void check_names(const StoredNetwork& network) const {
        std::vector<std::string> missing, left_over;
        NameIndex expected;
        const auto expect_name = [&](const std::string& name, bool may_be_missing) {
            expected.add(name);
            if (!may_be_missing && !by_name_.contains(name)) add_name(missing, name);
        };
        for (const StoredParameter& parameter : network.parameters)
            expect_name(parameter.name, parameter.may_be_missing);
        for (const StoredConstant& constant : network.constants) expect_name(constant.name, false);
        for (const auto& [name, i] : by_name_)
            if (!expected.contains(name)) add_name(left_over, file_.tensors()[i].name);
        if (missing.empty() && left_over.empty()) return;
        const bool lacks = !missing.empty(), has_more = !left_over.empty();
        throw_error({file_.source(), ": these weights are not this network's:", lacks ? " the network needs " : "",
                     list_names(missing), lacks ? ", which the file lacks" : "", lacks && has_more ? ";" : "",
                     has_more ? " the file has " : "", list_names(left_over),
                     has_more ? ", which the network has no place for" : "", whose_weights(span_of(file_.tensors()))});
    }

    /// The values of a tensor as floats in tenon's order: in the file where possible, else in a copy.
    TENON_COLD const float* floats(const TensorEntry& entry, const StoredParameter& parameter) {
        const auto address = std::bit_cast<std::uintptr_t>(entry.bytes.data());
        if (parameter.has_native_layout() && entry.dtype == DType::f32 && address % alignof(float) == 0)
            return reinterpret_cast<const float*>(entry.bytes.data());
        std::vector<float> stored(index(*element_count(span_of(entry.shape))));
        to_float(entry, span_of(stored));
        if (parameter.has_native_layout()) return copies_.emplace_back(std::move(stored)).data();
        auto& own = copies_.emplace_back(stored.size());
        parameter.from_file(span_of(stored), span_of(own));
        return own.data();
    }

    /// Throws tenon::Error when a tensor isn't the constant that it must be: the network has no parameter for it.
    TENON_COLD void check_constant(const StoredConstant& constant) const {
        const TensorEntry& entry = file_.tensors()[*by_name_.find(constant.name)];
        expect_shape(entry, {&constant.size, 1});
        std::vector<float> values(index(constant.size));
        to_float(entry, span_of(values));
        for (const float value : values)
            if (value != constant.value)
                fail_tensor(constant.name,
                            {"expected ", static_cast<int>(constant.value),
                             " everywhere, as this norm has neither gamma nor beta, found ", fixed_text(value)});
    }

    TensorFile file_;
    NameIndex by_name_;
    std::list<std::vector<float>> copies_;
    std::vector<const float*> tensors_;
    std::vector<float> ranges_;
};
using WeightsFile = WeightsFileOf<>;

/// A weights file that is opened and matched with a network: WeightsFile's constructor.
template <class Once = void>
WeightsFile open_weights(const std::string& path, const StoredNetwork& network, const LoadOptions& options = {}) {
    return WeightsFile{path, network, options};
}
TENON_COMPILE_ONCE(WeightsFile open_weights<void>(const std::string&, const StoredNetwork&, const LoadOptions&));

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
