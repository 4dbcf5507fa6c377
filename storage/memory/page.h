// Pages, cells and references: the frozen facts. What stands here is also what a store on disk
// contains, so numbers are written out and never reused.
//
//   cell   16 bytes, the address unit of the arena. Cell n lies at byte 16 * n; cell 0 is unused.
//   run    adjacent cells handed out as one, of one size class (page_arena.h).
//   page   a run with a birth epoch, reachable through a reference.
//
// Between copies a page never moves: it keeps its cell across processes and restarts, which is why
// nothing in a page is a pointer.
//
// A reference says everything about a page without touching it: must I copy it (birth), was it
// saved (birth), is it the same in that snapshot (birth and cell), how wide is it (size), what is
// inside (kind).
//
//      0        1        2        3        4        5        6        7
//   +--------+--------+--------+--------+--------+--------+--------+--------+
//   |                 cell (40 bits)             |  kind  |  size in bytes  |
//   +--------+--------+--------+--------+--------+--------+--------+--------+
//   |                   birth epoch (48 bits)             |       aux       |
//   +--------+--------+--------+--------+--------+--------+--------+--------+
//
// size is exact (a value of 300 bytes has size 300; its run is the size class above it). The low
// byte of aux belongs to the kind (a directory: log2 of its slots), the high byte to lists of
// references (dead_list.h); in pages it is zero. A reference may lie at any byte offset (entries of
// a leaf are packed), hence `packed`. Padding inside pages is zeroed, so that no stale byte reaches
// the disk.
#pragma once

#include <cstdint>

#include "storage/base/bytes.h"

namespace verso::storage {

using Cell = uint64_t;   // 40 bits used
using Epoch = uint64_t;  // 48 bits used: at 1,000 pins a second 8,900 years

inline constexpr size_t kCellBytes = 16;
inline constexpr Cell kCellMax = (Cell{1} << 40) - 1;
inline constexpr Epoch kEpochMax = (Epoch{1} << 48) - 1;
// The largest size class; fits the 16 bits of a reference.
inline constexpr size_t kPageBytesMax = 65520;

// Frozen numbers. One row of operations each in page_kinds.cpp.
enum class PageKind : uint8_t {
  kNone = 0,         // the null reference
  kLineRoot = 1,     // line_root.h: 16 databases and small scalars
  kTrieDir = 2,      // hash_trie_node.h: 2^aux references
  kTrieLeaf = 3,     // hash_trie_node.h: entries
  kValue = 4,        // raw bytes without a header: a string value, a chunk of a rope, a long key
  kRope = 5,         // rope.h: length, then references to chunks or kRopeNode
  kRopeNode = 6,     // rope.h: references only
  kTreeInner = 7,    // counted_btree_node.h
  kTreeLeaf = 8,     // counted_btree_node.h
  kSuperRoot = 9,    // store_meta.h: references to kMeta
  kMeta = 10,        // store_meta.h: serialised table of lines, pins and names
  kDeadChunk = 11,   // dead_list.h: references to dead pages; they are not children
  kCollection = 12,  // types/collection.h: scalars and references of a large collection
  kItemInner = 13,   // item_tree_node.h
  kItemLeaf = 14,    // item_tree_node.h
};
inline constexpr int kPageKindCount = 15;

struct [[gnu::packed]] Ref {
  uint64_t where = 0;  // cell | kind << 40 | size << 48
  uint64_t when = 0;   // birth | aux << 48

  static Ref Make(Cell cell, PageKind kind, size_t size, Epoch birth, uint16_t aux = 0) {
    return Ref{cell | uint64_t{static_cast<uint8_t>(kind)} << 40 | uint64_t{size} << 48,
               birth | uint64_t{aux} << 48};
  }

  bool null() const { return where == 0; }
  explicit operator bool() const { return where != 0; }
  Cell cell() const { return where & kCellMax; }
  PageKind kind() const { return static_cast<PageKind>(where >> 40 & 0xff); }
  size_t size() const { return where >> 48; }
  Epoch birth() const { return when & kEpochMax; }
  uint16_t aux() const { return static_cast<uint16_t>(when >> 48); }

  Ref WithFlag(uint16_t flag) const { return Ref{where, when | uint64_t{flag} << 48}; }
  Ref WithoutFlag(uint16_t flag) const { return Ref{where, when & ~(uint64_t{flag} << 48)}; }
  bool HasFlag(uint16_t flag) const { return (aux() & flag) != 0; }

  // The same page in two versions? Never judged by birth alone (V10).
  bool SamePage(const Ref& other) const {
    return cell() == other.cell() && birth() == other.birth();
  }
  bool operator==(const Ref& other) const = default;
};
static_assert(sizeof(Ref) == 16 && alignof(Ref) == 1);

inline constexpr Ref kNullRef{};

// The order in which a save writes and publishes its progress: by birth, then by cell.
struct PageOrder {
  bool operator()(const Ref& a, const Ref& b) const {
    return a.birth() != b.birth() ? a.birth() < b.birth() : a.cell() < b.cell();
  }
};

// Numbered databases in every line.
inline constexpr int kDatabases = 16;

}  // namespace verso::storage
