#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// What a classifier said about each image of an evaluation, and how far its confidence can be trusted.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/train/metrics.hpp>

namespace tenon {

namespace reports {

/// What a classifier said about an image.
struct Prediction {
    int label = 0, predicted = 0;
    int before = 0;         ///< classes that rank before the label; 0: it is right
    double confidence = 0;  ///< the probability of the predicted class, by softmax
    double loss = 0;        ///< cross-entropy: -log of the probability of the label

    bool is_right() const { return before == 0; }
};

/// Images whose confidence is in one interval.
struct ReliabilityBin {
    long images = 0;
    double confidence = 0;  ///< mean
    double accuracy = 0;    ///< share of the images that are right
};

inline namespace TENON_ISA_NAMESPACE {

/// The predictions of an evaluation, in the order of its images.
class Predictions {
public:
    /// For classes from 0; results beyond them, of spare classes, are left out. Throws tenon::Error unless there is a
    /// class.
    explicit Predictions(int classes) : classes_{classes} {
        if (classes < 1) throw Error("predictions need 1 or more classes, not " + std::to_string(classes));
    }

    /// Adds a batch with a label each. Throws tenon::Error for labels that are no class, for too few logits, and for
    /// logits that are NaN.
    void add(std::span<const float> logits, std::span<const int> labels) {
        if (labels.empty()) return;
        const std::size_t stride = logits.size() / labels.size(), classes = detail::index(classes_);
        if (stride * labels.size() != logits.size() || stride < classes)
            throw Error("expected " + std::to_string(classes_) + " logits or more for each of " +
                        std::to_string(labels.size()) + " images, found " + std::to_string(logits.size()));
        for (std::size_t i = 0; i < labels.size(); ++i) {
            if (labels[i] < 0 || labels[i] >= classes_)
                throw Error("expected a label from 0 to " + std::to_string(classes_ - 1) + ", found " +
                            std::to_string(labels[i]));
            all_.push_back(predict(logits.subspan(i * stride, classes), labels[i]));
        }
    }

    int classes() const { return classes_; }
    std::size_t size() const { return all_.size(); }  ///< images
    const Prediction& operator[](std::size_t image) const { return all_[image]; }
    const std::vector<Prediction>& all() const { return all_; }

    /// The share of images whose label is among the `best` largest logits, and the mean loss; 0 without images.
    double accuracy(int best = 1) const {
        return mean([&](const Prediction& each) { return each.before < best ? 1.0 : 0.0; });
    }
    double loss() const {
        return mean([](const Prediction& each) { return each.loss; });
    }

    /// How many images of each class were taken for which.
    ConfusionMatrix confusion() const {
        ConfusionMatrix matrix(classes_);
        for (const Prediction& each : all_) matrix.add(each.label, each.predicted);
        return matrix;
    }

    /// At most `count` wrong images, those with the largest confidence first; of equals, the first.
    std::vector<std::size_t> most_confident_mistakes(std::size_t count) const {
        std::vector<std::size_t> wrong;
        for (std::size_t i = 0; i < all_.size(); ++i)
            if (!all_[i].is_right()) wrong.push_back(i);
        std::ranges::stable_sort(wrong,
                                 [&](std::size_t a, std::size_t b) { return all_[a].confidence > all_[b].confidence; });
        if (wrong.size() > count) wrong.resize(count);
        return wrong;
    }

    /// The images by confidence, in `bins` intervals of equal width: (0, 1/bins], ..., (1 - 1/bins, 1]. Throws
    /// tenon::Error unless `bins` is positive.
    std::vector<ReliabilityBin> reliability(int bins = 15) const {
        if (bins < 1) throw Error("a reliability diagram needs 1 or more bins, not " + std::to_string(bins));
        std::vector<ReliabilityBin> result(detail::index(bins));
        for (const Prediction& each : all_) {
            const int at = static_cast<int>(std::ceil(each.confidence * bins)) - 1;
            ReliabilityBin& bin = result[detail::index(std::clamp(at, 0, bins - 1))];
            ++bin.images;
            bin.confidence += each.confidence;
            bin.accuracy += each.is_right() ? 1 : 0;
        }
        for (ReliabilityBin& bin : result)
            if (bin.images > 0) {
                bin.confidence /= static_cast<double>(bin.images);
                bin.accuracy /= static_cast<double>(bin.images);
            }
        return result;
    }

    /// The expected calibration error: the mean over the images of |accuracy - confidence| of their bin (Guo et al.
    /// 2017, arXiv 1706.04599). Throws tenon::Error unless `bins` is positive.
    double calibration_error(int bins = 15) const {
        double sum = 0;
        for (const ReliabilityBin& bin : reliability(bins))
            sum += static_cast<double>(bin.images) * std::abs(bin.accuracy - bin.confidence);
        return all_.empty() ? 0 : sum / static_cast<double>(all_.size());
    }

    /// Pairs of classes, label and what its images were taken for, by how often that happened; at most `count`.
    std::vector<std::pair<int, int>> most_confused(std::size_t count) const {
        const ConfusionMatrix matrix = confusion();
        std::vector<std::pair<int, int>> pairs;
        for (int label = 0; label < classes_; ++label)
            for (int predicted = 0; predicted < classes_; ++predicted)
                if (label != predicted && matrix(label, predicted) > 0) pairs.emplace_back(label, predicted);
        std::ranges::stable_sort(
            pairs, [&](const auto& a, const auto& b) { return matrix(a.first, a.second) > matrix(b.first, b.second); });
        if (pairs.size() > count) pairs.resize(count);
        return pairs;
    }

private:
    static Prediction predict(std::span<const float> logits, int label) {
        if (!std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); }))
            throw Error("a logit is infinite or NaN, so there is no prediction to report on");
        const auto largest = std::ranges::max_element(logits);
        double sum = 0;
        for (const float logit : logits) sum += std::exp(double{logit - *largest});
        Prediction result;
        result.label = label;
        result.predicted = static_cast<int>(largest - logits.begin());
        result.confidence = 1 / sum;
        const float own = logits[detail::index(label)];
        result.loss = std::log(sum) - double{own - *largest};
        for (std::size_t c = 0; c < logits.size(); ++c)
            if (logits[c] > own || (logits[c] == own && static_cast<int>(c) < label)) ++result.before;
        return result;
    }

    template <class Of>
    double mean(const Of& of) const {
        double sum = 0;
        for (const Prediction& each : all_) sum += of(each);
        return all_.empty() ? 0 : sum / static_cast<double>(all_.size());
    }

    int classes_;
    std::vector<Prediction> all_;
};

/// The predictions for all batches of epoch 0 of a source: `logits_of(images)` is a model, or a trainer's predict.
/// Throws tenon::Error as Predictions::add does.
template <class LogitsOf, BatchSource Source>
Predictions predict_all(LogitsOf&& logits_of, Source&& source, int classes) {
    Predictions predictions(classes);
    for (long i = 0; i < source.batches(); ++i) {
        const Batch batch = source.batch(0, i);
        predictions.add(logits_of(batch.images), batch.labels);
    }
    return predictions;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports
}  // namespace tenon
