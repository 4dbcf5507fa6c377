// The operation log as history, for RESTORE-TO and --check: every whole unit from the oldest
// segment on, those before the last save too, while the log goes on being written.
//
//   VERSO_TRY(LogHistory history, LogHistory::Open(directory, store_id, through));
//   while (true) {
//     VERSO_TRY(const LogHistory::Step step, history.Next(&record));
//     kUnit: record; kGap: what was read is not connected with what comes: start again; kEnd
//   }
//
// H1 Nothing behind `through` is looked at: what is being written now is neither damage nor an end.
// H2 Where a segment ends is judged by the next one, which says which record it continues: what
//    stands behind the last record may be anything (a torn tail that was cut, zeros ahead).
// H3 A segment that is missing or damaged, and a log that was switched on again, are a gap: the
//    history begins behind the last of them. Nothing is refused for it; whoever asks for what lies
//    before is told why it cannot be had.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "persistence/log/log_reader.h"

namespace verso::persistence {

class LogHistory {
 public:
  // `through`: the last record there is, known to be written. `after`: units at or below need not
  // be told (their segments are not read).
  static Result<LogHistory> Open(const std::string& directory, const Id& store_id, uint64_t through,
                                 uint64_t after = 0);

  enum class Step : uint8_t { kUnit, kGap, kEnd };
  // Fails: kIo; kIncompatible.
  Result<Step> Next(LogRecord* record);

  // Behind which record the history begins, as far as it has been read.
  uint64_t begins_behind() const { return begins_; }
  // Why it does not begin earlier; empty: what was there before has been removed.
  const std::string& gap() const { return gap_; }
  bool damaged() const { return damaged_; }  // a gap was one by damage, or by a missing segment
  uint64_t units() const { return units_; }
  size_t segments() const { return files_.size(); }

 private:
  // The next segment that has records. False: there is none. *gap: H3.
  Result<bool> OpenSegment(bool* gap);
  // The next unit of the segment. False: it ends here.
  Result<bool> ReadUnit(LogRecord* record);
  void Lost(uint64_t from, uint64_t through);

  Id store_id_;
  uint64_t through_ = 0;
  std::vector<SegmentFile> files_;
  size_t segment_ = 0;  // the next one to open
  std::unique_ptr<SegmentReader> reader_;
  bool started_ = false;
  uint64_t begins_ = 0;
  uint64_t last_ = 0;     // of the last record seen
  std::string ended_at_;  // where the segment before ended
  std::string gap_;
  bool damaged_ = false;
  uint64_t units_ = 0;
  std::string joined_;
};

}  // namespace verso::persistence
