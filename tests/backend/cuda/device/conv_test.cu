#include "../conv_test.cpp"
