// The library tenon::compiled: what no network changes, instantiated once (include/tenon/core/compile_once.hpp).
#define TENON_COMPILED_LIBRARY
#include <tenon/inference.hpp>
