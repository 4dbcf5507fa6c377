// What the commands about versions share: names, and what a name leads to (VERSIONS.md).
#pragma once

#include <string>
#include <string_view>

#include "server/command/command_context.h"
#include "storage/memory/snapshots.h"
#include "storage/memory/store.h"

namespace verso::server {

inline constexpr std::string_view kMainBranch = "main";

// [A-Za-z0-9._:-]{1,128}
bool IsVersionName(ByteView name);

// A ref: a branch (its current head) or a snapshot.
struct VersionRef {
  const storage::Snapshot* snapshot = nullptr;  // null: the head of main
};
// False: -ERR invalid name or -NOREF has been replied.
bool ReadRef(const storage::Store& store, CommandContext& context, ByteView name, VersionRef* ref);
// Is the name good for something new? False: the error has been replied.
bool CheckFree(const storage::Store& store, CommandContext& context, ByteView name);

std::string NoRef(ByteView name);

}  // namespace verso::server
