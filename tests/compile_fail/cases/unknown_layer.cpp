// title: A layer that does not exist
// meaning: tenon has no layer of that name, so it is the compiler that says so. Where the struct is used, it also says,
// meaning: once, that this is not a network.
// fix: Take one of the layers that `tenon/network.hpp` has ([all names](names.md)), or make it of those: a GELU
// fix: is nearly x times the sigmoid of 1.702 x.
// first: error: .*GELU
// errors: 2
// expect: (not declared in this scope|undeclared identifier)
// max-lines: 12
#include <tenon/models/resnet_v2.hpp>
#include <tenon/topology/channel_ops.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, GELU> {};
#else
struct QuickGelu : Product<Identity, Sequential<Scale<1702, 1000>, Sigmoid> > {};
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, QuickGelu> {};
#endif
