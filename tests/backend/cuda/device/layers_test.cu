#include "../layers_test.cpp"
