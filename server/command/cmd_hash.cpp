// Hashes, field by field: HSET, HGET, HDEL, HINCRBY and their relatives. Whole hashes are in
// cmd_hash_scan.cpp.
#include <charconv>
#include <cmath>
#include <string>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/element_reply.h"
#include "server/command/string_reply.h"
#include "storage/types/hash_value.h"

namespace verso::server {
namespace {

using storage::HashWriter;
using storage::Key;
using storage::KeyEvent;
using storage::ReadView;
using storage::ValueType;
using storage::ValueView;
using storage::WriteView;

KeyEvent HashEvent(const char* name, size_t changes = 1) { return {name, 'h', changes}; }

// visit(index, field) for the arguments first, first + step, ...; the fields of a large hash are
// hashed and prefetched in batches.
template <typename Visit>
void ForEachField(const ReadView& view, const CommandContext& context, const ValueView& hash,
                  size_t first, size_t step, Visit&& visit) {
  constexpr size_t kBatch = ReadView::kPrefetchBatch;
  const bool large = bool{storage::CollectionRef(hash)};
  Key fields[kBatch];
  for (size_t at = first; at < context.size();) {
    size_t count = 0;
    for (size_t i = at; i < context.size() && count < kBatch; i += step) {
      fields[count++] = large ? view.MakeKey(context[i]) : Key{context[i], 0};
    }
    if (large && count > 1) storage::HashPrefetch(view.arena(), hash, fields, count);
    for (size_t i = 0; i < count; ++i, at += step) visit(at, fields[i]);
  }
}

// ---- writing

size_t FieldsReserve(const ReadView& view, const CommandContext& context) {
  return ElementsReserve(view, context, 2);
}

// How many fields are new; nullopt: the error is replied.
std::optional<int64_t> SetFields(WriteView& view, CommandContext& context) {
  if (context.size() % 2 != 0) {
    context.reply().Error(error::WrongArity(context.spec().name));
    return std::nullopt;
  }
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (IsWrongType(old, ValueType::kHash)) {
    context.reply().Error(error::kWrongType);
    return std::nullopt;
  }
  HashWriter hash(view, key, old, context.environment().limits);
  int64_t added = 0;
  for (size_t i = 2; i < context.size(); i += 2) {
    added += hash.Set(context[i], context[i + 1]) ? 1 : 0;
  }
  hash.Finish(HashEvent("hset", (context.size() - 2) / 2));
  return added;
}

Outcome Hset(WriteView& view, CommandContext& context) {
  if (const auto added = SetFields(view, context)) context.reply().Integer(*added);
  return Outcome::kDone;
}

Outcome Hmset(WriteView& view, CommandContext& context) {
  if (SetFields(view, context)) context.reply().Ok();
  return Outcome::kDone;
}

Outcome Hsetnx(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (IsWrongType(old, ValueType::kHash)) return context.Fail(error::kWrongType);
  const bool free = !old || !storage::HashFind(view, *old, context[2]);
  if (free) {
    HashWriter hash(view, key, old, context.environment().limits);
    hash.Set(context[2], context[3]);
    hash.Finish(HashEvent("hset"));
  }
  context.reply().Integer(free ? 1 : 0);
  return Outcome::kDone;
}

Outcome Hdel(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (IsWrongType(old, ValueType::kHash)) return context.Fail(error::kWrongType);
  size_t removed = 0;
  if (old) {
    HashWriter hash(view, key, old, context.environment().limits);
    for (size_t i = 2; i < context.size() && hash.count() > 0; ++i) {
      removed += hash.Erase(context[i]) ? 1 : 0;
    }
    if (removed > 0) hash.Finish(HashEvent("hdel", removed));
  }
  context.reply().Integer(static_cast<int64_t>(removed));
  return Outcome::kDone;
}

// A field's value in one piece: numbers are short, what is longer is no number.
std::string NumberText(const ReadView& view, const ValueView& value) {
  constexpr size_t kNumberMax = 5200;
  return storage::StringLength(view.arena(), value) > kNumberMax
             ? std::string()
             : storage::StringCopy(view.arena(), value);
}

Outcome Hincrby(WriteView& view, CommandContext& context) {
  int64_t by = 0;
  if (!ParseInteger(context[3], &by)) return context.Fail(error::kNotInteger);
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (IsWrongType(old, ValueType::kHash)) return context.Fail(error::kWrongType);
  int64_t number = 0;
  const auto value = old ? storage::HashFind(view, *old, context[2]) : std::nullopt;
  if (value && !ParseInteger(NumberText(view, *value), &number)) {
    return context.Fail(error::kHashNotInteger);
  }
  if (__builtin_add_overflow(number, by, &number)) return context.Fail(error::kOverflow);
  char digits[24];
  const char* end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  HashWriter hash(view, key, old, context.environment().limits);
  hash.Set(context[2], {digits, static_cast<size_t>(end - digits)});
  hash.Finish(HashEvent("hincrby"));
  context.reply().Integer(number);
  return Outcome::kDone;
}

Outcome Hincrbyfloat(WriteView& view, CommandContext& context) {
  long double by = 0;
  if (!ParseLongDouble(context[3], &by)) return context.Fail(error::kNotFloat);
  if (std::isnan(by) || std::isinf(by)) return context.Fail(error::kIsNanOrInfinity);
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (IsWrongType(old, ValueType::kHash)) return context.Fail(error::kWrongType);
  long double number = 0;
  const auto value = old ? storage::HashFind(view, *old, context[2]) : std::nullopt;
  if (value && !ParseLongDouble(NumberText(view, *value), &number)) {
    return context.Fail(error::kHashNotFloat);
  }
  number += by;
  if (std::isnan(number) || std::isinf(number)) return context.Fail(error::kNanOrInfinity);
  char digits[5200];  // the room that FormatLongDouble asks for
  const ByteView text(digits, FormatLongDouble(number, digits));
  HashWriter hash(view, key, old, context.environment().limits);
  hash.Set(context[2], text);
  hash.Finish(HashEvent("hincrbyfloat"));
  context.reply().Bulk(text);
  // The sum, not the summand: another machine may round otherwise.
  context.effects().Emit({"HSET", key.bytes, context[2], text});
  return Outcome::kDone;
}

// A sum may be longer than what was added.
size_t FloatReserve(const ReadView& view, const CommandContext& context) {
  return FieldsReserve(view, context) + 2 * 5200;
}

// ---- reading

// The hash at argument 1; nullopt: there is none, or *wrong says that it is something else.
std::optional<ValueView> LookupHash(const ReadView& view, CommandContext& context, bool* wrong) {
  std::optional<ValueView> hash = context.Lookup(view, context.KeyAt(view, 1));
  *wrong = IsWrongType(hash, ValueType::kHash);
  if (*wrong) context.reply().Error(error::kWrongType);
  return *wrong ? std::nullopt : hash;
}

// The value of the field at argument 2, for commands that reply about one.
std::optional<ValueView> LookupField(const ReadView& view, CommandContext& context, bool* wrong) {
  const std::optional<ValueView> hash = LookupHash(view, context, wrong);
  if (!hash) return std::nullopt;
  return storage::HashFind(view, *hash, context[2]);
}

Outcome Hget(const ReadView& view, CommandContext& context) {
  bool wrong = false;
  const std::optional<ValueView> value = LookupField(view, context, &wrong);
  if (wrong) return Outcome::kDone;
  if (value) {
    ReplyString(context.reply(), view.arena(), *value);
  } else {
    context.reply().Null();
  }
  return Outcome::kDone;
}

Outcome Hstrlen(const ReadView& view, CommandContext& context) {
  bool wrong = false;
  const std::optional<ValueView> value = LookupField(view, context, &wrong);
  if (wrong) return Outcome::kDone;
  const size_t length = value ? storage::StringLength(view.arena(), *value) : 0;
  context.reply().Integer(static_cast<int64_t>(length));
  return Outcome::kDone;
}

Outcome Hexists(const ReadView& view, CommandContext& context) {
  bool wrong = false;
  const std::optional<ValueView> value = LookupField(view, context, &wrong);
  if (!wrong) context.reply().Integer(value ? 1 : 0);
  return Outcome::kDone;
}

Outcome Hlen(const ReadView& view, CommandContext& context) {
  bool wrong = false;
  const std::optional<ValueView> hash = LookupHash(view, context, &wrong);
  if (wrong) return Outcome::kDone;
  const uint64_t count = hash ? storage::HashCount(view.arena(), *hash) : 0;
  context.reply().Integer(static_cast<int64_t>(count));
  return Outcome::kDone;
}

Outcome Hmget(const ReadView& view, CommandContext& context) {
  bool wrong = false;
  const std::optional<ValueView> hash = LookupHash(view, context, &wrong);
  if (wrong) return Outcome::kDone;
  context.reply().Array(context.size() - 2);
  if (!hash) {
    for (size_t i = 2; i < context.size(); ++i) context.reply().Null();
    return Outcome::kDone;
  }
  ForEachField(view, context, *hash, 2, 1, [&](size_t, const Key& field) {
    if (const auto value = storage::HashFindKey(view.arena(), *hash, field)) {
      ReplyString(context.reply(), view.arena(), *value);
    } else {
      context.reply().Null();
    }
  });
  return Outcome::kDone;
}

// ---- rows

constexpr ArgSpec kKeyArg[] = {{.name = "key", .type = ArgType::kKey}};
constexpr ArgSpec kFieldArgs[] = {{.name = "key", .type = ArgType::kKey}, {.name = "field"}};
constexpr ArgSpec kFieldsArgs[] = {{.name = "key", .type = ArgType::kKey},
                                   {.name = "field", .flags = kMultiple}};
constexpr ArgSpec kPair[] = {{.name = "field"}, {.name = "value"}};
constexpr ArgSpec kPairsArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "data", .type = ArgType::kBlock, .flags = kMultiple, .args = kPair}};
constexpr ArgSpec kPairArgs[] = {
    {.name = "key", .type = ArgType::kKey}, {.name = "field"}, {.name = "value"}};
constexpr ArgSpec kIncrbyArgs[] = {{.name = "key", .type = ArgType::kKey},
                                   {.name = "field"},
                                   {.name = "increment", .type = ArgType::kInteger}};
constexpr ArgSpec kIncrbyfloatArgs[] = {{.name = "key", .type = ArgType::kKey},
                                        {.name = "field"},
                                        {.name = "increment", .type = ArgType::kDouble}};

constexpr CommandSpec kRows[] = {
    {.name = "hset",
     .arity = -4,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kPairsArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N fields",
     .summary = "Sets fields of a hash; returns how many are new.",
     .run = &Hset,
     .reserve = &FieldsReserve},
    {.name = "hmset",
     .arity = -4,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kPairsArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N fields",
     .summary = "Sets fields of a hash.",
     .run = &Hmset,
     .reserve = &FieldsReserve,
     .deprecated_since = "0.1.0",
     .replaced_by = "`HSET` with multiple field-value pairs"},
    {.name = "hsetnx",
     .arity = 4,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyInsert)},
     .args = kPairArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Sets a field of a hash if it is not there.",
     .run = &Hsetnx,
     .reserve = &FieldsReserve},
    {.name = "hget",
     .arity = 3,
     .flags = kReadonly | kFast,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kFieldArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the value of a field of a hash.",
     .run = &Hget},
    {.name = "hmget",
     .arity = -3,
     .flags = kReadonly | kFast,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kFieldsArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N fields",
     .summary = "Returns the values of fields of a hash.",
     .run = &Hmget},
    {.name = "hdel",
     .arity = -3,
     .flags = kWrite | kFast,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyDelete)},
     .args = kFieldsArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N fields",
     .summary = "Removes fields of a hash; returns how many there were.",
     .run = &Hdel,
     .reserve = &FieldsReserve},
    {.name = "hlen",
     .arity = 2,
     .flags = kReadonly | kFast,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRo)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the number of fields of a hash.",
     .run = &Hlen},
    {.name = "hstrlen",
     .arity = 3,
     .flags = kReadonly | kFast,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRo)},
     .args = kFieldArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the length of the value of a field of a hash.",
     .run = &Hstrlen},
    {.name = "hexists",
     .arity = 3,
     .flags = kReadonly | kFast,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRo)},
     .args = kFieldArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Tells whether a hash has a field.",
     .run = &Hexists},
    {.name = "hincrby",
     .arity = 4,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyUpdate)},
     .args = kIncrbyArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Adds to the integer in a field of a hash, 0 if there is none.",
     .run = &Hincrby,
     .reserve = &FieldsReserve},
    {.name = "hincrbyfloat",
     .arity = 4,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kHash,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyUpdate)},
     .args = kIncrbyfloatArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Adds to the number in a field of a hash, 0 if there is none.",
     .run = &Hincrbyfloat,
     .reserve = &FloatReserve},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kHashCommands = kRows;

}  // namespace verso::server
