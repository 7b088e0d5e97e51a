// title: A shortcut that projects and pads
// meaning: `PadShortcut` gives a shortcut without weights the channels that the block adds. A convolution adds them itself.
// fix: Leave out one of the two.
// expect: Rejected<tenon::Block<32, tenon::Basic, tenon::ConvShortcut, tenon::PadShortcut>,
// expect: reason::a_convolution_changes_the_channels_itself_so_leave_out_PadShortcut
// expect: At<1>
#include <tenon/models/variants.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, Block<32, Basic, ConvShortcut, PadShortcut>> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, Block<32, Basic, ConvShortcut>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
