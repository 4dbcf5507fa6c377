// Strings that are numbers: INCR and its relatives.
#include <charconv>
#include <cmath>
#include <limits>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/string_reply.h"

namespace verso::server {
namespace {

using storage::Key;
using storage::KeyEvent;
using storage::ValueView;
using storage::WriteView;

constexpr KeyEvent kIncrByEvent{"incrby", '$'};
constexpr KeyEvent kIncrByFloatEvent{"incrbyfloat", '$'};

// Adds to the integer that the key holds (0 if it holds nothing) and replies the sum.
Outcome Add(WriteView& view, CommandContext& context, int64_t by) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  int64_t number = 0;
  if (old.has_value()) {
    if (IsWrongType(old)) return context.Fail(error::kWrongType);
    const std::optional<ByteView> text = storage::StringContiguous(view.arena(), *old);
    if (!text.has_value() || !ParseInteger(*text, &number)) {
      return context.Fail(error::kNotInteger);
    }
  }
  if (__builtin_add_overflow(number, by, &number)) return context.Fail(error::kOverflow);
  char digits[24];
  const char* end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  view.SetString(key, {digits, static_cast<size_t>(end - digits)}, {.keep_deadline = true},
                 kIncrByEvent);
  context.reply().Integer(number);
  return Outcome::kDone;
}

Outcome Incr(WriteView& view, CommandContext& context) { return Add(view, context, 1); }

Outcome Decr(WriteView& view, CommandContext& context) { return Add(view, context, -1); }

Outcome Incrby(WriteView& view, CommandContext& context) {
  int64_t by = 0;
  if (!ParseInteger(context[2], &by)) return context.Fail(error::kNotInteger);
  return Add(view, context, by);
}

Outcome Decrby(WriteView& view, CommandContext& context) {
  int64_t by = 0;
  if (!ParseInteger(context[2], &by)) return context.Fail(error::kNotInteger);
  if (by == std::numeric_limits<int64_t>::min()) return context.Fail(error::kDecrementOverflow);
  return Add(view, context, -by);
}

Outcome Incrbyfloat(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  long double number = 0;
  if (old.has_value()) {
    if (IsWrongType(old)) return context.Fail(error::kWrongType);
    const std::optional<ByteView> text = storage::StringContiguous(view.arena(), *old);
    if (!text.has_value() || !ParseLongDouble(*text, &number)) {
      return context.Fail(error::kNotFloat);
    }
  }
  long double by = 0;
  if (!ParseLongDouble(context[2], &by)) return context.Fail(error::kNotFloat);
  number += by;
  if (std::isnan(number) || std::isinf(number)) return context.Fail(error::kNanOrInfinity);
  char digits[5200];  // the room that FormatLongDouble asks for
  const ByteView text(digits, FormatLongDouble(number, digits));
  view.SetString(key, text, {.keep_deadline = true, .hint = storage::kStringText},
                 kIncrByFloatEvent);
  context.reply().Bulk(text);
  // The sum, not the summand: another machine may round otherwise.
  context.effects().Emit({"SET", key.bytes, text, "KEEPTTL"});
  return Outcome::kDone;
}

// ---- rows

constexpr ArgSpec kKeyArg[] = {{.name = "key", .type = ArgType::kKey}};
constexpr ArgSpec kIncrbyArgs[] = {{.name = "key", .type = ArgType::kKey},
                                   {.name = "increment", .type = ArgType::kInteger}};
constexpr ArgSpec kDecrbyArgs[] = {{.name = "key", .type = ArgType::kKey},
                                   {.name = "decrement", .type = ArgType::kInteger}};
constexpr ArgSpec kIncrbyfloatArgs[] = {{.name = "key", .type = ArgType::kKey},
                                        {.name = "increment", .type = ArgType::kDouble}};

constexpr CommandSpec kRows[] = {
    {.name = "incr",
     .arity = 2,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyUpdate)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Adds one to the integer that a key holds, 0 if there is none.",
     .run = &Incr},
    {.name = "decr",
     .arity = 2,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyUpdate)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Subtracts one from the integer that a key holds, 0 if there is none.",
     .run = &Decr},
    {.name = "incrby",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyUpdate)},
     .args = kIncrbyArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Adds to the integer that a key holds, 0 if there is none.",
     .run = &Incrby},
    {.name = "decrby",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyUpdate)},
     .args = kDecrbyArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Subtracts from the integer that a key holds, 0 if there is none.",
     .run = &Decrby},
    {.name = "incrbyfloat",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyUpdate)},
     .args = kIncrbyfloatArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Adds to the decimal number that a key holds, 0 if there is none.",
     .run = &Incrbyfloat},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kStringNumberCommands = kRows;

}  // namespace verso::server
