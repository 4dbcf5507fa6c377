// Persistence: the one header the server needs. It makes snapshots durable and brings them back;
// all the work is done by forked children, and RocksDB is opened in children only. One thread: the
// thread that owns the Store.
//
//   <dir>/verso.lock   held while a server uses the directory
//   <dir>/store.id     which store this is, and the newest save known to be committed (store_id.h)
//   <dir>/store/       RocksDB (store_format.h)
//   <dir>/ingest/      files on their way into the store; leftovers are removed
//   <dir>/log/         the operation log (log/log_format.h)
//
// Start:  Open(dir) -> Store::Create with secret() -> StartLoad(store)
//         -> Poll() until loading() is false: the store serves; while streaming() is true, pages
//         that are missing are waited for where they are read -> load_status().
// Save:   StartSave(store) -> Poll() when a watched descriptor is readable and at ticks
//         -> save_status().
//
//   not started --StartLoad--> loading --kServe: catalogue, space map, roots--> streaming
//   streaming --every page in, the whole verified--> loaded
//     |  ^ a loader that is killed is started again, once a second at most
//     +--+--damage, disk, memory--> failed (as from loading): the server ends with the reason
//
// A page that is wanted while streaming and cannot be had ends the process at once: `fatal`.
//
//   idle --StartSave--> saving --committed reported, or child dead with both flags--> idle
//   (committed)
//                         |----- child dead with neither flag --> idle (failed)
//                         +----- child dead with `committing` alone --> resolving
//   resolving --the store has been read--> idle (committed or failed)
//
// In `resolving` a resolver that dies or fails is started again, at most once a second; nothing is
// released before certainty. The save is over when its outcome is certain (Store::EndSave). The
// child may go on compacting; the next save stops it, and after a few such interruptions compacts
// before it writes, so that compaction is never starved.
//
// Descriptors: `watch` is called with each descriptor to wait on for reading (a pipe, a pidfd),
// `unwatch` before it is closed. Both may be called from Poll.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "persistence/control_block.h"
#include "persistence/fault_point.h"
#include "persistence/page_requests.h"
#include "persistence/shared_memory.h"
#include "persistence/snapshot_child.h"
#include "persistence/store_id.h"
#include "storage/memory/store.h"

namespace verso::persistence {

struct PersistenceOptions {
  std::string directory;
  std::function<void(LogLevel, std::string_view)> log;  // may be empty, as the two below
  std::function<void(int fd)> watch;
  std::function<void(int fd)> unwatch;
  // A page that is needed now cannot be had: ends the process, saying why. The default does so,
  // too, by `log` and _exit(1).
  std::function<void(const std::string& why)> fatal;
  int lock_wait_ms = 10'000;
  bool log_follows = false;  // after a load: lines without a name stay until Store::DropUnnamed
  FaultPoint fault = FaultPoint::kNone;  // tests only
  int resolvers_to_die = 0;              // tests only: the first so many die at kMidResolve
};

enum class LoadState : unsigned char { kNotStarted, kLoading, kStreaming, kLoaded, kFailed };

struct LoadStatus {
  LoadState state = LoadState::kNotStarted;
  uint64_t pages_done = 0;
  uint64_t pages_total = 0;
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;
  uint64_t duration_ms = 0;
  uint64_t serving_ms = 0;     // until the store served
  uint64_t pages_awaited = 0;  // wanted before the stream had come to them
  Epoch epoch = 0;             // of the snapshot; 0: an empty start
  uint64_t log_position = 0;   // the last record of the operation log that it contains
  uint64_t saved_at_ms = 0;
  std::string error;  // kFailed: file and reason
};

enum class LastSave : unsigned char { kNone, kOk, kFailed };

struct SaveStatus {
  bool in_progress = false;
  SavePhase phase = SavePhase::kNone;
  bool resolving = false;   // the outcome of a dead child is being found out
  uint64_t pages_done = 0;  // of the running or else the last save
  uint64_t pages_total = 0;
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;
  uint64_t started_ms = 0;  // wall clock
  LastSave last = LastSave::kNone;
  std::string last_error;  // why the last one failed
  uint64_t last_duration_ms = 0;
  uint64_t last_ok_ms = 0;  // wall clock of the start of the newest committed save, this process'
                            // or the loaded one; 0: none
  uint64_t last_ok_log_position = 0;
  uint64_t last_fork_usec = 0;
  uint64_t last_pin_usec = 0;
  uint64_t child_private_bytes =
      0;  // memory the child had of its own, at most (rdb_last_cow_size has its place here)
  uint64_t saves_ok = 0;
  uint64_t saves_failed = 0;
};

struct SaveStarted {
  uint64_t fork_usec = 0;
  uint64_t pin_usec = 0;
};

class Persistence {
 public:
  // Makes the directory if it is missing. Waits for the store's lock if a child of a killed server
  // still holds it. Fails: another server is there, not writable, a store of a newer version, a
  // missing or damaged file: with file and reason.
  static Result<std::unique_ptr<Persistence>> Open(PersistenceOptions options);
  ~Persistence();  // kills a running child
  Persistence(const Persistence&) = delete;
  Persistence& operator=(const Persistence&) = delete;

  // For StoreOptions::secret.
  const HashSecret& secret() const { return identity_.secret; }
  const Id& store_id() const { return identity_.store_id; }

  // Starts to bring back the newest snapshot; without a store it is done at once. Requires: a fresh
  // store, made with secret().
  Status StartLoad(storage::Store* store);
  bool loading() const { return load_.state == LoadState::kLoading; }
  bool streaming() const { return load_.state == LoadState::kStreaming; }
  LoadStatus load_status() const;

  // Of the operation log, all records up to `log_position` have been applied to the store. Fails:
  // kBusy (a save, a resolver or a load is running, pages are streaming), or the fork failed
  // (counted as a failed save).
  Result<SaveStarted> StartSave(storage::Store* store, uint64_t log_position = 0);
  // From pin to certainty.
  bool saving() const { return OutcomeOpen() || job_ == Job::kResolve; }
  SaveStatus save_status() const;

  // Does whatever is due: call it when a watched descriptor is readable and every 100 ms or so.
  // Never blocks.
  void Poll();

  // Waits (SAVE, SHUTDOWN) until the outcome of the save is certain; until nothing runs any more,
  // compaction included; until the load has ended, streaming included. False: the time was up
  // before. -1: however long it takes.
  bool WaitSave(int timeout_ms);
  bool WaitIdle(int timeout_ms);
  bool WaitLoad(int timeout_ms);
  // Kills the child of a running save (SHUTDOWN) and waits for its end. If the outcome is not
  // certain then, a resolver is started: WaitSave before the next StartSave.
  void AbortSave();

  bool child_running() const { return child_.pid > 0; }
  pid_t child_pid() const { return child_.pid; }

 private:
  enum class Job : unsigned char { kNone, kLoad, kSave, kResolve };

  explicit Persistence(PersistenceOptions options);
  Status PrepareDirectory();
  Status StartChild(std::span<const int> keep_fds, const std::function<int(ChildReport*)>& body);
  void KillChild();
  void StartResolver();
  void ReadMessages(bool to_the_end);
  void OnMessage(const MessageBuffer::Message& message);
  void OnChildGone(int wait_status);
  void CloseChild();
  bool WaitWhile(const std::function<bool()>& busy, int timeout_ms);

  class Source;
  Status StartLoader();
  void OnCatalogue(ByteView payload);
  void OnGroup(ByteView payload);
  void OnServe(ByteView payload);
  void BeginServing();
  void OnLoaderGone(bool done, const std::string& why);
  void FinishLoad();
  void FailLoad(const std::string& why);
  void FetchPage(const Ref& ref);
  void LookAtLoader();
  [[noreturn]] void Die(const std::string& why);

  void ForwardWatermark();
  void EndSave(storage::SaveOutcome outcome, const std::string& why);
  void Log(LogLevel level, const std::string& text) const;
  bool OutcomeOpen() const { return job_ == Job::kSave && !outcome_told_; }

  PersistenceOptions options_;
  std::string store_path_;
  OwnedFd directory_lock_;
  StoreIdentity identity_;
  storage::Store* store_ = nullptr;

  Job job_ = Job::kNone;
  Child child_;
  Shared<ControlBlock> control_;
  MessageBuffer messages_;
  std::string child_error_;

  LoadStatus load_;
  CatalogueEntry loaded_;
  bool load_complete_ = false;
  uint64_t load_started_ = 0;
  std::unique_ptr<Source> source_;
  Shared<PageRequests> requests_;
  bool serve_due_ = false;  // the loader is ready to serve, the store does not yet
  int loaders_ = 0;
  uint64_t loader_due_ = 0;  // of the next one, when one was killed

  SaveStatus save_;
  Id save_id_;
  Epoch save_epoch_ = 0;
  uint64_t save_log_position_ = 0;
  bool outcome_told_ = false;    // the Store knows the outcome
  int compactions_stopped_ = 0;  // since the last one that came to its end
  Ref forwarded_;
  uint64_t save_started_ = 0;
  uint64_t resolver_due_ = 0;
  std::optional<Id> resolved_;
  Epoch resolved_epoch_ = 0;
};

// Whether the store in this directory and its operation log are whole: reads and verifies
// everything, writes nothing. For `--check`. Blocks. The result says, for people, what is there.
Result<std::string> CheckStore(const std::string& directory);

}  // namespace verso::persistence
