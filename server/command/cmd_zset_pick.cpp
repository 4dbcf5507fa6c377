// Members of sorted sets that are not asked for by name or range: the lowest and highest (ZPOPMIN
// ZPOPMAX ZMPOP and those that wait for one), some by chance (ZRANDMEMBER), all a part at a time
// (ZSCAN).
#include <limits>
#include <string>
#include <unordered_set>
#include <vector>

#include "server/command/blocking_args.h"
#include "server/command/command_families.h"
#include "server/command/element_reply.h"
#include "server/command/glob.h"
#include "server/command/string_reply.h"
#include "server/command/zset_elements.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::ItemView;
using storage::Key;
using storage::ReadView;
using storage::ValueType;
using storage::ValueView;
using storage::WriteView;
using storage::ZsetRange;

// ---- popping

template <ZsetEnd kEnd>
Outcome Pop(WriteView& view, CommandContext& context) {
  if (context.size() > 3) return context.Fail(error::kSyntax);
  const bool counted = context.size() == 3;
  int64_t count = 1;
  if (counted && (!ParseInteger(context[2], &count) || count < 0)) {
    return context.Fail(error::kNotPositive);
  }
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> zset = view.FindForWrite(key);
  if (IsWrongType(zset, ValueType::kZset)) return context.Fail(error::kWrongType);
  if (!zset || count == 0) {
    context.reply().Array(0);
    return Outcome::kDone;
  }
  const bool pairs = counted && context.reply().resp3();
  PopMembers(view, context, key, *zset, kEnd, static_cast<uint64_t>(count),
             pairs ? ZsetPopReply::kPairs : ZsetPopReply::kFlat);
  return Outcome::kDone;
}

size_t PopReserve(const ReadView& view, const CommandContext& context) {
  int64_t count = 1;
  if (context.size() > 2 && !ParseInteger(context[2], &count)) return 0;
  return ZsetTakeReserve(view, context.KeyAt(view, 1),
                         static_cast<uint64_t>(std::max<int64_t>(count, 1)));
}

Outcome Zmpop(WriteView& view, CommandContext& context) {
  ZsetMultiPop pop;
  if (!ReadMultiPop(context, 1, &ReadZsetEnd, &pop)) return Outcome::kDone;
  if (!PopFirst(view, context, pop)) context.reply().NullArray();
  return Outcome::kDone;
}

// Of all keys from `first` on, since any may be the one; COUNT is found wherever it stands.
size_t MultiPopReserve(const ReadView& view, const CommandContext& context, size_t first) {
  int64_t keys = 0;
  if (!ParseInteger(context[first], &keys) || keys <= 0) return 0;
  int64_t count = 1;
  ParseInteger(context[context.size() - 1], &count);
  size_t most = 0;
  for (size_t i = first + 1; i < context.size() && keys > 0; ++i, --keys) {
    most = std::max(most, ZsetTakeReserve(view, context.KeyAt(view, i),
                                          static_cast<uint64_t>(std::max<int64_t>(count, 1))));
  }
  return most;
}

size_t ZmpopReserve(const ReadView& view, const CommandContext& context) {
  return MultiPopReserve(view, context, 1);
}
size_t BzmpopReserve(const ReadView& view, const CommandContext& context) {
  return MultiPopReserve(view, context, 2);
}

// ---- popping, for those who can wait. What they leave in the log is the command that does not.

template <ZsetEnd kEnd>
Outcome BlockingPop(WriteView& view, CommandContext& context) {
  const size_t last = context.size() - 1;
  uint64_t timeout_ms = 0;
  if (!ReadBlockSeconds(context, context[last], &timeout_ms)) return Outcome::kDone;
  for (size_t i = 1; i < last; ++i) {
    const Key key = context.KeyAt(view, i);
    const std::optional<ValueView> zset = view.FindForWrite(key);
    if (!zset) continue;
    if (IsWrongType(zset, ValueType::kZset)) return context.Fail(error::kWrongType);
    PopMembers(view, context, key, *zset, kEnd, 1, ZsetPopReply::kKeyed);
    context.effects().Emit({kEnd == ZsetEnd::kMin ? "ZPOPMIN" : "ZPOPMAX", key.bytes});
    return Outcome::kDone;
  }
  return context.Park(
      {.first_key = 1, .key_count = last - 1, .timeout_ms = timeout_ms, .type = ValueType::kZset});
}

size_t BlockingPopReserve(const ReadView& view, const CommandContext& context) {
  size_t most = 0;
  for (size_t i = 1; i + 1 < context.size(); ++i) {
    most = std::max(most, ZsetTakeReserve(view, context.KeyAt(view, i), 1));
  }
  return most;
}

Outcome Bzmpop(WriteView& view, CommandContext& context) {
  uint64_t timeout_ms = 0;
  ZsetMultiPop pop;
  if (!ReadBlockSeconds(context, context[1], &timeout_ms)) return Outcome::kDone;
  if (!ReadMultiPop(context, 2, &ReadZsetEnd, &pop)) return Outcome::kDone;
  const std::optional<Popped> popped = PopFirst(view, context, pop);
  if (!popped) {
    return context.Park({.first_key = pop.first_key,
                         .key_count = pop.key_count,
                         .timeout_ms = timeout_ms,
                         .type = ValueType::kZset});
  }
  if (popped->count > 0) {
    context.effects().Emit({pop.end == ZsetEnd::kMin ? "ZPOPMIN" : "ZPOPMAX", context[popped->key],
                            Decimal(popped->count)});
  }
  return Outcome::kDone;
}

// ---- by chance

// Members at ranks that are chosen on the way, each choice as likely as any other.
class RandomContinuation final : public Continuation {
 public:
  RandomContinuation(const Key& key, int64_t count, bool with_scores, uint64_t seed)
      : key_(key.bytes), count_(count), with_scores_(with_scores), state_(seed | 1) {}

  bool Run(const ReadView& view, Slice& slice) override {
    const std::optional<ValueView> zset = view.Find(view.MakeKey(key_), Access::kPeek);
    const uint64_t size = zset ? storage::ZsetCount(view.arena(), *zset) : 0;
    if (!begun_) Begin(size, slice);
    while (left_ > 0 && !slice.Spent()) {
      const uint64_t rank = NextRank(size);
      storage::ZsetForEach(view, *zset, {rank, 1}, false,
                           [&](const ItemView& member, double score) {
                             ReplyMember(slice.reply(), view.arena(), member,
                                         with_scores_ ? std::optional(score) : std::nullopt);
                           });
      --left_;
    }
    return left_ == 0;
  }

 private:
  // So many choices are remembered, that none comes twice; more are made by going through all.
  static constexpr uint64_t kRememberedMax = kElementsAtOnce;

  void Begin(uint64_t size, Slice& slice) {
    begun_ = true;
    const bool repeating = count_ < 0;
    const uint64_t wanted =
        repeating ? 0 - static_cast<uint64_t>(count_) : static_cast<uint64_t>(count_);
    left_ = size == 0 ? 0 : repeating ? wanted : std::min(wanted, size);
    mode_ = repeating                                      ? Mode::kRepeat
            : left_ <= kRememberedMax && left_ * 3 <= size ? Mode::kRemember
                                                           : Mode::kPass;
    slice.reply().Array(ZsetArrayLength(slice.reply(), left_, with_scores_));
  }
  uint64_t Random() {  // xorshift64*
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1D;
  }
  uint64_t NextRank(uint64_t size) {
    if (mode_ == Mode::kPass) {
      while (Random() % (size - passed_) >= left_) ++passed_;
      return passed_++;
    }
    for (;;) {
      const uint64_t rank = Random() % size;  // NOLINT: with size 0 nothing is left
      if (mode_ == Mode::kRepeat || chosen_.insert(rank).second) return rank;
    }
  }

  enum class Mode : uint8_t { kRepeat, kRemember, kPass };
  std::string key_;
  int64_t count_;
  bool with_scores_;
  uint64_t state_;
  bool begun_ = false;
  Mode mode_ = Mode::kRepeat;
  uint64_t left_ = 0;
  uint64_t passed_ = 0;
  std::unordered_set<uint64_t> chosen_;
};

Outcome Zrandmember(const ReadView& view, CommandContext& context) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const bool counted = context.size() > 2;
  const bool with_scores = context.size() > 3;
  int64_t count = 1;
  if (counted) {
    ArgReader args(context, 2);
    count = args.IntegerBetween(-kMax, kMax, error::kOutOfSymmetricRange);
    if (args.ok() && !args.AtEnd() && (args.remaining() > 1 || !args.Take("withscores"))) {
      args.SetError(error::kSyntax);
    }
    if (with_scores && (count < -kMax / 2 || count > kMax / 2)) args.SetError(error::kOutOfRange);
    if (!args.ok()) return context.Fail(args.error());
  }
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> zset = context.Lookup(view, key);
  if (IsWrongType(zset, ValueType::kZset)) return context.Fail(error::kWrongType);
  if (!counted) {
    if (!zset) {
      context.reply().Null();
      return Outcome::kDone;
    }
    const ZsetRange one{context.Random() % storage::ZsetCount(view.arena(), *zset), 1};
    storage::ZsetForEach(view, *zset, one, false, [&](const ItemView& member, double) {
      ReplyMember(context.reply(), view.arena(), member, std::nullopt);
    });
    return Outcome::kDone;
  }
  auto work = std::make_unique<RandomContinuation>(key, count, with_scores, context.Random());
  const uint64_t size = zset ? storage::ZsetCount(view.arena(), *zset) : 0;
  constexpr auto kMost = static_cast<int64_t>(kElementsAtOnce);
  const bool few = size == 0 || (count >= -kMost && (count <= kMost || size <= kElementsAtOnce));
  if (!few) return context.Yield(std::move(work));
  return RunAtOnce(view, context, *work);
}

// ---- scanning

Outcome Zscan(const ReadView& view, CommandContext& context) {
  ScanArgs args;
  if (!ReadScanCursor(context, context[2], &args.cursor)) return Outcome::kDone;
  const std::optional<ValueView> zset = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(zset, ValueType::kZset)) return context.Fail(error::kWrongType);
  if (zset && !ReadScanArgs(context, 3, &args)) return Outcome::kDone;

  std::vector<std::pair<std::string, double>> found;
  const auto take = [&](ByteView member, double score) {
    if (!args.pattern || GlobMatch(*args.pattern, member)) found.emplace_back(member, score);
  };
  uint64_t next = 0;
  if (zset) next = storage::ZsetScan(view, *zset, args.cursor, args.count, take);
  ReplyWriter& reply = context.reply();
  reply.Array(2);
  reply.Bulk(Decimal(next));
  reply.Array(2 * found.size());
  for (const auto& [member, score] : found) {
    char digits[32];
    reply.Bulk(member);
    reply.Bulk({digits, FormatDouble(score, digits)});  // in RESP3, too
  }
  return Outcome::kDone;
}

// ---- rows

constexpr ArgSpec kPopArgs[] = {{.name = "key", .type = ArgType::kKey},
                                {.name = "count", .type = ArgType::kInteger, .flags = kOptional}};
constexpr ArgSpec kEnd[] = {{.name = "min", .type = ArgType::kPureToken, .token = "MIN"},
                            {.name = "max", .type = ArgType::kPureToken, .token = "MAX"}};
constexpr ArgSpec kZmpopArgs[] = {
    {.name = "numkeys", .type = ArgType::kInteger},
    {.name = "key", .type = ArgType::kKey, .flags = kMultiple},
    {.name = "where", .type = ArgType::kOneOf, .args = kEnd},
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional}};
constexpr ArgSpec kBzmpopArgs[] = {{.name = "timeout", .type = ArgType::kDouble},
                                   kZmpopArgs[0],
                                   kZmpopArgs[1],
                                   kZmpopArgs[2],
                                   kZmpopArgs[3]};
constexpr ArgSpec kBlockingArgs[] = {{.name = "key", .type = ArgType::kKey, .flags = kMultiple},
                                     {.name = "timeout", .type = ArgType::kDouble}};
constexpr ArgSpec kOptions[] = {
    {.name = "count", .type = ArgType::kInteger},
    {.name = "withscores", .type = ArgType::kPureToken, .token = "WITHSCORES", .flags = kOptional}};
constexpr ArgSpec kRandArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "options", .type = ArgType::kBlock, .flags = kOptional, .args = kOptions}};
constexpr ArgSpec kScanArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "cursor", .type = ArgType::kInteger},
    {.name = "pattern", .type = ArgType::kPattern, .token = "MATCH", .flags = kOptional},
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional}};

constexpr Keys kPopKey = Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyDelete);
constexpr Keys kBlockingKeys = Keys::At(1).To(-2).Access(kKeyRw | kKeyAccess | kKeyDelete);

constexpr CommandSpec kRows[] = {
    {.name = "zpopmin",
     .arity = -2,
     .flags = kWrite | kFast,
     .group = Group::kSortedSet,
     .keys = {kPopKey},
     .args = kPopArgs,
     .since = "0.1.0",
     .complexity = "O(M log N) with M members returned",
     .summary = "Removes the members of a sorted set with the lowest scores, and returns them.",
     .run = &Pop<ZsetEnd::kMin>,
     .reserve = &PopReserve},
    {.name = "zpopmax",
     .arity = -2,
     .flags = kWrite | kFast,
     .group = Group::kSortedSet,
     .keys = {kPopKey},
     .args = kPopArgs,
     .since = "0.1.0",
     .complexity = "O(M log N) with M members returned",
     .summary = "Removes the members of a sorted set with the highest scores, and returns them.",
     .run = &Pop<ZsetEnd::kMax>,
     .reserve = &PopReserve},
    {.name = "zmpop",
     .arity = -4,
     .flags = kWrite | kMovableKeys,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Counted().Access(kKeyRw | kKeyAccess | kKeyDelete)},
     .args = kZmpopArgs,
     .since = "0.1.0",
     .complexity = "O(K + M log N) with K keys and M members returned",
     .summary = "Removes the lowest or highest members of the first sorted set that has any.",
     .run = &Zmpop,
     .reserve = &ZmpopReserve},
    {.name = "bzpopmin",
     .arity = -3,
     .flags = kWrite | kFast | kNoScript | kBlocking,
     .group = Group::kSortedSet,
     .keys = {kBlockingKeys},
     .args = kBlockingArgs,
     .since = "0.1.0",
     .complexity = "O(K + log N) with K keys",
     .summary = "ZPOPMIN of the first sorted set that has a member, or waits until one has.",
     .run = &BlockingPop<ZsetEnd::kMin>,
     .reserve = &BlockingPopReserve},
    {.name = "bzpopmax",
     .arity = -3,
     .flags = kWrite | kFast | kNoScript | kBlocking,
     .group = Group::kSortedSet,
     .keys = {kBlockingKeys},
     .args = kBlockingArgs,
     .since = "0.1.0",
     .complexity = "O(K + log N) with K keys",
     .summary = "ZPOPMAX of the first sorted set that has a member, or waits until one has.",
     .run = &BlockingPop<ZsetEnd::kMax>,
     .reserve = &BlockingPopReserve},
    {.name = "bzmpop",
     .arity = -5,
     .flags = kWrite | kMovableKeys | kBlocking,
     .group = Group::kSortedSet,
     .keys = {Keys::At(2).Counted().Access(kKeyRw | kKeyAccess | kKeyDelete)},
     .args = kBzmpopArgs,
     .since = "0.1.0",
     .complexity = "O(K + M log N) with K keys and M members returned",
     .summary = "ZMPOP, or waits until one of the sorted sets has a member.",
     .run = &Bzmpop,
     .reserve = &BzmpopReserve},
    {.name = "zrandmember",
     .arity = -2,
     .flags = kReadonly,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kRandArgs,
     .since = "0.1.0",
     .complexity = "O(M log N) with M members returned",
     .summary = "Returns members of a sorted set by chance.",
     .run = &Zrandmember,
     .tips = {"nondeterministic_output"}},
    {.name = "zscan",
     .arity = -3,
     .flags = kReadonly,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kScanArgs,
     .since = "0.1.0",
     .complexity = "O(1) a call, O(N) for all N members",
     .summary = "Returns the members of a sorted set and their scores a part at a time.",
     .run = &Zscan,
     .tips = {"nondeterministic_output"}},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kZsetPickCommands = kRows;

}  // namespace verso::server
