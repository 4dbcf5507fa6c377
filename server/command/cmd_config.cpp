// CONFIG: directives at run time. SET is all or nothing.
#include <algorithm>
#include <set>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/glob.h"
#include "server/command/help_reply.h"
#include "server/config.h"
#include "server/config_rewrite.h"
#include "server/logging.h"
#include "server/server.h"

namespace verso::server {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return lower;
}

Outcome ConfigGet(Server& server, CommandContext& context) {
  std::vector<const ConfigRow*> found;
  for (const ConfigRow* row : ConfigRows()) {
    for (size_t i = 2; i < context.size(); ++i) {
      if (!GlobMatch(Lower(context[i]), row->name)) continue;
      found.push_back(row);
      break;
    }
  }
  context.reply().Map(found.size());
  for (const ConfigRow* row : found) {
    context.reply().Bulk(row->name);
    context.reply().Bulk(ConfigValue(*row, server.state().settings));
  }
  return Outcome::kDone;
}

Outcome Failed(CommandContext& context, std::string_view name, const std::string& why) {
  return context.Fail("ERR CONFIG SET failed (possibly related to argument '" + std::string(name) +
                      "') - " + why);
}

Outcome ConfigSet(Server& server, CommandContext& context) {
  if (context.size() % 2 != 0) return context.Fail(error::WrongArity("config|set"));
  Settings changed = server.state().settings;
  std::set<std::string_view> seen;
  for (size_t i = 2; i < context.size(); i += 2) {
    const ConfigRow* row = FindConfigRow(context[i]);
    if (row == nullptr) {
      return context.Fail("ERR Unknown option or number of arguments for CONFIG SET - '" +
                          std::string(context[i]) + "'");
    }
    if (!row->changeable) return Failed(context, context[i], "can't set immutable config");
    if (!seen.insert(row->name).second) return Failed(context, context[i], "duplicate parameter");
    if (const Status set = SetConfig(*row, {std::string(context[i + 1])}, true, &changed); !set) {
      return Failed(context, context[i], set.error().context);
    }
  }
  if (const Status applied = server.ApplySettings(changed); !applied) {
    return Failed(context, context[2], applied.error().context);
  }
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome ConfigResetStat(Server& server, CommandContext& context) {
  ServerState& state = server.state();
  Metrics fresh;
  fresh.commands_rate = state.metrics.commands_rate;
  fresh.bytes_in_rate = state.metrics.bytes_in_rate;
  fresh.bytes_out_rate = state.metrics.bytes_out_rate;
  for (Metrics::Rate* rate : {&fresh.commands_rate, &fresh.bytes_in_rate, &fresh.bytes_out_rate}) {
    rate->last_value = 0;
  }
  state.metrics = fresh;
  std::fill(state.command_metrics.begin(), state.command_metrics.end(), CommandMetrics{});
  state.environment.keyspace_hits = 0;
  state.environment.keyspace_misses = 0;
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome ConfigRewrite(Server& server, CommandContext& context) {
  if (server.config_file().empty()) {
    return context.Fail("ERR The server is running without a config file");
  }
  const Status written = RewriteConfigFile(server.config_file(), server.state().settings);
  if (!written) {
    LogWarning("CONFIG REWRITE failed: {}", written.error().context);
    return context.Fail("ERR Rewriting config file: " + written.error().context);
  }
  LogNotice("CONFIG REWRITE executed with success.");
  context.reply().Ok();
  return Outcome::kDone;
}

constexpr char kConfig[] = "config";
constexpr uint64_t kFlags = kAdmin | kNoScript | kLoading | kStale;
constexpr ArgSpec kGetArgs[] = {{.name = "parameter", .flags = kMultiple}};
constexpr ArgSpec kPair[] = {{.name = "parameter"}, {.name = "value"}};
constexpr ArgSpec kSetArgs[] = {
    {.name = "data", .type = ArgType::kBlock, .flags = kMultiple, .args = kPair}};

constexpr CommandSpec kSubcommands[] = {
    {.name = "get",
     .arity = -3,
     .flags = kFlags,
     .group = Group::kServer,
     .args = kGetArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the number of directives",
     .summary = "Returns the values of directives by patterns.",
     .run = &ConfigGet},
    {.name = "set",
     .arity = -4,
     .flags = kFlags,
     .group = Group::kServer,
     .args = kSetArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the number of directives",
     .summary = "Changes directives, all of them or none.",
     .run = &ConfigSet},
    {.name = "resetstat",
     .arity = 2,
     .flags = kFlags,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Sets the counters of INFO to zero.",
     .run = &ConfigResetStat},
    {.name = "rewrite",
     .arity = 2,
     .flags = kFlags,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(N) in the size of the file",
     .summary = "Makes the configuration file say what is set now.",
     .run = &ConfigRewrite},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Shows this text.",
     .run = &Help<kConfig>},
};

constexpr CommandSpec kRows[] = {
    {.name = kConfig,
     .arity = -2,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "Depends on the subcommand.",
     .summary = "Commands about directives.",
     .subcommands = kSubcommands},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kConfigCommands = kRows;

}  // namespace verso::server
