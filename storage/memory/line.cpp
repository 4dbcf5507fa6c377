#include "storage/memory/line.h"

#include <algorithm>
#include <cstring>

#include "storage/base/unforked_memory.h"
#include "storage/memory/page_kinds.h"
#include "storage/memory/store.h"

namespace verso::storage {

Pin::Pin() : dead(UnforkedMemory()) {}

Line::Line() : children_(UnforkedMemory()), pins_(UnforkedMemory()) {}

char* Line::CopyForWrite(Ref* slot) {
  const Ref old = *slot;
  const Ref copy = NewPage(old.kind(), old.size(), old.aux());
  char* bytes = arena_->ResolveMutable(copy);
  std::memcpy(bytes, arena_->Resolve(old), old.size());
  *slot = copy;
  ++store_->pages_copied_;
  store_->bytes_copied_ += RunBytes(old.size());
  store_->DropDead(*this, old, *epoch_);
  return bytes;
}

void Line::DropShared(const Ref& ref, Epoch died) { store_->DropDead(*this, ref, died); }

void Line::Retire(const Ref& ref) {
  if (!ref) return;
  if (!HasChildren(ref.kind())) {
    Drop(ref);
    return;
  }
  bool deep = ref.birth() <= fork_;
  const char* page = arena_->Resolve(ref);
  VisitRefs(page, ref, [&deep](const Ref& child) { deep = deep || HasChildren(child.kind()); });
  if (deep) {
    *written_ = true;
    store_->reclaimer_->AddSubtree(this, ref, *epoch_, 0);
    return;
  }
  VisitRefs(page, ref, [this](const Ref& child) { Drop(child); });
  Drop(ref);
}

void Line::UpdateFrozen() {
  frozen_ = std::max(fork_, store_->maybe_saved_);
  if (!pins_.empty()) frozen_ = std::max(frozen_, pins_.back().epoch);
}

Pin* Line::FindPin(Epoch epoch) {
  const auto at = std::lower_bound(pins_.begin(), pins_.end(), epoch,
                                   [](const Pin& pin, Epoch e) { return pin.epoch < e; });
  return at != pins_.end() && at->epoch == epoch ? &*at : nullptr;
}

}  // namespace verso::storage
