// The network that several files of one program use, and what each does with it.
#pragma once

#include <cmath>
#include <vector>

#include <tenon/tenon.hpp>

#include "logits.hpp"

// A function of the user's own: programs point to its machine code.
struct Softplus {
    template <class T>
    T operator()(T x) const {
        return std::log1p(std::exp(x));
    }
    template <class T>
    T derivative(T x) const {
        return 1 / (1 + std::exp(-x));
    }
};

struct Shared
    : tenon::Network<tenon::Input<3, 16, 16>, tenon::Conv<16, tenon::Kernel<3>, tenon::Padding<1>>, tenon::Stack<16, 3>,
                     tenon::BatchNorm, tenon::Elementwise<Softplus>, tenon::GlobalAvgPool, tenon::Linear<10>> {};

// The loss of an image in training by the naive backend, whose programs are constants too.
[[maybe_unused]] static double loss_of_shared_network() {
    tenon::TrainingEngine<Shared, tenon::Reference<float>> engine{2};
    for (float& parameter : engine.parameters().values()) parameter = 0.1f;
    const std::vector<float> images(2 * static_cast<std::size_t>(tenon::input_shape<Shared>.elements()), 0.5f);
    const std::vector<int> labels{1, 2};
    return engine.forward_backward(images, labels).loss;
}

// The logits of one image, by a model with seeded weights.
[[maybe_unused]] static Logits run_shared_network() {
    tenon::Model<Shared> model{tenon::ModelOptions{.threads = 1}};
    model.initialize(7);
    std::vector<float> image(static_cast<std::size_t>(tenon::input_shape<Shared>.elements()));
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i % 13) / 13;
    Logits logits{};
    model(image, logits);
    logits[0] += static_cast<float>(loss_of_shared_network());
    return logits;
}
