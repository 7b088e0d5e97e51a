#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// The ResNets of keras.applications, versions 1 and 2.

#include <tenon/models/post_activation.hpp>
#include <tenon/models/pre_activation.hpp>

namespace tenon {

/// keras.applications.ResNet50: 25,583,592 trainable parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct KerasResNet50
    : detail::PostActivatedNetwork<detail::KerasFlavour, In, Classes, detail::PostActivatedBottleneck, 3, 4, 6, 3> {};

/// keras.applications.ResNet101: 44,601,832 trainable parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct KerasResNet101
    : detail::PostActivatedNetwork<detail::KerasFlavour, In, Classes, detail::PostActivatedBottleneck, 3, 4, 23, 3> {};

/// keras.applications.ResNet152: 60,268,520 trainable parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct KerasResNet152
    : detail::PostActivatedNetwork<detail::KerasFlavour, In, Classes, detail::PostActivatedBottleneck, 3, 8, 36, 3> {};

/// keras.applications.ResNet50V2: 25,568,360 trainable parameters and 3.482 G multiply-adds with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct KerasResNet50V2
    : detail::PreactivatedNetwork<detail::KerasV2Flavour, In, Classes, detail::PreactivatedBottleneck, 3, 4, 6, 3> {};

/// keras.applications.ResNet101V2: 44,577,896 trainable parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct KerasResNet101V2
    : detail::PreactivatedNetwork<detail::KerasV2Flavour, In, Classes, detail::PreactivatedBottleneck, 3, 4, 23, 3> {};

/// keras.applications.ResNet152V2: 60,236,904 trainable parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct KerasResNet152V2
    : detail::PreactivatedNetwork<detail::KerasV2Flavour, In, Classes, detail::PreactivatedBottleneck, 3, 8, 36, 3> {};

}  // namespace tenon
