// COMMAND and its subcommands: the command table, told to clients.
#include <cctype>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/command_table.h"
#include "server/command/dispatcher.h"
#include "server/command/glob.h"
#include "server/command/help_reply.h"
#include "server/command/named_reply.h"

namespace verso::server {
namespace {

using Names = std::vector<std::string_view>;

void ReplyNames(ReplyWriter& reply, const Names& names, std::string_view prefix = "") {
  reply.Set(names.size());
  for (const std::string_view name : names) {
    reply.SimpleString(std::string(prefix) + std::string(name));
  }
}

Names KeyFlagNames(uint16_t access) {
  static constexpr std::pair<uint16_t, std::string_view> kNames[] = {
      {kKeyRo, "RO"},
      {kKeyRw, "RW"},
      {kKeyOw, "OW"},
      {kKeyRm, "RM"},
      {kKeyAccess, "access"},
      {kKeyUpdate, "update"},
      {kKeyInsert, "insert"},
      {kKeyDelete, "delete"},
      {kKeyNotKey, "not_key"},
      {kKeyIncomplete, "incomplete"},
      {kKeyVariable, "variable_flags"}};
  Names names;
  for (const auto& [flag, name] : kNames) {
    if ((access & flag) != 0) names.push_back(name);
  }
  return names;
}

void ReplyKeySpec(ReplyWriter& reply, const Keys& keys) {
  reply.Map(3);
  reply.Bulk("flags");
  ReplyNames(reply, KeyFlagNames(keys.access));
  reply.Bulk("begin_search");
  reply.Map(2);
  reply.Bulk("type");
  if (keys.keyword.empty()) {
    reply.Bulk("index");
    reply.Bulk("spec");
    reply.Map(1);
    Named(reply, "index", keys.first);
  } else {
    reply.Bulk("keyword");
    reply.Bulk("spec");
    reply.Map(2);
    std::string keyword(keys.keyword);  // as Redis shows it
    for (char& c : keyword) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    reply.Bulk("keyword");
    reply.Bulk(keyword);
    Named(reply, "startfrom", keys.first);
  }
  reply.Bulk("find_keys");
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk(keys.counted ? "keynum" : "range");
  reply.Bulk("spec");
  reply.Map(3);
  if (keys.counted) {
    Named(reply, "keynumidx", 0);
    Named(reply, "firstkey", 1);
    Named(reply, "keystep", keys.step);
  } else {
    Named(reply, "lastkey", keys.last);
    Named(reply, "keystep", keys.step);
    Named(reply, "limit", keys.limit);
  }
}

// The index of the last key as clients of before key specs want it, of the specs that are ranges.
int LastKey(const CommandSpec& row) {
  int last = 0;
  for (const Keys& keys : row.keys) {
    if (keys.IsRange()) last = keys.last < 0 ? keys.last : keys.first + keys.last;
  }
  return last;
}

// One element of COMMAND and COMMAND INFO.
void ReplyInfo(ReplyWriter& reply, const CommandEntry* entry) {
  if (entry == nullptr) {
    reply.NullArray();
    return;
  }
  const CommandSpec& row = *entry->row;
  reply.Array(10);
  reply.Bulk(entry->full_name);
  reply.Integer(row.arity);
  ReplyNames(reply, FlagNames(row));
  const bool has_range = row.keys[0].IsRange();
  reply.Integer(has_range ? row.keys[0].first : 0);
  reply.Integer(has_range ? LastKey(row) : 0);
  reply.Integer(has_range ? row.keys[0].step : 0);
  ReplyNames(reply, AclCategories(row), "@");
  size_t tips = 0;
  while (tips < row.tips.size() && !row.tips[tips].empty()) ++tips;
  reply.Array(tips);
  for (size_t i = 0; i < tips; ++i) reply.Bulk(row.tips[i]);
  size_t specs = 0;
  while (specs < row.keys.size() && row.keys[specs].first != 0) ++specs;
  reply.Array(specs);
  for (size_t i = 0; i < specs; ++i) ReplyKeySpec(reply, row.keys[i]);
  reply.Array(entry->subcommands.size());
  for (const CommandEntry* subcommand : entry->subcommands) ReplyInfo(reply, subcommand);
}

std::string_view ArgTypeName(ArgType type) {
  switch (type) {
    case ArgType::kString:
      return "string";
    case ArgType::kInteger:
      return "integer";
    case ArgType::kDouble:
      return "double";
    case ArgType::kKey:
      return "key";
    case ArgType::kPattern:
      return "pattern";
    case ArgType::kUnixTime:
      return "unix-time";
    case ArgType::kPureToken:
      return "pure-token";
    case ArgType::kOneOf:
      return "oneof";
    case ArgType::kBlock:
      return "block";
  }
  return "";
}

void ReplyArgs(ReplyWriter& reply, const RowList<ArgSpec>& args) {
  reply.Array(args.count);
  for (const ArgSpec& arg : args) {
    const bool is_key = arg.type == ArgType::kKey;
    const bool has_display = arg.args.empty() && arg.type != ArgType::kPureToken;
    reply.Map(2 + (has_display ? 1 : 0) + (is_key ? 1 : 0) + (arg.token.empty() ? 0 : 1) +
              (arg.since.empty() ? 0 : 1) + (arg.flags == 0 ? 0 : 1) + (arg.args.empty() ? 0 : 1));
    reply.Bulk("name");
    reply.Bulk(arg.name);
    reply.Bulk("type");
    reply.Bulk(ArgTypeName(arg.type));
    if (has_display) {
      reply.Bulk("display_text");
      reply.Bulk(arg.name);
    }
    if (is_key) {
      reply.Bulk("key_spec_index");
      reply.Integer(arg.key_spec < 0 ? 0 : arg.key_spec);
    }
    if (!arg.token.empty()) {
      reply.Bulk("token");
      reply.Bulk(arg.token);
    }
    if (!arg.since.empty()) {
      reply.Bulk("since");
      reply.Bulk(arg.since);
    }
    if (arg.flags != 0) {
      Names names;
      if ((arg.flags & kOptional) != 0) names.push_back("optional");
      if ((arg.flags & kMultiple) != 0) names.push_back("multiple");
      if ((arg.flags & kMultipleToken) != 0) names.push_back("multiple_token");
      reply.Bulk("flags");
      ReplyNames(reply, names);
    }
    if (!arg.args.empty()) {
      reply.Bulk("arguments");
      ReplyArgs(reply, arg.args);
    }
  }
}

void ReplyDocs(ReplyWriter& reply, const CommandEntry& entry) {
  const CommandSpec& row = *entry.row;
  const bool deprecated = !row.deprecated_since.empty();
  reply.Bulk(entry.full_name);
  reply.Map(4 + (deprecated ? 3 : 0) + (row.args.empty() ? 0 : 1) +
            (entry.subcommands.empty() ? 0 : 1));
  reply.Bulk("summary");
  reply.Bulk(row.summary);
  reply.Bulk("since");
  reply.Bulk(row.since);
  reply.Bulk("group");
  reply.Bulk(GroupName(row.group));
  reply.Bulk("complexity");
  reply.Bulk(row.complexity);
  if (deprecated) {
    reply.Bulk("doc_flags");
    ReplyNames(reply, {"deprecated"});
    reply.Bulk("deprecated_since");
    reply.Bulk(row.deprecated_since);
    reply.Bulk("replaced_by");
    reply.Bulk(row.replaced_by);
  }
  if (!row.args.empty()) {
    reply.Bulk("arguments");
    ReplyArgs(reply, row.args);
  }
  if (!entry.subcommands.empty()) {
    reply.Bulk("subcommands");
    reply.Map(entry.subcommands.size());
    for (const CommandEntry* subcommand : entry.subcommands) ReplyDocs(reply, *subcommand);
  }
}

Outcome Command(CommandContext& context) {
  const auto& commands = CommandTable::Get().commands();
  context.reply().Array(commands.size());
  for (const CommandEntry* entry : commands) ReplyInfo(context.reply(), entry);
  return Outcome::kDone;
}

Outcome CommandCount(CommandContext& context) {
  context.reply().Integer(static_cast<int64_t>(CommandTable::Get().commands().size()));
  return Outcome::kDone;
}

Outcome CommandInfo(CommandContext& context) {
  if (context.size() == 2) return Command(context);
  context.reply().Array(context.size() - 2);
  for (size_t i = 2; i < context.size(); ++i) {
    ReplyInfo(context.reply(), CommandTable::Get().FindFull(context[i]));
  }
  return Outcome::kDone;
}

Outcome CommandDocs(CommandContext& context) {
  std::vector<const CommandEntry*> found;
  if (context.size() == 2) found = CommandTable::Get().commands();
  for (size_t i = 2; i < context.size(); ++i) {
    const CommandEntry* entry = CommandTable::Get().FindFull(context[i]);
    if (entry != nullptr) found.push_back(entry);
  }
  context.reply().Map(found.size());
  for (const CommandEntry* entry : found) ReplyDocs(context.reply(), *entry);
  return Outcome::kDone;
}

Outcome CommandList(CommandContext& context) {
  enum class Filter { kNone, kModule, kCategory, kPattern } filter = Filter::kNone;
  ByteView word;
  ArgReader args(context, 2);
  if (!args.AtEnd()) {
    if (args.remaining() != 3 || !args.Take("filterby")) return context.Fail(error::kSyntax);
    if (args.Take("module")) {
      filter = Filter::kModule;
    } else if (args.Take("aclcat")) {
      filter = Filter::kCategory;
    } else if (args.Take("pattern")) {
      filter = Filter::kPattern;
    } else {
      return context.Fail(error::kSyntax);
    }
    word = args.Next();
  }
  Names names;
  for (const CommandEntry& entry : CommandTable::Get().entries()) {
    bool shown = true;
    if (filter == Filter::kModule) shown = false;
    if (filter == Filter::kPattern) shown = GlobMatch(word, entry.full_name);
    if (filter == Filter::kCategory) {
      shown = false;
      for (const std::string_view category : AclCategories(*entry.row)) {
        shown |= EqualsIgnoreCase(word, category);
      }
    }
    if (shown) names.push_back(entry.full_name);
  }
  context.reply().Array(names.size());
  for (const std::string_view name : names) context.reply().Bulk(name);
  return Outcome::kDone;
}

// The keys of the command whose words begin at argument 2, as indices from there. False: an error
// has been replied.
bool KeysOfTarget(CommandContext& context, std::vector<KeyPosition>* keys) {
  auto arguments = context.arguments().subspan(2);
  size_t before = 0;  // ASOF and its ref: the keys are those of the command behind them
  while (arguments.size() > 2 && EqualsIgnoreCase(arguments[0], "asof")) {
    arguments = arguments.subspan(2);
    before += 2;
  }
  const CommandEntry* const entry = Dispatcher::EntryOf(
      {.entry = CommandTable::Get().Find(arguments[0]), .arguments = arguments});
  std::string_view fault;
  if (entry == nullptr) {
    fault = "ERR Invalid command specified";
  } else if (!entry->row->has_keys()) {
    fault = "ERR The command has no key arguments";
  } else if (!entry->row->ArityFits(arguments.size())) {
    fault = "ERR Invalid number of arguments specified for command";
  } else if (!FindKeys(*entry->row, arguments, keys) ||
             (keys->empty() && !entry->row->Has(kNoMandatoryKeys))) {
    fault = "ERR Invalid arguments specified for command";
  }
  if (!fault.empty()) context.reply().Error(fault);
  for (KeyPosition& key : *keys) key.index += before;
  return fault.empty();
}

Outcome CommandGetKeys(CommandContext& context) {
  std::vector<KeyPosition> keys;
  if (!KeysOfTarget(context, &keys)) return Outcome::kDone;
  context.reply().Array(keys.size());
  for (const KeyPosition& key : keys) context.reply().Bulk(context[2 + key.index]);
  return Outcome::kDone;
}

Outcome CommandGetKeysAndFlags(CommandContext& context) {
  std::vector<KeyPosition> keys;
  if (!KeysOfTarget(context, &keys)) return Outcome::kDone;
  context.reply().Array(keys.size());
  for (const KeyPosition& key : keys) {
    context.reply().Array(2);
    context.reply().Bulk(context[2 + key.index]);
    ReplyNames(context.reply(), KeyFlagNames(key.access));
  }
  return Outcome::kDone;
}

constexpr char kCommand[] = "command";
constexpr uint64_t kFlags = kLoading | kStale;
constexpr ArgSpec kNamesArgs[] = {{.name = "command-name", .flags = kOptional | kMultiple}};
constexpr ArgSpec kFilters[] = {{.name = "module-name", .token = "MODULE"},
                                {.name = "category", .token = "ACLCAT"},
                                {.name = "pattern", .type = ArgType::kPattern, .token = "PATTERN"}};
constexpr ArgSpec kListArgs[] = {{.name = "filterby",
                                  .type = ArgType::kOneOf,
                                  .token = "FILTERBY",
                                  .flags = kOptional,
                                  .args = kFilters}};
constexpr ArgSpec kCallArgs[] = {{.name = "command"},
                                 {.name = "arg", .flags = kOptional | kMultiple}};

constexpr CommandSpec kSubcommands[] = {
    {.name = "count",
     .arity = 2,
     .flags = kFlags,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Counts the commands.",
     .run = &CommandCount},
    {.name = "docs",
     .arity = -2,
     .flags = kFlags,
     .group = Group::kServer,
     .args = kNamesArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the number of commands",
     .summary = "Returns documentation of commands.",
     .run = &CommandDocs},
    {.name = "getkeys",
     .arity = -3,
     .flags = kFlags,
     .group = Group::kServer,
     .args = kCallArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the number of arguments",
     .summary = "Finds the keys in a call of a command.",
     .run = &CommandGetKeys},
    {.name = "getkeysandflags",
     .arity = -3,
     .flags = kFlags,
     .group = Group::kServer,
     .args = kCallArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the number of arguments",
     .summary = "Finds the keys in a call of a command, and what it does with them.",
     .run = &CommandGetKeysAndFlags},
    {.name = "info",
     .arity = -2,
     .flags = kFlags,
     .group = Group::kServer,
     .args = kNamesArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the number of commands",
     .summary = "Returns arity, flags and keys of commands.",
     .run = &CommandInfo},
    {.name = "list",
     .arity = -2,
     .flags = kFlags,
     .group = Group::kServer,
     .args = kListArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the number of commands",
     .summary = "Lists the names of the commands.",
     .run = &CommandList},
    {.name = "help",
     .arity = 2,
     .flags = kFlags,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Shows this text.",
     .run = &Help<kCommand>},
};

constexpr CommandSpec kRows[] = {
    {.name = kCommand,
     .arity = -1,
     .flags = kFlags,
     .group = Group::kConnection,
     .since = "0.1.0",
     .complexity = "O(N) in the number of commands",
     .summary = "Returns arity, flags and keys of all commands.",
     .run = &Command,
     .subcommands = kSubcommands},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kIntrospectCommands = kRows;

}  // namespace verso::server
