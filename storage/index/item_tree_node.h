// Pages of the item tree (item_tree.h): what is where, and nothing else.
//
//   kItemLeaf, aux = flavour << 4            kItemInner, aux = flavour << 4 | height (1: above
//   leaves)
//   0       2       4                        0           8           10            16
//   +-------+-------+--------+--------+-     +-----------+-----------+-------------+
//   | count | end   | item 0 | item 1 |      | total u64 | count u16 | zero, 6     |
//   +-------+-------+--------+--------+-     +-----------+-----------+-------------+-----------+
//    items up to `end`, then zeros           | child Ref | count u64 | separator a, b          |
//                                            +-----------+-----------+-------------------------+
//                                            | ...    a list's children have no separator      |
//
//   item:  [a u64] [b u64]  length  payload
//
//          kList neither, kZset a, kStream both
//          length   0..239            that many payload bytes
//                   240, u16          that many payload bytes (240 .. kItemInlineBytesMax)
//                   241               the payload is a Ref (16 bytes): kValue or kRope
//
// Items are found by walking from the start of the leaf, at most 255 and about 100 of them: that
// costs as much as the cache misses on the way to the leaf, and no offsets are kept.
//
// The flavour and the height in aux let each page be checked by itself when it comes from a disk.
//
// The sum: pages are as large as their contents need (the size classes of size_class.h; leaves from
// 128 bytes, inner pages in steps of 8 children). A million elements of 16 bytes, appended in
// order: 17 bytes each, 120 in a full leaf of 2 KiB = 8,334 leaves, below 50 inner pages of 168
// children (4 KiB), below the root: 17.3 bytes an element. A write after a pin copies 2 + 4 + 1.2
// KiB. A sorted set of a million members of 16 bytes: 25 bytes an item, 132 inner pages (7 KiB),
// the same height.
#pragma once

#include <cstdint>

#include "storage/memory/page.h"
#include "storage/memory/size_class.h"

namespace verso::storage {

// Frozen numbers: they stand in aux of each reference to a page of a tree.
enum class ItemFlavour : uint8_t { kList = 0, kZset = 1, kStream = 2 };
inline constexpr int kItemFlavourCount = 3;

inline constexpr size_t kItemInlineBytesMax = 512;  // payload in a leaf
inline constexpr size_t kItemRunBytesMax = 8192;    // payload in a run of its own; above: a rope
inline constexpr size_t kItemLeafBytesMax = 2048;
inline constexpr size_t kItemLeafItemsMax = 255;
inline constexpr size_t kItemInnerChildrenMax = 168;
inline constexpr size_t kItemInnerStep = 8;
inline constexpr int kItemHeightMax = 12;

// ---- what aux says

inline constexpr uint16_t ItemAux(ItemFlavour flavour, int height) {
  return static_cast<uint16_t>(static_cast<int>(flavour) << 4 | height);
}
inline constexpr int ItemHeight(uint16_t aux) { return aux & 15; }
inline constexpr ItemFlavour ItemFlavourOf(uint16_t aux) {
  return static_cast<ItemFlavour>(aux >> 4 & 15);
}
static_assert(kItemHeightMax < 16);

// ---- leaves

struct ItemLeafHeader {
  uint16_t count;
  uint16_t end;  // where the next item would be appended
};
static_assert(sizeof(ItemLeafHeader) == 4);

inline constexpr uint8_t kItemLengthShortMax = 239;
inline constexpr uint8_t kItemLengthLong = 240;
inline constexpr uint8_t kItemLengthExternal = 241;

inline constexpr size_t ItemKeyBytes(ItemFlavour flavour) {
  return static_cast<size_t>(flavour) * sizeof(uint64_t);
}
inline constexpr size_t ItemLengthBytes(size_t length) {
  return length <= kItemLengthShortMax ? 1 : 3;
}
inline constexpr size_t kItemBytesMax = 2 * sizeof(uint64_t) + 3 + kItemInlineBytesMax;
// A full leaf and one more item always fit into two leaves.
static_assert(2 * (kItemLeafBytesMax - sizeof(ItemLeafHeader)) >=
              kItemLeafBytesMax + 2 * kItemBytesMax);

inline const ItemLeafHeader& ItemLeaf(const char* page) {
  return *reinterpret_cast<const ItemLeafHeader*>(page);
}
inline ItemLeafHeader& ItemLeaf(char* page) { return *reinterpret_cast<ItemLeafHeader*>(page); }

// Where the length byte of the item at `item` stands, and how long the whole item is.
inline size_t ItemBytes(const char* item, size_t key_bytes) {
  const auto length = static_cast<uint8_t>(item[key_bytes]);
  if (length <= kItemLengthShortMax) [[likely]]
    return key_bytes + 1 + length;
  if (length == kItemLengthLong) return key_bytes + 3 + LoadLe<uint16_t>(item + key_bytes + 1);
  return key_bytes + 1 + sizeof(Ref);
}
inline bool ItemIsExternal(const char* item, size_t key_bytes) {
  return static_cast<uint8_t>(item[key_bytes]) == kItemLengthExternal;
}

// The page size of a leaf that holds `bytes`, header included: all of its run from 1 KiB on.
inline size_t ItemLeafBytes(size_t bytes) {
  return bytes <= 1024 ? AlignUp(bytes, 128) : RunBytes(bytes);
}
static_assert(ClassBytes(44) == kItemLeafBytesMax, "a full leaf fills its run");

// ---- inner pages

struct [[gnu::packed]] ItemChild {
  Ref child;
  uint64_t count;
  // Not there in a list:
  uint64_t a;
  uint64_t b;  // kZset: the first 8 bytes of the member, big-endian, zeros behind a shorter one
};
static_assert(sizeof(ItemChild) == 40);

struct ItemInnerHeader {
  uint64_t total;  // items below this page (I2)
  uint16_t count;  // children
  uint8_t zero[6];
};
static_assert(sizeof(ItemInnerHeader) == 16);

inline constexpr size_t ItemChildBytes(ItemFlavour flavour) {
  return flavour == ItemFlavour::kList ? 24 : 40;
}
inline constexpr size_t ItemInnerBytes(size_t children, size_t child_bytes) {
  return sizeof(ItemInnerHeader) + AlignUp(children, kItemInnerStep) * child_bytes;
}
static_assert(ItemInnerBytes(kItemInnerChildrenMax, 24) <= 4096);
static_assert(ItemInnerBytes(kItemInnerChildrenMax, 40) <= 7280);

inline const ItemInnerHeader& ItemInner(const char* page) {
  return *reinterpret_cast<const ItemInnerHeader*>(page);
}
inline ItemInnerHeader& ItemInner(char* page) { return *reinterpret_cast<ItemInnerHeader*>(page); }

// Of a list's child only `child` and `count` may be touched.
inline const ItemChild& ItemChildAt(const char* page, size_t index, size_t child_bytes) {
  return *reinterpret_cast<const ItemChild*>(page + sizeof(ItemInnerHeader) + index * child_bytes);
}
inline ItemChild& ItemChildAt(char* page, size_t index, size_t child_bytes) {
  return *reinterpret_cast<ItemChild*>(page + sizeof(ItemInnerHeader) + index * child_bytes);
}

// ---- what the table of page kinds needs

// Is this page, as it came from a disk, one that the tree can read without leaving it? Judges the
// page and the shape of its references.
bool CheckItemLeaf(const char* page, const Ref& self);
bool CheckItemInner(const char* page, const Ref& self);

// Call visit(const Ref&) for each reference in the page: the external payloads, the children.
template <typename Visitor>
void VisitItemLeaf(const char* page, const Ref& self, Visitor&& visit) {
  const size_t key_bytes = ItemKeyBytes(ItemFlavourOf(self.aux()));
  const char* item = page + sizeof(ItemLeafHeader);
  for (size_t left = ItemLeaf(page).count; left > 0; --left) {
    if (ItemIsExternal(item, key_bytes)) visit(*reinterpret_cast<const Ref*>(item + key_bytes + 1));
    item += ItemBytes(item, key_bytes);
  }
}
template <typename Visitor>
void VisitItemInner(const char* page, const Ref& self, Visitor&& visit) {
  const size_t child_bytes = ItemChildBytes(ItemFlavourOf(self.aux()));
  for (size_t i = 0; i < ItemInner(page).count; ++i) visit(ItemChildAt(page, i, child_bytes).child);
}

}  // namespace verso::storage
