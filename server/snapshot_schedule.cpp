#include "server/snapshot_schedule.h"

#include <algorithm>
#include <string>

#include "server/logging.h"
#include "storage/memory/snapshots.h"

namespace verso::server {

constexpr std::string_view kPrefix = "auto:";

void SnapshotSchedule::Run(ServerState& state) {
  const Settings& settings = state.settings;
  if (settings.snapshot_auto_seconds == 0 || state.loading || state.now_ms < next_ms_) return;
  storage::Snapshots& snapshots = state.store->snapshots();
  const auto every_ms = static_cast<uint64_t>(settings.snapshot_auto_seconds) * 1000;
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
      }
    }
    newest_ms = state.now_ms;
  }
  snapshots.DropOldest(kPrefix, static_cast<size_t>(settings.snapshot_auto_keep));
  next_ms_ = newest_ms + every_ms;
}

}  // namespace verso::server
