// Parts of strings: APPEND, STRLEN, GETRANGE, SETRANGE. A long string is a rope, so none of them
// costs more than the bytes it names.
#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/string_reply.h"
#include "storage/index/rope.h"

namespace verso::server {
namespace {

using storage::Key;
using storage::KeyEvent;
using storage::ReadView;
using storage::ValueView;
using storage::WriteView;

constexpr KeyEvent kAppendEvent{"append", '$'};
constexpr KeyEvent kSetRangeEvent{"setrange", '$'};

Outcome Append(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const ByteView tail = context[2];
  const size_t bytes_max = StringBytesMax(context);
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (IsWrongType(old)) return context.Fail(error::kWrongType);
  size_t length = old.has_value() ? storage::StringLength(view.arena(), *old) : 0;
  if (length > bytes_max || tail.size() > bytes_max - length) {
    return context.Fail(error::kStringTooLong);
  }
  if (!old.has_value()) {
    view.SetString(key, tail, {}, kAppendEvent);
    length = tail.size();
  } else if (!tail.empty()) {
    length = view.Append(key, tail, kAppendEvent);
  } else if (storage::StringContiguous(view.arena(), *old).has_value()) {
    // Nothing but its encoding changes.
    view.SetString(key, storage::StringCopy(view.arena(), *old),
                   {.keep_deadline = true, .hint = storage::kStringRaw}, kAppendEvent);
  } else {
    view.NotifyChanged(key, kAppendEvent);
  }
  context.reply().Integer(static_cast<int64_t>(length));
  return Outcome::kDone;
}

Outcome Strlen(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> value = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(value)) return context.Fail(error::kWrongType);
  const size_t length = value.has_value() ? storage::StringLength(view.arena(), *value) : 0;
  context.reply().Integer(static_cast<int64_t>(length));
  return Outcome::kDone;
}

Outcome Getrange(const ReadView& view, CommandContext& context) {
  ArgReader args(context, 2);
  int64_t start = args.Integer();
  int64_t end = args.Integer();
  if (!args.ok()) return context.Fail(args.error());
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> value = context.Lookup(view, key);
  if (IsWrongType(value)) return context.Fail(error::kWrongType);
  const auto length =
      static_cast<int64_t>(value.has_value() ? storage::StringLength(view.arena(), *value) : 0);
  // Both before the beginning and crossed stays empty, although clipping would leave one byte.
  const bool crossed = start < 0 && end < 0 && start > end;
  if (start < 0) start = std::max<int64_t>(start + length, 0);
  if (end < 0) end = std::max<int64_t>(end + length, 0);
  end = std::min(end, length - 1);
  if (crossed || start > end || length == 0) {
    context.reply().Bulk({});
    return Outcome::kDone;
  }
  return ReplyStringSliced(view, context, key, *value, static_cast<size_t>(start),
                           static_cast<size_t>(end - start + 1));
}

Outcome Setrange(WriteView& view, CommandContext& context) {
  int64_t offset = 0;
  if (!ParseInteger(context[2], &offset)) return context.Fail(error::kNotInteger);
  if (offset < 0) return context.Fail(error::kOffsetOutOfRange);
  const ByteView bytes = context[3];
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.Find(key);
  if (IsWrongType(old)) return context.Fail(error::kWrongType);
  size_t length = old.has_value() ? storage::StringLength(view.arena(), *old) : 0;
  if (!bytes.empty()) {
    const size_t bytes_max = StringBytesMax(context);
    if (bytes.size() > bytes_max || static_cast<uint64_t>(offset) > bytes_max - bytes.size()) {
      return context.Fail(error::kStringTooLong);
    }
    length = view.SetRange(key, static_cast<size_t>(offset), bytes, kSetRangeEvent);
  }
  context.reply().Integer(static_cast<int64_t>(length));
  return Outcome::kDone;
}

// A rope may have to be made of what is one run now, besides what is written.
constexpr size_t kRunToRopeBytes = 2 * storage::kRunBytesMax;

size_t AppendReserve(const ReadView& view, const CommandContext& context) {
  const std::optional<ValueView> old = view.Find(context.KeyAt(view, 1), storage::Access::kPeek);
  const size_t length =
      old.has_value() && !IsWrongType(old) ? storage::StringLength(view.arena(), *old) : 0;
  return kRunToRopeBytes + storage::RopeEstimate(length, context[2].size());
}

size_t SetrangeReserve(const ReadView&, const CommandContext& context) {
  int64_t offset = 0;
  if (!ParseInteger(context[2], &offset) || offset < 0 ||
      static_cast<uint64_t>(offset) > storage::kStringBytesMax) {
    return 0;  // refused by the handler
  }
  return kRunToRopeBytes + storage::RopeEstimate(static_cast<uint64_t>(offset), context[3].size());
}

// ---- rows

constexpr ArgSpec kKeyArg[] = {{.name = "key", .type = ArgType::kKey}};
constexpr ArgSpec kAppendArgs[] = {{.name = "key", .type = ArgType::kKey}, {.name = "value"}};
constexpr ArgSpec kGetrangeArgs[] = {{.name = "key", .type = ArgType::kKey},
                                     {.name = "start", .type = ArgType::kInteger},
                                     {.name = "end", .type = ArgType::kInteger}};
constexpr ArgSpec kSetrangeArgs[] = {{.name = "key", .type = ArgType::kKey},
                                     {.name = "offset", .type = ArgType::kInteger},
                                     {.name = "value"}};

constexpr CommandSpec kRows[] = {
    {.name = "append",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyInsert)},
     .args = kAppendArgs,
     .since = "0.1.0",
     .complexity = "O(M) with M bytes appended, however long the string is",
     .summary = "Appends to the string that a key holds, or creates it; returns the length.",
     .run = &Append,
     .reserve = &AppendReserve},
    {.name = "strlen",
     .arity = 2,
     .flags = kReadonly | kFast,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRo)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the length of the string that a key holds.",
     .run = &Strlen},
    {.name = "getrange",
     .arity = 4,
     .flags = kReadonly,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kGetrangeArgs,
     .since = "0.1.0",
     .complexity = "O(M) with M bytes returned",
     .summary =
         "Returns a part of the string that a key holds; negative places count from its end.",
     .run = &Getrange},
    {.name = "substr",
     .arity = 4,
     .flags = kReadonly,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kGetrangeArgs,
     .since = "0.1.0",
     .complexity = "O(M) with M bytes returned",
     .summary = "The old name of GETRANGE.",
     .run = &Getrange},
    {.name = "setrange",
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kSetrangeArgs,
     .since = "0.1.0",
     .complexity = "O(M) with M bytes written, however long the string is",
     .summary =
         "Overwrites a part of the string that a key holds; gaps are filled with zero bytes.",
     .run = &Setrange,
     .reserve = &SetrangeReserve},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kStringRangeCommands = kRows;

}  // namespace verso::server
