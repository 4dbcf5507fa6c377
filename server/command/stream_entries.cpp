#include "server/command/stream_entries.h"

#include <algorithm>
#include <optional>

#include "server/command/stream_args.h"
#include "server/command/string_reply.h"

namespace verso::server {

using storage::Access;
using storage::ItemCursor;
using storage::ItemView;
using storage::PageArena;
using storage::ReadView;
using storage::StreamFieldReader;
using storage::StreamId;
using storage::StreamView;
using storage::ValueView;

namespace {

// More entries than this, or more bytes, are replied to in slices.
constexpr uint64_t kEntriesAtOnce = 1000;

size_t PayloadBytes(const PageArena& arena, const ItemView& entry) {
  return entry.external() ? storage::StringLength(arena, entry.value()) : entry.bytes.size();
}

void Advance(ItemCursor& at, bool backwards) { backwards ? at.Prev() : at.Next(); }

// A long entry that goes out in slices: the fields are read from the payload as they come. Run
// until it is true, always with the same entry.
class SlicedEntry {
 public:
  bool Run(const PageArena& arena, const ItemView& entry, Slice& slice) {
    const ValueView payload = entry.value();
    if (!begun_) {
      begun_ = true;
      const uint64_t fields = Varint(arena, payload);
      // As StreamFieldReader has it, so that a damaged count ends.
      fields_left_ = std::min<uint64_t>(fields, storage::StringLength(arena, payload) - offset_);
      slice.reply().Array(2);
      ReplyStreamId(slice.reply(), storage::StreamIdOf(entry));
      slice.reply().Array(fields_left_);
    }
    while (fields_left_ > 0) {
      if (!in_field_) {
        const size_t bytes = Varint(arena, payload);
        const size_t there = storage::StringLength(arena, payload) - offset_;
        field_ = SlicedBulk(offset_, std::min(bytes, there));
        offset_ += std::min(bytes, there);
        in_field_ = true;
      }
      if (!field_.Run(arena, payload, slice)) return false;
      in_field_ = false;
      --fields_left_;
    }
    *this = SlicedEntry();
    return true;
  }

 private:
  uint64_t Varint(const PageArena& arena, const ValueView& payload) {
    constexpr size_t kVarintMax = 10;
    const size_t there = storage::StringLength(arena, payload) - offset_;
    uint64_t number = 0;
    unsigned shift = 0;
    bool more = true;
    storage::StringForEachPiece(arena, payload, offset_, std::min(kVarintMax, there),
                                [&](ByteView piece) {
                                  for (const char c : piece) {
                                    if (!more) return;
                                    const auto byte = static_cast<uint8_t>(c);
                                    if (shift < 64) number |= uint64_t{byte & 0x7fu} << shift;
                                    shift += 7;
                                    ++offset_;
                                    more = byte >= 0x80;
                                  }
                                });
    return number;
  }

  bool begun_ = false;
  bool in_field_ = false;
  size_t offset_ = 0;  // in the payload, behind what was read
  size_t fields_left_ = 0;
  SlicedBulk field_;
};

// The version is pinned, so entries stay at their places.
class EntriesContinuation final : public Continuation {
 public:
  EntriesContinuation(std::vector<EntryRange> ranges, EntriesShape shape)
      : ranges_(std::move(ranges)), shape_(shape) {}

  bool Run(const ReadView& view, Slice& slice) override {
    if (!begun_ && shape_ == EntriesShape::kByKey) ReplyStreamCount(slice.reply(), ranges_.size());
    begun_ = true;
    for (; next_ < ranges_.size(); ++next_) {
      if (!RunRange(view, ranges_[next_], slice)) return false;
      range_begun_ = false;
    }
    return true;
  }

 private:
  bool RunRange(const ReadView& view, EntryRange& range, Slice& slice) {
    const auto value = view.Find(view.MakeKey(range.key), Access::kPeek);
    if (!range_begun_) {
      range_begun_ = true;
      if (!value) range.count = 0;  // it expired between the command and the pin
      if (shape_ == EntriesShape::kByKey) ReplyStreamName(slice.reply(), range.key);
      slice.reply().Array(range.count);
    }
    if (range.count == 0) return true;
    const StreamView stream(view.arena(), *value);
    auto at = ItemCursor::At(view.arena(), stream.entries(), range.from);
    while (range.count > 0) {
      if (slice.Spent() || !RunEntry(view.arena(), at.item(), slice)) return false;
      --range.count;
      range.from = range.backwards ? range.from - 1 : range.from + 1;
      Advance(at, range.backwards);
    }
    return true;
  }
  bool RunEntry(const PageArena& arena, const ItemView& entry, Slice& slice) {
    if (PayloadBytes(arena, entry) > kReplyBytesAtOnce) return long_.Run(arena, entry, slice);
    ReplyEntry(slice.reply(), arena, entry);
    return true;
  }

  std::vector<EntryRange> ranges_;
  EntriesShape shape_;
  size_t next_ = 0;
  bool begun_ = false;
  bool range_begun_ = false;
  SlicedEntry long_;
};

std::optional<ValueView> Peek(const ReadView& view, const EntryRange& range) {
  return view.Find(view.MakeKey(range.key), Access::kPeek);
}

bool FitsAtOnce(const ReadView& view, const std::vector<EntryRange>& ranges) {
  uint64_t entries = 0;
  for (const EntryRange& range : ranges) entries += range.count;
  if (entries > kEntriesAtOnce) return false;
  size_t bytes = 0;
  for (const EntryRange& range : ranges) {
    const StreamView stream(view.arena(), *Peek(view, range));
    auto at = ItemCursor::At(view.arena(), stream.entries(), range.from);
    for (uint64_t i = 0; i < range.count; ++i, Advance(at, range.backwards)) {
      bytes += PayloadBytes(view.arena(), at.item());
    }
  }
  return bytes <= kStringBytesAtOnce;
}

}  // namespace

void ReplyEntry(ReplyWriter& reply, const PageArena& arena, const ItemView& entry) {
  StreamFieldReader fields(arena, entry);
  reply.Array(2);
  ReplyStreamId(reply, storage::StreamIdOf(entry));
  reply.Array(fields.count());
  while (!fields.AtEnd()) reply.Bulk(fields.Next());
}

EntryRange EntriesBetween(const StreamView& stream, ByteView key, StreamId start, StreamId end,
                          uint64_t limit, bool backwards) {
  const PageArena& arena = stream.arena();
  const uint64_t first = storage::ItemsRank(arena, stream.entries(), storage::StreamFrom(start));
  const uint64_t behind = storage::ItemsRank(arena, stream.entries(), storage::StreamBehind(end));
  EntryRange range{std::string(key), first, behind > first ? behind - first : 0, backwards};
  if (limit != 0) range.count = std::min(range.count, limit);
  if (backwards && range.count > 0) range.from = behind - 1;
  return range;
}

EntryRange EntriesBehind(const StreamView& stream, ByteView key, StreamId id, uint64_t limit) {
  const std::optional<StreamId> next = IdAfter(id);
  if (!next) return {std::string(key), 0, 0, false};
  return EntriesBetween(stream, key, *next, storage::kStreamIdMax, limit, false);
}

void ReplyEntries(ReplyWriter& reply, const StreamView& stream, const EntryRange& range) {
  reply.Array(range.count);
  auto at = ItemCursor::At(stream.arena(), stream.entries(), range.from);
  for (uint64_t i = 0; i < range.count; ++i, Advance(at, range.backwards)) {
    ReplyEntry(reply, stream.arena(), at.item());
  }
}

void ReplyStreamCount(ReplyWriter& reply, size_t streams) {
  reply.resp3() ? reply.Map(streams) : reply.Array(streams);
}

void ReplyStreamName(ReplyWriter& reply, ByteView key) {
  if (!reply.resp3()) reply.Array(2);
  reply.Bulk(key);
}

Outcome ReplyEntryRanges(const ReadView& view, CommandContext& context,
                         std::vector<EntryRange> ranges, EntriesShape shape) {
  if (!FitsAtOnce(view, ranges)) {
    return context.Yield(std::make_unique<EntriesContinuation>(std::move(ranges), shape));
  }
  ReplyWriter& reply = context.reply();
  if (shape == EntriesShape::kByKey) ReplyStreamCount(reply, ranges.size());
  for (const EntryRange& range : ranges) {
    if (shape == EntriesShape::kByKey) ReplyStreamName(reply, range.key);
    ReplyEntries(reply, StreamView(view.arena(), *Peek(view, range)), range);
  }
  return Outcome::kDone;
}

}  // namespace verso::server
