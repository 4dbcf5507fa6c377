#include "server/command/version_ref.h"

#include <algorithm>

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
  if (backup) {
    snapshots.DropOldest(kBackupPrefix, static_cast<size_t>(state.settings.rollback_keep), branch);
  }
  return present.epoch();
}

uint64_t KeysOf(const storage::Store& store, const storage::Ref& root, uint64_t moment_ms) {
  uint64_t keys = 0;
  for (int db = 0; db < storage::kDatabases; ++db) {
    keys += storage::ReadView(store, root, db, moment_ms).Count();
  }
  return keys;
}

}  // namespace verso::server
