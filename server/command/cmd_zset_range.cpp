// Ranges of sorted sets: ZRANGE and the older names of its forms, ZRANGESTORE, ZREMRANGEBY*.
#include <algorithm>
#include <string>

#include "server/command/command_families.h"
#include "server/command/element_reply.h"
#include "server/command/zset_elements.h"
#include "storage/memory/subtree.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::ItemView;
using storage::Key;
using storage::ReadView;
using storage::ValueView;
using storage::WriteView;
using storage::ZsetRange;
using storage::ZsetWriter;

// What a command's name already says; the rest are options.
struct RangeForm {
  std::optional<RangeBy> by;
  std::optional<bool> down;
  bool store = false;
};

struct RangeQuery {
  RangeBounds bounds;
  bool down = false;
  bool with_scores = false;
  int64_t offset = 0;
  int64_t limit = -1;

  ZsetRange Of(const ReadView& view, const ValueView& zset) const {
    ZsetRange range = RangeOf(view.arena(), zset, bounds, down);
    if (offset < 0 || static_cast<uint64_t>(offset) >= range.count) {
      if (offset != 0) return {};
    }
    const uint64_t rest = range.count - static_cast<uint64_t>(offset);
    const uint64_t count = limit < 0 ? rest : std::min(rest, static_cast<uint64_t>(limit));
    range.from += down ? rest - count : static_cast<uint64_t>(offset);
    range.count = count;
    return range;
  }
};

// min max [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES] from argument `first` on.
// Empty: good, else the error.
std::string_view ReadQuery(const CommandContext& context, size_t first, RangeForm form,
                           RangeQuery* query) {
  ArgReader args(context, first + 2);
  while (args.ok() && !args.AtEnd()) {
    if (!form.store && args.Take("withscores")) {
      query->with_scores = true;
    } else if (args.remaining() > 2 && args.Take("limit")) {
      query->offset = args.Integer();
      query->limit = args.Integer();
    } else if (!form.down && args.Take("rev")) {
      form.down = true;
    } else if (!form.by && args.Take("bylex")) {
      form.by = RangeBy::kLex;
    } else if (!form.by && args.Take("byscore")) {
      form.by = RangeBy::kScore;
    } else {
      args.SetError(error::kSyntax);
    }
  }
  const RangeBy by = form.by.value_or(RangeBy::kRank);
  query->down = form.down.value_or(false);
  if (by == RangeBy::kRank && query->limit != -1) args.SetError(error::kLimitByRank);
  if (by == RangeBy::kLex && query->with_scores) args.SetError(error::kWithScoresByLex);
  if (args.ok()) {
    // From the high end, bounds of scores and members are given the other way round.
    const bool swapped = query->down && by != RangeBy::kRank;
    args.SetError(ReadBounds(by, context[first + (swapped ? 1 : 0)],
                             context[first + (swapped ? 0 : 1)], &query->bounds));
  }
  return args.error();
}

Outcome Range(const ReadView& view, CommandContext& context, const RangeForm& form) {
  RangeQuery query;
  if (const std::string_view fault = ReadQuery(context, 2, form, &query); !fault.empty()) {
    return context.Fail(fault);
  }
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> zset = context.Lookup(view, key);
  if (IsWrongType(zset, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
  const ZsetRange range = zset ? query.Of(view, *zset) : ZsetRange{};
  if (range.count == 0) {
    context.reply().Array(0);
    return Outcome::kDone;
  }
  return ReplyZsetRange(view, context, key, *zset, range, query.down, query.with_scores);
}

Outcome Zrange(const ReadView& view, CommandContext& context) { return Range(view, context, {}); }
Outcome Zrevrange(const ReadView& view, CommandContext& context) {
  return Range(view, context, {RangeBy::kRank, true});
}
Outcome Zrangebyscore(const ReadView& view, CommandContext& context) {
  return Range(view, context, {RangeBy::kScore, false});
}
Outcome Zrevrangebyscore(const ReadView& view, CommandContext& context) {
  return Range(view, context, {RangeBy::kScore, true});
}
Outcome Zrangebylex(const ReadView& view, CommandContext& context) {
  return Range(view, context, {RangeBy::kLex, false});
}
Outcome Zrevrangebylex(const ReadView& view, CommandContext& context) {
  return Range(view, context, {RangeBy::kLex, true});
}

// ---- storing

constexpr RangeForm kStoreForm{std::nullopt, std::nullopt, true};

class RangeBuild final : public AsideStore {
 public:
  RangeBuild(ZsetRange range, const ReadView& view, CommandContext& context)
      : AsideStore(context[1], view, ZsetEvent("zrangestore", range.count),
                   context.environment().limits),
        source_(context[2]),
        range_(range) {}

  AsideStep Build(const ReadView& view, WriteView& aside, Slice& slice) override {
    const std::optional<ValueView> source = view.Find(view.MakeKey(source_), Access::kPeek);
    if (!source) return AsideStep::kDone;  // it expires at the moment of the pin
    std::vector<Scored> members;
    while (range_.count > 0) {
      if (slice.SpentNow()) return AsideStep::kMore;
      constexpr uint64_t kStep = 16;
      members.clear();
      const ZsetRange step{range_.from, std::min(kStep, range_.count)};
      storage::ZsetForEach(view, *source, step, false, [&](const ItemView& member, double score) {
        members.push_back({storage::StringCopy(view.arena(), member.value()), score});
      });
      if (!PutScored(aside, members)) return AsideStep::kNoRoom;
      range_.from += step.count;
      range_.count -= step.count;
    }
    return AsideStep::kDone;
  }

 private:
  std::string source_;
  ZsetRange range_;  // what is left of it
};

// Is it too much to be done at once?
bool IsLong(const ReadView& view, const ValueView& source, const ZsetRange& range) {
  return range.count > kElementsAtOnce ||
         (source.external && range.count > 0 &&
          storage::SubtreeBytes(view.arena(), source.ref, kReplyBytesAtOnce) > kReplyBytesAtOnce);
}

Outcome Zrangestore(WriteView& view, CommandContext& context) {
  RangeQuery query;
  if (const std::string_view fault = ReadQuery(context, 3, kStoreForm, &query); !fault.empty()) {
    return context.Fail(fault);
  }
  const Key target = context.KeyAt(view, 1);
  const std::optional<ValueView> source = view.FindForWrite(context.KeyAt(view, 2));
  if (IsWrongType(source, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
  const ZsetRange range = source ? query.Of(view, *source) : ZsetRange{};
  if (source && !context.in_unit() && IsLong(view, *source, range)) {
    return context.BuildAside(std::make_unique<RangeBuild>(range, view, context));
  }
  context.reply().Integer(static_cast<int64_t>(range.count));
  if (range.count == 0) {
    view.Erase(target, {"del", 'g'});
    return Outcome::kDone;
  }
  // Beside the target, which may be the source. Members are copied some at a time: what a range
  // shows is good until the next change.
  constexpr uint64_t kBatch = 256;
  ZsetWriter result(view, target, std::nullopt, context.environment().limits);
  std::vector<std::pair<std::string, double>> members;
  for (uint64_t done = 0; done < range.count; done += members.size()) {
    members.clear();
    const ZsetRange batch{range.from + done, std::min(kBatch, range.count - done)};
    storage::ZsetForEach(view, *source, batch, false, [&](const ItemView& member, double score) {
      members.emplace_back(storage::StringCopy(view.arena(), member.value()), score);
    });
    for (const auto& [member, score] : members) result.Set(member, score);
  }
  result.FinishAsNew(ZsetEvent("zrangestore", range.count));
  return Outcome::kDone;
}

size_t ZrangestoreReserve(const ReadView& view, const CommandContext& context) {
  const std::optional<ValueView> source = view.Find(context.KeyAt(view, 2), Access::kPeek);
  RangeQuery query;
  if (!source || IsWrongType(source, storage::ValueType::kZset) ||
      !ReadQuery(context, 3, kStoreForm, &query).empty())
    return 0;
  const ZsetRange range = query.Of(view, *source);
  if (!context.in_unit() && IsLong(view, *source, range)) return 0;  // B4
  uint64_t bytes = 0;
  storage::ZsetForEach(view, *source, range, false, [&](const ItemView& member, double) {
    bytes += storage::StringLength(view.arena(), member.value());
  });
  return storage::ZsetEstimate(view.arena(), nullptr, range.count, bytes);
}

// ---- removing

template <RangeBy kBy>
Outcome RemoveRange(WriteView& view, CommandContext& context) {
  constexpr const char* kEvents[] = {"zremrangebyrank", "zremrangebyscore", "zremrangebylex"};
  RangeBounds bounds;
  if (const std::string_view fault = ReadBounds(kBy, context[2], context[3], &bounds);
      !fault.empty()) {
    return context.Fail(fault);
  }
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> zset = view.FindForWrite(key);
  if (IsWrongType(zset, storage::ValueType::kZset)) return context.Fail(error::kWrongType);
  const ZsetRange range = zset ? RangeOf(view.arena(), *zset, bounds, false) : ZsetRange{};
  if (range.count > 0) {
    ZsetWriter writer(view, key, zset, context.environment().limits);
    writer.EraseRange(range);
    writer.Finish(ZsetEvent(kEvents[static_cast<size_t>(kBy)], range.count));
  }
  context.reply().Integer(static_cast<int64_t>(range.count));
  return Outcome::kDone;
}

template <RangeBy kBy>
size_t RemoveRangeReserve(const ReadView& view, const CommandContext& context) {
  RangeBounds bounds;
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> zset = view.Find(key, Access::kPeek);
  if (!zset || IsWrongType(zset, storage::ValueType::kZset)) return 0;
  if (!ReadBounds(kBy, context[2], context[3], &bounds).empty()) return 0;
  return ZsetTakeReserve(view, key, RangeOf(view.arena(), *zset, bounds, false).count);
}

// ---- rows

constexpr ArgSpec kSortBy[] = {{.name = "byscore", .type = ArgType::kPureToken, .token = "BYSCORE"},
                               {.name = "bylex", .type = ArgType::kPureToken, .token = "BYLEX"}};
constexpr ArgSpec kLimit[] = {{.name = "offset", .type = ArgType::kInteger},
                              {.name = "count", .type = ArgType::kInteger}};
constexpr ArgSpec kRangeArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "start"},
    {.name = "stop"},
    {.name = "sortby", .type = ArgType::kOneOf, .flags = kOptional, .args = kSortBy},
    {.name = "rev", .type = ArgType::kPureToken, .token = "REV", .flags = kOptional},
    {.name = "limit",
     .type = ArgType::kBlock,
     .token = "LIMIT",
     .flags = kOptional,
     .args = kLimit},
    {.name = "withscores", .type = ArgType::kPureToken, .token = "WITHSCORES", .flags = kOptional}};
constexpr ArgSpec kRangestoreArgs[] = {
    {.name = "dst", .type = ArgType::kKey},
    {.name = "src", .type = ArgType::kKey, .key_spec = 1},
    {.name = "min"},
    {.name = "max"},
    {.name = "sortby", .type = ArgType::kOneOf, .flags = kOptional, .args = kSortBy},
    {.name = "rev", .type = ArgType::kPureToken, .token = "REV", .flags = kOptional},
    {.name = "limit",
     .type = ArgType::kBlock,
     .token = "LIMIT",
     .flags = kOptional,
     .args = kLimit}};
constexpr ArgSpec kRankRangeArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "start", .type = ArgType::kInteger},
    {.name = "stop", .type = ArgType::kInteger},
    {.name = "withscores", .type = ArgType::kPureToken, .token = "WITHSCORES", .flags = kOptional}};
constexpr ArgSpec kScoreRangeArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "min", .type = ArgType::kDouble},
    {.name = "max", .type = ArgType::kDouble},
    {.name = "withscores", .type = ArgType::kPureToken, .token = "WITHSCORES", .flags = kOptional},
    {.name = "limit",
     .type = ArgType::kBlock,
     .token = "LIMIT",
     .flags = kOptional,
     .args = kLimit}};
constexpr ArgSpec kRevScoreRangeArgs[] = {kScoreRangeArgs[0], kScoreRangeArgs[2],
                                          kScoreRangeArgs[1], kScoreRangeArgs[3],
                                          kScoreRangeArgs[4]};
constexpr ArgSpec kLexRangeArgs[] = {
    {.name = "key", .type = ArgType::kKey}, {.name = "min"}, {.name = "max"}, kScoreRangeArgs[4]};
constexpr ArgSpec kRevLexRangeArgs[] = {kLexRangeArgs[0], kLexRangeArgs[2], kLexRangeArgs[1],
                                        kLexRangeArgs[3]};
constexpr ArgSpec kRemoveRankArgs[] = {kRankRangeArgs[0], kRankRangeArgs[1], kRankRangeArgs[2]};
constexpr ArgSpec kRemoveScoreArgs[] = {kScoreRangeArgs[0], kScoreRangeArgs[1], kScoreRangeArgs[2]};
constexpr ArgSpec kRemoveLexArgs[] = {kLexRangeArgs[0], kLexRangeArgs[1], kLexRangeArgs[2]};

constexpr Keys kReadKey = Keys::At(1).Access(kKeyRo | kKeyAccess);
constexpr Keys kRemoveKey = Keys::At(1).Access(kKeyRw | kKeyDelete);

constexpr CommandSpec kRows[] = {
    {.name = "zrange",
     .arity = -4,
     .flags = kReadonly,
     .group = Group::kSortedSet,
     .keys = {kReadKey},
     .args = kRangeArgs,
     .since = "0.1.0",
     .complexity = "O(log N + M) with M members returned",
     .summary = "Returns a range of a sorted set, by rank, score or member, in either direction.",
     .run = &Zrange},
    {.name = "zrevrange",
     .arity = -4,
     .flags = kReadonly,
     .group = Group::kSortedSet,
     .keys = {kReadKey},
     .args = kRankRangeArgs,
     .since = "0.1.0",
     .complexity = "O(log N + M) with M members returned",
     .summary = "Returns a range of a sorted set by rank, the highest score first.",
     .run = &Zrevrange,
     .deprecated_since = "0.1.0",
     .replaced_by = "`ZRANGE` with the `REV` argument"},
    {.name = "zrangebyscore",
     .arity = -4,
     .flags = kReadonly,
     .group = Group::kSortedSet,
     .keys = {kReadKey},
     .args = kScoreRangeArgs,
     .since = "0.1.0",
     .complexity = "O(log N + M) with M members returned",
     .summary = "Returns the members of a sorted set with a score in a range.",
     .run = &Zrangebyscore,
     .deprecated_since = "0.1.0",
     .replaced_by = "`ZRANGE` with the `BYSCORE` argument"},
    {.name = "zrevrangebyscore",
     .arity = -4,
     .flags = kReadonly,
     .group = Group::kSortedSet,
     .keys = {kReadKey},
     .args = kRevScoreRangeArgs,
     .since = "0.1.0",
     .complexity = "O(log N + M) with M members returned",
     .summary = "Returns the members of a sorted set with a score in a range, the highest first.",
     .run = &Zrevrangebyscore,
     .deprecated_since = "0.1.0",
     .replaced_by = "`ZRANGE` with the `REV` and `BYSCORE` arguments"},
    {.name = "zrangebylex",
     .arity = -4,
     .flags = kReadonly,
     .group = Group::kSortedSet,
     .keys = {kReadKey},
     .args = kLexRangeArgs,
     .since = "0.1.0",
     .complexity = "O(log N + M) with M members returned",
     .summary = "Returns the members of a sorted set, all of one score, that lie in a range.",
     .run = &Zrangebylex,
     .deprecated_since = "0.1.0",
     .replaced_by = "`ZRANGE` with the `BYLEX` argument"},
    {.name = "zrevrangebylex",
     .arity = -4,
     .flags = kReadonly,
     .group = Group::kSortedSet,
     .keys = {kReadKey},
     .args = kRevLexRangeArgs,
     .since = "0.1.0",
     .complexity = "O(log N + M) with M members returned",
     .summary = "Returns the members of a sorted set that lie in a range, the last first.",
     .run = &Zrevrangebylex,
     .deprecated_since = "0.1.0",
     .replaced_by = "`ZRANGE` with the `REV` and `BYLEX` arguments"},
    {.name = "zrangestore",
     .arity = -5,
     .flags = kWrite | kDenyOom,
     .group = Group::kSortedSet,
     .keys = {Keys::At(1).Access(kKeyOw | kKeyUpdate), Keys::At(2).Access(kKeyRo | kKeyAccess)},
     .args = kRangestoreArgs,
     .since = "0.1.0",
     .complexity = "O(log N + M) with M members stored",
     .summary = "Stores a range of a sorted set in another key.",
     .run = &Zrangestore,
     .reserve = &ZrangestoreReserve},
    {.name = "zremrangebyrank",
     .arity = 4,
     .flags = kWrite,
     .group = Group::kSortedSet,
     .keys = {kRemoveKey},
     .args = kRemoveRankArgs,
     .since = "0.1.0",
     .complexity = "O(log N + M) with M members removed",
     .summary = "Removes a range of a sorted set by rank.",
     .run = &RemoveRange<RangeBy::kRank>,
     .reserve = &RemoveRangeReserve<RangeBy::kRank>},
    {.name = "zremrangebyscore",
     .arity = 4,
     .flags = kWrite,
     .group = Group::kSortedSet,
     .keys = {kRemoveKey},
     .args = kRemoveScoreArgs,
     .since = "0.1.0",
     .complexity = "O(log N + M) with M members removed",
     .summary = "Removes the members of a sorted set with a score in a range.",
     .run = &RemoveRange<RangeBy::kScore>,
     .reserve = &RemoveRangeReserve<RangeBy::kScore>},
    {.name = "zremrangebylex",
     .arity = 4,
     .flags = kWrite,
     .group = Group::kSortedSet,
     .keys = {kRemoveKey},
     .args = kRemoveLexArgs,
     .since = "0.1.0",
     .complexity = "O(log N + M) with M members removed",
     .summary = "Removes the members of a sorted set, all of one score, that lie in a range.",
     .run = &RemoveRange<RangeBy::kLex>,
     .reserve = &RemoveRangeReserve<RangeBy::kLex>},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kZsetRangeCommands = kRows;

}  // namespace verso::server
