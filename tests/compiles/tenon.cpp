// The umbrella header alone, and a model of a network: all that a user's program instantiates.
#include <tenon/tenon.hpp>

template class tenon::Model<tenon::ResNet50V2<>>;
