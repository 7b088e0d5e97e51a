#include "../conv_kernel_test.cpp"
