#include "server/command/version_ref.h"

#include <algorithm>
#include <vector>

namespace verso::server {

bool IsVersionName(ByteView name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == ':' || c == '-';
  });
}

std::string NoRef(ByteView name) {
  return "NOREF no branch or snapshot '" + std::string(name) + "'";
}

bool ReadRef(storage::Store& store, CommandContext& context, ByteView name, VersionRef* ref) {
  if (!IsVersionName(name)) {
    context.reply().Error("ERR invalid name");
    return false;
  }
  ref->branch = store.branches().Find(name);
  ref->snapshot = store.snapshots().Find(name);
  if (ref->branch != nullptr || ref->snapshot != nullptr) return true;
  context.reply().Error(NoRef(name));
  return false;
}

storage::PinHandle HoldRef(storage::Store& store, const VersionRef& ref, uint64_t now_ms,
                           storage::Line** line) {
  if (ref.snapshot != nullptr) {
    *line = ref.snapshot->line;
    return store.snapshots().Hold(*ref.snapshot);
  }
  *line = ref.branch->line;
  return store.PinForRead(**line, now_ms);
}

bool CheckFree(const storage::Store& store, CommandContext& context, ByteView name) {
  if (!IsVersionName(name)) {
    context.reply().Error("ERR invalid name");
  } else if (store.branches().Find(name) != nullptr || store.snapshots().Find(name) != nullptr) {
    context.reply().Error("BUSYNAME the name '" + std::string(name) + "' is in use");
  } else {
    return true;
  }
  return false;
}

storage::Branch* BranchOf(storage::Store& store, const Session& session) {
  return session.branch != nullptr ? session.branch : &store.branches().main();
}

namespace {

constexpr std::string_view kBackupPrefix = "rollback:";

// The branch's backups beyond rollback-keep go, the oldest first.
void DropOldBackups(ServerState& state, const storage::Branch& branch) {
  storage::Snapshots& snapshots = state.store->snapshots();
  std::vector<std::pair<uint64_t, std::string>> backups;
  for (const auto& [name, snapshot] : snapshots.all()) {
    if (ByteView(name).starts_with(kBackupPrefix) && ByteView(snapshot.branch) == branch.name) {
      backups.emplace_back(snapshot.number, name);
    }
  }
  std::sort(backups.begin(), backups.end());
  const auto keep = static_cast<size_t>(state.settings.rollback_keep);
  for (size_t i = 0; i + keep < backups.size(); ++i) snapshots.Drop(backups[i].second);
}

}  // namespace

storage::Epoch RestartBranch(ServerState& state, storage::Branch* branch, const VersionRef& ref,
                             bool backup) {
  storage::Store& store = *state.store;
  storage::Snapshots& snapshots = store.snapshots();
  const storage::PinHandle present = store.PinForRead(*branch->line, state.now_ms);
  storage::Line* from = nullptr;
  const storage::PinHandle held = HoldRef(store, ref, state.now_ms, &from);
  const std::string name = std::string(kBackupPrefix) + std::to_string(present.epoch());
  if (backup && snapshots.Find(name) == nullptr) snapshots.Take(name, *branch, state.now_ms, 0);
  store.branches().Restart(branch, *from, held.epoch(),
                           [&state](const storage::Line& old, const storage::Line& made) {
                             state.LineReplaced(old, made, "rollback");
                           });
  if (backup) DropOldBackups(state, *branch);
  return present.epoch();
}

void ReplyField(ReplyWriter& reply, std::string_view name, uint64_t value) {
  reply.Bulk(name);
  reply.Integer(static_cast<int64_t>(value));
}

void ReplyField(ReplyWriter& reply, std::string_view name, ByteView value) {
  reply.Bulk(name);
  reply.Bulk(value);
}

uint64_t KeysOf(const storage::Store& store, const storage::Ref& root, uint64_t moment_ms) {
  uint64_t keys = 0;
  for (int db = 0; db < storage::kDatabases; ++db) {
    keys += storage::ReadView(store, root, db, moment_ms).Count();
  }
  return keys;
}

}  // namespace verso::server
