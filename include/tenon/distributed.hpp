// Several processes, or threads as if they were: communicators, and sums whose bits don't depend on how many there are.
#pragma once

#include <tenon/core/begin_door.hpp>

// IWYU pragma: begin_exports
#include <tenon/distributed/agreement.hpp>
#include <tenon/distributed/nccl.hpp>
#include <tenon/distributed/threads.hpp>
#include <tenon/distributed/tree_sum.hpp>
#include <tenon/distributed/world.hpp>
// IWYU pragma: end_exports

#include <tenon/core/end_door.hpp>
