// XREADGROUP: entries of streams for a consumer of a group, waiting or not.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/command/blocking_args.h"
#include "server/command/command_families.h"
#include "server/command/stream_args.h"
#include "server/command/stream_entries.h"
#include "server/command/stream_groups.h"
#include "server/command/string_reply.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::ItemCursor;
using storage::Key;
using storage::ReadView;
using storage::StreamGroupView;
using storage::StreamGroupWriter;
using storage::StreamId;
using storage::StreamView;
using storage::StreamWriter;
using storage::ValueView;
using storage::WriteView;

// What a consumer gets of one stream.
struct Share {
  size_t index = 0;               // of the key among the keys
  EntryRange fresh;               // entries nobody in the group had
  bool is_history = false;        // else:
  std::vector<StreamId> history;  // what is pending with it, whether the entry is there or not
};

bool IsNew(ByteView text, StreamId id) { return text == ">" || id == storage::kStreamIdMax; }

std::vector<StreamId> IdsOf(const StreamView& stream, const EntryRange& range) {
  std::vector<StreamId> ids;
  ids.reserve(range.count);
  auto at = ItemCursor::At(stream.arena(), stream.entries(), range.from);
  for (uint64_t i = 0; i < range.count; ++i, at.Next()) {
    ids.push_back(storage::StreamIdOf(at.item()));
  }
  return ids;
}

// The group's count of entries read, once it has got these.
uint64_t ReadUpTo(const StreamView& stream, const StreamGroupView& group,
                  const std::vector<StreamId>& ids) {
  uint64_t read = group.entries_read;
  for (const StreamId id : ids) {
    if (read != storage::kEntriesReadUnknown && !stream.DeletedAfter(id)) {
      ++read;
    } else {
      read = stream.EntriesUpTo(id).value_or(storage::kEntriesReadUnknown);
    }
  }
  return read;
}

// Gives a consumer its share of one stream.
class ShareTaker {
 public:
  ShareTaker(WriteView& view, CommandContext& context, const StreamReadArgs& read)
      : view_(view), context_(context), read_(read) {}

  // True: there is something to reply.
  bool Take(StreamId id, Share* share) {
    key_ = context_.KeyAt(view_, read_.first_key + share->index);
    const std::optional<ValueView> value = view_.Find(key_, Access::kPeek);
    const StreamView stream(view_.arena(), *value);
    const StreamGroupView group = *stream.FindGroup(view_.secret(), read_.group);
    share->is_history = !IsNew(read_.IdText(context_, share->index), id);
    created_ = !stream.FindConsumer(view_.secret(), group, read_.consumer);
    share->is_history ? TakeHistory(stream, group, *value, id, share)
                      : TakeNew(stream, group, *value, share);
    return share->is_history || share->fresh.count != 0;
  }

 private:
  GroupName name() const { return {key_.bytes, read_.group}; }

  void TakeNew(const StreamView& stream, const StreamGroupView& group, const ValueView& value,
               Share* share) {
    share->fresh = EntriesBehind(stream, key_.bytes, group.last, read_.count);
    const std::vector<StreamId> ids = IdsOf(stream, share->fresh);
    const uint64_t entries_read = ReadUpTo(stream, group, ids);
    const bool pending = !ids.empty() && !read_.no_ack;
    StreamWriter writer(view_, key_, value);
    StreamGroupWriter of_group = Open(writer, pending);
    if (!ids.empty()) of_group.SetLast(ids.back(), entries_read);
    if (pending) {
      for (const StreamId id : ids) of_group.Deliver(id, read_.consumer, view_.moment_ms(), 1);
    }
    Close(writer, !ids.empty());
    if (pending) {
      EmitClaim(context_, name(), read_.consumer, ids, view_.moment_ms(), 1, ids.back());
    } else if (created_) {
      EmitConsumer(context_, name(), read_.consumer);
    }
    if (!ids.empty()) EmitGroupLast(context_, name(), ids.back(), entries_read);
  }

  void TakeHistory(const StreamView& stream, const StreamGroupView& group, const ValueView& value,
                   StreamId id, Share* share) {
    std::vector<storage::StreamPending> again;
    const auto consumer = stream.FindConsumer(view_.secret(), group, read_.consumer);
    if (const std::optional<StreamId> next = IdAfter(id); next && consumer) {
      auto at = ItemCursor::From(stream.arena(), consumer->pending, storage::StreamFrom(*next));
      for (; at.valid() && (read_.count == 0 || share->history.size() < read_.count); at.Next()) {
        const StreamId pending = storage::StreamIdOf(at.item());
        share->history.push_back(pending);
        if (storage::ItemsFind(stream.arena(), stream.entries(), {pending.ms, pending.seq, {}})) {
          if (auto known = stream.FindPending(group, pending)) again.push_back(*known);
        }
      }
    }
    StreamWriter writer(view_, key_, value);
    StreamGroupWriter of_group = Open(writer, false);
    for (const storage::StreamPending& pending : again) {
      of_group.Deliver(pending.id, read_.consumer, view_.moment_ms(), pending.deliveries + 1);
    }
    Close(writer, !again.empty());
    if (created_) EmitConsumer(context_, name(), read_.consumer);
    for (const storage::StreamPending& pending : again) {
      EmitClaim(context_, name(), read_.consumer, {&pending.id, 1}, view_.moment_ms(),
                pending.deliveries + 1, of_group.last(), false);
    }
  }

  // The consumer was seen, and has got something to do if `active`.
  StreamGroupWriter Open(StreamWriter& writer, bool active) {
    StreamGroupWriter group = *writer.Group(read_.group);
    const uint64_t now = view_.moment_ms();
    if (created_) group.CreateConsumer(read_.consumer, now);
    group.SetSeen(read_.consumer, now, active ? now : storage::kNeverActive);
    return group;
  }
  // That a consumer asked in vain is no change of the key: whoever watches or waits for it need not
  // know, and its log does not say so.
  void Close(StreamWriter& writer, bool changed) {
    if (created_) {
      writer.Finish(StreamEvent("xgroup-createconsumer"));
    } else if (changed) {
      writer.Finish({"xreadgroup", kUnpublished});
    }
  }

  WriteView& view_;
  CommandContext& context_;
  const StreamReadArgs& read_;
  Key key_;
  bool created_ = false;
};

void ReplyHistory(ReplyWriter& reply, const StreamView& stream, const std::vector<StreamId>& ids) {
  reply.Array(ids.size());
  for (const StreamId id : ids) {
    const auto entry = storage::ItemsFind(stream.arena(), stream.entries(), {id.ms, id.seq, {}});
    if (entry) {
      ReplyEntry(reply, stream.arena(), *entry);
      continue;
    }
    // It was deleted, and is pending still.
    reply.Array(2);
    ReplyStreamId(reply, id);
    reply.NullArray();
  }
}

// The ids asked for; false: the error is replied. Nothing is changed before all are known to do.
bool CheckGroupRead(WriteView& view, CommandContext& context, const StreamReadArgs& read,
                    std::vector<StreamId>* ids) {
  ArgReader args(context, read.first_key);
  for (size_t i = 0; i < read.count_of_keys; ++i) {
    const Key key = context.KeyAt(view, read.first_key + i);
    const auto found = FindGroup(view, context, view.FindForWrite(key), read.group);
    if (!found) return false;
    const ByteView text = read.IdText(context, i);
    if (!found->group) {
      context.reply().Error(NoKeyOrGroup(key.bytes, read.group) +
                            " in XREADGROUP with GROUP option");
      return false;
    }
    if (text == "$") {
      args.SetError(
          "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history "
          "of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ "
          "ID would just return an empty result set.");
    }
    ids->push_back(text == ">" ? storage::kStreamIdMax : ParseStreamIdArgument(args, text));
    if (!args.ok()) {
      context.reply().Error(args.error());
      return false;
    }
  }
  return true;
}

// A consumer that is new is made also by a command that then waits (P1): run again, it changes
// nothing more until there are entries.
Outcome Xreadgroup(WriteView& view, CommandContext& context) {
  StreamReadArgs read;
  if (const std::string fault = ParseStreamRead(context, true, &read); !fault.empty()) {
    return context.Fail(fault);
  }
  Parking parking;
  parking.wake_without_key = true;  // a group or key that goes is an error to whoever waits
  if (read.block != 0 &&
      !ReadBlockMilliseconds(context, context[read.block], &parking.timeout_ms)) {
    return Outcome::kDone;
  }
  std::vector<StreamId> ids;
  if (!CheckGroupRead(view, context, read, &ids)) return Outcome::kDone;
  std::vector<Share> shares;
  for (size_t i = 0; i < read.count_of_keys; ++i) {
    Share share;
    share.index = i;
    if (ShareTaker(view, context, read).Take(ids[i], &share)) shares.push_back(std::move(share));
  }
  if (shares.empty()) return ParkForStreams(context, read, std::move(parking));
  ReplyWriter& reply = context.reply();
  ReplyStreamCount(reply, shares.size());
  for (const Share& share : shares) {
    const Key key = context.KeyAt(view, read.first_key + share.index);
    const StreamView stream(view.arena(), *view.Find(key, Access::kPeek));
    ReplyStreamName(reply, key.bytes);
    share.is_history ? ReplyHistory(reply, stream, share.history)
                     : ReplyEntries(reply, stream, share.fresh);
  }
  return Outcome::kDone;
}

size_t XreadgroupReserve(const ReadView& view, const CommandContext& context) {
  StreamReadArgs read;
  if (!ParseStreamRead(context, true, &read).empty()) return 0;
  size_t bytes = 0;
  for (size_t i = 0; i < read.count_of_keys; ++i) {
    const auto value = view.Find(context.KeyAt(view, read.first_key + i), Access::kPeek);
    if (!value || IsWrongType(value, storage::ValueType::kStream)) continue;
    const StreamView stream(view.arena(), *value);
    const auto group = stream.FindGroup(view.secret(), read.group);
    if (!group) continue;
    uint64_t entries = EntriesBehind(stream, {}, group->last, read.count).count;
    if (read.IdText(context, i) != ">") {
      const auto consumer = stream.FindConsumer(view.secret(), *group, read.consumer);
      uint64_t pending = consumer ? storage::ItemsCount(view.arena(), consumer->pending) : 0;
      if (read.count != 0) pending = std::min(pending, read.count);
      entries = std::max(entries, pending);
    }
    bytes += DeliveryEstimate(view, entries, read.consumer);
  }
  return bytes;
}

// ---- rows

constexpr ArgSpec kStreams[] = {{.name = "key", .type = ArgType::kKey, .flags = kMultiple},
                                {.name = "id", .flags = kMultiple}};
constexpr ArgSpec kGroup[] = {{.name = "group"}, {.name = "consumer"}};
constexpr ArgSpec kReadgroupArgs[] = {
    {.name = "group-block", .type = ArgType::kBlock, .token = "GROUP", .args = kGroup},
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional},
    {.name = "milliseconds", .type = ArgType::kInteger, .token = "BLOCK", .flags = kOptional},
    {.name = "noack", .type = ArgType::kPureToken, .token = "NOACK", .flags = kOptional},
    {.name = "streams", .type = ArgType::kBlock, .token = "STREAMS", .args = kStreams}};

constexpr CommandSpec kRows[] = {
    {.name = "xreadgroup",
     .arity = -7,
     .flags = kWrite | kBlocking | kMovableKeys,
     .group = Group::kStream,
     .keys = {Keys::Behind("streams", 4).To(-1).Limit(2).Access(kKeyRo | kKeyAccess)},
     .args = kReadgroupArgs,
     .since = "0.1.0",
     .complexity = "O(N log M + K log M) with N streams and K entries returned",
     .summary = "Returns new or pending entries of streams to a consumer of a group, waiting for "
                "some.",
     .run = &Xreadgroup,
     .reserve = &XreadgroupReserve},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kStreamReadgroupCommands = kRows;

}  // namespace verso::server
