// Checks of the item tree: of one page that comes from a disk, and of a whole tree in memory.
#include <algorithm>

#include "storage/index/item_tree_leaf.h"
#include "storage/index/rope.h"

namespace verso::storage {
namespace {

bool IsZero(const char* from, const char* to) {
  return std::all_of(from, to, [](char byte) { return byte == 0; });
}

bool AuxIsGood(const Ref& ref) {
  return ref.aux() >> 8 == 0 && (ref.aux() >> 4) < kItemFlavourCount;
}

bool LeafShapeIsGood(const Ref& leaf) {
  return leaf.kind() == PageKind::kItemLeaf && AuxIsGood(leaf) && ItemHeight(leaf.aux()) == 0 &&
         leaf.size() > sizeof(ItemLeafHeader) && leaf.size() <= kItemLeafBytesMax;
}

bool InnerShapeIsGood(const Ref& inner) {
  if (inner.kind() != PageKind::kItemInner || !AuxIsGood(inner)) return false;
  const int height = ItemHeight(inner.aux());
  const size_t child_bytes = ItemChildBytes(ItemFlavourOf(inner.aux()));
  return height >= 1 && height <= kItemHeightMax && inner.size() > sizeof(ItemInnerHeader) &&
         inner.size() <= ItemInnerBytes(kItemInnerChildrenMax, child_bytes) &&
         (inner.size() - sizeof(ItemInnerHeader)) % (kItemInnerStep * child_bytes) == 0;
}

bool PayloadIsGood(const Ref& payload) {
  if (payload.cell() == 0 || payload.size() == 0) return false;
  return payload.kind() == PageKind::kRope ||
         (payload.kind() == PageKind::kValue && payload.size() <= kItemRunBytesMax);
}

bool ChildIsGood(const Ref& child, uint64_t count, uint16_t parent_aux) {
  if (child.cell() == 0 || count == 0 || child.aux() + 1 != parent_aux) return false;
  return ItemHeight(parent_aux) == 1 ? LeafShapeIsGood(child) && count <= kItemLeafItemsMax
                                     : InnerShapeIsGood(child);
}

// Can b come behind a, as far as the page itself shows? (External payloads lie elsewhere.)
bool MayFollow(ItemFlavour flavour, const ItemView& a, const ItemView& b) {
  switch (flavour) {
    case ItemFlavour::kList:
      return true;
    case ItemFlavour::kZset:
      return a.a < b.a || (a.a == b.a && (a.external() || b.external() || a.bytes <= b.bytes));
    case ItemFlavour::kStream:
      return a.a < b.a || (a.a == b.a && a.b <= b.b);
  }
  return false;
}

class Validator {
 public:
  explicit Validator(const PageArena& arena) : arena_(arena) {}

  // Sort keys below ref must lie in [low, high] where given.
  std::string Walk(const Ref& ref, uint64_t count, const ItemSeparator* low,
                   const ItemSeparator* high) {
    const char* page = arena_.Resolve(ref);
    if (IsItemLeaf(ref)) return Leaf(ref, page, count, low, high);
    if (!CheckItemInner(page, ref)) return "item tree: a damaged inner page (I2, I3, I4, I5)";
    if (ItemInner(page).total != count) return "item tree: a count is not the total below it (I2)";
    const ItemFlavour flavour = ItemFlavourOf(ref.aux());
    const size_t child_bytes = ItemChildBytes(flavour);
    const size_t children = ItemInner(page).count;
    ItemSeparator below{};
    ItemSeparator above{};
    for (size_t i = 0; i < children; ++i) {
      const ItemChild& child = ItemChildAt(page, i, child_bytes);
      const ItemSeparator* from = low;
      const ItemSeparator* to = high;
      if (IsOrdered(flavour) && i > 0) {
        below = {child.a, child.b};
        from = &below;
      }
      if (IsOrdered(flavour) && i + 1 < children) {
        const ItemChild& next = ItemChildAt(page, i + 1, child_bytes);
        above = {next.a, next.b};
        to = &above;
      }
      std::string fault = Walk(child.child, child.count, from, to);
      if (!fault.empty()) return fault;
    }
    return "";
  }

 private:
  std::string Leaf(const Ref& ref, const char* page, uint64_t count, const ItemSeparator* low,
                   const ItemSeparator* high) {
    if (!CheckItemLeaf(page, ref)) return "item tree: a damaged leaf (I1, I5)";
    if (ItemLeaf(page).count != count) return "item tree: a leaf's count is wrong (I2)";
    const ItemFlavour flavour = ItemFlavourOf(ref.aux());
    size_t offset = sizeof(ItemLeafHeader);
    for (size_t i = 0; i < ItemLeaf(page).count; ++i) {
      ItemView item;
      offset = DecodeItem(page, offset, flavour, &item);
      if (item.external() && item.ref.kind() == PageKind::kRope) {
        std::string fault = RopeValidate(arena_, item.ref);
        if (!fault.empty()) return fault;
      }
      if (!IsOrdered(flavour)) continue;
      const ItemSeparator key = SeparatorOf(arena_, flavour, item);
      if (low && key < *low) return "item tree: an item below its separator (I3)";
      if (high && *high < key) return "item tree: an item above a separator (I3)";
      if (have_last_ && !Follows(flavour, item)) return "item tree: items out of order (I1)";
      last_ = Item{item.a, item.b, {}};
      last_bytes_.clear();
      if (flavour == ItemFlavour::kZset) last_bytes_ = Bytes(item);
      have_last_ = true;
    }
    return "";
  }

  bool Follows(ItemFlavour flavour, const ItemView& item) const {
    if (item.a != last_.a) return last_.a < item.a;
    if (flavour == ItemFlavour::kStream) return last_.b <= item.b;
    return ItemCompare(arena_, item, last_bytes_) >= 0;
  }

  std::string Bytes(const ItemView& item) const {
    if (!item.external()) return std::string(item.bytes);
    if (item.ref.kind() == PageKind::kValue) {
      return std::string(arena_.Resolve(item.ref), item.ref.size());
    }
    std::string bytes;
    RopeForEachPiece(arena_, item.ref, 0, RopeLength(arena_, item.ref),
                     [&bytes](ByteView piece) { bytes.append(piece); });
    return bytes;
  }

  const PageArena& arena_;
  bool have_last_ = false;
  Item last_;
  std::string last_bytes_;
};

}  // namespace

bool CheckItemLeaf(const char* page, const Ref& self) {
  if (!LeafShapeIsGood(self)) return false;
  const ItemFlavour flavour = ItemFlavourOf(self.aux());
  const size_t key_bytes = ItemKeyBytes(flavour);
  const ItemLeafHeader header = ItemLeaf(page);
  if (header.count == 0 || header.count > kItemLeafItemsMax || header.end > self.size()) {
    return false;
  }
  size_t offset = sizeof(ItemLeafHeader);
  ItemView last;
  for (size_t i = 0; i < header.count; ++i) {
    if (offset + key_bytes + 1 > header.end) return false;
    const auto length = static_cast<uint8_t>(page[offset + key_bytes]);
    if (length > kItemLengthExternal) return false;
    if (length == kItemLengthLong && offset + key_bytes + 3 > header.end) return false;
    if (offset + ItemBytes(page + offset, key_bytes) > header.end) return false;
    ItemView item;
    offset = DecodeItem(page, offset, flavour, &item);
    if (length == kItemLengthLong &&
        (item.bytes.size() <= kItemLengthShortMax || item.bytes.size() > kItemInlineBytesMax)) {
      return false;
    }
    if (length == kItemLengthExternal && !PayloadIsGood(item.ref)) return false;
    if (i > 0 && !MayFollow(flavour, last, item)) return false;  // I1
    last = item;
  }
  return offset == header.end && IsZero(page + header.end, page + self.size());  // I5
}

bool CheckItemInner(const char* page, const Ref& self) {
  if (!InnerShapeIsGood(self)) return false;
  const ItemFlavour flavour = ItemFlavourOf(self.aux());
  const size_t child_bytes = ItemChildBytes(flavour);
  const ItemInnerHeader header = ItemInner(page);
  if (header.count == 0 || ItemInnerBytes(header.count, child_bytes) > self.size()) return false;
  if (!IsZero(page + 10, page + sizeof(ItemInnerHeader))) return false;
  uint64_t total = 0;
  ItemSeparator last{};
  for (size_t i = 0; i < header.count; ++i) {
    const ItemChild& child = ItemChildAt(page, i, child_bytes);
    if (!ChildIsGood(child.child, child.count, self.aux())) return false;
    total += child.count;
    if (!IsOrdered(flavour)) continue;
    const ItemSeparator separator{child.a, child.b};
    if (i == 0 ? separator != ItemSeparator{} : separator < last) return false;  // I3
    last = separator;
  }
  if (total != header.total) return false;  // I2
  return IsZero(page + sizeof(ItemInnerHeader) + header.count * child_bytes, page + self.size());
}

std::string ItemsValidate(const PageArena& arena, const Ref& root) {
  if (root.null()) return "";
  if (!LeafShapeIsGood(root) && !InnerShapeIsGood(root)) {
    return "item tree: the root is no page of a tree";
  }
  if (!IsItemLeaf(root) && ItemInner(arena.Resolve(root)).count < 2) {
    return "item tree: the root has a single child (I4)";
  }
  return Validator(arena).Walk(root, CountBelow(arena, root), nullptr, nullptr);
}

}  // namespace verso::storage
