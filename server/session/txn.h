// Txn: an interactive transaction (TXN BEGIN ... COMMIT): a view of its own on a connection.
//
//   none ──BEGIN──> open ──COMMIT, ABORT, RESET, disconnect──> none
//                     └──idle for too long──> expired ──the next command is told──> none
//
// T1 It sees the version that was pinned at BEGIN, and what it has written itself. Its moment is
// its
//    BEGIN until it ends (R2).
// T2 Its writes go to a scratch line that grows from that version, made with the first of them:
// nobody
//    else sees it, no save contains it (V6). It goes with the transaction, whatever ends that.
// T3 `written`: keys that a command in it has changed, even if changed back. `read` and
// `read_whole`:
//    what COMMIT must find unchanged besides; kept for SERIALIZABLE only.
// T4 Nobody waits for a transaction; what others change meanwhile is found out at COMMIT.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <vector>

#include "server/session/key_place.h"
#include "server/session/session.h"
#include "storage/keyspace/key_publication.h"
#include "storage/memory/scratch_line.h"

namespace verso::server {

// Keys with what was said of them, each once, in the order of the first time.
class TxnKeys {
 public:
  TxnKeys() : by_place_(ClientMemory()), in_order_(ClientMemory()) {}

  void Add(int db, const storage::Key& key, const storage::KeyEvent& event);
  void Clear();
  size_t size() const { return in_order_.size(); }

  // Its bytes stay until Clear().
  storage::PublishedKey operator[](size_t index) const {
    const auto& [place, event] = *in_order_[index];
    return {place.db, {place.key, place.hash}, event};
  }

 private:
  using Map = KeyPlaceMap<storage::KeyEvent>;  // `line` stays 0
  Map by_place_;
  std::pmr::vector<const Map::value_type*> in_order_;
};

class CommandContext;
class TxnRegistry;
struct CommandSpec;

struct Txn {
  explicit Txn(TxnRegistry* owner) : registry(owner) {}
  ~Txn();
  Txn(const Txn&) = delete;
  Txn& operator=(const Txn&) = delete;

  // What its commands see.
  storage::ReadView View(int db) const {
    return scratch ? storage::ReadView(*store, scratch->line(), db, pin.moment_ms()) : Begun(db);
  }
  // The version at BEGIN.
  storage::ReadView Begun(int db) const { return {*store, pin.root(), db, pin.moment_ms()}; }
  // The line that its writes go to.
  storage::Line& Scratch();
  // A command comes. False: too late.
  bool Touch(uint64_t now_ms);
  bool Idle(uint64_t now_ms) const {
    return timeout_ms != 0 && !busy && now_ms > active_ms && now_ms - active_ms > timeout_ms;
  }
  // A continuation has ended.
  void Rest(uint64_t now_ms) {
    busy = false;
    active_ms = now_ms;
  }
  // It is over but for being told.
  void Expire();
  // A key of a scratch line was changed.
  void NoteChange(const storage::Line& of, int db, const storage::Key& key,
                  const storage::KeyEvent& event);
  // A command has run: what it read, if that matters.
  void NoteReads(const CommandSpec& row, std::span<const ByteView> arguments,
                 const storage::ReadView& view, const CommandContext& context);

  TxnRegistry* const registry;
  storage::Store* store = nullptr;
  uint64_t id = 0;
  Session* session = nullptr;
  storage::Branch* branch = nullptr;  // what it commits to: that of its session
  storage::Line* line = nullptr;      // of the pin: another than the branch's after ROLLBACK
  storage::PinHandle pin;
  bool read_only = false;
  bool of_snapshot = false;  // AT a snapshot
  bool serializable = false;
  bool expired = false;
  bool over = false;  // committed, or in conflict
  bool busy = false;  // a continuation runs in it
  uint64_t begun_ms = 0;
  uint64_t timeout_ms = 0;  // 0: none
  uint64_t active_ms = 0;   // its last command
  std::optional<storage::ScratchLine> scratch;
  uint64_t scratch_bytes = 0;
  TxnKeys written;
  TxnKeys read;
  uint32_t read_whole = 0;  // a bit for each database
};

// The open transactions of a server, and what became of the others.
class TxnRegistry {
 public:
  struct Counts {
    uint64_t begun = 0;
    uint64_t committed = 0;
    uint64_t conflicts = 0;
    uint64_t aborted = 0;  // by ABORT, RESET, a disconnect
    uint64_t expired = 0;
  };

  TxnRegistry() : open_(ClientMemory()) {}
  TxnRegistry(const TxnRegistry&) = delete;
  TxnRegistry& operator=(const TxnRegistry&) = delete;

  Txn& Begin(Session* session);
  // In the order of their BEGINs.
  const std::pmr::vector<Txn*>& open() const { return open_; }
  // Those that read this snapshot's version.
  size_t ReadersOf(const storage::Line* line, storage::Epoch epoch) const;
  void ExpireIdle(uint64_t now_ms);

  // The one whose command runs at present: changes in its line are its own. Null: none.
  Txn* writing() const { return writing_; }
  void set_writing(Txn* txn) { writing_ = txn; }

  Counts counts;

 private:
  friend struct Txn;
  void Remove(Txn* txn);

  std::pmr::vector<Txn*> open_;
  uint64_t next_id_ = 1;
  Txn* writing_ = nullptr;
};

}  // namespace verso::server
