// Pages of the counted B+tree (counted_btree.h): what is where, and nothing else.
//
//   kTreeLeaf, aux = number of items       kTreeInner, aux = height (1: the children are leaves)
//   +--------+--------+-- - -              +-------------------------------------------+
//   | item 0 | item 1 | ...                | total u64 | count u16 | zero, 6 bytes     |
//   +--------+--------+-- - -              +-----------+-----------+-------------------+
//    a u64, b u64; 4 to 64 places,         | child Ref | count u64 | separator, item   |  40 bytes
//    in steps of 4 (64 bytes)              +-----------+-----------+-------------------+
//                                          | ... 5 to 50 places, in steps of 5         |
//
// A leaf has no header: its count stands in the reference (aux), which changes in the parent
// together with the count there. The height in aux lets each page be checked by itself when it
// comes from a disk.
//
// Fan-out: pages have the size their contents need, so half-full ones cost little memory. A random
// load leaves about 44 items in a leaf and 34 children in a page: 10 million items = 227,000 leaves
// below 6,700, 196, 6 and 1 inner pages, about 17 bytes of leaf and 1 byte of inner page an item;
// the first touch after a pin copies 0.7 KiB of leaf and up to 2 KiB for each inner page.
#pragma once

#include <compare>
#include <cstdint>

#include "storage/memory/page.h"

namespace verso::storage {

struct TreeItem {
  uint64_t a = 0;
  uint64_t b = 0;
  auto operator<=>(const TreeItem&) const = default;  // NOLINT(modernize-use-nullptr): no pointer
};
static_assert(sizeof(TreeItem) == 16);

struct [[gnu::packed]] TreeChild {
  Ref child;
  uint64_t count;
  uint64_t separator_a;
  uint64_t separator_b;

  TreeItem separator() const { return {separator_a, separator_b}; }
  void set_separator(const TreeItem& item) {
    separator_a = item.a;
    separator_b = item.b;
  }
};
static_assert(sizeof(TreeChild) == 40);

struct TreeInner {
  uint64_t total;  // items below this page (B2)
  uint16_t count;  // children
  uint8_t zero[6];

  TreeChild* children() { return reinterpret_cast<TreeChild*>(this + 1); }
  const TreeChild* children() const { return reinterpret_cast<const TreeChild*>(this + 1); }
};
static_assert(sizeof(TreeInner) == 16);

inline constexpr size_t kTreeLeafStep = 4;
inline constexpr size_t kTreeLeafItemsMax = 64;
inline constexpr size_t kTreeLeafItemsMin = 16;
inline constexpr size_t kTreeInnerStep = 5;
inline constexpr size_t kTreeInnerChildrenMax = 50;
inline constexpr size_t kTreeInnerChildrenMin = 12;
inline constexpr int kTreeHeightMax = 12;  // 16 * 12^12 items at the least fill: beyond 2^40 cells

inline constexpr size_t TreeLeafBytes(size_t items) {
  return AlignUp(items, kTreeLeafStep) * sizeof(TreeItem);
}
inline constexpr size_t TreeInnerBytes(size_t children) {
  return sizeof(TreeInner) + AlignUp(children, kTreeInnerStep) * sizeof(TreeChild);
}
static_assert(TreeLeafBytes(1) == 64 && TreeLeafBytes(kTreeLeafItemsMax) == 1024);
static_assert(TreeInnerBytes(kTreeInnerChildrenMax) == 2016, "fits the class of 2 KiB");

// How many a page of this size has place for.
inline constexpr size_t TreeLeafPlaces(size_t bytes) { return bytes / sizeof(TreeItem); }
inline constexpr size_t TreeInnerPlaces(size_t bytes) {
  return (bytes - sizeof(TreeInner)) / sizeof(TreeChild);
}

// Is this page, as it came from a disk, one that the tree can read without leaving it? Judges the
// page and the shape of its references.
bool CheckTreeLeaf(const char* page, const Ref& self);
bool CheckTreeInner(const char* page, const Ref& self);

// Calls visit(const Ref&) for each child. (A leaf has none.)
template <typename Visitor>
void VisitTreeInner(const char* page, const Ref&, Visitor&& visit) {
  const auto* inner = reinterpret_cast<const TreeInner*>(page);
  for (size_t i = 0; i < inner->count; ++i) visit(inner->children()[i].child);
}

}  // namespace verso::storage
