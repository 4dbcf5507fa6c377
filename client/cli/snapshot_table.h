// `verso-cli snapshots`: SNAPSHOT LIST as a table for people.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "client/include/verso/client.h"

namespace verso::cli {

// `list`: what SNAPSHOT LIST replied. `now_ms`: ages are counted from it.
std::string SnapshotTable(const Reply& list, int64_t now_ms);

// Returns the exit status.
int ShowSnapshots(Client& client, std::FILE* out, std::FILE* errors);

}  // namespace verso::cli
