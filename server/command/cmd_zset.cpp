// Sorted sets, member by member: ZADD ZINCRBY ZREM ZCARD ZSCORE ZMSCORE ZRANK ZREVRANK ZCOUNT
// ZLEXCOUNT. Ranges: cmd_zset_range.cpp; popping, chance and scanning: cmd_zset_pick.cpp; several
// at once: cmd_zset_algebra.cpp.
#include <cmath>
#include <vector>

#include "server/command/command_families.h"
#include "server/command/zset_elements.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::Key;
using storage::ReadView;
using storage::ValueView;
using storage::WriteView;
using storage::ZsetWriter;

// ---- adding

struct AddOptions {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;
  bool ch = false;
  bool incr = false;

  // The score a member gets; nullopt: it stays as it is. *fault: the sum is no number.
  std::optional<double> NewScore(const std::optional<double>& old, double given,
                                 bool* fault) const {
    if (!old) return xx ? std::nullopt : std::optional(given);
    if (nx) return std::nullopt;
    const double score = incr ? *old + given : given;
    *fault = std::isnan(score);
    if (*fault || (lt && score >= *old) || (gt && score <= *old)) return std::nullopt;
    return score;
  }
};

AddOptions ReadAddOptions(ArgReader& args) {
  AddOptions options;
  for (;;) {
    if (args.Take("nx")) {
      options.nx = true;
    } else if (args.Take("xx")) {
      options.xx = true;
    } else if (args.Take("gt")) {
      options.gt = true;
    } else if (args.Take("lt")) {
      options.lt = true;
    } else if (args.Take("ch")) {
      options.ch = true;
    } else if (args.Take("incr")) {
      options.incr = true;
    } else {
      return options;
    }
  }
}

// Scores and members from argument `first` on, as ZADD and ZINCRBY have them.
Outcome Add(WriteView& view, CommandContext& context, const AddOptions& options, size_t first) {
  std::vector<double> scores((context.size() - first) / 2);
  for (size_t i = 0; i < scores.size(); ++i) {
    if (!ParseDouble(context[first + 2 * i], &scores[i])) return context.Fail(error::kNotFloat);
  }
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> zset = view.FindForWrite(key);
  if (IsWrongType(zset, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
  ReplyWriter& reply = context.reply();
  if (!zset && options.xx) {
    options.incr ? reply.Null() : reply.Integer(0);
    return Outcome::kDone;
  }
  ZsetWriter writer(view, key, zset, context.environment().limits);
  uint64_t added = 0;
  uint64_t changed = 0;
  bool fault = false;
  std::optional<double> result;
  for (size_t i = 0; i < scores.size(); ++i) {
    writer.Change(context[first + 2 * i + 1], [&](const std::optional<double>& old) {
      result = options.NewScore(old, scores[i], &fault);
      if (result) (old ? changed : added) += !old || *old != *result;
      return result;
    });
  }
  if (fault) return context.Fail(error::kScoreNotNumber);  // INCR: of the only member
  if (added + changed > 0) {
    writer.Finish(ZsetEvent(options.incr ? "zincr" : "zadd", added + changed));
  }
  if (!options.incr) {
    reply.Integer(static_cast<int64_t>(options.ch ? added + changed : added));
  } else if (result) {
    reply.Double(*result);
  } else {
    reply.Null();
  }
  return Outcome::kDone;
}

Outcome Zadd(WriteView& view, CommandContext& context) {
  ArgReader args(context, 2);
  const AddOptions options = ReadAddOptions(args);
  if (args.remaining() == 0 || args.remaining() % 2 != 0) return context.Fail(error::kSyntax);
  if (options.nx && options.xx) return context.Fail(error::kZaddNxAndXx);
  if (options.gt + options.lt + options.nx > 1) return context.Fail(error::kZaddGtLtNx);
  if (options.incr && args.remaining() > 2) return context.Fail(error::kZaddIncrPair);
  return Add(view, context, options, args.position());
}

Outcome Zincrby(WriteView& view, CommandContext& context) {
  AddOptions options;
  options.incr = true;
  return Add(view, context, options, 2);
}

size_t MembersReserve(const ReadView& view, const CommandContext& context) {
  const std::optional<ValueView> zset = view.Find(context.KeyAt(view, 1), Access::kPeek);
  size_t bytes = 0;
  for (size_t i = 2; i < context.size(); ++i) bytes += context[i].size();
  const bool there = zset && !IsWrongType(zset, storage::ValueType::kZset);
  return storage::ZsetEstimate(view.arena(), there ? &*zset : nullptr, context.size() - 2, bytes);
}

Outcome Zrem(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> zset = view.FindForWrite(key);
  if (IsWrongType(zset, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
  uint64_t removed = 0;
  if (zset) {
    ZsetWriter writer(view, key, zset, context.environment().limits);
    for (size_t i = 2; i < context.size() && writer.count() > 0; ++i) {
      removed += writer.Erase(context[i]) ? 1 : 0;
    }
    if (removed > 0) writer.Finish(ZsetEvent("zrem", removed));
  }
  context.reply().Integer(static_cast<int64_t>(removed));
  return Outcome::kDone;
}

// ---- reading

Outcome Zcard(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> zset = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(zset, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
  const uint64_t count = zset ? storage::ZsetCount(view.arena(), *zset) : 0;
  context.reply().Integer(static_cast<int64_t>(count));
  return Outcome::kDone;
}

Outcome Zscore(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> zset = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(zset, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
  const auto score = zset ? storage::ZsetScore(view, *zset, context[2]) : std::nullopt;
  score ? context.reply().Double(*score) : context.reply().Null();
  return Outcome::kDone;
}

Outcome Zmscore(const ReadView& view, CommandContext& context) {
  constexpr size_t kBatch = ReadView::kPrefetchBatch;
  const std::optional<ValueView> zset = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(zset, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
  ReplyWriter& reply = context.reply();
  reply.Array(context.size() - 2);
  Key members[kBatch];
  for (size_t at = 2; at < context.size();) {
    const size_t count = std::min(kBatch, context.size() - at);
    for (size_t i = 0; i < count; ++i) members[i] = view.MakeKey(context[at++]);
    if (zset) storage::ZsetPrefetch(view.arena(), *zset, members, count);
    for (size_t i = 0; i < count; ++i) {
      const auto score =
          zset ? storage::ZsetScoreKey(view.arena(), *zset, members[i]) : std::nullopt;
      score ? reply.Double(*score) : reply.Null();
    }
  }
  return Outcome::kDone;
}

Outcome Rank(const ReadView& view, CommandContext& context, bool down) {
  const bool with_score = context.size() > 3;
  if (context.size() > 4 || (with_score && !EqualsIgnoreCase(context[3], "withscore"))) {
    return context.Fail(error::kSyntax);
  }
  const std::optional<ValueView> zset = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(zset, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
  const auto place = zset ? storage::ZsetFind(view, *zset, context[2]) : std::nullopt;
  ReplyWriter& reply = context.reply();
  if (!place) {
    with_score ? reply.NullArray() : reply.Null();
    return Outcome::kDone;
  }
  const uint64_t count = storage::ZsetCount(view.arena(), *zset);
  if (with_score) reply.Array(2);
  reply.Integer(static_cast<int64_t>(down ? count - 1 - place->rank : place->rank));
  if (with_score) reply.Double(place->score);
  return Outcome::kDone;
}

Outcome Zrank(const ReadView& view, CommandContext& context) { return Rank(view, context, false); }
Outcome Zrevrank(const ReadView& view, CommandContext& context) {
  return Rank(view, context, true);
}

Outcome CountRange(const ReadView& view, CommandContext& context, RangeBy by) {
  RangeBounds bounds;
  if (const std::string_view fault = ReadBounds(by, context[2], context[3], &bounds);
      !fault.empty()) {
    return context.Fail(fault);
  }
  const std::optional<ValueView> zset = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(zset, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
  const uint64_t count = zset ? RangeOf(view.arena(), *zset, bounds, false).count : 0;
  context.reply().Integer(static_cast<int64_t>(count));
  return Outcome::kDone;
}

Outcome Zcount(const ReadView& view, CommandContext& context) {
  return CountRange(view, context, RangeBy::kScore);
}
Outcome Zlexcount(const ReadView& view, CommandContext& context) {
  return CountRange(view, context, RangeBy::kLex);
}

// ---- rows

constexpr ArgSpec kKeyArg[] = {{.name = "key", .type = ArgType::kKey}};
constexpr ArgSpec kCondition[] = {{.name = "nx", .type = ArgType::kPureToken, .token = "NX"},
                                  {.name = "xx", .type = ArgType::kPureToken, .token = "XX"}};
constexpr ArgSpec kComparison[] = {
    {.name = "greater-than", .type = ArgType::kPureToken, .token = "GT"},
    {.name = "less-than", .type = ArgType::kPureToken, .token = "LT"}};
constexpr ArgSpec kPair[] = {{.name = "score", .type = ArgType::kDouble}, {.name = "member"}};
constexpr ArgSpec kZaddArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "condition", .type = ArgType::kOneOf, .flags = kOptional, .args = kCondition},
    {.name = "comparison", .type = ArgType::kOneOf, .flags = kOptional, .args = kComparison},
    {.name = "change", .type = ArgType::kPureToken, .token = "CH", .flags = kOptional},
    {.name = "increment", .type = ArgType::kPureToken, .token = "INCR", .flags = kOptional},
    {.name = "data", .type = ArgType::kBlock, .flags = kMultiple, .args = kPair}};
constexpr ArgSpec kZincrbyArgs[] = {{.name = "key", .type = ArgType::kKey},
                                    {.name = "increment", .type = ArgType::kDouble},
                                    {.name = "member"}};
constexpr ArgSpec kMemberArgs[] = {{.name = "key", .type = ArgType::kKey}, {.name = "member"}};
constexpr ArgSpec kMembersArgs[] = {{.name = "key", .type = ArgType::kKey},
                                    {.name = "member", .flags = kMultiple}};
constexpr ArgSpec kRankArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "member"},
    {.name = "withscore", .type = ArgType::kPureToken, .token = "WITHSCORE", .flags = kOptional}};
constexpr ArgSpec kCountArgs[] = {{.name = "key", .type = ArgType::kKey},
                                  {.name = "min", .type = ArgType::kDouble},
                                  {.name = "max", .type = ArgType::kDouble}};
constexpr ArgSpec kLexcountArgs[] = {
    {.name = "key", .type = ArgType::kKey}, {.name = "min"}, {.name = "max"}};

constexpr CommandSpec kRows[] = {
    {.name = "zadd",
     .arity = -4,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kZaddArgs,
     .since = "0.1.0",
     .complexity = "O(M log N) with M members added",
     .summary = "Gives members of a sorted set their scores, and adds those that are new.",
     .run = &Zadd,
     .reserve = &MembersReserve},
    {.name = "zincrby",
     .arity = 4,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyUpdate)},
     .args = kZincrbyArgs,
     .since = "0.1.0",
     .complexity = "O(log N)",
     .summary = "Adds to the score of a member of a sorted set; one that is new has 0.",
     .run = &Zincrby,
     .reserve = &MembersReserve},
    {.name = "zrem",
     .arity = -3,
     .flags = kWrite | kFast,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyDelete)},
     .args = kMembersArgs,
     .since = "0.1.0",
     .complexity = "O(M log N) with M members removed",
     .summary = "Removes members of a sorted set; returns how many there were.",
     .run = &Zrem,
     .reserve = &MembersReserve},
    {.name = "zcard",
     .arity = 2,
     .flags = kReadonly | kFast,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Access(kKeyRo)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the number of members of a sorted set.",
     .run = &Zcard},
    {.name = "zscore",
     .arity = 3,
     .flags = kReadonly | kFast,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kMemberArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the score of a member of a sorted set.",
     .run = &Zscore},
    {.name = "zmscore",
     .arity = -3,
     .flags = kReadonly | kFast,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kMembersArgs,
     .since = "0.1.0",
     .complexity = "O(M) with M members",
     .summary = "Returns the scores of members of a sorted set.",
     .run = &Zmscore},
    {.name = "zrank",
     .arity = -3,
     .flags = kReadonly | kFast,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kRankArgs,
     .since = "0.1.0",
     .complexity = "O(log N)",
     .summary =
         "Returns how many members of a sorted set stand before one, the lowest score first.",
     .run = &Zrank},
    {.name = "zrevrank",
     .arity = -3,
     .flags = kReadonly | kFast,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kRankArgs,
     .since = "0.1.0",
     .complexity = "O(log N)",
     .summary =
         "Returns how many members of a sorted set stand before one, the highest score first.",
     .run = &Zrevrank},
    {.name = "zcount",
     .arity = 4,
     .flags = kReadonly | kFast,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kCountArgs,
     .since = "0.1.0",
     .complexity = "O(log N)",
     .summary = "Returns how many members of a sorted set have a score in a range.",
     .run = &Zcount},
    {.name = "zlexcount",
     .arity = 4,
     .flags = kReadonly | kFast,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kLexcountArgs,
     .since = "0.1.0",
     .complexity = "O(log N)",
     .summary = "Returns how many members of a sorted set, all of one score, lie in a range.",
     .run = &Zlexcount},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kZsetCommands = kRows;

}  // namespace verso::server
