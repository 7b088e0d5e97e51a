#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// How good a classifier is: loss, top-1 and top-5 accuracy, and which classes it confuses.

#include <algorithm>
#include <cmath>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/data/batch.hpp>
#include <tenon/engine/loss.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// How many images of each class were predicted as which. A matrix that was moved from has no classes.
class ConfusionMatrix {
public:
    explicit ConfusionMatrix(int classes = 0)
        : classes_{classes}, counts_(detail::index(classes) * detail::index(classes)) {}

    int classes() const { return classes_; }
    void add(int label, int predicted) { ++counts_[at(label, predicted)]; }
    /// Images of class `label` that were predicted as `predicted`.
    long operator()(int label, int predicted) const { return counts_[at(label, predicted)]; }

    /// Images of a class.
    long images(int klass) const {
        long sum = 0;
        for (int predicted = 0; predicted < classes_; ++predicted) sum += (*this)(klass, predicted);
        return sum;
    }
    /// Images that were predicted as a class.
    long taken_for(int klass) const {
        long sum = 0;
        for (int label = 0; label < classes_; ++label) sum += (*this)(label, klass);
        return sum;
    }

    /// The share of the images predicted as a class that belong to it; 0 if there are none.
    double precision(int klass) const { return share((*this)(klass, klass), taken_for(klass)); }
    /// The share of the images of a class that were predicted as it; 0 if there are none.
    double recall(int klass) const { return share((*this)(klass, klass), images(klass)); }
    /// The harmonic mean of precision and recall.
    double f1(int klass) const {
        const double p = precision(klass), r = recall(klass);
        return p + r > 0 ? 2 * p * r / (p + r) : 0;
    }

private:
    static double share(long part, long whole) {
        return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
    }
    std::size_t at(int label, int predicted) const {
        return detail::index(label) * static_cast<std::size_t>(classes_) + detail::index(predicted);
    }

    detail::ClearedByMove<int> classes_;
    std::vector<long> counts_;
};

/// The result of an evaluation.
struct Evaluation {
    long images = 0;
    double loss = 0;  ///< mean cross-entropy, without label smoothing
    double top1 = 0;  ///< share of images whose label has the largest logit; among equal logits the first counts
    double top5 = 0;  ///< share of images whose label is among the five largest logits
    ConfusionMatrix confusion;

    double accuracy() const { return top1; }
};

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// What an evaluation counts of one image.
struct JudgedImage {
    double loss = 0;
    int label = 0, predicted = 0;
    int before = 0;  ///< classes that rank before the label
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Collects the results of batches. An object that was moved from takes no more.
class Metrics {
public:
    explicit Metrics(int classes) : classes_{classes} { sum_.confusion = ConfusionMatrix{classes}; }

    /// Adds a batch. Throws tenon::Error for labels or targets that don't fit.
    void add(std::span<const float> logits, const Batch& batch) {
        judge(logits, batch, [&](const detail::JudgedImage& image) { add(image); });
    }
    /// Adds an image that judge() has given.
    void add(const detail::JudgedImage& image) {
        sum_.loss += image.loss;
        sum_.top1 += image.before < 1 ? 1 : 0;
        sum_.top5 += image.before < 5 ? 1 : 0;
        sum_.confusion.add(image.label, image.predicted);
        ++sum_.images;
    }

    /// Calls take(image) for each image of a batch. Throws tenon::Error for labels or targets that don't fit.
    template <class Take>
    void judge(std::span<const float> logits, const Batch& batch, const Take& take) const {
        moved_from_.check("sum of metrics");
        const auto images = std::ssize(logits) / classes_;
        const Targets<float> targets =
            batch.targets.empty() ? Targets<float>{batch.labels} : Targets<float>{batch.targets};
        targets.check(images, classes_);
        std::vector<float> gradient(detail::index(classes_));
        for (long n = 0; n < images; ++n) {
            const float* const row = logits.data() + n * classes_;
            detail::JudgedImage image;
            image.loss =
                detail::softmax_cross_entropy<float>(row, classes_, targets, n, images, 0, gradient.data()).loss;
            int label = 0;
            for (int c = 1; c < classes_; ++c)
                if (targets(n, c, classes_) > targets(n, label, classes_)) label = c;
            // A NaN counts as larger than any number, so an undefined label is never right.
            int before = std::isnan(row[label]) ? classes_ : 0, predicted = 0;
            for (int c = 0; c < classes_; ++c) {
                if (row[c] > row[label] || (row[c] == row[label] && c < label)) ++before;
                if (row[c] > row[predicted] || std::isnan(row[predicted])) predicted = c;
            }
            image.label = label;
            image.predicted = predicted;
            image.before = before;
            take(image);
        }
    }

    /// The means over all images that were added; zeros if there are none.
    Evaluation result() const {
        Evaluation mean = sum_;
        const double images = static_cast<double>(std::max(mean.images, 1L));
        mean.loss /= images;
        mean.top1 /= images;
        mean.top5 /= images;
        return mean;
    }

private:
    int classes_;
    Evaluation sum_;
    detail::MovedFrom moved_from_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
