// When keys expire: EXPIRE and its relatives, PERSIST, TTL, EXPIRETIME.
#include <limits>
#include <string>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/string_reply.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::Key;
using storage::KeyEvent;
using storage::kNoDeadline;
using storage::ReadView;
using storage::ValueView;
using storage::WriteView;

constexpr KeyEvent kDelEvent{"del", 'g'};
constexpr KeyEvent kExpireEvent{"expire", 'g'};
constexpr KeyEvent kPersistEvent{"persist", 'g'};

struct ExpireConditions {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;

  // No deadline counts as one that never comes.
  bool Allow(uint64_t current_ms, int64_t when_ms) const {
    const bool has = current_ms != kNoDeadline;
    const auto current = static_cast<int64_t>(current_ms);
    if (nx && has) return false;
    if (xx && !has) return false;
    if (gt && (!has || when_ms <= current)) return false;
    if (lt && has && when_ms >= current) return false;
    return true;
  }
};

// False: the error is replied.
bool ReadConditions(CommandContext& context, ExpireConditions* conditions) {
  ArgReader args(context, 3);
  while (!args.AtEnd()) {
    if (args.Take("nx")) {
      conditions->nx = true;
    } else if (args.Take("xx")) {
      conditions->xx = true;
    } else if (args.Take("gt")) {
      conditions->gt = true;
    } else if (args.Take("lt")) {
      conditions->lt = true;
    } else {
      context.reply().Error(error::UnsupportedOption(args.Next()));
      return false;
    }
  }
  if (conditions->nx && (conditions->xx || conditions->gt || conditions->lt)) {
    context.reply().Error(error::kExpireNxWithOthers);
    return false;
  }
  if (conditions->gt && conditions->lt) {
    context.reply().Error(error::kExpireGtAndLt);
    return false;
  }
  return true;
}

Outcome ExpireAt(WriteView& view, CommandContext& context, TimeUnit unit) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  ExpireConditions conditions;
  if (!ReadConditions(context, &conditions)) return Outcome::kDone;
  int64_t when = 0;
  if (!ParseInteger(context[2], &when)) return context.Fail(error::kNotInteger);
  // Negative times are allowed: they are past.
  const int64_t from = unit.absolute ? 0 : static_cast<int64_t>(view.moment_ms());
  if (unit.seconds && (when > kMax / 1000 || when < kMin / 1000)) {
    return context.Fail(error::InvalidExpire(context.spec().name));
  }
  if (unit.seconds) when *= 1000;
  if (when > kMax - from) return context.Fail(error::InvalidExpire(context.spec().name));
  when += from;

  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> value = view.Find(key);
  if (!value.has_value() || !conditions.Allow(value->deadline_ms, when)) {
    context.reply().Integer(0);
    return Outcome::kDone;
  }
  if (when <= static_cast<int64_t>(view.moment_ms())) {
    view.Erase(key, kDelEvent);
    context.effects().Emit({"DEL", key.bytes});
  } else {
    const auto deadline_ms = static_cast<uint64_t>(when);
    view.SetDeadline(key, deadline_ms, kExpireEvent);
    if (context.effects().wanted()) {
      context.effects().Emit({"PEXPIREAT", key.bytes, Decimal(deadline_ms)});
    }
  }
  context.reply().Integer(1);
  return Outcome::kDone;
}

Outcome Expire(WriteView& view, CommandContext& context) {
  return ExpireAt(view, context, {.seconds = true, .absolute = false});
}

Outcome Pexpire(WriteView& view, CommandContext& context) {
  return ExpireAt(view, context, {.seconds = false, .absolute = false});
}

Outcome Expireat(WriteView& view, CommandContext& context) {
  return ExpireAt(view, context, {.seconds = true, .absolute = true});
}

Outcome Pexpireat(WriteView& view, CommandContext& context) {
  return ExpireAt(view, context, {.seconds = false, .absolute = true});
}

Outcome Persist(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> value = view.Find(key);
  const bool done = value.has_value() && value->deadline_ms != kNoDeadline;
  if (done) view.SetDeadline(key, kNoDeadline, kPersistEvent);
  context.reply().Integer(done ? 1 : 0);
  return Outcome::kDone;
}

// -2: no such key, -1: it does not expire.
Outcome ReplyTime(const ReadView& view, CommandContext& context, TimeUnit unit) {
  const std::optional<ValueView> value = view.Find(context.KeyAt(view, 1), Access::kPeek);
  CommandEnvironment& environment = context.environment();
  ++(value.has_value() ? environment.keyspace_hits : environment.keyspace_misses);
  int64_t time = -2;
  if (value.has_value()) {
    time = -1;
    if (value->deadline_ms != kNoDeadline) {
      const uint64_t ms = value->deadline_ms - (unit.absolute ? 0 : view.moment_ms());
      time = static_cast<int64_t>(unit.seconds ? (ms + 500) / 1000 : ms);
    }
  }
  context.reply().Integer(time);
  return Outcome::kDone;
}

Outcome Ttl(const ReadView& view, CommandContext& context) {
  return ReplyTime(view, context, {.seconds = true, .absolute = false});
}

Outcome Pttl(const ReadView& view, CommandContext& context) {
  return ReplyTime(view, context, {.seconds = false, .absolute = false});
}

Outcome Expiretime(const ReadView& view, CommandContext& context) {
  return ReplyTime(view, context, {.seconds = true, .absolute = true});
}

Outcome Pexpiretime(const ReadView& view, CommandContext& context) {
  return ReplyTime(view, context, {.seconds = false, .absolute = true});
}

// ---- rows

constexpr ArgSpec kKeyArg[] = {{.name = "key", .type = ArgType::kKey}};
constexpr ArgSpec kCondition[] = {
    {.name = "nx", .type = ArgType::kPureToken, .token = "NX"},
    {.name = "xx", .type = ArgType::kPureToken, .token = "XX"},
    {.name = "gt", .type = ArgType::kPureToken, .token = "GT"},
    {.name = "lt", .type = ArgType::kPureToken, .token = "LT"},
};
constexpr ArgSpec kExpireArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "seconds", .type = ArgType::kInteger},
    {.name = "condition", .type = ArgType::kOneOf, .flags = kOptional, .args = kCondition},
};
constexpr ArgSpec kPexpireArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "milliseconds", .type = ArgType::kInteger},
    {.name = "condition", .type = ArgType::kOneOf, .flags = kOptional, .args = kCondition},
};
constexpr ArgSpec kExpireatArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "unix-time-seconds", .type = ArgType::kUnixTime},
    {.name = "condition", .type = ArgType::kOneOf, .flags = kOptional, .args = kCondition},
};
constexpr ArgSpec kPexpireatArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "unix-time-milliseconds", .type = ArgType::kUnixTime},
    {.name = "condition", .type = ArgType::kOneOf, .flags = kOptional, .args = kCondition},
};

constexpr CommandSpec kRows[] = {
    {.name = "expire",
     .arity = -3,
     .flags = kWrite | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kExpireArgs,
     .since = "0.1.0",
     .complexity = "O(log N) with N keys that expire",
     .summary = "Lets a key expire after so many seconds.",
     .run = &Expire},
    {.name = "pexpire",
     .arity = -3,
     .flags = kWrite | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kPexpireArgs,
     .since = "0.1.0",
     .complexity = "O(log N) with N keys that expire",
     .summary = "Lets a key expire after so many milliseconds.",
     .run = &Pexpire},
    {.name = "expireat",
     .arity = -3,
     .flags = kWrite | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kExpireatArgs,
     .since = "0.1.0",
     .complexity = "O(log N) with N keys that expire",
     .summary = "Lets a key expire at a Unix time in seconds.",
     .run = &Expireat},
    {.name = "pexpireat",
     .arity = -3,
     .flags = kWrite | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kPexpireatArgs,
     .since = "0.1.0",
     .complexity = "O(log N) with N keys that expire",
     .summary = "Lets a key expire at a Unix time in milliseconds.",
     .run = &Pexpireat},
    {.name = "persist",
     .arity = 2,
     .flags = kWrite | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(log N) with N keys that expire",
     .summary = "Takes the expire time from a key.",
     .run = &Persist},
    {.name = "ttl",
     .arity = 2,
     .flags = kReadonly | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the seconds until a key expires.",
     .run = &Ttl,
     .tips = {"nondeterministic_output"}},
    {.name = "pttl",
     .arity = 2,
     .flags = kReadonly | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the milliseconds until a key expires.",
     .run = &Pttl,
     .tips = {"nondeterministic_output"}},
    {.name = "expiretime",
     .arity = 2,
     .flags = kReadonly | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the Unix time in seconds at which a key expires.",
     .run = &Expiretime},
    {.name = "pexpiretime",
     .arity = 2,
     .flags = kReadonly | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the Unix time in milliseconds at which a key expires.",
     .run = &Pexpiretime},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kExpireCommands = kRows;

}  // namespace verso::server
