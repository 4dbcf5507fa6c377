// Hashes as a whole: HGETALL, HKEYS, HVALS, HSCAN, HRANDFIELD.
#include <limits>
#include <string>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/element_reply.h"
#include "server/command/string_reply.h"

namespace verso::server {
namespace {

using storage::Key;
using storage::ReadView;
using storage::ValueType;
using storage::ValueView;

Outcome ReplyHash(const ReadView& view, CommandContext& context, ElementPart part,
                  ElementHeader header) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> hash = context.Lookup(view, key);
  if (IsWrongType(hash, ValueType::kHash)) return context.Fail(error::kWrongType);
  if (hash) return ReplyAllElements(view, context, key, *hash, part, header);
  if (header == ElementHeader::kMap) {
    context.reply().Map(0);
  } else {
    context.reply().Array(0);
  }
  return Outcome::kDone;
}

Outcome Hgetall(const ReadView& view, CommandContext& context) {
  return ReplyHash(view, context, ElementPart::kBoth, ElementHeader::kMap);
}

Outcome Hkeys(const ReadView& view, CommandContext& context) {
  return ReplyHash(view, context, ElementPart::kField, ElementHeader::kArray);
}

Outcome Hvals(const ReadView& view, CommandContext& context) {
  return ReplyHash(view, context, ElementPart::kValue, ElementHeader::kArray);
}

Outcome Hscan(const ReadView& view, CommandContext& context) {
  ScanArgs args;
  if (!ReadScanCursor(context, context[2], &args.cursor)) return Outcome::kDone;
  const std::optional<ValueView> hash = context.Lookup(view, context.KeyAt(view, 1));
  if (IsWrongType(hash, ValueType::kHash)) return context.Fail(error::kWrongType);
  if (hash && !ReadScanArgs(context, 3, &args)) return Outcome::kDone;
  ReplyScan(view, context, hash ? &*hash : nullptr, args, ElementPart::kBoth);
  return Outcome::kDone;
}

Outcome Hrandfield(const ReadView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const bool counted = context.size() > 2;
  int64_t count = 0;
  bool with_values = false;
  if (counted) {
    constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
    if (!ParseInteger(context[2], &count)) return context.Fail(error::kNotInteger);
    if (count < -kMax) {
      return context.Fail("ERR value is out of range, value must between " + std::to_string(-kMax) +
                          " and " + std::to_string(kMax));
    }
    with_values = context.size() == 4 && EqualsIgnoreCase(context[3], "withvalues");
    if (context.size() > 4 || (context.size() == 4 && !with_values)) {
      return context.Fail(error::kSyntax);
    }
    if (with_values && (count < -kMax / 2 || count > kMax / 2)) {
      return context.Fail(error::kOutOfRange);
    }
  }
  const std::optional<ValueView> hash = context.Lookup(view, key);
  if (IsWrongType(hash, ValueType::kHash)) return context.Fail(error::kWrongType);
  if (!hash) {
    if (counted) {
      context.reply().Array(0);
    } else {
      context.reply().Null();
    }
    return Outcome::kDone;
  }
  if (!counted) return ReplyRandomElement(view, context, *hash);
  return ReplyRandomElements(view, context, key, *hash, count,
                             with_values ? ElementPart::kBoth : ElementPart::kField);
}

// ---- rows

constexpr ArgSpec kKeyArg[] = {{.name = "key", .type = ArgType::kKey}};
constexpr ArgSpec kScanArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "cursor", .type = ArgType::kInteger},
    {.name = "pattern", .type = ArgType::kPattern, .token = "MATCH", .flags = kOptional},
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional},
};
constexpr ArgSpec kOptions[] = {
    {.name = "count", .type = ArgType::kInteger},
    {.name = "withvalues", .type = ArgType::kPureToken, .token = "WITHVALUES", .flags = kOptional},
};
constexpr ArgSpec kRandfieldArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "options", .type = ArgType::kBlock, .flags = kOptional, .args = kOptions},
};

constexpr CommandSpec kRows[] = {
    {.name = "hgetall",
     .arity = 2,
     .flags = kReadonly,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(N) with N fields, in slices that stall nobody",
     .summary = "Returns all fields of a hash with their values.",
     .run = &Hgetall,
     .tips = {"nondeterministic_output_order"}},
    {.name = "hkeys",
     .arity = 2,
     .flags = kReadonly,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(N) with N fields, in slices that stall nobody",
     .summary = "Returns all fields of a hash.",
     .run = &Hkeys,
     .tips = {"nondeterministic_output_order"}},
    {.name = "hvals",
     .arity = 2,
     .flags = kReadonly,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(N) with N fields, in slices that stall nobody",
     .summary = "Returns the values of all fields of a hash.",
     .run = &Hvals,
     .tips = {"nondeterministic_output_order"}},
    {.name = "hscan",
     .arity = -3,
     .flags = kReadonly,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kScanArgs,
     .since = "0.1.0",
     .complexity = "O(1) a call, O(N) for all N fields",
     .summary = "Returns fields and values a part at a time; what stays comes exactly once.",
     .run = &Hscan,
     .tips = {"nondeterministic_output"}},
    {.name = "hrandfield",
     .arity = -2,
     .flags = kReadonly,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kRandfieldArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N fields returned",
     .summary = "Returns fields of a hash chosen by chance.",
     .run = &Hrandfield,
     .tips = {"nondeterministic_output"}},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kHashScanCommands = kRows;

}  // namespace verso::server
