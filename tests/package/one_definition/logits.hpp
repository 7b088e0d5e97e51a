// The results of the network that several files of one program use.
#pragma once

#include <array>

using Logits = std::array<float, 10>;
