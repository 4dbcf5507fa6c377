// What the commands about versions share: names, and what a name leads to (VERSIONS.md).
#pragma once

#include <string>
#include <string_view>

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
};
// False: -ERR invalid name or -NOREF has been replied.
bool ReadRef(storage::Store& store, CommandContext& context, ByteView name, VersionRef* ref);
// The version that a ref names now, held; its line is `*line`.
storage::PinHandle HoldRef(storage::Store& store, const VersionRef& ref, uint64_t now_ms,
                           storage::Line** line);
// Is the name good for something new? False: the error has been replied.
bool CheckFree(const storage::Store& store, CommandContext& context, ByteView name);

std::string NoRef(ByteView name);

storage::Branch* BranchOf(storage::Store& store, const Session& session);

// ROLLBACK and RESET: the branch goes on from the ref, at once. `backup`: what was there stays as a
// snapshot, the newest rollback-keep of the branch do. Returns the version that was there.
storage::Epoch RestartBranch(ServerState& state, storage::Branch* branch, const VersionRef& ref,
                             bool backup);

// Keys of all databases, unexpired at that moment.
uint64_t KeysOf(const storage::Store& store, const storage::Ref& root, uint64_t moment_ms);

}  // namespace verso::server
