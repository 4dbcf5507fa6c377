// verso-cli --pipe: a stream of commands (RESP or inline) from stdin to the server at full speed.
//
//     stdin ──read──► 256 KiB ──write──► server ──read──► decoder ──► counts
//
// One poll loop moves all three, so memory is bounded whatever the stream: stdin is read only when
// the buffer has gone out, and replies are taken while commands are sent. How many replies there
// will be is unknown (the stream is not parsed); the end is found by a last ECHO of 20 random
// bytes, whose reply cannot be taken for another.
#pragma once

#include "client/cli/options.h"
#include "client/connection.h"

namespace verso::cli {

// Requires: nothing sent on the connection is still unanswered.
// Returns the exit status: 0 when every reply has come and none was an error.
int RunPipe(client::Connection& connection, const Options& options);

}  // namespace verso::cli
