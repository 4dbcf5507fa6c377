// PageArena, the part that asks the kernel what it made of the mapping.
#include <cstdio>

#include "storage/memory/page_arena.h"

namespace verso::storage {

size_t PageArena::HugeBytes() const {
  std::FILE* smaps = std::fopen("/proc/self/smaps", "re");
  if (smaps == nullptr) return 0;
  char line[512];
  bool ours = false;
  size_t kib = 0;
  while (std::fgets(line, sizeof(line), smaps) != nullptr) {
    unsigned long long from = 0;
    unsigned long long to = 0;
    size_t value = 0;
    if (std::sscanf(line, "%llx-%llx ", &from, &to) == 2) {
      ours = reinterpret_cast<uintptr_t>(base_) >= from && reinterpret_cast<uintptr_t>(base_) < to;
    } else if (ours && std::sscanf(line, "ShmemPmdMapped: %zu kB", &value) == 1) {
      kib = value;
      break;
    }
  }
  std::fclose(smaps);
  return kib * 1024;
}

}  // namespace verso::storage
