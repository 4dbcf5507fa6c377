// verso-cli --rdb: the server's data set into a dump file, as redis-cli --rdb does it.
//
//     REPLCONF rdb-only 1 ──► OK      SYNC ──► "\n" while the server writes ... "$<bytes>\r\n" dump
//
// A server that knows no rdb-only (Redis before 7) gets the SYNC all the same. The file has its
// name when it is whole and on the disk; until then it is <path>.tmp.
#pragma once

#include <string>

#include "client/cli/session.h"

namespace verso::cli {

// path: "-" is stdout. Returns the exit status.
int RunRdb(Session* session, const std::string& path);

}  // namespace verso::cli
