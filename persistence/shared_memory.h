// One object in memory that a process shares with the children it forks, and how they sleep on a
// word of it.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <memory>
#include <new>

#include "persistence/file_io.h"

namespace verso::persistence {

// Not destroyed: whoever still has it goes on using it.
template <typename T>
struct Unmap {
  void operator()(T* object) const { munmap(object, sizeof(T)); }
};
template <typename T>
using Shared = std::unique_ptr<T, Unmap<T>>;

// Fails: kIo (no memory).
template <typename T>
Result<Shared<T>> MakeShared(const char* what) {
  void* at = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return OsError(what);
  return Shared<T>(new (at) T);
}

// Waits while *word is `expected`, at most timeout_us (negative: for ever). May return early. Works
// between processes as between threads.
void FutexWait(const void* word, uint32_t expected, int64_t timeout_us);
void FutexWake(const void* word);

}  // namespace verso::persistence
