#include "storage/index/item_tree_pair.h"

#include "storage/index/item_tree_leaf.h"
#include "storage/index/rope_pair.h"

namespace verso::storage {
namespace {

// Goes through a tree in order and stands either before a subtree, which may be entered or skipped,
// or on an item of a leaf.
class ItemWalk {
 public:
  ItemWalk(const PageArena& arena, const Ref& root) : arena_(arena), subtree_(root) {
    if (root) flavour_ = ItemFlavourOf(root.aux());
  }

  bool done() const { return !subtree_ && leaf_ == nullptr; }
  const Ref& subtree() const { return subtree_; }  // null: on an item

  // Require: before a subtree.
  void Enter() {
    const char* page = arena_.Resolve(subtree_);
    if (IsItemLeaf(subtree_)) {
      leaf_ = page;
      left_ = ItemLeaf(page).count;
      next_offset_ = sizeof(ItemLeafHeader);
      subtree_ = kNullRef;
      NextItem();
      return;
    }
    if (depth_ == kItemHeightMax) {  // damaged
      Skip();
      return;
    }
    steps_[depth_++] = Step{page, 0};
    EnterChild();
  }
  void Skip() {
    subtree_ = kNullRef;
    while (depth_ > 0) {
      Step& step = steps_[depth_ - 1];
      if (++step.index < ItemInner(step.page).count) {
        EnterChild();
        return;
      }
      --depth_;
    }
  }

  // Require: on an item.
  const ItemView& item() const { return item_; }
  void NextItem() {
    if (left_ == 0) {
      leaf_ = nullptr;
      Skip();
      return;
    }
    --left_;
    next_offset_ = DecodeItem(leaf_, next_offset_, flavour_, &item_);
  }

 private:
  struct Step {
    const char* page;
    uint32_t index;
  };

  void EnterChild() {
    const Step& step = steps_[depth_ - 1];
    subtree_ = ItemChildAt(step.page, step.index, ItemChildBytes(flavour_)).child;
  }

  const PageArena& arena_;
  ItemFlavour flavour_ = ItemFlavour::kList;
  Ref subtree_;
  const char* leaf_ = nullptr;
  uint32_t left_ = 0;
  size_t next_offset_ = 0;
  ItemView item_;
  int depth_ = 0;
  Step steps_[kItemHeightMax];
};

bool SameItem(const PageArena& arena, const ItemView& a, const ItemView& b) {
  return a.a == b.a && a.b == b.b && StringsEqual(arena, a.value(), b.value());
}

}  // namespace

bool ItemsEqual(const PageArena& arena, const Ref& a, const Ref& b) {
  if (ItemsCount(arena, a) != ItemsCount(arena, b)) return false;
  ItemWalk first(arena, a);
  ItemWalk second(arena, b);
  while (!first.done() && !second.done()) {
    const Ref one = first.subtree();
    const Ref other = second.subtree();
    if (one && other) {
      if (one.SamePage(other)) {
        first.Skip();
        second.Skip();
        continue;
      }
      const int height = ItemHeight(one.aux()) - ItemHeight(other.aux());
      if (height >= 0) first.Enter();
      if (height <= 0) second.Enter();
    } else if (one) {
      first.Enter();
    } else if (other) {
      second.Enter();
    } else {
      if (!SameItem(arena, first.item(), second.item())) return false;
      first.NextItem();
      second.NextItem();
    }
  }
  return first.done() && second.done();
}

}  // namespace verso::storage
