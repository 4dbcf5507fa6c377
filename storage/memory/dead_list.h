// Dead lists: which pages the head no longer shows, but a pin still does (V4, V5).
//
// A dead page (birth b, died d) is needed by the pins p with b <= p < d. Let L be the last pin
// before d and F the first pin at or after b: it is needed by exactly the pins F..L. So each pin L
// owns the pages that die with it, in buckets by F:
//
//   pins:      10          17          23          (head)
//   pin 23 owns    bucket F=10: needed by 10, 17, 23
//                  bucket F=17: needed by 17, 23
//                  bucket F=23: needed by 23 alone
//
// Dropping pin p costs what it frees:  buckets of p with F == p are free;  the others go to the pin
// before p (they live on for F..); buckets with F == p in later pins need no touch: F is kept as a
// bound, its meaning is "the first live pin at or after `first`". Sizes are kept per bucket, so the
// bytes only one snapshot holds are a sum.
//
// A bucket's pages stand in a chain of kDeadChunk pages, newest first; an entry flagged kChainFlag
// is itself the head of a chain, which makes joining two buckets O(1). Chunks are pages of the meta
// line, so a save contains them and a running save is not disturbed.
//
//   kDeadChunk   0        next chunk (Ref, null in the oldest)
//                16       u32 count, u32 zero
//                24       Ref[count]
#pragma once

#include <memory_resource>
#include <vector>

#include "storage/memory/page.h"

namespace verso::storage {

// Flags in the high byte of an entry's aux.
inline constexpr uint16_t kChainFlag = 0x8000;  // the entry is the head of a chain of entries
// The entry stands for the page and everything below it (inherited lists).
inline constexpr uint16_t kSubtreeFlag = 0x4000;

inline constexpr size_t kDeadChunkHeader = 24;
inline constexpr size_t kDeadChunkSmall = 120;   // 6 entries
inline constexpr size_t kDeadChunkLarge = 1016;  // 62 entries
inline constexpr size_t DeadChunkCapacity(size_t bytes) {
  return (bytes - kDeadChunkHeader) / sizeof(Ref);
}
static_assert(DeadChunkCapacity(kDeadChunkSmall) == 6 && DeadChunkCapacity(kDeadChunkLarge) == 62);

struct DeadBucket {
  Epoch first = 0;  // pages here were born at or before it, and after the pin before it
  Ref chunks;       // newest chunk of the chain
  uint64_t pages = 0;
  uint64_t bytes = 0;  // RunBytes of the pages
  // In the newest chunk, 0: not known. Asking the chunk costs a wait for memory that nobody has
  // touched for a while; writing to it does not. Not stored.
  uint32_t newest_count = 0;
};

// Buckets of one pin, ascending by `first`. Entries an ancestor line owns (birth <= fork) have
// first = fork: they live as long as any pin before their death, then join the line's inherited
// list.
using DeadBuckets = std::pmr::vector<DeadBucket>;

}  // namespace verso::storage
