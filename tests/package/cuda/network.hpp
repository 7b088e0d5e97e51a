#pragma once

#include <tenon/topology/block.hpp>

struct Tiny
    : tenon::Network<tenon::Input<3, 8, 8>, tenon::Conv<8, tenon::Kernel<3>>, tenon::ReLU, tenon::GlobalAvgPool> {};
