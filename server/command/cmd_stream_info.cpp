// What a stream is like: XINFO.
#include <algorithm>
#include <string>
#include <vector>

#include "server/command/command_families.h"
#include "server/command/help_reply.h"
#include "server/command/named_reply.h"
#include "server/command/stream_args.h"
#include "server/command/stream_entries.h"
#include "server/command/stream_groups.h"

namespace verso::server {
namespace {

using storage::ItemCursor;
using storage::Key;
using storage::ReadView;
using storage::StreamConsumerView;
using storage::StreamGroupView;
using storage::StreamId;
using storage::StreamPending;
using storage::StreamView;
using storage::ValueView;

constexpr char kXinfo[] = "xinfo";

void Named(ReplyWriter& reply, std::string_view name, StreamId id) {
  reply.Bulk(name);
  ReplyStreamId(reply, id);
}

void Named(ReplyWriter& reply, std::string_view name, std::optional<uint64_t> number) {
  reply.Bulk(name);
  number ? reply.Integer(static_cast<int64_t>(*number)) : reply.Null();
}

// The stream at argument 2; nullopt: the error is replied.
std::optional<ValueView> LookupStream(const ReadView& view, CommandContext& context) {
  std::optional<ValueView> value = context.Lookup(view, context.KeyAt(view, 2));
  if (value && !IsWrongType(value, storage::ValueType::kStream)) return value;
  context.reply().Error(value ? error::kWrongType : error::kNoSuchKey);
  return std::nullopt;
}

struct GroupByName {
  std::string name;
  StreamGroupView group;
};

std::vector<GroupByName> GroupsByName(const StreamView& stream) {
  std::vector<GroupByName> groups;
  stream.ForEachGroup([&groups](ByteView name, const StreamGroupView& group) {
    groups.push_back({std::string(name), group});
  });
  std::sort(groups.begin(), groups.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return groups;
}

std::optional<uint64_t> EntriesRead(const StreamGroupView& group) {
  if (group.entries_read == storage::kEntriesReadUnknown) return std::nullopt;
  return group.entries_read;
}

// ---- XINFO STREAM

void ReplyStreamNumbers(ReplyWriter& reply, const StreamView& stream,
                        const storage::CollectionLimits& limits) {
  const uint64_t nodes = StreamNodesOf(stream, limits).count;
  Named(reply, "length", stream.count());
  Named(reply, "radix-tree-keys", nodes);
  Named(reply, "radix-tree-nodes", nodes + 1);  // a root above them
  Named(reply, "last-generated-id", stream.last());
  Named(reply, "max-deleted-entry-id", stream.deleted());
  Named(reply, "entries-added", stream.entries_added());
  Named(reply, "recorded-first-entry-id", stream.first());
}

void ReplyEntryAt(ReplyWriter& reply, const StreamView& stream, std::string_view name,
                  uint64_t index) {
  reply.Bulk(name);
  const auto entry = storage::ItemsAt(stream.arena(), stream.entries(), index);
  entry ? ReplyEntry(reply, stream.arena(), *entry) : reply.Null();
}

uint64_t Limited(uint64_t count, uint64_t limit) {
  return limit == 0 ? count : std::min(count, limit);
}

// A consumer's pending entries stand in its group with their numbers, too.
void ReplyConsumerInFull(ReplyWriter& reply, const StreamView& stream, const StreamGroupView& group,
                         const StreamConsumerView& consumer, uint64_t limit) {
  const uint64_t pending = storage::ItemsCount(stream.arena(), consumer.pending);
  reply.Map(5);
  reply.Bulk("name");
  reply.Bulk(consumer.name);
  Named(reply, "seen-time", consumer.seen_ms);
  Named(reply, "active-time", consumer.active_ms);  // never: -1
  Named(reply, "pel-count", pending);
  reply.Bulk("pending");
  reply.Array(Limited(pending, limit));
  auto at = ItemCursor::At(stream.arena(), consumer.pending, 0);
  for (uint64_t i = 0; i < Limited(pending, limit); ++i, at.Next()) {
    const StreamId id = storage::StreamIdOf(at.item());
    const StreamPending entry = stream.FindPending(group, id).value_or(StreamPending{id, 0, 0, {}});
    reply.Array(3);
    ReplyStreamId(reply, id);
    reply.Integer(static_cast<int64_t>(entry.delivered_ms));
    reply.Integer(static_cast<int64_t>(entry.deliveries));
  }
}

void ReplyGroupInFull(ReplyWriter& reply, const StreamView& stream, const GroupByName& named,
                      uint64_t limit) {
  const StreamGroupView& group = named.group;
  const uint64_t pending = storage::ItemsCount(stream.arena(), group.pending);
  reply.Map(7);
  reply.Bulk("name");
  reply.Bulk(named.name);
  Named(reply, "last-delivered-id", group.last);
  Named(reply, "entries-read", EntriesRead(group));
  Named(reply, "lag", stream.Lag(group));
  Named(reply, "pel-count", pending);
  reply.Bulk("pending");
  reply.Array(Limited(pending, limit));
  auto at = ItemCursor::At(stream.arena(), group.pending, 0);
  for (uint64_t i = 0; i < Limited(pending, limit); ++i, at.Next()) {
    const StreamPending entry = storage::StreamPendingOf(stream.arena(), at.item());
    reply.Array(4);
    ReplyStreamId(reply, entry.id);
    reply.Bulk(entry.consumer);
    reply.Integer(static_cast<int64_t>(entry.delivered_ms));
    reply.Integer(static_cast<int64_t>(entry.deliveries));
  }
  reply.Bulk("consumers");
  const std::vector<StreamConsumerView> consumers = ConsumersByName(stream, group);
  reply.Array(consumers.size());
  for (const StreamConsumerView& consumer : consumers) {
    ReplyConsumerInFull(reply, stream, group, consumer, limit);
  }
}

// FULL [COUNT count]: how many of each, 0 is all. nullopt: the error is replied.
std::optional<uint64_t> ReadFullLimit(CommandContext& context) {
  ArgReader args(context, 3);
  int64_t limit = 10;
  const bool full = args.Take("full");
  const bool counted = full && args.remaining() == 2 && args.Take("count");
  if (counted) {
    const int64_t count = args.Integer();
    if (count >= 0) limit = count;
  }
  if (!full || !args.AtEnd()) {
    context.reply().Error(UnknownSubcommandUse(context[1], "XINFO"));
  } else if (!args.ok()) {
    context.reply().Error(args.error());
  } else {
    return static_cast<uint64_t>(limit);
  }
  return std::nullopt;
}

Outcome XinfoStream(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> value = LookupStream(view, context);
  if (!value) return Outcome::kDone;
  const StreamView stream(view.arena(), *value);
  ReplyWriter& reply = context.reply();
  const storage::CollectionLimits& limits = context.environment().limits;
  if (context.size() == 3) {
    reply.Map(10);
    ReplyStreamNumbers(reply, stream, limits);
    Named(reply, "groups", stream.group_count());
    ReplyEntryAt(reply, stream, "first-entry", 0);
    ReplyEntryAt(reply, stream, "last-entry", stream.count() - 1);
    return Outcome::kDone;
  }
  const std::optional<uint64_t> limit = ReadFullLimit(context);
  if (!limit) return Outcome::kDone;
  reply.Map(9);
  ReplyStreamNumbers(reply, stream, limits);
  reply.Bulk("entries");
  ReplyEntries(reply, stream, EntriesBetween(stream, {}, {}, storage::kStreamIdMax, *limit, false));
  reply.Bulk("groups");
  const std::vector<GroupByName> groups = GroupsByName(stream);
  reply.Array(groups.size());
  for (const GroupByName& group : groups) ReplyGroupInFull(reply, stream, group, *limit);
  return Outcome::kDone;
}

// ---- XINFO GROUPS and CONSUMERS

Outcome XinfoGroups(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> value = LookupStream(view, context);
  if (!value) return Outcome::kDone;
  const StreamView stream(view.arena(), *value);
  ReplyWriter& reply = context.reply();
  const std::vector<GroupByName> groups = GroupsByName(stream);
  reply.Array(groups.size());
  for (const GroupByName& named : groups) {
    reply.Map(6);
    reply.Bulk("name");
    reply.Bulk(named.name);
    uint64_t consumers = 0;
    stream.ForEachConsumer(named.group, [&consumers](const StreamConsumerView&) { ++consumers; });
    Named(reply, "consumers", consumers);
    Named(reply, "pending", storage::ItemsCount(view.arena(), named.group.pending));
    Named(reply, "last-delivered-id", named.group.last);
    Named(reply, "entries-read", EntriesRead(named.group));
    Named(reply, "lag", stream.Lag(named.group));
  }
  return Outcome::kDone;
}

Outcome XinfoConsumers(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> value = LookupStream(view, context);
  if (!value) return Outcome::kDone;
  const StreamView stream(view.arena(), *value);
  const auto group = stream.FindGroup(view.secret(), context[3]);
  if (!group) return context.Fail(NoGroupOfKey(context[3], context[2]));
  ReplyWriter& reply = context.reply();
  const std::vector<StreamConsumerView> consumers = ConsumersByName(stream, *group);
  reply.Array(consumers.size());
  for (const StreamConsumerView& consumer : consumers) {
    reply.Map(4);
    reply.Bulk("name");
    reply.Bulk(consumer.name);
    Named(reply, "pending", storage::ItemsCount(view.arena(), consumer.pending));
    Named(reply, "idle", ElapsedMs(view, consumer.seen_ms));
    const bool was_active = consumer.active_ms != storage::kNeverActive;
    Named(reply, "inactive", was_active ? ElapsedMs(view, consumer.active_ms) : ~uint64_t{0});
  }
  return Outcome::kDone;
}

// ---- rows

constexpr ArgSpec kKeyArg[] = {{.name = "key", .type = ArgType::kKey}};
constexpr ArgSpec kKeyAndGroup[] = {{.name = "key", .type = ArgType::kKey}, {.name = "group"}};
constexpr ArgSpec kFull[] = {
    {.name = "full", .type = ArgType::kPureToken, .token = "FULL"},
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional}};
constexpr ArgSpec kStreamArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "full-block", .type = ArgType::kBlock, .flags = kOptional, .args = kFull}};

constexpr CommandSpec kXinfoRows[] = {
    {.name = "stream",
     .arity = -3,
     .flags = kReadonly,
     .group = Group::kStream,
     .keys = {Keys::At(2).Access(kKeyRo | kKeyAccess)},
     .args = kStreamArgs,
     .since = "0.1.0",
     .complexity = "O(log N); FULL: O(M log N) with M entries returned",
     .summary = "Returns what a stream holds and counts; with FULL its groups, too.",
     .run = &XinfoStream},
    {.name = "groups",
     .arity = 3,
     .flags = kReadonly,
     .group = Group::kStream,
     .keys = {Keys::At(2).Access(kKeyRo | kKeyAccess)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(N) with N consumers of all groups",
     .summary = "Returns the groups of a stream.",
     .run = &XinfoGroups},
    {.name = "consumers",
     .arity = 4,
     .flags = kReadonly,
     .group = Group::kStream,
     .keys = {Keys::At(2).Access(kKeyRo | kKeyAccess)},
     .args = kKeyAndGroup,
     .since = "0.1.0",
     .complexity = "O(N log N) with N consumers",
     .summary = "Returns the consumers of a group.",
     .run = &XinfoConsumers,
     .tips = {"nondeterministic_output"}},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kStream,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Says what the subcommands are.",
     .run = &Help<kXinfo>},
};

constexpr CommandSpec kRows[] = {
    {.name = "xinfo",
     .arity = -2,
     .group = Group::kStream,
     .since = "0.1.0",
     .complexity = "depends on the subcommand",
     .summary = "Tells about streams, their groups and consumers.",
     .subcommands = kXinfoRows},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kStreamInfoCommands = kRows;

}  // namespace verso::server
