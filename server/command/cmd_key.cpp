// Commands on keys whatever they hold: DEL, EXISTS, TYPE, RENAME, COPY, MOVE, OBJECT. Finding keys
// is in cmd_key_scan.cpp, their deadlines in cmd_expire.cpp.
#include <limits>
#include <string>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/help_reply.h"
#include "server/command/string_reply.h"
#include "storage/index/rope.h"
#include "storage/memory/store.h"
#include "storage/memory/subtree.h"
#include "storage/types/type_ops.h"

namespace verso::server {
namespace {

using storage::Access;
using storage::Key;
using storage::KeyEvent;
using storage::ReadView;
using storage::ValueType;
using storage::ValueView;
using storage::WriteView;

constexpr KeyEvent kDelEvent{"del", 'g'};

// Lookup for commands that ask about a key without using it: counted, but its clock stays.
std::optional<ValueView> Peek(const ReadView& view, CommandContext& context, const Key& key) {
  std::optional<ValueView> value = view.Find(key, Access::kPeek);
  CommandEnvironment& environment = context.environment();
  ++(value.has_value() ? environment.keyspace_hits : environment.keyspace_misses);
  return value;
}

Outcome Del(WriteView& view, CommandContext& context) {
  int64_t removed = 0;
  ForEachKey(view, context, 1, 1,
             [&](size_t, const Key& key) { removed += view.Erase(key, kDelEvent) ? 1 : 0; });
  context.reply().Integer(removed);
  return Outcome::kDone;
}

Outcome Exists(const ReadView& view, CommandContext& context) {
  int64_t found = 0;
  ForEachKey(view, context, 1, 1, [&](size_t, const Key& key) {
    found += Peek(view, context, key).has_value() ? 1 : 0;
  });
  context.reply().Integer(found);
  return Outcome::kDone;
}

Outcome Touch(const ReadView& view, CommandContext& context) {
  int64_t found = 0;
  ForEachKey(view, context, 1, 1, [&](size_t, const Key& key) {
    found += context.Lookup(view, key).has_value() ? 1 : 0;
  });
  context.reply().Integer(found);
  return Outcome::kDone;
}

Outcome Type(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> value = Peek(view, context, context.KeyAt(view, 1));
  context.reply().SimpleString(value.has_value() ? storage::TypeName(value->type) : "none");
  return Outcome::kDone;
}

Outcome RenameTo(WriteView& view, CommandContext& context, bool only_free) {
  const Key from = context.KeyAt(view, 1);
  const Key to = context.KeyAt(view, 2);
  if (!view.Exists(from)) return context.Fail(error::kNoSuchKey);
  const bool done = from.bytes != to.bytes && !(only_free && view.FindForWrite(to).has_value());
  if (done) view.Rename(from, to);
  if (only_free) {
    context.reply().Integer(done ? 1 : 0);
  } else {
    context.reply().Ok();
  }
  return Outcome::kDone;
}

Outcome Rename(WriteView& view, CommandContext& context) { return RenameTo(view, context, false); }

Outcome Renamenx(WriteView& view, CommandContext& context) { return RenameTo(view, context, true); }

// A database number as MOVE and COPY take it. False: the error is replied.
bool ReadDatabase(CommandContext& context, ByteView text, int* db) {
  constexpr int64_t kMin = std::numeric_limits<int>::min();
  constexpr int64_t kMax = std::numeric_limits<int>::max();
  int64_t number = 0;
  if (!ParseInteger(text, &number)) {
    context.reply().Error(error::kNotInteger);
  } else if (number < kMin || number > kMax) {
    context.reply().Error("ERR value is out of range, value must between " + std::to_string(kMin) +
                          " and " + std::to_string(kMax));
  } else if (number < 0 || number >= context.environment().databases) {
    context.reply().Error(error::kDatabaseOutOfRange);
  } else {
    *db = static_cast<int>(number);
    return true;
  }
  return false;
}

bool ExistsIn(WriteView& view, int db, const Key& key) {
  return ReadView(view.store(), view.line(), db, view.moment_ms()).Exists(key);
}

// Records a copy to another place, where an expired entry may stand that a replay takes for a live
// one.
void EmitCopy(CommandContext& context, const Key& from, const Key& to, int db) {
  if (!context.effects().wanted()) return;
  context.effects().Emit(
      {"COPY", from.bytes, to.bytes, "DB", Decimal(static_cast<uint64_t>(db)), "REPLACE"});
}

Outcome Move(WriteView& view, CommandContext& context) {
  int db = 0;
  if (!ReadDatabase(context, context[2], &db)) return Outcome::kDone;
  if (db == view.db()) return context.Fail(error::kSameObject);
  const Key key = context.KeyAt(view, 1);
  const bool done = view.Exists(key) && !ExistsIn(view, db, key) && view.Move(key, db);
  if (done) {
    EmitCopy(context, key, key, db);
    context.effects().Emit({"DEL", key.bytes});
  }
  context.reply().Integer(done ? 1 : 0);
  return Outcome::kDone;
}

// Two databases change, and with them two paths.
size_t MoveReserve(const ReadView&, const CommandContext& context) {
  return context[1].size() + storage::Store::kBytesPerKeyWrite;
}

// In a scratch line that begins with the pinned version the copy starts as a second reference to
// the same pages; making them young enough to be linked is the copying.
class CopyBuild final : public AsideBuild {
 public:
  CopyBuild(const CommandContext& context, int from_db, int to_db, bool replace)
      : AsideBuild(context[2], to_db), from_(context[1]), from_db_(from_db), replace_(replace) {}

  bool from_version() const override { return true; }

  AsideStep Build(const ReadView&, WriteView& aside, Slice&) override {
    if (!aside.store().ReserveForWrite(target().size() + storage::kInlineBytesMax, 2)) {
      return AsideStep::kNoRoom;
    }
    std::optional<ValueView> value =
        aside.InDatabase(from_db_).Find(aside.MakeKey(from_), Access::kPeek);
    if (!value) return AsideStep::kDone;  // Commit finds nothing either
    const std::string inlined(value->bytes);
    value->bytes = inlined;
    value->deadline_ms = storage::kNoDeadline;
    aside.SetValue(aside.MakeKey(target()), *value);
    return AsideStep::kDone;
  }

  void Commit(WriteView& view, CommandContext& context, AsideResult built) override {
    const Key from = view.MakeKey(from_);
    const Key to = view.MakeKey(target());
    const std::optional<ValueView> source = view.Find(from, Access::kPeek);
    const bool done = source && (replace_ || !ExistsIn(view, db(), to));
    if (done) {
      WriteView(view.store(), view.line(), db(), view.moment_ms())
          .PublishFrom(built.aside, to, source->deadline_ms, {"copy_to", 'g'}, built.born_after);
      EmitCopy(context, from, to, db());
    }
    context.reply().Integer(done ? 1 : 0);
  }

 private:
  std::string from_;
  int from_db_;
  bool replace_;
};

// Is it too much to be copied at once?
bool IsLong(const ReadView& view, const ValueView& value) {
  constexpr uint64_t kBytesAtOnce = 256 * 1024;
  return value.external &&
         storage::SubtreeBytes(view.arena(), value.ref, kBytesAtOnce) > kBytesAtOnce;
}

Outcome Copy(WriteView& view, CommandContext& context) {
  int db = view.db();
  bool replace = false;
  ArgReader args(context, 3);
  while (!args.AtEnd()) {
    if (args.Take("replace")) {
      replace = true;
    } else if (args.remaining() >= 2 && args.Take("db")) {
      if (!ReadDatabase(context, args.Next(), &db)) return Outcome::kDone;
    } else {
      return context.Fail(error::kSyntax);
    }
  }
  const Key from = context.KeyAt(view, 1);
  const Key to = context.KeyAt(view, 2);
  if (db == view.db() && from.bytes == to.bytes) return context.Fail(error::kSameObject);
  const std::optional<ValueView> source = context.Lookup(view, from);
  bool done = source && (replace || !ExistsIn(view, db, to));
  if (done && !context.in_unit() && IsLong(view, *source)) {
    return context.BuildAside(std::make_unique<CopyBuild>(context, view.db(), db, replace));
  }
  done = done && view.Copy(from, to, db);
  if (done) EmitCopy(context, from, to, db);
  context.reply().Integer(done ? 1 : 0);
  return Outcome::kDone;
}

size_t CopyReserve(const ReadView& view, const CommandContext& context) {
  const Key from = context.KeyAt(view, 1);
  const std::optional<ValueView> source = view.Find(from, Access::kPeek);
  if (source && !context.in_unit() && IsLong(view, *source)) return 0;  // B4
  return context[2].size() + storage::kRopeChunkBytes + view.MemoryUsage(from).value_or(0);
}

// ---- OBJECT

Outcome ObjectEncoding(const ReadView& view, CommandContext& context) {
  const std::optional<ValueView> value = Peek(view, context, context.KeyAt(view, 2));
  if (value.has_value()) {
    context.reply().Bulk(storage::TypeOpsOf(value->type).encoding(view.arena(), *value));
  } else {
    context.reply().Null();
  }
  return Outcome::kDone;
}

// The access clock of a key that is there.
std::optional<uint16_t> PeekClock(const ReadView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 2);
  if (!Peek(view, context, key).has_value()) return std::nullopt;
  return view.ClockOf(key);
}

Outcome ObjectFreq(const ReadView& view, CommandContext& context) {
  const std::optional<uint16_t> clock = PeekClock(view, context);
  const storage::AccessRule& rule = view.access();
  if (!clock.has_value()) {
    context.reply().Null();
  } else if (!rule.by_frequency()) {
    return context.Fail(error::kNotLfu);
  } else {
    context.reply().Integer(rule.Frequency(*clock, view.moment_ms()));
  }
  return Outcome::kDone;
}

Outcome ObjectIdletime(const ReadView& view, CommandContext& context) {
  const std::optional<uint16_t> clock = PeekClock(view, context);
  const storage::AccessRule& rule = view.access();
  if (!clock.has_value()) {
    context.reply().Null();
  } else if (rule.by_frequency()) {
    return context.Fail(error::kLfu);
  } else {
    context.reply().Integer(static_cast<int64_t>(rule.IdleSeconds(*clock, view.moment_ms())));
  }
  return Outcome::kDone;
}

// Nothing is shared inside a version (V10), so it is always one. Redis shares its small integers
// and says so with the highest number; so do we, for whoever compares.
Outcome ObjectRefcount(const ReadView& view, CommandContext& context) {
  constexpr int64_t kSharedBelow = 10000;
  const std::optional<ValueView> value = Peek(view, context, context.KeyAt(view, 2));
  if (!value.has_value()) {
    context.reply().Null();
    return Outcome::kDone;
  }
  int64_t number = -1;
  if (value->type == ValueType::kString && value->hint == 0) {
    const std::optional<ByteView> text = storage::StringContiguous(view.arena(), *value);
    if (text.has_value()) ParseInteger(*text, &number);
  }
  const bool shared = number >= 0 && number < kSharedBelow;
  context.reply().Integer(shared ? std::numeric_limits<int32_t>::max() : 1);
  return Outcome::kDone;
}

Outcome ObjectHelp(const ReadView&, CommandContext& context) {
  return ReplyHelp("object", context);
}

// ---- rows

constexpr ArgSpec kKeyArg[] = {{.name = "key", .type = ArgType::kKey}};
constexpr ArgSpec kKeysArg[] = {{.name = "key", .type = ArgType::kKey, .flags = kMultiple}};
constexpr ArgSpec kRenameArgs[] = {{.name = "key", .type = ArgType::kKey},
                                   {.name = "newkey", .type = ArgType::kKey, .key_spec = 1}};
constexpr ArgSpec kMoveArgs[] = {{.name = "key", .type = ArgType::kKey},
                                 {.name = "db", .type = ArgType::kInteger}};
constexpr ArgSpec kCopyArgs[] = {
    {.name = "source", .type = ArgType::kKey},
    {.name = "destination", .type = ArgType::kKey, .key_spec = 1},
    {.name = "destination-db", .type = ArgType::kInteger, .token = "DB", .flags = kOptional},
    {.name = "replace", .type = ArgType::kPureToken, .token = "REPLACE", .flags = kOptional},
};

constexpr CommandSpec kObjectRows[] = {
    {.name = "encoding",
     .arity = 3,
     .flags = kReadonly,
     .group = Group::kGeneric,
     .keys = {Keys::At(2).Access(kKeyRo)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns how the value of a key is stored.",
     .run = &ObjectEncoding,
     .tips = {"nondeterministic_output"}},
    {.name = "freq",
     .arity = 3,
     .flags = kReadonly,
     .group = Group::kGeneric,
     .keys = {Keys::At(2).Access(kKeyRo)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the access counter of a key.",
     .run = &ObjectFreq,
     .tips = {"nondeterministic_output"}},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kGeneric,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns a text about the subcommands.",
     .run = &ObjectHelp},
    {.name = "idletime",
     .arity = 3,
     .flags = kReadonly,
     .group = Group::kGeneric,
     .keys = {Keys::At(2).Access(kKeyRo)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the seconds since a key was last used.",
     .run = &ObjectIdletime,
     .tips = {"nondeterministic_output"}},
    {.name = "refcount",
     .arity = 3,
     .flags = kReadonly,
     .group = Group::kGeneric,
     .keys = {Keys::At(2).Access(kKeyRo)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns how many references the value of a key has: one.",
     .run = &ObjectRefcount,
     .tips = {"nondeterministic_output"}},
};

constexpr CommandSpec kRows[] = {
    {.name = "del",
     .arity = -2,
     .flags = kWrite,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).To(-1).Access(kKeyRm | kKeyDelete)},
     .args = kKeysArg,
     .since = "0.1.0",
     .complexity = "O(N) with N keys; big values are freed in the background",
     .summary = "Removes keys; returns how many there were.",
     .run = &Del,
     .tips = {"request_policy:multi_shard", "response_policy:agg_sum"}},
    {.name = "unlink",
     .arity = -2,
     .flags = kWrite | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).To(-1).Access(kKeyRm | kKeyDelete)},
     .args = kKeysArg,
     .since = "0.1.0",
     .complexity = "O(N) with N keys; big values are freed in the background",
     .summary = "The same as DEL.",
     .run = &Del,
     .tips = {"request_policy:multi_shard", "response_policy:agg_sum"}},
    {.name = "exists",
     .arity = -2,
     .flags = kReadonly | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).To(-1).Access(kKeyRo)},
     .args = kKeysArg,
     .since = "0.1.0",
     .complexity = "O(N) with N keys",
     .summary = "Returns how many of the keys exist; one named twice counts twice.",
     .run = &Exists,
     .tips = {"request_policy:multi_shard", "response_policy:agg_sum"}},
    {.name = "touch",
     .arity = -2,
     .flags = kReadonly | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).To(-1).Access(kKeyRo)},
     .args = kKeysArg,
     .since = "0.1.0",
     .complexity = "O(N) with N keys",
     .summary = "Marks keys as used just now; returns how many of them exist.",
     .run = &Touch,
     .tips = {"request_policy:multi_shard", "response_policy:agg_sum"}},
    {.name = "type",
     .arity = 2,
     .flags = kReadonly | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRo)},
     .args = kKeyArg,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the type of what a key holds, or none.",
     .run = &Type},
    {.name = "rename",
     .arity = 3,
     .flags = kWrite,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyDelete),
              Keys::At(2).Access(kKeyOw | kKeyUpdate)},
     .args = kRenameArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Gives a key another name, replacing what had it.",
     .run = &Rename},
    {.name = "renamenx",
     .arity = 3,
     .flags = kWrite | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyDelete),
              Keys::At(2).Access(kKeyOw | kKeyInsert)},
     .args = kRenameArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Gives a key another name if nothing has it.",
     .run = &Renamenx},
    {.name = "move",
     .arity = 3,
     .flags = kWrite | kFast,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyAccess | kKeyDelete)},
     .args = kMoveArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Moves a key to another database.",
     .run = &Move,
     .reserve = &MoveReserve},
    {.name = "copy",
     .arity = -3,
     .flags = kWrite | kDenyOom,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess), Keys::At(2).Access(kKeyOw | kKeyUpdate)},
     .args = kCopyArgs,
     .since = "0.1.0",
     .complexity = "O(N) with the size N of the value",
     .summary = "Copies what a key holds, and its expire time, to another key.",
     .run = &Copy,
     .reserve = &CopyReserve},
    {.name = "object",
     .arity = -2,
     .group = Group::kGeneric,
     .since = "0.1.0",
     .complexity = "depends on the subcommand",
     .summary = "Asks how what a key holds is kept.",
     .subcommands = kObjectRows},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kKeyCommands = kRows;

}  // namespace verso::server
