// The page that the serving process and its one child share: how far the child is, and what is
// certain about a commit.
//
// C1 `committing` is set before the ingest starts, `committed` after it and the identity file are
// on disk. A child that is gone with neither has changed nothing; with
//    both it has committed; with `committing` alone nobody knows until the store has been read
//    again.
// C2 The watermark is published after the last read of the pages at or below it, under a sequence
// counter: odd while it changes. A child killed
//    in between leaves it odd, so the reader gives up after a few tries and keeps what it had.
#pragma once

#include <atomic>
#include <cstdint>

#include "persistence/store_format.h"

namespace verso::persistence {

enum class SavePhase : uint32_t {
  kNone = 0,
  kOpening = 1,
  kCollecting = 2,
  kWriting = 3,
  kCommitting = 4,
  kCompacting = 5,
};

struct ControlBlock {
  std::atomic<uint32_t> committing{0};
  std::atomic<uint32_t> committed{0};
  std::atomic<uint32_t> phase{0};
  std::atomic<uint64_t> pages_done{0};
  std::atomic<uint64_t> bytes_done{0};
  std::atomic<uint64_t> pages_total{0};
  std::atomic<uint64_t> bytes_total{0};
  std::atomic<uint64_t> private_bytes{0};  // of the child, highest seen
  std::atomic<uint64_t> sequence{0};
  std::atomic<uint64_t> watermark_birth{0};
  std::atomic<uint64_t> watermark_cell{0};

  void SetPhase(SavePhase to) { phase.store(static_cast<uint32_t>(to), std::memory_order_relaxed); }
  void PublishWatermark(const Ref& ref);
  // False: nothing published yet, or caught in the middle.
  bool ReadWatermark(Ref* ref) const;
};
static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace verso::persistence
