// The loader: a forked child that puts the newest snapshot's pages back into their own cells
// (DESIGN 7). Nothing is parsed, hashed or inserted per key.
//
//   open the store read-only, newest catalogue entry -> kCatalogue
//     -> the space map -> one kGroup each; the serving process marks the runs as allocated
//     (PageArena::Restore)
//     -> the super-root and its pages -> kServe: clients are served from here on
//     -> all pages, one pass in key order: checksum, place and size checked, written into the
//     arena's file, resident (PageImage) -> everything walked and judged -> kLoaded
//   beside it, in a thread of its own: the pages that the serving process asks for (PageRequests)
//
// N1 Pages are written with pwrite, neighbours together: it is the cheapest first touch, and a full
// tmpfs is an error instead of SIGBUS. Only runs that the save occupies are written (their padding
// as zeros), and none of them is used for anything else meanwhile (PageImage, G1).
// N2 A snapshot is taken only if it is whole (F2): every occupied run filled exactly once, by a
// page of the right size, with the catalogue's count, bytes and sum of keys, and every page is what
// its reference says (VerifyPages). Anything else is refused with file and reason: the start, or,
// once clients are served, the end of the server. So every start verifies every saved page.
// N3 A page that is asked for is judged like one of the stream, by itself. The stream counts it
// again when it comes by (N2), but does not write it again. A thread of its own, so that an answer
// waits neither for the stream's decompressing nor for the disk's reading ahead.
// N4 A loader that is killed is started again, and goes over everything anew: what is resident it
// leaves alone.
// N5 What is asked for comes before the stream, which pauses for it, for half of the time at most.
#pragma once

#include <optional>

#include "persistence/control_block.h"
#include "persistence/fault_point.h"
#include "persistence/page_requests.h"
#include "persistence/snapshot_child.h"
#include "persistence/snapshot_writer.h"
#include "storage/memory/page_arena.h"

namespace verso::persistence {

struct LoadTask {
  SnapshotPaths paths;
  StoreIdentity identity;
  storage::PageArena* arena = nullptr;  // with an image; null: check only, nothing is written
  PageRequests* requests = nullptr;     // with an arena
  ControlBlock* control = nullptr;
  std::optional<CatalogueEntry> serving;  // another loader has told this, the groups and kServe
  FaultPoint fault = FaultPoint::kNone;
};

// A body for ForkChild.
int RunSnapshotLoader(const LoadTask& task, ChildReport* report);

}  // namespace verso::persistence
