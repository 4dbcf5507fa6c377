// The reply to <CONTAINER> HELP: made from the rows, so that it names what there is.
#pragma once

#include "server/command/command_context.h"

namespace verso::server {

// Requires: `container` is in the command table.
Outcome ReplyHelp(std::string_view container, CommandContext& context);

// Shared by the rows of all containers.
template <const char* kContainer>
Outcome Help(CommandContext& context) {
  return ReplyHelp(kContainer, context);
}

}  // namespace verso::server
