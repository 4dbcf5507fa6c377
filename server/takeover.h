// Takeover: at the start, while nobody is served, the data set becomes what Redis has left: a dump,
// or an append-only file with its base and its increments (redis_files.h).
//
//   idle ──Start──> checking ──> dump (a child, RdbTransfers) ──DumpLoaded──> checking what is
//                       │                                                     behind it ──┐
//                       └────────────────────────────────────────────────> applying <────┘
//                                                             applying ──> Server::TakenOver
//
// O1 Every file of commands is read to its end and judged before the first command runs.
// O2 All or nothing: a fault anywhere ends the start with file, offset and reason
//    (Server::LoadFailed). The one exception is Redis' own: the last file may end in the middle of
//    a command, or of a MULTI; that end is left out, and said (aof-load-truncated).
// O3 Commands run as in a replay (effect_replay.h): what fails is a fault. What only reads (PFCOUNT
//    is in such files) is left out.
// O4 Nothing expires meanwhile, as in Redis: a key whose time came long ago was there for the
//    commands that followed, an INCR or a PERSIST. So the commands are run at the beginning of
//    time; their own times are absolute, those of streams apart (TimeOf).
// O5 The files of Redis are never changed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/append_only_reader.h"
#include "server/command/effect_replay.h"
#include "server/redis_files.h"

namespace verso::server {

class Server;

class Takeover {
 public:
  explicit Takeover(Server* server) : server_(server) {}

  // Fails: a file is missing.
  Status Start(RedisFiles files);
  bool running() const { return step_ != Step::kIdle; }
  // The dump that the first file begins with is the data set now; it had so many bytes.
  void DumpLoaded(uint64_t bytes, uint64_t keys);

  // Once a turn: the next few milliseconds. True: there is more to do at once.
  bool Work();

 private:
  enum class Step : uint8_t { kIdle, kCheck, kDump, kApply };

  struct File {
    AppendOnlyReader reader;
    bool dump = false;  // it begins with one, which is not in yet
    bool checked = false;
    uint64_t begin = 0;  // of its commands
    uint64_t end = 0;    // of those that count
  };

  Status Advance(uint64_t until_us);
  Status BeginDump();
  Status CheckSome(uint64_t until_us);
  Status CheckOne(File& file, AppendOnlyReader::Found found);
  Status CheckCommand(File& file);
  Status EndCheck(File& file, bool torn);
  Status ApplySome(uint64_t until_us);
  Status ApplyCommand(File& file);
  uint64_t TimeOf(const CommandEntry& entry, std::span<const ByteView> arguments) const;
  void Finish();

  Server* server_;
  Step step_ = Step::kIdle;
  RedisFiles source_;
  std::vector<std::unique_ptr<File>> files_;
  size_t at_ = 0;  // the file that is being checked, or applied
  std::unique_ptr<EffectReplay> replay_;

  // Of the file at hand.
  int db_ = 0;
  bool in_multi_ = false;
  uint64_t multi_begin_ = 0;

  uint64_t began_ms_ = 0;
  uint64_t dump_keys_ = 0;
  uint64_t commands_ = 0;
};

}  // namespace verso::server
