// Lists, one at a time: LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP LLEN LINDEX LRANGE LSET LINSERT LREM
// LTRIM LPOS. Moving elements between lists: cmd_list_move.cpp.
#include <algorithm>
#include <limits>

#include "server/command/command_families.h"
#include "server/command/list_elements.h"
#include "server/command/string_reply.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::Key;
using storage::ListEnd;
using storage::ListSearch;
using storage::ListWriter;
using storage::ReadView;
using storage::ValueView;
using storage::WriteView;

constexpr int64_t kIntegerMax = std::numeric_limits<int64_t>::max();

// ---- pushing and popping

Outcome Push(WriteView& view, CommandContext& context, ListEnd end, bool must_exist) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> list = view.FindForWrite(key);
  if (IsWrongType(list, storage::ValueType::kList)) return context.Fail(error::kWrongType);
  if (must_exist && !list) {
    context.reply().Integer(0);
    return Outcome::kDone;
  }
  ListWriter writer(view, key, list, context.environment().limits);
  const auto elements = context.arguments().subspan(2);
  writer.Push(end, elements);
  writer.Finish({end == ListEnd::kHead ? "lpush" : "rpush", 'l', elements.size()});
  context.reply().Integer(static_cast<int64_t>(writer.count()));
  return Outcome::kDone;
}

Outcome Lpush(WriteView& view, CommandContext& context) {
  return Push(view, context, ListEnd::kHead, false);
}
Outcome Rpush(WriteView& view, CommandContext& context) {
  return Push(view, context, ListEnd::kTail, false);
}
Outcome Lpushx(WriteView& view, CommandContext& context) {
  return Push(view, context, ListEnd::kHead, true);
}
Outcome Rpushx(WriteView& view, CommandContext& context) {
  return Push(view, context, ListEnd::kTail, true);
}

Outcome Pop(WriteView& view, CommandContext& context, ListEnd end) {
  if (context.size() > 3) return context.Fail(error::WrongArity(context.spec().name));
  const bool counted = context.size() == 3;
  int64_t count = 1;
  if (counted && (!ParseInteger(context[2], &count) || count < 0)) {
    return context.Fail(error::kNotPositive);
  }
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> list = view.FindForWrite(key);
  if (IsWrongType(list, storage::ValueType::kList)) return context.Fail(error::kWrongType);
  if (!list) {
    counted ? context.reply().NullArray() : context.reply().Null();
  } else if (count == 0) {
    context.reply().Array(0);
  } else {
    PopElements(view, context, key, *list, end, static_cast<uint64_t>(count),
                counted ? PopReply::kArray : PopReply::kElement);
  }
  return Outcome::kDone;
}

Outcome Lpop(WriteView& view, CommandContext& context) {
  return Pop(view, context, ListEnd::kHead);
}
Outcome Rpop(WriteView& view, CommandContext& context) {
  return Pop(view, context, ListEnd::kTail);
}

// ---- reading

Outcome Llen(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> list = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(list, storage::ValueType::kList)) return context.Fail(error::kWrongType);
  const uint64_t count = list ? storage::ListCount(view.arena(), *list) : 0;
  context.reply().Integer(static_cast<int64_t>(count));
  return Outcome::kDone;
}

// The place an index names; negative ones count from the end. nullopt: there is none.
std::optional<uint64_t> PlaceOf(int64_t index, uint64_t count) {
  if (index < 0) index += static_cast<int64_t>(count);
  if (index < 0 || static_cast<uint64_t>(index) >= count) return std::nullopt;
  return static_cast<uint64_t>(index);
}

Outcome Lindex(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> list = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(list, storage::ValueType::kList)) return context.Fail(error::kWrongType);
  int64_t index = 0;
  if (list && !ParseInteger(context[2], &index)) return context.Fail(error::kNotInteger);
  const auto place = list ? PlaceOf(index, storage::ListCount(view.arena(), *list)) : std::nullopt;
  const auto element = place ? storage::ListAt(view.arena(), *list, *place) : std::nullopt;
  if (element) {
    ReplyElement(context.reply(), view.arena(), *element);
  } else {
    context.reply().Null();
  }
  return Outcome::kDone;
}

// What LRANGE and LTRIM name: [from, from + count) of the list.
struct Range {
  uint64_t from = 0;
  uint64_t count = 0;
};

Range RangeOf(int64_t start, int64_t stop, uint64_t count) {
  const auto length = static_cast<int64_t>(count);
  if (start < 0) start = std::max<int64_t>(start + length, 0);
  if (stop < 0) stop += length;
  stop = std::min(stop, length - 1);
  if (start > stop) return {};
  return {static_cast<uint64_t>(start), static_cast<uint64_t>(stop - start) + 1};
}

Outcome Lrange(const ReadView& view, CommandContext& context) {
  ArgReader args(context, 2);
  const int64_t start = args.Integer();
  const int64_t stop = args.Integer();
  if (!args.ok()) return context.Fail(args.error());
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> list = context.Lookup(view, key);
  if (IsWrongType(list, storage::ValueType::kList)) return context.Fail(error::kWrongType);
  const Range range =
      list ? RangeOf(start, stop, storage::ListCount(view.arena(), *list)) : Range{};
  if (range.count == 0) {
    context.reply().Array(0);
    return Outcome::kDone;
  }
  return ReplyElements(view, context, key, *list, range.from, range.count);
}

Outcome Lpos(const ReadView& view, CommandContext& context) {
  int64_t rank = 1;
  int64_t count = -1;
  int64_t compared = 0;
  ArgReader args(context, 3);
  while (!args.AtEnd() && args.ok()) {
    if (args.remaining() > 1 && args.Take("rank")) {
      rank = args.IntegerBetween(-kIntegerMax, kIntegerMax, error::kOutOfSymmetricRange);
      if (rank == 0) args.SetError(error::kRankZero);
    } else if (args.remaining() > 1 && args.Take("count")) {
      count = args.Integer(error::kCountNegative);
      if (count < 0) args.SetError(error::kCountNegative);
    } else if (args.remaining() > 1 && args.Take("maxlen")) {
      compared = args.Integer(error::kMaxlenNegative);
      if (compared < 0) args.SetError(error::kMaxlenNegative);
    } else {
      args.SetError(error::kSyntax);
    }
  }
  if (!args.ok()) return context.Fail(args.error());
  const std::optional<ValueView> list = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(list, storage::ValueType::kList)) return context.Fail(error::kWrongType);
  std::vector<uint64_t> found;
  if (list) {
    ListSearch search;
    search.element = context[2];
    search.backwards = rank < 0;
    search.skip = static_cast<uint64_t>(rank < 0 ? -rank : rank) - 1;
    search.count = count < 0 ? 1 : static_cast<uint64_t>(count);
    search.compared = static_cast<uint64_t>(compared);
    found = storage::ListFind(view.arena(), *list, search);
  }
  ReplyWriter& reply = context.reply();
  if (count >= 0) reply.Array(found.size());
  if (count < 0 && found.empty()) reply.Null();
  for (const uint64_t index : found) reply.Integer(static_cast<int64_t>(index));
  return Outcome::kDone;
}

// ---- changing within

Outcome Lset(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> list = view.FindForWrite(key);
  if (!list) return context.Fail(error::kNoSuchKey);
  if (IsWrongType(list, storage::ValueType::kList)) return context.Fail(error::kWrongType);
  int64_t index = 0;
  if (!ParseInteger(context[2], &index)) return context.Fail(error::kNotInteger);
  ListWriter writer(view, key, list, context.environment().limits);
  const auto place = PlaceOf(index, writer.count());
  if (!place) return context.Fail(error::kIndexOutOfRange);
  writer.Replace(*place, context[3]);
  writer.Finish({"lset", 'l'});
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome Linsert(WriteView& view, CommandContext& context) {
  const bool after = EqualsIgnoreCase(context[2], "after");
  if (!after && !EqualsIgnoreCase(context[2], "before")) return context.Fail(error::kSyntax);
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> list = view.FindForWrite(key);
  if (IsWrongType(list, storage::ValueType::kList)) return context.Fail(error::kWrongType);
  if (!list) {
    context.reply().Integer(0);
    return Outcome::kDone;
  }
  ListSearch search;
  search.element = context[3];
  search.count = 1;
  const std::vector<uint64_t> pivot = storage::ListFind(view.arena(), *list, search);
  if (pivot.empty()) {
    context.reply().Integer(-1);
    return Outcome::kDone;
  }
  ListWriter writer(view, key, list, context.environment().limits);
  writer.Insert(pivot[0] + (after ? 1 : 0), context[4]);
  writer.Finish({"linsert", 'l'});
  context.reply().Integer(static_cast<int64_t>(writer.count()));
  return Outcome::kDone;
}

Outcome Lrem(WriteView& view, CommandContext& context) {
  ArgReader args(context, 2);
  const int64_t count = args.IntegerBetween(-kIntegerMax, kIntegerMax, error::kOutOfSymmetricRange);
  if (!args.ok()) return context.Fail(args.error());
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> list = view.FindForWrite(key);
  if (IsWrongType(list, storage::ValueType::kList)) return context.Fail(error::kWrongType);
  std::vector<uint64_t> found;
  if (list) {
    ListSearch search;
    search.element = context[3];
    search.backwards = count < 0;
    search.count = static_cast<uint64_t>(count < 0 ? -count : count);
    found = storage::ListFind(view.arena(), *list, search);
    if (search.backwards) std::reverse(found.begin(), found.end());
  }
  if (!found.empty()) {
    ListWriter writer(view, key, list, context.environment().limits);
    writer.EraseEach(found);
    writer.Finish({"lrem", 'l', found.size()});
  }
  context.reply().Integer(static_cast<int64_t>(found.size()));
  return Outcome::kDone;
}

size_t LremReserve(const ReadView& view, const CommandContext& context) {
  const std::optional<ValueView> list = view.Find(context.KeyAt(view, 1), Access::kPeek);
  return list && !IsWrongType(list, storage::ValueType::kList)
             ? storage::ListEstimateScattered(view.arena(), *list)
             : 0;
}

Outcome Ltrim(WriteView& view, CommandContext& context) {
  ArgReader args(context, 2);
  const int64_t start = args.Integer();
  const int64_t stop = args.Integer();
  if (!args.ok()) return context.Fail(args.error());
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> list = view.FindForWrite(key);
  if (IsWrongType(list, storage::ValueType::kList)) return context.Fail(error::kWrongType);
  if (list) {
    ListWriter writer(view, key, list, context.environment().limits);
    const uint64_t before = writer.count();
    const Range kept = RangeOf(start, stop, before);
    if (kept.count == 0) {
      writer.Erase(0, before);
    } else {
      writer.Erase(kept.from + kept.count, before - kept.from - kept.count);
      writer.Erase(0, kept.from);
    }
    writer.Finish({"ltrim", 'l', before - writer.count()});
  }
  context.reply().Ok();
  return Outcome::kDone;
}

// ---- rows

constexpr ArgSpec kKeyArg[] = {{.name = "key", .type = ArgType::kKey}};
constexpr ArgSpec kPushArgs[] = {{.name = "key", .type = ArgType::kKey},
                                 {.name = "element", .flags = kMultiple}};
constexpr ArgSpec kPopArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "count", .type = ArgType::kInteger, .flags = kOptional, .since = "0.1.0"}};
constexpr ArgSpec kIndexArgs[] = {{.name = "key", .type = ArgType::kKey},
                                  {.name = "index", .type = ArgType::kInteger}};
constexpr ArgSpec kRangeArgs[] = {{.name = "key", .type = ArgType::kKey},
                                  {.name = "start", .type = ArgType::kInteger},
                                  {.name = "stop", .type = ArgType::kInteger}};
constexpr ArgSpec kLposArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "element"},
    {.name = "rank", .type = ArgType::kInteger, .token = "RANK", .flags = kOptional},
    {.name = "num-matches", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional},
    {.name = "len", .type = ArgType::kInteger, .token = "MAXLEN", .flags = kOptional}};
constexpr ArgSpec kLsetArgs[] = {{.name = "key", .type = ArgType::kKey},
                                 {.name = "index", .type = ArgType::kInteger},
                                 {.name = "element"}};
constexpr ArgSpec kWhere[] = {{.name = "before", .type = ArgType::kPureToken, .token = "BEFORE"},
                              {.name = "after", .type = ArgType::kPureToken, .token = "AFTER"}};
constexpr ArgSpec kLinsertArgs[] = {{.name = "key", .type = ArgType::kKey},
                                    {.name = "where", .type = ArgType::kOneOf, .args = kWhere},
                                    {.name = "pivot"},
                                    {.name = "element"}};
constexpr ArgSpec kLremArgs[] = {{.name = "key", .type = ArgType::kKey},
                                 {.name = "count", .type = ArgType::kInteger},
                                 {.name = "element"}};

constexpr CommandSpec kRows[] = {
    {.name = "lpush",
     .arity = -3,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyInsert)},
     .args = kPushArgs,
     .since = "0.1.0",
     .complexity = "O(M log N) with M elements pushed",
     .summary = "Puts elements before the first one of a list, or creates it; returns its length.",
     .run = &Lpush,
     .reserve = &ReserveListArguments},
    {.name = "rpush",
     .arity = -3,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyInsert)},
     .args = kPushArgs,
     .since = "0.1.0",
     .complexity = "O(M log N) with M elements pushed",
     .summary = "Puts elements behind the last one of a list, or creates it; returns its length.",
     .run = &Rpush,
     .reserve = &ReserveListArguments},
    {.name = "lpushx",
     .arity = -3,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyInsert)},
     .args = kPushArgs,
     .since = "0.1.0",
     .complexity = "O(M log N) with M elements pushed",
     .summary = "LPUSH, unless there is no list.",
     .run = &Lpushx,
     .reserve = &ReserveListArguments},
    {.name = "rpushx",
     .arity = -3,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyInsert)},
     .args = kPushArgs,
     .since = "0.1.0",
     .complexity = "O(M log N) with M elements pushed",
     .summary = "RPUSH, unless there is no list.",
     .run = &Rpushx,
     .reserve = &ReserveListArguments},
    {.name = "lpop",
     .arity = -2,
     .flags = kWrite | kFast,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyDelete)},
     .args = kPopArgs,
     .since = "0.1.0",
     .complexity = "O(M + log N) with M elements returned",
     .summary = "Removes the first element of a list, or the first ones, and returns them.",
     .run = &Lpop,
     .reserve = &ReserveListArguments},
    {.name = "rpop",
     .arity = -2,
     .flags = kWrite | kFast,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyDelete)},
     .args = kPopArgs,
     .since = "0.1.0",
     .complexity = "O(M + log N) with M elements returned",
     .summary = "Removes the last element of a list, or the last ones, and returns them.",
     .run = &Rpop,
     .reserve = &ReserveListArguments},
    {.name = "llen",
     .arity = 2,
     .flags = kReadonly | kFast,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRo)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the length of a list.",
     .run = &Llen},
    {.name = "lindex",
     .arity = 3,
     .flags = kReadonly,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kIndexArgs,
     .since = "0.1.0",
     .complexity = "O(log N)",
     .summary = "Returns the element at a place of a list; negative places count from its end.",
     .run = &Lindex},
    {.name = "lrange",
     .arity = 4,
     .flags = kReadonly,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kRangeArgs,
     .since = "0.1.0",
     .complexity = "O(M + log N) with M elements returned",
     .summary = "Returns a range of a list; negative places count from its end.",
     .run = &Lrange},
    {.name = "lpos",
     .arity = -3,
     .flags = kReadonly,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kLposArgs,
     .since = "0.1.0",
     .complexity = "O(N)",
     .summary = "Returns the places of elements that are equal to the one given.",
     .run = &Lpos},
    {.name = "lset",
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kLsetArgs,
     .since = "0.1.0",
     .complexity = "O(log N)",
     .summary = "Puts an element in the place of another one.",
     .run = &Lset,
     .reserve = &ReserveListArguments},
    {.name = "linsert",
     .arity = 5,
     .flags = kWrite | kDenyOom,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyInsert)},
     .args = kLinsertArgs,
     .since = "0.1.0",
     .complexity = "O(N) to find the pivot",
     .summary = "Puts an element before or behind the first one that is equal to the pivot.",
     .run = &Linsert,
     .reserve = &ReserveListArguments},
    {.name = "lrem",
     .arity = 4,
     .flags = kWrite,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyDelete)},
     .args = kLremArgs,
     .since = "0.1.0",
     .complexity = "O(N + M log N) with M elements removed",
     .summary = "Removes elements that are equal to the one given, from either end, up to a count.",
     .run = &Lrem,
     .reserve = &LremReserve},
    {.name = "ltrim",
     .arity = 4,
     .flags = kWrite,
     .group = Group::kList,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyDelete)},
     .args = kRangeArgs,
     .since = "0.1.0",
     .complexity = "O(log N); what is removed is freed in the background",
     .summary = "Removes all of a list but a range.",
     .run = &Ltrim,
     .reserve = &ReserveListArguments},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kListCommands = kRows;

}  // namespace verso::server
