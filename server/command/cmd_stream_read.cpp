// Reading streams: XLEN XRANGE XREVRANGE, and XREAD, which may wait.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/command/blocking_args.h"
#include "server/command/command_families.h"
#include "server/command/stream_args.h"
#include "server/command/stream_entries.h"
#include "server/command/string_reply.h"

namespace verso::server {
namespace {

using storage::Key;
using storage::ReadView;
using storage::StreamId;
using storage::StreamView;
using storage::ValueView;

// ---- one stream

Outcome Xlen(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> value = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(value, storage::ValueType::kStream)) return context.Fail(error::kWrongType);
  const uint64_t count = value ? StreamView(view.arena(), *value).count() : 0;
  context.reply().Integer(static_cast<int64_t>(count));
  return Outcome::kDone;
}

Outcome Range(const ReadView& view, CommandContext& context, bool backwards) {
  ArgReader args(context, 4);
  const StreamId start = ParseIntervalStart(args, context[backwards ? 3 : 2]);
  const StreamId end = ParseIntervalEnd(args, context[backwards ? 2 : 3]);
  bool limited = false;
  int64_t limit = 0;
  while (args.ok() && !args.AtEnd()) {
    if (args.remaining() > 1 && args.Take("count")) {
      limit = std::max<int64_t>(args.Integer(), 0);
      limited = true;
    } else {
      args.SetError(error::kSyntax);
    }
  }
  if (!args.ok()) return context.Fail(args.error());
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> value = context.Lookup(view, key);
  if (IsWrongType(value, storage::ValueType::kStream)) return context.Fail(error::kWrongType);
  if (!value) {
    context.reply().Array(0);
    return Outcome::kDone;
  }
  if (limited && limit == 0) {
    context.reply().NullArray();
    return Outcome::kDone;
  }
  std::vector<EntryRange> ranges;
  ranges.push_back(EntriesBetween(StreamView(view.arena(), *value), key.bytes, start, end,
                                  static_cast<uint64_t>(limit), backwards));
  return ReplyEntryRanges(view, context, std::move(ranges), EntriesShape::kArray);
}

Outcome Xrange(const ReadView& view, CommandContext& context) {
  return Range(view, context, false);
}
Outcome Xrevrange(const ReadView& view, CommandContext& context) {
  return Range(view, context, true);
}

// ---- XREAD

Outcome Xread(const ReadView& view, CommandContext& context) {
  StreamReadArgs read;
  if (const std::string fault = ParseStreamRead(context, false, &read); !fault.empty()) {
    return context.Fail(fault);
  }
  Parking parking;
  if (read.block != 0 &&
      !ReadBlockMilliseconds(context, context[read.block], &parking.timeout_ms)) {
    return Outcome::kDone;
  }
  ArgReader args(context, read.first_key);
  std::vector<EntryRange> ranges;
  for (size_t i = 0; i < read.count_of_keys; ++i) {
    const Key key = context.KeyAt(view, read.first_key + i);
    const std::optional<ValueView> value = context.Lookup(view, key);
    if (IsWrongType(value, storage::ValueType::kStream)) return context.Fail(error::kWrongType);
    const ByteView text = read.IdText(context, i);
    if (text == "$") {
      // What is the last one now is meant also when the command runs again.
      const StreamId last = value ? StreamView(view.arena(), *value).last() : StreamId{};
      parking.rewritten.emplace_back(read.first_key + read.count_of_keys + i,
                                     std::string(ByteView(StreamIdText(last))));
      continue;
    }
    if (text == ">") {
      return context.Fail(
          "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> "
          "<consumer> option.");
    }
    const StreamId id = ParseStreamIdArgument(args, text);
    if (!args.ok()) return context.Fail(args.error());
    if (!value) continue;
    EntryRange range = EntriesBehind(StreamView(view.arena(), *value), key.bytes, id, read.count);
    if (range.count != 0) ranges.push_back(std::move(range));
  }
  if (ranges.empty()) return ParkForStreams(context, read, std::move(parking));
  return ReplyEntryRanges(view, context, std::move(ranges), EntriesShape::kByKey);
}

// ---- rows

constexpr ArgSpec kKeyArg[] = {{.name = "key", .type = ArgType::kKey}};
constexpr ArgSpec kRangeArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "start"},
    {.name = "end"},
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional}};
constexpr ArgSpec kRevrangeArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "end"},
    {.name = "start"},
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional}};
constexpr ArgSpec kStreams[] = {{.name = "key", .type = ArgType::kKey, .flags = kMultiple},
                                {.name = "id", .flags = kMultiple}};
constexpr ArgSpec kReadArgs[] = {
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional},
    {.name = "milliseconds", .type = ArgType::kInteger, .token = "BLOCK", .flags = kOptional},
    {.name = "streams", .type = ArgType::kBlock, .token = "STREAMS", .args = kStreams}};

constexpr CommandSpec kRows[] = {
    {.name = "xlen",
     .arity = 2,
     .flags = kReadonly | kFast,
     .group = Group::kStream,
     .keys = {Keys::At(1).Access(kKeyRo)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the number of entries of a stream.",
     .run = &Xlen},
    {.name = "xrange",
     .arity = -4,
     .flags = kReadonly,
     .group = Group::kStream,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kRangeArgs,
     .since = "0.1.0",
     .complexity = "O(log N + M) with M entries returned",
     .summary = "Returns the entries of a stream between two ids.",
     .run = &Xrange},
    {.name = "xrevrange",
     .arity = -4,
     .flags = kReadonly,
     .group = Group::kStream,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kRevrangeArgs,
     .since = "0.1.0",
     .complexity = "O(log N + M) with M entries returned",
     .summary = "Returns the entries of a stream between two ids, the newest first.",
     .run = &Xrevrange},
    {.name = "xread",
     .arity = -4,
     .flags = kReadonly | kBlocking | kMovableKeys,
     .group = Group::kStream,
     .keys = {Keys::Behind("streams", 1).To(-1).Limit(2).Access(kKeyRo | kKeyAccess)},
     .args = kReadArgs,
     .since = "0.1.0",
     .complexity = "O(N log M + K) with N streams and K entries returned",
     .summary = "Returns entries behind given ids of one or more streams, waiting for some.",
     .run = &Xread},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kStreamReadCommands = kRows;

}  // namespace verso::server
