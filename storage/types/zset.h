// Sorted sets. A small one is a pack of member, score, member, score, in order of (score, member),
// scores as zset_score.h packs them. A large one has in its collection page
//
//   refs[0]  a hash trie: member -> score, 8 bytes as they are     scalars[0]  members
//   refs[1]  an item tree of the members by (score, member)        scalars[1]  kZsetNegativeZero
//
// Z1 Both structures of a large one hold the same members; the item's score is that of the trie,
//    but for the sign of zero: -0 and 0 stand at the same place in the order, so that the tree
//    cannot tell them apart. Where scalars[1] says that a score may be -0, the trie is asked.
// Z2 It becomes large when a member is longer, or members are more, than CollectionLimits say, or
//    the pack than kPackBytesMax, and stays so.
// Z3 An empty sorted set does not exist: the key goes.
//
// Members are shown as ItemView: bytes that stand in the pack or leaf, or a reference to a string.
// Places in the order ("ranks") count from 0, the lowest score first.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/index/item_tree.h"
#include "storage/keyspace/keyspace.h"
#include "storage/types/collection.h"
#include "storage/types/collection_limits.h"
#include "storage/types/content_hash.h"
#include "storage/types/element_trie.h"
#include "storage/types/pack.h"
#include "storage/types/zset_score.h"

namespace verso::storage {

inline constexpr uint64_t kZsetNegativeZero = 1;

// ---- reading. Requires of all: a sorted set.

uint64_t ZsetCount(const PageArena& arena, const ValueView& zset);
std::optional<double> ZsetScore(const ReadView& view, const ValueView& zset, ByteView member);
// With a member that was hashed for ZsetPrefetch.
std::optional<double> ZsetScoreKey(const PageArena& arena, const ValueView& zset,
                                   const Key& member);
// Prefetches what ZsetScore or a change of these members touches; nothing for a small one.
void ZsetPrefetch(const PageArena& arena, const ValueView& zset, const Key* members, size_t count);

struct ZsetPlace {
  uint64_t rank = 0;
  double score = 0;
};
std::optional<ZsetPlace> ZsetFind(const ReadView& view, const ValueView& zset, ByteView member);

// The tree of a large one; null for a packed one.
Ref ZsetTree(const PageArena& arena, const ValueView& zset);

// [from, from + count) by rank.
struct ZsetRange {
  uint64_t from = 0;
  uint64_t count = 0;
};

struct ScoreRange {
  double min = 0;
  double max = 0;
  bool min_excluded = false;
  bool max_excluded = false;
};
ZsetRange ZsetRangeByScore(const PageArena& arena, const ValueView& zset, const ScoreRange& range);

// Members as strings of bytes, between two bounds. Means something where all scores are the same.
struct LexBound {
  enum class Kind : uint8_t { kLowest, kIncluded, kExcluded, kHighest };
  Kind kind = Kind::kLowest;
  ByteView member;
};
struct LexRange {
  LexBound min;
  LexBound max;
};
ZsetRange ZsetRangeByLex(const PageArena& arena, const ValueView& zset, const LexRange& range);

// The scores of items in the tree of a large one.
class ZsetItemScores {
 public:
  ZsetItemScores(const ReadView& view, const ValueView& zset);

  double Of(const ItemView& item) const {
    const double score = ScoreOfOrder(item.a);
    return score == 0 && negative_zero_ ? OfZero(item) : score;
  }

 private:
  double OfZero(const ItemView& item) const;

  const ReadView& view_;
  const ValueView& zset_;
  bool negative_zero_ = false;
};

// visit(const ItemView& member, double score) for the members of a range, from its low end up, or
// from its high end down. Requires: they are there.
template <typename Visit>
void ZsetForEach(const ReadView& view, const ValueView& zset, const ZsetRange& range, bool down,
                 Visit&& visit) {
  if (range.count == 0) return;
  const PageArena& arena = view.arena();
  uint64_t left = range.count;
  if (const Ref tree = ZsetTree(arena, zset)) {
    const ZsetItemScores scores(view, zset);
    auto at = ItemCursor::At(arena, tree, down ? range.from + range.count - 1 : range.from);
    for (; left > 0 && at.valid(); --left, down ? at.Prev() : at.Next()) {
      visit(at.item(), scores.Of(at.item()));
    }
    return;
  }
  PackReader pack(PackOf(arena, zset));
  for (uint64_t skip = 2 * range.from; skip > 0 && pack.left() > 0; --skip) pack.NextBytes();
  ItemView member;
  if (!down) {
    for (; left > 0 && pack.left() >= 2; --left) {
      member.bytes = pack.NextBytes();
      visit(const_cast<const ItemView&>(member), UnpackScore(pack.NextBytes()));
    }
    return;
  }
  std::vector<ByteView> pairs;
  pairs.reserve(std::min<size_t>(2 * left, pack.left()));
  for (; left > 0 && pack.left() >= 2; --left) {
    pairs.push_back(pack.NextBytes());
    pairs.push_back(pack.NextBytes());
  }
  for (size_t i = pairs.size(); i > 0; i -= 2) {
    member.bytes = pairs[i - 2];
    visit(const_cast<const ItemView&>(member), UnpackScore(pairs[i - 1]));
  }
}

// As TrieReader::Scan, for members with their scores; all of a small one at once.
using ZsetVisitor = std::function<void(ByteView member, double score)>;
uint64_t ZsetScan(const ReadView& view, const ValueView& zset, uint64_t cursor, uint64_t count,
                  const ZsetVisitor& visit);

// At least the bytes that all members have together, and not much more.
uint64_t ZsetMemberBytes(const PageArena& arena, const ValueView& zset);

// The rows of type_ops.cpp.
void DigestZset(const PageArena& arena, const ValueView& value, ContentHash* into);
const char* ZsetEncoding(const PageArena& arena, const ValueView& value);
std::string ValidateZset(const PageArena& arena, const ValueView& value, const HashSecret& secret);

// ---- writing

// Changes one sorted set, or makes one beside it: any number of changes, then one of the last two
// calls. Bytes handed in must not lie in pages of the line. Requires: room for ZsetEstimate.
class ZsetWriter {
 public:
  // `value`: what FindForWrite answered: a sorted set, or nothing (Set makes one).
  ZsetWriter(WriteView& view, const Key& key, const std::optional<ValueView>& value,
             const CollectionLimits& limits);

  uint64_t count() const;

  // Gives the member the score that decide(std::optional<double> old) answers; nullopt: none, and
  // nothing is changed. A score that compares equal to the old one changes nothing either.
  template <typename Decide>
  void Change(ByteView member, Decide&& decide) {
    const Found found = Find(member);
    const std::optional<double> score = decide(found.score);
    if (score && !(found.score && *found.score == *score)) Put(member, found, *score);
  }
  void Set(ByteView member, double score) {
    Change(member, [score](const std::optional<double>&) { return std::optional(score); });
  }
  bool Erase(ByteView member);  // true: it was there
  // Requires: the range lies within count().
  void EraseRange(const ZsetRange& range);

  // Puts what has become of it and says that the key has changed. Without members the key goes
  // instead, as "del". Requires: something was changed.
  void Finish(const KeyEvent& event);
  // Puts it in the place of whatever the key holds, without a deadline. Requires: made from
  // nothing, not empty.
  void FinishAsNew(const KeyEvent& event);

 private:
  struct Found {
    std::optional<double> score;
    Key key;          // while large
    PackItem member;  // while packed and there
    PackItem packed;
  };

  bool packed() const { return page_ == nullptr && (buffer_ || !CollectionRef(*old_)); }
  ByteView pack() const { return buffer_ ? buffer_->bytes() : PackOf(view_.arena(), *old_); }
  PackBuffer& Buffer();
  char* Page();
  Found Find(ByteView member) const;
  void Put(ByteView member, const Found& found, double score);
  void PutPacked(ByteView member, const Found& found, double score);
  void PutLarge(const Key& member, const std::optional<double>& old, double score);
  void EraseRangeLarge(const ZsetRange& range);
  void MakeLarge();
  ValueView Built();

  WriteView& view_;
  const Key& key_;
  const CollectionLimits& limits_;
  const std::optional<ValueView> old_;
  std::optional<PackBuffer> buffer_;  // while packed and changed
  char* page_ = nullptr;              // while large and writable
  ValueView built_;                   // a collection page made here, not yet put
};

// Upper bound of the payload bytes to reserve for changing so many members of one sorted set (null:
// it is made from nothing), that have so many bytes together; its becoming large included.
uint64_t ZsetEstimate(const PageArena& arena, const ValueView* zset, uint64_t members,
                      uint64_t bytes);

}  // namespace verso::storage
