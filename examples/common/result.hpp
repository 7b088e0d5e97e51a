// The answer of a network for one image, as text and as JSON.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenon/inference.hpp>

#include "json_document.hpp"
#include "terminal.hpp"

/// The most probable classes of one image, the best first.
struct Result {
    std::string file;
    std::vector<int> classes;
    std::vector<float> probabilities;
};

inline Result make_result(const std::string& file, std::span<const float> logits, int top) {
    const std::vector<float> probabilities = tenon::softmax(logits);
    std::vector<int> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    const auto count = std::min<std::ptrdiff_t>(top, std::ssize(order));
    // By logit: the probabilities of a confident network are equal where they underflow.
    std::ranges::partial_sort(order, order.begin() + count, [&](int a, int b) {
        const float first = logits[static_cast<std::size_t>(a)];
        const float second = logits[static_cast<std::size_t>(b)];
        return first != second ? first > second : a < b;
    });
    order.resize(static_cast<std::size_t>(count));
    Result result{file, order, {}};
    for (const int index : order) result.probabilities.push_back(probabilities[static_cast<std::size_t>(index)]);
    return result;
}

inline void print_text(const Result& result, const std::vector<std::string>& names, const Terminal& terminal) {
    constexpr int bar_width = 24;
    std::string text = terminal.bold(terminal.shown(result.file)) + "\n";
    for (std::size_t i = 0; i < result.classes.size(); ++i) {
        char percent[16];
        std::snprintf(percent, sizeof percent, "%6.2f", 100.0 * result.probabilities[i]);
        text += "  " + std::string(percent) + " %  " +
                terminal.green(terminal.bar(result.probabilities[i], bar_width)) + "  " +
                terminal.shown(names[static_cast<std::size_t>(result.classes[i])]) + "\n";
    }
    std::fputs(text.c_str(), stdout);
}

inline json_document::Json json_of(const Result& result, const std::vector<std::string>& names) {
    json_document::Json entry, top = json_document::Json::array();
    for (std::size_t i = 0; i < result.classes.size(); ++i) {
        json_document::Json answer{{"class", result.classes[i]}};
        json_document::add_name(answer, "name", names[static_cast<std::size_t>(result.classes[i])]);
        answer["probability"] = result.probabilities[i];
        top.push_back(std::move(answer));
    }
    json_document::add_name(entry, "file", result.file);
    entry["top"] = std::move(top);
    return entry;
}
