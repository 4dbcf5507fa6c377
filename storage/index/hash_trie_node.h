// Layout of the pages of a hash trie: directories (kTrieDir) and leaves (kTrieLeaf). How they are
// used: hash_trie.h.
//
// Directory: nothing but 2^aux references, aux (in the reference that leads here) being the number
// of hash bits it consumes: 4 to 7, at the root 4 to 10. The slot is named by the next aux bits of
// the hash, from the top. A slot is null, a leaf or a directory.
//
//      | ref 0 | ref 1 | ref 2 | ref 3 | ...   16 bytes each, 256 bytes to 2 KiB (root: 16 KiB)
//
// Leaf: 1 to 8 units of 128 bytes, 4 entries a unit at most (cap). More than 8 units only where all
// hashes are equal.
//
//      0        2        4       5     6       7      8                8 + cap        8 + 3 cap end
//      size
//      +--------+--------+-------+-----+-------+------+----------------+--------------+--------------------+-----------+
//      | end    | garbage| count | cap | depth | 0    | fingerprints   | u16 offsets  | entries and
//      holes  | zero      |
//      +--------+--------+-------+-----+-------+------+----------------+--------------+--------------------+-----------+
//
//   A full leaf of 1 KiB has cap 32: header and fingerprints lie in its first cache line, the
//   offsets in the second.
//
// Entry, packed, 4 bytes beside its data:
//
//      | type:4 hint:4 | flags | key bytes | value bytes | [u64 deadline] | key or (u64 hash, Ref)
//      | value or Ref |
//
//   A key above 128 bytes is external: a kValue run or a rope; its hash is kept in the entry, so
//   that no split reads 512 MB again. A value above 128 bytes, or one that is a structure, is
//   external: one reference.
//
// T1 A leaf of depth d below a directory of 2^k slots consumes the next d bits only and stands in
// 2^(k-d) equal slots, adjacent and
//    aligned; whoever moves the leaf rewrites all of them. A leaf at the root has depth 0. A
//    directory stands in exactly one slot: it is only made below a directory that has its largest
//    size, which is never halved while a directory stands in it.
// T2 fingerprint[i] is the lowest byte of the hash of entry i. Slots from count on are 0.
// T3 Entries are disjoint and lie between 8 + 3 cap and end; garbage is exactly the number of bytes
// there that belong to no entry. T4 Every byte that belongs to no entry is zero (holes, the tail,
// unused slots): nothing deleted reaches the disk. T5 All entries of a leaf share the hash bits
// that lead to it. T6 A leaf has at least one entry, a directory at least one slot that is not
// null.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "storage/base/bytes.h"
#include "storage/memory/page.h"
#include "storage/types/value.h"

namespace verso::storage {

inline constexpr unsigned kTrieDirBitsMin = 4;
inline constexpr unsigned kTrieDirBitsMax =
    7;  // below the root: 2 KiB, copied on the first touch after a pin
inline constexpr unsigned kTrieRootDirBitsMax = 10;  // 16 KiB
inline constexpr unsigned kTrieHashBits = 64;

inline constexpr size_t kTrieUnitBytes = 128;
inline constexpr size_t kTrieUnitEntries = 4;
inline constexpr size_t kTrieUnitsMax = 8;  // then the leaf splits
inline constexpr size_t kTrieCollisionUnitsMax = kPageBytesMax / kTrieUnitBytes;
inline constexpr size_t kTrieEntriesMax = 255;  // in a leaf of equal hashes
inline constexpr size_t kTrieInlineBytesMax = 128;

struct [[gnu::packed]] TrieLeafHeader {
  uint16_t end;      // where the next entry is appended
  uint16_t garbage;  // bytes of holes before end
  uint8_t count;
  uint8_t cap;
  uint8_t depth;     // T1
  uint8_t reserved;  // 0
};
static_assert(sizeof(TrieLeafHeader) == 8);

inline constexpr uint8_t kTrieKeyExternal = 1;
inline constexpr uint8_t kTrieValueExternal = 2;
inline constexpr uint8_t kTrieHasDeadline = 4;
inline constexpr uint8_t kTrieFlagsMask = 7;

struct [[gnu::packed]] TrieEntryHeader {
  uint8_t type_hint;  // type in the low half, hint in the high half
  uint8_t flags;
  uint8_t key_bytes;    // inline; 0 if external
  uint8_t value_bytes;  // inline; 0 if external

  ValueType type() const { return static_cast<ValueType>(type_hint & 15); }
  uint8_t hint() const { return type_hint >> 4; }
  bool key_external() const { return flags & kTrieKeyExternal; }
  bool value_external() const { return flags & kTrieValueExternal; }
  bool has_deadline() const { return flags & kTrieHasDeadline; }

  size_t key_offset() const { return sizeof(*this) + (has_deadline() ? sizeof(uint64_t) : 0); }
  size_t key_size() const { return key_external() ? sizeof(uint64_t) + sizeof(Ref) : key_bytes; }
  size_t value_offset() const { return key_offset() + key_size(); }
  size_t value_size() const { return value_external() ? sizeof(Ref) : value_bytes; }
  size_t size() const { return value_offset() + value_size(); }
};
static_assert(sizeof(TrieEntryHeader) == 4);

inline constexpr size_t kTrieEntryBytesMax =
    sizeof(TrieEntryHeader) + sizeof(uint64_t) + 2 * kTrieInlineBytesMax;

// ---- leaf arithmetic

inline constexpr size_t TrieLeafCap(size_t bytes) {
  return std::min(bytes / kTrieUnitBytes * kTrieUnitEntries, kTrieEntriesMax);
}
inline constexpr size_t TrieLeafStart(size_t cap) { return sizeof(TrieLeafHeader) + 3 * cap; }

// The least units that hold so many entries of so many bytes together; above kTrieCollisionUnitsMax
// if there is no such leaf.
inline constexpr size_t TrieLeafUnits(size_t count, size_t entry_bytes) {
  if (count > kTrieEntriesMax) return kTrieCollisionUnitsMax + 1;
  constexpr size_t kUnitsOfCap =
      (kTrieEntriesMax + kTrieUnitEntries) / kTrieUnitEntries;  // cap stops growing
  constexpr size_t kUnitPayload = kTrieUnitBytes - 3 * kTrieUnitEntries;
  const size_t by_count = (count + kTrieUnitEntries - 1) / kTrieUnitEntries;
  const size_t by_bytes = (sizeof(TrieLeafHeader) + entry_bytes + kUnitPayload - 1) / kUnitPayload;
  const size_t units = std::max(by_count, by_bytes);
  if (units < kUnitsOfCap) return units;
  const size_t full = TrieLeafStart(kTrieEntriesMax) + entry_bytes;
  return std::max(kUnitsOfCap, (full + kTrieUnitBytes - 1) / kTrieUnitBytes);
}
static_assert(TrieLeafCap(kTrieUnitsMax * kTrieUnitBytes) == 32);
static_assert(TrieLeafUnits(1, kTrieEntryBytesMax) <= 3);
static_assert(TrieLeafUnits(32, 1024 - TrieLeafStart(32)) == 8 &&
              TrieLeafUnits(32, 1025 - TrieLeafStart(32)) == 9);
static_assert(TrieLeafUnits(255, 100) == 64 && TrieLeafUnits(252, 100) == 63);

inline const TrieLeafHeader& TrieLeaf(const char* leaf) {
  return *reinterpret_cast<const TrieLeafHeader*>(leaf);
}
inline TrieLeafHeader& TrieLeaf(char* leaf) { return *reinterpret_cast<TrieLeafHeader*>(leaf); }

inline char* TrieFingerprints(char* leaf) { return leaf + sizeof(TrieLeafHeader); }
inline const char* TrieFingerprints(const char* leaf) { return leaf + sizeof(TrieLeafHeader); }
inline size_t TrieOffset(const char* leaf, size_t slot) {
  return LoadLe<uint16_t>(leaf + sizeof(TrieLeafHeader) + TrieLeaf(leaf).cap + 2 * slot);
}
inline void SetTrieOffset(char* leaf, size_t slot, size_t offset) {
  StoreLe(leaf + sizeof(TrieLeafHeader) + TrieLeaf(leaf).cap + 2 * slot,
          static_cast<uint16_t>(offset));
}
inline const TrieEntryHeader& TrieEntryAt(const char* entry) {
  return *reinterpret_cast<const TrieEntryHeader*>(entry);
}
// Bytes of all entries together.
inline size_t TrieLeafPayload(const char* leaf) {
  const TrieLeafHeader& header = TrieLeaf(leaf);
  return size_t{header.end} - TrieLeafStart(header.cap) - header.garbage;
}

// ---- directory arithmetic

inline size_t TrieDirIndex(uint64_t hash, unsigned consumed, unsigned bits) {
  return hash << consumed >> (kTrieHashBits - bits);
}
inline const Ref* TrieSlots(const char* dir) { return reinterpret_cast<const Ref*>(dir); }
inline Ref* TrieSlots(char* dir) { return reinterpret_cast<Ref*>(dir); }

// ---- what the table of page kinds needs

// Do the inner offsets and references of a page from a disk stay inside it, so that no reader can
// be led out of it? References are judged by kind and size only; that the runs they name exist is
// the caller's to check.
bool CheckTrieDir(const char* page, const Ref& self);
bool CheckTrieLeaf(const char* page, const Ref& self);

// Calls visit(const Ref&) once for each child: leaves that stand in several slots once; of a leaf
// the external keys and values. The reference is the one in the page, so that a writer may change
// it there (Publish). Requires: the page was checked.
template <typename Visitor>
void VisitTrieDir(const char* page, const Ref& self, Visitor&& visit) {
  const Ref* slots = TrieSlots(page);
  for (size_t i = 0; i < self.size() / sizeof(Ref); ++i) {
    if (slots[i] && (i == 0 || !(slots[i] == slots[i - 1]))) visit(slots[i]);
  }
}

template <typename Visitor>
void VisitTrieLeaf(const char* page, const Ref&, Visitor&& visit) {
  for (size_t slot = 0; slot < TrieLeaf(page).count; ++slot) {
    const char* entry = page + TrieOffset(page, slot);
    const TrieEntryHeader& header = TrieEntryAt(entry);
    if (header.key_external())
      visit(*reinterpret_cast<const Ref*>(entry + header.key_offset() + sizeof(uint64_t)));
    if (header.value_external()) {
      visit(*reinterpret_cast<const Ref*>(entry + header.value_offset()));
    }
  }
}

}  // namespace verso::storage
