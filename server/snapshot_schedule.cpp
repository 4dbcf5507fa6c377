#include "server/snapshot_schedule.h"

#include <algorithm>
#include <string>

#include "server/command/version_ref.h"
#include "server/logging.h"
#include "storage/memory/snapshots.h"

namespace verso::server {

namespace {

constexpr std::string_view kPrefix = "auto:";

struct Schedule {
  int64_t seconds = 0;  // 0: none are taken
  int64_t keep = 0;
};

Schedule ScheduleOf(const ServerState& state) {
  const Settings& settings = state.settings;
  if (settings.snapshot_auto_seconds != 0) {
    return {settings.snapshot_auto_seconds, settings.snapshot_auto_keep};
  }
  if (state.effect_consumer == nullptr || settings.appendonly_retain_seconds == 0) return {};
  // The oldest must stay until the history behind it is older than what is retained.
  constexpr int64_t kParts = 24;
  return {std::max<int64_t>(settings.appendonly_retain_seconds / kParts, 1), kParts + 2};
}

}  // namespace

void SnapshotSchedule::Run(ServerState& state) {
  if (state.loading) return;
  const Settings& settings = state.settings;
  storage::Snapshots& snapshots = state.store->snapshots();
  UnitScope unit = state.UnitOfMain();
  DropSnapshots(*state.store, &unit, snapshots.Due(state.now_ms));
  const Schedule schedule = ScheduleOf(state);
  if (schedule.seconds == 0 || state.now_ms < next_ms_) return;
  const auto every_ms = static_cast<uint64_t>(schedule.seconds) * 1000;
  uint64_t newest_ms = 0;
  for (const auto* entry : snapshots.ByAge(kPrefix)) {
    newest_ms = std::max(newest_ms, entry->second.moment_ms);
  }
  if (newest_ms == 0 || newest_ms + every_ms <= state.now_ms) {
    const std::string name = std::string(kPrefix) + std::to_string(state.now_ms);
    if (snapshots.Find(name) == nullptr && state.store->branches().Find(name) == nullptr) {
      if (snapshots.size() >= static_cast<size_t>(settings.snapshot_max)) {
        spdlog::warn("no automatic snapshot: there are snapshot-max {} of them",
                     settings.snapshot_max);
      } else {
        snapshots.Take(name, state.store->branches().main(), state.now_ms, 0);
        unit.Emit({"SNAPSHOT", "CREATE", name, "FROM", "main"});
      }
    }
    newest_ms = state.now_ms;
  }
  const auto keep = static_cast<size_t>(schedule.keep);
  DropSnapshots(*state.store, &unit, snapshots.Oldest(kPrefix, keep));
  next_ms_ = newest_ms + every_ms;
}

}  // namespace verso::server
