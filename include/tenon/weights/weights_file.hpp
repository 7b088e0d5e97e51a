#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Matches a weights file with a network's parameters: strictly, and completely before any value is used.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <tenon/core/compile_once.hpp>
#include <tenon/core/number_text.hpp>
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
    WeightsFileOf(const std::string& path, const StoredNetwork& network, const LoadOptions& options = {})
        : file_{path, file_options(options, [&](std::span<const TensorEntry> entries) {
                    return fits(find_names(entries, network.convention), network);
                })} {
        by_name_ = find_names(file_.tensors(), network.convention);
        check_names(network);
        bool is_misshapen = false;
        try {
            for (const StoredParameter& parameter : network.parameters) {
                const auto found = by_name_.find(parameter.name);
                if (found == by_name_.end()) {  // check_names knows that it may be missing
                    tensors_.push_back(nullptr);
                    continue;
                }
                const TensorEntry& entry = *found->second;
                is_misshapen = entry.shape != parameter.shape;
                expect_shape(entry, parameter.shape);
                tensors_.push_back(floats(entry, parameter));
                if (!options.allow_undefined) check_defined(entry, parameter.parameter.role, tensors_.back());
            }
            for (const StoredConstant& constant : network.constants) check_constant(constant);
            for (const TensorEntry& entry : file_.tensors())
                if (entry.name == ranges_name) {
                    ranges_.resize(static_cast<std::size_t>(*element_count(entry.shape)));
                    to_float(entry, ranges_);
                }
        } catch (const Error& error) {
            throw Error(path + ": " + error.what() + (is_misshapen ? whose_weights(file_.tensors()) : std::string()));
        }
    }

    /// Pointers to the parameters in the order of the program, or nullptr for those that may be missing and are; valid
    /// while this object exists.
    std::span<const float* const> tensors() const { return tensors_; }

    /// Whether tensors are a network's: all names are there, no others, and the shapes are its own. A shape of -1 is
    /// any size.
    static bool fit(std::span<const TensorEntry> entries, const StoredNetwork& network) {
        return fits(find_names(entries, network.convention), network);
    }

    /// The ranges of what each convolution and linear layer reads, which a Calibrator has saved; empty if there are
    /// none.
    std::span<const float> ranges() const { return ranges_; }

private:
    using Names = std::map<std::string, const TensorEntry*, std::less<>>;

    static bool is_counter(const TensorEntry& entry) {
        return entry.name.ends_with(".num_batches_tracked") || is_average_counter(entry);
    }

    static bool fits(const Names& names, const StoredNetwork& network) {
        std::size_t found = 0;
        for (const StoredParameter& parameter : network.parameters) {
            const auto entry = names.find(parameter.name);
            if (entry == names.end() && parameter.may_be_missing) continue;
            if (entry == names.end() ||
                !std::ranges::equal(entry->second->shape, parameter.shape,
                                    [](std::int64_t size, std::int64_t own) { return own < 0 || size == own; }))
                return false;
            ++found;
        }
        for (const StoredConstant& constant : network.constants) found += names.contains(constant.name) ? 1U : 0U;
        return found == names.size();
    }

    /// Throws tenon::Error when a value is infinite or NaN, or a variance negative.
    static void check_defined(const TensorEntry& entry, ParameterRole role, const float* values) {
        const std::int64_t count = *element_count(entry.shape);
        const auto* const wrong = std::find_if(values, values + count, [role](float value) {
            return !std::isfinite(value) || (role == ParameterRole::running_variance && value < 0);
        });
        if (wrong == values + count) return;
        const std::string number = std::isnan(*wrong)   ? "NaN"
                                   : std::isinf(*wrong) ? "infinite"
                                                        : "negative, which a variance can't be";
        throw Error("tensor " + quote_name(entry.name) + ": element " + std::to_string(wrong - values) + " is " +
                    number + "; LoadOptions::allow_undefined lets it pass");
    }

    /// Whether a tensor is not a parameter: a counter, or ranges.
    static bool is_ignored(const TensorEntry& entry) { return is_counter(entry) || entry.name == ranges_name; }

    /// A name without TensorFlow's number of an operation's output: `conv1/kernel:0` -> `conv1/kernel`.
    static std::string bare_name(const std::string& name) {
        return name.ends_with(":0") ? name.substr(0, name.size() - 2) : name;
    }

    /// A name with a layer's number taken apart: `conv2d_7/kernel` -> `conv2d`, `/kernel`, 7; `conv2d/kernel` has the
    /// number 0.
    struct NumberedName {
        std::string kind, rest;
        long number = 0;
    };
    static NumberedName numbered(const std::string& name) {
        const std::size_t slash = std::min(name.find('/'), name.size());
        std::size_t digits = slash;
        while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9') --digits;
        if (digits == slash || digits == 0 || name[digits - 1] != '_' || slash - digits > 9)
            return {name.substr(0, slash), name.substr(slash)};
        return {name.substr(0, digits - 1), name.substr(slash), std::stol(name.substr(digits, slash - digits))};
    }

    /// The digits after a prefix; empty when the name doesn't begin with it. `resnetv24_conv0`, `resnetv2` -> `4`.
    static std::string_view number_after(std::string_view name, std::string_view prefix) {
        if (!name.starts_with(prefix)) return {};
        const std::size_t end = name.find_first_not_of("0123456789", prefix.size());
        return name.substr(prefix.size(), std::min(end, name.size()) - prefix.size());
    }

    /// Indexes the file's tensors by name. If all names have the same number after a counted prefix, it is replaced by
    /// the number that the rules have there.
    static Names find_plain_names(std::span<const TensorEntry> entries, std::string_view prefix,
                                  std::string_view counted_as) {
        Names by_name;
        std::set<std::string_view> numbers;
        for (const TensorEntry& entry : entries)
            if (!prefix.empty()) numbers.insert(number_after(entry.name, prefix));
        const std::size_t digits = numbers.size() == 1 ? numbers.begin()->size() : 0;
        for (const TensorEntry& entry : entries) {
            if (is_ignored(entry)) continue;
            std::string name = bare_name(entry.name);
            if (digits > 0) name.replace(prefix.size(), digits, counted_as);
            by_name[name] = &entry;
        }
        return by_name;
    }

    /// Indexes the file's tensors by name; if layers are counted from any number, by the name that they have when
    /// counting begins at 0. `conv2d_7` and `conv2d_9` -> `conv2d` and `conv2d_1`.
    static Names find_names(std::span<const TensorEntry> entries, const NamingConvention& convention) {
        if (!convention.counted_from_anywhere)
            return find_plain_names(entries, convention.counted_prefix, convention.counted_as);
        Names by_name;
        std::map<std::string, std::vector<long>> numbers;
        for (const TensorEntry& entry : entries) {
            if (is_ignored(entry)) continue;
            const NumberedName name = numbered(bare_name(entry.name));
            numbers[name.kind].push_back(name.number);
        }
        for (auto& [kind, all] : numbers) {
            std::sort(all.begin(), all.end());
            all.erase(std::unique(all.begin(), all.end()), all.end());
        }
        for (const TensorEntry& entry : entries) {
            if (is_ignored(entry)) continue;
            const NumberedName name = numbered(bare_name(entry.name));
            const auto& all = numbers.at(name.kind);
            const auto position = std::lower_bound(all.begin(), all.end(), name.number) - all.begin();
            std::string own_name = name.kind;
            if (position > 0) own_name.append(1, '_').append(std::to_string(position));
            by_name[own_name + name.rest] = &entry;
        }
        return by_name;
    }

    /// Throws tenon::Error when names are missing or left over.
    void check_names(const StoredNetwork& network) const {
        std::vector<std::string> missing, left_over, expected;
        const auto expect_name = [&](const std::string& name, bool may_be_missing) {
            expected.push_back(name);
            if (!may_be_missing && !by_name_.contains(name)) missing.push_back(name);
        };
        for (const StoredParameter& parameter : network.parameters)
            expect_name(parameter.name, parameter.may_be_missing);
        for (const StoredConstant& constant : network.constants) expect_name(constant.name, false);
        std::sort(expected.begin(), expected.end());
        for (const auto& [name, entry] : by_name_)
            if (!std::binary_search(expected.begin(), expected.end(), name)) left_over.push_back(entry->name);
        if (missing.empty() && left_over.empty()) return;
        std::string text = file_.source() + ": these weights are not this network's:";
        if (!missing.empty()) text += " the network needs " + list_names(missing) + ", which the file lacks";
        if (!left_over.empty())
            text += std::string(missing.empty() ? "" : ";") + " the file has " + list_names(left_over) +
                    ", which the network has no place for";
        throw Error(text + whose_weights(file_.tensors()));
    }

    /// The values of a tensor as floats in tenon's order: in the file where possible, else in a copy.
    const float* floats(const TensorEntry& entry, const StoredParameter& parameter) {
        const auto address = std::bit_cast<std::uintptr_t>(entry.bytes.data());
        if (parameter.has_native_layout() && entry.dtype == DType::f32 && address % alignof(float) == 0)
            return reinterpret_cast<const float*>(entry.bytes.data());
        std::vector<float> stored(static_cast<std::size_t>(*element_count(entry.shape)));
        to_float(entry, stored);
        if (parameter.has_native_layout()) return copies_.emplace_back(std::move(stored)).data();
        auto& own = copies_.emplace_back(stored.size());
        parameter.from_file(stored, own);
        return own.data();
    }

    /// Throws tenon::Error when a tensor isn't the constant that it must be: the network has no parameter for it.
    void check_constant(const StoredConstant& constant) const {
        const TensorEntry& entry = *by_name_.at(constant.name);
        expect_shape(entry, std::vector{constant.size});
        std::vector<float> values(static_cast<std::size_t>(constant.size));
        to_float(entry, values);
        for (const float value : values)
            if (value != constant.value)
                throw Error("tensor " + quote_name(constant.name) + ": expected " +
                            std::to_string(static_cast<int>(constant.value)) +
                            " everywhere, as this norm has neither gamma nor beta, found " + fixed_text(value));
    }

    TensorFile file_;
    Names by_name_;
    std::deque<std::vector<float>> copies_;
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
