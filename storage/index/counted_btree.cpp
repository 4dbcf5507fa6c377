#include "storage/index/counted_btree.h"

#include <algorithm>
#include <cstring>

#include "storage/base/check.h"

namespace verso::storage {
namespace {

// Sizes after the split of a full page. What arrives in order is packed three quarters full, the
// rest in halves.
constexpr size_t kLeafHalf = (kTreeLeafItemsMax + 1) / 2;
constexpr size_t kLeafPacked = kTreeLeafItemsMax * 3 / 4;
constexpr size_t kInnerHalf = (kTreeInnerChildrenMax + 1) / 2;
constexpr size_t kInnerPacked = kTreeInnerChildrenMax * 3 / 4;
static_assert(kTreeLeafItemsMax + 1 - kLeafPacked >= kTreeLeafItemsMin);  // B4
static_assert(kTreeInnerChildrenMax + 1 - kInnerPacked >= kTreeInnerChildrenMin);

// Two neighbours with more than this together are evened out, not merged: the next insertions shall
// not split them again at once.
constexpr size_t kLeafMergedMax = kLeafPacked;
constexpr size_t kInnerMergedMax = kInnerPacked;
static_assert((kLeafMergedMax + 1) / 2 > kTreeLeafItemsMin);
static_assert((kInnerMergedMax + 1) / 2 > kTreeInnerChildrenMin);

bool IsLeaf(const Ref& ref) { return ref.kind() == PageKind::kTreeLeaf; }
size_t LeafCount(const Ref& leaf) { return leaf.aux(); }

const TreeItem* Items(const PageArena& arena, const Ref& leaf) {
  return reinterpret_cast<const TreeItem*>(arena.Resolve(leaf));
}

const TreeInner* Inner(const PageArena& arena, const Ref& inner) {
  return reinterpret_cast<const TreeInner*>(arena.Resolve(inner));
}

// The last child whose separator satisfies `passes` (true for the first ones), or child 0.
template <typename Passes>
size_t FindChild(const TreeInner* page, Passes passes) {
  const TreeChild* children = page->children();
  size_t low = 0;  // child 0 has no separator
  size_t high = page->count;
  while (high - low > 1) {
    const size_t middle = (low + high) / 2;
    (passes(children[middle].separator()) ? low : high) = middle;
  }
  return low;
}

// Where the first item not below `item` is, or the place just before (the end of the child's last
// leaf).
size_t ChildBelow(const TreeInner* page, const TreeItem& item) {
  return FindChild(page, [&](const TreeItem& separator) { return separator < item; });
}

size_t LowerBound(const TreeItem* items, size_t count, const TreeItem& item) {
  return static_cast<size_t>(std::lower_bound(items, items + count, item) - items);
}

}  // namespace

// The writing half, bound to a line.
class TreeWriter {
 public:
  explicit TreeWriter(Line& line) : line_(line), arena_(line.arena()) {}

  void Insert(Ref* root_slot, const TreeItem& item) {
    if (root_slot->null()) {
      *root_slot = NewLeaf(&item, 1);
      return;
    }
    const std::optional<TreeChild> right = InsertBelow(root_slot, item);
    if (!right) return;
    const TreeChild both[2] = {{*root_slot, TreeCount(arena_, *root_slot), 0, 0}, *right};
    const int height = IsLeaf(*root_slot) ? 1 : root_slot->aux() + 1;
    VERSO_CHECK(height <= kTreeHeightMax);
    *root_slot = NewInner(both, 2, static_cast<uint16_t>(height));
  }

  // Requires: `at` is a valid cursor of this tree.
  void Erase(Ref* root_slot, const TreeCursor& at) {
    EraseBelow(root_slot, at, 0);
    if (root_slot->null() || IsLeaf(*root_slot)) return;
    const TreeInner* root = Inner(arena_, *root_slot);
    if (root->count > 1) return;
    const Ref child = root->children()[0].child;
    line_.Drop(*root_slot);
    *root_slot = child;
  }

 private:
  // ---- pages

  Ref NewLeaf(const TreeItem* items, size_t count) {
    const size_t bytes = TreeLeafBytes(count);
    const Ref leaf = line_.NewPage(PageKind::kTreeLeaf, bytes, static_cast<uint16_t>(count));
    char* page = line_.arena().ResolveMutable(leaf);
    std::memcpy(page, items, count * sizeof(TreeItem));
    std::memset(page + count * sizeof(TreeItem), 0, bytes - count * sizeof(TreeItem));  // B5
    return leaf;
  }

  Ref NewInner(const TreeChild* children, size_t count, uint16_t height) {
    const size_t bytes = TreeInnerBytes(count);
    const Ref inner = line_.NewPage(PageKind::kTreeInner, bytes, height);
    char* page = line_.arena().ResolveMutable(inner);
    std::memset(page, 0, bytes);
    auto* header = reinterpret_cast<TreeInner*>(page);
    header->count = static_cast<uint16_t>(count);
    std::memcpy(header->children(), children, count * sizeof(TreeChild));
    header->children()[0].set_separator({});  // B3
    for (size_t i = 0; i < count; ++i) header->total += children[i].count;
    return inner;
  }

  void Replace(Ref* slot, const Ref& fresh) {
    line_.Drop(*slot);
    *slot = fresh;
  }

  static void SetLeafCount(Ref* leaf, size_t count) {
    *leaf = Ref::Make(leaf->cell(), leaf->kind(), leaf->size(), leaf->birth(),
                      static_cast<uint16_t>(count));
  }

  TreeItem* WritableItems(Ref* leaf) { return reinterpret_cast<TreeItem*>(line_.Writable(leaf)); }
  TreeInner* WritableInner(Ref* slot) { return reinterpret_cast<TreeInner*>(line_.Writable(slot)); }

  // ---- insertion. Both return the new right neighbour when the page was split.

  std::optional<TreeChild> InsertBelow(Ref* slot, const TreeItem& item) {
    if (IsLeaf(*slot)) return InsertIntoLeaf(slot, item);
    TreeInner* page = WritableInner(slot);
    const size_t index =
        FindChild(page, [&](const TreeItem& separator) { return separator <= item; });
    TreeChild& child = page->children()[index];
    const std::optional<TreeChild> right = InsertBelow(&child.child, item);
    ++page->total;
    ++child.count;
    if (!right) return std::nullopt;
    child.count -= right->count;
    return InsertChild(slot, index + 1, *right);
  }

  std::optional<TreeChild> InsertIntoLeaf(Ref* slot, const TreeItem& item) {
    const size_t count = LeafCount(*slot);
    const TreeItem* items = Items(arena_, *slot);
    const size_t at = static_cast<size_t>(std::upper_bound(items, items + count, item) - items);
    if (count < TreeLeafPlaces(slot->size())) {
      TreeItem* writable = WritableItems(slot);
      std::memmove(writable + at + 1, writable + at, (count - at) * sizeof(TreeItem));
      writable[at] = item;
      SetLeafCount(slot, count + 1);
      return std::nullopt;
    }
    TreeItem all[kTreeLeafItemsMax + 1];
    std::memcpy(all, items, at * sizeof(TreeItem));
    all[at] = item;
    std::memcpy(all + at + 1, items + at, (count - at) * sizeof(TreeItem));
    if (count < kTreeLeafItemsMax) {
      Replace(slot, NewLeaf(all, count + 1));
      return std::nullopt;
    }
    const size_t left = at == count ? kLeafPacked : at == 0 ? count + 1 - kLeafPacked : kLeafHalf;
    Replace(slot, NewLeaf(all, left));
    const size_t right = count + 1 - left;
    return TreeChild{NewLeaf(all + left, right), right, all[left].a, all[left].b};
  }

  // Puts a child into a page that is writable already.
  std::optional<TreeChild> InsertChild(Ref* slot, size_t at, const TreeChild& child) {
    TreeInner* page = WritableInner(slot);
    const size_t count = page->count;
    TreeChild* children = page->children();
    if (count < TreeInnerPlaces(slot->size())) {
      std::memmove(children + at + 1, children + at, (count - at) * sizeof(TreeChild));
      children[at] = child;
      ++page->count;
      return std::nullopt;
    }
    TreeChild all[kTreeInnerChildrenMax + 1];
    std::memcpy(all, children, at * sizeof(TreeChild));
    all[at] = child;
    std::memcpy(all + at + 1, children + at, (count - at) * sizeof(TreeChild));
    const uint16_t height = slot->aux();
    if (count < kTreeInnerChildrenMax) {
      Replace(slot, NewInner(all, count + 1, height));
      return std::nullopt;
    }
    const size_t left = at == count ? kInnerPacked : kInnerHalf;
    Replace(slot, NewInner(all, left, height));
    const Ref right = NewInner(all + left, count + 1 - left, height);
    return TreeChild{right, Inner(arena_, right)->total, all[left].separator_a,
                     all[left].separator_b};
  }

  // ---- removal

  void EraseBelow(Ref* slot, const TreeCursor& at, int depth) {
    if (depth == at.depth_) {
      EraseFromLeaf(slot, at.index_);
      return;
    }
    TreeInner* page = WritableInner(slot);
    const size_t index = at.steps_[depth].index;
    TreeChild& child = page->children()[index];
    EraseBelow(&child.child, at, depth + 1);
    --child.count;
    --page->total;
    if (TooSmall(child.child)) EvenOut(slot, index);
  }

  bool TooSmall(const Ref& ref) const {
    return IsLeaf(ref) ? LeafCount(ref) < kTreeLeafItemsMin
                       : Inner(arena_, ref)->count < kTreeInnerChildrenMin;
  }

  void EraseFromLeaf(Ref* slot, size_t at) {
    const size_t count = LeafCount(*slot) - 1;
    if (count == 0) {
      Replace(slot, kNullRef);
    } else if (TreeLeafPlaces(slot->size()) - count >= 2 * kTreeLeafStep) {
      TreeItem all[kTreeLeafItemsMax];
      const TreeItem* items = Items(arena_, *slot);
      std::memcpy(all, items, at * sizeof(TreeItem));
      std::memcpy(all + at, items + at + 1, (count - at) * sizeof(TreeItem));
      Replace(slot, NewLeaf(all, count));
    } else {
      TreeItem* items = WritableItems(slot);
      std::memmove(items + at, items + at + 1, (count - at) * sizeof(TreeItem));
      items[count] = TreeItem{};  // B5
      SetLeafCount(slot, count);
    }
  }

  // Takes a child out of a page that is writable already; the total stays.
  void EraseChild(Ref* slot, size_t at) {
    TreeInner* page = WritableInner(slot);
    TreeChild* children = page->children();
    const size_t count = page->count - size_t{1};
    std::memmove(children + at, children + at + 1, (count - at) * sizeof(TreeChild));
    children[count] = TreeChild{};  // B5
    page->count = static_cast<uint16_t>(count);
    if (TreeInnerPlaces(slot->size()) - count >= 2 * kTreeInnerStep) {
      Replace(slot, NewInner(children, count, slot->aux()));
    }
  }

  // Child `index` of the writable page at *slot has become too small (B4): merges it with a
  // neighbour or evens them out.
  void EvenOut(Ref* slot, size_t index) {
    const size_t left = index > 0 ? index - 1 : 0;
    TreeChild* pair = WritableInner(slot)->children() + left;
    const bool merged = IsLeaf(pair->child) ? EvenOutLeaves(pair) : EvenOutInner(pair);
    if (merged) EraseChild(slot, left + 1);
  }

  // pair: two neighbouring entries of a writable page. True: all is in the first, the second is
  // void.
  bool EvenOutLeaves(TreeChild* pair) {
    TreeItem all[2 * kTreeLeafItemsMax];
    size_t count = 0;
    for (TreeChild* child = pair; child < pair + 2; ++child) {
      const size_t part = LeafCount(child->child);
      std::memcpy(all + count, Items(arena_, child->child), part * sizeof(TreeItem));
      count += part;
      line_.Drop(child->child);
    }
    const size_t left = count <= kLeafMergedMax ? count : count / 2;
    pair[0].child = NewLeaf(all, left);
    pair[0].count = left;
    if (left == count) return true;
    pair[1].child = NewLeaf(all + left, count - left);
    pair[1].count = count - left;
    pair[1].set_separator(all[left]);
    return false;
  }

  bool EvenOutInner(TreeChild* pair) {
    TreeChild all[2 * kTreeInnerChildrenMax];
    size_t count = 0;
    const uint16_t height = pair->child.aux();
    const TreeItem between = pair[1].separator();
    for (TreeChild* child = pair; child < pair + 2; ++child) {
      const TreeInner* page = Inner(arena_, child->child);
      std::memcpy(all + count, page->children(), page->count * sizeof(TreeChild));
      if (child != pair) all[count].set_separator(between);
      count += page->count;
      line_.Drop(child->child);
    }
    const size_t left = count <= kInnerMergedMax ? count : count / 2;
    pair[0].child = NewInner(all, left, height);
    pair[0].count = Inner(arena_, pair[0].child)->total;
    if (left == count) return true;
    pair[1].child = NewInner(all + left, count - left, height);
    pair[1].count = Inner(arena_, pair[1].child)->total;
    pair[1].set_separator(all[left].separator());
    return false;
  }

  Line& line_;
  const PageArena& arena_;
};

void TreeInsert(Line& line, Ref* root_slot, const TreeItem& item) {
  TreeWriter(line).Insert(root_slot, item);
}

bool TreeErase(Line& line, Ref* root_slot, const TreeItem& item) {
  const TreeCursor at = TreeCursor::From(line.arena(), *root_slot, item);
  if (!at.valid() || at.item() != item) return false;
  TreeWriter(line).Erase(root_slot, at);
  return true;
}

void TreeEraseAt(Line& line, Ref* root_slot, uint64_t index) {
  const TreeCursor at = TreeCursor::At(line.arena(), *root_slot, index);
  VERSO_CHECK(at.valid());
  TreeWriter(line).Erase(root_slot, at);
}

uint64_t TreeEstimate(const Ref& root) {
  // Per level: the copy, the page and its neighbour evened out, a smaller one after a merge. And a
  // new root.
  constexpr uint64_t kPagesPerLevel = 4;
  const uint64_t levels = root.null() || IsLeaf(root) ? 0 : root.aux();
  return ((levels + 1) * TreeInnerBytes(kTreeInnerChildrenMax) + TreeLeafBytes(kTreeLeafItemsMax)) *
         kPagesPerLevel;
}

uint64_t TreeCount(const PageArena& arena, const Ref& root) {
  if (root.null()) return 0;
  return IsLeaf(root) ? LeafCount(root) : Inner(arena, root)->total;
}

uint64_t TreeRank(const PageArena& arena, const Ref& root, const TreeItem& item) {
  if (root.null()) return 0;
  uint64_t rank = 0;
  Ref ref = root;
  while (!IsLeaf(ref)) {
    const TreeInner* page = Inner(arena, ref);
    const size_t index = ChildBelow(page, item);
    for (size_t i = 0; i < index; ++i) rank += page->children()[i].count;
    ref = page->children()[index].child;
  }
  return rank + LowerBound(Items(arena, ref), LeafCount(ref), item);
}

std::optional<TreeItem> TreeFirst(const PageArena& arena, const Ref& root) {
  return TreeByIndex(arena, root, 0);
}

std::optional<TreeItem> TreeByIndex(const PageArena& arena, const Ref& root, uint64_t index) {
  const TreeCursor at = TreeCursor::At(arena, root, index);
  return at.valid() ? std::optional(at.item()) : std::nullopt;
}

TreeCursor TreeCursor::From(const PageArena& arena, const Ref& root, const TreeItem& item) {
  TreeCursor at(arena);
  if (root.null()) return at;
  Ref ref = root;
  while (!IsLeaf(ref)) {
    const TreeInner* page = Inner(arena, ref);
    const size_t index = ChildBelow(page, item);
    at.steps_[at.depth_++] = {page, index};
    ref = page->children()[index].child;
  }
  at.SetLeaf(ref);
  at.index_ = LowerBound(at.leaf_, at.count_, item);
  if (at.index_ == at.count_) at.NextLeaf();
  return at;
}

TreeCursor TreeCursor::At(const PageArena& arena, const Ref& root, uint64_t index) {
  TreeCursor at(arena);
  if (index >= TreeCount(arena, root)) return at;
  Ref ref = root;
  while (!IsLeaf(ref)) {
    const TreeInner* page = Inner(arena, ref);
    size_t child = 0;
    while (index >= page->children()[child].count) index -= page->children()[child++].count;
    at.steps_[at.depth_++] = {page, child};
    ref = page->children()[child].child;
  }
  at.SetLeaf(ref);
  at.index_ = index;
  return at;
}

void TreeCursor::SetLeaf(const Ref& leaf) {
  leaf_ = Items(*arena_, leaf);
  count_ = LeafCount(leaf);
  index_ = 0;
}

void TreeCursor::DescendFirst(const Ref& ref) {
  Ref at = ref;
  while (!IsLeaf(at)) {
    const TreeInner* page = Inner(*arena_, at);
    steps_[depth_++] = {page, 0};
    at = page->children()[0].child;
  }
  SetLeaf(at);
}

void TreeCursor::NextLeaf() {
  while (depth_ > 0) {
    Step& step = steps_[depth_ - 1];
    if (++step.index < step.page->count) {
      DescendFirst(step.page->children()[step.index].child);
      return;
    }
    --depth_;
  }
  leaf_ = nullptr;
}

}  // namespace verso::storage
