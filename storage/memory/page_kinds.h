// The closed table of page kinds: saving, dropping, auditing and publishing are written once over
// it.
#pragma once

#include <utility>

#include "storage/index/counted_btree_node.h"
#include "storage/index/hash_trie_node.h"
#include "storage/index/item_tree_node.h"
#include "storage/index/rope.h"
#include "storage/memory/dead_list.h"
#include "storage/memory/line_root.h"
#include "storage/memory/store_meta.h"
#include "storage/types/collection.h"

namespace verso::storage {

// May the page have references to other pages at all? Known from the reference alone.
inline bool HasChildren(PageKind kind) {
  return kind != PageKind::kValue && kind != PageKind::kTreeLeaf && kind != PageKind::kNone;
}

// Calls visit(const Ref&) for each non-null child. Requires: CheckPage holds (pages made here
// always do).
template <typename Visitor>
void VisitRefs(const char* page, const Ref& self, Visitor&& visit) {
  const auto some = [&visit](const Ref& ref) {
    if (ref) visit(ref);
  };
  switch (self.kind()) {
    case PageKind::kLineRoot:
      for (const DatabaseRoot& database : reinterpret_cast<const LineRoot*>(page)->databases) {
        some(database.keys);
        some(database.deadlines);
      }
      break;
    case PageKind::kTrieDir:
      VisitTrieDir(page, self, some);
      break;
    case PageKind::kTrieLeaf:
      VisitTrieLeaf(page, self, some);
      break;
    case PageKind::kRope:
      VisitRope(page, self, some);
      break;
    case PageKind::kRopeNode:
      VisitRopeNode(page, self, some);
      break;
    case PageKind::kTreeInner:
      VisitTreeInner(page, self, some);
      break;
    case PageKind::kSuperRoot:
      VisitSuperRoot(page, self, some);
      break;
    case PageKind::kCollection:
      VisitCollection(page, self, some);
      break;
    case PageKind::kItemInner:
      VisitItemInner(page, self, some);
      break;
    case PageKind::kItemLeaf:
      VisitItemLeaf(page, self, some);
      break;
    case PageKind::kMeta:       // its references are interpreted by StoreMeta
    case PageKind::kDeadChunk:  // by the walkers of chains
    case PageKind::kValue:
    case PageKind::kTreeLeaf:
    case PageKind::kNone:
      break;
  }
}

// Is a page that came from a disk one that no reader can be led out of? Judges the page alone.
bool CheckPage(const char* page, const Ref& self);

}  // namespace verso::storage
