#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// What a loader needs of oneTBB, without the headers of intrinsics (see core/task_arena.hpp, which comes first for
// that).

// clang-format off
#include <tenon/core/task_arena.hpp>

#include <tbb/blocked_range.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_group.h>
// clang-format on
