#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Matches a weights file with a network's parameters: strictly, and completely before any value is used.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <tenon/core/compile_once.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/names.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/core/sentence.hpp>
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
    [[gnu::cold]] WeightsFileOf(const std::string& path, const StoredNetwork& network, const LoadOptions& options = {})
        : file_{path,
                file_options(options, [&](std::span<const TensorEntry> entries) { return fit(entries, network); })} {
        by_name_ = find_names(file_.tensors(), network.convention);
        check_names(network);
        bool is_misshapen = false;
        try {
            for (const StoredParameter& parameter : network.parameters) {
                const std::size_t* const found = by_name_.find(parameter.name);
                if (!found) {  // check_names knows that it may be missing
                    tensors_.push_back(nullptr);
                    continue;
                }
                const TensorEntry& entry = file_.tensors()[*found];
                is_misshapen = entry.shape != parameter.shape;
                expect_shape(entry, parameter.shape);
                tensors_.push_back(floats(entry, parameter));
                if (!options.allow_undefined) check_defined(entry, parameter.parameter.role, tensors_.back());
            }
            for (const StoredConstant& constant : network.constants) check_constant(constant);
            for (const TensorEntry& entry : file_.tensors())
                if (entry.name == ranges_name) {
                    ranges_.resize(index(*element_count(entry.shape)));
                    to_float(entry, ranges_);
                }
        } catch (const Error& error) {
            throw_error({path, ": ", error.what(), (is_misshapen ? whose_weights(file_.tensors()) : std::string())});
        }
        if (options.input_ranges) *options.input_ranges = ranges_;
    }

    /// Pointers to the parameters in the order of the program, or nullptr for those that may be missing and are; valid
    /// while this object exists.
    std::span<const float* const> tensors() const { return tensors_; }

    /// Whether tensors are a network's: all names are there, no others, and the shapes are its own. A shape of -1 is
    /// any size.
    [[gnu::cold]] static bool fit(std::span<const TensorEntry> entries, const StoredNetwork& network) {
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
    std::span<const float> ranges() const { return ranges_; }

private:
    [[gnu::cold]] static bool is_counter(const TensorEntry& entry) {
        return entry.name.ends_with(".num_batches_tracked") || is_average_counter(entry);
    }

    [[gnu::cold]] static bool fits(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& own) {
        if (shape.size() != own.size()) return false;
        for (std::size_t i = 0; i < own.size(); ++i)
            if (own[i] >= 0 && shape[i] != own[i]) return false;
        return true;
    }

    /// Throws tenon::Error when a value is infinite or NaN, or a variance negative.
    [[gnu::noinline]] static void check_defined(const TensorEntry& entry, ParameterRole role, const float* values) {
        const std::int64_t count = *element_count(entry.shape);
        const bool is_variance = role == ParameterRole::running_variance;
        const float *wrong = values, *const end = values + count;
        while (wrong != end && std::isfinite(*wrong) && !(is_variance && *wrong < 0)) ++wrong;
        if (wrong == end) return;
        const std::string number = std::isnan(*wrong)   ? "NaN"
                                   : std::isinf(*wrong) ? "infinite"
                                                        : "negative, which a variance can't be";
        fail_tensor(entry.name, {"element ", std::to_string(wrong - values), " is ", number,
                                 "; LoadOptions::allow_undefined lets it pass"});
    }

    /// Whether a tensor is not a parameter: a counter, or ranges.
    [[gnu::cold]] static bool is_ignored(const TensorEntry& entry) {
        return is_counter(entry) || entry.name == ranges_name;
    }

    /// A name without TensorFlow's number of an operation's output: `conv1/kernel:0` -> `conv1/kernel`.
    [[gnu::cold]] static std::string bare_name(const std::string& name) {
        return name.ends_with(":0") ? name.substr(0, name.size() - 2) : name;
    }

    /// A name with a layer's number taken apart: `conv2d_7/kernel` -> `conv2d`, `/kernel`, 7; `conv2d/kernel` has the
    /// number 0.
    struct NumberedName {
        std::string kind, rest;
        long number = 0;
    };
    [[gnu::cold]] static NumberedName numbered(const std::string& name) {
        const std::size_t slash = std::min(name.find('/'), name.size());
        std::size_t digits = slash;
        while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9') --digits;
        if (digits == slash || digits == 0 || name[digits - 1] != '_' || slash - digits > 9)
            return {name.substr(0, slash), name.substr(slash)};
        return {name.substr(0, digits - 1), name.substr(slash), std::stol(name.substr(digits, slash - digits))};
    }

    /// The digits after a prefix; empty when the name doesn't begin with it. `resnetv24_conv0`, `resnetv2` -> `4`.
    [[gnu::cold]] static std::string_view number_after(std::string_view name, std::string_view prefix) {
        if (!name.starts_with(prefix)) return {};
        const std::size_t end = name.find_first_not_of("0123456789", prefix.size());
        return name.substr(prefix.size(), std::min(end, name.size()) - prefix.size());
    }

    /// Indexes the file's tensors by name. If all names have the same number after a counted prefix, it is replaced by
    /// the number that the rules have there.
    [[gnu::cold]] static NameIndex find_plain_names(std::span<const TensorEntry> entries, std::string_view prefix,
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
    [[gnu::cold]] static NameIndex find_names(std::span<const TensorEntry> entries,
                                              const NamingConvention& convention) {
        if (!convention.counted_from_anywhere)
            return find_plain_names(entries, convention.counted_prefix, convention.counted_as);
        std::vector<NumberedName> names;
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < entries.size(); ++i) {
            if (is_ignored(entries[i])) continue;
            names.push_back(numbered(bare_name(entries[i].name)));
            places.push_back(i);
        }
        NameIndex by_name;
        const NumberedName* before = nullptr;
        long position = 0;  // of a number among the different ones of its kind
        for (const std::size_t i : sorted_order(names.size(), [&](std::size_t a, std::size_t b) {
                 const int order = names[a].kind.compare(names[b].kind);
                 return order != 0 ? order < 0 : names[a].number < names[b].number;
             })) {
            const NumberedName& name = names[i];
            if (!before || before->kind != name.kind)
                position = 0;
            else if (before->number != name.number)
                ++position;
            before = &name;
            const std::string number = position > 0 ? "_" + std::to_string(position) : std::string();
            by_name[joined({name.kind, number, name.rest})] = places[i];
        }
        return by_name;
    }

    /// Throws tenon::Error when names are missing or left over.
    [[gnu::cold]] void check_names(const StoredNetwork& network) const {
        std::vector<std::string> missing, left_over;
        NameIndex expected;
        const auto expect_name = [&](const std::string& name, bool may_be_missing) {
            expected.add(name);
            if (!may_be_missing && !by_name_.contains(name)) missing.push_back(name);
        };
        for (const StoredParameter& parameter : network.parameters)
            expect_name(parameter.name, parameter.may_be_missing);
        for (const StoredConstant& constant : network.constants) expect_name(constant.name, false);
        for (const auto& [name, i] : by_name_)
            if (!expected.contains(name)) left_over.push_back(file_.tensors()[i].name);
        if (missing.empty() && left_over.empty()) return;
        std::string text = file_.source() + ": these weights are not this network's:";
        if (!missing.empty()) text += " the network needs " + list_names(missing) + ", which the file lacks";
        if (!left_over.empty())
            text += std::string(missing.empty() ? "" : ";") + " the file has " + list_names(left_over) +
                    ", which the network has no place for";
        throw_error({text, whose_weights(file_.tensors())});
    }

    /// The values of a tensor as floats in tenon's order: in the file where possible, else in a copy.
    [[gnu::cold]] const float* floats(const TensorEntry& entry, const StoredParameter& parameter) {
        const auto address = std::bit_cast<std::uintptr_t>(entry.bytes.data());
        if (parameter.has_native_layout() && entry.dtype == DType::f32 && address % alignof(float) == 0)
            return reinterpret_cast<const float*>(entry.bytes.data());
        std::vector<float> stored(index(*element_count(entry.shape)));
        to_float(entry, stored);
        if (parameter.has_native_layout()) return copies_.emplace_back(std::move(stored)).data();
        auto& own = copies_.emplace_back(stored.size());
        parameter.from_file(stored, own);
        return own.data();
    }

    /// Throws tenon::Error when a tensor isn't the constant that it must be: the network has no parameter for it.
    [[gnu::cold]] void check_constant(const StoredConstant& constant) const {
        const TensorEntry& entry = file_.tensors()[*by_name_.find(constant.name)];
        expect_shape(entry, std::vector{constant.size});
        std::vector<float> values(index(constant.size));
        to_float(entry, values);
        for (const float value : values)
            if (value != constant.value)
                fail_tensor(constant.name,
                            {"expected ", std::to_string(static_cast<int>(constant.value)),
                             " everywhere, as this norm has neither gamma nor beta, found ", fixed_text(value)});
    }

    TensorFile file_;
    NameIndex by_name_;
    std::vector<std::vector<float>> copies_;
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
