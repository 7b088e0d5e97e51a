// The names under which known libraries store parameters, as data: one table a convention.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>

namespace tenon {

/// One rule: layers whose canonical path matches `path`, in which `#` stands for a number, have the name `name`, in
/// which
/// `{i}` stands for the i-th number and `{i+k}` for that number plus k.
struct NameRule {
    std::string_view path, name;
};

/// The original listing's state_dict.
inline constexpr NameRule listing_names[] = {
    {"stem.conv0", "conv1.conv"},
    {"stem.norm0", "conv1.bn"},
    {"stack#.block#.preact.norm0", "conv{0+2}.conv.{1}.preact.0"},
    {"stack#.block#.shortcut.conv0", "conv{0+2}.conv.{1}.short"},
    {"stack#.block#.body.conv0", "conv{0+2}.conv.{1}.conv1.0"},
    {"stack#.block#.body.norm0", "conv{0+2}.conv.{1}.conv1.1"},
    {"stack#.block#.body.conv1", "conv{0+2}.conv.{1}.conv2.0"},
    {"stack#.block#.body.norm1", "conv{0+2}.conv.{1}.conv2.1"},
    {"stack#.block#.body.conv2", "conv{0+2}.conv.{1}.conv3"},
    {"head.norm0", "post.bn"},
    {"head.linear0", "post.fc"},
};

/// torchvision.models.ResNet.
inline constexpr NameRule torchvision_names[] = {
    {"stem.conv0", "conv1"},
    {"stem.norm0", "bn1"},
    {"stack#.block#.body.conv#", "layer{0+1}.{1}.conv{2+1}"},
    {"stack#.block#.body.norm#", "layer{0+1}.{1}.bn{2+1}"},
    {"stack#.block#.shortcut.conv0", "layer{0+1}.{1}.downsample.0"},
    {"stack#.block#.shortcut.norm0", "layer{0+1}.{1}.downsample.1"},
    {"head.linear0", "fc"},
};

inline namespace TENON_ISA_NAMESPACE {

/// The name of the layer at a canonical path by the first rule that matches; without rules, the path itself. Throws
/// tenon::Error when there are rules and none matches: the network is not of the kind the convention names.
inline std::string layer_name(std::string_view path, std::span<const NameRule> rules) {
    if (rules.empty()) return std::string(path);
    constexpr int most_numbers = 4;
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    for (const NameRule& rule : rules) {
        int numbers[most_numbers]{}, count = 0;
        std::size_t at = 0;
        bool matches = true;
        for (const char expected : rule.path) {
            if (expected == '#' && at < path.size() && is_digit(path[at]) && count < most_numbers) {
                int number = 0;
                while (at < path.size() && is_digit(path[at])) number = number * 10 + (path[at++] - '0');
                numbers[count++] = number;
            } else if (at < path.size() && path[at] == expected) {
                ++at;
            } else {
                matches = false;
                break;
            }
        }
        if (!matches || at != path.size()) continue;
        std::string name;
        for (std::size_t i = 0; i < rule.name.size(); ++i) {
            if (rule.name[i] != '{') {
                name += rule.name[i];
                continue;
            }
            int number = numbers[rule.name[i + 1] - '0'];
            i += 2;
            if (rule.name[i] == '+') {
                number += rule.name[i + 1] - '0';
                i += 2;
            }
            name += std::to_string(number);
        }
        return name;
    }
    throw Error("the layer " + std::string(path) + " has no name in this convention; it names another kind of network");
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
