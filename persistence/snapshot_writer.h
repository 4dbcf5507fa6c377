// The snapshot writer: what the forked child of a save does, and the resolver that finds out what a
// killed one did (DESIGN 6).
//
//   open the store, check that its newest save is our base
//     -> collect pages with birth > base, sort by (birth, cell)
//     -> take the garbage list out of the space map, put the new pages in
//     -> SST files in <dir>/ingest: pages (256 MiB each), deletions, space, catalogue; watermark
//     after each batch
//     -> committing -> IngestExternalFiles over all families -> identity file -> committed ->
//     report
//     -> compact if more than 30 % of the store is garbage
//
// W1 Nothing in the store changes before the ingest, and the ingest is one atomic edit of RocksDB's
// manifest. W2 A page is read for the last time before the watermark passes it. W3 Deletions are
// born at or before the base and additions after it, so their key ranges never overlap; a deletion
// is written only for a page that the
//    space map holds.
// W4 After `committing` an error is no certainty: the child leaves, and the resolver decides.
// The store stays below twice the size of a fresh one because compaction starts above 30 % garbage
// and deletes its inputs piece by piece.
#pragma once

#include <string>

#include "persistence/control_block.h"
#include "persistence/fault_point.h"
#include "persistence/snapshot_child.h"
#include "persistence/store_id.h"
#include "storage/memory/store.h"

namespace verso::persistence {

struct SnapshotPaths {
  std::string store;     // <dir>/store
  std::string ingest;    // <dir>/ingest: files on their way into the store
  std::string identity;  // <dir>/store.id

  static SnapshotPaths In(const std::string& directory) {
    return {directory + "/store", directory + "/ingest", directory + "/store.id"};
  }
};

struct SaveTask {
  SnapshotPaths paths;
  StoreIdentity identity;
  storage::SaveStart start;
  storage::PageArena* arena = nullptr;
  ControlBlock* control = nullptr;
  Id save_id;
  uint64_t time_ms = 0;
  uint64_t log_position = 0;
  bool compact_first = false;  // compactions after the last saves were stopped by the next save
  FaultPoint fault = FaultPoint::kNone;
};

// Both are bodies for ForkChild.
int RunSnapshotWriter(const SaveTask& task, ChildReport* report);

struct ResolveTask {
  SnapshotPaths paths;
  StoreIdentity identity;
  FaultPoint fault = FaultPoint::kNone;
};
// Opens the store for writing (which makes what it finds durable) and reports the newest save.
// Brings the identity file up to date.
int RunResolver(const ResolveTask& task, ChildReport* report);

}  // namespace verso::persistence
