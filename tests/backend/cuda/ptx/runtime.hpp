// What tests ask the interpreted runtime.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "module.hpp"

namespace ptx {

/// All kernels of the program, with what their instructions cost so far.
std::vector<const Kernel*> runtime_kernels();

/// From now on each file's PTX is changed by `edit` before it is run; an empty function ends that. Faults are
/// forgotten. No graph may have been recorded before that is launched after.
void edit_runtime(std::function<std::string(const std::string&)> edit);

/// Whether launches from now on count how often accesses to shared memory occupy the banks (Cost).
void count_banks(bool counts);

/// Pieces of memory, of devices and pinned, streams, events and graphs that exist now.
std::size_t runtime_allocations();

}  // namespace ptx
