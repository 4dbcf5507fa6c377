// Item tree: a counted B+tree of items of any length. Large lists (by position), sorted sets (by
// score, then member) and streams (by id) stand in it, as a reference in their kCollection page.
//
//   item = sort key (a, b) + payload
//
//   flavour   a                       b     order                    payload
//   kList     -                       -     the order of insertion   the element
//   kZset     score as ordered u64    -     (a, payload bytes)       the member
//   kStream   milliseconds of the id  seq   (a, b)                   whatever the stream encodes
//
// The tree is one reference in a slot of its owner; the empty tree is the null reference. Pages:
// item_tree_node.h. A payload of up to kItemInlineBytesMax stands in the leaf; a longer one is
// external: a run of its own (kValue, up to kItemRunBytesMax) or a rope. What is external moves by
// its reference when leaves split or merge, and is retired with its item.
//
// I1 Items are in order within a leaf and from leaf to leaf (kZset, kStream).
// I2 The count beside a reference is the number of items below it; an inner page's total is the
//    sum of its counts.
// I3 The separator of child i >= 1 is not below the sort key of any item of child i - 1 and not
//    above that of any item of child i. A sorted set's separator holds the score and the first 8
//    bytes of a member only; members that agree so far are told apart by looking into the child.
// I4 All leaves are equally deep. A leaf has an item at least, an inner page a child, an inner root
//    two. A page that became small is joined with a neighbour if both fit well into one.
// I5 Bytes of a page behind its items or children are zero.
//
// Every insertion and removal changes the counts up to the root, so writers make the path writable
// from the root down (V3). What turns out to change nothing copies nothing. What arrives at either
// end in order leaves full pages behind it.
//
// Cost (item_tree_node.h has the sum): 1 byte beside each list element of up to 239 bytes; a write
// copies one leaf of up to 2 KiB and, in a tree of a million elements, two inner pages.
//
// Who may call: writers as Line says (the slot lies in a writable page; a Reserve of ItemsEstimate
// bytes was made); readers at any version. Nothing here fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "storage/base/bytes.h"
#include "storage/index/item_tree_node.h"
#include "storage/memory/line.h"
#include "storage/types/value.h"

namespace verso::storage {

// One item as a reader sees it: a view into pages, valid until the line changes.
struct ItemView {
  uint64_t a = 0;
  uint64_t b = 0;
  ByteView bytes;  // the payload, unless external
  Ref ref;         // the payload, if external: kValue or kRope

  bool external() const { return !ref.null(); }
  // The payload as a string value: StringLength, StringForEachPiece, StringCopy, StringContiguous
  // and the replies made of strings take it.
  ValueView value() const;
};

// What to insert, and where to look. Lists have no sort key: a and b stay 0.
struct Item {
  uint64_t a = 0;
  uint64_t b = 0;
  ByteView bytes;  // the payload, any length; the member of a sorted set is part of the order
};

// A place in the order: just before the items that are equal to `item`, or just behind them. With
// an empty payload a sorted set's place is before (or, with a + 1, behind) all members of a score.
struct ItemBound {
  Item item;
  bool behind = false;
};

// ---- writing. Bytes handed in must not lie in pages of the line.

// Inserts before the item at `index`; index == count: at the end. Requires: a list.
void ItemsInsertAt(Line& line, Ref* root_slot, uint64_t index, ByteView bytes);
// Inserts where the order wants it, before items that are equal. Requires: kZset or kStream.
void ItemsInsert(Line& line, Ref* root_slot, ItemFlavour flavour, const Item& item);

// Gives the item at `index` another payload; the sort key stays. Requires: no sorted set.
void ItemsReplaceAt(Line& line, Ref* root_slot, uint64_t index, ByteView bytes);

// Removes one item equal to this (kStream: with this id). False, and nothing is changed: none.
bool ItemsErase(Line& line, Ref* root_slot, const Item& item);
void ItemsEraseAt(Line& line, Ref* root_slot, uint64_t index);
// Removes `count` items from `from` on. Whole subtrees are retired, large ones in slices of the
// background queue (V9): the call itself takes O(log count). Requires: from + count <= ItemsCount.
void ItemsEraseRange(Line& line, Ref* root_slot, uint64_t from, uint64_t count);

// Upper bound of the arena bytes that `writes` insertions, replacements or removals (a range counts
// as one) with payloads of `payload_bytes` together allocate, done one after the other at places
// that are neighbours (both ends of a list, ids in order): the path is copied once.
uint64_t ItemsEstimate(uint64_t writes, uint64_t payload_bytes);
// The same for places anywhere: each may copy a path of its own.
uint64_t ItemsEstimateScattered(uint64_t writes, uint64_t payload_bytes);

// ---- reading

uint64_t ItemsCount(const PageArena& arena, const Ref& root);
// How many items are below this place. Requires: kZset or kStream (or null).
uint64_t ItemsRank(const PageArena& arena, const Ref& root, const ItemBound& bound);

struct ItemPath;  // item_tree_leaf.h

// On an item, moving both ways. Valid until the next write to the tree's line.
//   for (auto at = ItemCursor::At(arena, root, 0); at.valid(); at.Next()) Use(at.item());
class ItemCursor {
 public:
  // On the item at `index`; not valid if there is none. O(log n).
  static ItemCursor At(const PageArena& arena, const Ref& root, uint64_t index);
  // On the first item not below the place; not valid if there is none.
  static ItemCursor From(const PageArena& arena, const Ref& root, const ItemBound& bound);
  // On the first item equal to this one (kStream: with this id); not valid if there is none.
  static ItemCursor Exactly(const PageArena& arena, const Ref& root, const Item& item);
  // On the last item below the place.
  static ItemCursor Before(const PageArena& arena, const Ref& root, const ItemBound& bound);

  bool valid() const { return leaf_ != nullptr; }
  // Requires: valid(), as for all below. Beyond either end the cursor becomes invalid for good.
  const ItemView& item() const { return item_; }
  void Next();
  void Prev();
  // The place of the item in the whole tree. O(1).
  uint64_t index() const { return leaf_first_ + place_; }

 private:
  struct Step {
    const char* page;
    uint32_t index;  // of the child the path goes through
  };

  explicit ItemCursor(const PageArena& arena) : arena_(&arena) {}
  void Follow(const ItemPath& path);
  void Descend(const Ref& ref, bool to_last);
  void EnterLeaf(const Ref& ref);
  void SetPlace(uint32_t place);
  void Load();
  void ToNextLeaf();
  void ToPrevLeaf();

  const PageArena* arena_;
  const char* leaf_ = nullptr;
  ItemFlavour flavour_ = ItemFlavour::kList;
  uint32_t place_ = 0;        // of the item in its leaf
  uint32_t count_ = 0;        // items in the leaf
  uint32_t offset_ = 0;       // of the item
  uint32_t next_offset_ = 0;  // of the one behind it
  bool offsets_known_ = false;
  int depth_ = 0;            // steps above the leaf, from the root
  uint64_t leaf_first_ = 0;  // index of the leaf's first item in the tree
  ItemView item_;
  Step steps_[kItemHeightMax];
  uint16_t offsets_[kItemLeafItemsMax];  // of the leaf's items, once the cursor has gone back
};

// The item at `index`, the item equal to this one (kStream: with this id). Views into pages.
std::optional<ItemView> ItemsAt(const PageArena& arena, const Ref& root, uint64_t index);
std::optional<ItemView> ItemsFind(const PageArena& arena, const Ref& root, const Item& item);

// Its index, that is its rank.
std::optional<uint64_t> ItemsIndexOf(const PageArena& arena, const Ref& root, const Item& item);

// Below, equal or above 0, as ByteView::compare does with the payload's bytes.
int ItemCompare(const PageArena& arena, const ItemView& item, ByteView bytes);
bool ItemEquals(const PageArena& arena, const ItemView& item, ByteView bytes);

// Full structural audit (I1-I5, the ropes of payloads). Empty when sound, else what is wrong.
std::string ItemsValidate(const PageArena& arena, const Ref& root);

}  // namespace verso::storage
