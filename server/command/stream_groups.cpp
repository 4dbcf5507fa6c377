#include "server/command/stream_groups.h"

#include "server/command/error_reply.h"
#include "server/command/stream_args.h"
#include "server/command/string_reply.h"
#include "storage/memory/store.h"

namespace verso::server {

using storage::StreamId;
using storage::StreamView;

std::optional<FoundGroup> FindGroup(const storage::ReadView& view, CommandContext& context,
                                    const std::optional<storage::ValueView>& value,
                                    ByteView group) {
  if (IsWrongType(value, storage::ValueType::kStream)) {
    context.reply().Error(error::kWrongType);
    return std::nullopt;
  }
  FoundGroup found;
  found.value = value;
  if (value) found.group = StreamView(view.arena(), *value).FindGroup(view.secret(), group);
  return found;
}

std::vector<storage::StreamConsumerView> ConsumersByName(const StreamView& stream,
                                                         const storage::StreamGroupView& group) {
  std::vector<storage::StreamConsumerView> consumers;
  stream.ForEachConsumer(group, [&consumers](const storage::StreamConsumerView& consumer) {
    consumers.push_back(consumer);
  });
  std::sort(consumers.begin(), consumers.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return consumers;
}

void EmitClaim(CommandContext& context, const GroupName& name, ByteView consumer,
               std::span<const StreamId> ids, uint64_t delivered_ms, uint64_t deliveries,
               StreamId last, bool active) {
  if (!context.effects().wanted()) return;
  std::vector<StreamIdText> texts(ids.begin(), ids.end());
  std::vector<ByteView> words = {"XCLAIM", name.key, name.group, consumer, "0"};
  words.insert(words.end(), texts.begin(), texts.end());
  const Decimal time(delivered_ms);
  const Decimal count(deliveries);
  const StreamIdText last_text(last);
  words.insert(words.end(), {"TIME", time, "RETRYCOUNT", count, "FORCE", "JUSTID", "LASTID",
                             ByteView(last_text)});
  if (!active) words.emplace_back("INACTIVE");
  context.effects().Emit(words);
}

void EmitGroupLast(CommandContext& context, const GroupName& name, StreamId last,
                   uint64_t entries_read) {
  const StreamIdText text(last);
  const Decimal number(entries_read);
  const ByteView read = entries_read == storage::kEntriesReadUnknown ? ByteView("-1") : number;
  context.effects().Emit({"XGROUP", "SETID", name.key, name.group, text, "ENTRIESREAD", read});
}

void EmitConsumer(CommandContext& context, const GroupName& name, ByteView consumer) {
  context.effects().Emit({"XGROUP", "CREATECONSUMER", name.key, name.group, consumer});
}

void EmitForgotten(CommandContext& context, const GroupName& name, StreamId id) {
  context.effects().Emit({"XACK", name.key, name.group, StreamIdText(id)});
}

size_t DeliveryEstimate(const storage::ReadView& view, uint64_t entries, ByteView consumer) {
  constexpr uint64_t kPendingBytes = 32;  // times and lengths
  // The name: of a consumer that is made now, and with each entry.
  return storage::Store::kBytesPerKeyWrite +
         storage::StreamEstimate(view.arena(), entries + 1,
                                 (entries + 1) * (consumer.size() + kPendingBytes));
}

}  // namespace verso::server
