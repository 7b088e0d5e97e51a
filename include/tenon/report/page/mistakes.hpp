#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The mistakes that a network was most confident of: the images as it saw them, and where it looked.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/explain/explain.hpp>
#include <tenon/image/image.hpp>
#include <tenon/image/preprocessing.hpp>
#include <tenon/report/page/predictions.hpp>

namespace tenon {
namespace reports {
inline namespace TENON_ISA_NAMESPACE {

/// An image that was classified wrongly.
struct Mistake {
    std::size_t image = 0;  ///< its position in the evaluation
    Prediction prediction;
    Image photo;                 ///< as the network saw it
    explanations::ClassMap map;  ///< what spoke for the wrong class; without values where it was not computed
};

/// Options of mistakes().
struct MistakeOptions {
    std::size_t count = 12;
    /// Multiply-adds that maps may take, which are computed by plain loops on one thread: about ten seconds. Mistakes
    /// beyond that have no map.
    double multiply_adds = 1e10;
};

/// The image that a network saw: what `preprocess` made of a photo (channel, row, column), undone, and clipped to 8
/// bits. Throws tenon::Error when `input` does not have the size of what `preprocess` makes.
inline Image seen_image(std::span<const float> input, const Preprocessing& how) {
    Image image(how.crop_height, how.crop_width, how.channels);
    const std::size_t channels = detail::index(how.channels), pixels = input.size() / channels;
    if (input.size() != how.elements())
        throw Error("expected " + std::to_string(how.elements()) + " floats of a preprocessed image, found " +
                    std::to_string(input.size()));
    for (std::size_t c = 0; c < channels; ++c) {
        const std::size_t to = how.order == ChannelOrder::bgr ? channels - 1 - c : c;
        for (std::size_t i = 0; i < pixels; ++i) {
            const double sample =
                (double{input[c * pixels + i]} * double{how.standard_deviation[c]} + double{how.mean[c]}) / how.scale;
            image.pixels()[i * channels + to] = static_cast<std::uint8_t>(std::lround(std::clamp(sample, 0.0, 255.0)));
        }
    }
    return image;
}

/// The mistakes of an evaluation of `source`, with a map of the wrong class by Grad-CAM each. The predictions must be
/// those of the source's batches in their order. Throws tenon::Error when a batch or a map can't be made.
template <class Net, BatchSource Source>
std::vector<Mistake> mistakes(const Parameters<Net>& parameters, const Predictions& predictions, Source&& source,
                              const Preprocessing& preprocessing, const MistakeOptions& options = {}) {
    std::vector<Mistake> found;
    const auto elements = detail::index(input_shape<Net>.elements());
    const auto maps = static_cast<std::size_t>(options.multiply_adds / static_cast<double>(multiply_adds<Net>));
    const std::size_t per_batch = source.batches() > 0 ? source.batch(0, 0).labels.size() : 1;
    for (const std::size_t image : predictions.most_confident_mistakes(options.count)) {
        const Batch batch = source.batch(0, static_cast<long>(image / per_batch));
        const std::span<const float> input = batch.images.subspan(image % per_batch * elements, elements);
        Mistake mistake;
        mistake.image = image;
        mistake.prediction = predictions[image];
        mistake.photo = seen_image(input, preprocessing);
        if (found.size() < maps)
            mistake.map = explanations::explain(parameters, input, {.label = mistake.prediction.predicted});
        found.push_back(std::move(mistake));
    }
    return found;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports
}  // namespace tenon
