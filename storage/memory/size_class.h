// Size classes: which run holds a page of so many bytes. Steps of 16 bytes up to 512, of 64 up to 1
// KiB, then 64 KiB / n rounded down to cells, about 12 % apart (a slab is cut into n runs). Frozen:
// the space map on disk names classes by number.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "storage/base/bytes.h"
#include "storage/memory/page.h"

namespace verso::storage {

inline constexpr size_t kSlabBytes = 64 * 1024;
inline constexpr size_t kSlabCells = kSlabBytes / kCellBytes;
inline constexpr int kSizeClasses = 64;

namespace size_class_internal {
inline constexpr std::array<uint32_t, kSizeClasses> kBytes = {
    16,   32,   48,   64,   80,   96,    112,   128,   144,   160,   176,   192,  208,
    224,  240,  256,  272,  288,  304,   320,   336,   352,   368,   384,   400,  416,
    432,  448,  464,  480,  496,  512,   576,   640,   704,   768,   832,   896,  960,
    1024, 1168, 1360, 1632, 1808, 2048,  2336,  2608,  2976,  3264,  3632,  4096, 4672,
    5456, 6544, 7280, 8192, 9360, 10912, 13104, 16384, 21840, 32768, 43680, 65520};
}  // namespace size_class_internal

// Bytes of a run of class c, and how many of them a slab holds.
inline constexpr size_t ClassBytes(int c) {
  return size_class_internal::kBytes[static_cast<size_t>(c)];
}
inline constexpr size_t ClassRuns(int c) { return kSlabBytes / ClassBytes(c); }

namespace size_class_internal {
inline constexpr auto MakeTable() {
  std::array<uint8_t, kSlabCells + 1> table{};  // by cells
  int c = 0;
  for (size_t cells = 0; cells <= kPageBytesMax / kCellBytes; ++cells) {
    while (ClassBytes(c) < cells * kCellBytes) ++c;
    table[cells] = static_cast<uint8_t>(c);
  }
  return table;
}
inline constexpr auto kClassByCells = MakeTable();
}  // namespace size_class_internal

// The smallest class that holds `bytes`. Requires: bytes <= kPageBytesMax.
inline int ClassFor(size_t bytes) {
  return size_class_internal::kClassByCells[(bytes + kCellBytes - 1) / kCellBytes];
}

// What a page of `bytes` really occupies.
inline size_t RunBytes(size_t bytes) { return ClassBytes(ClassFor(bytes)); }

static_assert(ClassBytes(kSizeClasses - 1) == kPageBytesMax);

}  // namespace verso::storage
