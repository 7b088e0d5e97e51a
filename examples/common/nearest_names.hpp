// The names that a misspelled one may mean.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The number of letters that must be inserted, removed, replaced or swapped with their neighbor to turn `a` into `b`.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last, last, row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before_last = std::move(last);
        last = row;
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
    }
    return row[b.size()];
}

/// Only the letters and digits, in lower case: `ResNet-18` and `resnet_18` mean the same.
inline std::string bare_name(std::string_view name) {
    std::string bare;
    for (const char c : name) {
        if (c >= 'A' && c <= 'Z') bare += static_cast<char>(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) bare += c;
    }
    return bare;
}

/// The names that hold the given one, `cifar_resnet44` for `resnet44`; if there are none, those nearest to it, at most
/// five and only those of which at most a third of the letters differ.
inline std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& all) {
    const std::string wanted = bare_name(name);
    std::vector<std::string> nearest;
    if (wanted.empty()) return nearest;
    for (const std::string& each : all)
        if (each.find(name) != std::string::npos) nearest.push_back(each);
    if (!nearest.empty()) return nearest;
    std::size_t least = wanted.size() / 3 + 1;
    for (const std::string& each : all) {
        const std::size_t distance = edit_distance(wanted, bare_name(each));
        if (distance < least) nearest.clear();
        if (distance < least || (distance == least && !nearest.empty())) nearest.push_back(each);
        least = std::min(least, distance);
    }
    if (nearest.size() > 5) nearest.resize(5);
    return nearest;
}
