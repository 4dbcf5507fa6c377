// RefList: an append-only list of references in arena runs of its own, outside all versions (the
// garbage list). A forked child can read the part that stood there at the fork: appending never
// changes what was written, and hand-over starts a new list.
#pragma once

#include "storage/memory/page_arena.h"

namespace verso::storage {

// The readable face: copyable, also in a child.
struct RefListView {
  Cell newest = 0;  // chunk: u64 next cell, u64 count, Ref[]
  uint64_t count = 0;

  template <typename Visit>
  void ForEach(const PageArena& arena, Visit&& visit) const;
};

class RefList {
 public:
  static constexpr size_t kChunkBytes = 4096;
  static constexpr size_t kChunkRefs = (kChunkBytes - 16) / sizeof(Ref);

  explicit RefList(PageArena* arena) : arena_(arena) {}
  ~RefList() { Clear(); }
  RefList(const RefList&) = delete;
  RefList& operator=(const RefList&) = delete;

  void Append(const Ref& ref);
  void Clear();
  void Splice(RefList* other);  // takes over all of the other's entries, O(1)
  uint64_t count() const { return view_.count; }
  uint64_t bytes() const { return chunks_ * kChunkBytes; }
  RefListView view() const { return view_; }

 private:
  PageArena* arena_;
  RefListView view_;
  Cell oldest_ = 0;
  uint64_t chunks_ = 0;
};

template <typename Visit>
void RefListView::ForEach(const PageArena& arena, Visit&& visit) const {
  for (Cell cell = newest; cell != 0;) {
    const char* chunk = arena.base() + cell * kCellBytes;
    const uint64_t refs = LoadLe<uint64_t>(chunk + 8);
    for (uint64_t i = 0; i < refs; ++i) visit(LoadLe<Ref>(chunk + 16 + i * sizeof(Ref)));
    cell = LoadLe<uint64_t>(chunk);
  }
}

}  // namespace verso::storage
