#include "persistence/control_block.h"

namespace verso::persistence {

void ControlBlock::PublishWatermark(const Ref& ref) {
  const uint64_t before = sequence.load(std::memory_order_relaxed);
  sequence.store(before + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  watermark_birth.store(ref.birth(), std::memory_order_relaxed);
  watermark_cell.store(ref.cell(), std::memory_order_relaxed);
  // Release: the child's reads of the pages happen before anybody sees the new watermark.
  sequence.store(before + 2, std::memory_order_release);
}

bool ControlBlock::ReadWatermark(Ref* ref) const {
  constexpr int kTries = 16;
  for (int i = 0; i < kTries; ++i) {
    const uint64_t before = sequence.load(std::memory_order_acquire);
    if (before == 0) return false;
    if (before % 2 != 0) continue;
    const Epoch birth = watermark_birth.load(std::memory_order_relaxed);
    const Cell cell = watermark_cell.load(std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (sequence.load(std::memory_order_relaxed) != before) continue;
    *ref = Ref::Make(cell, storage::PageKind::kNone, 0, birth);
    return true;
  }
  return false;
}

}  // namespace verso::persistence
