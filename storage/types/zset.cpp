#include "storage/types/zset.h"

#include "storage/memory/store.h"
#include "storage/memory/subtree.h"

namespace verso::storage {
namespace {

// The bytes of an item, wherever they stand; `room` is for a rope's.
ByteView MemberBytes(const PageArena& arena, const ItemView& item, std::string* room) {
  if (!item.external()) return item.bytes;
  if (const auto whole = StringContiguous(arena, item.value())) return *whole;
  *room = StringCopy(arena, item.value());
  return *room;
}

double TrieScore(const TrieEntry& entry) {
  return entry.value.bytes.size() == sizeof(double) ? LoadLe<double>(entry.value.bytes.data()) : 0;
}

// visit(ByteView member, double score) in no order.
template <typename Visit>
void ForEachUnordered(const PageArena& arena, const ValueView& zset, Visit&& visit) {
  if (CollectionRef(zset)) {
    ElementTrie(arena, zset).trie().ForEach([&](const TrieEntry& entry) {
      WithElement(arena, entry, [&](ByteView member) { visit(member, TrieScore(entry)); });
    });
    return;
  }
  PackReader pack(PackOf(arena, zset));
  while (pack.left() >= 2) {
    const ByteView member = pack.NextBytes();
    visit(member, UnpackScore(pack.NextBytes()));
  }
}

// The ranks of a pack's members that are neither below the one bound nor above the other, which
// `below(member, score)` and `above(member, score)` tell.
template <typename Below, typename Above>
ZsetRange RangeInPack(ByteView bytes, Below&& below, Above&& above) {
  PackReader pack(bytes);
  ZsetRange range;
  for (bool in_range = false; pack.left() >= 2;) {
    const ByteView member = pack.NextBytes();
    const double score = UnpackScore(pack.NextBytes());
    if (!in_range && below(member, score)) {
      ++range.from;
      continue;
    }
    in_range = true;
    if (above(member, score)) break;
    ++range.count;
  }
  return range;
}

ZsetRange Between(uint64_t from, uint64_t to) { return {from, to > from ? to - from : 0}; }

bool IsBelow(ByteView member, const LexBound& min) {
  if (min.kind == LexBound::Kind::kLowest) return false;
  if (min.kind == LexBound::Kind::kHighest) return true;
  const int order = member.compare(min.member);
  return order < 0 || (order == 0 && min.kind == LexBound::Kind::kExcluded);
}

bool IsAbove(ByteView member, const LexBound& max) {
  if (max.kind == LexBound::Kind::kHighest) return false;
  if (max.kind == LexBound::Kind::kLowest) return true;
  const int order = member.compare(max.member);
  return order > 0 || (order == 0 && max.kind == LexBound::Kind::kExcluded);
}

// How many members of one score are below a bound; those equal to it too, if `equal`.
uint64_t RankOfLex(const PageArena& arena, const Ref& tree, uint64_t a, const LexBound& bound,
                   bool equal) {
  if (bound.kind == LexBound::Kind::kLowest) return 0;
  if (bound.kind == LexBound::Kind::kHighest) return ItemsCount(arena, tree);
  return ItemsRank(arena, tree, ItemBound{Item{a, 0, bound.member}, equal});
}

std::string ValidatePack(ByteView bytes) {
  PackReader pack(bytes);
  PackItem member;
  PackItem packed;
  PackItem before;
  double score_before = 0;
  if (pack.left() == 0 || pack.left() % 2 != 0) return "zset: a pack that is not of pairs";
  for (bool first = true; pack.Next(&member) && pack.Next(&packed); first = false) {
    const double score = UnpackScore(packed.bytes);
    if (!first &&
        !(score_before < score || (score_before == score && before.bytes < member.bytes))) {
      return "zset: a pack out of order";
    }
    before = member;
    score_before = score;
  }
  return packed.end == bytes.size() ? "" : "zset: a damaged pack";
}

}  // namespace

Ref ZsetTree(const PageArena& arena, const ValueView& zset) {
  const Ref collection = CollectionRef(zset);
  if (!collection || collection.size() < CollectionBytes(2)) return kNullRef;
  const Ref& tree = CollectionRefs(arena.Resolve(collection))[1];
  const bool is_zset =
      (tree.kind() == PageKind::kItemLeaf || tree.kind() == PageKind::kItemInner) &&
      ItemFlavourOf(tree.aux()) == ItemFlavour::kZset;
  return is_zset ? tree : kNullRef;  // else a damaged store: an empty sorted set
}

uint64_t ZsetCount(const PageArena& arena, const ValueView& zset) {
  if (CollectionRef(zset)) return ItemsCount(arena, ZsetTree(arena, zset));
  return PackCount(PackOf(arena, zset)) / 2;
}

std::optional<double> ZsetScoreKey(const PageArena& arena, const ValueView& zset,
                                   const Key& member) {
  if (CollectionRef(zset)) {
    const std::optional<TrieEntry> entry = ElementTrie(arena, zset).trie().Find(member);
    return entry ? std::optional(TrieScore(*entry)) : std::nullopt;
  }
  PackReader pack(PackOf(arena, zset));
  while (pack.left() >= 2) {
    const bool found = pack.NextBytes() == member.bytes;
    const ByteView score = pack.NextBytes();
    if (found) return UnpackScore(score);
  }
  return std::nullopt;
}

std::optional<double> ZsetScore(const ReadView& view, const ValueView& zset, ByteView member) {
  // A pack is searched by bytes alone.
  return ZsetScoreKey(view.arena(), zset,
                      CollectionRef(zset) ? view.MakeKey(member) : Key{member, 0});
}

void ZsetPrefetch(const PageArena& arena, const ValueView& zset, const Key* members, size_t count) {
  if (CollectionRef(zset)) ElementTrie(arena, zset).trie().Prefetch(members, count);
}

std::optional<ZsetPlace> ZsetFind(const ReadView& view, const ValueView& zset, ByteView member) {
  if (const Ref tree = ZsetTree(view.arena(), zset)) {
    const std::optional<double> score = ZsetScore(view, zset, member);
    if (!score) return std::nullopt;
    const Item item{ScoreOrder(*score), 0, member};
    const std::optional<uint64_t> rank = ItemsIndexOf(view.arena(), tree, item);
    return rank ? std::optional(ZsetPlace{*rank, *score}) : std::nullopt;
  }
  PackReader pack(PackOf(view.arena(), zset));
  for (ZsetPlace place; pack.left() >= 2; ++place.rank) {
    const bool found = pack.NextBytes() == member;
    const ByteView score = pack.NextBytes();
    if (found) return ZsetPlace{place.rank, UnpackScore(score)};
  }
  return std::nullopt;
}

ZsetRange ZsetRangeByScore(const PageArena& arena, const ValueView& zset, const ScoreRange& range) {
  if (const Ref tree = ZsetTree(arena, zset)) {
    const auto rank = [&](double score, bool behind) {
      return ItemsRank(arena, tree, ItemBound{Item{ScoreOrder(score) + behind, 0, {}}, false});
    };
    return Between(rank(range.min, range.min_excluded), rank(range.max, !range.max_excluded));
  }
  return RangeInPack(
      PackOf(arena, zset),
      [&](ByteView, double score) {
        return range.min_excluded ? score <= range.min : score < range.min;
      },
      [&](ByteView, double score) {
        return range.max_excluded ? score >= range.max : score > range.max;
      });
}

ZsetRange ZsetRangeByLex(const PageArena& arena, const ValueView& zset, const LexRange& range) {
  if (const Ref tree = ZsetTree(arena, zset)) {
    const uint64_t a = ItemsAt(arena, tree, 0)->a;
    const bool min_excluded = range.min.kind == LexBound::Kind::kExcluded;
    const bool max_included = range.max.kind == LexBound::Kind::kIncluded;
    return Between(RankOfLex(arena, tree, a, range.min, min_excluded),
                   RankOfLex(arena, tree, a, range.max, max_included));
  }
  return RangeInPack(
      PackOf(arena, zset), [&](ByteView member, double) { return IsBelow(member, range.min); },
      [&](ByteView member, double) { return IsAbove(member, range.max); });
}

ZsetItemScores::ZsetItemScores(const ReadView& view, const ValueView& zset)
    : view_(view), zset_(zset) {
  const Ref collection = CollectionRef(zset);
  if (!collection) return;
  negative_zero_ = CollectionAt(view.arena().Resolve(collection)).scalars[1] == kZsetNegativeZero;
}

double ZsetItemScores::OfZero(const ItemView& item) const {
  std::string room;
  return ZsetScore(view_, zset_, MemberBytes(view_.arena(), item, &room)).value_or(0);
}

uint64_t ZsetScan(const ReadView& view, const ValueView& zset, uint64_t cursor, uint64_t count,
                  const ZsetVisitor& visit) {
  if (!CollectionRef(zset)) {
    ForEachUnordered(view.arena(), zset, visit);
    return 0;
  }
  return ElementTrie(view.arena(), zset)
      .trie()
      .Scan(cursor, count, view.secret(), [&](const TrieEntry& entry) {
        WithElement(view.arena(), entry, [&](ByteView member) { visit(member, TrieScore(entry)); });
      });
}

uint64_t ZsetMemberBytes(const PageArena& arena, const ValueView& zset) {
  if (!CollectionRef(zset)) return PackOf(arena, zset).size();
  // Beside a member stand its score and its length, at least.
  return SubtreeBytes(arena, ZsetTree(arena, zset)) - 9 * ZsetCount(arena, zset);
}

void DigestZset(const PageArena& arena, const ValueView& value, ContentHash* into) {
  ContentHash element;
  Digest sum;
  uint64_t count = 0;
  ForEachUnordered(arena, value, [&](ByteView member, double score) {
    element.Reset();
    element.Item(member);
    element.Number(std::bit_cast<uint64_t>(score));
    sum.Add(element.Finish());
    ++count;
  });
  into->Number(count);
  into->Add(sum);
}

const char* ZsetEncoding(const PageArena&, const ValueView& value) {
  return CollectionRef(value) ? "skiplist" : "listpack";
}

std::string ValidateZset(const PageArena& arena, const ValueView& value, const HashSecret& secret) {
  const Ref collection = CollectionRef(value);
  if ((value.hint == kCollectionLarge) != bool{collection}) {
    return "zset: its form is not what its hint says";
  }
  if (!collection) return ValidatePack(PackOf(arena, value));
  if (std::string fault = ValidateElements(arena, value, secret); !fault.empty()) return fault;
  const Ref tree = ZsetTree(arena, value);
  if (std::string fault = ItemsValidate(arena, tree); !fault.empty()) return fault;
  if (ItemsCount(arena, tree) != ElementTrie(arena, value).count()) {
    return "zset: the tree and the trie have different members";
  }
  const bool negative_zero =
      CollectionAt(arena.Resolve(collection)).scalars[1] == kZsetNegativeZero;
  std::string fault;
  ForEachUnordered(arena, value, [&](ByteView member, double score) {
    if (std::isnan(score) || (IsNegativeZero(score) && !negative_zero)) {
      fault = "zset: a score that must not be";
    } else if (!ItemsIndexOf(arena, tree, Item{ScoreOrder(score), 0, member})) {
      fault = "zset: the tree and the trie have different scores (Z1)";
    }
  });
  return fault;
}

uint64_t ZsetEstimate(const PageArena& arena, const ValueView* zset, uint64_t members,
                      uint64_t bytes) {
  // The paths that are copied: one in the trie, and in the tree a leaf with its halves and the
  // inner pages; all together not more than there is.
  constexpr uint64_t kPath = Store::kBytesPerKeyWrite + 32 * 1024;
  uint64_t copies = 0;
  const Ref collection = zset != nullptr ? CollectionRef(*zset) : kNullRef;
  if (collection) {
    copies = members * kPath;
    // The walk that tells how much there is must not cost more than the changes.
    if (members > 64 + ZsetCount(arena, *zset) / 64) {
      copies = std::min(copies, 2 * SubtreeBytes(arena, collection));
    }
  }
  // What is new stands twice, in leaves that may be half empty and were smaller before.
  const uint64_t fresh = 4 * bytes + 160 * members;
  constexpr uint64_t kBecomesLarge = 64 * 1024 + 4 * kPackBytesMax;
  constexpr uint64_t kRopeRoots = 4 * 4096;  // of the longest member
  return copies + fresh + kBecomesLarge + kRopeRoots + Store::kBytesPerWrite + ItemsEstimate(1, 0);
}

}  // namespace verso::storage
