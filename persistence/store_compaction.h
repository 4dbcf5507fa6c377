// When the store is compacted: the last thing a snapshot writer does, after its commit is certain
// and the server has let go of the snapshot.
//
// Deleted pages lie in the store until a compaction. Garbage is exact: raw bytes in the files, less
// the live bytes of the catalogue entry. Above 30 % everything that deletions touch is rewritten,
// so each byte of garbage costs at most about 2.3 bytes of rewriting. A compaction may be killed at
// any moment: RocksDB installs it in one edit and removes leftovers when it opens next.
#pragma once

#include <string>

#include "storage/base/result.h"

namespace verso::persistence {

class StoreDb;

// What was done, in words; empty: nothing was worth it.
Result<std::string> CompactIfWorth(StoreDb* store, uint64_t live_bytes);

}  // namespace verso::persistence
