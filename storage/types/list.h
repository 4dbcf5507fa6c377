// Lists. A small one is a pack of its elements in order (pack.h, hint kCollectionPacked), a large
// one has an item tree by position in its collection page (item_tree.h, hint kCollectionLarge).
//
// L1 A packed list has as many elements and bytes as list-max-listpack-size allows, and at most
//    kPackBytesMax: whatever would break that makes it large first.
// L2 A large list that removals leave in a single leaf, and with half of what a packed one may
// have,
//    is packed again. (The gap keeps one element coming and going from moving all.)
// L3 An empty list does not exist: the key goes.
//
// Elements are shown as ItemView: bytes that stand in the pack or leaf, or a reference to a string
// of more than kItemInlineBytesMax.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/index/item_tree.h"
#include "storage/keyspace/keyspace.h"
#include "storage/types/collection.h"
#include "storage/types/collection_limits.h"
#include "storage/types/content_hash.h"
#include "storage/types/pack.h"

namespace verso::storage {

enum class ListEnd : uint8_t { kHead, kTail };

// ---- reading. Requires of all: a list.

uint64_t ListCount(const PageArena& arena, const ValueView& value);
std::optional<ItemView> ListAt(const PageArena& arena, const ValueView& value, uint64_t index);

// The tree of a large list; null for a packed one.
Ref ListTree(const PageArena& arena, const ValueView& value);

// visit(const ItemView&) for `count` elements from `from` on, in order. Requires: they are there.
template <typename Visit>
void ListForEach(const PageArena& arena, const ValueView& value, uint64_t from, uint64_t count,
                 Visit&& visit) {
  if (count == 0) return;
  if (const Ref tree = ListTree(arena, value)) {
    for (auto at = ItemCursor::At(arena, tree, from); count > 0 && at.valid(); --count, at.Next()) {
      visit(at.item());
    }
    return;
  }
  PackReader pack(PackOf(arena, value));
  for (PackItem skipped; from > 0; --from) pack.Next(&skipped);
  ItemView item;
  for (; count > 0 && pack.left() > 0; --count) {
    item.bytes = pack.NextBytes();
    visit(const_cast<const ItemView&>(item));
  }
}

// The same from `from` down.
template <typename Visit>
void ListForEachDown(const PageArena& arena, const ValueView& value, uint64_t from, uint64_t count,
                     Visit&& visit) {
  if (count == 0) return;
  if (const Ref tree = ListTree(arena, value)) {
    for (auto at = ItemCursor::At(arena, tree, from); count > 0 && at.valid(); --count, at.Prev()) {
      visit(at.item());
    }
    return;
  }
  std::vector<ByteView> elements;
  for (PackReader pack(PackOf(arena, value)); elements.size() <= from && pack.left() > 0;) {
    elements.push_back(pack.NextBytes());
  }
  ItemView item;
  for (; count > 0 && !elements.empty(); --count) {
    item.bytes = elements.back();
    elements.pop_back();
    visit(const_cast<const ItemView&>(item));
  }
}

// What a search wants: the first `count` elements equal to `element`, after `skip` others of them,
// within `compared` comparisons (0: no bound), from either end.
struct ListSearch {
  ByteView element;
  bool backwards = false;
  uint64_t skip = 0;
  uint64_t count = 0;  // 0: all
  uint64_t compared = 0;
};
// Their indexes, in the order they are found.
std::vector<uint64_t> ListFind(const PageArena& arena, const ValueView& value,
                               const ListSearch& search);

// The rows of type_ops.cpp.
void DigestList(const PageArena& arena, const ValueView& value, ContentHash* into);
const char* ListEncoding(const PageArena& arena, const ValueView& value);
std::string ValidateList(const PageArena& arena, const ValueView& value, const HashSecret& secret);

// ---- writing

// What a packed list may have at most (L1).
struct ListLimit {
  size_t bytes;
  size_t count;
};
ListLimit ListLimitOf(int64_t list_size);

// Makes a list beside the key, from its head to its tail: any number of Append, then FinishAsNew
// once. The elements may lie in pages of the line. Requires: room for ListEstimate.
class ListBuilder {
 public:
  ListBuilder(WriteView& view, const CollectionLimits& limits);

  uint64_t count() const { return count_; }
  void Append(ByteView element);
  // Puts it in the place of whatever the key holds, without a deadline, and says that the key has
  // changed. Requires: not empty.
  void FinishAsNew(const Key& key, const KeyEvent& event);

 private:
  WriteView& view_;
  const ListLimit limit_;
  uint64_t count_ = 0;
  PackBuffer pack_;
  ValueView built_;  // once it is large
};

// Changes one list: any number of changes, then Finish() once. Bytes handed in must not lie in
// pages of the line. Requires: room for ListEstimate.
class ListWriter {
 public:
  // `value`: what FindForWrite answered: a list, or nothing (Push makes one).
  ListWriter(WriteView& view, const Key& key, const std::optional<ValueView>& value,
             const CollectionLimits& limits);

  uint64_t count() const { return count_; }

  // One after the other: pushed to the head, the last one becomes the first.
  void Push(ListEnd end, std::span<const ByteView> elements);
  void Insert(uint64_t index, ByteView element);  // before the one at index; count(): at the end
  void Replace(uint64_t index, ByteView element);
  void Erase(uint64_t from, uint64_t count);  // large ranges are freed in slices (V9)
  // Requires: ascending, none twice.
  void EraseEach(std::span<const uint64_t> indexes);

  // Says that the key has changed. A list that is empty goes now, as "del" (L3).
  void Finish(const KeyEvent& event);

 private:
  bool large() const { return form_ == kCollectionLarge; }
  ByteView Pack() const;
  bool PackHolds(size_t bytes, uint64_t count) const;
  void PutPack(const PackBuffer& pack);
  Ref* WritableTree();
  void MakeLarge();
  void MakePackedIfSmall();

  WriteView& view_;
  const Key& key_;
  const ListLimit limit_;
  uint64_t count_ = 0;
  uint8_t form_ = kCollectionPacked;
  bool there_ = false;  // the key exists
};

// Upper bound of the payload bytes to reserve for this many elements pushed, replaced or removed
// one by one at one place, the conversion to the other form included. (Store::ReserveForWrite adds
// the key's own path.)
uint64_t ListEstimate(uint64_t elements, uint64_t element_bytes);
// The same for any number of removals at any places of this list.
uint64_t ListEstimateScattered(const PageArena& arena, const ValueView& value);

}  // namespace verso::storage
