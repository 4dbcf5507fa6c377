// SLOWLOG: the commands that took longest.
#include <algorithm>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/help_reply.h"
#include "server/server.h"

namespace verso::server {
namespace {

constexpr std::string_view kBadCount = "ERR count should be greater than or equal to -1";

Outcome SlowlogGet(Server& server, CommandContext& context) {
  int64_t count = 10;
  if (context.size() > 3) return context.Fail(error::WrongArity("slowlog|get"));
  if (context.size() == 3 && (!ParseInteger(context[2], &count) || count < -1)) {
    return context.Fail(kBadCount);
  }
  const auto& entries = server.state().slow_log.entries();
  size_t shown = entries.size();
  if (count >= 0) shown = std::min(shown, static_cast<size_t>(count));
  ReplyWriter& reply = context.reply();
  reply.Array(shown);
  for (auto entry = entries.begin(); shown > 0; ++entry, --shown) {
    reply.Array(6);
    reply.Integer(static_cast<int64_t>(entry->id));
    reply.Integer(static_cast<int64_t>(entry->unix_seconds));
    reply.Integer(static_cast<int64_t>(entry->us));
    reply.Array(entry->arguments.size());
    for (const std::pmr::string& argument : entry->arguments) reply.Bulk(argument);
    reply.Bulk(entry->client_address);
    reply.Bulk(entry->client_name);
  }
  return Outcome::kDone;
}

Outcome SlowlogLen(Server& server, CommandContext& context) {
  context.reply().Integer(static_cast<int64_t>(server.state().slow_log.entries().size()));
  return Outcome::kDone;
}

Outcome SlowlogReset(Server& server, CommandContext& context) {
  server.state().slow_log.Clear();
  context.reply().Ok();
  return Outcome::kDone;
}

constexpr char kContainer[] = "slowlog";
constexpr uint64_t kFlags = kAdmin | kLoading | kStale;
constexpr ArgSpec kGetArgs[] = {{.name = "count", .type = ArgType::kInteger, .flags = kOptional}};

constexpr CommandSpec kSubcommands[] = {
    {.name = "get",
     .arity = -2,
     .flags = kFlags,
     .group = Group::kServer,
     .args = kGetArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the number of entries returned",
     .summary = "Returns the newest slow commands; all of them with -1.",
     .run = &SlowlogGet},
    {.name = "len",
     .arity = 2,
     .flags = kFlags,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns how many slow commands are remembered.",
     .run = &SlowlogLen},
    {.name = "reset",
     .arity = 2,
     .flags = kFlags,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(N) in the number of entries",
     .summary = "Forgets the slow commands.",
     .run = &SlowlogReset},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Shows this text.",
     .run = &Help<kContainer>},
};

constexpr CommandSpec kRows[] = {
    {.name = kContainer,
     .arity = -2,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "Depends on the subcommand.",
     .summary = "Commands about the slow log.",
     .subcommands = kSubcommands},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kSlowlogCommands = kRows;

}  // namespace verso::server
