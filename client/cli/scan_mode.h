// verso-cli --scan: prints every key that SCAN finds, one a line.
#pragma once

#include "client/cli/options.h"
#include "client/cli/session.h"

namespace verso::cli {

// Returns the exit status.
int RunScan(Session* session, const Options& options);

}  // namespace verso::cli
