#include "../weight_gradient_test.cpp"
