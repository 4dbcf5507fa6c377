// RestoreTo: RESTORE-TO as the server runs it, one at a time.
//
//   asked ──the log is written so far──> reading and building ──> waiting for a save ──> named
//              a child reads the log, plans (restore_plan.h), sends commands; here they are applied
//              in slices, in a line without a name that begins as the snapshot
//
// T1 Nobody sees anything of it before it has its name. What it does is not recorded: it has been.
// T2 The name is recorded once a save that contains the whole line has committed: a start that
// finds
//    the record has the line, and one that does not drops it.
// T3 Meanwhile no retained segment is removed, unless the disk is full: then this fails.
// T4 The commands of a unit come one by one: where nobody looks, nothing has to be at one instant.
#pragma once

#include <memory>
#include <string>

#include "persistence/rdb/rdb_transfer.h"
#include "server/command/effect_replay.h"
#include "server/event_loop.h"
#include "server/restore_plan.h"
#include "server/session/session.h"

namespace verso::server {

class Server;

class RestoreTo final : private PollTarget {
 public:
  explicit RestoreTo(Server* server);
  ~RestoreTo();
  RestoreTo(const RestoreTo&) = delete;
  RestoreTo& operator=(const RestoreTo&) = delete;

  // What a client waits for, with its result once it has one.
  struct Job {
    ClientHandle client;
    std::string target;  // as it was spelled
    std::string name;
    bool ended = false;
    std::string error;  // an error reply
    uint64_t sequence = 0;
  };
  // Requires: not running(); the name is free; the log is on.
  void Start(RestoreRequest request, ByteView target, ByteView name, ClientHandle client);
  bool running() const { return job_ != nullptr; }
  // Null: this client waits for none.
  const Job* JobOf(ClientHandle client) const {
    return job_ != nullptr && job_->client == client ? job_.get() : nullptr;
  }

  // Once a turn. True: there is more to do at once.
  bool Work();

  // For INFO.
  struct Report {
    bool running = false;
    uint64_t commands = 0;  // repeated by the running one, else by the last
    bool failed = false;    // the last one
    std::string error;
  };
  Report report() const;

 private:
  class Child;
  enum class Step : uint8_t { kAsked, kBuilding, kSaving };

  void OnReady(uint32_t) override {}  // the turn that follows does the work
  std::string StartChild();           // empty: good
  void Unwatch();
  bool Build();
  Status Begin(ByteView plan);
  // Of the commands that have come, until the time is up. False: all.
  bool ApplySome(uint64_t until_us);
  void Save();
  std::string Name();
  void End(const std::string& error);

  Server* server_;
  std::unique_ptr<Job> job_;
  RestoreRequest request_;
  Step step_ = Step::kAsked;
  std::unique_ptr<Child> child_;
  int pipe_fd_ = -1;  // in the loop's set
  int pid_fd_ = -1;
  storage::Line* line_ = nullptr;  // null until the plan is there
  std::unique_ptr<EffectReplay> replay_;
  ByteView commands_;  // of the last message, which its child holds
  bool save_begun_ = false;
  uint64_t saves_before_ = 0;
  uint64_t began_ms_ = 0;
  Report last_;
};

}  // namespace verso::server
