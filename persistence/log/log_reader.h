// The operation log as a start reads it: all whole units behind a save, then how it ended. It
// changes nothing.
//
//   VERSO_TRY(LogReader reader, LogReader::Open(directory, store_id, save.log_position));
//   while (VERSO_TRY(bool more, reader.Next(&record)), more) Apply(record);
//   if (reader.unbased())   say it, SetUnbasedAside (log_repair.h)
//   if (reader.torn_tail()) say how many bytes, CutTornTail (log_repair.h)
//   the writer goes on with reader.last_sequence()
//
//            bytes that are no record, where sequence s should be
//                                  │
//        a mark behind them says that s was durable, or a      ──yes──> Error: kCorruption, with
//        file, record stands in the segment after the next one (L5)?          offset, what is lost,
//        and
//                                  │ no                                 --log-recover-to s-1
//        nothing but zeros, and the segment was written with zeros ahead? ──yes──> the end
//                                  │ no
//                            the torn tail, whatever it is
//
// R1 A unit is handed out whole or not at all; half a unit is part of the torn tail.
// R2 What stands behind a torn tail in the next segment belongs to it: nobody was told it is safe.
// R3 The segments before the newest one that begins at or below `after` do not matter.
#pragma once

#include <memory>

#include "persistence/log/log_segments.h"

namespace verso::persistence {

struct LogRecord {
  uint64_t sequence = 0;  // the unit's last
  uint64_t time_ms = 0;
  uint32_t line = 0;
  int db = 0;
  ByteView payload;  // whole (R1): RESP arrays; valid until the next call
};

struct TornTail {
  std::string path;
  uint64_t offset = 0;      // what is good ends here; 0: nothing of the file is
  uint64_t bytes = 0;       // that are lost, in the next segment too
  uint64_t last_index = 0;  // of the last segment that loses bytes
};

struct LogReaderOptions {
  uint64_t stop_at = 0;            // no units beyond this sequence; 0: all
  bool stop_behind_after = false;  // none at all: only for place()
};

class LogReader {
 public:
  // after: the log position of the save that was loaded, 0 without one.
  // Fails: kCorruption (a gap, a missing file), kIncompatible (a newer format, another store's),
  // kIo.
  static Result<LogReader> Open(const std::string& directory, const Id& store_id, uint64_t after,
                                const LogReaderOptions& options = {});

  // False: the end, and the four below say how. Fails as Open does; the error stands.
  Result<bool> Next(LogRecord* record);

  const std::optional<TornTail>& torn_tail() const { return torn_tail_; }
  // The log was switched on later, and the save it was to build on was never committed: what it
  // holds is of no use. `unbased_text` says so, with the file.
  bool unbased() const { return !unbased_text_.empty(); }
  const std::string& unbased_text() const { return unbased_text_; }
  uint64_t unbased_index() const { return unbased_index_; }  // the first of them
  uint64_t last_sequence() const { return last_; }           // of all handed out; `after` at first

  uint64_t bytes_done() const;
  uint64_t bytes_total() const { return bytes_total_; }
  uint64_t units() const { return units_; }
  uint64_t first_sequence() const { return first_; }  // of the first unit handed out; 0: none
  size_t segments() const { return files_.size(); }   // that matter

  // Where the last unit at or below `after` or handed out ends: for RecoverTo.
  struct Place {
    size_t segment = 0;  // of files()
    uint64_t offset = 0;
  };
  Place place() const { return place_; }
  const std::vector<SegmentFile>& files() const { return files_; }

 private:
  struct Proof {
    uint64_t durable = 0;       // the highest that a mark says
    uint64_t last = 0;          // the highest sequence there
    bool later_record = false;  // L5: two segments on
    bool any = false;
    uint64_t bytes = 0;  // behind headers
    size_t last_segment = 0;
    std::string broken;        // what else is wrong behind, and no power loss does
    size_t fresh_segment = 0;  // of another history; 0: none
    uint64_t fresh_continues = 0;
  };

  // One step: *found, or not yet. False: the end.
  Result<bool> Step(LogRecord* record, bool* found);
  Result<bool> OpenSegment();
  void Leave();
  void SetUnbased(size_t segment, uint64_t continues);
  // What stands at the offset of the segment is no record. True: it does not matter, go on.
  Result<bool> EndAt(size_t segment, uint64_t offset);
  Error Refuse(const std::string& what, uint64_t last) const;
  std::string Broken(const SegmentReader& reader, size_t segment) const;
  Result<Proof> FindProof(size_t segment, uint64_t offset) const;

  std::string log_directory_;
  Id store_id_;
  uint64_t stop_at_ = UINT64_MAX;
  std::vector<SegmentFile> files_;
  uint64_t newest_ = 0;  // index; 0: there is no such file
  bool ended_ = false;
  std::optional<Error> error_;

  size_t segment_ = 0;  // the one being read
  bool open_ = false;
  bool zeros_ahead_ = false;
  std::unique_ptr<SegmentReader> reader_;
  uint64_t sequence_ = 0;  // of the last record seen
  uint64_t after_ = 0;
  uint64_t last_ = 0;
  uint64_t first_ = 0;
  uint64_t units_ = 0;
  uint64_t bytes_total_ = 0;
  uint64_t bytes_before_ = 0;  // of the segments that are done
  Place place_;
  std::string joined_;  // a unit of several records
  std::optional<TornTail> torn_tail_;
  std::string unbased_text_;
  uint64_t unbased_index_ = 0;
};

}  // namespace verso::persistence
