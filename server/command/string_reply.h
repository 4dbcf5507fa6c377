// What the string, bitmap and key commands share: replying (a part of) a string, keys in batches,
// expire times.
#pragma once

#include <algorithm>

#include "server/command/arg_reader.h"
#include "server/command/command_context.h"
#include "storage/keyspace/keyspace.h"

namespace verso::server {

// A string above this is replied to in slices. Well above kReplyBytesAtOnce: the pin that a
// continuation needs makes writers copy pages, which costs more than copying out a megabyte.
inline constexpr size_t kStringBytesAtOnce = size_t{1} << 20;

// Replies a whole string or a part of it at once: straight from the page, a rope piece by piece.
// Requires: the part lies within the string.
void ReplyString(ReplyWriter& reply, const storage::PageArena& arena,
                 const storage::ValueView& value);
void ReplyStringPart(ReplyWriter& reply, const storage::PageArena& arena,
                     const storage::ValueView& value, size_t offset, size_t count);
// The same for commands that only read: a long one goes on as a continuation.
Outcome ReplyStringSliced(const storage::ReadView& view, CommandContext& context,
                          const storage::Key& key, const storage::ValueView& value, size_t offset,
                          size_t count);

// A bulk string that goes out in slices, for continuations: Run until it is true, always with the
// same value of a pinned version.
class SlicedBulk {
 public:
  SlicedBulk() = default;
  SlicedBulk(size_t offset, size_t count) : offset_(offset), left_(count) {}

  bool Run(const storage::PageArena& arena, const storage::ValueView& value, Slice& slice);

 private:
  size_t offset_ = 0;
  size_t left_ = 0;
  bool begun_ = false;
};

// No string may become longer than this.
inline size_t StringBytesMax(CommandContext& context) {
  return std::min(context.environment().bulk_bytes_max, storage::kStringBytesMax);
}

// visit(index, key) for the arguments first, first + step, ...; each batch of keys is prefetched
// before its first one is visited.
template <typename Visit>
void ForEachKey(const storage::ReadView& view, const CommandContext& context, size_t first,
                size_t step, Visit&& visit) {
  constexpr size_t kBatch = storage::ReadView::kPrefetchBatch;
  storage::Key keys[kBatch];
  for (size_t at = first; at < context.size();) {
    size_t count = 0;
    for (size_t i = at; i < context.size() && count < kBatch; i += step) {
      keys[count++] = context.KeyAt(view, i);
    }
    if (count > 1) view.Prefetch(keys, count);
    for (size_t i = 0; i < count; ++i, at += step) visit(at, keys[i]);
  }
}

// How an expire time is given: EX, PX, EXAT, PXAT.
struct TimeUnit {
  bool seconds = false;
  bool absolute = false;
};

// The deadline that SET's and GETEX' argument means. False, with the error replied: not an integer,
// not positive, or beyond 64 bits.
bool ReadDeadline(CommandContext& context, ByteView text, TimeUnit unit, uint64_t moment_ms,
                  uint64_t* deadline_ms);

// Decimal digits of a number, on the stack: for effects.
class Decimal {
 public:
  explicit Decimal(uint64_t value)
      : bytes_(static_cast<size_t>(std::to_chars(digits_, digits_ + sizeof(digits_), value).ptr -
                                   digits_)) {}
  operator ByteView() const { return {digits_, bytes_}; }  // NOLINT

 private:
  char digits_[20];
  size_t bytes_;
};

}  // namespace verso::server
