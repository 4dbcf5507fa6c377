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

uint64_t SubtreeBytes(const PageArena& arena, const Ref& root, uint64_t enough) {
  if (!root) return 0;
  uint64_t bytes = RunBytes(root.size());
  if (HasChildren(root.kind())) {
    VisitRefs(arena.Resolve(root), root, [&](const Ref& child) {
      if (bytes <= enough) bytes += SubtreeBytes(arena, child, enough - bytes);
    });
  }
  return bytes;
}

SubtreeWalk::SubtreeWalk(const PageArena& arena, const Ref& root, Epoch above)
    : arena_(arena), above_(above) {
  Add(root);
}

void SubtreeWalk::Add(const Ref& ref) {
  if (ref && ref.birth() > above_) left_.push_back(ref);
}

bool SubtreeWalk::Step() {
  if (left_.empty()) return true;
  const Ref ref = left_.back();
  left_.pop_back();
  bytes_ += RunBytes(ref.size());
  if (HasChildren(ref.kind())) {
    VisitRefs(arena_.Resolve(ref), ref, [this](const Ref& child) { Add(child); });
  }
  return left_.empty();
}

}  // namespace verso::storage
