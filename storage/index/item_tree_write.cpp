// Insertion and replacement in the item tree.
#include "storage/base/check.h"
#include "storage/index/item_tree_edit.h"
#include "storage/index/rope.h"

namespace verso::storage {
namespace {

static_assert(kItemRunBytesMax <= kRopeChunkBytes, "the longest run is the shortest rope's chunk");

Ref BuildPayload(Line& line, ByteView bytes) {
  if (bytes.size() > kItemRunBytesMax) return RopeBuild(line, bytes);
  const Ref run = line.NewPage(PageKind::kValue, bytes.size());
  std::memcpy(line.arena().ResolveMutable(run), bytes.data(), bytes.size());
  return run;
}

}  // namespace

// ---- pages

Ref ItemEditor::NewLeaf(size_t count, ByteView first, ByteView second, ByteView third) {
  const size_t end = sizeof(ItemLeafHeader) + first.size() + second.size() + third.size();
  const size_t bytes = ItemLeafBytes(end);
  VERSO_CHECK(bytes <= kItemLeafBytesMax);
  const Ref leaf = line_.NewPage(PageKind::kItemLeaf, bytes, ItemAux(flavour_, 0));
  char* page = line_.arena().ResolveMutable(leaf);
  char* at = page + sizeof(ItemLeafHeader);
  for (const ByteView piece : {first, second, third}) {
    if (piece.empty()) continue;
    std::memcpy(at, piece.data(), piece.size());
    at += piece.size();
  }
  std::memset(at, 0, bytes - end);  // I5
  ItemLeaf(page) = ItemLeafHeader{static_cast<uint16_t>(count), static_cast<uint16_t>(end)};
  return leaf;
}

Ref ItemEditor::NewInner(const char* children, size_t count, uint16_t aux) {
  const size_t bytes = ItemInnerBytes(count, child_bytes_);
  const Ref inner = line_.NewPage(PageKind::kItemInner, bytes, aux);
  char* page = line_.arena().ResolveMutable(inner);
  const size_t used = count * child_bytes_;
  std::memcpy(page + sizeof(ItemInnerHeader), children, used);
  std::memset(page + sizeof(ItemInnerHeader) + used, 0, bytes - sizeof(ItemInnerHeader) - used);
  uint64_t total = 0;
  for (size_t i = 0; i < count; ++i) total += ItemChildAt(page, i, child_bytes_).count;
  ItemInner(page) = ItemInnerHeader{total, static_cast<uint16_t>(count), {}};
  if (IsOrdered(flavour_)) {
    ItemChild& first = ItemChildAt(page, 0, child_bytes_);
    first.a = 0;  // I3: child 0 has no separator
    first.b = 0;
  }
  return inner;
}

ItemSeparator ItemEditor::FirstSeparator(const Ref& leaf) const {
  ItemView first;
  DecodeItem(arena_.Resolve(leaf), sizeof(ItemLeafHeader), flavour_, &first);
  return SeparatorOf(arena_, flavour_, first);
}

void ItemEditor::Encode(const Item& item, Encoded* encoded) {
  char* at = encoded->bytes;
  if (key_bytes_ > 0) StoreLe(at, item.a);
  if (key_bytes_ > sizeof(uint64_t)) StoreLe(at + sizeof(uint64_t), item.b);
  at += key_bytes_;
  const ByteView bytes = item.bytes;
  if (bytes.size() > kItemInlineBytesMax) {
    *at++ = static_cast<char>(kItemLengthExternal);
    StoreLe(at, BuildPayload(line_, bytes));
    at += sizeof(Ref);
  } else {
    if (bytes.size() <= kItemLengthShortMax) {
      *at++ = static_cast<char>(bytes.size());
    } else {
      *at++ = static_cast<char>(kItemLengthLong);
      StoreLe(at, static_cast<uint16_t>(bytes.size()));
      at += sizeof(uint16_t);
    }
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
    at += bytes.size();
  }
  encoded->size = static_cast<size_t>(at - encoded->bytes);
}

// ---- the way down

void ItemEditor::Insert(Ref* root_slot, const ItemPath& path, const Item& item) {
  Encoded encoded;
  Encode(item, &encoded);
  const ByteView bytes(encoded.bytes, encoded.size);
  if (root_slot->null()) {
    *root_slot = NewLeaf(1, bytes);
    return;
  }
  GrowRoot(root_slot, EditBelow(root_slot, Edit{path, bytes}, 0));
}

void ItemEditor::Replace(Ref* root_slot, const ItemPath& path, ByteView bytes) {
  const char* old = arena_.Resolve(path.leaf) + path.offset;
  Encoded encoded;
  Encode(Item{key_bytes_ > 0 ? LoadLe<uint64_t>(old) : 0,
              key_bytes_ > sizeof(uint64_t) ? LoadLe<uint64_t>(old + sizeof(uint64_t)) : 0, bytes},
         &encoded);
  if (ItemIsExternal(old, key_bytes_)) line_.Retire(PayloadRef(old, key_bytes_));
  const Edit edit{path, ByteView(encoded.bytes, encoded.size), ItemBytes(old, key_bytes_)};
  GrowRoot(root_slot, EditBelow(root_slot, edit, 0));
}

void ItemEditor::GrowRoot(Ref* root_slot, const Sibling& right) {
  if (!right.page) return;
  const int height = IsItemLeaf(*root_slot) ? 1 : ItemHeight(root_slot->aux()) + 1;
  VERSO_CHECK(height <= kItemHeightMax);
  char children[2 * sizeof(ItemChild)] = {};
  auto& first = *reinterpret_cast<ItemChild*>(children);
  first.child = *root_slot;
  first.count = CountBelow(arena_, *root_slot);
  auto& second = *reinterpret_cast<ItemChild*>(children + child_bytes_);
  second.child = right.page;
  second.count = right.count;
  if (IsOrdered(flavour_)) {
    second.a = right.separator.a;
    second.b = right.separator.b;
  }
  *root_slot = NewInner(children, 2, ItemAux(flavour_, height));
}

ItemEditor::Sibling ItemEditor::EditBelow(Ref* slot, const Edit& edit, int depth) {
  if (depth == edit.path.depth) return EditLeaf(slot, edit);
  char* page = line_.Writable(slot);
  const size_t index = edit.path.index[depth];
  ItemChild& child = ItemChildAt(page, index, child_bytes_);
  const Sibling right = EditBelow(&child.child, edit, depth + 1);
  if (edit.removed == 0) {
    ++child.count;
    ++ItemInner(page).total;
  }
  if (!right.page) return {};
  child.count -= right.count;
  return InsertChild(slot, index + 1, right, edit.path);
}

// ---- leaves

ItemEditor::Sibling ItemEditor::EditLeaf(Ref* slot, const Edit& edit) {
  const char* leaf = arena_.Resolve(*slot);
  const ItemLeafHeader header = ItemLeaf(leaf);
  const size_t count = header.count + size_t{edit.removed == 0};
  const size_t end = header.end + edit.item.size() - edit.removed;
  if (end > kItemLeafBytesMax || count > kItemLeafItemsMax) return SplitLeaf(slot, edit);
  const size_t from = edit.path.offset;
  const size_t tail = from + edit.removed;
  if (end > slot->size() || end * 2 < slot->size()) {
    Replaced(slot, NewLeaf(count, LeafBytes(leaf, sizeof(ItemLeafHeader), from), edit.item,
                           LeafBytes(leaf, tail, header.end)));
    return {};
  }
  char* page = line_.Writable(slot);
  std::memmove(page + from + edit.item.size(), page + tail, header.end - tail);
  std::memcpy(page + from, edit.item.data(), edit.item.size());
  if (end < header.end) std::memset(page + end, 0, header.end - end);  // I5
  ItemLeaf(page) = ItemLeafHeader{static_cast<uint16_t>(count), static_cast<uint16_t>(end)};
  return {};
}

ItemEditor::Sibling ItemEditor::SplitLeaf(Ref* slot, const Edit& edit) {
  const char* leaf = arena_.Resolve(*slot);
  const ItemLeafHeader header = ItemLeaf(leaf);
  if (edit.removed == 0 && edit.path.at_end) {  // full leaves stay behind
    const Ref right = NewLeaf(1, edit.item);
    return {right, 1, FirstSeparator(right)};
  }
  if (edit.removed == 0 && edit.path.at_begin) {
    const Ref right = *slot;
    *slot = NewLeaf(1, edit.item);
    return {right, header.count, FirstSeparator(right)};
  }
  char all[kItemLeafBytesMax + kItemBytesMax];
  const size_t tail = edit.path.offset + edit.removed;
  char* at = all;
  for (const ByteView piece : {LeafBytes(leaf, sizeof(ItemLeafHeader), edit.path.offset), edit.item,
                               LeafBytes(leaf, tail, header.end)}) {
    if (piece.empty()) continue;
    std::memcpy(at, piece.data(), piece.size());
    at += piece.size();
  }
  const auto bytes = static_cast<size_t>(at - all);
  const size_t count = header.count + size_t{edit.removed == 0};
  size_t half = 0;
  size_t left = 0;
  while (half < bytes / 2) {
    half += ItemBytes(all + half, key_bytes_);
    ++left;
  }
  // Many tiny items and a long one: both sides keep to the number of items, too.
  while (left > kItemLeafItemsMax || left == count) {
    --left;
    half = 0;
    for (size_t i = 0; i < left; ++i) half += ItemBytes(all + half, key_bytes_);
  }
  Replaced(slot, NewLeaf(left, ByteView(all, half)));
  const Ref right = NewLeaf(count - left, ByteView(all + half, bytes - half));
  return {right, count - left, FirstSeparator(right)};
}

// ---- inner pages

ItemEditor::Sibling ItemEditor::InsertChild(Ref* slot, size_t at, const Sibling& child,
                                            const ItemPath& path) {
  char entry[sizeof(ItemChild)];
  auto& fresh = *reinterpret_cast<ItemChild*>(entry);
  fresh = ItemChild{child.page, child.count, child.separator.a, child.separator.b};
  char* page = line_.Writable(slot);
  const size_t count = ItemInner(page).count;
  char* children = page + sizeof(ItemInnerHeader);
  const size_t before = at * child_bytes_;
  const size_t after = (count - at) * child_bytes_;
  if (ItemInnerBytes(count + 1, child_bytes_) <= slot->size()) {
    std::memmove(children + before + child_bytes_, children + before, after);
    std::memcpy(children + before, entry, child_bytes_);
    ++ItemInner(page).count;
    return {};
  }
  char all[(kItemInnerChildrenMax + 1) * sizeof(ItemChild)];
  std::memcpy(all, children, before);
  std::memcpy(all + before, entry, child_bytes_);
  std::memcpy(all + before + child_bytes_, children + before, after);
  const uint16_t aux = slot->aux();
  if (count < kItemInnerChildrenMax) {
    Replaced(slot, NewInner(all, count + 1, aux));
    return {};
  }
  // What arrives in order at either end leaves full pages behind.
  const bool last = path.at_end && at == count;
  const bool first = path.at_begin && at == 1;
  const size_t left = last ? count : first ? 1 : (count + 1) / 2;
  const auto& middle = *reinterpret_cast<const ItemChild*>(all + left * child_bytes_);
  ItemSeparator separator{};
  if (IsOrdered(flavour_)) separator = {middle.a, middle.b};
  Replaced(slot, NewInner(all, left, aux));
  const Ref right = NewInner(all + left * child_bytes_, count + 1 - left, aux);
  return {right, CountBelow(arena_, right), separator};
}

// ---- what callers see

void ItemsInsertAt(Line& line, Ref* root_slot, uint64_t index, ByteView bytes) {
  ItemPath path;
  if (!root_slot->null()) {
    VERSO_CHECK(ItemFlavourOf(root_slot->aux()) == ItemFlavour::kList);
    VERSO_CHECK(index <= ItemsCount(line.arena(), *root_slot));
    FindItemPlace(line.arena(), *root_slot, index, &path);
  }
  ItemEditor(line, ItemFlavour::kList).Insert(root_slot, path, Item{0, 0, bytes});
}

void ItemsInsert(Line& line, Ref* root_slot, ItemFlavour flavour, const Item& item) {
  VERSO_CHECK(IsOrdered(flavour));
  ItemPath path;
  if (!root_slot->null()) {
    VERSO_CHECK(ItemFlavourOf(root_slot->aux()) == flavour);
    FindItemBound(line.arena(), *root_slot, ItemBound{item, false}, &path);
  }
  ItemEditor(line, flavour).Insert(root_slot, path, item);
}

void ItemsReplaceAt(Line& line, Ref* root_slot, uint64_t index, ByteView bytes) {
  VERSO_CHECK(index < ItemsCount(line.arena(), *root_slot));
  const ItemFlavour flavour = ItemFlavourOf(root_slot->aux());
  VERSO_CHECK(flavour != ItemFlavour::kZset);
  ItemPath path;
  FindItemPlace(line.arena(), *root_slot, index, &path);
  ItemEditor(line, flavour).Replace(root_slot, path, bytes);
}

uint64_t ItemsEstimate(uint64_t writes, uint64_t payload_bytes) {
  // Once: on each of six levels (beyond any memory) the copy of a page and two after a split; the
  // leaf and its neighbours. Then the payloads where they stay, with as much again for leaves that
  // are split, sizes that are rounded up and the pages of ropes; for each its sort key and length.
  constexpr uint64_t kLevels = 6;
  constexpr uint64_t kBesidePayload = 96;
  const uint64_t inner = RunBytes(ItemInnerBytes(kItemInnerChildrenMax, sizeof(ItemChild)));
  return kLevels * 3 * inner + 6 * kItemLeafBytesMax + payload_bytes * 3 + writes * kBesidePayload;
}

uint64_t ItemsEstimateScattered(uint64_t writes, uint64_t payload_bytes) {
  return payload_bytes * 3 + writes * ItemsEstimate(1, 0);
}

}  // namespace verso::storage
