// Session: what a client has told us about itself and where it stands. Handlers may read and change
// it; the socket is the connection's affair. A session without a connection (a test, a replayed
// log) is just this struct.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>

#include "server/buffer_pool.h"

namespace verso::storage {
struct Branch;
}

namespace verso::server {

struct CommandEntry;
struct ParkedCommand;
struct Transaction;
struct Txn;

// Objects of the clients' memory.
struct TransactionDelete {
  void operator()(Transaction* transaction) const;
};
struct TxnDelete {
  void operator()(Txn* txn) const;
};
struct ParkedCommandDelete {
  void operator()(ParkedCommand* command) const;
};

// Names a client for as long as it lives and never another one: slots are used again, generations
// are not.
struct ClientHandle {
  uint32_t slot = 0;
  uint32_t generation = 0;
  bool operator==(const ClientHandle&) const = default;
};

enum class ReplyMode : uint8_t { kOn, kOff, kSkipNext, kSkip };

struct Session {
  uint64_t id = 0;
  ClientHandle handle;
  int db = 0;
  storage::Branch* branch = nullptr;  // null: main. Nobody drops one that a session works in
  int protocol = 2;
  bool authenticated = true;
  bool close_after_reply = false;  // QUIT, CLIENT KILL of oneself, a protocol error
  bool local = true;  // loopback or unix socket: DEBUG with "enable-debug-command local"
  bool no_evict = false;
  bool no_touch = false;
  bool internal = false;  // replay: no ACL, no replies
  bool replica = false;   // it has said that it is one (REPLCONF)
  ReplyMode reply_mode = ReplyMode::kOn;
  uint64_t created_ms = 0;
  uint64_t active_ms = 0;  // last request
  uint64_t commands = 0;
  uint64_t last_sequence = 0;  // of the last record that its commands left in the operation log
  bool waited_out = false;     // a command that waits without keys runs once more: its time is up
  const CommandEntry* last_command = nullptr;
  std::pmr::string name{ClientMemory()};
  std::pmr::string library_name{ClientMemory()};
  std::pmr::string library_version{ClientMemory()};
  std::unique_ptr<Transaction, TransactionDelete> transaction;  // null: no MULTI, no WATCH
  std::unique_ptr<Txn, TxnDelete> txn;                          // null: no TXN is open
  std::unique_ptr<ParkedCommand, ParkedCommandDelete> parked;   // null: does not wait

  // RESET: as a new connection, apart from id and address.
  void Reset(bool authenticated_at_start) {
    db = 0;
    branch = nullptr;
    protocol = 2;
    authenticated = authenticated_at_start;
    no_evict = false;
    no_touch = false;
    replica = false;
    reply_mode = ReplyMode::kOn;
    name.clear();
    transaction.reset();
    txn.reset();
  }
};

}  // namespace verso::server
