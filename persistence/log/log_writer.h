// The operation log as the loop writes it: units in, sequences out. Nothing here waits for a disk
// except Open, WaitDurable and the end.
//
//   writer->Begin(line, db, now_ms); writer->Add(words); writer->Add(more_words); writer->End();
//   …
//   writer->Submit();                        // once per turn
//   reply when written() (kAlways: durable()) has reached what End() returned
//
// When event_fd() is readable, Drain(), look at written(), durable() and health(), Submit() again.
// All of it is the loop's thread's, Open and the end too; the threads behind it are in
// log_flusher.h, the files in log_format.h.
#pragma once

#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <vector>

#include "persistence/log/log_flusher.h"

namespace verso::persistence {

struct LogWriterOptions {
  std::string directory;  // of the server's data; the log is in <directory>/log
  Id store_id;
  SyncPolicy policy = SyncPolicy::kEverySecond;
  uint64_t last_sequence = 0;  // the next record is one more
  // Switched on now: what stands in older segments is no base for what comes. Requires:
  // last_sequence is more than the log position of every save made before (count one up for it),
  // and a save is begun at this moment with it as its position.
  bool fresh_start = false;
  std::pmr::memory_resource* memory = nullptr;  // used by the loop's thread only; null: the default
  LogSystem* system = nullptr;                  // null: the real one
  uint64_t segment_bytes_max = uint64_t{256} << 20;
  uint32_t record_bytes_max = kRecordBytesMax;  // larger units are split
  uint64_t retry_us = 500'000;                  // without room: when to try again
};

class LogWriter {
 public:
  // Begins a new segment; syncs what is there. Requires: the reader has come to its end in this
  // directory, and what it found is cut and set aside (CutTornTail, SetUnbasedAside).
  static Result<std::unique_ptr<LogWriter>> Open(const LogWriterOptions& options);
  // Waits for what was appended to be written and synced, unless the log has failed or has no room.
  ~LogWriter();

  // One unit. Nothing added: nothing is left. End() returns appended(). When there is no memory the
  // unit is lost and the log has failed: health() says so.
  void Begin(uint32_t line, int db, uint64_t time_ms);
  void Add(std::span<const ByteView> command);
  uint64_t End();

  uint64_t appended() const { return appended_; }
  uint64_t written() const { return flusher_->written(); }
  uint64_t durable() const { return flusher_->durable(); }

  // Hands what was appended to the flusher; cheap when there is nothing. Not within a unit.
  void Submit();
  int event_fd() const { return event_fd_.get(); }
  void Drain();

  // What is appended from now on goes to the next segment. Returns appended(). Not within a unit.
  uint64_t Rotate();
  // Segments all of whose records are at or below go, oldest first, in the background; never the
  // one being written.
  void DropThrough(uint64_t sequence) { flusher_->DropThrough(sequence); }
  // Of those, the ones written at that time or later stay: history, for RESTORE-TO. It is given up
  // when there is no room for what comes. At first: UINT64_MAX, none stay.
  void KeepSince(uint64_t unix_ms) { flusher_->KeepSince(unix_ms); }
  void SetPolicy(SyncPolicy policy);
  SyncPolicy policy() const { return options_.policy; }

  LogHealth health() const;
  std::string error() const;  // why, when it is not kGood

  uint64_t bytes_waiting() const { return buffer_.bytes() - flusher_->consumed(); }
  uint64_t bytes_appended() const { return buffer_.bytes(); }  // by this writer
  uint64_t bytes_since_rotate() const { return buffer_.bytes() - rotated_at_; }
  uint64_t bytes_total() const { return flusher_->bytes_total(); }  // of all segments
  uint64_t segments() const { return flusher_->segments(); }
  uint64_t memory_bytes() const { return buffer_.memory_bytes(); }
  uint64_t syncs() const { return flusher_->syncs(); }
  uint64_t sync_us_last() const { return flusher_->sync_us_last(); }  // how long the last one took
  // Both on CLOCK_MONOTONIC (MonotonicUs()).
  uint64_t sync_in_progress_since_us() const { return flusher_->sync_since_us(); }  // 0: none
  uint64_t last_durable_us() const { return flusher_->last_durable_us(); }  // end of the last sync

  // Everything appended is written and synced, whatever the policy. False: not in time, or failed.
  bool WaitDurable(int timeout_ms);

 private:
  explicit LogWriter(LogWriterOptions options)
      : options_(std::move(options)), buffer_(options_.memory) {}

  void Append(ByteView bytes);
  void AppendCount(char type, uint64_t count);
  bool AppendSmall(std::span<const ByteView> command);
  void BeginRecord();
  void EndRecord(bool more);
  void BeginSegment();

  LogWriterOptions options_;
  OwnedFd directory_;
  OwnedFd event_fd_;
  LogBuffer buffer_;
  std::unique_ptr<LogFlusher> flusher_;

  std::vector<Handover> pending_;  // what the ring has not taken yet; mostly empty
  uint64_t handed_bytes_ = 0;
  uint64_t appended_ = 0;
  uint64_t rotated_at_ = 0;     // place in the stream
  uint64_t segment_begin_ = 0;  // the same, of the current segment
  uint64_t segment_index_ = 0;
  uint32_t seed_ = 0;
  bool out_of_memory_ = false;

  // The unit being built.
  bool in_unit_ = false;
  bool any_ = false;
  RecordHeader record_;
  char* record_at_ = nullptr;
  uint32_t payload_crc_ = 0;
  uint64_t sequence_ = 0;
};

}  // namespace verso::persistence
