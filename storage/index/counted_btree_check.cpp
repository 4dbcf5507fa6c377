// Checks of the counted B+tree: of one page that comes from a disk, and of a whole tree in memory.
#include <algorithm>
#include <cstring>

#include "storage/index/counted_btree.h"

namespace verso::storage {
namespace {

bool IsZero(const char* from, const char* to) {
  return std::all_of(from, to, [](char byte) { return byte == 0; });
}

bool LeafShapeIsGood(const Ref& leaf) {
  return leaf.kind() == PageKind::kTreeLeaf && leaf.size() > 0 &&
         leaf.size() <= TreeLeafBytes(kTreeLeafItemsMax) && leaf.size() % TreeLeafBytes(1) == 0 &&
         leaf.aux() >= 1 && leaf.aux() <= TreeLeafPlaces(leaf.size());
}

bool InnerShapeIsGood(const Ref& inner) {
  return inner.kind() == PageKind::kTreeInner && inner.size() > sizeof(TreeInner) &&
         inner.size() <= TreeInnerBytes(kTreeInnerChildrenMax) &&
         inner.size() == TreeInnerBytes(TreeInnerPlaces(inner.size())) && inner.aux() >= 1 &&
         inner.aux() <= kTreeHeightMax;
}

// A reference to a child in a page of this height.
bool ChildIsGood(const TreeChild& child, int height) {
  if (child.child.cell() == 0) return false;
  if (height == 1) return LeafShapeIsGood(child.child) && child.count == child.child.aux();  // B2
  return InnerShapeIsGood(child.child) && child.child.aux() == height - 1 && child.count > 0;
}

class Validator {
 public:
  explicit Validator(const PageArena& arena) : arena_(arena) {}

  // Items below ref must lie in [low, high] where given.
  std::string Walk(const Ref& ref, uint64_t count, bool root, const TreeItem* low,
                   const TreeItem* high) {
    const char* page = arena_.Resolve(ref);
    if (ref.kind() == PageKind::kTreeLeaf) {
      if (!CheckTreeLeaf(page, ref)) return "tree: a damaged leaf (B1, B5)";
      if (ref.aux() != count) return "tree: a leaf's count is wrong (B2)";
      if (!root && ref.aux() < kTreeLeafItemsMin) return "tree: a leaf is too small (B4)";
      const auto* items = reinterpret_cast<const TreeItem*>(page);
      if (low && items[0] < *low) return "tree: an item below its separator (B3)";
      if (high && *high < items[count - 1]) return "tree: an item above a separator (B3)";
      return "";
    }
    if (!CheckTreeInner(page, ref)) return "tree: a damaged inner page (B2, B3, B4, B5)";
    const auto* inner = reinterpret_cast<const TreeInner*>(page);
    if (inner->total != count) return "tree: a count is not the total below it (B2)";
    if (!root && inner->count < kTreeInnerChildrenMin)
      return "tree: an inner page is too small (B4)";
    for (size_t i = 0; i < inner->count; ++i) {
      const TreeChild& child = inner->children()[i];
      const TreeItem below = child.separator();
      const bool last = i + size_t{1} == inner->count;
      const TreeItem above = last ? TreeItem{} : inner->children()[i + 1].separator();
      std::string fault =
          Walk(child.child, child.count, false, i == 0 ? low : &below, last ? high : &above);
      if (!fault.empty()) return fault;
    }
    return "";
  }

 private:
  const PageArena& arena_;
};

}  // namespace

bool CheckTreeLeaf(const char* page, const Ref& self) {
  if (!LeafShapeIsGood(self)) return false;
  const auto* items = reinterpret_cast<const TreeItem*>(page);
  if (!std::is_sorted(items, items + self.aux())) return false;  // B1
  return IsZero(page + self.aux() * sizeof(TreeItem), page + self.size());
}

bool CheckTreeInner(const char* page, const Ref& self) {
  if (!InnerShapeIsGood(self)) return false;
  const auto* inner = reinterpret_cast<const TreeInner*>(page);
  if (inner->count < 2 || inner->count > TreeInnerPlaces(self.size())) return false;  // B4
  if (!IsZero(reinterpret_cast<const char*>(inner->zero), page + sizeof(TreeInner))) return false;
  const TreeChild* children = inner->children();
  if (children[0].separator() != TreeItem{}) return false;  // B3
  uint64_t total = 0;
  for (size_t i = 0; i < inner->count; ++i) {
    if (!ChildIsGood(children[i], self.aux())) return false;
    if (i > 0 && children[i].separator() < children[i - 1].separator()) return false;
    total += children[i].count;
  }
  if (total != inner->total) return false;  // B2
  return IsZero(reinterpret_cast<const char*>(children + inner->count), page + self.size());
}

std::string TreeValidate(const PageArena& arena, const Ref& root) {
  if (root.null()) return "";
  if (root.kind() != PageKind::kTreeLeaf && root.kind() != PageKind::kTreeInner) {
    return "tree: the root is no page of a tree";
  }
  return Validator(arena).Walk(root, TreeCount(arena, root), true, nullptr, nullptr);
}

}  // namespace verso::storage
