// Line: one linear history of versions, and the only way to change pages (DESIGN 4, V2-V5, V10).
//
// Structures (hash trie, counted B+tree, rope) are written against this interface and know nothing
// of pins, saves or dead lists:
//
//   line.Writable(&slot)        copy on first write: slot then names a page that may be changed
//   line.NewPage(kind, bytes)   a fresh page, birth = current epoch, bytes not zeroed
//   line.Drop(ref)              this page (not its children) is no longer reachable from the head
//   line.Retire(ref)            this page and everything below it; large subtrees go to the queue
//
// `slot` must itself lie in a page that is writable (or be the head): make pages writable from the
// root downwards.
//
// L1 A page reachable from the head may be changed in place iff birth > frozen() (V3).
// L2 If a page's birth is > frozen(), so is the birth of every page above it. So a writer may
//    descend read-only, and if the leaf is in place, change it there; only otherwise it goes again
//    from the root with Writable(). (A page is linked into its parent while the parent is writable,
//    so parent.birth > every pin live at that time.)
// L3 Every page with birth > fork() reachable from the head is reachable exactly once (V10).
//
// Nobody but the Store makes or destroys lines.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "storage/memory/dead_list.h"
#include "storage/memory/page.h"
#include "storage/memory/page_arena.h"

namespace verso::storage {

class Store;
using LineId = uint32_t;

// An immutable version of a line. It stays readable while somebody holds it.
struct Pin {
  Pin();

  Epoch epoch = 0;
  Ref root;                // kLineRoot of that version; null for an empty line
  uint32_t holders = 0;    // snapshots, transactions, forks of child lines, saves, readers
  uint32_t kept = 0;       // of them those that survive a restart
  uint64_t moment_ms = 0;  // expiry in this version is judged by it
  DeadBuckets dead;        // pages whose last holder is this pin (V5)
};

class Line {
 public:
  LineId id() const { return id_; }
  Epoch fork() const { return fork_; }
  Epoch frozen() const { return frozen_; }
  bool headless() const { return headless_; }
  bool scratch() const { return scratch_; }  // not part of saves (V6)
  Line* parent() const { return parent_; }

  const Ref& head() const { return head_; }
  Ref* mutable_head() { return &head_; }

  PageArena& arena() { return *arena_; }
  const PageArena& arena() const { return *arena_; }

  bool InPlace(const Ref& ref) const { return ref.birth() > frozen_; }  // L1

  // Makes the page behind *slot writable and returns its bytes: in place, or as a copy that *slot
  // names afterwards.
  char* Writable(Ref* slot) {
    if (InPlace(*slot)) {
      *written_ = true;
      return arena_->ResolveMutable(*slot);
    }
    return CopyForWrite(slot);
  }

  Ref NewPage(PageKind kind, size_t bytes, uint16_t aux = 0) {
    *written_ = true;
    return Ref::Make(arena_->Allocate(bytes, kind == PageKind::kValue), kind, bytes, *epoch_, aux);
  }

  // Unreachable from now on: free at once, or kept for the pins that need it (V4).
  void Drop(const Ref& ref) {
    *written_ = true;
    if (InPlace(ref)) {
      arena_->Free(ref.cell(), ref.size());
    } else {
      DropShared(ref, *epoch_);
    }
  }

  // Drops a whole subtree. Up to a few pages at once, the rest in slices of the background queue.
  // Null is allowed.
  void Retire(const Ref& ref);

  // Must be called when a page that is in place is changed without Writable() (L2's fast path).
  void MarkWritten() { *written_ = true; }

  const std::pmr::vector<Pin>& pins() const { return pins_; }  // ascending epochs

 private:
  friend class Store;
  friend class Reclaimer;
  friend class StoreMeta;
  friend class StoreAudit;

  char* CopyForWrite(Ref* slot);
  void DropShared(const Ref& ref, Epoch died);
  void UpdateFrozen();
  Pin* FindPin(Epoch epoch);

  Store* store_ = nullptr;
  PageArena* arena_ = nullptr;
  Epoch* epoch_ = nullptr;   // the store's counter (V1)
  bool* written_ = nullptr;  // something was written since the last pin (V1)
  Epoch frozen_ = 0;
  Epoch fork_ = 0;
  Ref head_;

  LineId id_ = 0;
  bool headless_ = false;
  bool scratch_ = false;
  Line* parent_ = nullptr;
  std::pmr::vector<Line*> children_;
  std::pmr::vector<Pin> pins_;
  DeadBucket inherited_;  // pages of an ancestor that neither the head nor a pin shows (V4)

  Line();
};

}  // namespace verso::storage
