#include "../training_test.cpp"
