// Transaction: what MULTI and WATCH have begun on a connection.
//
//   none ──WATCH──> watching ──MULTI──> open ──EXEC, DISCARD, RESET, disconnect──> none
//     └───────────────MULTI──────────────┘
//
// A request that cannot be queued aborts an open one: it stays open, but EXEC only says so.
#pragma once

#include "server/session/command_queue.h"
#include "server/session/session.h"
#include "server/session/watch_registry.h"

namespace verso::server {

struct Transaction {
  explicit Transaction(WatchRegistry* registry) : watches(registry) {}

  bool open = false;
  bool aborted = false;
  // Of the queued commands: the gates judge EXEC by them.
  uint64_t flags_of_any = 0;
  uint64_t flags_of_all = ~uint64_t{0};
  bool reads_only = true;  // EXEC may go on in slices, on a pinned version
  CommandQueue queue;
  WatchSet watches;

  // Why EXEC will fail for what others did.
  bool dirty() const { return watches.dirty(); }
};

// The session's transaction, made if there is none.
Transaction& TransactionOf(Session* session, WatchRegistry* registry);

}  // namespace verso::server
