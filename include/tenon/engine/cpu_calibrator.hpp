#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Calibrator: measures on sample images what a network in 8-bit integers needs to know.

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/math.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/engine/cpu_int8.hpp>
#include <tenon/topology/facts.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Counts positive floats by size: buckets of equal relative width, 1 / 64, so that no range has to be known before.
template <class Once>
class SizeHistogramOf {
public:
    void add(float value) {
        if (!(value > 0)) return;
        const std::uint32_t bucket = std::bit_cast<std::uint32_t>(value) >> shift;
        if (bucket >= counts_.size()) counts_.resize(bucket + 1);
        ++counts_[bucket];
        largest_ = std::max(largest_, value);
    }

    float largest() const { return largest_; }

    /// The range that 255 equal steps from 0 divide with the least squared error: values above it are cut off, those
    /// below are rounded. Zeros, which are exact, don't count. 0 if there were only zeros.
    float best_range() const {
        float best = largest_;
        double least = std::numeric_limits<double>::infinity();
        for (std::size_t last = counts_.size(); last-- > 0;) {
            const float range = std::min(largest_, value_at(last + 1, 0));
            if (range < largest_ / 16) break;
            if (counts_[last] == 0) continue;
            const double error = error_of(range);
            if (error < least) {
                least = error;
                best = range;
            }
        }
        return best;
    }

private:
    static constexpr int shift = 17;

    /// A value in a bucket: `part` 64ths of the mantissa's step after its begin.
    static float value_at(std::size_t bucket, std::uint32_t part) {
        return std::bit_cast<float>((static_cast<std::uint32_t>(bucket) << shift) + (part << (shift - 6)));
    }

    double error_of(float range) const {
        const double step = double{range} / 255, rounding = step * step / 12;
        double error = 0;
        for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
            if (counts_[bucket] == 0) continue;
            const double value = double{value_at(bucket, 32)}, beyond = value - double{range};
            error += static_cast<double>(counts_[bucket]) *
                     (beyond > 0 ? beyond * beyond : std::min(rounding, value * value));
        }
        return error;
    }

    std::vector<std::uint64_t> counts_;
    float largest_ = 0;
};
using SizeHistogram = SizeHistogramOf<void>;

/// Measures the ranges that Model<Net, CpuWith<Precision::int8>> needs, on images like those that it will see; some
/// hundred are enough. The network runs in floats. The result depends on the images, not on their order or on threads.
///
///     CpuWith<Precision::int8>::Calibrator<Net> calibrator{Parameters<Net>{"net.safetensors"}};
///     for (long i = 0; i < loader.batches(); ++i) calibrator.add(loader.batch(0, i).images);
///     calibrator.save("net.int8.safetensors");
///
/// A value that cannot be negative gets the range in which 255 steps have the least squared error (values beyond are
/// cut off); any other one, of 16 bits, its largest magnitude.
template <class Net>
class Calibrator {
public:
    /// Takes over the network's parameters. `threads` as in ModelOptions.
    explicit Calibrator(Parameters<Net> parameters, int threads = 0)
        : parameters_{std::move(parameters)}, engine_{threads}, histograms_(index(Engine::range_count)) {
        expect_codes<Net>(parameters_.tensors());
        engine_.set_parameters(parameters_.tensors());
    }

    /// Runs a batch of images, as a model does, and remembers the sizes of what the layers read. Throws tenon::Error
    /// when `images` is not a whole number of images or a pixel is not a finite number; then nothing is remembered.
    void add(std::span<const float> images) {
        constexpr std::size_t elements = index(input_shape<Net>.elements());
        // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): it does not see that a network has an input
        if (images.empty() || images.size() % elements != 0)
            detail::throw_error({"one image of this network is ", to_string(input_shape<Net>), ", ", elements,
                                 " scalars; a batch is a positive multiple of that, not ", images.size()});
        for (std::size_t i = 0; i < images.size(); ++i)
            if (!detail::isfinite(images[i]))
                detail::throw_error({"image ", i / elements + 1, " of the batch for calibration has a pixel that is ",
                                     (detail::isnan(images[i]) ? "NaN" : "infinite"), "; expected finite numbers"});
        std::vector<float> results(index(output_shape<Net>.elements()));
        for (std::size_t first = 0; first < images.size(); first += elements) {
            engine_.run_image(images.data() + first, results.data(), [&](int product, bool is_positive, float value) {
                Range& range = histograms_[index(product)];
                range.is_positive = is_positive;
                range.sizes.add(is_positive ? value : detail::abs(value));
            });
            ++images_;
        }
    }

    /// Images so far.
    long images() const { return images_; }

    /// The range of what each convolution and linear layer reads, in the order of the network; 0 for one that reads the
    /// same value as one before it, or is computed in floats. Throws tenon::Error when there were no images.
    std::vector<float> input_ranges() const {
        if (images_ == 0)
            throw Error("calibration has seen no images; add some that are like those the model will see");
        std::vector<float> ranges;
        ranges.reserve(histograms_.size());
        for (const Range& range : histograms_)
            ranges.push_back(range.is_positive ? range.sizes.best_range() : range.sizes.largest());
        return ranges;
    }

    const Parameters<Net>& parameters() const { return parameters_; }

    /// Writes the parameters as Parameters::save does, in floats, and the ranges beside them, as a tensor named
    /// int8.input_ranges. Models in floats load the file too. Throws tenon::Error when there were no images, or as
    /// Parameters::save does.
    void save(const std::string& path, Naming naming = naming_of<Net>, const Metadata& metadata = {}) const {
        detail::write_weights(path, detail::stored_network<Net>(naming), parameters_.tensors(), metadata, DType::f32,
                              input_ranges());
    }

private:
    using Engine = cpu::Int8Engine<Net>;
    struct Range {
        bool is_positive = false;
        SizeHistogram sizes;
    };

    Parameters<Net> parameters_;
    cpu::CalibrationEngine<Net> engine_;
    std::vector<Range> histograms_;
    long images_ = 0;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
