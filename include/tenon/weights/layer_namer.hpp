#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Turns the canonical paths of layers into the names of a convention.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/names.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/weights/names/convention.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Names the layers of one network, which must be given in the order in which the library makes them, as `{n}` counts.
///
/// Example, with the rules {"stack#.block#.body.conv#", "layer{0+1}.{1}.conv{2+1}"} and {"stem.conv#", "conv2d{_n}"}:
///
///     stack0.block1.body.conv2 -> layer1.1.conv3
///     stem.conv0               -> conv2d, and the next one conv2d_1
template <class Once = void>
class LayerNamerOf {
public:
    explicit LayerNamerOf(std::span<const NameRule> rules) : rules_{rules} {}

    /// The name of the layer at a canonical path, by the first rule that matches; without rules, the path itself.
    /// Throws tenon::Error when there are rules and none matches: the convention is for another kind of network.
    TENON_COLD std::string operator()(std::string_view path) {
        if (rules_.empty()) return std::string(path);
        for (const NameRule& rule : rules_)
            if (match(rule.path, path)) return expand(rule.name);
        throw_error({"the layer ", path, " has no name in this convention; it names another kind of network"});
    }

private:
    /// Whether a path matches a pattern; its numbers are then in `numbers_`: `stack#.block#` and `stack0.block12` ->
    /// {0, 12}.
    TENON_COLD bool match(std::string_view pattern, std::string_view path) {
        const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
        numbers_.clear();
        std::size_t at = 0;
        for (const char expected : pattern) {
            if (expected == '#' && at < path.size() && is_digit(path[at])) {
                int number = 0;
                while (at < path.size() && is_digit(path[at])) number = number * 10 + (path[at++] - '0');
                numbers_.push_back(number);
            } else if (at < path.size() && path[at] == expected) {
                ++at;
            } else {
                return false;
            }
        }
        return at == path.size();
    }

    /// Fills in the fields of a rule's name: `layer{0+1}.{1}` and {0, 12} -> `layer1.12`.
    TENON_COLD std::string expand(std::string_view pattern) {
        std::string name;
        for (std::size_t i = 0; i < pattern.size(); ++i) {
            if (pattern[i] != '{') {
                name += pattern[i];
                continue;
            }
            std::string_view field = pattern.substr(i + 1, pattern.find('}', i) - i - 1);
            i += field.size() + 1;
            const bool silent_zero = field.starts_with('_');
            if (silent_zero) field.remove_prefix(1);
            int number = field[0] == 'n' ? static_cast<int>(counts_[name]++) : numbers_[index(field[0] - '0')];
            if (silent_zero && number == 0) continue;
            if (field.size() == 3) number += field[2] - '0';
            if (silent_zero) name += '_';
            SentencePart{number}.append_to(name);
        }
        return name;
    }

    std::span<const NameRule> rules_;
    NameIndex counts_;
    std::vector<int> numbers_;
};
using LayerNamer = LayerNamerOf<>;

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
