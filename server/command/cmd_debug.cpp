// DEBUG: for tests and for people who look into a running server. Gated by enable-debug-command
// (default: local connections).
#include <ctime>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/help_reply.h"
#include "server/server.h"

namespace verso::server {
namespace {

bool Allowed(Server& server, CommandContext& context) {
  const auto access = static_cast<DebugAccess>(server.state().settings.enable_debug_command);
  if (access == DebugAccess::kYes || (access == DebugAccess::kLocal && context.session().local)) {
    return true;
  }
  context.reply().Error(
      "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you "
      "can run it from a local connection, otherwise you need to set this option in the "
      "configuration file, and then restart the server.");
  return false;
}

Outcome DebugSleep(Server& server, CommandContext& context) {
  if (!Allowed(server, context)) return Outcome::kDone;
  double seconds = 0;
  if (!ParseDouble(context[2], &seconds) || seconds < 0) return context.Fail(error::kNotFloat);
  timespec pause{};
  pause.tv_sec = static_cast<time_t>(seconds);
  pause.tv_nsec = static_cast<long>((seconds - static_cast<double>(pause.tv_sec)) * 1e9);
  nanosleep(&pause, nullptr);
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome DebugDigest(Server& server, CommandContext& context) {
  if (!Allowed(server, context)) return Outcome::kDone;
  context.reply().SimpleString(
      storage::DigestOf(server.state().HeadOf(context.session()), -1).Hex());
  return Outcome::kDone;
}

Outcome DebugDigestValue(Server& server, CommandContext& context) {
  if (!Allowed(server, context)) return Outcome::kDone;
  const storage::ReadView view = server.state().HeadOf(context.session());
  context.reply().Array(context.size() - 2);
  for (size_t i = 2; i < context.size(); ++i) {
    context.reply().SimpleString(storage::DigestOfKey(view, context.KeyAt(view, i)).Hex());
  }
  return Outcome::kDone;
}

Outcome DebugAudit(Server& server, CommandContext& context) {
  if (!Allowed(server, context)) return Outcome::kDone;
  const std::string faults = server.store().Audit();
  if (!faults.empty()) return context.Fail("ERR audit: " + faults);
  context.reply().Ok();
  return Outcome::kDone;
}

// Expired keys stay in memory then, as absent as before: tests need them there.
Outcome DebugSetActiveExpire(Server& server, CommandContext& context) {
  if (!Allowed(server, context)) return Outcome::kDone;
  int64_t on = 0;
  if (!ParseInteger(context[2], &on)) return context.Fail(error::kNotInteger);
  server.state().expires_actively = on != 0;
  context.reply().Ok();
  return Outcome::kDone;
}

constexpr char kDebug[] = "debug";
constexpr uint64_t kFlags = kAdmin | kNoScript | kStale;
constexpr ArgSpec kSleepArgs[] = {{.name = "seconds", .type = ArgType::kDouble}};
constexpr ArgSpec kSwitchArgs[] = {{.name = "on", .type = ArgType::kInteger}};
constexpr ArgSpec kValueArgs[] = {{.name = "key", .flags = kMultiple}};

constexpr CommandSpec kSubcommands[] = {
    {.name = "sleep",
     .arity = 3,
     .flags = kFlags | kLoading,
     .group = Group::kServer,
     .args = kSleepArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Stops the server for so many seconds.",
     .run = &DebugSleep},
    {.name = "digest",
     .arity = 2,
     .flags = kFlags,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(N) in the size of the data set",
     .summary = "Returns a digest of all databases that does not depend on order or history.",
     .run = &DebugDigest},
    {.name = "digest-value",
     .arity = -2,
     .flags = kFlags,
     .group = Group::kServer,
     .args = kValueArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the size of the values",
     .summary = "Returns a digest for each key.",
     .run = &DebugDigestValue},
    {.name = "audit",
     .arity = 2,
     .flags = kFlags,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(N) in the number of pages",
     .summary = "Checks every structure and that all memory is accounted for.",
     .run = &DebugAudit},
    {.name = "set-active-expire",
     .arity = 3,
     .flags = kFlags,
     .group = Group::kServer,
     .args = kSwitchArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Lets expired keys stay in memory (0) or be removed as they expire (1).",
     .run = &DebugSetActiveExpire},
    {.name = "help",
     .arity = 2,
     .flags = kFlags | kLoading,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Shows this text.",
     .run = &Help<kDebug>},
};

constexpr CommandSpec kRows[] = {
    {.name = kDebug,
     .arity = -2,
     .flags = kFlags | kLoading,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "Depends on the subcommand.",
     .summary = "Commands for tests and for looking into the server.",
     .subcommands = kSubcommands},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kDebugCommands = kRows;

}  // namespace verso::server
