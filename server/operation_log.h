// OperationLog: the operation log as the server runs it. What commands have changed goes to its
// files (persistence/log), and replies wait until it is there.
//
//   the snapshot is in ──StartReplay──> replaying ──the log's end──> off ──SwitchOn──> on
//                                                                     <──SwitchOff──
//
// O1 Everything that leaves in a turn waits for everything that was appended by its end: a reply to
//    a write for that write, a reply to a read for the writes that it saw. It may leave when the
//    flusher has written that much, under `always` when it is on the disk (released()).
// O2 Switched on while it runs, the log builds on a save that begins then. Until that has
// committed,
//    a start goes without these records (persistence/log/log_format.h, kFreshStart); so a sequence
//    number is left out before them.
// O3 While the disk takes nothing, writes are refused (ServerState::log_error); reads go on, and
// show
//    also what is not on the disk yet. A disk that has failed ends the process under `always`; else
//    whoever waits for it is disconnected, and writes are refused until the next start.
// O4 The loop never waits for the disk. What it has not taken yet is bounded: above a limit no
// input
//    is parsed.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "persistence/log/log_reader.h"
#include "persistence/log/log_writer.h"
#include "server/command/effect_replay.h"
#include "server/command/effect_unit.h"
#include "server/event_loop.h"

namespace verso::server {

class Server;

class OperationLog final : public EffectConsumer, private PollTarget {
 public:
  explicit OperationLog(Server* server) : server_(server) {}
  ~OperationLog() override { SwitchOff(); }
  OperationLog(const OperationLog&) = delete;
  OperationLog& operator=(const OperationLog&) = delete;

  // ---- at the start
  // Which log: that of this store. Before all others.
  void Configure(const std::string& dir, const persistence::Id& store_id);
  // The data set is what the records up to `position` have made it. Begins to repeat the others.
  // Fails: damage.
  Status StartReplay(uint64_t position);
  bool replaying() const { return reader_.has_value(); }
  // The next few milliseconds of it. Fails: damage, or a record that cannot be applied.
  Status ReplaySome();

  // ---- switching. `fresh`: O2; the caller begins a save.
  Status SwitchOn(bool fresh);
  void SwitchOff();  // what was appended is on the disk afterwards, if that is possible
  bool on() const { return writer_ != nullptr; }
  void SetPolicy(persistence::SyncPolicy policy);

  // ---- EffectConsumer
  void Begin(uint32_t line, int db) override;
  void Command(std::span<const ByteView> arguments) override;
  void End() override;

  // ---- turns
  // At a turn's end, before replies leave: hands over what was appended.
  void EndTurn();
  uint64_t appended() const { return writer_ != nullptr ? writer_->appended() : sequence_; }
  uint64_t released() const { return released_; }
  uint64_t durable() const { return writer_ != nullptr ? writer_->durable() : 0; }
  bool healthy() const { return healthy_; }
  bool congested() const { return congested_; }
  // Everything appended is on the disk, or will not get there, or the time is up.
  void WaitDurable(int timeout_ms);

  // ---- saving
  // A save begins now: what it contains, as a position in the log.
  uint64_t BeginSave();
  void Saved(uint64_t position);  // it is committed: what it contains is not needed here any more
  uint64_t bytes_since_save() const;
  // While it is held no segment goes, however old (RESTORE-TO reads them).
  void set_held(bool held) { held_ = held; }
  const std::string& directory() const { return directory_; }
  const persistence::Id& store_id() const { return store_id_; }

  // For INFO.
  struct Report {
    uint64_t sequence = 0;
    uint64_t written = 0;
    uint64_t durable = 0;
    uint64_t durable_age_ms = 0;  // since when something is not on the disk
    uint64_t bytes_waiting = 0;
    uint64_t bytes_total = 0;
    uint64_t syncs = 0;
    uint64_t replayed = 0;  // at the start
  };
  Report report() const;

 private:
  void OnReady(uint32_t events) override;
  void Look();
  void LookAtHealth();
  void Retain();
  Status EndReplay();

  Server* server_;
  std::string directory_;
  persistence::Id store_id_;
  std::unique_ptr<persistence::LogWriter> writer_;
  uint64_t sequence_ = 0;  // of the last record, while there is no writer
  uint64_t released_ = 0;
  uint64_t caught_up_ms_ = 0;
  uint64_t replayed_ = 0;
  uint64_t saved_position_ = 0;  // of the last committed save
  // Bytes since the last committed save are those that a start has repeated, and what was appended
  // since the save began; the segments may be more (appendonly-retain).
  uint64_t carried_bytes_ = 0;
  uint64_t save_began_bytes_ = 0;
  uint64_t saved_bytes_ = 0;
  uint64_t retain_looked_ms_ = 0;
  bool held_ = false;
  bool healthy_ = true;
  bool congested_ = false;

  std::optional<persistence::LogReader> reader_;
  std::unique_ptr<EffectReplay> replay_;
  uint64_t replay_began_ms_ = 0;
};

}  // namespace verso::server
