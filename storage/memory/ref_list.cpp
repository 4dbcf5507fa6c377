#include "storage/memory/ref_list.h"

#include <utility>

namespace verso::storage {

void RefList::Append(const Ref& ref) {
  char* chunk = nullptr;
  uint64_t used = kChunkRefs;
  if (view_.newest != 0) {
    chunk = arena_->ResolveMutable(Ref::Make(view_.newest, PageKind::kNone, 0, 0));
    used = LoadLe<uint64_t>(chunk + 8);
  }
  if (used == kChunkRefs) {
    const Cell cell = arena_->Allocate(kChunkBytes);
    chunk = arena_->ResolveMutable(Ref::Make(cell, PageKind::kNone, 0, 0));
    StoreLe<uint64_t>(chunk, view_.newest);
    if (view_.newest == 0) oldest_ = cell;
    view_.newest = cell;
    ++chunks_;
    used = 0;
  }
  StoreLe<Ref>(chunk + 16 + used * sizeof(Ref), ref);
  StoreLe<uint64_t>(chunk + 8, used + 1);
  ++view_.count;
}

void RefList::Clear() {
  for (Cell cell = view_.newest; cell != 0;) {
    const Cell next = LoadLe<uint64_t>(arena_->base() + cell * kCellBytes);
    arena_->Free(cell, kChunkBytes);
    cell = next;
  }
  view_ = RefListView{};
  oldest_ = 0;
  chunks_ = 0;
}

void RefList::Splice(RefList* other) {
  if (other->view_.newest == 0) return;
  if (view_.newest == 0) {
    std::swap(view_, other->view_);
    std::swap(oldest_, other->oldest_);
    std::swap(chunks_, other->chunks_);
    return;
  }
  char* oldest = arena_->ResolveMutable(Ref::Make(oldest_, PageKind::kNone, 0, 0));
  StoreLe<uint64_t>(oldest, other->view_.newest);
  oldest_ = other->oldest_;
  view_.count += other->view_.count;
  chunks_ += other->chunks_;
  other->view_ = RefListView{};
  other->oldest_ = 0;
  other->chunks_ = 0;
}

}  // namespace verso::storage
