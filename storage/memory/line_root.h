// The root page of a line: what one version of a line consists of. A line that was never written
// has a null head.
//
//   kLineRoot   0     16 x { keys Ref | deadlines Ref | u64 count }     640 bytes
#pragma once

#include "storage/memory/page.h"

namespace verso::storage {

struct [[gnu::packed]] DatabaseRoot {
  Ref keys;            // hash trie
  Ref deadlines;       // counted B+tree of (deadline ms, key hash)
  uint64_t count = 0;  // entries, expired ones included
};
static_assert(sizeof(DatabaseRoot) == 40);

struct [[gnu::packed]] LineRoot {
  DatabaseRoot databases[kDatabases];
};
static_assert(sizeof(LineRoot) == 640);

}  // namespace verso::storage
