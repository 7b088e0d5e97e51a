#include "../network_test.cpp"
