// The threads behind LogWriter: the flusher writes and, under kAlways, syncs; its helper does what
// would keep writes waiting: the fdatasync of each second, preparing the next segment, removing old
// ones. No lock: the loop and the flusher share atomics and a ring, the flusher and its helper one
// slot (Chore) that belongs to whom chore_state_ says.
//
//        loop                    flusher                              helper
//   append, Submit ──ring──> batch: mark + records ──pwritev──┐   Sync     fdatasync
//   written, durable <─atomics─ + eventfd      fdatasync (always) Prepare  CreateSegment (L3)
//   DropThrough, SetPolicy ──atomics──> chores ──────slot───────> Drop     unlink, directory
//
// W1 Group commit: a batch is all that was handed over, up to the next change of segment.
// W2 durable_ moves to what was written before a successful fdatasync began, never otherwise. The
//    segment before the current one is synced no later than the current one.
// W3 A segment is not left while the one before it is not synced (L5).
// W4 A failed sync, or a write that fails for another reason than room, ends it all: health_ is
//    kFailed, nothing more is written, nothing is tried again, and a sync under way counts for
//    nothing.
// W5 No room: the file is cut back to the end of the last batch, the batch stays, and is tried
//    again twice a second.
//    What is only retained goes before that, the oldest first: history is worth less than
//    writing.
// W6 Neither thread allocates, logs or takes a lock.
// W7 Start returns when both have begun their work: what the libraries do at a thread's beginning
//    may take locks, and a child forked meanwhile (a save) would wait for them for ever.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "persistence/log/log_buffer.h"
#include "persistence/log/log_files.h"

namespace verso::persistence {

enum class SyncPolicy : uint8_t { kAlways, kEverySecond, kNo };
enum class LogHealth : uint8_t { kGood, kNoSpace, kFailed };

struct FlusherStart {
  LogPlace place;
  OwnedFd segment;  // made by CreateSegment with an opening mark
  uint64_t index = 0;
  uint64_t sequence = 0;  // written and durable
  SyncPolicy policy = SyncPolicy::kEverySecond;
  uint64_t retry_us = 0;
  LogChunk* chunk = nullptr;
  struct Segment {
    uint64_t index;
    uint64_t continues;
    uint64_t bytes;
    uint64_t ended_ms;  // its records are no younger; of the current one: not known yet
  };
  std::vector<Segment> segments;  // oldest first, the current one included
  int event_fd = -1;
};

class LogFlusher {
 public:
  explicit LogFlusher(FlusherStart start);
  ~LogFlusher();  // writes what was handed over, syncs, ends both threads
  // Fails: kIo (no more threads).
  Status Start();

  // The loop's side.
  HandoverRing& ring() { return ring_; }
  void Wake();
  void SetPolicy(SyncPolicy policy);
  void DropThrough(uint64_t sequence);
  void KeepSince(uint64_t unix_ms);
  void SyncThrough(uint64_t sequence);  // soon, whatever the policy
  void ClearSignal() { signalled_.exchange(false, std::memory_order_acq_rel); }
  bool WaitProgress(uint32_t seen, int64_t timeout_us);

  uint64_t written() const { return written_.load(std::memory_order_acquire); }
  uint64_t durable() const { return durable_.load(std::memory_order_acquire); }
  uint64_t consumed() const { return consumed_.load(std::memory_order_acquire); }
  uint32_t progress() const { return progress_.load(std::memory_order_acquire); }
  LogHealth health() const;
  LogFailure failure() const;
  uint64_t bytes_total() const { return bytes_total_.load(std::memory_order_relaxed); }
  uint64_t segments() const { return segment_count_.load(std::memory_order_relaxed); }
  uint64_t syncs() const { return syncs_.load(std::memory_order_relaxed); }
  uint64_t sync_us_last() const { return sync_us_last_.load(std::memory_order_relaxed); }
  uint64_t sync_since_us() const { return sync_since_us_.load(std::memory_order_relaxed); }
  uint64_t last_durable_us() const { return last_durable_us_.load(std::memory_order_relaxed); }

 private:
  // A file that is written. `zeroed`: blocks up to here are written, with zeros behind `end`.
  struct Segment {
    OwnedFd fd;
    uint64_t index = 0;
    uint64_t end = 0;
    uint64_t zeroed = 0;
  };
  struct Cursor {
    LogChunk* chunk = nullptr;
    uint64_t offset = 0;  // in the chunk
    uint64_t place = 0;   // in the stream
  };
  struct Batch {
    bool any = false;
    bool new_segment = false;
    uint64_t bytes_end = 0;
    uint64_t sequence_end = 0;
  };
  struct Chore {
    enum class Kind : uint8_t { kSync, kPrepare, kDrop };
    Kind kind = Kind::kSync;
    int before_fd = -1;  // kSync: the segment before, or -1
    int fd = -1;
    uint64_t index = 0;     // kPrepare, kDrop
    uint64_t sequence = 0;  // kSync: durable when it has worked
    LogFailure failure;
    OwnedFd made;
  };

  void TellUp();
  // The flusher's thread.
  void Run();
  void RunOnce();
  void Finish();
  void TakeBatch();
  void WriteBatch();
  bool SwitchSegment();
  LogFailure WritePieces(const char* mark, uint64_t* offset, Cursor* cursor);
  bool SyncHere();
  void ZeroAhead();
  void CutZeros(Segment* segment);
  bool SyncNow() const;
  int64_t WaitUs(uint64_t now) const;
  void Doze(int64_t timeout_us);
  void StartChores(uint64_t now);
  void Begin(Chore::Kind kind);
  void CollectChore();
  void AwaitChore();
  void Synced(uint64_t sequence, uint64_t begun_us);
  bool OldestIsRetained() const;
  bool OldestMayGo() const;
  bool SecondMayVanish() const;
  bool GiveUpOldest(const LogFailure& failure);
  void Fail(const LogFailure& failure);
  bool CutBack();
  void NoSpace(const LogFailure& failure);
  void Recovered();
  void Signal();
  void AddBytes(int64_t bytes);
  uint16_t MarkFlags() const;
  uint64_t Written() const { return written_.load(std::memory_order_relaxed); }
  uint64_t Durable() const { return durable_.load(std::memory_order_relaxed); }
  SyncPolicy Policy() const { return policy_.load(std::memory_order_relaxed); }
  bool Failed() const { return health() == LogHealth::kFailed; }

  // The helper's thread.
  void RunHelper();
  void Do(Chore* chore);

  // Constant after construction.
  LogPlace place_;
  int event_fd_;
  uint64_t retry_us_;

  // The flusher's.
  Segment current_;
  Segment before_;  // fd only while it is not synced yet
  OwnedFd prepared_;
  Cursor cursor_;
  Batch batch_;
  std::vector<FlusherStart::Segment> segments_;
  bool opening_synced_ = true;  // the opening marks of before_ and current_ are durable
  uint64_t mark_durable_ = 0;   // what the last mark says
  uint64_t retry_at_us_ = 0;    // kNoSpace: when to try again
  uint64_t sync_begun_us_ = 0;  // kEverySecond: the last one
  uint64_t prepare_at_us_ = 0;
  uint64_t drop_at_us_ = 0;
  bool may_zero_ = true;

  // The loop writes, the flusher reads.
  HandoverRing ring_;
  std::atomic<uint32_t> wake_{0};
  std::atomic<uint32_t> asleep_{0};
  std::atomic<SyncPolicy> policy_;
  std::atomic<uint64_t> drop_through_{0};
  std::atomic<uint64_t> keep_since_ms_{UINT64_MAX};
  std::atomic<uint64_t> sync_through_{0};
  std::atomic<bool> stop_{false};

  // The flusher (sync_*: also the helper) writes, anybody reads.
  std::atomic<uint64_t> written_;
  std::atomic<uint64_t> durable_;
  std::atomic<uint64_t> consumed_{0};
  std::atomic<uint64_t> failure_{0};  // health, step, errno, index in one word
  std::atomic<uint64_t> bytes_total_{0};
  std::atomic<uint64_t> segment_count_{0};
  std::atomic<uint64_t> syncs_{0};
  std::atomic<uint64_t> sync_us_last_{0};
  std::atomic<uint64_t> sync_since_us_{0};
  std::atomic<uint64_t> last_durable_us_{0};
  std::atomic<bool> signalled_{false};
  std::atomic<uint32_t> progress_{0};
  std::atomic<uint32_t> waiters_{0};

  std::atomic<uint32_t> threads_up_{0};

  // Whose chore_ is. kAsked: the helper's. Else the flusher's.
  static constexpr uint32_t kIdle = 0, kAsked = 1, kDone = 2, kQuit = 3;
  std::atomic<uint32_t> chore_state_{kIdle};
  Chore chore_;

  std::thread flusher_;
  std::thread helper_;
};

}  // namespace verso::persistence
