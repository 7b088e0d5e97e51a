// Under which names the parameters of a network stand in weights files.
#pragma once

namespace tenon {

/// A convention for the names of parameters. io/weight_names.hpp holds the map of each.
enum class Naming {
    canonical,    ///< tenon's own: the path of the layer and the role, `stack0.block1.body.conv2.weight`
    listing,      ///< the original listing's state_dict, `conv2.conv.1.conv3.weight`
    torchvision,  ///< torchvision's ResNets, `layer1.1.conv3.weight`
};

/// The convention a network declares by a static member `naming`; canonical without one.
template <class Net>
inline constexpr Naming naming_of = [] {
    if constexpr (requires { Net::naming; })
        return Net::naming;
    else
        return Naming::canonical;
}();

}  // namespace tenon
