// The handlers of SNAPSHOT EXPORT and SNAPSHOT IMPORT, for the rows of cmd_snapshot.cpp.
#pragma once

#include "server/command/command_context.h"

namespace verso::server {

Outcome SnapshotExport(Server& server, CommandContext& context);
Outcome SnapshotImport(Dispatcher& dispatcher, CommandContext& context);

}  // namespace verso::server
