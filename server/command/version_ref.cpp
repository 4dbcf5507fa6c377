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
  ref->snapshot_name = name;
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

std::string NameTaken(const storage::Store& store, ByteView name) {
  if (store.branches().Find(name) == nullptr && store.snapshots().Find(name) == nullptr) return {};
  return "BUSYNAME the name '" + std::string(name) + "' is in use";
}

std::string SnapshotsFull(const ServerState& state) {
  const auto most = static_cast<size_t>(state.settings.snapshot_max);
  if (state.store->snapshots().size() < most) return {};
  return "ERR snapshot limit reached (snapshot-max " + std::to_string(most) + ")";
}

std::string BranchesFull(const ServerState& state) {
  const auto most = static_cast<size_t>(state.settings.branch_max);
  if (state.store->branches().size() < most) return {};
  return "ERR branch limit reached (branch-max " + std::to_string(most) + ")";
}

bool CheckFree(const storage::Store& store, CommandContext& context, ByteView name) {
  const std::string error = IsVersionName(name) ? NameTaken(store, name) : "ERR invalid name";
  if (!error.empty()) context.reply().Error(error);
  return error.empty();
}

storage::Branch* BranchOf(storage::Store& store, const Session& session) {
  return session.branch != nullptr ? session.branch : &store.branches().main();
}

namespace {

constexpr std::string_view kBackupPrefix = "rollback:";

// What a backup of this version is called; empty: there is one. The name may stand for another
// version: versions are counted anew behind what the log has brought back, and anybody may use it.
std::string BackupName(const storage::Store& store, const storage::Line& line,
                       storage::Epoch version) {
  const std::string plain = std::string(kBackupPrefix) + std::to_string(version);
  std::string name = plain;
  for (int i = 2;; ++i) {
    const storage::Snapshot* const taken = store.snapshots().Find(name);
    if (taken == nullptr && store.branches().Find(name) == nullptr) return name;
    if (taken != nullptr && taken->line == &line && taken->epoch == version) return {};
    name = plain + "." + std::to_string(i);
  }
}

}  // namespace

storage::Epoch RestartBranch(ServerState& state, const Session& session, storage::Branch* branch,
                             const VersionRef& ref, bool backup) {
  storage::Store& store = *state.store;
  storage::Snapshots& snapshots = store.snapshots();
  UnitScope unit = state.UnitOf(session);
  const storage::PinHandle present = store.PinForRead(*branch->line, state.now_ms);
  storage::Line* from = nullptr;
  const storage::PinHandle held = HoldRef(store, ref, state.now_ms, &from);
  if (backup) {
    const std::string name = BackupName(store, *branch->line, present.epoch());
    if (!name.empty()) {
      snapshots.Take(name, *branch, state.now_ms, 0);
      unit.Emit({"SNAPSHOT", "CREATE", name, "FROM", branch->name});
    }
  }
  store.branches().Restart(branch, *from, held.epoch(),
                           [&state](const storage::Line& old, const storage::Line& made) {
                             state.LineReplaced(old, made, "rollback");
                           });
  unit.Emit({"SNAPSHOT", "ROLLBACK", ref.name(), "BRANCH", branch->name, "NOBACKUP", "LINE",
             std::to_string(branch->line->id())});
  if (backup) {
    const auto keep = static_cast<size_t>(state.settings.rollback_keep);
    DropSnapshots(store, &unit, snapshots.Oldest(kBackupPrefix, keep, branch));
  }
  return present.epoch();
}

bool TakeLine(const Session& session, ArgReader* args, storage::LineId* line) {
  if (!session.internal || args->remaining() < 2 || !args->Take("line")) return false;
  *line = static_cast<storage::LineId>(args->IntegerBetween(1, ~uint32_t{0}, error::kNotInteger));
  return true;
}

bool UseLine(storage::Store& store, CommandContext& context, storage::LineId line) {
  if (line == 0 || store.SetNextLineId(line)) return true;
  context.reply().Error("ERR there may be a line " + std::to_string(line) + " already");
  return false;
}

void DropSnapshots(storage::Store& store, UnitScope* unit, std::span<const std::string> names) {
  if (names.empty()) return;
  std::vector<ByteView> words = {"SNAPSHOT", "DROP"};
  for (const std::string& name : names) {
    store.snapshots().Drop(name);
    words.push_back(name);
  }
  unit->Emit(words);
}

uint64_t KeysOf(const storage::Store& store, const storage::Ref& root, uint64_t moment_ms) {
  uint64_t keys = 0;
  for (int db = 0; db < storage::kDatabases; ++db) {
    keys += storage::ReadView(store, root, db, moment_ms).Count();
  }
  return keys;
}

}  // namespace verso::server
