#include "../number_kernel_test.cpp"
