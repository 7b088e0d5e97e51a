#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// class_report: how well each class is recognized, as a table.

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/train/metrics.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The number of characters of a text in UTF-8.
inline std::size_t character_count(const std::string& text) {
    return index(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// The lines of a class_report.
class ClassTable {
public:
    explicit ClassTable(std::span<const std::string> names) {
        for (const std::string& name : names) widest_ = std::max(widest_, character_count(name));
    }

    void add(const std::string& name, const std::string& images, const std::string& precision,
             const std::string& recall, const std::string& f1, const std::string& taken_for) {
        char columns[96];
        std::snprintf(columns, sizeof columns, "%9s %14s %11s %7s", images.c_str(), precision.c_str(), recall.c_str(),
                      f1.c_str());
        text_ += name + std::string(widest_ - character_count(name), ' ') + columns;
        text_ += taken_for.empty() ? "\n" : "   " + taken_for + "\n";
    }

    const std::string& text() const { return text_; }

private:
    std::size_t widest_ = 8;
    std::string text_;
};

/// A figure of the classes that have it, in percent.
class ClassFigure {
public:
    std::string of_class(double share, bool is_defined) {
        if (!is_defined) return "-";
        sum_ += share;
        ++count_;
        return percent(share);
    }
    std::string mean() const { return count_ > 0 ? percent(sum_ / count_) : "-"; }

private:
    static std::string percent(double share) { return number_text(100 * share, std::chars_format::fixed, 1); }

    double sum_ = 0;
    int count_ = 0;
};

/// The class that images of `klass` were most often mistaken for; itself if none was.
inline int most_often_taken_for(const ConfusionMatrix& confusion, int klass) {
    int wrong = klass;
    for (int other = 0; other < confusion.classes(); ++other)
        if (other != klass && confusion(klass, other) > (wrong == klass ? 0 : confusion(klass, wrong))) wrong = other;
    return wrong;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

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
    detail::ClassTable table(names);
    table.add("class", "images", "precision (%)", "recall (%)", "F1 (%)", "most often taken for");
    long all = 0;
    detail::ClassFigure precision, recall, f1;
    for (int klass = 0; klass < classes; ++klass) {
        const long images = confusion.images(klass), taken = confusion.taken_for(klass);
        all += images;
        const int wrong = detail::most_often_taken_for(confusion, klass);
        table.add(
            names[detail::index(klass)], std::to_string(images),
            precision.of_class(confusion.precision(klass), taken > 0),
            recall.of_class(confusion.recall(klass), images > 0), f1.of_class(confusion.f1(klass), images + taken > 0),
            wrong == klass ? "" : names[detail::index(wrong)] + " (" + std::to_string(confusion(klass, wrong)) + ")");
    }
    table.add("mean", std::to_string(all), precision.mean(), recall.mean(), f1.mean(), "");
    return table.text();
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
