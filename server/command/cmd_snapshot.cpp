// SNAPSHOT: names of versions, and going back to one.
#include <algorithm>
#include <string>
#include <vector>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/dispatcher.h"
#include "server/command/glob.h"
#include "server/command/help_reply.h"
#include "server/command/named_reply.h"
#include "server/command/snapshot_diff.h"
#include "server/command/snapshot_file.h"
#include "server/command/version_list.h"
#include "server/command/version_ref.h"
#include "server/server.h"

namespace verso::server {
namespace {

using storage::Snapshot;
using storage::Snapshots;
using storage::Store;

// ---- telling

VersionRow RowOf(const ServerState& state, ByteView name, const Snapshot& snapshot, bool one) {
  const Store& store = *state.store;
  constexpr uint32_t kOwn = 2;  // holders of a version: its name, and the row's pin
  const Snapshots& snapshots = store.snapshots();
  VersionRow row;
  row.pin = snapshots.Hold(snapshot);
  const Snapshots::UniqueWalk walk = snapshots.UniqueWalkOf(snapshot, kOwn);
  row.walk_root = walk.root;
  row.walk_above = walk.above;
  const uint64_t known_bytes = snapshots.UniqueBytes(snapshot, kOwn);
  const size_t pins = one ? state.txns.ReadersOf(snapshot.line, snapshot.epoch) : 0;
  row.write = [&store, name = std::string(name), snapshot, known_bytes, pins, one,
               now_ms = state.now_ms](ReplyWriter& reply, const storage::PinHandle& pin,
                                      uint64_t walked_bytes) {
    const uint64_t ttl_ms = snapshot.deadline_ms - std::min(snapshot.deadline_ms, now_ms);
    reply.Map(one ? 9 : 8);
    Named(reply, "name", name);
    Named(reply, "branch", snapshot.branch);
    Named(reply, "version", snapshot.epoch);
    Named(reply, "created-ms", snapshot.moment_ms);
    Named(reply, "keys", KeysOf(store, pin.root(), snapshot.moment_ms));
    Named(reply, "unique-bytes", known_bytes + walked_bytes);
    reply.Bulk("ttl-ms");
    reply.Integer(snapshot.deadline_ms == 0 ? -1 : static_cast<int64_t>(ttl_ms));
    Named(reply, "saved", snapshot.saved ? 1 : 0);
    if (one) Named(reply, "pins", pins);
  };
  return row;
}

Outcome SnapshotList(Server& server, CommandContext& context) {
  ArgReader args(context, 2);
  std::optional<ByteView> pattern;
  if (!args.AtEnd()) {
    if (args.remaining() != 2 || !args.Take("match")) return context.Fail(error::kSyntax);
    pattern = args.Next();
  }
  std::vector<VersionRow> rows;
  for (const auto* entry : server.store().snapshots().ByAge()) {
    if (pattern && !GlobMatch(*pattern, entry->first)) continue;
    rows.push_back(RowOf(server.state(), entry->first, entry->second, false));
  }
  return ReplyVersions(server.state().HeadOf(context.session()), context, std::move(rows), false);
}

Outcome SnapshotInfo(Server& server, CommandContext& context) {
  const Snapshot* const snapshot = server.store().snapshots().Find(context[2]);
  if (snapshot == nullptr) return context.Fail(NoRef(context[2]));
  std::vector<VersionRow> rows;
  rows.push_back(RowOf(server.state(), context[2], *snapshot, true));
  return ReplyVersions(server.state().HeadOf(context.session()), context, std::move(rows), true);
}

// ---- naming

Outcome SnapshotCreate(Dispatcher& dispatcher, CommandContext& context) {
  ServerState& state = dispatcher.state();
  const ByteView name = context[2];
  const uint64_t now_ms = state.now_ms;
  const bool internal = context.session().internal;
  ByteView from;
  uint64_t deadline_ms = 0;
  bool replace = false;
  ArgReader args(context, 3);
  while (args.ok() && !args.AtEnd()) {
    if (args.remaining() > 1 && args.Take("from")) {
      from = args.Next();
    } else if (args.remaining() > 1 && args.Take("ex")) {
      constexpr int64_t kSecondsMax = int64_t{1} << 40;
      const int64_t seconds = args.Integer();
      if (args.ok() && (seconds <= 0 || seconds > kSecondsMax)) {
        args.SetError("ERR invalid expire time in 'snapshot|create' command");
      }
      deadline_ms = now_ms + static_cast<uint64_t>(seconds) * 1000;
    } else if (internal && args.remaining() > 1 && args.Take("pxat")) {
      deadline_ms = static_cast<uint64_t>(args.Integer());
    } else if (args.Take("replace")) {
      replace = true;
    } else {
      args.SetError(error::kSyntax);
    }
  }
  if (!args.ok()) return context.Fail(args.error());

  Store& store = *state.store;
  Snapshots& snapshots = store.snapshots();
  const bool replaces = replace && snapshots.Find(name) != nullptr;
  VersionRef ref{.branch = BranchOf(store, context.session())};
  if (!replaces && !CheckFree(store, context, name)) return Outcome::kDone;
  if (from.data() != nullptr && !ReadRef(store, context, from, &ref)) return Outcome::kDone;
  if (!replaces && !internal) {
    if (const std::string full = SnapshotsFull(state); !full.empty()) return context.Fail(full);
  }
  UnitScope unit = state.UnitOf(context.session());
  const Snapshot* made;
  if (ref.snapshot == nullptr) {
    if (replaces) snapshots.Drop(name);
    made = &snapshots.Take(name, *ref.branch, now_ms, deadline_ms);
  } else {
    // FROM may name what is replaced: its version must outlive its name.
    const storage::PinHandle held = snapshots.Hold(*ref.snapshot);
    const Snapshot of = *ref.snapshot;
    if (replaces) snapshots.Drop(name);
    made = &snapshots.TakeOf(name, of, deadline_ms);
  }
  if (unit.wanted()) {
    const std::string deadline = std::to_string(deadline_ms);
    std::vector<ByteView> words = {"SNAPSHOT", "CREATE", name, "FROM", ref.name()};
    if (deadline_ms != 0) words.insert(words.end(), {"PXAT", deadline});
    if (replaces) words.emplace_back("REPLACE");
    unit.Emit(words);
  }
  context.reply().Integer(static_cast<int64_t>(made->epoch));
  return Outcome::kDone;
}

Outcome SnapshotDrop(Dispatcher& dispatcher, CommandContext& context) {
  storage::Store& store = *dispatcher.state().store;
  std::vector<std::string> names;
  for (size_t i = 2; i < context.size(); ++i) {
    const bool twice = std::find(names.begin(), names.end(), context[i]) != names.end();
    if (!twice && store.snapshots().Find(context[i]) != nullptr) names.emplace_back(context[i]);
  }
  UnitScope unit = dispatcher.state().UnitOf(context.session());
  DropSnapshots(store, &unit, names);
  context.reply().Integer(static_cast<int64_t>(names.size()));
  return Outcome::kDone;
}

Outcome SnapshotRename(Dispatcher& dispatcher, CommandContext& context) {
  Store& store = *dispatcher.state().store;
  const ByteView from = context[2];
  const ByteView to = context[3];
  if (from != to && !CheckFree(store, context, to)) return Outcome::kDone;
  if (store.snapshots().Find(from) == nullptr) return context.Fail(NoRef(from));
  if (from != to) {
    UnitScope unit = dispatcher.state().UnitOf(context.session());
    store.snapshots().Rename(from, to);
    unit.Emit(context.arguments());
  }
  context.reply().Ok();
  return Outcome::kDone;
}

// ---- going back

Outcome SnapshotRollback(Dispatcher& dispatcher, CommandContext& context) {
  ServerState& state = dispatcher.state();
  Store& store = *state.store;
  const Session& session = context.session();
  storage::Branch* branch = BranchOf(store, session);
  bool backup = true;
  ByteView name;
  storage::LineId line = 0;
  ArgReader args(context, 3);
  while (args.ok() && !args.AtEnd()) {
    if (args.remaining() > 1 && args.Take("branch")) {
      name = args.Next();
    } else if (args.Take("nobackup")) {
      backup = false;
    } else if (!TakeLine(session, &args, &line)) {
      args.SetError(error::kSyntax);
    }
  }
  if (!args.ok()) return context.Fail(args.error());
  VersionRef ref;
  if (!ReadRef(store, context, context[2], &ref)) return Outcome::kDone;
  if (name.data() != nullptr) branch = store.branches().Find(name);
  if (branch == nullptr) return context.Fail(NoRef(name));
  if (!UseLine(store, context, line)) return Outcome::kDone;
  const storage::Epoch version = RestartBranch(state, session, branch, ref, backup);
  context.reply().Integer(static_cast<int64_t>(version));
  return Outcome::kDone;
}

// ---- rows

constexpr char kContainer[] = "snapshot";
constexpr ArgSpec kNameArg = {.name = "name"};
constexpr ArgSpec kCreateArgs[] = {
    kNameArg,
    {.name = "ref", .token = "FROM", .flags = kOptional},
    {.name = "seconds", .type = ArgType::kInteger, .token = "EX", .flags = kOptional},
    {.name = "replace", .type = ArgType::kPureToken, .token = "REPLACE", .flags = kOptional}};
constexpr ArgSpec kListArgs[] = {
    {.name = "pattern", .type = ArgType::kPattern, .token = "MATCH", .flags = kOptional}};
constexpr ArgSpec kInfoArgs[] = {kNameArg};
constexpr ArgSpec kDropArgs[] = {{.name = "name", .flags = kMultiple}};
constexpr ArgSpec kRenameArgs[] = {{.name = "oldname"}, {.name = "newname"}};
constexpr ArgSpec kDiffArgs[] = {
    {.name = "from"},
    {.name = "to"},
    {.name = "cursor", .token = "CURSOR", .flags = kOptional},
    {.name = "count", .type = ArgType::kInteger, .token = "COUNT", .flags = kOptional},
    {.name = "pattern", .type = ArgType::kPattern, .token = "MATCH", .flags = kOptional},
    {.name = "type", .token = "TYPE", .flags = kOptional},
    {.name = "values", .type = ArgType::kPureToken, .token = "VALUES", .flags = kOptional}};
constexpr ArgSpec kExportArgs[] = {
    {.name = "ref"},
    {.name = "path"},
    {.name = "rdb", .type = ArgType::kPureToken, .token = "FORMAT RDB", .flags = kOptional}};
constexpr ArgSpec kImportArgs[] = {{.name = "path"}, {.name = "name", .token = "AS"}};
constexpr ArgSpec kRollbackArgs[] = {
    {.name = "ref"},
    {.name = "branch", .token = "BRANCH", .flags = kOptional},
    {.name = "nobackup", .type = ArgType::kPureToken, .token = "NOBACKUP", .flags = kOptional}};

constexpr CommandSpec kSubcommands[] = {
    {.name = "create",
     .arity = -3,
     .flags = kNoScript | kFast | kMayReplicate,
     .group = Group::kServer,
     .args = kCreateArgs,
     .since = "0.1.0",
     .complexity = "O(log N) with N snapshots, whatever the size of the data",
     .summary = "Names the current version of the data, or that of another name.",
     .run = &SnapshotCreate},
    {.name = "list",
     .arity = -2,
     .flags = kNoScript,
     .group = Group::kServer,
     .args = kListArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N snapshots, in slices that stall nobody",
     .summary = "Lists the snapshots, the oldest first.",
     .run = &SnapshotList},
    {.name = "info",
     .arity = 3,
     .flags = kNoScript,
     .group = Group::kServer,
     .args = kInfoArgs,
     .since = "0.1.0",
     .complexity = "O(log N) with N snapshots",
     .summary = "Tells about one snapshot.",
     .run = &SnapshotInfo},
    {.name = "drop",
     .arity = -3,
     .flags = kNoScript | kFast | kMayReplicate,
     .group = Group::kServer,
     .args = kDropArgs,
     .since = "0.1.0",
     .complexity = "O(log N) each; what only it needed is freed in the background",
     .summary = "Drops snapshots, and says how many there were.",
     .run = &SnapshotDrop},
    {.name = "rename",
     .arity = 4,
     .flags = kNoScript | kFast | kMayReplicate,
     .group = Group::kServer,
     .args = kRenameArgs,
     .since = "0.1.0",
     .complexity = "O(log N) with N snapshots",
     .summary = "Gives a snapshot another name.",
     .run = &SnapshotRename},
    {.name = "diff",
     .arity = -4,
     .flags = kReadonly | kNoScript,
     .group = Group::kServer,
     .args = kDiffArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N pages that differ, in slices that stall nobody",
     .summary = "Lists the keys that differ between two versions, a part at a time.",
     .run = &SnapshotDiff},
    {.name = "rollback",
     .arity = -3,
     .flags = kNoTxn | kAdmin | kNoScript | kNoMulti | kDangerous | kMayReplicate,
     .group = Group::kServer,
     .args = kRollbackArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N snapshots, whatever the size of the data",
     .summary = "Goes on from an earlier version; what was there stays as a snapshot.",
     .run = &SnapshotRollback},
    {.name = "export",
     .arity = -4,
     .flags = kAdmin | kNoScript | kNoMulti | kDangerous,
     .group = Group::kServer,
     .args = kExportArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N keys, in a child; the fork takes the same time for any data",
     .summary = "Writes a version to a dump file that other servers read, in the background.",
     .run = &SnapshotExport},
    {.name = "import",
     .arity = -5,
     .flags = kAdmin | kNoScript | kNoMulti | kDangerous | kMayReplicate,
     .group = Group::kServer,
     .args = kImportArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N keys, in slices that stall nobody",
     .summary = "Makes a snapshot of a dump file, and says how many keys it has.",
     .run = &SnapshotImport},
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
                                  .summary = "Commands about named versions of the data.",
                                  .subcommands = kSubcommands}};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kSnapshotCommands = kRows;

}  // namespace verso::server
