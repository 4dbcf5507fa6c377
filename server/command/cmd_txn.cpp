// TXN: interactive transactions. What its commands see and write is the dispatcher's affair
// (dispatcher_txn.cpp), what it is stands in session/txn.h.
#include <string>
#include <vector>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/dispatcher.h"
#include "server/command/help_reply.h"
#include "server/command/named_reply.h"
#include "server/command/version_list.h"
#include "server/command/version_ref.h"

namespace verso::server {
namespace {

struct BeginArgs {
  bool read_only = false;
  bool serializable = false;
  ByteView ref;  // null: the head of the connection's branch
  uint64_t timeout_ms = 0;
};

// Empty: good, else the error.
std::string_view ReadArgs(const CommandContext& context, BeginArgs* begin) {
  ArgReader args(context, 2);
  while (args.ok() && !args.AtEnd()) {
    if (args.remaining() > 1 && args.Take("read")) {
      if (!args.Take("only")) args.SetError(error::kSyntax);
      begin->read_only = true;
      if (args.remaining() > 1 && args.Take("at")) begin->ref = args.Next();
    } else if (args.remaining() > 1 && args.Take("isolation")) {
      begin->serializable = args.Take("serializable");
      if (!begin->serializable && !args.Take("snapshot")) args.SetError(error::kSyntax);
    } else if (args.remaining() > 1 && args.Take("timeout")) {
      begin->timeout_ms = static_cast<uint64_t>(
          args.IntegerBetween(1, std::numeric_limits<int64_t>::max(), error::kNotPositive));
    } else {
      args.SetError(error::kSyntax);
    }
  }
  return args.error();
}

Outcome Begin(Dispatcher& dispatcher, CommandContext& context) {
  ServerState& state = dispatcher.state();
  storage::Store& store = *state.store;
  Session& session = context.session();
  BeginArgs args;
  args.timeout_ms = static_cast<uint64_t>(state.settings.txn_timeout_ms);
  if (const std::string_view fault = ReadArgs(context, &args); !fault.empty()) {
    return context.Fail(fault);
  }
  if (session.txn != nullptr) return context.Fail(error::kInTxn);
  VersionRef ref{.branch = BranchOf(store, session)};
  if (args.ref.data() != nullptr) {
    ref = {};
    if (!ReadRef(store, context, args.ref, &ref)) return Outcome::kDone;
  }
  const auto most = static_cast<size_t>(state.settings.txn_max);
  if (state.txns.open().size() >= most) {
    return context.Fail("ERR transaction limit reached (txn-max " + std::to_string(most) + ")");
  }
  Txn& txn = state.txns.Begin(&session);
  txn.store = &store;
  txn.branch = BranchOf(store, session);
  txn.pin = HoldRef(store, ref, state.now_ms, &txn.line);
  txn.read_only = args.read_only;
  txn.of_snapshot = ref.snapshot != nullptr;
  txn.serializable = args.serializable;
  txn.timeout_ms = args.timeout_ms;
  txn.begun_ms = txn.active_ms = state.now_ms;
  context.reply().Integer(static_cast<int64_t>(txn.pin.epoch()));
  return Outcome::kDone;
}

Outcome Commit(Dispatcher& dispatcher, CommandContext& context) {
  if (context.session().txn == nullptr) return context.Fail(error::kNoTxn);
  return dispatcher.CommitTxn(context);
}

Outcome Abort(CommandContext& context) {
  if (context.session().txn == nullptr) return context.Fail(error::kNoTxn);
  context.session().txn.reset();
  context.reply().Ok();
  return Outcome::kDone;
}

// ---- telling

VersionRow RowOf(const storage::Store& store, const Txn& txn, uint64_t now_ms) {
  const storage::Snapshots& snapshots = store.snapshots();
  storage::Snapshot version;
  version.line = txn.line;
  version.epoch = txn.pin.epoch();
  version.moment_ms = txn.pin.moment_ms();
  VersionRow row;
  row.pin = snapshots.Hold(version);
  // Holders of the version: the transaction, its scratch line, and the row's pin.
  const uint32_t own = txn.scratch ? 3 : 2;
  const storage::Snapshots::UniqueWalk walk = snapshots.UniqueWalkOf(version, own);
  row.walk_root = walk.root;
  row.walk_above = walk.above;
  const uint64_t known_bytes = snapshots.UniqueBytes(version, own) + txn.scratch_bytes;
  row.write = [id = txn.id, client = txn.session->id, read_only = txn.read_only,
               serializable = txn.serializable, age_ms = now_ms - txn.begun_ms,
               read = txn.read.size(), written = txn.written.size(), known_bytes](
                  ReplyWriter& reply, const storage::PinHandle& pin, uint64_t walked_bytes) {
    reply.Map(9);
    Named(reply, "id", id);
    Named(reply, "client", client);
    Named(reply, "mode", read_only ? ByteView("read-only") : ByteView("read-write"));
    Named(reply, "isolation", serializable ? ByteView("serializable") : ByteView("snapshot"));
    Named(reply, "version", pin.epoch());
    Named(reply, "age-ms", age_ms);
    Named(reply, "keys-read", read);
    Named(reply, "keys-written", written);
    Named(reply, "unique-bytes", known_bytes + walked_bytes);
  };
  return row;
}

Outcome Info(Dispatcher& dispatcher, CommandContext& context) {
  const Txn* const txn = context.session().txn.get();
  if (txn == nullptr) return context.Fail(error::kNoTxn);
  const ServerState& state = dispatcher.state();
  std::vector<VersionRow> rows;
  rows.push_back(RowOf(*state.store, *txn, state.now_ms));
  return ReplyVersions(state.HeadOf(context.session()), context, std::move(rows), true);
}

Outcome List(Dispatcher& dispatcher, CommandContext& context) {
  const ServerState& state = dispatcher.state();
  std::vector<VersionRow> rows;
  for (const Txn* txn : state.txns.open()) rows.push_back(RowOf(*state.store, *txn, state.now_ms));
  return ReplyVersions(state.HeadOf(context.session()), context, std::move(rows), false);
}

// ---- rows

constexpr char kContainer[] = "txn";
constexpr ArgSpec kReadOnlyArgs[] = {
    {.name = "read-only", .type = ArgType::kPureToken, .token = "READ ONLY"},
    {.name = "ref", .token = "AT", .flags = kOptional}};
constexpr ArgSpec kIsolations[] = {
    {.name = "snapshot", .type = ArgType::kPureToken, .token = "SNAPSHOT"},
    {.name = "serializable", .type = ArgType::kPureToken, .token = "SERIALIZABLE"}};
constexpr ArgSpec kBeginArgs[] = {
    {.name = "mode", .type = ArgType::kBlock, .flags = kOptional, .args = kReadOnlyArgs},
    {.name = "isolation",
     .type = ArgType::kOneOf,
     .token = "ISOLATION",
     .flags = kOptional,
     .args = kIsolations},
    {.name = "milliseconds", .type = ArgType::kInteger, .token = "TIMEOUT", .flags = kOptional}};

constexpr CommandSpec kSubcommands[] = {
    {.name = "begin",
     .arity = -2,
     .flags = kNoScript | kNoMulti | kFast,
     .group = Group::kTransactions,
     .args = kBeginArgs,
     .since = "0.1.0",
     .complexity = "O(1), whatever the size of the data",
     .summary = "Begins a transaction: what follows sees this version and its own writes.",
     .run = &Begin},
    {.name = "commit",
     .arity = 2,
     .flags = kNoScript | kNoMulti | kMayReplicate,
     .group = Group::kTransactions,
     .since = "0.1.0",
     .complexity = "O(N) with N keys written (and read, if serializable)",
     .summary = "Makes all writes of the transaction seen at one instant, or none of them.",
     .run = &Commit},
    {.name = "abort",
     .arity = 2,
     .flags = kNoScript | kNoMulti | kFast,
     .group = Group::kTransactions,
     .since = "0.1.0",
     .complexity = "O(1); what was written is freed in the background",
     .summary = "Ends the transaction without a trace.",
     .run = &Abort},
    {.name = "info",
     .arity = 2,
     .flags = kNoScript | kNoMulti,
     .group = Group::kTransactions,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Tells about the connection's transaction.",
     .run = &Info},
    {.name = "list",
     .arity = 2,
     .flags = kNoScript | kNoMulti,
     .group = Group::kTransactions,
     .since = "0.1.0",
     .complexity = "O(N) with N transactions, in slices that stall nobody",
     .summary = "Lists the open transactions, the oldest first.",
     .run = &List},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kTransactions,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Shows this text.",
     .run = &Help<kContainer>},
};

constexpr CommandSpec kRows[] = {{.name = kContainer,
                                  .arity = -2,
                                  .group = Group::kTransactions,
                                  .since = "0.1.0",
                                  .complexity = "Depends on the subcommand.",
                                  .summary = "Commands about interactive transactions.",
                                  .subcommands = kSubcommands}};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kTxnCommands = kRows;

}  // namespace verso::server
