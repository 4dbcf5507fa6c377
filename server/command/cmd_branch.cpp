// BRANCH: writable continuations of a version, side by side.
#include <map>
#include <string>
#include <vector>

#include "server/command/arg_reader.h"
#include "server/command/branch_merge.h"
#include "server/command/command_families.h"
#include "server/command/dispatcher.h"
#include "server/command/help_reply.h"
#include "server/command/named_reply.h"
#include "server/command/version_list.h"
#include "server/command/version_ref.h"
#include "server/server.h"

namespace verso::server {
namespace {

using storage::Branch;
using storage::Branches;
using storage::Store;

uint64_t ClientsOf(Server& server, const Branch& branch) {
  uint64_t clients = 0;
  server.ForEachClient([&](Connection& connection) {
    clients += BranchOf(server.store(), connection.session()) == &branch ? 1 : 0;
  });
  return clients;
}

// False: -NOREF has been replied.
bool FindBranch(Store& store, CommandContext& context, ByteView name, Branch** branch) {
  *branch = store.branches().Find(name);
  if (*branch == nullptr) context.reply().Error(NoRef(name));
  return *branch != nullptr;
}

// ---- telling

VersionRow RowOf(Server& server, const Branch& branch, uint64_t clients) {
  Store& store = server.store();
  const uint64_t now_ms = server.state().now_ms;
  const storage::Line& line = *branch.line;
  VersionRow row;
  row.walk_above = line.pins().empty() ? line.fork() : line.pins().back().epoch;
  row.pin = store.PinForRead(*branch.line, now_ms);
  row.walk_root = row.pin.root();
  row.write = [&store, name = std::string(branch.name), parent = std::string(branch.parent),
               fork = branch.fork_version, created_ms = branch.created_ms, clients,
               now_ms](ReplyWriter& reply, const storage::PinHandle& pin, uint64_t walked_bytes) {
    reply.Map(7);
    Named(reply, "name", name);
    Named(reply, "parent", parent);
    Named(reply, "fork-version", fork);
    Named(reply, "created-ms", created_ms);
    Named(reply, "keys", KeysOf(store, pin.root(), now_ms));
    Named(reply, "unique-bytes", walked_bytes);
    Named(reply, "clients", clients);
  };
  return row;
}

Outcome BranchList(Server& server, CommandContext& context) {
  Branches& branches = server.store().branches();
  std::map<const Branch*, uint64_t> clients;
  server.ForEachClient(
      [&](Connection& connection) { ++clients[BranchOf(server.store(), connection.session())]; });
  std::vector<VersionRow> rows;
  for (const auto& [name, branch] : branches.all()) {
    rows.push_back(RowOf(server, branch, clients[&branch]));
  }
  return ReplyVersions(server.state().HeadOf(context.session()), context, std::move(rows), false);
}

Outcome BranchInfo(Server& server, CommandContext& context) {
  if (context.size() > 3) return context.Fail(error::WrongArity("branch|info"));
  Branch* branch = BranchOf(server.store(), context.session());
  if (context.size() == 3 && !FindBranch(server.store(), context, context[2], &branch)) {
    return Outcome::kDone;
  }
  std::vector<VersionRow> rows;
  rows.push_back(RowOf(server, *branch, ClientsOf(server, *branch)));
  return ReplyVersions(server.state().HeadOf(context.session()), context, std::move(rows), true);
}

Outcome BranchCurrent(Server& server, CommandContext& context) {
  context.reply().Bulk(BranchOf(server.store(), context.session())->name);
  return Outcome::kDone;
}

// ---- making, using, ending

Outcome BranchCreate(Dispatcher& dispatcher, CommandContext& context) {
  ServerState& state = dispatcher.state();
  Store& store = *state.store;
  const Session& session = context.session();
  const ByteView name = context[2];
  VersionRef ref{.branch = BranchOf(store, session)};
  ByteView from;
  storage::LineId line_id = 0;
  ArgReader args(context, 3);
  while (args.ok() && !args.AtEnd()) {
    if (from.data() == nullptr && args.remaining() > 1 && args.Take("from")) {
      from = args.Next();
    } else if (!TakeLine(session, &args, &line_id)) {
      args.SetError(error::kSyntax);
    }
  }
  if (!args.ok()) return context.Fail(args.error());
  if (!CheckFree(store, context, name)) return Outcome::kDone;
  if (from.data() != nullptr && !ReadRef(store, context, from, &ref)) return Outcome::kDone;
  if (!session.internal) {
    if (const std::string full = BranchesFull(state); !full.empty()) return context.Fail(full);
  }
  if (!UseLine(store, context, line_id)) return Outcome::kDone;
  UnitScope unit = state.UnitOf(session);
  storage::Line* line = nullptr;
  const storage::PinHandle held = HoldRef(store, ref, state.now_ms, &line);
  const ByteView parent = ref.branch != nullptr ? ref.branch->name : ByteView(ref.snapshot->branch);
  const Branch& made = store.branches().Add(name, *line, held.epoch(), parent, state.now_ms);
  unit.Emit(
      {"BRANCH", "CREATE", name, "FROM", ref.name(), "LINE", std::to_string(made.line->id())});
  context.reply().Integer(static_cast<int64_t>(held.epoch()));
  return Outcome::kDone;
}

Outcome BranchUse(Dispatcher& dispatcher, CommandContext& context) {
  Store& store = *dispatcher.state().store;
  Branch* branch = nullptr;
  if (!FindBranch(store, context, context[2], &branch)) return Outcome::kDone;
  context.session().branch = branch == &store.branches().main() ? nullptr : branch;
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome BranchRename(Dispatcher& dispatcher, CommandContext& context) {
  Store& store = *dispatcher.state().store;
  const ByteView from = context[2];
  const ByteView to = context[3];
  Branch* branch = nullptr;
  if (from != to && !CheckFree(store, context, to)) return Outcome::kDone;
  if (!FindBranch(store, context, from, &branch)) return Outcome::kDone;
  if (branch == &store.branches().main()) return context.Fail("ERR main cannot be renamed");
  if (from != to) {
    UnitScope unit = dispatcher.state().UnitOf(context.session());
    store.snapshots().BranchRenamed(from, to);
    store.branches().Rename(branch, to);
    unit.Emit(context.arguments());
  }
  context.reply().Ok();
  return Outcome::kDone;
}

Outcome BranchDrop(Dispatcher& dispatcher, CommandContext& context) {
  ServerState& state = dispatcher.state();
  Store& store = *state.store;
  Branch* const branch = store.branches().Find(context[2]);
  if (branch == nullptr) {
    context.reply().Integer(0);
    return Outcome::kDone;
  }
  if (branch == &store.branches().main()) return context.Fail("ERR main cannot be dropped");
  uint64_t clients = context.session().branch == branch ? 1 : 0;
  if (dispatcher.server() != nullptr) clients = ClientsOf(*dispatcher.server(), *branch);
  if (clients != 0) {
    return context.Fail("INUSE " + std::to_string(clients) + " connections work in the branch");
  }
  UnitScope unit = state.UnitOf(context.session());
  // Who watches a key of it does so from another branch.
  state.changes.DatabaseChanged(*branch->line, -1, "drop", 1);
  store.branches().Drop(branch);
  unit.Emit(context.arguments());
  context.reply().Integer(1);
  return Outcome::kDone;
}

Outcome BranchReset(Dispatcher& dispatcher, CommandContext& context) {
  ServerState& state = dispatcher.state();
  Branch* branch = nullptr;
  VersionRef ref;
  if (!FindBranch(*state.store, context, context[2], &branch)) return Outcome::kDone;
  if (!ReadRef(*state.store, context, context[3], &ref)) return Outcome::kDone;
  const storage::Epoch version = RestartBranch(state, context.session(), branch, ref, false);
  context.reply().Integer(static_cast<int64_t>(version));
  return Outcome::kDone;
}

Outcome BranchPromote(Dispatcher& dispatcher, CommandContext& context) {
  ServerState& state = dispatcher.state();
  Branches& branches = state.store->branches();
  Branch* branch = nullptr;
  if (!FindBranch(*state.store, context, context[2], &branch)) return Outcome::kDone;
  if (branch != &branches.main()) {
    UnitScope unit = state.UnitOf(context.session());
    branches.Exchange(&branches.main(), branch);
    state.LinesExchanged(*branch->line, *branches.main().line, "promote");
    unit.Emit(context.arguments());
  }
  context.reply().Ok();
  return Outcome::kDone;
}

// ---- rows

constexpr char kContainer[] = "branch";
constexpr ArgSpec kNameArg[] = {{.name = "name"}};
constexpr ArgSpec kInfoArgs[] = {{.name = "name", .flags = kOptional}};
constexpr ArgSpec kCreateArgs[] = {{.name = "name"},
                                   {.name = "ref", .token = "FROM", .flags = kOptional}};
constexpr ArgSpec kRenameArgs[] = {{.name = "oldname"}, {.name = "newname"}};
constexpr ArgSpec kResetArgs[] = {{.name = "name"}, {.name = "ref"}};

constexpr ArgSpec kOnConflict[] = {
    {.name = "fail", .type = ArgType::kPureToken, .token = "FAIL"},
    {.name = "ours", .type = ArgType::kPureToken, .token = "OURS"},
    {.name = "theirs", .type = ArgType::kPureToken, .token = "THEIRS"}};
constexpr ArgSpec kMergeArgs[] = {
    {.name = "source"},
    {.name = "destination", .token = "INTO", .flags = kOptional},
    {.name = "onconflict",
     .type = ArgType::kOneOf,
     .token = "ONCONFLICT",
     .flags = kOptional,
     .args = kOnConflict},
    {.name = "dryrun", .type = ArgType::kPureToken, .token = "DRYRUN", .flags = kOptional}};

constexpr CommandSpec kSubcommands[] = {
    {.name = "create",
     .arity = -3,
     .flags = kNoScript | kFast | kMayReplicate,
     .group = Group::kServer,
     .args = kCreateArgs,
     .since = "0.1.0",
     .complexity = "O(log N) with N branches, whatever the size of the data",
     .summary = "Makes a branch that begins as a version: its writes are seen in it alone.",
     .run = &BranchCreate},
    {.name = "list",
     .arity = 2,
     .flags = kNoScript,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(N) with N pages that single branches have for themselves, in slices that "
                   "stall nobody",
     .summary = "Lists the branches.",
     .run = &BranchList},
    {.name = "info",
     .arity = -2,
     .flags = kNoScript,
     .group = Group::kServer,
     .args = kInfoArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N pages that the branch has for itself, in slices that stall nobody",
     .summary = "Tells about one branch.",
     .run = &BranchInfo},
    {.name = "current",
     .arity = 2,
     .flags = kNoScript | kFast,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Returns the name of the branch that the connection works in.",
     .run = &BranchCurrent},
    {.name = "use",
     .arity = 3,
     .flags = kNoTxn | kNoScript | kNoMulti | kFast,
     .group = Group::kServer,
     .args = kNameArg,
     .since = "0.1.0",
     .complexity = "O(log N) with N branches",
     .summary = "Lets the connection work in another branch.",
     .run = &BranchUse},
    {.name = "rename",
     .arity = 4,
     .flags = kNoScript | kFast | kMayReplicate,
     .group = Group::kServer,
     .args = kRenameArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N names",
     .summary = "Gives a branch another name; who works in it stays there.",
     .run = &BranchRename},
    {.name = "drop",
     .arity = 3,
     .flags = kNoScript | kMayReplicate,
     .group = Group::kServer,
     .args = kNameArg,
     .since = "0.1.0",
     .complexity = "O(N) with N clients; what only it had is freed in the background",
     .summary = "Drops a branch that nobody works in. What was made from it stays.",
     .run = &BranchDrop},
    {.name = "reset",
     .arity = 4,
     .flags = kNoTxn | kAdmin | kNoScript | kNoMulti | kDangerous | kMayReplicate,
     .group = Group::kServer,
     .args = kResetArgs,
     .since = "0.1.0",
     .complexity = "O(1), whatever the size of the data",
     .summary = "Lets a branch go on from a version; what was there goes.",
     .run = &BranchReset},
    {.name = "merge",
     .arity = -3,
     .flags = kNoTxn | kNoScript | kNoMulti | kMayReplicate | kDangerous,
     .group = Group::kServer,
     .args = kMergeArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N pages and keys that differ, in slices; what changes does so at "
                   "one instant",
     .summary = "Merges what one branch has changed into another one, key by key.",
     .run = &MergeBranches},
    {.name = "promote",
     .arity = 3,
     .flags = kNoTxn | kAdmin | kNoScript | kNoMulti | kDangerous | kMayReplicate,
     .group = Group::kServer,
     .args = kNameArg,
     .since = "0.1.0",
     .complexity = "O(1), whatever the size of the data",
     .summary = "Exchanges a branch with main, at one instant.",
     .run = &BranchPromote},
    {.name = "help",
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kServer,
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Shows this text.",
     .run = &Help<kContainer>},
};

constexpr CommandSpec kRows[] = {{.name = kContainer,
                                  .arity = -2,
                                  .group = Group::kServer,
                                  .since = "0.1.0",
                                  .complexity = "Depends on the subcommand.",
                                  .summary = "Commands about branches of the data.",
                                  .subcommands = kSubcommands}};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kBranchCommands = kRows;

}  // namespace verso::server
