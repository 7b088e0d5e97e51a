// The networks that classify runs on a GPU, as types: nvcc compiles each of them in a file of its own (CMakeLists.txt).
#pragma once

#include <tenon/models/cifar.hpp>
#include <tenon/models/cifar10_resnet.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/keras.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/models/timm.hpp>
