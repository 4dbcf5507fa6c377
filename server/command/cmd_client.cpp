// CLIENT and its subcommands.
#include <algorithm>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/connection_rules.h"
#include "server/command/help_reply.h"
#include "server/logging.h"
#include "server/server.h"
#include "server/session/transaction.h"

namespace verso::server {
namespace {

std::string ClientLine(const Connection& connection, uint64_t now_ms) {
  const Session& session = connection.session();
  const size_t blocks = connection.out().blocks();
  const size_t input = connection.input_bytes();
  const Transaction* const transaction = session.transaction.get();
  const bool in_multi = transaction != nullptr && transaction->open;
  std::string flags;
  if (in_multi) flags += 'x';
  if (connection.blocked() || connection.continuing()) flags += 'b';
  if (transaction != nullptr && transaction->dirty()) flags += 'd';
  if (session.close_after_reply) flags += 'c';
  if (connection.is_unix()) flags += 'U';
  if (session.no_evict) flags += 'e';
  if (session.no_touch) flags += 'T';
  if (flags.empty()) flags = "N";
  return fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub=0 psub=0 ssub=0 "
      "multi={} qbuf={} qbuf-free={} argv-mem=0 multi-mem={} rbs={} rbp=0 obl=0 oll={} omem={} "
      "tot-mem={} events={} cmd={} user={} redir=-1 resp={} lib-name={} lib-ver={}",
      session.id, connection.peer_address(), connection.local_address(), connection.fd(),
      std::string_view(session.name), (now_ms - session.created_ms) / 1000,
      (now_ms - session.active_ms) / 1000, flags, session.db,
      in_multi ? static_cast<int64_t>(transaction->queue.size()) : -1, input,
      connection.input_capacity() - input,
      transaction == nullptr ? 0 : transaction->queue.memory_bytes(), connection.input_capacity(),
      blocks, blocks * BufferPool::kBlockBytes, connection.memory_bytes(), "r",
      session.last_command == nullptr ? "NULL" : session.last_command->full_name,
      session.authenticated ? "default" : "(superuser)", session.protocol,
      std::string_view(session.library_name), std::string_view(session.library_version));
}

Outcome ClientId(CommandContext& context) {
  context.reply().Integer(static_cast<int64_t>(context.session().id));
  return Outcome::kDone;
}

Outcome ClientInfo(Server& server, CommandContext& context) {
  const Connection* self = server.Find(context.session().handle);
  const std::string line =
      self == nullptr ? std::string() : ClientLine(*self, server.state().now_ms) + "\n";
  context.reply().Verbatim(line);
  return Outcome::kDone;
}

// There are normal clients only, so far; the other types are known words.
bool KnownType(ByteView word, bool* normal) {
  *normal = EqualsIgnoreCase(word, "normal");
  return *normal || EqualsIgnoreCase(word, "master") || EqualsIgnoreCase(word, "replica") ||
         EqualsIgnoreCase(word, "slave") || EqualsIgnoreCase(word, "pubsub");
}

Outcome ClientList(Server& server, CommandContext& context) {
  bool wanted = true;
  std::vector<uint64_t> ids;
  ArgReader args(context, 2);
  if (args.remaining() == 2 && args.Take("type")) {
    const ByteView type = args.Next();
    if (!KnownType(type, &wanted)) {
      return context.Fail("ERR Unknown client type '" + std::string(type) + "'");
    }
  } else if (args.remaining() > 1 && args.Take("id")) {
    while (!args.AtEnd()) {
      const int64_t id = args.Integer("ERR Invalid client ID");
      if (!args.ok()) return context.Fail(args.error());
      ids.push_back(static_cast<uint64_t>(id));
    }
  } else if (!args.AtEnd()) {
    return context.Fail(error::kSyntax);
  }
  std::string text;
  server.ForEachClient([&](Connection& connection) {
    const uint64_t id = connection.session().id;
    if (!wanted || (!ids.empty() && std::find(ids.begin(), ids.end(), id) == ids.end())) return;
    text += ClientLine(connection, server.state().now_ms) + "\n";
  });
  context.reply().Verbatim(text);
  return Outcome::kDone;
}

struct KillFilter {
  std::optional<uint64_t> id;
  std::optional<ByteView> address, local_address;
  std::optional<bool> normal;
  std::optional<bool> default_user;
  bool skip_me = true;
};

bool Matches(const KillFilter& filter, const Connection& connection) {
  if (filter.id.has_value() && *filter.id != connection.session().id) return false;
  if (filter.address.has_value() && *filter.address != connection.peer_address()) return false;
  if (filter.local_address.has_value() && *filter.local_address != connection.local_address()) {
    return false;
  }
  if (filter.normal.has_value() && !*filter.normal) return false;
  return !filter.default_user.has_value() ||
         (*filter.default_user && connection.session().authenticated);
}

Outcome ClientKill(Server& server, CommandContext& context) {
  KillFilter filter;
  const bool old_form = context.size() == 3;
  if (old_form) {
    filter.address = context[2];
    filter.skip_me = false;
  } else {
    ArgReader args(context, 2);
    while (!args.AtEnd()) {
      if (args.remaining() < 2) return context.Fail(error::kSyntax);
      if (args.Take("id")) {
        const int64_t id = args.Integer("ERR client-id should be greater than 0");
        if (!args.ok()) return context.Fail(args.error());
        if (id < 1) return context.Fail("ERR client-id should be greater than 0");
        filter.id = static_cast<uint64_t>(id);
      } else if (args.Take("addr")) {
        filter.address = args.Next();
      } else if (args.Take("laddr")) {
        filter.local_address = args.Next();
      } else if (args.Take("type")) {
        bool normal = false;
        const ByteView type = args.Next();
        if (!KnownType(type, &normal)) {
          return context.Fail("ERR Unknown client type '" + std::string(type) + "'");
        }
        filter.normal = normal;
      } else if (args.Take("user")) {
        const ByteView user = args.Next();
        if (user != "default") {
          return context.Fail("ERR No such user '" + std::string(user) + "'");
        }
        filter.default_user = true;
      } else if (args.Take("skipme")) {
        if (args.Take("yes")) {
          filter.skip_me = true;
        } else if (args.Take("no")) {
          filter.skip_me = false;
        } else {
          return context.Fail(error::kSyntax);
        }
      } else {
        return context.Fail(error::kSyntax);
      }
    }
  }
  int64_t killed = 0;
  const uint64_t own_id = context.session().id;
  server.ForEachClient([&](Connection& connection) {
    if (!Matches(filter, connection)) return;
    if (connection.session().id == own_id) {
      if (filter.skip_me) return;
      context.session().close_after_reply = true;  // it still gets this reply
    } else {
      connection.CloseNow();
    }
    ++killed;
  });
  if (!old_form) {
    context.reply().Integer(killed);
  } else if (killed == 0) {
    return context.Fail("ERR No such client");
  } else {
    context.reply().Ok();
  }
  return Outcome::kDone;
}

Outcome ClientUnblock(Server& server, CommandContext& context) {
  bool error = false;
  if (context.size() == 4) {
    if (EqualsIgnoreCase(context[3], "error")) {
      error = true;
    } else if (!EqualsIgnoreCase(context[3], "timeout")) {
      return context.Fail("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    }
  }
  ArgReader args(context, 2);
  const int64_t id = args.Integer();
  if (!args.ok()) return context.Fail(args.error());
  Connection* const target = server.FindById(static_cast<uint64_t>(id));
  const bool found = target != nullptr && target->blocked() && !target->session().parked->held();
  if (found && error) {
    target->EndParked(
        [](ReplyWriter& reply) { reply.Error("UNBLOCKED client unblocked via CLIENT UNBLOCK"); });
  } else if (found) {
    target->EndParked();
  }
  context.reply().Integer(found ? 1 : 0);
  return Outcome::kDone;
}

Outcome PauseClients(Server& server, CommandContext& context) {
  int64_t timeout_ms = 0;
  if (!ParseInteger(context[2], &timeout_ms)) {
    return context.Fail("ERR timeout is not an integer or out of range");
  }
  if (timeout_ms < 0) return context.Fail("ERR timeout is negative");
  bool all = true;
  if (context.size() == 4) {
    all = EqualsIgnoreCase(context[3], "all");
    if (!all && !EqualsIgnoreCase(context[3], "write")) {
      return context.Fail("ERR CLIENT PAUSE mode must be WRITE or ALL");
    }
  }
  const uint64_t now_ms = server.state().now_ms;
  if (static_cast<uint64_t>(timeout_ms) > INT64_MAX - now_ms) {
    return context.Fail("ERR timeout is out of range");
  }
  // A running pause may become longer and wider, not shorter: CLIENT UNPAUSE ends it.
  ClientPause& pause = server.state().pause;
  pause.until_ms = std::max(pause.until_ms, now_ms + static_cast<uint64_t>(timeout_ms));
  pause.all |= all;
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome UnpauseClients(Server& server, CommandContext& context) {
  // At the end of the turn those that it held run.
  ClientPause& pause = server.state().pause;
  if (pause.until_ms != 0) pause = {.until_ms = 1};
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome ClientSetName(CommandContext& context) {
  if (!IsClientWord(context[2])) return context.Fail(kBadClientName);
  context.session().name = context[2];
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome ClientGetName(CommandContext& context) {
  const std::pmr::string& name = context.session().name;
  if (name.empty()) {
    context.reply().Null();
  } else {
    context.reply().Bulk(name);
  }
  return Outcome::kDone;
}

Outcome ClientSetInfo(CommandContext& context) {
  Session& session = context.session();
  std::pmr::string* field = nullptr;
  std::string_view shown;
  if (EqualsIgnoreCase(context[2], "lib-name")) {
    field = &session.library_name;
    shown = "lib-name";
  } else if (EqualsIgnoreCase(context[2], "lib-ver")) {
    field = &session.library_version;
    shown = "lib-ver";
  } else {
    return context.Fail("ERR Unrecognized option '" + std::string(context[2]) + "'");
  }
  if (!IsClientWord(context[3])) {
    return context.Fail("ERR " + std::string(shown) +
                        " cannot contain spaces, newlines or special characters.");
  }
  *field = context[3];
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome ClientReply(CommandContext& context) {
  Session& session = context.session();
  if (EqualsIgnoreCase(context[2], "on")) {
    session.reply_mode = ReplyMode::kOn;
    context.reply().Ok();
  } else if (EqualsIgnoreCase(context[2], "off")) {
    session.reply_mode = ReplyMode::kOff;
  } else if (EqualsIgnoreCase(context[2], "skip")) {
    if (session.reply_mode != ReplyMode::kOff) session.reply_mode = ReplyMode::kSkipNext;
  } else {
    return context.Fail(error::kSyntax);
  }
  return Outcome::kDone;
}

Outcome SetSwitch(CommandContext& context, bool* value) {
  if (EqualsIgnoreCase(context[2], "on")) {
    *value = true;
  } else if (EqualsIgnoreCase(context[2], "off")) {
    *value = false;
  } else {
    return context.Fail(error::kSyntax);
  }
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome ClientNoEvict(CommandContext& context) {
  return SetSwitch(context, &context.session().no_evict);
}

Outcome ClientNoTouch(CommandContext& context) {
  return SetSwitch(context, &context.session().no_touch);
}

constexpr ArgSpec kTypes[] = {{.name = "normal", .type = ArgType::kPureToken, .token = "normal"},
                              {.name = "master", .type = ArgType::kPureToken, .token = "master"},
                              {.name = "replica", .type = ArgType::kPureToken, .token = "replica"},
                              {.name = "pubsub", .type = ArgType::kPureToken, .token = "pubsub"}};
constexpr ArgSpec kListArgs[] = {{.name = "client-type",
                                  .type = ArgType::kOneOf,
                                  .token = "TYPE",
                                  .flags = kOptional,
                                  .args = kTypes},
                                 {.name = "client-id",
                                  .type = ArgType::kInteger,
                                  .token = "ID",
                                  .flags = kOptional | kMultiple}};
constexpr ArgSpec kYesNo[] = {{.name = "yes", .type = ArgType::kPureToken, .token = "YES"},
                              {.name = "no", .type = ArgType::kPureToken, .token = "NO"}};
constexpr ArgSpec kKillFilters[] = {
    {.name = "client-id", .type = ArgType::kInteger, .token = "ID", .flags = kOptional},
    {.name = "client-type",
     .type = ArgType::kOneOf,
     .token = "TYPE",
     .flags = kOptional,
     .args = kTypes},
    {.name = "username", .token = "USER", .flags = kOptional},
    {.name = "addr", .token = "ADDR", .flags = kOptional},
    {.name = "laddr", .token = "LADDR", .flags = kOptional},
    {.name = "skipme",
     .type = ArgType::kOneOf,
     .token = "SKIPME",
     .flags = kOptional,
     .args = kYesNo}};
constexpr ArgSpec kKillForms[] = {
    {.name = "old-format"},
    {.name = "new-format", .type = ArgType::kOneOf, .flags = kMultiple, .args = kKillFilters}};
constexpr ArgSpec kKillArgs[] = {{.name = "filter", .type = ArgType::kOneOf, .args = kKillForms}};
constexpr ArgSpec kUnblockReasons[] = {
    {.name = "timeout", .type = ArgType::kPureToken, .token = "TIMEOUT"},
    {.name = "error", .type = ArgType::kPureToken, .token = "ERROR"}};
constexpr ArgSpec kUnblockArgs[] = {
    {.name = "client-id", .type = ArgType::kInteger},
    {.name = "unblock-type", .type = ArgType::kOneOf, .flags = kOptional, .args = kUnblockReasons}};
constexpr ArgSpec kPauseModes[] = {{.name = "write", .type = ArgType::kPureToken, .token = "WRITE"},
                                   {.name = "all", .type = ArgType::kPureToken, .token = "ALL"}};
constexpr ArgSpec kPauseArgs[] = {
    {.name = "timeout", .type = ArgType::kInteger},
    {.name = "mode", .type = ArgType::kOneOf, .flags = kOptional, .args = kPauseModes}};
constexpr ArgSpec kSetNameArgs[] = {{.name = "connection-name"}};
constexpr ArgSpec kSetInfoChoices[] = {{.name = "libname", .token = "LIB-NAME"},
                                       {.name = "libver", .token = "LIB-VER"}};
constexpr ArgSpec kSetInfoArgs[] = {
    {.name = "attr", .type = ArgType::kOneOf, .args = kSetInfoChoices}};
constexpr ArgSpec kOnOff[] = {{.name = "on", .type = ArgType::kPureToken, .token = "ON"},
                              {.name = "off", .type = ArgType::kPureToken, .token = "OFF"}};
constexpr ArgSpec kOnOffSkip[] = {{.name = "on", .type = ArgType::kPureToken, .token = "ON"},
                                  {.name = "off", .type = ArgType::kPureToken, .token = "OFF"},
                                  {.name = "skip", .type = ArgType::kPureToken, .token = "SKIP"}};
constexpr ArgSpec kSwitchArgs[] = {{.name = "enabled", .type = ArgType::kOneOf, .args = kOnOff}};
constexpr ArgSpec kReplyArgs[] = {{.name = "action", .type = ArgType::kOneOf, .args = kOnOffSkip}};

constexpr char kContainer[] = "client";
constexpr uint64_t kOwn = kNoScript | kLoading | kStale;

constexpr CommandSpec kSubcommands[] = {
    {.name = "id",
     .arity = 2,
     .flags = kOwn,
     .group = Group::kConnection,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the number of this connection.",
     .run = &ClientId},
    {.name = "info",
     .arity = 2,
     .flags = kOwn,
     .group = Group::kConnection,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Describes this connection.",
     .run = &ClientInfo},
    {.name = "list",
     .arity = -2,
     .flags = kOwn | kAdmin,
     .group = Group::kConnection,
     .args = kListArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the number of clients",
     .summary = "Lists the connections.",
     .run = &ClientList},
    {.name = "kill",
     .arity = -3,
     .flags = kOwn | kAdmin,
     .group = Group::kConnection,
     .args = kKillArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the number of clients",
     .summary = "Ends connections.",
     .run = &ClientKill},
    {.name = "unblock",
     .arity = -3,
     .flags = kOwn | kAdmin,
     .group = Group::kConnection,
     .args = kUnblockArgs,
     .since = "0.1.0",
     .complexity = "O(N) in the number of clients",
     .summary = "Ends the wait of a blocked connection.",
     .run = &ClientUnblock},
    {.name = "pause",
     .arity = -3,
     .flags = kOwn | kAdmin,
     .group = Group::kConnection,
     .args = kPauseArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Lets all clients wait with their commands, or with writes only.",
     .run = &PauseClients},
    {.name = "unpause",
     .arity = 2,
     .flags = kOwn | kAdmin,
     .group = Group::kConnection,
     .since = "0.1.0",
     .complexity = "O(N) in the number of clients",
     .summary = "Ends the pause: the commands that waited run.",
     .run = &UnpauseClients},
    {.name = "setname",
     .arity = 3,
     .flags = kOwn,
     .group = Group::kConnection,
     .args = kSetNameArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Names this connection.",
     .run = &ClientSetName},
    {.name = "getname",
     .arity = 2,
     .flags = kOwn,
     .group = Group::kConnection,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the name of this connection.",
     .run = &ClientGetName},
    {.name = "setinfo",
     .arity = 4,
     .flags = kOwn,
     .group = Group::kConnection,
     .args = kSetInfoArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Tells the name or version of the client's library.",
     .run = &ClientSetInfo},
    {.name = "reply",
     .arity = 3,
     .flags = kOwn,
     .group = Group::kConnection,
     .args = kReplyArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Switches replies to this connection on or off.",
     .run = &ClientReply},
    {.name = "no-evict",
     .arity = 3,
     .flags = kOwn | kAdmin,
     .group = Group::kConnection,
     .args = kSwitchArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Exempts this connection from client eviction.",
     .run = &ClientNoEvict},
    {.name = "no-touch",
     .arity = 3,
     .flags = kOwn,
     .group = Group::kConnection,
     .args = kSwitchArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Makes reads of this connection leave access clocks alone.",
     .run = &ClientNoTouch},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kConnection,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Shows this text.",
     .run = &Help<kContainer>},
};

constexpr CommandSpec kRows[] = {
    {.name = kContainer,
     .arity = -2,
     .group = Group::kConnection,
     .since = "0.1.0",
     .complexity = "Depends on the subcommand.",
     .summary = "Commands about client connections.",
     .subcommands = kSubcommands},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kClientCommands = kRows;

}  // namespace verso::server
