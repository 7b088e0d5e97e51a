// The network that several files of one program use, and what each does with it.
#pragma once

#include <vector>

#include <tenon/tenon.hpp>

#include "logits.hpp"

struct Shared
    : tenon::Network<tenon::Input<3, 16, 16>, tenon::Conv<16, tenon::Kernel<3>, tenon::Padding<1>>, tenon::Stack<16, 3>,
                     tenon::BatchNorm, tenon::ReLU, tenon::GlobalAvgPool, tenon::Linear<10>> {};

// The logits of one image, by a model with seeded weights.
[[maybe_unused]] static Logits run_shared_network() {
    tenon::Model<Shared> model{tenon::ModelOptions{.threads = 1}};
    model.initialize(7);
    std::vector<float> image(static_cast<std::size_t>(tenon::input_shape<Shared>.elements()));
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i % 13) / 13;
    Logits logits{};
    model(image, logits);
    return logits;
}
