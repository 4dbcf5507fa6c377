// Removal from the item tree: single items and ranges are the same walk. Subtrees that lie wholly
// in the range are retired by their reference; at most two pages a level are edited.
#include <algorithm>

#include "storage/base/check.h"
#include "storage/index/item_tree_edit.h"

namespace verso::storage {
namespace {

// A page below this looks for a neighbour to be joined with, into one not fuller than that: the
// next insertions shall not split it again at once.
constexpr size_t kLeafSmallBytes = kItemLeafBytesMax / 4;
constexpr size_t kLeafJoinedBytesMax = kItemLeafBytesMax * 3 / 4;
constexpr size_t kLeafJoinedItemsMax = kItemLeafItemsMax * 3 / 4;
constexpr size_t kInnerSmall = kItemInnerChildrenMax / 4;
constexpr size_t kInnerJoinedMax = kItemInnerChildrenMax * 3 / 4;

}  // namespace

void ItemEditor::Erase(Ref* root_slot, uint64_t from, uint64_t count) {
  if (count == CountBelow(arena_, *root_slot)) {
    line_.Retire(*root_slot);
    *root_slot = kNullRef;
    return;
  }
  EraseBelow(root_slot, from, count);
  while (!IsItemLeaf(*root_slot)) {
    const char* page = arena_.Resolve(*root_slot);
    if (ItemInner(page).count > 1) break;
    const Ref only = ItemChildAt(page, 0, child_bytes_).child;
    line_.Drop(*root_slot);
    *root_slot = only;
  }
}

void ItemEditor::EraseBelow(Ref* slot, uint64_t from, uint64_t count) {
  if (IsItemLeaf(*slot)) {
    EraseFromLeaf(slot, from, count);
  } else {
    EraseFromInner(slot, from, count);
  }
}

void ItemEditor::EraseFromLeaf(Ref* slot, size_t from, size_t count) {
  const char* leaf = arena_.Resolve(*slot);
  const ItemLeafHeader header = ItemLeaf(leaf);
  const size_t begin = OffsetOfPlace(leaf, flavour_, from);
  size_t tail = begin;
  for (size_t i = 0; i < count; ++i) {
    if (ItemIsExternal(leaf + tail, key_bytes_)) line_.Retire(PayloadRef(leaf + tail, key_bytes_));
    tail += ItemBytes(leaf + tail, key_bytes_);
  }
  const size_t left = header.count - count;
  const size_t end = header.end - (tail - begin);
  if (end * 2 < slot->size()) {
    Replaced(slot, NewLeaf(left, LeafBytes(leaf, sizeof(ItemLeafHeader), begin),
                           LeafBytes(leaf, tail, header.end)));
    return;
  }
  char* page = line_.Writable(slot);
  std::memmove(page + begin, page + tail, header.end - tail);
  std::memset(page + end, 0, header.end - end);  // I5
  ItemLeaf(page) = ItemLeafHeader{static_cast<uint16_t>(left), static_cast<uint16_t>(end)};
}

void ItemEditor::EraseFromInner(Ref* slot, uint64_t from, uint64_t count) {
  char* page = line_.Writable(slot);
  uint64_t before = 0;
  const size_t first = ChildOfIndex(page, child_bytes_, from, &before);
  from -= before;
  ItemInner(page).total -= count;
  size_t index = first;
  size_t gone_from = index;
  size_t gone = 0;
  bool small = false;
  for (; count > 0; ++index, from = 0) {
    ItemChild& child = ItemChildAt(page, index, child_bytes_);
    const uint64_t here = std::min(count, child.count - from);
    count -= here;
    if (here == child.count) {
      if (gone++ == 0) gone_from = index;
      line_.Retire(child.child);
    } else {
      EraseBelow(&child.child, from, here);
      child.count -= here;
      small = small || IsSmall(child.child);
    }
  }
  if (gone > 0) RemoveChildren(slot, gone_from, gone);
  if (!small) return;
  // What has lost something is now child `first` and the next one, or one of them.
  size_t left = first > 0 ? first - 1 : 0;
  for (int i = 0; i < 3 && left + 1 < ItemInner(arena_.Resolve(*slot)).count; ++i) {
    if (!Join(slot, left)) ++left;
  }
}

void ItemEditor::RemoveChildren(Ref* slot, size_t from, size_t gone) {
  char* page = line_.Writable(slot);
  char* children = page + sizeof(ItemInnerHeader);
  const size_t count = ItemInner(page).count - gone;
  VERSO_CHECK(count > 0);  // I4
  std::memmove(children + from * child_bytes_, children + (from + gone) * child_bytes_,
               (count - from) * child_bytes_);
  std::memset(children + count * child_bytes_, 0, gone * child_bytes_);  // I5
  ItemInner(page).count = static_cast<uint16_t>(count);
  if (IsOrdered(flavour_)) {
    ItemChild& first = ItemChildAt(page, 0, child_bytes_);
    first.a = 0;  // I3: child 0 has no separator
    first.b = 0;
  }
  if (ItemInnerBytes(count, child_bytes_) * 2 < slot->size()) {
    Replaced(slot, NewInner(children, count, slot->aux()));
  }
}

bool ItemEditor::IsSmall(const Ref& ref) const {
  const char* page = arena_.Resolve(ref);
  return IsItemLeaf(ref) ? ItemLeaf(page).end < kLeafSmallBytes
                         : ItemInner(page).count < kInnerSmall;
}

bool ItemEditor::Join(Ref* slot, size_t left) {
  char* page = line_.Writable(slot);
  ItemChild& one = ItemChildAt(page, left, child_bytes_);
  const ItemChild& other = ItemChildAt(page, left + 1, child_bytes_);
  if (!IsSmall(one.child) && !IsSmall(other.child)) return false;
  const Ref joined =
      IsItemLeaf(one.child) ? JoinLeaves(one.child, other.child) : JoinInner(one, other);
  if (!joined) return false;
  line_.Drop(one.child);
  line_.Drop(other.child);
  one.child = joined;
  one.count += other.count;
  RemoveChildren(slot, left + 1, 1);
  return true;
}

// Null: they do not fit well.
Ref ItemEditor::JoinLeaves(const Ref& left, const Ref& right) {
  const char* one = arena_.Resolve(left);
  const char* other = arena_.Resolve(right);
  const size_t count = size_t{ItemLeaf(one).count} + ItemLeaf(other).count;
  const size_t bytes = size_t{ItemLeaf(one).end} + ItemLeaf(other).end;
  if (bytes > kLeafJoinedBytesMax || count > kLeafJoinedItemsMax) return kNullRef;
  return NewLeaf(count, LeafBytes(one, sizeof(ItemLeafHeader), ItemLeaf(one).end),
                 LeafBytes(other, sizeof(ItemLeafHeader), ItemLeaf(other).end));
}

Ref ItemEditor::JoinInner(const ItemChild& left, const ItemChild& right) {
  const char* one = arena_.Resolve(left.child);
  const char* other = arena_.Resolve(right.child);
  const size_t first = ItemInner(one).count;
  const size_t second = ItemInner(other).count;
  if (first + second > kInnerJoinedMax) return kNullRef;
  char all[kInnerJoinedMax * sizeof(ItemChild)];
  std::memcpy(all, one + sizeof(ItemInnerHeader), first * child_bytes_);
  std::memcpy(all + first * child_bytes_, other + sizeof(ItemInnerHeader), second * child_bytes_);
  if (IsOrdered(flavour_)) {
    auto& middle = *reinterpret_cast<ItemChild*>(all + first * child_bytes_);
    middle.a = right.a;
    middle.b = right.b;
  }
  return NewInner(all, first + second, left.child.aux());
}

// ---- what callers see

void ItemsEraseRange(Line& line, Ref* root_slot, uint64_t from, uint64_t count) {
  if (count == 0) return;
  const uint64_t all = ItemsCount(line.arena(), *root_slot);
  VERSO_CHECK(from < all);
  VERSO_CHECK(count <= all - from);
  ItemEditor(line, ItemFlavourOf(root_slot->aux())).Erase(root_slot, from, count);
}

void ItemsEraseAt(Line& line, Ref* root_slot, uint64_t index) {
  ItemsEraseRange(line, root_slot, index, 1);
}

bool ItemsErase(Line& line, Ref* root_slot, const Item& item) {
  const std::optional<uint64_t> index = ItemsIndexOf(line.arena(), *root_slot, item);
  if (!index) return false;
  ItemsEraseAt(line, root_slot, *index);
  return true;
}

}  // namespace verso::storage
