// The loader: a forked child that puts the newest snapshot's pages back into their own cells
// (DESIGN 7). Nothing is parsed, hashed or inserted per key.
//
//   open the store read-only, newest catalogue entry -> kCatalogue
//     -> the space map -> one kGroup each; the serving process marks the runs as allocated
//     (PageArena::Restore)
//     -> all pages, one pass in key order: checksum, place and size checked, written into the
//     arena's file -> kLoaded
//
// N1 Pages are written with pwrite, neighbours together: it is the cheapest first touch, and a full
// tmpfs is an error instead of SIGBUS.
//    Only occupied runs are written (their padding as zeros), so the serving process may build its
//    free lists in the others meanwhile.
// N2 A snapshot is taken only if it is whole (F2): every occupied run filled exactly once, by a
// page of the right size, with the catalogue's count, bytes
//    and sum of keys. Anything else is refused with file and reason.
#pragma once

#include "persistence/control_block.h"
#include "persistence/fault_point.h"
#include "persistence/snapshot_child.h"
#include "persistence/snapshot_writer.h"
#include "storage/memory/page_arena.h"

namespace verso::persistence {

struct LoadTask {
  SnapshotPaths paths;
  StoreIdentity identity;
  const storage::PageArena* arena =
      nullptr;  // null: check only, nothing is written and no group reported
  ControlBlock* control = nullptr;
  FaultPoint fault = FaultPoint::kNone;
};

// A body for ForkChild.
int RunSnapshotLoader(const LoadTask& task, ChildReport* report);

}  // namespace verso::persistence
