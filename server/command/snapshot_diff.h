// SNAPSHOT DIFF: what differs between two versions, a part at a time, in slices.
#pragma once

#include "server/command/command_context.h"

namespace verso::server {

class Dispatcher;

Outcome SnapshotDiff(Dispatcher& dispatcher, CommandContext& context);

}  // namespace verso::server
