// BRANCH MERGE: in slices, with its effect at one instant.
#pragma once

#include "server/command/command_context.h"

namespace verso::server {

class Dispatcher;

Outcome MergeBranches(Dispatcher& dispatcher, CommandContext& context);

}  // namespace verso::server
