// Memory that a forked child does not get (MADV_DONTFORK): fork() copies no page table for it, so
// bookkeeping that grows with clients, lines or pins may live here (DESIGN 1). A child that touches
// it dies: children are handed what they need by value or through the arena.
#pragma once

#include <memory_resource>

namespace verso {

// The process-wide pool; single-threaded, like everything that uses it.
std::pmr::memory_resource* UnforkedMemory();

// Bytes the pool has taken from the kernel, for INFO.
size_t UnforkedBytes();

}  // namespace verso
