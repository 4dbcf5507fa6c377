// SNAPSHOT: names of versions, and going back to one.
#include <algorithm>
#include <string>
#include <vector>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "server/command/element_reply.h"
#include "server/command/glob.h"
#include "server/command/help_reply.h"
#include "server/command/version_ref.h"
#include "server/server.h"
#include "storage/memory/subtree.h"

namespace verso::server {
namespace {

using storage::ReadView;
using storage::Snapshot;
using storage::Snapshots;
using storage::Store;

// Up to so many are listed at once.
constexpr size_t kListedAtOnce = 64;
constexpr std::string_view kBackupPrefix = "rollback:";

// ---- telling

struct ListedSnapshot {
  std::string name;
  Snapshot snapshot;
  storage::PinHandle pin;  // the name may go while the list is written
};

// SNAPSHOT LIST and INFO: one map after the other. What only a walk tells is walked in slices.
class ListContinuation final : public Continuation {
 public:
  ListContinuation(Store* store, std::vector<ListedSnapshot> rows, bool one)
      : store_(store), rows_(std::move(rows)), one_(one) {}

  bool Run(const ReadView& view, Slice& slice) override {
    if (!begun_) {
      begun_ = true;
      if (!one_) slice.reply().Array(rows_.size());
    }
    for (; next_ < rows_.size(); ++next_) {
      if (slice.Spent()) return false;
      const ListedSnapshot& row = rows_[next_];
      if (!walk_) {
        const Snapshots::UniqueWalk part = store_->snapshots().UniqueWalkOf(row.snapshot, kOwn);
        walk_.emplace(store_->arena(), part.root, part.above);
      }
      while (!walk_->Step()) {
        if (slice.Spent()) return false;
      }
      Reply(row, view.moment_ms(), slice.reply());
      walk_.reset();
    }
    return true;
  }

  // Nothing that takes long.
  bool IsShort() const {
    if (rows_.size() > kListedAtOnce) return false;
    return std::none_of(rows_.begin(), rows_.end(), [this](const ListedSnapshot& row) {
      return bool{store_->snapshots().UniqueWalkOf(row.snapshot, kOwn).root};
    });
  }

 private:
  static constexpr uint32_t kOwn = 2;  // holders of a version: its name, and our pin

  void Reply(const ListedSnapshot& row, uint64_t now_ms, ReplyWriter& reply) const {
    const Snapshot& snapshot = row.snapshot;
    uint64_t keys = 0;
    for (int db = 0; db < storage::kDatabases; ++db) {
      keys += ReadView(*store_, row.pin.root(), db, snapshot.moment_ms).Count();
    }
    reply.Map(one_ ? 9 : 8);
    reply.Bulk("name");
    reply.Bulk(row.name);
    reply.Bulk("branch");
    reply.Bulk(kMainBranch);
    const auto number = [&reply](std::string_view name, uint64_t value) {
      reply.Bulk(name);
      reply.Integer(static_cast<int64_t>(value));
    };
    number("version", snapshot.epoch);
    number("created-ms", snapshot.moment_ms);
    number("keys", keys);
    number("unique-bytes", store_->snapshots().UniqueBytes(snapshot, kOwn) + walk_->bytes());
    reply.Bulk("ttl-ms");
    reply.Integer(
        snapshot.deadline_ms == 0
            ? -1
            : static_cast<int64_t>(snapshot.deadline_ms - std::min(snapshot.deadline_ms, now_ms)));
    number("saved", snapshot.saved ? 1 : 0);
    if (one_) number("pins", 0);  // no transaction can read a snapshot yet
  }

  Store* store_;
  std::vector<ListedSnapshot> rows_;
  bool one_;
  bool begun_ = false;
  size_t next_ = 0;
  std::optional<storage::SubtreeWalk> walk_;  // of rows_[next_]
};

Outcome ReplyRows(Server& server, CommandContext& context, std::vector<ListedSnapshot> rows,
                  bool one) {
  Store& store = server.store();
  auto list = std::make_unique<ListContinuation>(&store, std::move(rows), one);
  if (!list->IsShort()) return context.Yield(std::move(list));
  const ReadView view(store, store.main(), context.session().db, server.state().now_ms);
  return RunAtOnce(view, context, *list);
}

Outcome SnapshotList(Server& server, CommandContext& context) {
  ArgReader args(context, 2);
  std::optional<ByteView> pattern;
  if (!args.AtEnd()) {
    if (args.remaining() != 2 || !args.Take("match")) return context.Fail(error::kSyntax);
    pattern = args.Next();
  }
  const Snapshots& snapshots = server.store().snapshots();
  std::vector<ListedSnapshot> rows;
  for (const auto& [name, snapshot] : snapshots.all()) {
    if (pattern && !GlobMatch(*pattern, name)) continue;
    rows.push_back({std::string(name), snapshot, snapshots.Hold(snapshot)});
  }
  std::sort(rows.begin(), rows.end(), [](const ListedSnapshot& a, const ListedSnapshot& b) {
    return a.snapshot.number < b.snapshot.number;
  });
  return ReplyRows(server, context, std::move(rows), false);
}

Outcome SnapshotInfo(Server& server, CommandContext& context) {
  const Snapshots& snapshots = server.store().snapshots();
  const Snapshot* const snapshot = snapshots.Find(context[2]);
  if (snapshot == nullptr) return context.Fail(NoRef(context[2]));
  std::vector<ListedSnapshot> rows;
  rows.push_back({std::string(context[2]), *snapshot, snapshots.Hold(*snapshot)});
  return ReplyRows(server, context, std::move(rows), true);
}

// ---- naming

Outcome SnapshotCreate(Server& server, CommandContext& context) {
  const ByteView name = context[2];
  const uint64_t now_ms = server.state().now_ms;
  ByteView from = kMainBranch;
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
    } else if (args.Take("replace")) {
      replace = true;
    } else {
      args.SetError(error::kSyntax);
    }
  }
  if (!args.ok()) return context.Fail(args.error());

  Store& store = server.store();
  Snapshots& snapshots = store.snapshots();
  const bool replaces = replace && snapshots.Find(name) != nullptr;
  VersionRef ref;
  if (!replaces && !CheckFree(store, context, name)) return Outcome::kDone;
  if (!ReadRef(store, context, from, &ref)) return Outcome::kDone;
  const auto most = static_cast<size_t>(server.state().settings.snapshot_max);
  if (!replaces && snapshots.size() >= most) {
    return context.Fail("ERR snapshot limit reached (snapshot-max " + std::to_string(most) + ")");
  }
  // FROM may name what is replaced: its version must outlive its name.
  const storage::PinHandle held =
      ref.snapshot != nullptr ? snapshots.Hold(*ref.snapshot) : storage::PinHandle();
  const Snapshot of = ref.snapshot != nullptr ? *ref.snapshot : Snapshot();
  if (replaces) snapshots.Drop(name);
  const Snapshot& made = held ? snapshots.TakeOf(name, of, deadline_ms)
                              : snapshots.Take(name, store.main(), now_ms, deadline_ms);
  context.reply().Integer(static_cast<int64_t>(made.epoch));
  return Outcome::kDone;
}

Outcome SnapshotDrop(Server& server, CommandContext& context) {
  int64_t dropped = 0;
  for (size_t i = 2; i < context.size(); ++i) {
    dropped += server.store().snapshots().Drop(context[i]) ? 1 : 0;
  }
  context.reply().Integer(dropped);
  return Outcome::kDone;
}

Outcome SnapshotRename(Server& server, CommandContext& context) {
  Store& store = server.store();
  const ByteView from = context[2];
  const ByteView to = context[3];
  if (from != to && !CheckFree(store, context, to)) return Outcome::kDone;
  if (store.snapshots().Find(from) == nullptr) return context.Fail(NoRef(from));
  if (from != to) store.snapshots().Rename(from, to);
  context.reply().Ok();
  return Outcome::kDone;
}

// ---- going back

// The backups of rollbacks beyond rollback-keep go, the oldest first.
void DropOldBackups(Server& server) {
  Snapshots& snapshots = server.store().snapshots();
  std::vector<std::pair<uint64_t, std::string>> backups;
  for (const auto& [name, snapshot] : snapshots.all()) {
    if (ByteView(name).starts_with(kBackupPrefix)) backups.emplace_back(snapshot.number, name);
  }
  std::sort(backups.begin(), backups.end());
  const auto keep = static_cast<size_t>(server.state().settings.rollback_keep);
  for (size_t i = 0; i + keep < backups.size(); ++i) snapshots.Drop(backups[i].second);
}

Outcome SnapshotRollback(Server& server, CommandContext& context) {
  Store& store = server.store();
  Snapshots& snapshots = store.snapshots();
  ByteView branch = kMainBranch;
  bool backup = true;
  ArgReader args(context, 3);
  while (args.ok() && !args.AtEnd()) {
    if (args.remaining() > 1 && args.Take("branch")) {
      branch = args.Next();
    } else if (args.Take("nobackup")) {
      backup = false;
    } else {
      args.SetError(error::kSyntax);
    }
  }
  if (!args.ok()) return context.Fail(args.error());
  VersionRef ref;
  if (!ReadRef(store, context, context[2], &ref)) return Outcome::kDone;
  if (branch != kMainBranch) return context.Fail(NoRef(branch));

  const uint64_t now_ms = server.state().now_ms;
  storage::Line* const old = &store.main();
  const storage::PinHandle present = store.PinForRead(*old, now_ms);
  const std::string name = std::string(kBackupPrefix) + std::to_string(present.epoch());
  if (backup && snapshots.Find(name) == nullptr) snapshots.Take(name, *old, now_ms, 0);
  storage::Line* const made = ref.snapshot != nullptr
                                  ? store.Fork(*ref.snapshot->line, ref.snapshot->epoch, false)
                                  : store.Fork(*old, present.epoch(), false);
  store.ExchangeMain(made);
  server.state().MainReplaced(*old, *made, "rollback");
  store.DropHead(old);
  DropOldBackups(server);
  context.reply().Integer(static_cast<int64_t>(present.epoch()));
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
constexpr ArgSpec kRollbackArgs[] = {
    {.name = "ref"},
    {.name = "branch", .token = "BRANCH", .flags = kOptional},
    {.name = "nobackup", .type = ArgType::kPureToken, .token = "NOBACKUP", .flags = kOptional}};

constexpr CommandSpec kSubcommands[] = {
    {.name = "create",
     .arity = -3,
     .flags = kNoScript | kFast,
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
     .flags = kNoScript | kFast,
     .group = Group::kServer,
     .args = kDropArgs,
     .since = "0.1.0",
     .complexity = "O(log N) each; what only it needed is freed in the background",
     .summary = "Drops snapshots, and says how many there were.",
     .run = &SnapshotDrop},
    {.name = "rename",
     .arity = 4,
     .flags = kNoScript | kFast,
     .group = Group::kServer,
     .args = kRenameArgs,
     .since = "0.1.0",
     .complexity = "O(log N) with N snapshots",
     .summary = "Gives a snapshot another name.",
     .run = &SnapshotRename},
    {.name = "rollback",
     .arity = -3,
     .flags = kAdmin | kNoScript | kNoMulti | kDangerous,
     .group = Group::kServer,
     .args = kRollbackArgs,
     .since = "0.1.0",
     .complexity = "O(N) with N snapshots, whatever the size of the data",
     .summary = "Goes on from an earlier version; what was there stays as a snapshot.",
     .run = &SnapshotRollback},
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
