#include "storage/memory/subtree.h"

#include <cstring>

#include "storage/memory/page_kinds.h"

namespace verso::storage {

Ref CopySubtree(Line& line, const Ref& root) {
  if (!root) return root;
  const Ref copy = line.NewPage(root.kind(), root.size(), root.aux());
  char* page = line.arena().ResolveMutable(copy);
  std::memcpy(page, line.arena().Resolve(root), root.size());
  if (!HasChildren(root.kind())) return copy;
  // A leaf of a trie stands in neighbouring slots of a directory, and all of them are shown, since
  // the one before has changed meanwhile. The reference shown is the one in the new page.
  Ref last_from;
  Ref last_to;
  VisitRefs(page, copy, [&](const Ref& child) {
    if (!(child == last_from)) {
      last_from = child;
      last_to = CopySubtree(line, child);
    }
    const_cast<Ref&>(child) = last_to;
  });
  return copy;
}

uint64_t SubtreeBytes(const PageArena& arena, const Ref& root) {
  if (!root) return 0;
  uint64_t bytes = RunBytes(root.size());
  if (HasChildren(root.kind())) {
    VisitRefs(arena.Resolve(root), root,
              [&](const Ref& child) { bytes += SubtreeBytes(arena, child); });
  }
  return bytes;
}

}  // namespace verso::storage
