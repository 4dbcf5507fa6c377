// How the functions of the item tree read and write items in a leaf; nothing outside them includes
// this.
#pragma once

#include <cstring>

#include "storage/index/item_tree.h"

namespace verso::storage {

inline bool IsItemLeaf(const Ref& ref) { return ref.kind() == PageKind::kItemLeaf; }

inline bool IsOrdered(ItemFlavour flavour) { return flavour != ItemFlavour::kList; }

// Decodes the item at `offset` of a leaf. Returns the offset of the next one.
inline size_t DecodeItem(const char* leaf, size_t offset, ItemFlavour flavour, ItemView* view) {
  const char* at = leaf + offset;
  switch (flavour) {
    case ItemFlavour::kStream:
      view->a = LoadLe<uint64_t>(at);
      view->b = LoadLe<uint64_t>(at + sizeof(uint64_t));
      at += 2 * sizeof(uint64_t);
      break;
    case ItemFlavour::kZset:
      view->a = LoadLe<uint64_t>(at);
      at += sizeof(uint64_t);
      break;
    case ItemFlavour::kList:
      break;
  }
  const auto length = static_cast<uint8_t>(*at++);
  if (length == kItemLengthExternal) [[unlikely]] {
    view->bytes = {};
    std::memcpy(&view->ref, at, sizeof(Ref));
    return static_cast<size_t>(at - leaf) + sizeof(Ref);
  }
  size_t bytes = length;
  if (length == kItemLengthLong) {
    bytes = LoadLe<uint16_t>(at);
    at += sizeof(uint16_t);
  }
  view->bytes = ByteView(at, bytes);
  view->ref = kNullRef;
  return static_cast<size_t>(at - leaf) + bytes;
}

// The offset of item `place` (place == count: of the end).
inline size_t OffsetOfPlace(const char* leaf, ItemFlavour flavour, size_t place) {
  const size_t key_bytes = ItemKeyBytes(flavour);
  size_t offset = sizeof(ItemLeafHeader);
  for (size_t i = 0; i < place; ++i) offset += ItemBytes(leaf + offset, key_bytes);
  return offset;
}

inline uint64_t CountBelow(const PageArena& arena, const Ref& ref) {
  const char* page = arena.Resolve(ref);
  return IsItemLeaf(ref) ? ItemLeaf(page).count : ItemInner(page).total;
}

// What a separator keeps of an item's sort key.
struct ItemSeparator {
  uint64_t a;
  uint64_t b;
  auto operator<=>(const ItemSeparator&) const =
      default;  // NOLINT(modernize-use-nullptr): no pointer
};

ItemSeparator SeparatorOf(const PageArena& arena, ItemFlavour flavour, const ItemView& item);

// A way down to a place between two items: the child taken in each inner page, and where in the
// leaf.
struct ItemPath {
  int depth = 0;  // inner pages
  uint32_t place = 0;
  uint32_t offset = 0;   // of that place
  uint64_t rank = 0;     // items before it
  bool at_begin = true;  // no item is before it / behind it
  bool at_end = true;
  Ref leaf;
  const char* pages[kItemHeightMax];
  uint32_t index[kItemHeightMax];
};

// The child in which `index` lies (count: the last one), and how many items are before that child.
size_t ChildOfIndex(const char* page, size_t child_bytes, uint64_t index, uint64_t* before);

// To the place before the item at `index`; index == count: behind the last one. Requires: not null,
// index <= count.
void FindItemPlace(const PageArena& arena, const Ref& root, uint64_t index, ItemPath* path);
// To the place of a bound. Requires: not null, an ordered flavour.
void FindItemBound(const PageArena& arena, const Ref& root, const ItemBound& bound, ItemPath* path);

}  // namespace verso::storage
