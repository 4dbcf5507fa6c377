// Snapshots that come and go by themselves: those whose time (EX) has come, and the automatic ones
// of main: `snapshot-auto SECONDS KEEP` takes one named auto:<unix-ms> every so often and keeps the
// newest KEEP of them. After a restart the saved ones count.
//
// Where appendonly-retain keeps history and nothing else was said, one is taken 24 times in that
// time, and they stay as long as the history does: RESTORE-TO begins with them.
#pragma once

#include "server/server_state.h"

namespace verso::server {

// Seconds between two of those that are taken for the history's sake.
int64_t HistoryStep(const Settings& settings);

class SnapshotSchedule {
 public:
  // As often as one likes; `state.now_ms` is now.
  void Run(ServerState& state);
  // The directive has changed.
  void Reset() { next_ms_ = 0; }
  // History may begin here: if it is kept, the next one is due at once.
  void HistoryBegins() { begins_ = true; }

 private:
  bool begins_ = false;
  uint64_t next_ms_ = 0;  // 0: to be found out
};

}  // namespace verso::server
