// DUMP and RESTORE: a value as bytes that other servers read, and back.
#include <limits>
#include <string>
#include <vector>

#include "persistence/rdb/dump_payload.h"
#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/sliced_dump.h"
#include "server/command/string_reply.h"
#include "storage/memory/scratch_line.h"
#include "storage/memory/store.h"

namespace verso::server {
namespace {

using persistence::DumpWriter;
using storage::Access;
using storage::Key;
using storage::KeyEvent;
using storage::kNoDeadline;
using storage::ReadView;
using storage::ValueView;
using storage::WriteView;

constexpr KeyEvent kRestoreEvent{"restore", 'g'};
constexpr KeyEvent kDelEvent{"del", 'g'};

// The payload of a large value.
class DumpContinuation final : public Continuation {
 public:
  explicit DumpContinuation(ByteView key) : key_(key) {}

  bool Run(const ReadView& view, Slice& slice) override {
    if (!dump_) {
      const std::optional<ValueView> value = view.Find(view.MakeKey(key_), Access::kPeek);
      if (!value.has_value()) {  // it expired between the command and the pin
        slice.reply().Null();
        return true;
      }
      dump_.emplace(view, *value);
    }
    if (!dump_->Run(slice)) return false;
    if (dump_->failed()) slice.reply().Error(error::kNotDumpable);
    return true;
  }

 private:
  std::string key_;
  std::optional<SlicedDump> dump_;
};

Outcome Dump(const ReadView& view, CommandContext& context) {
  const Key key = context.KeyAt(view, 1);
  const std::optional<ValueView> value = context.Lookup(view, key);
  if (!value.has_value()) {
    context.reply().Null();
    return Outcome::kDone;
  }
  // Whatever is whole after this many pieces is short.
  constexpr size_t kPiecesAtOnce = kReplyBytesAtOnce / persistence::RdbValueWriter::kPieceBytes;
  DumpWriter writer(view, *value);
  std::string payload;
  for (size_t pieces = 0; pieces < kPiecesAtOnce; ++pieces) {
    if (writer.Next(&payload)) continue;
    if (writer.failed()) return context.Fail(error::kNotDumpable);
    context.reply().Bulk(payload);
    return Outcome::kDone;
  }
  return context.Yield(std::make_unique<DumpContinuation>(key.bytes));
}

struct RestoreOptions {
  bool replace = false;
  bool absolute = false;
  std::optional<int64_t> idle_seconds;
  std::optional<int64_t> frequency;
};

// False: the error is replied.
bool ReadOptions(CommandContext& context, RestoreOptions* options) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kFrequencyMax = 255;
  ArgReader args(context, 4);
  while (args.ok() && !args.AtEnd()) {
    const bool another = args.remaining() >= 2;
    if (args.Take("replace")) {
      options->replace = true;
    } else if (args.Take("absttl")) {
      options->absolute = true;
    } else if (another && !options->frequency && args.Take("idletime")) {
      options->idle_seconds = args.IntegerBetween(0, kMax, error::kInvalidIdletime);
    } else if (another && !options->idle_seconds && args.Take("freq")) {
      options->frequency = args.IntegerBetween(0, kFrequencyMax, error::kInvalidFrequency);
    } else {
      args.SetError(error::kSyntax);
    }
  }
  if (!args.ok()) context.reply().Error(args.error());
  return args.ok();
}

// What RESTORE's second argument means. False: the error is replied.
bool ReadRestoreTime(CommandContext& context, bool absolute, uint64_t moment_ms,
                     uint64_t* deadline_ms) {
  int64_t ttl = 0;
  if (!ParseInteger(context[2], &ttl)) {
    context.reply().Error(error::kNotInteger);
    return false;
  }
  const int64_t from = absolute ? 0 : static_cast<int64_t>(moment_ms);
  if (ttl < 0 || ttl > std::numeric_limits<int64_t>::max() - from) {
    context.reply().Error(error::kInvalidTtl);
    return false;
  }
  *deadline_ms = ttl == 0 ? kNoDeadline : static_cast<uint64_t>(ttl + from);
  return true;
}

// With the time made absolute.
void EmitRestore(CommandContext& context, bool absolute, uint64_t deadline_ms) {
  if (absolute || deadline_ms == kNoDeadline || !context.effects().wanted()) return;
  std::vector<ByteView> words(context.arguments().begin(), context.arguments().end());
  const Decimal time(deadline_ms);
  words[2] = time;
  words.push_back("ABSTTL");
  context.effects().Emit(words);
}

// Each of the two counts under a policy of its kind.
void SetAccess(WriteView& view, const Key& key, const RestoreOptions& options) {
  const storage::AccessRule& rule = view.access();
  if (options.idle_seconds && !rule.by_frequency()) {
    const auto seconds = static_cast<uint64_t>(*options.idle_seconds);
    view.SetClock(key, rule.OfIdle(seconds, view.moment_ms()));
  } else if (options.frequency && rule.by_frequency()) {
    const auto counter = static_cast<uint8_t>(*options.frequency);
    view.SetClock(key, rule.OfFrequency(counter, view.moment_ms()));
  }
}

// The value is built whole in a scratch line, where its faults are found; only then does the key
// change, in a step that cannot fail.
Outcome Restore(WriteView& view, CommandContext& context) {
  RestoreOptions options;
  if (!ReadOptions(context, &options)) return Outcome::kDone;
  const Key key = context.KeyAt(view, 1);
  if (!options.replace && view.Exists(key)) return context.Fail(error::kBusyKey);
  uint64_t deadline_ms = kNoDeadline;
  if (!ReadRestoreTime(context, options.absolute, view.moment_ms(), &deadline_ms)) {
    return Outcome::kDone;
  }
  const Result<ByteView> opened = persistence::OpenDump(context[3]);
  if (!opened) return context.Fail(error::kBadDump);

  storage::ScratchLine scratch(view.store());
  WriteView aside(view.store(), scratch.line(), 0, view.moment_ms());
  if (const Status built =
          persistence::BuildDump(*opened, aside, key, context.environment().limits);
      !built) {
    const bool no_room = built.error().code == ErrorCode::kOutOfMemory;
    return context.Fail(no_room ? error::kOom : error::kBadDataFormat);
  }
  // What was reserved before has gone into the value.
  if (!view.store().ReserveForWrite(0, 1)) return context.Fail(error::kOom);

  if (deadline_ms <= view.moment_ms()) {
    if (view.Erase(key, kDelEvent)) context.effects().Emit({"DEL", key.bytes});
  } else {
    view.FindForWrite(key);  // what has expired there goes as such
    view.PublishFrom(aside, key, deadline_ms, kRestoreEvent);
    SetAccess(view, key, options);
    EmitRestore(context, options.absolute, deadline_ms);
  }
  context.reply().Ok();
  return Outcome::kDone;
}

// Alone it reserves as it goes; in a unit all is reserved before the first command runs.
size_t RestoreReserve(const ReadView& view, const CommandContext& context) {
  return context.in_unit() ? persistence::DumpEstimate(context[3], view.arena()) : 0;
}

constexpr ArgSpec kDumpArgs[] = {{.name = "key", .type = ArgType::kKey}};
constexpr ArgSpec kRestoreArgs[] = {
    {.name = "key", .type = ArgType::kKey},
    {.name = "ttl", .type = ArgType::kInteger},
    {.name = "serialized-value", .type = ArgType::kString},
    {.name = "replace", .type = ArgType::kPureToken, .token = "REPLACE", .flags = kOptional},
    {.name = "absttl", .type = ArgType::kPureToken, .token = "ABSTTL", .flags = kOptional},
    {.name = "seconds", .type = ArgType::kInteger, .token = "IDLETIME", .flags = kOptional},
    {.name = "frequency", .type = ArgType::kInteger, .token = "FREQ", .flags = kOptional},
};

constexpr CommandSpec kRows[] = {
    {.name = "dump",
     .arity = 2,
     .flags = kReadonly,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)},
     .args = kDumpArgs,
     .since = "0.1.0",
     .complexity = "O(N) with the size N of the value",
     .summary = "Returns what a key holds in a form that RESTORE takes.",
     .run = &Dump,
     .tips = {"nondeterministic_output"}},
    {.name = "restore",
     .arity = -4,
     .flags = kWrite | kDenyOom | kDangerous,
     .group = Group::kGeneric,
     .keys = {Keys::At(1).Access(kKeyOw | kKeyUpdate)},
     .args = kRestoreArgs,
     .since = "0.1.0",
     .complexity = "O(N) with the size N of the value; O(N log N) for sorted sets and streams",
     .summary = "Makes a key of what DUMP returned.",
     .run = &Restore,
     .reserve = &RestoreReserve},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kDumpCommands = kRows;

}  // namespace verso::server
