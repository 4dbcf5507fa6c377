// Replying entries of streams: one, or ranges of one or more streams, at once or as a continuation.
#pragma once

#include <string>
#include <vector>

#include "server/command/command_context.h"
#include "storage/types/stream_value.h"

namespace verso::server {

// [id, [field, value ...]]
void ReplyEntry(ReplyWriter& reply, const storage::PageArena& arena,
                const storage::ItemView& entry);

// Entries of one stream, by their place: from `from` on, towards the newest or the oldest.
struct EntryRange {
  std::string key;
  uint64_t from = 0;
  uint64_t count = 0;
  bool backwards = false;
};
// Entries from `start` to `end`, at most `limit` (0: all), from the newest one on if backwards.
EntryRange EntriesBetween(const storage::StreamView& stream, ByteView key, storage::StreamId start,
                          storage::StreamId end, uint64_t limit, bool backwards);

// Entries behind `id`, at most `limit` (0: all).
EntryRange EntriesBehind(const storage::StreamView& stream, ByteView key, storage::StreamId id,
                         uint64_t limit);

// An array of entries.
void ReplyEntries(ReplyWriter& reply, const storage::StreamView& stream, const EntryRange& range);

// How the entries of streams are put together: XRANGE's array, or XREAD's entries by key.
enum class EntriesShape : uint8_t { kArray, kByKey };
void ReplyStreamCount(ReplyWriter& reply, size_t streams);  // kByKey: first this,
void ReplyStreamName(ReplyWriter& reply, ByteView key);     // then this and its entries each

// The whole reply of a command that only reads: at once, or, if it is long, as a continuation.
// Requires: each range is of a stream that is there; kArray: one range.
Outcome ReplyEntryRanges(const storage::ReadView& view, CommandContext& context,
                         std::vector<EntryRange> ranges, EntriesShape shape);

}  // namespace verso::server
