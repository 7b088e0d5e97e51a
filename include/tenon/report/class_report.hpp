#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// class_report: how well each class is recognized, as a table.

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/train/metrics.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// A table with one line per class: its images, precision, recall and F1 in percent, and the class that its images were
/// most often mistaken for. `-` is a share of nothing: the precision of a class that nothing was predicted as, the
/// recall of a class without images. The last line has the means over the classes that have the figure. Throws
/// tenon::Error unless there is a name for each class. The figures equal those of
/// sklearn.metrics.classification_report.
inline std::string class_report(const ConfusionMatrix& confusion, std::span<const std::string> names) {
    const int classes = confusion.classes();
    if (classes < 1 || names.size() != detail::index(classes))
        throw Error("expected a name for each of the " + std::to_string(classes) +
                    " classes of a confusion matrix, found " + std::to_string(names.size()));
    const auto name_of = [&](int klass) -> const std::string& { return names[detail::index(klass)]; };
    // The number of characters, for a name in UTF-8.
    const auto length = [](const std::string& text) {
        return detail::index(
            std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
    };
    std::size_t widest = 8;
    for (const std::string& name : names) widest = std::max(widest, length(name));

    std::string table;
    const auto add = [&](const std::string& name, const std::string& images, const std::string& precision,
                         const std::string& recall, const std::string& f1, const std::string& taken_for) {
        char columns[96];
        std::snprintf(columns, sizeof columns, "%9s %14s %11s %7s", images.c_str(), precision.c_str(), recall.c_str(),
                      f1.c_str());
        table += name + std::string(widest - length(name), ' ') + columns;
        table += taken_for.empty() ? "\n" : "   " + taken_for + "\n";
    };
    struct Mean {
        double sum = 0;
        int count = 0;
    };
    const auto percent = [](double share, bool is_defined, Mean* mean) -> std::string {
        if (!is_defined) return "-";
        if (mean) mean->sum += share, ++mean->count;
        return detail::number_text(100 * share, std::chars_format::fixed, 1);
    };
    add("class", "images", "precision (%)", "recall (%)", "F1 (%)", "most often taken for");
    long all = 0;
    Mean precision, recall, f1;
    for (int klass = 0; klass < classes; ++klass) {
        const long images = confusion.images(klass), taken = confusion.taken_for(klass);
        all += images;
        int wrong = klass;
        for (int other = 0; other < classes; ++other)
            if (other != klass && confusion(klass, other) > (wrong == klass ? 0 : confusion(klass, wrong)))
                wrong = other;
        add(name_of(klass), std::to_string(images), percent(confusion.precision(klass), taken > 0, &precision),
            percent(confusion.recall(klass), images > 0, &recall),
            percent(confusion.f1(klass), images + taken > 0, &f1),
            wrong == klass ? "" : name_of(wrong) + " (" + std::to_string(confusion(klass, wrong)) + ")");
    }
    const auto mean = [&](const Mean& of) { return percent(of.sum / std::max(of.count, 1), of.count > 0, nullptr); };
    add("mean", std::to_string(all), mean(precision), mean(recall), mean(f1), "");
    return table;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
