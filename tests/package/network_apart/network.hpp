#pragma once

#include <tenon/inference.hpp>

struct Small : tenon::Network<tenon::Input<3, 16, 16>, tenon::Conv<16, tenon::Kernel<3>, tenon::Padding<1>>,
                              tenon::BatchNorm, tenon::ReLU, tenon::GlobalAvgPool, tenon::Linear<10>> {};
