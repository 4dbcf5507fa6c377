// RestorePlan: which snapshot and which units of the operation log make what a branch held at some
// record. Pure: reads units, knows no file and no process (restore_reader.h runs it in a child).
//
//   units ──Add──> VersionLog: the commands about names, and where they stand
//                      │ Plan(request)
//                      ▼
//   what the branch was at the record: a line ── its newest snapshot at or before it ──> begin
//   there
//                                          │ none: the version the line was born from, and so on
//
// P1 A name means what it meant at that record: branches and snapshots are followed through CREATE,
//    DROP, RENAME, ROLLBACK, RESET, PROMOTE. A line is one history and has one id for ever, so the
//    units of a branch are those of the lines that it was.
// P2 Which line a branch was before the log begins is not in the log. It follows from what is known
//    later: the branches now, the lines of snapshots that are still there. Until then it is a
//    variable (a negative id).
// P3 A snapshot can be the beginning if the log has its creation: then it stands exactly there,
// also
//    in the middle of an EXEC. So a plan is exact, or there is none.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/result.h"
#include "storage/memory/line.h"

namespace verso::server {

// Behind so many commands of the unit with this sequence.
struct LogPoint {
  uint64_t sequence = 0;
  uint32_t commands = ~uint32_t{0};  // the whole unit
  auto operator<=>(const LogPoint&) const = default;
};

// What the server knows when RESTORE-TO is asked for.
struct RestoreRequest {
  std::string branch;
  uint64_t sequence = 0;  // 0: by time
  uint64_t time_ms = 0;   // before the first unit that is later
  uint64_t through = 0;   // the last record, of which this is the state:
  struct Name {
    std::string name;
    storage::LineId line = 0;
    uint64_t moment_ms = 0;  // of a snapshot
  };
  std::vector<Name> snapshots;
  std::vector<Name> branches;
};

struct RestorePlan {
  uint64_t sequence = 0;  // the record that the state ends with
  std::string snapshot;   // empty: nothing was there
  storage::LineId line = 0;
  // Which units make the rest, in order.
  struct Range {
    storage::LineId line = 0;
    LogPoint after;
    LogPoint through;
  };
  std::vector<Range> ranges;
};

// The commands of a unit, one behind the other. Requires: a sequence of RESP arrays of bulk
// strings.
class UnitCommands {
 public:
  explicit UnitCommands(ByteView payload) : rest_(payload) {}
  // False: the end, or what follows is no command (bad()).
  bool Next();
  bool bad() const { return bad_; }
  ByteView whole() const { return whole_; }                      // as it stands there
  const std::vector<ByteView>& words() const { return words_; }  // the first few
  // One about names: no content, and nothing to repeat.
  bool AboutVersions() const;

 private:
  static constexpr size_t kWordsKept = 12;
  bool TakeNumber(char type, uint64_t* number);

  ByteView rest_;
  ByteView whole_;
  std::vector<ByteView> words_;
  bool bad_ = false;
};

class VersionLog {
 public:
  // Of each unit, in order. Fails: kCorruption.
  Status Add(uint64_t sequence, uint64_t time_ms, ByteView payload);
  // What came so far does not count: what comes is not connected with it.
  void Forget() { events_.clear(); }
  // `begins_behind`: the record behind which the units begin. Fails: why there is no way.
  Result<RestorePlan> Plan(const RestoreRequest& request, uint64_t sequence,
                           uint64_t begins_behind) const;

 private:
  struct Event {
    LogPoint at;
    uint64_t time_ms = 0;
    std::vector<std::string> words;
  };
  std::vector<Event> events_;

  friend class RestorePlanner;
};

}  // namespace verso::server
