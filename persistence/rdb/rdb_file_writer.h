// Writes the databases of one version as a dump file of version 9 (rdb_format.h), which Redis 5 to
// 8 and Valkey read. What streams lose: rdb_value_writer.h.
#pragma once

#include <functional>

#include "storage/base/result.h"
#include "storage/keyspace/keyspace.h"

namespace verso::persistence {

// `write` takes the file piece by piece, in order; `keys` is told now and then how many keys there
// are in it. Expired keys are left out. Requires: nothing changes the version meanwhile. Fails:
// what `write` says; a value that the format cannot hold.
Status WriteRdbFile(const storage::ReadView& view, const std::function<Status(ByteView)>& write,
                    const std::function<void(uint64_t)>& keys);

}  // namespace verso::persistence
