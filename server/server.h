// Server: everything that one serving process owns, and the turn that keeps it going.
//
// Only server handlers (cmd_connection, cmd_server, cmd_introspect) and INFO see it. Data commands
// get a view.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/buffer_pool.h"
#include "server/command/dispatcher.h"
#include "server/connection.h"
#include "server/event_loop.h"
#include "server/listener.h"
#include "server/operation_log.h"
#include "server/rdb_transfers.h"
#include "server/restore_to.h"
#include "server/save_control.h"
#include "server/server_state.h"
#include "server/snapshot_schedule.h"
#include "server/takeover.h"
#include "storage/base/clock.h"

namespace verso::server {

// One turn's requests, reused by every connection: no allocation per request.
struct TurnScratch {
  std::vector<ByteView> arguments;
  struct Parsed {
    size_t first;  // index into arguments
    size_t count;
    size_t end;  // offset behind the request in the input
  };
  std::vector<Parsed> parsed;
  std::vector<Request> requests;
};

enum class ShutdownHow : uint8_t { kDefault, kSave, kNoSave };

class Server final : public EventLoop::Host, private BlockedKeys::Host {
 public:
  Server(Settings settings, const Clock* clock, std::unique_ptr<storage::Store> store,
         std::unique_ptr<SaveControl> saves, std::string config_file,
         const persistence::Id& store_id);
  ~Server();

  // Opens the listeners. Fails: an address is taken, the descriptor limit is too low.
  Status Open();
  // Before Run: goes on with the data that was there, and serves as soon as it is in:
  //
  //   snapshot ──Loaded──> operation log ──Replayed──> nothing was there: takeover ──TakenOver──┐
  //                                            └────────────────────────────────────────────────>
  //                                            serving
  //
  // `import`: the files of Redis that were asked for; if it is empty, those that stand in `dir`, if
  // any (redis_files.h). False: it is known already that this fails; the log says why.
  bool BringBack(const std::string& import);
  void TakenOver() { Serve(true); }
  void LoadFailed(const std::string& error);
  // Serves until Shutdown() has succeeded. Returns the exit status.
  int Run();

  // Saves if asked to (or by default if there are save points) and stops the loop. False: the save
  // failed, the server goes on.
  bool Shutdown(ShutdownHow how, bool force);
  // Unix seconds of the last committed save, or of the start.
  int64_t last_save_time() const;

  // ---- EventLoop::Host
  void StartTurn(uint64_t now_us) override;
  bool EndTurn() override;

  // ---- clients
  void Accept(int fd, bool is_unix);
  // Null if that client is gone.
  Connection* Find(ClientHandle handle);
  Connection* FindById(uint64_t id);
  size_t client_count() const { return client_count_; }
  void ForEachClient(const std::function<void(Connection&)>& visit);
  void WantFlush(Connection* connection);
  void WantRun(Connection* connection);
  void Bury(Connection* connection);  // L1: destroyed at the end of the turn
  // What a client may leave unread before we stop serving it: less when all together leave much.
  size_t OutputAllowance() const;
  void OutputChanged(int64_t bytes) { output_bytes_ += bytes; }
  uint64_t released_sequence() const { return log_.on() ? log_.released() : ~uint64_t{0}; }

  // ---- the operation log
  OperationLog& log() { return log_; }
  // The connection is flushed again when the log has got on.
  void WaitForLog(Connection* connection);
  void LogMoved();
  // The disk has failed; `stop`: for good.
  void LogFailed(bool stop);
  // Runs the client's command again whenever the log has got on (WAITAOF).
  void RunWhenLogMoves(ClientHandle client) { log_waiters_.push_back(client); }

  // ---- pages that a restart has not brought yet
  // The connection goes on when its missing_page() is there.
  void WaitForPage(Connection* connection) { page_list_.push_back(connection); }

  // ---- blocked clients
  // After a command, or a whole EXEC: who waited for what it brought.
  void ServeBlocked();
  // The time of the next one whose wait ends may have come nearer.
  void ArmBlockTimer();

  // ---- saving
  Status StartSave();
  Status SaveNow();
  // As soon as no save runs and no EXEC is in the middle.
  void ScheduleSave() { save_scheduled_ = true; }
  bool save_scheduled() const { return save_scheduled_; }
  SaveControl* saves() { return saves_.get(); }
  RdbTransfers& transfers() { return transfers_; }
  RestoreTo& restore() { return restore_; }
  Takeover& takeover() { return takeover_; }

  // ---- CONFIG SET: takes over changed settings.
  Status ApplySettings(const Settings& changed);

  ServerState& state() { return state_; }
  const ServerState& state() const { return state_; }
  storage::Store& store() { return *store_; }
  Dispatcher& dispatcher() { return dispatcher_; }
  BufferPool& buffers() { return buffers_; }
  EventLoop& loop() { return loop_; }
  TurnScratch& scratch() { return scratch_; }
  const Clock& clock() const { return *clock_; }
  const std::string& run_id() const { return run_id_; }
  const std::string& config_file() const { return config_file_; }
  uint64_t started_ms() const { return started_ms_; }
  uint64_t memory_peak() const { return memory_peak_; }
  uint64_t memory_at_start() const { return memory_at_start_; }
  uint64_t output_bytes() const { return static_cast<uint64_t>(output_bytes_); }
  size_t bound_port() const;

 private:
  // ---- BlockedKeys::Host
  std::optional<storage::ValueType> TypeAt(const KeyPlace& place) override;
  void RunAgain(ParkedCommand& command) override;

  void EndOverdue();
  uint64_t Cron();
  uint64_t RunCron();
  void RunReady();
  void LookForPages();
  void BuryDead();
  void CountMemory();
  void EndPause();
  void ExpireSome();
  bool ExpireSomeOf(storage::Line& line);  // false: there is no room for it
  void CheckSavePoints();
  void NoteSaveEnd();
  void Loaded();
  void ReplaySome();
  void Replayed();
  void TakeOver(Result<RedisFiles> files);
  void Serve(bool imported);
  void EndLoading();
  void SampleRates();
  void CheckClients();
  Status RaiseDescriptorLimit();

  const Clock* clock_;
  std::string config_file_;
  std::unique_ptr<storage::Store> store_;
  ServerState state_;
  SnapshotSchedule snapshot_schedule_;
  BufferPool buffers_;
  EventLoop loop_;
  Dispatcher dispatcher_;
  std::unique_ptr<SaveControl> saves_;
  OperationLog log_{this};
  RdbTransfers transfers_{this};
  RestoreTo restore_{this};
  Takeover takeover_{this};
  std::vector<std::unique_ptr<Listener>> listeners_;
  TurnScratch scratch_;

  struct Slot {
    Connection* connection = nullptr;
    uint32_t generation = 0;
  };
  std::pmr::vector<Slot> slots_{ClientMemory()};
  std::pmr::vector<uint32_t> free_slots_{ClientMemory()};
  size_t client_count_ = 0;
  uint64_t next_client_id_ = 1;
  size_t check_next_ = 0;
  std::pmr::vector<Connection*> flush_list_{ClientMemory()};
  std::pmr::vector<Connection*> ready_list_{ClientMemory()};
  std::pmr::vector<Connection*> running_list_{ClientMemory()};
  std::pmr::vector<Connection*> graveyard_{ClientMemory()};
  std::pmr::vector<Connection*> page_list_{ClientMemory()};
  std::pmr::vector<Connection*> log_list_{ClientMemory()};
  std::pmr::vector<ClientHandle> log_waiters_{ClientMemory()};
  int64_t output_bytes_ = 0;

  std::string import_;
  std::string run_id_;
  uint64_t started_ms_ = 0;
  uint64_t memory_peak_ = 0;
  uint64_t memory_at_start_ = 0;
  uint64_t cron_last_ms_ = 0;
  uint64_t save_tried_ms_ = 0;
  uint64_t pages_asked_ms_ = 0;
  uint64_t save_took_ms_ = 0;  // the last one that committed
  uint64_t save_ended_ms_ = 0;
  uint64_t changes_at_save_start_ = 0;
  asio::steady_timer block_timer_{loop_.io()};
  uint64_t block_timer_ms_ = BlockedKeys::kNever;  // when it goes off
  uint64_t turn_begin_us_ = 0;
  bool save_scheduled_ = false;
  bool first_save_ = false;    // of an import: nobody is served before it has ended
  bool save_refused_ = false;  // it could not even start
  int expire_db_ = 0;          // that was the last to expire something
  bool expire_more_ = false;
  bool background_more_ = false;
  int exit_status_ = 0;
};

}  // namespace verso::server
