// Collection: the root page of a large list, set, sorted set, hash or stream (kCollection). Small
// ones are packs (types/pack.h), which have no page of this kind.
//
//      0                              48
//   +----+----+----+----+----+----+-------+-------+-- - -
//   |      scalars, 6 x u64       | Ref 0 | Ref 1 | ...   1 to 8 references, null allowed
//   +----+----+----+----+----+----+-------+-------+-- - -
//
//   type     scalars              Ref 0                      Ref 1
//   hash     [0] fields           trie field -> value
//   set      [0] members          trie member -> nothing
//   zset     [0] members, [1] -0  trie member -> score       item tree by (score, member)
//   list     none                 item tree by position
//   stream   its ids and counts   item tree by id            trie of groups
//
// Its reference stands in the key's entry. It is changed like any page: Line::Writable on that
// slot, then on the slots in it, from the root downwards.
#pragma once

#include <cstdint>

#include "storage/memory/page.h"
#include "storage/types/value.h"

namespace verso::storage {

// The hint of a key's entry (ValueView::hint), the same for all collection types. Higher numbers
// are a type's own.
inline constexpr uint8_t kCollectionPacked = 0;
inline constexpr uint8_t kCollectionLarge = 1;

inline constexpr size_t kCollectionScalars = 6;
inline constexpr size_t kCollectionRefsMax = 8;

struct CollectionHeader {
  uint64_t scalars[kCollectionScalars];
};
static_assert(sizeof(CollectionHeader) == 48);

inline constexpr size_t CollectionBytes(size_t refs) {
  return sizeof(CollectionHeader) + refs * sizeof(Ref);
}
static_assert(CollectionBytes(1) == 64 && CollectionBytes(2) == 80);

inline const CollectionHeader& CollectionAt(const char* page) {
  return *reinterpret_cast<const CollectionHeader*>(page);
}
inline CollectionHeader& CollectionAt(char* page) {
  return *reinterpret_cast<CollectionHeader*>(page);
}
inline const Ref* CollectionRefs(const char* page) {
  return reinterpret_cast<const Ref*>(page + sizeof(CollectionHeader));
}
inline Ref* CollectionRefs(char* page) {
  return reinterpret_cast<Ref*>(page + sizeof(CollectionHeader));
}

// ---- what the table of page kinds needs

// Is the page, as it came from a disk, of a size that has whole references, and do these name kinds
// that a collection may lead to? Which of them a type wants is its own to check.
inline bool CheckCollection(const char* page, const Ref& self) {
  if (self.size() < CollectionBytes(1) || self.size() > CollectionBytes(kCollectionRefsMax) ||
      (self.size() - sizeof(CollectionHeader)) % sizeof(Ref) != 0) {
    return false;
  }
  const size_t count = (self.size() - sizeof(CollectionHeader)) / sizeof(Ref);
  for (size_t i = 0; i < count; ++i) {
    const Ref& ref = CollectionRefs(page)[i];
    if (!ref) continue;
    if (ref.cell() == 0 || ref.size() == 0) return false;
    switch (ref.kind()) {
      case PageKind::kTrieDir:
      case PageKind::kTrieLeaf:
      case PageKind::kItemInner:
      case PageKind::kItemLeaf:
        break;
      default:
        return false;
    }
  }
  return true;
}

// The reference if it leads to a trie, else null: readers cannot be led astray by a page that says
// it is another type's.
inline const Ref& CollectionTrie(const char* page, const Ref& self, size_t index) {
  if (self.size() < CollectionBytes(index + 1)) return kNullRef;
  const Ref& ref = CollectionRefs(page)[index];
  return ref.kind() == PageKind::kTrieDir || ref.kind() == PageKind::kTrieLeaf ? ref : kNullRef;
}

// The page of a value that is large, null if it has none (also where a damaged store says so).
inline Ref CollectionRef(const ValueView& value) {
  return value.external && value.ref.kind() == PageKind::kCollection ? value.ref : kNullRef;
}

template <typename Visitor>
void VisitCollection(const char* page, const Ref& self, Visitor&& visit) {
  const size_t count = (self.size() - sizeof(CollectionHeader)) / sizeof(Ref);
  for (size_t i = 0; i < count; ++i) {
    if (CollectionRefs(page)[i]) visit(CollectionRefs(page)[i]);
  }
}

}  // namespace verso::storage
