// What blocking commands share: their timeout.
#pragma once

#include <cstdint>

#include "server/command/command_context.h"

namespace verso::server {

// Seconds, fractions allowed, rounded up to milliseconds; 0 is for ever. False: the error has been
// written.
bool ReadBlockSeconds(CommandContext& context, ByteView text, uint64_t* timeout_ms);
// XREAD's: whole milliseconds.
bool ReadBlockMilliseconds(CommandContext& context, ByteView text, uint64_t* timeout_ms);

}  // namespace verso::server
