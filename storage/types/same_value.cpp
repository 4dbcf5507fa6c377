#include "storage/types/same_value.h"

#include <bit>

#include "storage/index/hash_trie_pair.h"
#include "storage/index/item_tree_pair.h"
#include "storage/index/rope_pair.h"
#include "storage/types/hash_value.h"
#include "storage/types/list.h"
#include "storage/types/set_value.h"
#include "storage/types/stream_value.h"
#include "storage/types/zset.h"

namespace verso::storage {
namespace {

// Two tries have the same keys, and same(a, b) holds for the values that are not one and the same.
template <typename Same>
bool SameTries(const ReadView& view, const Ref& a, const Ref& b, Same&& same) {
  TriePair pair(view.arena(), a, b, view.secret());
  bool equal = true;
  uint64_t from = 0;
  do {
    from = pair.Next(from, [&](const TrieEntry* one, const TrieEntry* other) {
      equal = equal && one != nullptr && other != nullptr && same(one->value, other->value);
    });
  } while (from != 0 && equal);
  return equal;
}

// Large hashes, sets, sorted sets: their elements and what stands beside them.
bool SameElements(const ReadView& view, const ValueView& a, const ValueView& b) {
  const PageArena& arena = view.arena();
  const Ref one = CollectionRef(a);
  const Ref other = CollectionRef(b);
  return SameTries(
      view, CollectionTrie(arena.Resolve(one), one, 0),
      CollectionTrie(arena.Resolve(other), other, 0),
      [&](const ValueView& x, const ValueView& y) { return StringsEqual(arena, x, y); });
}

bool BothLarge(const ValueView& a, const ValueView& b) {
  return CollectionRef(a) && CollectionRef(b);
}

bool SamePack(const PageArena& arena, const ValueView& a, const ValueView& b) {
  return !CollectionRef(a) && !CollectionRef(b) && a.hint == b.hint &&
         PackOf(arena, a) == PackOf(arena, b);
}

bool SameHash(const ReadView& view, const ValueView& a, const ValueView& b) {
  if (HashCount(view.arena(), a) != HashCount(view.arena(), b)) return false;
  if (BothLarge(a, b)) return SameElements(view, a, b);
  if (SamePack(view.arena(), a, b)) return true;
  const ValueView& small = CollectionRef(a) ? b : a;
  const ValueView& other = CollectionRef(a) ? a : b;
  bool equal = true;
  HashForEach(view.arena(), small, [&](ByteView field, const ValueView& value) {
    if (!equal) return;
    const auto found = HashFind(view, other, field);
    equal = found && StringsEqual(view.arena(), *found, value);
  });
  return equal;
}

bool SameSet(const ReadView& view, const ValueView& a, const ValueView& b) {
  if (SetCount(view.arena(), a) != SetCount(view.arena(), b)) return false;
  if (BothLarge(a, b)) return SameElements(view, a, b);
  if (SamePack(view.arena(), a, b)) return true;
  const ValueView& small = CollectionRef(a) ? b : a;
  const ValueView& other = CollectionRef(a) ? a : b;
  bool equal = true;
  SmallSetForEach(view.arena(), small,
                  [&](ByteView member) { equal = equal && SetContains(view, other, member); });
  return equal;
}

bool SameZset(const ReadView& view, const ValueView& a, const ValueView& b) {
  const uint64_t count = ZsetCount(view.arena(), a);
  if (count != ZsetCount(view.arena(), b)) return false;
  // By the trie, which knows the sign of zero.
  if (BothLarge(a, b)) return SameElements(view, a, b);
  if (!CollectionRef(a) && !CollectionRef(b)) return SamePack(view.arena(), a, b);  // in order
  const ValueView& small = CollectionRef(a) ? b : a;
  const ValueView& large = CollectionRef(a) ? a : b;
  bool equal = true;
  ZsetForEach(view, small, {0, count}, false, [&](const ItemView& member, double score) {
    if (!equal) return;
    const auto found = ZsetScore(view, large, member.bytes);
    equal = found && std::bit_cast<uint64_t>(*found) == std::bit_cast<uint64_t>(score);
  });
  return equal;
}

bool SameList(const ReadView& view, const ValueView& a, const ValueView& b) {
  const PageArena& arena = view.arena();
  const uint64_t count = ListCount(arena, a);
  if (count != ListCount(arena, b)) return false;
  if (BothLarge(a, b)) return ItemsEqual(arena, ListTree(arena, a), ListTree(arena, b));
  if (!CollectionRef(a) && !CollectionRef(b)) return SamePack(arena, a, b);
  const ValueView& small = CollectionRef(a) ? b : a;
  const ValueView& large = CollectionRef(a) ? a : b;
  PackReader pack(PackOf(arena, small));
  bool equal = true;
  ListForEach(arena, large, 0, count, [&](const ItemView& item) {
    equal = equal && ItemEquals(arena, item, pack.NextBytes());
  });
  return equal;
}

bool SameGroup(const ReadView& view, const StreamGroupView& one, const StreamGroupView& other) {
  // Which consumer has what stands in the pending entries of the group (S2), so that of the
  // consumers the names are left.
  return one.last == other.last && one.entries_read == other.entries_read &&
         ItemsEqual(view.arena(), one.pending, other.pending) &&
         SameTries(view, one.consumers, other.consumers,
                   [](const ValueView&, const ValueView&) { return true; });
}

bool SameStream(const ReadView& view, const ValueView& a, const ValueView& b) {
  const StreamView one(view.arena(), a);
  const StreamView other(view.arena(), b);
  return one.last() == other.last() && one.deleted() == other.deleted() &&
         one.entries_added() == other.entries_added() &&
         ItemsEqual(view.arena(), one.entries(), other.entries()) &&
         SameTries(view, one.groups(), other.groups(), [&](const ValueView& x, const ValueView& y) {
           return SameGroup(view, one.GroupOf(x), other.GroupOf(y));
         });
}

}  // namespace

bool SameValue(const ReadView& view, const ValueView& a, const ValueView& b) {
  if (a.type != b.type) return false;
  if (a.external && b.external && a.ref.SamePage(b.ref)) return true;
  switch (a.type) {
    case ValueType::kString:
      return StringsEqual(view.arena(), a, b);
    case ValueType::kList:
      return SameList(view, a, b);
    case ValueType::kSet:
      return SameSet(view, a, b);
    case ValueType::kZset:
      return SameZset(view, a, b);
    case ValueType::kHash:
      return SameHash(view, a, b);
    case ValueType::kStream:
      return SameStream(view, a, b);
  }
  return false;
}

}  // namespace verso::storage
