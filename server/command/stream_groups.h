// What the commands on consumer groups share: finding a group, and saying what was done to one in
// words that mean the same elsewhere and later.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "server/command/command_context.h"
#include "storage/types/stream_value.h"

namespace verso::server {

// The stream at a key and a group of it, as they are now. Views are valid until the next change.
struct FoundGroup {
  std::optional<storage::ValueView> value;  // whatever its type
  std::optional<storage::StreamGroupView> group;
};
// WRONGTYPE is replied, and nullopt answered.
std::optional<FoundGroup> FindGroup(const storage::ReadView& view, CommandContext& context,
                                    const std::optional<storage::ValueView>& value, ByteView group);

// In the order of their names.
std::vector<storage::StreamConsumerView> ConsumersByName(const storage::StreamView& stream,
                                                         const storage::StreamGroupView& group);
// Milliseconds since then; 0 if that is yet to come.
inline uint64_t ElapsedMs(const storage::ReadView& view, uint64_t since_ms) {
  return view.moment_ms() - std::min(view.moment_ms(), since_ms);
}

// What Redis tells nobody who subscribed to the events of keys.
inline constexpr char kUnpublished = '\0';

// ---- effects. Nothing is built while nobody listens.

struct GroupName {
  ByteView key;
  ByteView group;
};

// These ids are pending with this consumer since then; the group has come to `last`.
void EmitClaim(CommandContext& context, const GroupName& name, ByteView consumer,
               std::span<const storage::StreamId> ids, uint64_t delivered_ms, uint64_t deliveries,
               storage::StreamId last, bool active = true);
void EmitGroupLast(CommandContext& context, const GroupName& name, storage::StreamId last,
                   uint64_t entries_read);
void EmitConsumer(CommandContext& context, const GroupName& name, ByteView consumer);
// An entry that is not there any more is not pending either.
void EmitForgotten(CommandContext& context, const GroupName& name, storage::StreamId id);

// Bytes to reserve for so many entries that become pending with a consumer.
size_t DeliveryEstimate(const storage::ReadView& view, uint64_t entries, ByteView consumer);

}  // namespace verso::server
