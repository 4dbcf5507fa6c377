// ROLE and MODULE LIST: what tools ask a server about itself before they work with it.
#include "server/command/command_families.h"
#include "server/command/help_reply.h"
#include "server/server.h"

namespace verso::server {
namespace {

// A master without replicas: there is no replication.
Outcome Role(CommandContext& context) {
  context.reply().Array(3);
  context.reply().Bulk("master");
  context.reply().Integer(0);
  context.reply().Array(0);
  return Outcome::kDone;
}

// Nothing can be loaded into this server.
Outcome ModuleList(CommandContext& context) {
  context.reply().Array(0);
  return Outcome::kDone;
}

constexpr char kModule[] = "module";

constexpr CommandSpec kModuleSubcommands[] = {
    {.name = "list",
     .arity = 2,
     .flags = kAdmin | kNoScript,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Lists the loaded modules: none.",
     .run = &ModuleList},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Shows this text.",
     .run = &Help<kModule>},
};

constexpr CommandSpec kRows[] = {
    {.name = "role",
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kFast | kAdmin,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the role of the server in replication.",
     .run = &Role},
    {.name = kModule,
     .arity = -2,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "Depends on the subcommand.",
     .summary = "Commands about modules.",
     .subcommands = kModuleSubcommands},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kAboutCommands = kRows;

}  // namespace verso::server
