// A source of images that a small network can learn: each class is a pattern, drawn over noise.
#pragma once

#include <vector>

#include <tenon/core/random.hpp>
#include <tenon/core/shape.hpp>
#include <tenon/data/batch.hpp>

namespace tenon_test {

/// Every batch is a function of (epoch, index): other noise each time. `fresh` false gives the same images in each
/// epoch.
class Patterns {
public:
    Patterns(tenon::Shape shape, int classes, long batches, long batch, bool fresh = true, double noise = 1)
        : shape_{shape}, classes_{classes}, batches_{batches}, batch_{batch}, fresh_{fresh}, noise_{noise} {}

    long images() const { return batches_ * batch_; }
    long batches() const { return batches_; }

    tenon::Batch batch(long epoch, long index) {
        const long elements = shape_.elements();
        pixels_.resize(static_cast<std::size_t>(batch_ * elements));
        labels_.resize(static_cast<std::size_t>(batch_));
        const auto draw = [](std::uint64_t stream, long at) {
            return tenon::detail::uniform(tenon::detail::random_bits(5, stream, static_cast<std::uint64_t>(at)), -1, 1);
        };
        for (long n = 0; n < batch_; ++n) {
            const int label = static_cast<int>((index * batch_ + n) % classes_);
            labels_[static_cast<std::size_t>(n)] = label;
            const auto stream =
                static_cast<std::uint64_t>(1'000'000 + (fresh_ ? epoch : 0) * images() + index * batch_ + n);
            for (long k = 0; k < elements; ++k)
                pixels_[static_cast<std::size_t>(n * elements + k)] =
                    static_cast<float>(draw(static_cast<std::uint64_t>(label), k) + noise_ * draw(stream, k));
        }
        return {pixels_, labels_, {}};
    }

private:
    tenon::Shape shape_;
    int classes_;
    long batches_, batch_;
    bool fresh_;
    double noise_;
    std::vector<float> pixels_;
    std::vector<int> labels_;
};

}  // namespace tenon_test
