// What the commands about versions share: names, and what a name leads to (VERSIONS.md).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "server/command/arg_reader.h"
#include "server/command/command_context.h"
#include "server/server_state.h"
#include "storage/memory/branches.h"
#include "storage/memory/snapshots.h"
#include "storage/memory/store.h"

namespace verso::server {

// [A-Za-z0-9._:-]{1,128}
bool IsVersionName(ByteView name);

// A ref: a branch (its current head) or a snapshot.
struct VersionRef {
  const storage::Snapshot* snapshot = nullptr;  // one of the two is not null
  storage::Branch* branch = nullptr;
  ByteView snapshot_name = {};

  ByteView name() const { return branch != nullptr ? branch->name : snapshot_name; }
};
// False: -ERR invalid name or -NOREF has been replied.
bool ReadRef(storage::Store& store, CommandContext& context, ByteView name, VersionRef* ref);
// The version that a ref names now, held; its line is `*line`.
storage::PinHandle HoldRef(storage::Store& store, const VersionRef& ref, uint64_t now_ms,
                           storage::Line** line);
// Why nothing new can have that name, or no snapshot, no branch be added: an error; empty: it can.
std::string NameTaken(const storage::Store& store, ByteView name);
std::string SnapshotsFull(const ServerState& state);
std::string BranchesFull(const ServerState& state);
// Is the name good for something new? False: the error has been replied.
bool CheckFree(const storage::Store& store, CommandContext& context, ByteView name);

std::string NoRef(ByteView name);

storage::Branch* BranchOf(storage::Store& store, const Session& session);

// ROLLBACK and RESET: the branch goes on from the ref, at once. `backup`: what was there stays as a
// snapshot, the newest rollback-keep of the branch do. Returns the version that was there.
storage::Epoch RestartBranch(ServerState& state, const Session& session, storage::Branch* branch,
                             const VersionRef& ref, bool backup);

// ---- the same again, from the log (E4). The words are for internal sessions only:
//   PXAT ms     SNAPSHOT CREATE: its deadline
//   LINE id     BRANCH CREATE, SNAPSHOT ROLLBACK: of the line that is made. Ids are in the log's
//               records, so they must come out as they were

// "LINE id", if it stands there and the session may say so. Errors in the id go to `args`.
bool TakeLine(const Session& session, ArgReader* args, storage::LineId* line);
// The next line gets this id; 0: any. False: -ERR has been replied.
bool UseLine(storage::Store& store, CommandContext& context, storage::LineId line);

// The snapshots with these names are dropped, as one effect.
void DropSnapshots(storage::Store& store, UnitScope* unit, std::span<const std::string> names);

// Keys of all databases, unexpired at that moment.
uint64_t KeysOf(const storage::Store& store, const storage::Ref& root, uint64_t moment_ms);

}  // namespace verso::server
