// Counted B+tree: an ordered index that knows how many items each subtree has, so that rank,
// by-index and ranges cost O(log n). Items are fixed, 16 bytes, ordered by (a, b); equal items may
// occur several times. First use: the deadline index of a database (a = deadline in ms, b = hash of
// the key).
//
// The tree is one reference in a slot of its owner; the empty tree is the null reference. Pages:
// counted_btree_node.h.
//
// B1 Items are in order within a leaf and from leaf to leaf.
// B2 The count beside a reference is the number of items below it; an inner page's total is the
//    sum of its counts.
// B3 The separator of child i >= 1 is not below any item of child i - 1 and not above any of
//    child i. That of child 0 is zero.
// B4 All leaves are equally deep; a page other than the root has at least kTreeLeafItemsMin items
//    or kTreeInnerChildrenMin children. An inner root has at least two.
// B5 Bytes of a page behind its items or children are zero.
//
// Every insertion and removal changes the counts up to the root, so writers make the path writable
// from the root down (V3); that is a compare per level when it is in place already. What turns out
// to change nothing (erasing an item that is not there) copies nothing. Neighbours of a page that
// becomes too small are merged or evened out with it, into new pages.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "storage/index/counted_btree_node.h"
#include "storage/memory/line.h"

namespace verso::storage {

// ---- writing. Requires: as Line says, and a Reserve of TreeEstimate bytes per call.

void TreeInsert(Line& line, Ref* root_slot, const TreeItem& item);
// Removes one item equal to this. False, and nothing is changed: there is none.
bool TreeErase(Line& line, Ref* root_slot, const TreeItem& item);
// Requires: index < TreeCount.
void TreeEraseAt(Line& line, Ref* root_slot, uint64_t index);

// Upper bound of the arena bytes that one insertion or removal allocates in a tree with this root.
uint64_t TreeEstimate(const Ref& root);

// ---- reading

uint64_t TreeCount(const PageArena& arena, const Ref& root);
// How many items are below this one.
uint64_t TreeRank(const PageArena& arena, const Ref& root, const TreeItem& item);
std::optional<TreeItem> TreeFirst(const PageArena& arena, const Ref& root);
std::optional<TreeItem> TreeByIndex(const PageArena& arena, const Ref& root, uint64_t index);

// A place between items, moving up. Valid until the next write to the tree's line.
//   for (auto at = TreeCursor::From(arena, root, item); at.valid(); at.Next()) Use(at.item());
class TreeCursor {
 public:
  static TreeCursor From(const PageArena& arena, const Ref& root,
                         const TreeItem& item);  // first one not below
  static TreeCursor At(const PageArena& arena, const Ref& root, uint64_t index);
  static TreeCursor Begin(const PageArena& arena, const Ref& root) { return At(arena, root, 0); }

  bool valid() const { return leaf_ != nullptr; }
  const TreeItem& item() const { return leaf_[index_]; }
  void Next() {
    if (++index_ == count_) NextLeaf();
  }

 private:
  friend class TreeWriter;
  struct Step {
    const TreeInner* page;
    size_t index;  // of the child the path goes through
  };

  explicit TreeCursor(const PageArena& arena) : arena_(&arena) {}
  // Fills the path below `ref` along the first child of each page.
  void DescendFirst(const Ref& ref);
  void SetLeaf(const Ref& leaf);
  void NextLeaf();

  const PageArena* arena_;
  const TreeItem* leaf_ = nullptr;
  size_t index_ = 0;
  size_t count_ = 0;
  int depth_ = 0;  // steps above the leaf, from the root
  Step steps_[kTreeHeightMax];
};

template <typename Visitor>
void TreeForEach(const PageArena& arena, const Ref& root, Visitor&& visit) {
  for (auto at = TreeCursor::Begin(arena, root); at.valid(); at.Next()) visit(at.item());
}

// Full structural audit (B1-B5). Empty when sound, else what is wrong.
std::string TreeValidate(const PageArena& arena, const Ref& root);

}  // namespace verso::storage
