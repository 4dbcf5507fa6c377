// Commands about the connection itself: PING, HELLO, AUTH, SELECT, QUIT, RESET, ECHO. CLIENT has a
// file of its own (cmd_client.cpp).
#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/connection_rules.h"
#include "server/server.h"
#include "server/version.h"

namespace verso::server {
namespace {

Outcome Ping(CommandContext& context) {
  if (context.size() > 2) return context.Fail(error::WrongArity("ping"));
  if (context.size() == 2) {
    context.reply().Bulk(context[1]);
  } else {
    context.reply().Raw("+PONG\r\n");
  }
  return Outcome::kDone;
}

Outcome Echo(CommandContext& context) {
  context.reply().Bulk(context[1]);
  return Outcome::kDone;
}

Outcome Select(CommandContext& context) {
  ArgReader args(context, 1);
  const int64_t db = args.Integer();
  if (!args.ok()) return context.Fail(args.error());
  if (db < 0 || db >= context.environment().databases) {
    return context.Fail(error::kDatabaseOutOfRange);
  }
  context.session().db = static_cast<int>(db);
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome Quit(CommandContext& context) {
  context.session().close_after_reply = true;
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome Reset(Server& server, CommandContext& context) {
  context.session().Reset(server.state().settings.requirepass.empty());
  context.reply().set_protocol(2);
  context.reply().SimpleString("RESET");
  return Outcome::kDone;
}

// The time it takes says nothing about where the two differ.
bool SamePassword(ByteView given, ByteView expected) {
  unsigned char difference = given.size() == expected.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    const char against = expected.empty() ? '\0' : expected[i % expected.size()];
    difference |= static_cast<unsigned char>(given[i] ^ against);
  }
  return difference == 0;
}

constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";

bool Authenticate(Server& server, Session& session, ByteView user, ByteView password) {
  const std::string& expected = server.state().settings.requirepass;
  if (user != "default") return false;
  if (!expected.empty() && !SamePassword(password, expected)) return false;
  session.authenticated = true;
  return true;
}

Outcome Auth(Server& server, CommandContext& context) {
  if (context.size() > 3) return context.Fail(error::kSyntax);
  if (context.size() == 2 && server.state().settings.requirepass.empty()) {
    return context.Fail(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  const ByteView user = context.size() == 3 ? context[1] : ByteView("default");
  if (!Authenticate(server, context.session(), user, context[context.size() - 1])) {
    return context.Fail(kWrongPassword);
  }
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome Hello(Server& server, CommandContext& context) {
  Session& session = context.session();
  ArgReader args(context, 1);
  int64_t protocol = session.protocol;
  if (!args.AtEnd()) {
    protocol = args.Integer("ERR Protocol version is not an integer or out of range");
    if (!args.ok()) return context.Fail(args.error());
    if (protocol != 2 && protocol != 3) {
      return context.Fail("NOPROTO unsupported protocol version");
    }
  }
  std::optional<ByteView> user, password, name;
  while (!args.AtEnd()) {
    const ByteView option = args.Peek();
    if (args.remaining() >= 3 && args.Take("auth")) {
      user = args.Next();
      password = args.Next();
    } else if (args.remaining() >= 2 && args.Take("setname")) {
      name = args.Next();
    } else {
      return context.Fail("ERR Syntax error in HELLO option '" + std::string(option) + "'");
    }
  }
  if (user.has_value() && !Authenticate(server, session, *user, *password)) {
    return context.Fail(kWrongPassword);
  }
  if (!session.authenticated) {
    return context.Fail(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
  }
  if (name.has_value()) {
    if (!IsClientWord(*name)) return context.Fail(kBadClientName);
    session.name = *name;
  }
  session.protocol = static_cast<int>(protocol);
  ReplyWriter& reply = context.reply();
  reply.set_protocol(session.protocol);
  reply.Map(7);
  reply.Bulk("server");
  reply.Bulk("redis");
  reply.Bulk("version");
  reply.Bulk(kRedisVersion);
  reply.Bulk("proto");
  reply.Integer(protocol);
  reply.Bulk("id");
  reply.Integer(static_cast<int64_t>(session.id));
  reply.Bulk("mode");
  reply.Bulk("standalone");
  reply.Bulk("role");
  reply.Bulk("master");
  reply.Bulk("modules");
  reply.Array(0);
  return Outcome::kDone;
}

constexpr ArgSpec kPingArgs[] = {{.name = "message", .flags = kOptional}};
constexpr ArgSpec kEchoArgs[] = {{.name = "message"}};
constexpr ArgSpec kSelectArgs[] = {{.name = "index", .type = ArgType::kInteger}};
constexpr ArgSpec kAuthArgs[] = {{.name = "username", .flags = kOptional}, {.name = "password"}};
constexpr ArgSpec kHelloAuthArgs[] = {{.name = "username"}, {.name = "password"}};
constexpr ArgSpec kHelloMoreArgs[] = {
    {.name = "protover", .type = ArgType::kInteger},
    {.name = "auth",
     .type = ArgType::kBlock,
     .token = "AUTH",
     .flags = kOptional,
     .args = kHelloAuthArgs},
    {.name = "clientname", .token = "SETNAME", .flags = kOptional}};
constexpr ArgSpec kHelloArgs[] = {
    {.name = "arguments", .type = ArgType::kBlock, .flags = kOptional, .args = kHelloMoreArgs}};

constexpr CommandSpec kRows[] = {
    {.name = "ping",
     .arity = -1,
     .flags = kFast,
     .group = Group::kConnection,
     .args = kPingArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Answers PONG, or the message.",
     .run = &Ping},
    {.name = "echo",
     .arity = 2,
     .flags = kLoading | kStale | kFast,
     .group = Group::kConnection,
     .args = kEchoArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Answers the message.",
     .run = &Echo},
    {.name = "select",
     .arity = 2,
     .flags = kLoading | kStale | kFast,
     .group = Group::kConnection,
     .args = kSelectArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Chooses the database of this connection.",
     .run = &Select},
    {.name = "quit",
     .arity = -1,
     .flags = kAllowBusy | kNoScript | kLoading | kStale | kFast | kNoAuth | kNotQueued,
     .group = Group::kConnection,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Closes this connection.",
     .run = &Quit},
    {.name = "reset",
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kFast | kNoAuth | kAllowBusy | kNotQueued,
     .group = Group::kConnection,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Puts this connection back into the state of a new one.",
     .run = &Reset},
    {.name = "auth",
     .arity = -2,
     .flags =
         kNoScript | kLoading | kStale | kFast | kNoAuth | kSkipMonitor | kSkipSlowlog | kAllowBusy,
     .group = Group::kConnection,
     .args = kAuthArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Authenticates this connection.",
     .run = &Auth},
    {.name = "hello",
     .arity = -1,
     .flags =
         kNoScript | kLoading | kStale | kFast | kNoAuth | kSkipMonitor | kSkipSlowlog | kAllowBusy,
     .group = Group::kConnection,
     .args = kHelloArgs,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Chooses the protocol, authenticates and names this connection in one go.",
     .run = &Hello},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kConnectionCommands = kRows;

}  // namespace verso::server
