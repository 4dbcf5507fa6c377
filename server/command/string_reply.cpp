#include "server/command/string_reply.h"

#include <limits>
#include <string>

namespace verso::server {

using storage::Access;
using storage::Key;
using storage::PageArena;
using storage::ReadView;
using storage::ValueView;

namespace {

constexpr size_t kStepBytes = 64 * 1024;

// The rest of a long bulk string. The version is pinned, so offsets stay what they were.
class StringContinuation final : public Continuation {
 public:
  StringContinuation(ByteView key, size_t offset, size_t count) : key_(key), bulk_(offset, count) {}

  bool Run(const ReadView& view, Slice& slice) override {
    const std::optional<ValueView> value = view.Find(view.MakeKey(key_), Access::kPeek);
    if (!value.has_value()) {  // it expired between the command and the pin
      slice.reply().Null();
      return true;
    }
    return bulk_.Run(view.arena(), *value, slice);
  }

 private:
  std::string key_;
  SlicedBulk bulk_;
};

}  // namespace

bool SlicedBulk::Run(const PageArena& arena, const ValueView& value, Slice& slice) {
  if (!begun_) slice.reply().BulkBegin(left_);
  begun_ = true;
  while (left_ > 0 && !slice.Spent()) {
    const size_t bytes = std::min(left_, kStepBytes);
    storage::StringForEachPiece(arena, value, offset_, bytes,
                                [&slice](ByteView piece) { slice.reply().Append(piece); });
    offset_ += bytes;
    left_ -= bytes;
  }
  if (left_ > 0) return false;
  slice.reply().BulkEnd();
  return true;
}

void ReplyString(ReplyWriter& reply, const PageArena& arena, const ValueView& value) {
  if (const std::optional<ByteView> whole = storage::StringContiguous(arena, value)) {
    reply.Bulk(*whole);
    return;
  }
  ReplyStringPart(reply, arena, value, 0, storage::StringLength(arena, value));
}

void ReplyStringPart(ReplyWriter& reply, const PageArena& arena, const ValueView& value,
                     size_t offset, size_t count) {
  if (const std::optional<ByteView> whole = storage::StringContiguous(arena, value)) {
    reply.Bulk(whole->substr(offset, count));
    return;
  }
  reply.BulkBegin(count);
  storage::StringForEachPiece(arena, value, offset, count,
                              [&reply](ByteView piece) { reply.Append(piece); });
  reply.BulkEnd();
}

Outcome ReplyStringSliced(const ReadView& view, CommandContext& context, const Key& key,
                          const ValueView& value, size_t offset, size_t count) {
  if (count > kStringBytesAtOnce) {
    return context.Yield(std::make_unique<StringContinuation>(key.bytes, offset, count));
  }
  ReplyStringPart(context.reply(), view.arena(), value, offset, count);
  return Outcome::kDone;
}

bool ReadDeadline(CommandContext& context, ByteView text, TimeUnit unit, uint64_t moment_ms,
                  uint64_t* deadline_ms) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  int64_t when = 0;
  if (!ParseInteger(text, &when)) {
    context.reply().Error(error::kNotInteger);
    return false;
  }
  bool valid = when > 0 && (!unit.seconds || when <= kMax / 1000);
  if (valid) {
    if (unit.seconds) when *= 1000;
    const int64_t from = unit.absolute ? 0 : static_cast<int64_t>(moment_ms);
    valid = when <= kMax - from;
    if (valid) when += from;
  }
  if (!valid) {
    context.reply().Error(error::InvalidExpire(context.spec().name));
    return false;
  }
  *deadline_ms = static_cast<uint64_t>(when);
  return true;
}

}  // namespace verso::server
