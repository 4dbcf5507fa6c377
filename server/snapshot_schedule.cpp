#include "server/snapshot_schedule.h"

#include <algorithm>
#include <string>
#include <vector>

#include "server/logging.h"
#include "storage/memory/snapshots.h"

namespace verso::server {

constexpr std::string_view kPrefix = "auto:";

void SnapshotSchedule::Run(ServerState& state) {
  const Settings& settings = state.settings;
  if (settings.snapshot_auto_seconds == 0 || state.loading || state.now_ms < next_ms_) return;
  storage::Snapshots& snapshots = state.store->snapshots();
  const auto every_ms = static_cast<uint64_t>(settings.snapshot_auto_seconds) * 1000;
  std::vector<std::pair<uint64_t, std::string>> taken;
  uint64_t newest_ms = 0;
  for (const auto& [name, snapshot] : snapshots.all()) {
    if (!ByteView(name).starts_with(kPrefix)) continue;
    taken.emplace_back(snapshot.number, name);
    newest_ms = std::max(newest_ms, snapshot.moment_ms);
  }
  std::sort(taken.begin(), taken.end());
  if (newest_ms == 0 || newest_ms + every_ms <= state.now_ms) {
    const std::string name = std::string(kPrefix) + std::to_string(state.now_ms);
    if (snapshots.Find(name) == nullptr && state.store->branches().Find(name) == nullptr) {
      if (snapshots.size() >= static_cast<size_t>(settings.snapshot_max)) {
        spdlog::warn("no automatic snapshot: there are snapshot-max {} of them",
                     settings.snapshot_max);
      } else {
        snapshots.Take(name, state.store->branches().main(), state.now_ms, 0);
        taken.emplace_back(~uint64_t{0}, name);
      }
    }
    newest_ms = state.now_ms;
  }
  const auto keep = static_cast<size_t>(settings.snapshot_auto_keep);
  for (size_t i = 0; i + keep < taken.size(); ++i) snapshots.Drop(taken[i].second);
  next_ms_ = newest_ms + every_ms;
}

}  // namespace verso::server
