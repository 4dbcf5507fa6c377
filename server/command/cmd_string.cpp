// Strings as a whole: GET, SET and their older relatives, MGET, MSET. Numbers are in
// cmd_string_number.cpp, parts of strings in cmd_string_range.cpp, bits in cmd_bitmap.cpp.
#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/string_reply.h"

namespace verso::server {
namespace {

using storage::Key;
using storage::KeyEvent;
using storage::ReadView;
using storage::SetOptions;
using storage::ValueType;
using storage::ValueView;
using storage::WriteView;

constexpr KeyEvent kSetEvent{"set", '$'};
constexpr KeyEvent kDelEvent{"del", 'g'};
constexpr KeyEvent kExpireEvent{"expire", 'g'};
constexpr KeyEvent kAlsoExpireEvent{"expire", 'g', 0};
constexpr KeyEvent kPersistEvent{"persist", 'g'};

// The options of SET and GETEX: one grammar, of which each takes a part.
struct StringOptions {
  enum class Expire : uint8_t { kNone, kAt, kKeep, kPersist };
  bool nx = false;
  bool xx = false;
  bool get = false;
  Expire expire = Expire::kNone;
  TimeUnit unit;
  ByteView time;
};

// False: a syntax error. The same time option may come twice, the last one counts.
bool ReadStringOptions(ArgReader args, bool is_set, StringOptions* options) {
  struct TimeOption {
    std::string_view word;
    TimeUnit unit;
  };
  static constexpr TimeOption kTimeOptions[] = {
      {"ex", {.seconds = true, .absolute = false}},
      {"px", {.seconds = false, .absolute = false}},
      {"exat", {.seconds = true, .absolute = true}},
      {"pxat", {.seconds = false, .absolute = true}},
  };
  using Expire = StringOptions::Expire;
  while (!args.AtEnd()) {
    if (is_set && !options->xx && args.Take("nx")) {
      options->nx = true;
    } else if (is_set && !options->nx && args.Take("xx")) {
      options->xx = true;
    } else if (is_set && args.Take("get")) {
      options->get = true;
    } else if (is_set && (options->expire == Expire::kNone || options->expire == Expire::kKeep) &&
               args.Take("keepttl")) {
      options->expire = Expire::kKeep;
    } else if (!is_set &&
               (options->expire == Expire::kNone || options->expire == Expire::kPersist) &&
               args.Take("persist")) {
      options->expire = Expire::kPersist;
    } else {
      const TimeOption* taken = nullptr;
      for (const TimeOption& option : kTimeOptions) {
        if (args.remaining() < 2) break;
        const bool fits =
            options->expire == Expire::kNone ||
            (options->expire == Expire::kAt && options->unit.seconds == option.unit.seconds &&
             options->unit.absolute == option.unit.absolute);
        if (fits && args.Take(option.word)) {
          taken = &option;
          break;
        }
      }
      if (taken == nullptr) return false;
      options->expire = Expire::kAt;
      options->unit = taken->unit;
      options->time = args.Next();
    }
  }
  return true;
}

// What the old value was, or null. False: it is no string, and the error is replied.
bool ReplyOldValue(const ReadView& view, CommandContext& context, const Key& key) {
  const std::optional<ValueView> old = context.Lookup(view, key);
  if (!old.has_value()) {
    context.reply().Null();
    return true;
  }
  if (IsWrongType(old)) {
    context.reply().Error(error::kWrongType);
    return false;
  }
  ReplyString(context.reply(), view.arena(), *old);
  return true;
}

// Stores the value and records it: with an absolute deadline, whatever words the client used.
void SetAndEmit(WriteView& view, CommandContext& context, const Key& key, ByteView value,
                const SetOptions& set) {
  view.SetString(key, value, set, kSetEvent);
  if (set.deadline_ms != storage::kNoDeadline) view.NotifyChanged(key, kAlsoExpireEvent);
  if (!context.effects().wanted()) return;
  if (set.keep_deadline) {
    context.effects().Emit({"SET", key.bytes, value, "KEEPTTL"});
  } else if (set.deadline_ms != storage::kNoDeadline) {
    context.effects().Emit({"SET", key.bytes, value, "PXAT", Decimal(set.deadline_ms)});
  } else {
    context.effects().Emit({"SET", key.bytes, value});
  }
}

Outcome Get(const ReadView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> value = context.Lookup(view, key);
  if (!value.has_value()) {
    context.reply().Null();
    return Outcome::kDone;
  }
  if (IsWrongType(value)) return context.Fail(error::kWrongType);
  if (const std::optional<ByteView> whole = storage::StringContiguous(view.arena(), *value)) {
    context.reply().Bulk(*whole);
    return Outcome::kDone;
  }
  return ReplyStringSliced(view, context, key, *value, 0,
                           storage::StringLength(view.arena(), *value));
}

Outcome Set(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const ByteView value = context[2];
  if (context.size() == 3) {
    if (value.size() > StringBytesMax(context)) return context.Fail(error::kStringTooLong);
    view.SetString(key, value, {}, kSetEvent);
    context.reply().Ok();
    return Outcome::kDone;
  }
  StringOptions options;
  if (!ReadStringOptions(ArgReader(context, 3), true, &options)) {
    return context.Fail(error::kSyntax);
  }
  SetOptions set;
  set.keep_deadline = options.expire == StringOptions::Expire::kKeep;
  if (options.expire == StringOptions::Expire::kAt &&
      !ReadDeadline(context, options.time, options.unit, view.moment_ms(), &set.deadline_ms)) {
    return Outcome::kDone;
  }
  if (value.size() > StringBytesMax(context)) return context.Fail(error::kStringTooLong);
  if (options.get && !ReplyOldValue(view, context, key)) return Outcome::kDone;
  if (options.nx || options.xx) {
    if (view.Exists(key) == options.nx) {
      if (!options.get) context.reply().Null();
      return Outcome::kDone;
    }
  }
  if (set.keep_deadline) set.keep_deadline = view.FindForWrite(key).has_value();
  SetAndEmit(view, context, key, value, set);
  if (!options.get) context.reply().Ok();
  return Outcome::kDone;
}

Outcome Setnx(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  if (context[2].size() > StringBytesMax(context)) return context.Fail(error::kStringTooLong);
  const bool free = !view.Exists(key);
  if (free) SetAndEmit(view, context, key, context[2], {});
  context.reply().Integer(free ? 1 : 0);
  return Outcome::kDone;
}

Outcome SetWithTime(WriteView& view, CommandContext& context, TimeUnit unit) {
  SetOptions set;
  if (!ReadDeadline(context, context[2], unit, view.moment_ms(), &set.deadline_ms)) {
    return Outcome::kDone;
  }
  if (context[3].size() > StringBytesMax(context)) return context.Fail(error::kStringTooLong);
  SetAndEmit(view, context, context.KeyAt(view, 1), context[3], set);
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome Setex(WriteView& view, CommandContext& context) {
  return SetWithTime(view, context, {.seconds = true});
}

Outcome Psetex(WriteView& view, CommandContext& context) {
  return SetWithTime(view, context, {.seconds = false});
}

Outcome Getset(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  if (context[2].size() > StringBytesMax(context)) return context.Fail(error::kStringTooLong);
  if (ReplyOldValue(view, context, key)) SetAndEmit(view, context, key, context[2], {});
  return Outcome::kDone;
}

Outcome Getdel(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  if (ReplyOldValue(view, context, key) && view.Erase(key, kDelEvent)) {
    context.effects().Emit({"DEL", key.bytes});
  }
  return Outcome::kDone;
}

Outcome Getex(WriteView& view, CommandContext& context) {
  using Expire = StringOptions::Expire;
  StringOptions options;
  if (!ReadStringOptions(ArgReader(context, 2), false, &options)) {
    return context.Fail(error::kSyntax);
  }
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> value = context.Lookup(view, key);
  if (!value.has_value()) {
    context.reply().Null();
    return Outcome::kDone;
  }
  if (IsWrongType(value)) return context.Fail(error::kWrongType);
  const bool had_deadline = value->deadline_ms != storage::kNoDeadline;
  uint64_t deadline_ms = 0;
  if (options.expire == Expire::kAt &&
      !ReadDeadline(context, options.time, options.unit, view.moment_ms(), &deadline_ms)) {
    return Outcome::kDone;
  }
  ReplyString(context.reply(), view.arena(), *value);
  if (options.expire == Expire::kAt && deadline_ms <= view.moment_ms()) {
    view.Erase(key, kDelEvent);
    context.effects().Emit({"DEL", key.bytes});
  } else if (options.expire == Expire::kAt) {
    view.SetDeadline(key, deadline_ms, kExpireEvent);
    if (context.effects().wanted()) {
      context.effects().Emit({"PEXPIREAT", key.bytes, Decimal(deadline_ms)});
    }
  } else if (options.expire == Expire::kPersist && had_deadline) {
    view.SetDeadline(key, storage::kNoDeadline, kPersistEvent);
    context.effects().Emit({"PERSIST", key.bytes});
  }
  return Outcome::kDone;
}

Outcome Mget(const ReadView& view, CommandContext& context) {
  ReplyWriter& reply = context.reply();
  reply.Array(context.size() - 1);
  ForEachKey(view, context, 1, 1, [&](size_t, const Key& key) {
    const std::optional<ValueView> value = context.Lookup(view, key);
    if (!value.has_value() || value->type != ValueType::kString) {
      reply.Null();
    } else {
      ReplyString(reply, view.arena(), *value);
    }
  });
  return Outcome::kDone;
}

// What is wrong with the arguments of MSET and MSETNX; empty: nothing.
bool FailedPairs(CommandContext& context) {
  if (context.size() % 2 == 0) {
    context.reply().Error(error::WrongArity(context.spec().name));
    return true;
  }
  for (size_t i = 2; i < context.size(); i += 2) {
    if (context[i].size() > StringBytesMax(context)) {
      context.reply().Error(error::kStringTooLong);
      return true;
    }
  }
  return false;
}

void SetPairs(WriteView& view, CommandContext& context) {
  ForEachKey(view, context, 1, 2, [&](size_t index, const Key& key) {
    view.SetString(key, context[index + 1], {}, kSetEvent);
  });
}

Outcome Mset(WriteView& view, CommandContext& context) {
  if (FailedPairs(context)) return Outcome::kDone;
  SetPairs(view, context);
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome Msetnx(WriteView& view, CommandContext& context) {
  if (FailedPairs(context)) return Outcome::kDone;
  bool free = true;
  ForEachKey(view, context, 1, 2,
             [&](size_t, const Key& key) { free = free && !view.FindForWrite(key).has_value(); });
  if (free) SetPairs(view, context);
  context.reply().Integer(free ? 1 : 0);
  return Outcome::kDone;
}

// ---- rows

constexpr ArgSpec kKeyArg[] = {{.name = "key", .type = ArgType::kKey}};
constexpr ArgSpec kKeysArg[] = {{.name = "key", .type = ArgType::kKey, .flags = kMultiple}};
constexpr ArgSpec kKeyValueArgs[] = {{.name = "key", .type = ArgType::kKey}, {.name = "value"}};
constexpr ArgSpec kSetexArgs[] = {{.name = "key", .type = ArgType::kKey},
                                  {.name = "seconds", .type = ArgType::kInteger},
                                  {.name = "value"}};
constexpr ArgSpec kPsetexArgs[] = {{.name = "key", .type = ArgType::kKey},
                                   {.name = "milliseconds", .type = ArgType::kInteger},
                                   {.name = "value"}};
constexpr ArgSpec kPairsArgs[] = {
    {.name = "data", .type = ArgType::kBlock, .flags = kMultiple, .args = kKeyValueArgs}};

constexpr ArgSpec kSetCondition[] = {
    {.name = "nx", .type = ArgType::kPureToken, .token = "NX"},
    {.name = "xx", .type = ArgType::kPureToken, .token = "XX"},
};
constexpr ArgSpec kSetExpiration[] = {
    {.name = "seconds", .type = ArgType::kInteger, .token = "EX"},
    {.name = "milliseconds", .type = ArgType::kInteger, .token = "PX"},
    {.name = "unix-time-seconds", .type = ArgType::kUnixTime, .token = "EXAT"},
    {.name = "unix-time-milliseconds", .type = ArgType::kUnixTime, .token = "PXAT"},
    {.name = "keepttl", .type = ArgType::kPureToken, .token = "KEEPTTL"},
};
constexpr ArgSpec kSetArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "value"},
    {.name = "condition", .type = ArgType::kOneOf, .flags = kOptional, .args = kSetCondition},
    {.name = "get", .type = ArgType::kPureToken, .token = "GET", .flags = kOptional},
    {.name = "expiration", .type = ArgType::kOneOf, .flags = kOptional, .args = kSetExpiration},
};
constexpr ArgSpec kGetexExpiration[] = {
    {.name = "seconds", .type = ArgType::kInteger, .token = "EX"},
    {.name = "milliseconds", .type = ArgType::kInteger, .token = "PX"},
    {.name = "unix-time-seconds", .type = ArgType::kUnixTime, .token = "EXAT"},
    {.name = "unix-time-milliseconds", .type = ArgType::kUnixTime, .token = "PXAT"},
    {.name = "persist", .type = ArgType::kPureToken, .token = "PERSIST"},
};
constexpr ArgSpec kGetexArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "expiration", .type = ArgType::kOneOf, .flags = kOptional, .args = kGetexExpiration},
};

constexpr CommandSpec kRows[] = {
    {.name = "get",
     .arity = 2,
     .flags = kReadonly | kFast,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the string that a key holds.",
     .run = &Get},
    {.name = "set",
     .arity = -3,
     .flags = kWrite | kDenyOom,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyUpdate | kKeyVariable)},
     .args = kSetArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Makes a key hold a string, whatever it held; with conditions and an expire time.",
     .run = &Set},
    {.name = "setnx",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyOw | kKeyInsert)},
     .args = kKeyValueArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Sets a string if the key does not exist.",
     .run = &Setnx},
    {.name = "setex",
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyOw | kKeyUpdate)},
     .args = kSetexArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Sets a string that expires after so many seconds.",
     .run = &Setex},
    {.name = "psetex",
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyOw | kKeyUpdate)},
     .args = kPsetexArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Sets a string that expires after so many milliseconds.",
     .run = &Psetex},
    {.name = "getset",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyUpdate)},
     .args = kKeyValueArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Sets a string and returns the one that was there.",
     .run = &Getset},
    {.name = "getdel",
     .arity = 2,
     .flags = kWrite | kFast,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyDelete)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the string that a key holds and removes the key.",
     .run = &Getdel},
    {.name = "getex",
     .arity = -2,
     .flags = kWrite | kFast,
     .group = Group::kString,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyUpdate)},
     .args = kGetexArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the string that a key holds and changes when the key expires.",
     .run = &Getex},
    {.name = "mget",
     .arity = -2,
     .flags = kReadonly | kFast,
     .group = Group::kString,
     .keys = {Keys::At(1).To(-1).Access(kKeyRo | kKeyAccess)},
     .args = kKeysArg,
     .since = "0.1.0",
     .complexity = "O(N) with N keys",
     .summary = "Returns the strings that several keys hold.",
     .run = &Mget,
     .tips = {"request_policy:multi_shard"}},
    {.name = "mset",
     .arity = -3,
     .flags = kWrite | kDenyOom,
     .group = Group::kString,
     .keys = {Keys::At(1).To(-1).Step(2).Access(kKeyOw | kKeyUpdate)},
     .args = kPairsArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N keys",
     .summary = "Sets several strings at once.",
     .run = &Mset,
     .tips = {"request_policy:multi_shard", "response_policy:all_succeeded"}},
    {.name = "msetnx",
     .arity = -3,
     .flags = kWrite | kDenyOom,
     .group = Group::kString,
     .keys = {Keys::At(1).To(-1).Step(2).Access(kKeyOw | kKeyInsert)},
     .args = kPairsArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N keys",
     .summary = "Sets several strings if none of the keys exists.",
     .run = &Msetnx},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kStringCommands = kRows;

}  // namespace verso::server
