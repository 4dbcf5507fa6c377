// Streams, entry by entry: XADD XDEL XTRIM XSETID. Reading them: cmd_stream_read.cpp; groups:
// cmd_stream_group.cpp.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "server/command/command_families.h"
#include "server/command/stream_args.h"
#include "server/command/string_reply.h"

namespace verso::server {
namespace {

using storage::Key;
using storage::StreamId;
using storage::StreamView;
using storage::StreamWriter;
using storage::ValueView;
using storage::WriteView;

// What an approximate trim came to, in words that are exact.
class ExactTrim {
 public:
  ExactTrim(const TrimArgs& trim, const StreamView& after)
      : word_(trim.by == TrimBy::kLength ? "MAXLEN" : "MINID"),
        threshold_(trim.by == TrimBy::kLength ? std::string(ByteView(Decimal(after.count())))
                                              : Oldest(after)) {}

  ByteView word() const { return word_; }
  ByteView threshold() const { return threshold_; }

 private:
  static std::string Oldest(const StreamView& stream) {
    const std::optional<StreamId> behind = IdAfter(stream.last());
    const StreamId first = stream.count() != 0 ? stream.first() : behind.value_or(stream.last());
    return std::string(ByteView(StreamIdText(first)));
  }

  ByteView word_;
  std::string threshold_;
};

// ---- XADD

struct AddArgs {
  bool no_create = false;
  TrimArgs trim;
  bool id_given = false;   // else "*"
  bool seq_given = false;  // else "ms-*"
  StreamId id;
  size_t first_field = 0;
};

// An id that may leave its number, or all of it, to the stream.
void ReadNewId(ArgReader& args, AddArgs* add) {
  ByteView text = args.Next();
  if (text == "*") return;
  add->id_given = true;
  add->seq_given = !text.ends_with("-*");
  if (!add->seq_given) text.remove_suffix(2);
  add->id = ParseStreamIdArgument(args, text);
  if (!add->seq_given && text.find('-') != ByteView::npos) args.SetError(kInvalidStreamId);
}

AddArgs ReadAddArgs(ArgReader& args) {
  AddArgs add;
  bool id_read = false;
  while (args.ok() && !args.AtEnd() && !id_read) {
    if (TakeTrimOption(args, &add.trim)) continue;
    if (args.Take("nomkstream")) {
      add.no_create = true;
      continue;
    }
    ReadNewId(args, &add);
    id_read = true;
  }
  add.first_field = args.position();
  if (args.ok()) CheckTrim(args, add.trim);
  return add;
}

// The id of the new entry; nullopt: there is none above the last one.
std::optional<StreamId> NewId(const AddArgs& add, StreamId last, uint64_t moment_ms) {
  StreamId id = add.id;
  if (!add.id_given) {
    if (moment_ms <= last.ms) return IdAfter(last);
    id = {moment_ms, 0};
  } else if (!add.seq_given && id.ms == last.ms) {
    if (last.seq == std::numeric_limits<uint64_t>::max()) return std::nullopt;
    id = {last.ms, last.seq + 1};
  }
  if (id <= last) return std::nullopt;
  return id;
}

// True: the command means something else elsewhere or later.
void EmitAdd(CommandContext& context, const AddArgs& add, ByteView key, StreamId id,
             const StreamView& after) {
  if ((add.id_given && add.seq_given && !add.trim.approximate) || !context.effects().wanted()) {
    return;
  }
  const StreamIdText text(id);
  std::vector<ByteView> words = {"XADD", key};
  std::optional<ExactTrim> exact;
  if (add.trim.approximate) {
    exact.emplace(add.trim, after);
    words.insert(words.end(), {exact->word(), "=", exact->threshold()});
  } else {
    // NOMKSTREAM goes: there is a stream.
    for (size_t i = 2; i + 1 < add.first_field; ++i) {
      if (!EqualsIgnoreCase(context[i], "nomkstream")) words.push_back(context[i]);
    }
  }
  words.push_back(text);
  const auto fields = context.arguments().subspan(add.first_field);
  words.insert(words.end(), fields.begin(), fields.end());
  context.effects().Emit(words);
}

Outcome Xadd(WriteView& view, CommandContext& context) {
  ArgReader args(context, 2);
  const AddArgs add = ReadAddArgs(args);
  if (!args.ok()) return context.Fail(args.error());
  const auto fields = context.arguments().subspan(add.first_field);
  if (fields.size() < 2 || fields.size() % 2 != 0) {
    return context.Fail(error::WrongArity(context.spec().name));
  }
  if (add.id_given && add.seq_given && add.id.zero()) {
    return context.Fail("ERR The ID specified in XADD must be greater than 0-0");
  }
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (IsWrongType(old, storage::ValueType::kStream)) return context.Fail(error::kWrongType);
  if (!old && add.no_create) {
    context.reply().Null();
    return Outcome::kDone;
  }
  const StreamId last = old ? StreamView(view.arena(), *old).last() : StreamId{};
  if (last == storage::kStreamIdMax) {
    return context.Fail(
        "ERR The stream has exhausted the last possible ID, unable to add more items");
  }
  const std::optional<StreamId> id = NewId(add, last, view.moment_ms());
  if (!id) {
    return context.Fail(
        "ERR The ID specified in XADD is equal or smaller than the target stream top item");
  }
  size_t bytes = 0;
  for (const ByteView field : fields) bytes += field.size();
  if (bytes > storage::kStringBytesMax)
    return context.Fail("ERR Elements are too large to be stored");

  StreamWriter writer(view, key, old);
  writer.Append(*id, fields);
  const auto now = [&] {
    return StreamView(view.arena(), *view.Find(key, storage::Access::kPeek));
  };
  if (add.trim.by != TrimBy::kNothing) {
    writer.EraseOldest(EntriesToTrim(now(), add.trim, context.environment().limits));
  }
  writer.Finish(StreamEvent("xadd"));
  ReplyStreamId(context.reply(), *id);
  EmitAdd(context, add, key.bytes, *id, now());
  return Outcome::kDone;
}

// ---- removing

Outcome Xdel(WriteView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (IsWrongType(old, storage::ValueType::kStream)) return context.Fail(error::kWrongType);
  uint64_t removed = 0;
  if (old) {
    ArgReader args(context, 2);
    std::vector<StreamId> ids;
    const StreamView stream(view.arena(), *old);
    while (!args.AtEnd()) {
      const StreamId id = ReadStreamId(args);
      if (storage::ItemsFind(view.arena(), stream.entries(), {id.ms, id.seq, {}})) {
        ids.push_back(id);
      }
    }
    if (!args.ok()) return context.Fail(args.error());
    if (!ids.empty()) {
      StreamWriter writer(view, key, old);
      for (const StreamId id : ids) removed += writer.Erase(id) ? 1 : 0;
      writer.Finish(StreamEvent("xdel", removed));
    }
  }
  context.reply().Integer(static_cast<int64_t>(removed));
  return Outcome::kDone;
}

Outcome Xtrim(WriteView& view, CommandContext& context) {
  ArgReader args(context, 2);
  TrimArgs trim;
  while (args.ok() && !args.AtEnd()) {
    if (!TakeTrimOption(args, &trim)) args.SetError(error::kSyntax);
  }
  if (args.ok() && trim.limit == 0 && trim.by == TrimBy::kNothing) {
    args.SetError("ERR syntax error, XTRIM must be called with a trimming strategy");
  }
  if (args.ok()) CheckTrim(args, trim);
  if (!args.ok()) return context.Fail(args.error());
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (IsWrongType(old, storage::ValueType::kStream)) return context.Fail(error::kWrongType);
  const uint64_t entries =
      old ? EntriesToTrim(StreamView(view.arena(), *old), trim, context.environment().limits) : 0;
  if (entries != 0) {
    StreamWriter writer(view, key, old);
    writer.EraseOldest(entries);
    writer.Finish(StreamEvent("xtrim", entries));
    if (trim.approximate) {
      const ExactTrim exact(trim,
                            StreamView(view.arena(), *view.Find(key, storage::Access::kPeek)));
      context.effects().Emit({"XTRIM", key.bytes, exact.word(), "=", exact.threshold()});
    }
  }
  context.reply().Integer(static_cast<int64_t>(entries));
  return Outcome::kDone;
}

// ---- XSETID

Outcome Xsetid(WriteView& view, CommandContext& context) {
  ArgReader args(context, 2);
  const StreamId id = ReadStreamId(args);
  int64_t entries_added = -1;
  StreamId deleted;
  while (args.ok() && !args.AtEnd()) {
    if (args.remaining() > 1 && args.Take("entriesadded")) {
      entries_added = args.Integer();
      if (entries_added < 0) args.SetError("ERR entries_added must be positive");
    } else if (args.remaining() > 1 && args.Take("maxdeletedid")) {
      deleted = ReadStreamId(args);
      if (id < deleted) {
        args.SetError(
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
      }
    } else {
      args.SetError(error::kSyntax);
    }
  }
  if (!args.ok()) return context.Fail(args.error());
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> old = view.FindForWrite(key);
  if (!old) return context.Fail(error::kNoSuchKey);
  if (IsWrongType(old, storage::ValueType::kStream)) return context.Fail(error::kWrongType);
  const StreamView stream(view.arena(), *old);
  if (id < stream.deleted()) {
    return context.Fail(
        "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
  }
  if (const uint64_t count = stream.count(); count > 0) {
    const auto newest = storage::ItemsAt(view.arena(), stream.entries(), count - 1);
    if (newest && id < storage::StreamIdOf(*newest)) {
      return context.Fail(
          "ERR The ID specified in XSETID is smaller than the target stream top item");
    }
    if (entries_added >= 0 && static_cast<uint64_t>(entries_added) < count) {
      return context.Fail(
          "ERR The entries_added specified in XSETID is smaller than the target stream length");
    }
  }
  StreamWriter writer(view, key, old);
  writer.SetLast(id);
  if (entries_added >= 0) writer.SetEntriesAdded(static_cast<uint64_t>(entries_added));
  if (!deleted.zero()) writer.SetDeleted(deleted);
  writer.Finish(StreamEvent("xsetid"));
  context.reply().Ok();
  return Outcome::kDone;
}

// ---- rows

constexpr ArgSpec kStrategy[] = {{.name = "maxlen", .type = ArgType::kPureToken, .token = "MAXLEN"},
                                 {.name = "minid", .type = ArgType::kPureToken, .token = "MINID"}};
constexpr ArgSpec kOperator[] = {
    {.name = "equal", .type = ArgType::kPureToken, .token = "="},
    {.name = "approximately", .type = ArgType::kPureToken, .token = "~"}};
constexpr ArgSpec kTrim[] = {
    {.name = "strategy", .type = ArgType::kOneOf, .args = kStrategy},
    {.name = "operator", .type = ArgType::kOneOf, .flags = kOptional, .args = kOperator},
    {.name = "threshold"},
    {.name = "count", .type = ArgType::kInteger, .token = "LIMIT", .flags = kOptional}};
constexpr ArgSpec kIdChoice[] = {{.name = "auto-id", .type = ArgType::kPureToken, .token = "*"},
                                 {.name = "id"}};
constexpr ArgSpec kPair[] = {{.name = "field"}, {.name = "value"}};
constexpr ArgSpec kAddArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "nomkstream", .type = ArgType::kPureToken, .token = "NOMKSTREAM", .flags = kOptional},
    {.name = "trim", .type = ArgType::kBlock, .flags = kOptional, .args = kTrim},
    {.name = "id-selector", .type = ArgType::kOneOf, .args = kIdChoice},
    {.name = "data", .type = ArgType::kBlock, .flags = kMultiple, .args = kPair}};
constexpr ArgSpec kDelArgs[] = {{.name = "key", .type = ArgType::kKey},
                                {.name = "id", .flags = kMultiple}};
constexpr ArgSpec kTrimArgs[] = {{.name = "key", .type = ArgType::kKey},
                                 {.name = "trim", .type = ArgType::kBlock, .args = kTrim}};
constexpr ArgSpec kSetidArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "last-id"},
    {.name = "entries-added",
     .type = ArgType::kInteger,
     .token = "ENTRIESADDED",
     .flags = kOptional},
    {.name = "max-deleted-id", .token = "MAXDELETEDID", .flags = kOptional}};

constexpr CommandSpec kRows[] = {
    {.name = "xadd",
     .arity = -5,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kStream,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kAddArgs,
     .since = "0.1.0",
     .complexity = "O(log N)",
     .summary = "Appends an entry to a stream, or creates it; returns the entry's id.",
     .run = &Xadd,
     .reserve = &ReserveStreamArguments,
     .tips = {"nondeterministic_output"}},
    {.name = "xdel",
     .arity = -3,
     .flags = kWrite | kFast,
     .group = Group::kStream,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyDelete)},
     .args = kDelArgs,
     .since = "0.1.0",
     .complexity = "O(M log N) with M ids",
     .summary = "Removes entries of a stream; returns how many there were.",
     .run = &Xdel,
     .reserve = &ReserveStreamArguments},
    {.name = "xtrim",
     .arity = -4,
     .flags = kWrite,
     .group = Group::kStream,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyDelete)},
     .args = kTrimArgs,
     .since = "0.1.0",
     .complexity = "O(log N); the memory is freed later, in slices",
     .summary = "Removes the oldest entries of a stream; returns how many.",
     .run = &Xtrim,
     .reserve = &ReserveStreamArguments,
     .tips = {"nondeterministic_output"}},
    {.name = "xsetid",
     .arity = -3,
     .flags = kWrite | kDenyOom | kFast,
     .group = Group::kStream,
     .keys = {Keys::At(1).Access(kKeyRw | kKeyUpdate)},
     .args = kSetidArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Sets the last id of a stream, and what it counts.",
     .run = &Xsetid,
     .reserve = &ReserveStreamArguments},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kStreamCommands = kRows;

}  // namespace verso::server
