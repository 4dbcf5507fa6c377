// What the child of a RESTORE-TO does: reads the operation log twice, first for the plan
// (restore_plan.h), then for the commands that make the state. Disks, checksums and what is of no
// use are its business; the server only applies.
//
//   message     plan       u64 record, u32 line, name of the snapshot (empty: nothing was there)
//   message     commands   some of: u64 time, u8 database, u32 bytes, a command as RESP array
#pragma once

#include <functional>
#include <string>

#include "persistence/log/log_history.h"
#include "server/restore_plan.h"

namespace verso::server {

struct RestoreSinks {
  std::function<void(ByteView plan)> plan;
  std::function<void(ByteView commands)> commands;
};

// Fails: why the state cannot be had.
Status ReadForRestore(const std::string& directory, const persistence::Id& store_id,
                      const RestoreRequest& request, const RestoreSinks& sinks);

// ---- the other end
std::string EncodePlan(const RestorePlan& plan);
// Only what EncodePlan tells.
RestorePlan DecodePlan(ByteView message);

struct RestoreCommand {
  uint64_t time_ms = 0;
  int db = 0;
  ByteView payload;
};
// The next one of a message. False: its end.
bool TakeCommand(ByteView* message, RestoreCommand* command);

}  // namespace verso::server
