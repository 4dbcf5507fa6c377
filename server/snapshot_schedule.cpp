#include "server/snapshot_schedule.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/command/version_ref.h"
#include "server/logging.h"
#include "storage/memory/snapshots.h"

namespace verso::server {

namespace {

constexpr std::string_view kPrefix = "auto:";

// The times are in ms.
struct Schedule {
  uint64_t every = 0;   // 0: none are taken
  size_t keep = 0;      // so many, or if it is 0 ...
  uint64_t retain = 0;  // ... those so young, and the one before them
};

Schedule ScheduleOf(const ServerState& state) {
  const Settings& settings = state.settings;
  const auto ms = [](int64_t seconds) { return static_cast<uint64_t>(seconds) * 1000; };
  if (settings.snapshot_auto_seconds != 0) {
    return {ms(settings.snapshot_auto_seconds), static_cast<size_t>(settings.snapshot_auto_keep)};
  }
  if (state.effect_consumer == nullptr || settings.appendonly_retain_seconds == 0) return {};
  return {ms(HistoryStep(settings)), 0, ms(settings.appendonly_retain_seconds)};
}

std::vector<std::string> NotNeeded(const storage::Snapshots& snapshots, const Schedule& schedule,
                                   uint64_t now_ms) {
  if (schedule.keep != 0) return snapshots.Oldest(kPrefix, schedule.keep);
  std::vector<std::string> names;
  const auto by_age = snapshots.ByAge(kPrefix);
  for (size_t i = 0; i + 1 < by_age.size(); ++i) {
    if (by_age[i + 1]->second.moment_ms + schedule.retain >= now_ms) break;
    names.emplace_back(by_age[i]->first);
  }
  return names;
}

}  // namespace

int64_t HistoryStep(const Settings& settings) {
  constexpr int64_t kParts = 24;
  return std::max<int64_t>(settings.appendonly_retain_seconds / kParts, 1);
}

void SnapshotSchedule::Run(ServerState& state) {
  if (state.loading) return;
  storage::Snapshots& snapshots = state.store->snapshots();
  UnitScope unit = state.UnitOfMain();
  DropSnapshots(*state.store, &unit, snapshots.Due(state.now_ms));
  const Schedule schedule = ScheduleOf(state);
  const bool begins = std::exchange(begins_, false) && schedule.retain != 0;
  if (schedule.every == 0 || (state.now_ms < next_ms_ && !begins)) return;
  uint64_t newest_ms = 0;
  for (const auto* entry : snapshots.ByAge(kPrefix)) {
    newest_ms = std::max(newest_ms, entry->second.moment_ms);
  }
  if (begins || newest_ms == 0 || newest_ms + schedule.every <= state.now_ms) {
    const std::string name = std::string(kPrefix) + std::to_string(state.now_ms);
    if (snapshots.Find(name) == nullptr && state.store->branches().Find(name) == nullptr) {
      const int64_t most = state.settings.snapshot_max;
      if (snapshots.size() >= static_cast<size_t>(most)) {
        spdlog::warn("no automatic snapshot: there are snapshot-max {} of them", most);
      } else {
        snapshots.Take(name, state.store->branches().main(), state.now_ms, 0);
        unit.Emit({"SNAPSHOT", "CREATE", name, "FROM", "main"});
      }
    }
    newest_ms = state.now_ms;
  }
  DropSnapshots(*state.store, &unit, NotNeeded(snapshots, schedule, state.now_ms));
  next_ms_ = newest_ms + schedule.every;
}

}  // namespace verso::server
