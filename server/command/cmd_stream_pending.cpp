// What is pending in the groups of a stream: XACK and XPENDING.
#include <algorithm>
#include <string>
#include <vector>

#include "server/command/command_families.h"
#include "server/command/element_reply.h"
#include "server/command/stream_args.h"
#include "server/command/stream_groups.h"
#include "storage/base/check.h"

namespace verso::server {
namespace {

using storage::ItemCursor;
using storage::Key;
using storage::ReadView;
using storage::Ref;
using storage::StreamConsumerView;
using storage::StreamGroupView;
using storage::StreamId;
using storage::StreamPending;
using storage::StreamView;
using storage::StreamWriter;
using storage::ValueView;
using storage::WriteView;

// ---- XACK

Outcome Xack(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const auto found = FindGroup(view, context, view.FindForWrite(key), context[2]);
  if (!found) return Outcome::kDone;
  uint64_t acknowledged = 0;
  if (found->group) {
    ArgReader args(context, 3);
    const StreamView stream(view.arena(), *found->value);
    std::vector<StreamId> ids;
    while (!args.AtEnd()) {
      const StreamId id = ReadStreamId(args);
      if (stream.FindPending(*found->group, id)) ids.push_back(id);
    }
    if (!args.ok()) return context.Fail(args.error());
    if (!ids.empty()) {
      StreamWriter writer(view, key, found->value);
      storage::StreamGroupWriter group = *writer.Group(context[2]);
      for (const StreamId id : ids) acknowledged += group.Acknowledge(id) ? 1 : 0;
      writer.Finish({"xack", kUnpublished, static_cast<uint32_t>(acknowledged)});
    }
  }
  context.reply().Integer(static_cast<int64_t>(acknowledged));
  return Outcome::kDone;
}

// ---- XPENDING

void ReplyPendingSummary(const ReadView& view, ReplyWriter& reply, const StreamView& stream,
                         const StreamGroupView& group) {
  const uint64_t count = storage::ItemsCount(view.arena(), group.pending);
  reply.Array(4);
  reply.Integer(static_cast<int64_t>(count));
  if (count == 0) {
    reply.Null();
    reply.Null();
    reply.NullArray();
    return;
  }
  ReplyStreamId(reply, storage::StreamIdOf(*storage::ItemsAt(view.arena(), group.pending, 0)));
  ReplyStreamId(reply,
                storage::StreamIdOf(*storage::ItemsAt(view.arena(), group.pending, count - 1)));
  std::vector<StreamConsumerView> consumers = ConsumersByName(stream, group);
  std::erase_if(consumers, [](const auto& consumer) { return !consumer.pending; });
  reply.Array(consumers.size());
  for (const StreamConsumerView& consumer : consumers) {
    reply.Array(2);
    reply.Bulk(consumer.name);
    reply.BulkInteger(static_cast<int64_t>(storage::ItemsCount(view.arena(), consumer.pending)));
  }
}

struct PendingArgs {
  uint64_t idle_ms = 0;
  StreamId start;
  StreamId end;
  uint64_t count = 0;
  std::optional<std::string> consumer;
};

PendingArgs ReadPendingArgs(CommandContext& context, ArgReader& args) {
  PendingArgs wanted;
  if (args.Take("idle")) {
    wanted.idle_ms = static_cast<uint64_t>(std::max<int64_t>(args.Integer(), 0));
    if (context.size() < 8) args.SetError(error::kSyntax);
  }
  const ByteView start = args.Next();
  const ByteView end = args.Next();
  wanted.count = static_cast<uint64_t>(std::max<int64_t>(args.Integer(), 0));
  if (!args.ok()) return wanted;
  wanted.start = ParseIntervalStart(args, start);
  wanted.end = ParseIntervalEnd(args, end);
  if (!args.AtEnd()) wanted.consumer.emplace(args.Next());
  return wanted;
}

// The ids that are pending in the group, or with the consumer.
Ref TreeOf(const ReadView& view, const StreamView& stream, const StreamGroupView& group,
           const PendingArgs& wanted) {
  if (!wanted.consumer) return group.pending;
  const auto consumer = stream.FindConsumer(view.secret(), group, *wanted.consumer);
  return consumer ? consumer->pending : Ref();
}

// Counts what is to be replied, then replies it.
class PendingContinuation final : public Continuation {
 public:
  PendingContinuation(const Key& key, ByteView group, const PendingArgs& wanted)
      : key_(key.bytes), group_(group), wanted_(wanted), next_(wanted.start) {}

  bool Run(const ReadView& view, Slice& slice) override {
    const std::optional<ValueView> value = view.Find(view.MakeKey(key_), storage::Access::kPeek);
    if (!value) {  // it expired between the command and the pin
      slice.reply().Array(0);
      return true;
    }
    const StreamView stream(view.arena(), *value);
    const std::optional<StreamGroupView> group = stream.FindGroup(view.secret(), group_);
    VERSO_CHECK(group.has_value());
    const Ref tree = TreeOf(view, stream, *group, wanted_);
    for (;;) {
      auto at = ItemCursor::From(view.arena(), tree, storage::StreamFrom(next_));
      while (at.valid() && count_ < wanted_.count) {
        const StreamId id = storage::StreamIdOf(at.item());
        if (id > wanted_.end) break;
        next_ = id;
        if (slice.Spent()) return false;
        const auto pending = stream.FindPending(*group, id);
        if (pending && ElapsedMs(view, pending->delivered_ms) >= wanted_.idle_ms) {
          ++count_;
          if (!counting_) Reply(view, *pending, slice.reply());
        }
        at.Next();
      }
      if (!counting_) return true;
      counting_ = false;
      slice.reply().Array(count_);
      count_ = 0;
      next_ = wanted_.start;
    }
  }

 private:
  static void Reply(const ReadView& view, const StreamPending& pending, ReplyWriter& reply) {
    reply.Array(4);
    ReplyStreamId(reply, pending.id);
    reply.Bulk(pending.consumer);
    reply.Integer(static_cast<int64_t>(ElapsedMs(view, pending.delivered_ms)));
    reply.Integer(static_cast<int64_t>(pending.deliveries));
  }

  std::string key_;
  std::string group_;
  PendingArgs wanted_;
  bool counting_ = true;
  StreamId next_;       // looked at next
  uint64_t count_ = 0;  // found in this pass
};

Outcome Xpending(const ReadView& view, CommandContext& context) {
  const bool summary = context.size() == 3;
  if (!summary && (context.size() < 6 || context.size() > 9)) return context.Fail(error::kSyntax);
  PendingArgs wanted;
  if (!summary) {
    ArgReader args(context, 3);
    wanted = ReadPendingArgs(context, args);
    if (!args.ok()) return context.Fail(args.error());
  }
  const Key key = context.KeyAt(view, 1);
  const auto found = FindGroup(view, context, context.Lookup(view, key), context[2]);
  if (!found) return Outcome::kDone;
  if (!found->group) return context.Fail(NoKeyOrGroup(key.bytes, context[2]));
  const StreamView stream(view.arena(), *found->value);
  if (summary) {
    ReplyPendingSummary(view, context.reply(), stream, *found->group);
    return Outcome::kDone;
  }
  auto work = std::make_unique<PendingContinuation>(key, context[2], wanted);
  const uint64_t looked_at =
      storage::ItemsCount(view.arena(), TreeOf(view, stream, *found->group, wanted));
  const bool few = wanted.count <= kElementsAtOnce && wanted.idle_ms == 0;
  if (looked_at > kElementsAtOnce && !few) return context.Yield(std::move(work));
  return RunAtOnce(view, context, *work);
}

// ---- rows

constexpr ArgSpec kAckArgs[] = {
    {.name = "key", .type = ArgType::kKey}, {.name = "group"}, {.name = "id", .flags = kMultiple}};
constexpr ArgSpec kPendingFilters[] = {
    {.name = "min-idle-time", .type = ArgType::kInteger, .token = "IDLE", .flags = kOptional},
    {.name = "start"},
    {.name = "end"},
    {.name = "count", .type = ArgType::kInteger},
    {.name = "consumer", .flags = kOptional}};
constexpr ArgSpec kPendingArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "group"},
    {.name = "filters", .type = ArgType::kBlock, .flags = kOptional, .args = kPendingFilters}};

constexpr CommandSpec kRows[] = {
    {.name = "xack",
     .arity = -4,
     .flags = kWrite | kFast,
     .group = Group::kStream,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kAckArgs,
     .since = "0.1.0",
     .complexity = "O(N log M) with N ids",
     .summary = "Says that entries are done with; returns how many were pending.",
     .run = &Xack,
     .reserve = &ReserveStreamArguments},
    {.name = "xpending",
     .arity = -3,
     .flags = kReadonly,
     .group = Group::kStream,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kPendingArgs,
     .since = "0.1.0",
     .complexity = "O(log N + M) with M entries looked at, in slices that stall nobody",
     .summary = "Returns what is pending in a group, or how much.",
     .run = &Xpending,
     .tips = {"nondeterministic_output"}},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kStreamPendingCommands = kRows;

}  // namespace verso::server
