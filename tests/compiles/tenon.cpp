// The umbrella header, alone.
#include <tenon/core/shape.hpp>
