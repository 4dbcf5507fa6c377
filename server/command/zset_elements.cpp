#include "server/command/zset_elements.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include "server/command/element_reply.h"
#include "server/command/string_reply.h"
#include "storage/base/check.h"

namespace verso::server {

using storage::Access;
using storage::ItemView;
using storage::Key;
using storage::LexBound;
using storage::PageArena;
using storage::ReadView;
using storage::ValueType;
using storage::ValueView;
using storage::WriteView;
using storage::ZsetRange;
using storage::ZsetWriter;

namespace {

// A long range of a large sorted set. The version is pinned, so ranks stay what they are.
class RangeContinuation final : public Continuation {
 public:
  RangeContinuation(const Key& key, const ZsetRange& range, bool down, bool with_scores)
      : key_(key.bytes),
        at_(down ? range.from + range.count - 1 : range.from),
        left_(range.count),
        down_(down),
        with_scores_(with_scores) {}

  bool Run(const ReadView& view, Slice& slice) override {
    const std::optional<ValueView> zset = view.Find(view.MakeKey(key_), Access::kPeek);
    if (!begun_) {
      begun_ = true;
      if (!zset.has_value()) left_ = 0;  // it expired between the command and the pin
      slice.reply().Array(ZsetArrayLength(slice.reply(), left_, with_scores_));
    }
    if (left_ == 0) return true;
    VERSO_CHECK(zset.has_value());
    const storage::ZsetItemScores scores(view, *zset);
    auto item = storage::ItemCursor::At(view.arena(), storage::ZsetTree(view.arena(), *zset), at_);
    while (left_ > 0 && !slice.Spent()) {
      if (!Reply(view.arena(), slice, item.item(), scores)) return false;
      --left_;
      at_ += down_ ? ~uint64_t{0} : 1;
      down_ ? item.Prev() : item.Next();
    }
    return left_ == 0;
  }

 private:
  // False: the member is long, and the slice ended within it.
  bool Reply(const PageArena& arena, Slice& slice, const ItemView& member,
             const storage::ZsetItemScores& scores) {
    ReplyWriter& reply = slice.reply();
    if (!within_ && with_scores_ && reply.resp3()) reply.Array(2);
    if (!member.external()) {
      reply.Bulk(member.bytes);
    } else {
      if (!within_) {
        within_ = true;
        long_member_ = SlicedBulk(0, storage::StringLength(arena, member.value()));
      }
      if (!long_member_.Run(arena, member.value(), slice)) return false;
      within_ = false;
    }
    if (with_scores_) reply.Double(scores.Of(member));
    return true;
  }

  std::string key_;
  uint64_t at_;
  uint64_t left_;
  bool down_;
  bool with_scores_;
  bool begun_ = false;
  bool within_ = false;  // the member at at_
  SlicedBulk long_member_;
};

bool FitsAtOnce(const PageArena& arena, const ValueView& zset, const ZsetRange& range) {
  const storage::Ref tree = storage::ZsetTree(arena, zset);
  if (!tree) return true;  // a pack
  if (range.count > kElementsAtOnce) return false;
  size_t bytes = 0;
  auto at = storage::ItemCursor::At(arena, tree, range.from);
  for (uint64_t left = range.count; left > 0; --left, at.Next()) {
    bytes += at.item().external() ? storage::StringLength(arena, at.item().value())
                                  : at.item().bytes.size();
  }
  return bytes <= kReplyBytesAtOnce;
}

// As Redis reads it: what strtod takes whole, spaces before it and nothing at all included.
bool ReadScoreBound(ByteView text, double* score, bool* excluded) {
  *excluded = text.starts_with('(');
  const std::string number(text.substr(*excluded ? 1 : 0));
  char* end = nullptr;
  *score = std::strtod(number.c_str(), &end);
  return *end == '\0' && !std::isnan(*score);
}

bool ReadLexBound(ByteView text, LexBound* bound) {
  using Kind = LexBound::Kind;
  if (text == "-" || text == "+") {
    bound->kind = text == "-" ? Kind::kLowest : Kind::kHighest;
    return true;
  }
  if (!text.starts_with('[') && !text.starts_with('(')) return false;
  bound->kind = text[0] == '[' ? Kind::kIncluded : Kind::kExcluded;
  bound->member = text.substr(1);
  return true;
}

}  // namespace

size_t ZsetArrayLength(const ReplyWriter& reply, size_t members, bool with_scores) {
  return with_scores && !reply.resp3() ? 2 * members : members;
}

void ReplyMember(ReplyWriter& reply, const PageArena& arena, const ItemView& member,
                 std::optional<double> score) {
  if (score && reply.resp3()) reply.Array(2);
  if (!member.external()) [[likely]] {
    reply.Bulk(member.bytes);
  } else {
    ReplyString(reply, arena, member.value());
  }
  if (score) reply.Double(*score);
}

Outcome ReplyZsetRange(const ReadView& view, CommandContext& context, const Key& key,
                       const ValueView& zset, const ZsetRange& range, bool down, bool with_scores) {
  if (!FitsAtOnce(view.arena(), zset, range)) {
    return context.Yield(std::make_unique<RangeContinuation>(key, range, down, with_scores));
  }
  ReplyWriter& reply = context.reply();
  reply.Array(ZsetArrayLength(reply, range.count, with_scores));
  storage::ZsetForEach(view, zset, range, down, [&](const ItemView& member, double score) {
    ReplyMember(reply, view.arena(), member, with_scores ? std::optional(score) : std::nullopt);
  });
  return Outcome::kDone;
}

std::string_view ReadBounds(RangeBy by, ByteView min, ByteView max, RangeBounds* bounds) {
  bounds->by = by;
  switch (by) {
    case RangeBy::kRank:
      if (!ParseInteger(min, &bounds->start) || !ParseInteger(max, &bounds->stop)) {
        return error::kNotInteger;
      }
      break;
    case RangeBy::kScore:
      if (!ReadScoreBound(min, &bounds->scores.min, &bounds->scores.min_excluded) ||
          !ReadScoreBound(max, &bounds->scores.max, &bounds->scores.max_excluded)) {
        return error::kNotScoreRange;
      }
      break;
    case RangeBy::kLex:
      if (!ReadLexBound(min, &bounds->members.min) || !ReadLexBound(max, &bounds->members.max)) {
        return error::kNotLexRange;
      }
      break;
  }
  return {};
}

ZsetRange RangeOf(const PageArena& arena, const ValueView& zset, const RangeBounds& bounds,
                  bool down) {
  if (bounds.by == RangeBy::kScore) return ZsetRangeByScore(arena, zset, bounds.scores);
  if (bounds.by == RangeBy::kLex) return ZsetRangeByLex(arena, zset, bounds.members);
  const auto count = static_cast<int64_t>(storage::ZsetCount(arena, zset));
  const int64_t start =
      bounds.start < 0 ? std::max<int64_t>(bounds.start + count, 0) : bounds.start;
  const int64_t stop = std::min(bounds.stop < 0 ? bounds.stop + count : bounds.stop, count - 1);
  if (start > stop) return {};
  return {static_cast<uint64_t>(down ? count - 1 - stop : start),
          static_cast<uint64_t>(stop - start) + 1};
}

void PopMembers(WriteView& view, CommandContext& context, const Key& key, const ValueView& zset,
                ZsetEnd end, uint64_t count, ZsetPopReply shape) {
  ZsetWriter writer(view, key, zset, context.environment().limits);
  const uint64_t all = writer.count();
  count = std::min(count, all);
  const bool down = end == ZsetEnd::kMax;
  const ZsetRange range{down ? all - count : 0, count};
  ReplyWriter& reply = context.reply();
  if (shape == ZsetPopReply::kKeyed) {
    reply.Array(2 * count + 1);
    reply.Bulk(key.bytes);
  } else {
    reply.Array(shape == ZsetPopReply::kPairs ? count : 2 * count);
  }
  storage::ZsetForEach(view, zset, range, down, [&](const ItemView& member, double score) {
    if (shape == ZsetPopReply::kPairs) reply.Array(2);
    ReplyMember(reply, view.arena(), member, std::nullopt);
    reply.Double(score);
  });
  writer.EraseRange(range);
  writer.Finish(ZsetEvent(down ? "zpopmax" : "zpopmin", count));
}

ZsetEnd ReadZsetEnd(ArgReader& args) {
  if (args.Take("max")) return ZsetEnd::kMax;
  if (!args.Take("min")) args.SetError(error::kSyntax);
  return ZsetEnd::kMin;
}

std::optional<Popped> PopFirst(WriteView& view, CommandContext& context, const ZsetMultiPop& pop) {
  return PopFirst(view, context, ValueType::kZset, pop, [&](const Key& key, const ValueView& zset) {
    const uint64_t count = std::min(pop.count, storage::ZsetCount(view.arena(), zset));
    PopMembers(view, context, key, zset, pop.end, count, ZsetPopReply::kPairs);
    return count;
  });
}

size_t ZsetTakeReserve(const ReadView& view, const Key& key, uint64_t members) {
  const std::optional<ValueView> zset = view.Find(key, Access::kPeek);
  if (!zset || IsWrongType(zset, ValueType::kZset)) return 0;
  const uint64_t all = storage::ZsetCount(view.arena(), *zset);
  return storage::ZsetEstimate(view.arena(), &*zset, members >= all ? 1 : members, 0);
}

}  // namespace verso::server
