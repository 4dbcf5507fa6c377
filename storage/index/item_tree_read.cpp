// The reading half of the item tree: ways down, ranks and cursors.
#include <algorithm>

#include "storage/base/check.h"
#include "storage/index/item_tree_leaf.h"
#include "storage/index/rope.h"

namespace verso::storage {
namespace {

// The first 8 bytes as a number that compares as they do.
uint64_t Prefix(ByteView bytes) {
  uint64_t word = 0;
  if (!bytes.empty()) std::memcpy(&word, bytes.data(), std::min(bytes.size(), sizeof(word)));
  return __builtin_bswap64(word);
}

// The first bytes of a payload: all of it, or at least 8.
ByteView Head(const PageArena& arena, const ItemView& item) {
  if (!item.external()) return item.bytes;
  if (item.ref.kind() == PageKind::kValue) {
    return ByteView(arena.Resolve(item.ref), item.ref.size());
  }
  return RopePieceAt(arena, item.ref, 0);
}

ItemSeparator SeparatorOfItem(ItemFlavour flavour, const Item& item) {
  return {item.a, flavour == ItemFlavour::kZset ? Prefix(item.bytes) : item.b};
}

ItemView FirstItem(const PageArena& arena, const Ref& ref, ItemFlavour flavour) {
  Ref at = ref;
  while (!IsItemLeaf(at)) {
    at = ItemChildAt(arena.Resolve(at), 0, ItemChildBytes(flavour)).child;
  }
  ItemView item;
  DecodeItem(arena.Resolve(at), sizeof(ItemLeafHeader), flavour, &item);
  return item;
}

// Is the item below the place?
bool IsBelow(const PageArena& arena, ItemFlavour flavour, const ItemView& item,
             const ItemBound& bound) {
  if (item.a != bound.item.a) return item.a < bound.item.a;
  if (flavour == ItemFlavour::kStream) {
    return item.b < bound.item.b || (bound.behind && item.b == bound.item.b);
  }
  const int order = ItemCompare(arena, item, bound.item.bytes);
  return order < 0 || (bound.behind && order == 0);
}

// The last child whose first item is below the place, or child 0: what is below the place lies in
// it and in those before it. A stale separator (its item is gone) may name a child too far to the
// right; then nothing in that child is below, which is as right (I3).
size_t ChildOfBound(const PageArena& arena, const char* page, ItemFlavour flavour,
                    const ItemBound& bound, const ItemSeparator& wanted) {
  const size_t child_bytes = ItemChildBytes(flavour);
  size_t low = 0;  // child 0 has no separator
  size_t high = ItemInner(page).count;
  while (high - low > 1) {
    const size_t middle = (low + high) / 2;
    const ItemChild& child = ItemChildAt(page, middle, child_bytes);
    const ItemSeparator separator{child.a, child.b};
    bool below = separator < wanted;
    if (separator == wanted) {
      below = flavour == ItemFlavour::kStream
                  ? bound.behind
                  : IsBelow(arena, flavour, FirstItem(arena, child.child, flavour), bound);
    }
    (below ? low : high) = middle;
  }
  return low;
}

}  // namespace

ItemSeparator SeparatorOf(const PageArena& arena, ItemFlavour flavour, const ItemView& item) {
  return {item.a, flavour == ItemFlavour::kZset ? Prefix(Head(arena, item)) : item.b};
}

size_t ChildOfIndex(const char* page, size_t child_bytes, uint64_t index, uint64_t* before) {
  const ItemInnerHeader& header = ItemInner(page);
  if (index <= header.total / 2) {
    size_t child = 0;
    uint64_t sum = 0;
    for (;; ++child) {
      const uint64_t count = ItemChildAt(page, child, child_bytes).count;
      if (index < sum + count) break;
      sum += count;
    }
    *before = sum;
    return child;
  }
  size_t child = header.count;
  uint64_t sum = header.total;
  do {
    sum -= ItemChildAt(page, --child, child_bytes).count;
  } while (index < sum);
  *before = sum;
  return child;
}

ValueView ItemView::value() const {
  ValueView value;
  value.external = external();
  value.bytes = bytes;
  value.ref = ref;
  return value;
}

void FindItemPlace(const PageArena& arena, const Ref& root, uint64_t index, ItemPath* path) {
  const ItemFlavour flavour = ItemFlavourOf(root.aux());
  const size_t child_bytes = ItemChildBytes(flavour);
  path->rank = index;
  path->at_begin = index == 0;
  path->at_end = index == CountBelow(arena, root);
  Ref ref = root;
  while (!IsItemLeaf(ref)) {
    const char* page = arena.Resolve(ref);
    uint64_t before = 0;
    const size_t child = ChildOfIndex(page, child_bytes, index, &before);
    index -= before;
    path->pages[path->depth] = page;
    path->index[path->depth++] = static_cast<uint32_t>(child);
    ref = ItemChildAt(page, child, child_bytes).child;
  }
  path->leaf = ref;
  const char* leaf = arena.Resolve(ref);
  // Pages of a damaged store may disagree about counts: never walk beyond the leaf's own.
  index = std::min<uint64_t>(index, ItemLeaf(leaf).count);
  path->place = static_cast<uint32_t>(index);
  path->offset = static_cast<uint32_t>(path->at_end ? ItemLeaf(leaf).end
                                                    : OffsetOfPlace(leaf, flavour, index));
}

void FindItemBound(const PageArena& arena, const Ref& root, const ItemBound& bound,
                   ItemPath* path) {
  const ItemFlavour flavour = ItemFlavourOf(root.aux());
  const size_t child_bytes = ItemChildBytes(flavour);
  const ItemSeparator wanted = SeparatorOfItem(flavour, bound.item);
  Ref ref = root;
  while (!IsItemLeaf(ref)) {
    const char* page = arena.Resolve(ref);
    const size_t child = ChildOfBound(arena, page, flavour, bound, wanted);
    for (size_t i = 0; i < child; ++i) path->rank += ItemChildAt(page, i, child_bytes).count;
    path->at_begin = path->at_begin && child == 0;
    path->at_end = path->at_end && child + 1 == ItemInner(page).count;
    path->pages[path->depth] = page;
    path->index[path->depth++] = static_cast<uint32_t>(child);
    ref = ItemChildAt(page, child, child_bytes).child;
  }
  path->leaf = ref;
  const char* leaf = arena.Resolve(ref);
  const uint32_t count = ItemLeaf(leaf).count;
  size_t offset = sizeof(ItemLeafHeader);
  uint32_t place = 0;
  ItemView item;
  for (; place < count; ++place) {
    const size_t next = DecodeItem(leaf, offset, flavour, &item);
    if (!IsBelow(arena, flavour, item, bound)) break;
    offset = next;
  }
  path->place = place;
  path->offset = static_cast<uint32_t>(offset);
  path->rank += place;
  path->at_begin = path->at_begin && place == 0;
  path->at_end = path->at_end && place == count;
}

// ---- counts and single items

uint64_t ItemsCount(const PageArena& arena, const Ref& root) {
  return root.null() ? 0 : CountBelow(arena, root);
}

uint64_t ItemsRank(const PageArena& arena, const Ref& root, const ItemBound& bound) {
  if (root.null()) return 0;
  ItemPath path;
  FindItemBound(arena, root, bound, &path);
  return path.rank;
}

std::optional<ItemView> ItemsAt(const PageArena& arena, const Ref& root, uint64_t index) {
  if (index >= ItemsCount(arena, root)) return std::nullopt;
  ItemPath path;
  FindItemPlace(arena, root, index, &path);
  if (path.place == ItemLeaf(arena.Resolve(path.leaf)).count) return std::nullopt;
  ItemView item;
  DecodeItem(arena.Resolve(path.leaf), path.offset, ItemFlavourOf(root.aux()), &item);
  return item;
}

ItemCursor ItemCursor::Exactly(const PageArena& arena, const Ref& root, const Item& item) {
  ItemCursor at = From(arena, root, ItemBound{item, false});
  // Not below it, and not above it either?
  if (at.valid() && !IsBelow(arena, at.flavour_, at.item_, ItemBound{item, true})) {
    at.leaf_ = nullptr;
  }
  return at;
}

std::optional<ItemView> ItemsFind(const PageArena& arena, const Ref& root, const Item& item) {
  const ItemCursor at = ItemCursor::Exactly(arena, root, item);
  return at.valid() ? std::optional(at.item()) : std::nullopt;
}

std::optional<uint64_t> ItemsIndexOf(const PageArena& arena, const Ref& root, const Item& item) {
  const ItemCursor at = ItemCursor::Exactly(arena, root, item);
  return at.valid() ? std::optional(at.index()) : std::nullopt;
}

int ItemCompare(const PageArena& arena, const ItemView& item, ByteView bytes) {
  if (item.external()) {
    if (item.ref.kind() == PageKind::kRope) return RopeCompare(arena, item.ref, bytes);
    return ByteView(arena.Resolve(item.ref), item.ref.size()).compare(bytes);
  }
  return item.bytes.compare(bytes);
}

bool ItemEquals(const PageArena& arena, const ItemView& item, ByteView bytes) {
  if (!item.external()) [[likely]]
    return item.bytes == bytes;
  return bytes.size() > kItemInlineBytesMax && ItemCompare(arena, item, bytes) == 0;
}

// ---- cursors

ItemCursor ItemCursor::At(const PageArena& arena, const Ref& root, uint64_t index) {
  ItemCursor at(arena);
  if (index >= ItemsCount(arena, root)) return at;
  ItemPath path;
  FindItemPlace(arena, root, index, &path);
  at.Follow(path);
  if (at.place_ == at.count_) {
    at.leaf_ = nullptr;
  } else {
    at.Load();
  }
  return at;
}

ItemCursor ItemCursor::From(const PageArena& arena, const Ref& root, const ItemBound& bound) {
  ItemCursor at(arena);
  if (root.null()) return at;
  ItemPath path;
  FindItemBound(arena, root, bound, &path);
  at.Follow(path);
  if (at.place_ < at.count_) {
    at.Load();
  } else {
    at.ToNextLeaf();
  }
  return at;
}

ItemCursor ItemCursor::Before(const PageArena& arena, const Ref& root, const ItemBound& bound) {
  ItemCursor at(arena);
  if (root.null()) return at;
  ItemPath path;
  FindItemBound(arena, root, bound, &path);
  at.Follow(path);
  at.Prev();
  return at;
}

void ItemCursor::Follow(const ItemPath& path) {
  depth_ = path.depth;
  for (int i = 0; i < depth_; ++i) steps_[i] = Step{path.pages[i], path.index[i]};
  EnterLeaf(path.leaf);
  place_ = path.place;
  offset_ = path.offset;
  leaf_first_ = path.rank - path.place;
}

void ItemCursor::EnterLeaf(const Ref& ref) {
  leaf_ = arena_->Resolve(ref);
  flavour_ = ItemFlavourOf(ref.aux());
  count_ = ItemLeaf(leaf_).count;
  place_ = 0;
  offset_ = sizeof(ItemLeafHeader);
  offsets_known_ = false;
}

void ItemCursor::Load() {
  next_offset_ = static_cast<uint32_t>(DecodeItem(leaf_, offset_, flavour_, &item_));
}

void ItemCursor::Descend(const Ref& ref, bool to_last) {
  const size_t child_bytes = ItemChildBytes(flavour_);
  Ref at = ref;
  while (!IsItemLeaf(at)) {
    const char* page = arena_->Resolve(at);
    const uint32_t index = to_last ? ItemInner(page).count - uint32_t{1} : 0;
    steps_[depth_++] = Step{page, index};
    at = ItemChildAt(page, index, child_bytes).child;
  }
  EnterLeaf(at);
}

void ItemCursor::Next() {
  if (++place_ == count_) {
    ToNextLeaf();
    return;
  }
  offset_ = next_offset_;
  Load();
}

void ItemCursor::Prev() {
  if (place_ == 0) {
    ToPrevLeaf();
    return;
  }
  SetPlace(place_ - 1);
}

void ItemCursor::SetPlace(uint32_t place) {
  if (!offsets_known_) {
    const size_t key_bytes = ItemKeyBytes(flavour_);
    size_t offset = sizeof(ItemLeafHeader);
    for (uint32_t i = 0; i < count_; ++i) {
      offsets_[i] = static_cast<uint16_t>(offset);
      offset += ItemBytes(leaf_ + offset, key_bytes);
    }
    offsets_known_ = true;
  }
  place_ = place;
  offset_ = offsets_[place];
  Load();
}

void ItemCursor::ToNextLeaf() {
  const size_t child_bytes = ItemChildBytes(flavour_);
  while (depth_ > 0) {
    Step& step = steps_[depth_ - 1];
    if (++step.index < ItemInner(step.page).count) {
      leaf_first_ += count_;
      Descend(ItemChildAt(step.page, step.index, child_bytes).child, false);
      Load();
      return;
    }
    --depth_;
  }
  leaf_ = nullptr;
}

void ItemCursor::ToPrevLeaf() {
  const size_t child_bytes = ItemChildBytes(flavour_);
  while (depth_ > 0) {
    Step& step = steps_[depth_ - 1];
    if (step.index > 0) {
      Descend(ItemChildAt(step.page, --step.index, child_bytes).child, true);
      leaf_first_ -= count_;
      SetPlace(count_ - 1);
      return;
    }
    --depth_;
  }
  leaf_ = nullptr;
}

}  // namespace verso::storage
