#include "storage/types/list.h"

#include <algorithm>

#include "storage/memory/subtree.h"

namespace verso::storage {
namespace {

// One search over elements that come in order from either end.
class Finder {
 public:
  Finder(const PageArena& arena, const ListSearch& search) : arena_(arena), search_(search) {}

  // False: the search has ended.
  bool Take(uint64_t index, const ItemView& item) {
    ++compared_;
    if (ItemEquals(arena_, item, search_.element) && ++matched_ > search_.skip) {
      found_.push_back(index);
    }
    return (search_.count == 0 || found_.size() < search_.count) &&
           (search_.compared == 0 || compared_ < search_.compared);
  }
  std::vector<uint64_t> TakeFound() { return std::move(found_); }

 private:
  const PageArena& arena_;
  const ListSearch& search_;
  uint64_t compared_ = 0;
  uint64_t matched_ = 0;
  std::vector<uint64_t> found_;
};

}  // namespace

Ref ListTree(const PageArena& arena, const ValueView& value) {
  const Ref page = CollectionRef(value);
  if (!page) return kNullRef;
  const Ref& tree = CollectionRefs(arena.Resolve(page))[0];
  const bool is_list =
      (tree.kind() == PageKind::kItemLeaf || tree.kind() == PageKind::kItemInner) &&
      ItemFlavourOf(tree.aux()) == ItemFlavour::kList;
  return is_list ? tree : kNullRef;  // else a damaged store: an empty list
}

uint64_t ListCount(const PageArena& arena, const ValueView& value) {
  if (CollectionRef(value)) return ItemsCount(arena, ListTree(arena, value));
  return PackCount(PackOf(arena, value));
}

std::optional<ItemView> ListAt(const PageArena& arena, const ValueView& value, uint64_t index) {
  if (const Ref tree = ListTree(arena, value)) return ItemsAt(arena, tree, index);
  if (index >= ListCount(arena, value)) return std::nullopt;
  PackReader pack(PackOf(arena, value));
  for (PackItem skipped; index > 0; --index) pack.Next(&skipped);
  ItemView item;
  item.bytes = pack.NextBytes();
  return item;
}

std::vector<uint64_t> ListFind(const PageArena& arena, const ValueView& value,
                               const ListSearch& search) {
  Finder finder(arena, search);
  const uint64_t count = ListCount(arena, value);
  if (const Ref tree = ListTree(arena, value)) {
    auto at = ItemCursor::At(arena, tree, search.backwards ? count - 1 : 0);
    while (at.valid() && finder.Take(at.index(), at.item())) {
      search.backwards ? at.Prev() : at.Next();
    }
    return finder.TakeFound();
  }
  uint64_t index = search.backwards ? count : 0;
  bool done = false;
  const auto take = [&](const ItemView& item) {
    if (!done) done = !finder.Take(search.backwards ? --index : index++, item);
  };
  if (search.backwards) {
    ListForEachDown(arena, value, count, count, take);
  } else {
    ListForEach(arena, value, 0, count, take);
  }
  return finder.TakeFound();
}

void DigestList(const PageArena& arena, const ValueView& value, ContentHash* into) {
  const uint64_t count = ListCount(arena, value);
  into->Number(count);
  ListForEach(arena, value, 0, count, [&](const ItemView& item) {
    const ValueView element = item.value();
    const size_t length = StringLength(arena, element);
    into->Number(length);
    StringForEachPiece(arena, element, 0, length, [into](ByteView piece) { into->Bytes(piece); });
  });
}

const char* ListEncoding(const PageArena&, const ValueView& value) {
  return value.hint == kCollectionLarge ? "quicklist" : "listpack";
}

std::string ValidateList(const PageArena& arena, const ValueView& value, const HashSecret&) {
  if ((value.hint == kCollectionLarge) != !CollectionRef(value).null()) {
    return "list: its form is not what its hint says";
  }
  if (ListCount(arena, value) == 0) return "list: empty (L3)";
  if (CollectionRef(value)) return ItemsValidate(arena, ListTree(arena, value));
  const ByteView bytes = PackOf(arena, value);
  PackReader pack(bytes);
  PackItem item;
  while (pack.Next(&item)) {
  }
  return item.end == bytes.size() ? "" : "list: a damaged pack";
}

uint64_t ListEstimate(uint64_t elements, uint64_t element_bytes) {
  // A pack laid out anew twice, or its elements put into a tree one by one: leaves of at least a
  // byte an element, with as much again while they grow.
  constexpr uint64_t kFormBytes = 8 * kPackBytesMax;
  return kFormBytes + ItemsEstimate(elements, element_bytes);
}

uint64_t ListEstimateScattered(const PageArena& arena, const ValueView& value) {
  const Ref page = CollectionRef(value);
  // At worst each of its pages is copied, and laid out again once.
  return ListEstimate(1, 0) + (page ? 2 * SubtreeBytes(arena, page) : 0);
}

}  // namespace verso::storage
