// Streams: entries that change their consumer. XCLAIM and XAUTOCLAIM.
//
// Both decide first, on what is there, and then do it: what they reply of an entry is not touched
// by that. An id given twice is claimed twice, so decisions see those before them.
#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "server/command/command_families.h"
#include "server/command/stream_args.h"
#include "server/command/stream_entries.h"
#include "server/command/stream_groups.h"
#include "server/session/session.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::ItemCursor;
using storage::Key;
using storage::ReadView;
using storage::StreamGroupView;
using storage::StreamGroupWriter;
using storage::StreamId;
using storage::StreamPending;
using storage::StreamView;
using storage::StreamWriter;
using storage::WriteView;

// What is to be done in a group, in this order.
struct Decisions {
  std::vector<StreamPending> claimed;  // as they are to be
  std::vector<StreamId> forgotten;     // pending, but their entries are no more
  StreamId last;                       // of the group
  bool last_changed = false;
  bool inactive = false;
};

// Does it, replies nothing.
void Apply(WriteView& view, CommandContext& context, const Key& key,
           const storage::ValueView& value, const Decisions& decisions, ByteView group_name,
           ByteView consumer, bool is_new) {
  const GroupName name{key.bytes, group_name};
  const uint64_t now = view.moment_ms();
  StreamWriter writer(view, key, value);
  StreamGroupWriter group = *writer.Group(group_name);
  if (is_new) group.CreateConsumer(consumer, now);
  const bool active = !decisions.claimed.empty() && !decisions.inactive;
  group.SetSeen(consumer, now, active ? now : storage::kNeverActive);
  if (decisions.last_changed) group.SetLast(decisions.last, group.entries_read());
  for (const StreamId id : decisions.forgotten) group.Acknowledge(id);
  for (const StreamPending& pending : decisions.claimed) {
    group.Deliver(pending.id, consumer, pending.delivered_ms, pending.deliveries);
  }
  const size_t changes =
      decisions.claimed.size() + decisions.forgotten.size() + (decisions.last_changed ? 1 : 0);
  if (is_new) {
    writer.Finish(StreamEvent("xgroup-createconsumer"));
  } else if (changes != 0) {
    writer.Finish({"xclaim", kUnpublished, static_cast<uint32_t>(changes)});
  }
  for (const StreamId id : decisions.forgotten) EmitForgotten(context, name, id);
  for (const StreamPending& pending : decisions.claimed) {
    EmitClaim(context, name, consumer, {&pending.id, 1}, pending.delivered_ms, pending.deliveries,
              group.last(), active);
  }
  if (decisions.claimed.empty() && decisions.last_changed) {
    EmitGroupLast(context, name, decisions.last, group.entries_read());
  }
  if (decisions.claimed.empty() && is_new) EmitConsumer(context, name, consumer);
}

void ReplyClaimed(WriteView& view, ReplyWriter& reply, const Key& key,
                  const std::vector<StreamPending>& claimed, bool only_ids) {
  const StreamView stream(view.arena(), *view.Find(key, Access::kPeek));
  reply.Array(claimed.size());
  for (const StreamPending& pending : claimed) {
    const StreamId id = pending.id;
    const auto entry = storage::ItemsFind(stream.arena(), stream.entries(), {id.ms, id.seq, {}});
    if (only_ids || !entry) {
      ReplyStreamId(reply, id);
    } else {
      ReplyEntry(reply, stream.arena(), *entry);
    }
  }
}

bool EntryIsThere(const StreamView& stream, StreamId id) {
  return storage::ItemsFind(stream.arena(), stream.entries(), {id.ms, id.seq, {}}).has_value();
}

// ---- XCLAIM key group consumer min-idle-time id ... options

struct ClaimArgs {
  uint64_t idle_ms = 0;
  std::vector<StreamId> ids;
  uint64_t delivered_ms = 0;
  std::optional<uint64_t> deliveries;
  bool force = false;
  bool only_ids = false;
  StreamId last;
  // From the log only: that which XREADGROUP has shown again makes no consumer active.
  bool inactive = false;
};

// A moment that is negative or yet to come is taken for now.
uint64_t PastMoment(int64_t moment_ms, uint64_t now_ms) {
  if (moment_ms < 0 || static_cast<uint64_t>(moment_ms) > now_ms) return now_ms;
  return static_cast<uint64_t>(moment_ms);
}

void ReadClaimOptions(ArgReader& args, uint64_t now_ms, bool internal, ClaimArgs* claim,
                      std::string* unknown) {
  while (args.ok() && !args.AtEnd()) {
    if (args.Take("force")) {
      claim->force = true;
    } else if (args.Take("justid")) {
      claim->only_ids = true;
    } else if (internal && args.Take("inactive")) {
      claim->inactive = true;
    } else if (args.remaining() > 1 && args.Take("idle")) {
      const int64_t idle = args.Integer("ERR Invalid IDLE option argument for XCLAIM");
      int64_t moment = 0;
      if (__builtin_sub_overflow(static_cast<int64_t>(now_ms), idle, &moment)) moment = -1;
      claim->delivered_ms = PastMoment(moment, now_ms);
    } else if (args.remaining() > 1 && args.Take("time")) {
      claim->delivered_ms =
          PastMoment(args.Integer("ERR Invalid TIME option argument for XCLAIM"), now_ms);
    } else if (args.remaining() > 1 && args.Take("retrycount")) {
      const int64_t count = args.Integer("ERR Invalid RETRYCOUNT option argument for XCLAIM");
      if (count >= 0) claim->deliveries = static_cast<uint64_t>(count);
    } else if (args.remaining() > 1 && args.Take("lastid")) {
      claim->last = ReadStreamId(args);
    } else {
      *unknown = "ERR Unrecognized XCLAIM option '" + std::string(args.Peek()) + "'";
      args.SetError(*unknown);
    }
  }
}

Decisions DecideClaims(const ReadView& view, const StreamView& stream, const StreamGroupView& group,
                       const ClaimArgs& claim, ByteView consumer) {
  Decisions decisions;
  decisions.last_changed = claim.last > group.last;
  decisions.last = claim.last;
  decisions.inactive = claim.inactive;
  std::map<StreamId, StreamPending> decided;
  for (const StreamId id : claim.ids) {
    std::optional<StreamPending> pending;
    if (const auto found = decided.find(id); found != decided.end()) {
      pending = found->second;
    } else {
      pending = stream.FindPending(group, id);
    }
    if (!EntryIsThere(stream, id)) {
      if (pending && std::find(decisions.forgotten.begin(), decisions.forgotten.end(), id) ==
                         decisions.forgotten.end()) {
        decisions.forgotten.push_back(id);
      }
      continue;
    }
    if (pending) {
      if (ElapsedMs(view, pending->delivered_ms) < claim.idle_ms) continue;
    } else {
      if (!claim.force) continue;
      pending = StreamPending{id, 0, 1, {}};
    }
    pending->delivered_ms = claim.delivered_ms;
    pending->consumer = consumer;
    if (claim.deliveries) {
      pending->deliveries = *claim.deliveries;
    } else if (!claim.only_ids) {
      ++pending->deliveries;
    }
    decided[id] = *pending;
    decisions.claimed.push_back(*std::move(pending));
  }
  return decisions;
}

Outcome Xclaim(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const auto found = FindGroup(view, context, view.FindForWrite(key), context[2]);
  if (!found) return Outcome::kDone;
  if (!found->group) return context.Fail(NoKeyOrGroup(key.bytes, context[2]));
  ClaimArgs claim;
  claim.delivered_ms = view.moment_ms();
  ArgReader args(context, 4);
  claim.idle_ms = static_cast<uint64_t>(
      std::max<int64_t>(args.Integer("ERR Invalid min-idle-time argument for XCLAIM"), 0));
  if (!args.ok()) return context.Fail(args.error());
  for (StreamId id; !args.AtEnd() && ParseStreamId(args.Peek(), 0, &id); args.Next()) {
    claim.ids.push_back(id);
  }
  std::string unknown;
  ReadClaimOptions(args, view.moment_ms(), context.session().internal, &claim, &unknown);
  if (!args.ok()) return context.Fail(args.error());

  const StreamView stream(view.arena(), *found->value);
  const Decisions decisions = DecideClaims(view, stream, *found->group, claim, context[3]);
  const bool is_new = !stream.FindConsumer(view.secret(), *found->group, context[3]);
  Apply(view, context, key, *found->value, decisions, context[2], context[3], is_new);
  ReplyClaimed(view, context.reply(), key, decisions.claimed, claim.only_ids);
  return Outcome::kDone;
}

size_t XclaimReserve(const ReadView& view, const CommandContext& context) {
  return DeliveryEstimate(view, context.size(), context[3]);
}

// ---- XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]

constexpr uint64_t kAutoclaimCount = 100;
// Pending entries looked at for each that is wanted.
constexpr uint64_t kAttemptsPerEntry = 10;

struct AutoclaimArgs {
  uint64_t idle_ms = 0;
  StreamId start;
  uint64_t count = kAutoclaimCount;
  bool only_ids = false;
};

AutoclaimArgs ReadAutoclaimArgs(ArgReader& args) {
  constexpr std::string_view kCountFault = "ERR COUNT must be > 0";
  // Redis' own limit: what it remembers for each must fit.
  constexpr int64_t kCountMax = std::numeric_limits<int64_t>::max() / 16;
  AutoclaimArgs claim;
  claim.idle_ms = static_cast<uint64_t>(
      std::max<int64_t>(args.Integer("ERR Invalid min-idle-time argument for XAUTOCLAIM"), 0));
  const ByteView start = args.Next();
  if (args.ok()) claim.start = ParseIntervalStart(args, start);
  while (args.ok() && !args.AtEnd()) {
    if (args.remaining() > 1 && args.Take("count")) {
      const int64_t count = args.Integer(kCountFault);
      if (count < 1 || count > kCountMax) args.SetError(kCountFault);
      claim.count = static_cast<uint64_t>(count);
    } else if (args.Take("justid")) {
      claim.only_ids = true;
    } else {
      args.SetError(error::kSyntax);
    }
  }
  return claim;
}

// Answers where the next call is to start; zero: nowhere.
StreamId DecideAutoclaims(const ReadView& view, const StreamView& stream,
                          const StreamGroupView& group, const AutoclaimArgs& claim,
                          ByteView consumer, Decisions* decisions) {
  uint64_t left = claim.count;
  uint64_t attempts = claim.count * kAttemptsPerEntry;
  auto at = ItemCursor::From(stream.arena(), group.pending, storage::StreamFrom(claim.start));
  for (; at.valid() && left > 0 && attempts > 0; at.Next(), --attempts) {
    StreamPending pending = storage::StreamPendingOf(stream.arena(), at.item());
    if (!EntryIsThere(stream, pending.id)) {
      decisions->forgotten.push_back(pending.id);
      --left;
      continue;
    }
    if (ElapsedMs(view, pending.delivered_ms) < claim.idle_ms) continue;
    pending.delivered_ms = view.moment_ms();
    pending.consumer = consumer;
    if (!claim.only_ids) ++pending.deliveries;
    decisions->claimed.push_back(std::move(pending));
    --left;
  }
  return at.valid() ? storage::StreamIdOf(at.item()) : StreamId{};
}

Outcome Xautoclaim(WriteView& view, CommandContext& context) {
  ArgReader args(context, 4);
  const AutoclaimArgs claim = ReadAutoclaimArgs(args);
  if (!args.ok()) return context.Fail(args.error());
  const Key key = context.KeyAt(view, 1);
  const auto found = FindGroup(view, context, view.FindForWrite(key), context[2]);
  if (!found) return Outcome::kDone;
  if (!found->group) return context.Fail(NoKeyOrGroup(key.bytes, context[2]));
  const StreamView stream(view.arena(), *found->value);
  Decisions decisions;
  const StreamId next =
      DecideAutoclaims(view, stream, *found->group, claim, context[3], &decisions);
  const bool is_new = !stream.FindConsumer(view.secret(), *found->group, context[3]);
  Apply(view, context, key, *found->value, decisions, context[2], context[3], is_new);
  ReplyWriter& reply = context.reply();
  reply.Array(3);
  ReplyStreamId(reply, next);
  ReplyClaimed(view, reply, key, decisions.claimed, claim.only_ids);
  reply.Array(decisions.forgotten.size());
  for (const StreamId id : decisions.forgotten) ReplyStreamId(reply, id);
  return Outcome::kDone;
}

size_t XautoclaimReserve(const ReadView& view, const CommandContext& context) {
  ArgReader args(context, 4);
  uint64_t entries = ReadAutoclaimArgs(args).count;
  const auto value = view.Find(context.KeyAt(view, 1), Access::kPeek);
  if (!args.ok() || !value || IsWrongType(value, storage::ValueType::kStream)) return 0;
  const auto group = StreamView(view.arena(), *value).FindGroup(view.secret(), context[2]);
  if (!group) return 0;
  entries = std::min(entries, storage::ItemsCount(view.arena(), group->pending));
  return DeliveryEstimate(view, entries, context[3]);
}

// ---- rows

constexpr ArgSpec kClaimArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "group"},
    {.name = "consumer"},
    {.name = "min-idle-time"},
    {.name = "id", .flags = kMultiple},
    {.name = "ms", .type = ArgType::kInteger, .token = "IDLE", .flags = kOptional},
    {.name = "unix-time-milliseconds",
     .type = ArgType::kUnixTime,
     .token = "TIME",
     .flags = kOptional},
    {.name = "count", .type = ArgType::kInteger, .token = "RETRYCOUNT", .flags = kOptional},
    {.name = "force", .type = ArgType::kPureToken, .token = "FORCE", .flags = kOptional},
    {.name = "justid", .type = ArgType::kPureToken, .token = "JUSTID", .flags = kOptional},
    {.name = "lastid", .token = "LASTID", .flags = kOptional}};
constexpr ArgSpec kAutoclaimArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "group"},
    {.name = "consumer"},
    {.name = "min-idle-time"},
    {.name = "start"},
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional},
    {.name = "justid", .type = ArgType::kPureToken, .token = "JUSTID", .flags = kOptional}};

constexpr CommandSpec kRows[] = {
    {.name = "xclaim",
     .arity = -6,
     .flags = kWrite | kFast,
     .group = Group::kStream,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kClaimArgs,
     .since = "0.1.0",
     .complexity = "O(N log M) with N ids",
     .summary = "Gives pending entries to another consumer; returns them.",
     .run = &Xclaim,
     .reserve = &XclaimReserve,
     .tips = {"nondeterministic_output"}},
    {.name = "xautoclaim",
     .arity = -6,
     .flags = kWrite | kFast,
     .group = Group::kStream,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyDelete)},
     .args = kAutoclaimArgs,
     .since = "0.1.0",
     .complexity = "O(N log M) with N entries looked at, at most ten times COUNT",
     .summary = "Gives entries that are pending for long to another consumer; returns them.",
     .run = &Xautoclaim,
     .reserve = &XautoclaimReserve,
     .tips = {"nondeterministic_output"}},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kStreamClaimCommands = kRows;

}  // namespace verso::server
