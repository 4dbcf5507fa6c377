// Commands about the whole data set and the process: DBSIZE, FLUSH*, SWAPDB, saving, SHUTDOWN,
// TIME, INFO, MEMORY.
#include <sys/time.h>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/help_reply.h"
#include "server/info.h"
#include "server/server.h"

namespace verso::server {
namespace {

using storage::ReadView;
using storage::WriteView;

Outcome DbSize(const ReadView& view, CommandContext& context) {
  context.reply().Integer(static_cast<int64_t>(view.Count()));
  return Outcome::kDone;
}

// [ASYNC|SYNC]: taken and without a difference, for nothing big is ever freed at once (V9).
bool ReadFlushMode(CommandContext& context) {
  ArgReader args(context, 1);
  const bool known = args.AtEnd() || args.Take("async") || args.Take("sync");
  if (known && args.AtEnd()) return true;
  context.reply().Error(error::kSyntax);
  return false;
}

Outcome FlushDb(WriteView& view, CommandContext& context) {
  if (!ReadFlushMode(context)) return Outcome::kDone;
  view.Flush();
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome FlushAll(WriteView& view, CommandContext& context) {
  if (!ReadFlushMode(context)) return Outcome::kDone;
  view.FlushAll();
  context.environment().all_flushed = true;
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome SwapDb(WriteView& view, CommandContext& context) {
  ArgReader args(context, 1);
  const int64_t first = args.Integer("ERR invalid first DB index");
  const int64_t second = args.Integer("ERR invalid second DB index");
  if (!args.ok()) return context.Fail(args.error());
  const int64_t databases = context.environment().databases;
  if (first < 0 || first >= databases || second < 0 || second >= databases) {
    return context.Fail(error::kDatabaseOutOfRange);
  }
  view.Swap(static_cast<int>(first), static_cast<int>(second));
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome Time(CommandContext& context) {
  timeval now{};
  gettimeofday(&now, nullptr);
  context.reply().Array(2);
  context.reply().BulkInteger(now.tv_sec);
  context.reply().BulkInteger(now.tv_usec);
  return Outcome::kDone;
}

constexpr std::string_view kSaveRunning = "ERR Background save already in progress";

Outcome Save(Server& server, CommandContext& context) {
  if (server.saves() != nullptr && server.saves()->running()) return context.Fail(kSaveRunning);
  if (const Status saved = server.SaveNow(); !saved) {
    return context.Fail("ERR " + saved.error().context);
  }
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome BgSave(Server& server, CommandContext& context) {
  ArgReader args(context, 1);
  args.Take("schedule");  // there is no other background job that it could wait for
  if (!args.AtEnd()) return context.Fail(error::kSyntax);
  if (server.saves() != nullptr && server.saves()->running()) return context.Fail(kSaveRunning);
  const bool streaming = server.saves() != nullptr && server.saves()->streaming();
  // A save must not see half an EXEC, and none is made of a snapshot that is still coming in.
  if (context.in_unit() || streaming) {
    server.ScheduleSave();
    context.reply().SimpleString("Background saving scheduled");
    return Outcome::kDone;
  }
  if (const Status started = server.StartSave(); !started) {
    return context.Fail("ERR " + started.error().context);
  }
  context.reply().SimpleString("Background saving started");
  return Outcome::kDone;
}

// The log has no rewrite: a save makes what is before it superfluous.
Outcome BgRewriteAof(Server& server, CommandContext& context) {
  const bool running =
      server.saves() != nullptr && (server.saves()->running() || server.saves()->streaming());
  if (running || context.in_unit()) {
    server.ScheduleSave();
    context.reply().SimpleString("Background append only file rewriting scheduled");
    return Outcome::kDone;
  }
  if (const Status started = server.StartSave(); !started) {
    return context.Fail("ERR " + started.error().context);
  }
  context.reply().SimpleString("Background append only file rewriting started");
  return Outcome::kDone;
}

// WAITAOF numlocal numreplicas timeout
Outcome WaitAof(Server& server, CommandContext& context) {
  ArgReader args(context, 1);
  const int64_t local = args.Integer();
  const int64_t replicas = args.Integer();
  int64_t timeout_ms = 0;
  if (args.ok()) timeout_ms = args.Integer("ERR timeout is not an integer or out of range");
  if (!args.ok()) return context.Fail(args.error());
  if (local < 0 || local > 1) {
    return context.Fail("ERR value is out of range, value must between 0 and 1");
  }
  if (replicas < 0) return context.Fail("ERR value is out of range, must be positive");
  if (timeout_ms < 0) return context.Fail("ERR timeout is negative");
  const OperationLog& log = server.log();
  if (local != 0 && !log.on()) {
    return context.Fail(
        "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
  }
  Session& session = context.session();
  const bool durable = log.on() && log.durable() >= session.last_sequence;
  const bool enough = (local == 0 || durable) && replicas == 0;
  if (!enough && !session.waited_out && !context.in_unit()) {
    server.RunWhenLogMoves(session.handle);
    return context.Park({.key_count = 0, .timeout_ms = static_cast<uint64_t>(timeout_ms)});
  }
  context.reply().Array(2);
  context.reply().Integer(durable ? 1 : 0);
  context.reply().Integer(0);
  return Outcome::kDone;
}

Outcome LastSave(Server& server, CommandContext& context) {
  context.reply().Integer(server.last_save_time());
  return Outcome::kDone;
}

Outcome Shutdown(Server& server, CommandContext& context) {
  ShutdownHow how = ShutdownHow::kDefault;
  bool force = false, abort = false;
  ArgReader args(context, 1);
  while (!args.AtEnd()) {
    if (args.Take("nosave") && how != ShutdownHow::kSave) {
      how = ShutdownHow::kNoSave;
    } else if (args.Take("save") && how != ShutdownHow::kNoSave) {
      how = ShutdownHow::kSave;
    } else if (args.Take("force")) {
      force = true;
    } else if (args.Take("abort")) {
      abort = true;
    } else if (!args.Take("now")) {  // there are no replicas to wait for
      return context.Fail(error::kSyntax);
    }
  }
  if (abort) {
    if (context.size() > 2) return context.Fail(error::kSyntax);
    return context.Fail("ERR No shutdown in progress.");
  }
  if (!server.Shutdown(how, force)) {
    return context.Fail("ERR Errors trying to SHUTDOWN. Check logs.");
  }
  context.session().close_after_reply = true;  // no reply: the connection just ends
  return Outcome::kDone;
}

Outcome Info(Server& server, CommandContext& context) {
  std::vector<std::string_view> sections(context.arguments().begin() + 1,
                                         context.arguments().end());
  context.reply().Verbatim(InfoText(server, sections));
  return Outcome::kDone;
}

Outcome MemoryUsage(const ReadView& view, CommandContext& context) {
  ArgReader args(context, 3);
  if (!args.AtEnd()) {
    // Sizes are counted, never estimated: SAMPLES has nothing to decide.
    if (!args.Take("samples")) return context.Fail(error::kSyntax);
    const int64_t samples = args.Integer();
    if (!args.ok()) return context.Fail(args.error());
    if (samples < 0 || !args.AtEnd()) return context.Fail(error::kSyntax);
  }
  const std::optional<uint64_t> bytes = view.MemoryUsage(context.KeyAt(view, 2));
  if (bytes.has_value()) {
    context.reply().Integer(static_cast<int64_t>(*bytes));
  } else {
    context.reply().Null();
  }
  return Outcome::kDone;
}

constexpr ArgSpec kFlushModes[] = {{.name = "async", .type = ArgType::kPureToken, .token = "ASYNC"},
                                   {.name = "sync", .type = ArgType::kPureToken, .token = "SYNC"}};
constexpr ArgSpec kFlushArgs[] = {
    {.name = "flush-type", .type = ArgType::kOneOf, .flags = kOptional, .args = kFlushModes}};
constexpr ArgSpec kSwapArgs[] = {{.name = "index1", .type = ArgType::kInteger},
                                 {.name = "index2", .type = ArgType::kInteger}};
constexpr ArgSpec kBgSaveArgs[] = {
    {.name = "schedule", .type = ArgType::kPureToken, .token = "SCHEDULE", .flags = kOptional}};
constexpr ArgSpec kShutdownSave[] = {
    {.name = "nosave", .type = ArgType::kPureToken, .token = "NOSAVE"},
    {.name = "save", .type = ArgType::kPureToken, .token = "SAVE"}};
constexpr ArgSpec kShutdownArgs[] = {
    {.name = "save-selector", .type = ArgType::kOneOf, .flags = kOptional, .args = kShutdownSave},
    {.name = "now", .type = ArgType::kPureToken, .token = "NOW", .flags = kOptional},
    {.name = "force", .type = ArgType::kPureToken, .token = "FORCE", .flags = kOptional},
    {.name = "abort", .type = ArgType::kPureToken, .token = "ABORT", .flags = kOptional}};
constexpr ArgSpec kWaitAofArgs[] = {{.name = "numlocal", .type = ArgType::kInteger},
                                    {.name = "numreplicas", .type = ArgType::kInteger},
                                    {.name = "timeout", .type = ArgType::kInteger}};
constexpr ArgSpec kInfoArgs[] = {{.name = "section", .flags = kOptional | kMultiple}};
constexpr ArgSpec kUsageArgs[] = {
    {.name = "key", .type = ArgType::kKey, .key_spec = 0},
    {.name = "count", .type = ArgType::kInteger, .token = "SAMPLES", .flags = kOptional}};

constexpr char kMemory[] = "memory";
constexpr CommandSpec kMemorySubcommands[] = {
    {.name = "usage",
     .arity = -3,
     .flags = kReadonly,
     .group = Group::kServer,
     .keys = {Keys::At(2).Access(kKeyRo)},
     .args = kUsageArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the pages of the value.",
     .summary = "Counts the bytes that a key and its value take.",
     .run = &MemoryUsage},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Shows this text.",
     .run = &Help<kMemory>},
};

constexpr CommandSpec kRows[] = {
    {.name = "dbsize",
     .arity = 1,
     .flags = kReadonly | kFast | kKeyspace,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(log N)",
     .summary = "Counts the keys of the selected database.",
     .run = &DbSize},
    {.name = "flushdb",
     .arity = -1,
     .flags = kNoTxn | kWrite | kKeyspace | kDangerous,
     .group = Group::kServer,
     .args = kFlushArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Removes all keys of the selected database.",
     .run = &FlushDb},
    {.name = "flushall",
     .arity = -1,
     .flags = kNoTxn | kWrite | kKeyspace | kDangerous,
     .group = Group::kServer,
     .args = kFlushArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Removes all keys of all databases.",
     .run = &FlushAll},
    {.name = "swapdb",
     .arity = 3,
     .flags = kNoTxn | kWrite | kFast | kKeyspace | kDangerous,
     .group = Group::kServer,
     .args = kSwapArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Exchanges two databases.",
     .run = &SwapDb},
    {.name = "time",
     .arity = 1,
     .flags = kLoading | kStale | kFast,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the server's time: seconds and microseconds.",
     .run = &Time},
    {.name = "save",
     .arity = 1,
     .flags = kNoTxn | kAdmin | kNoScript | kNoAsyncLoading | kNoMulti,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(N) in the pages changed since the last save",
     .summary = "Saves and waits until that is done.",
     .run = &Save},
    {.name = "bgsave",
     .arity = -1,
     .flags = kNoTxn | kAdmin | kNoScript | kNoAsyncLoading,
     .group = Group::kServer,
     .args = kBgSaveArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Starts a save in the background.",
     .run = &BgSave},
    {.name = "bgrewriteaof",
     .arity = 1,
     .flags = kNoTxn | kAdmin | kNoScript | kNoAsyncLoading,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary =
         "Starts a save in the background, which makes the operation log before it superfluous.",
     .run = &BgRewriteAof},
    {.name = "waitaof",
     .arity = 4,
     .flags = kBlocking,
     .group = Group::kGeneric,
     .args = kWaitAofArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Waits until the connection's writes are on the disk.",
     .run = &WaitAof},
    {.name = "lastsave",
     .arity = 1,
     .flags = kLoading | kStale | kFast | kAdmin,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the Unix time of the last committed save.",
     .run = &LastSave},
    {.name = "shutdown",
     .arity = -1,
     .flags = kAdmin | kNoScript | kLoading | kStale | kNoMulti | kAllowBusy,
     .group = Group::kServer,
     .args = kShutdownArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the pages to save",
     .summary = "Saves if there are save points, then ends the server.",
     .run = &Shutdown},
    {.name = "info",
     .arity = -1,
     .flags = kLoading | kStale | kDangerous,
     .group = Group::kServer,
     .args = kInfoArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns figures about the server.",
     .run = &Info},
    {.name = kMemory,
     .arity = -2,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "Depends on the subcommand.",
     .summary = "Commands about memory.",
     .subcommands = kMemorySubcommands},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kServerCommands = kRows;

}  // namespace verso::server
