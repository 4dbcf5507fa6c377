#include "server/restore_to.h"

#include <utility>

#include "server/command/version_ref.h"
#include "server/logging.h"
#include "server/restore_reader.h"
#include "server/server.h"
#include "storage/base/monotonic_time.h"
#include "storage/memory/branches.h"
#include "storage/memory/snapshots.h"

namespace verso::server {
namespace {

using persistence::MessageBuffer;
using persistence::MessageType;

constexpr uint64_t kBuildUs = 300;  // of a turn

// What is repeated has been recorded, and its FLUSHALL is no reason to save.
class Unrecorded {
 public:
  explicit Unrecorded(ServerState* state)
      : state_(*state),
        consumer_(std::exchange(state->effect_consumer, nullptr)),
        all_flushed_(state->environment.all_flushed) {
    state_.changes.set_consumer(nullptr);
  }
  ~Unrecorded() {
    state_.effect_consumer = consumer_;
    state_.changes.set_consumer(consumer_);
    state_.environment.all_flushed = all_flushed_;
  }
  Unrecorded(const Unrecorded&) = delete;
  Unrecorded& operator=(const Unrecorded&) = delete;

 private:
  ServerState& state_;
  EffectConsumer* const consumer_;
  const bool all_flushed_;
};

}  // namespace

class RestoreTo::Child final : public persistence::RdbChild {
 public:
  Status Start(const OperationLog& log, const RestoreRequest& request) {
    return RdbChild::Start({}, [&](persistence::ChildReport* report) {
      const RestoreSinks sinks = {
          [report](ByteView plan) { report->Send(MessageType::kPlan, plan); },
          [report](ByteView commands) { report->Send(MessageType::kCommands, commands); }};
      const Status read = ReadForRestore(log.directory(), log.store_id(), request, sinks);
      if (read) return persistence::kExitDone;
      report->Fail(read.error());
      return persistence::kExitFailed;
    });
  }
  using RdbChild::NextMessage;
};

RestoreTo::RestoreTo(Server* server) : server_(server) {}
RestoreTo::~RestoreTo() = default;

void RestoreTo::Start(RestoreRequest request, ByteView target, ByteView name, ClientHandle client) {
  job_ = std::make_unique<Job>();
  job_->client = client;
  job_->target = target;
  job_->name = name;
  request_ = std::move(request);
  step_ = Step::kAsked;
  save_begun_ = false;
  last_ = Report();
  began_ms_ = server_->state().now_ms;
  server_->log().set_held(true);  // T3
  server_->loop().Wake();
  LogNotice("RESTORE-TO {} AS {} started", target, name);
}

bool RestoreTo::Work() {
  if (job_ == nullptr) return false;
  const ServerState& state = server_->state();
  const uint64_t maxmemory = state.settings.maxmemory;
  if (step_ != Step::kSaving && maxmemory != 0 && state.used_memory() > maxmemory) {
    End("OOM what is restored does not fit into maxmemory");
    return false;
  }
  switch (step_) {
    case Step::kAsked: {
      const OperationLog& log = server_->log();
      if (log.on() && log.report().written < request_.through) {
        if (!log.healthy()) End("MISCONF the operation log cannot be written: " + state.log_error);
        return false;
      }
      if (const std::string error = StartChild(); !error.empty()) {
        End(error);
        return false;
      }
      step_ = Step::kBuilding;
      return false;
    }
    case Step::kBuilding:
      return Build();
    case Step::kSaving:
      Save();
      return false;
  }
  return false;
}

std::string RestoreTo::StartChild() {
  child_ = std::make_unique<Child>();
  if (const Status started = child_->Start(server_->log(), request_); !started) {
    child_.reset();
    return "ERR " + started.error().context;
  }
  pipe_fd_ = child_->pipe_fd();
  pid_fd_ = child_->pid_fd();
  server_->loop().Add(pipe_fd_, EPOLLIN, this);
  server_->loop().Add(pid_fd_, EPOLLIN, this);
  return {};
}

void RestoreTo::Unwatch() {
  for (int* fd : {&pipe_fd_, &pid_fd_}) {
    if (*fd >= 0) server_->loop().Remove(*fd);
    *fd = -1;
  }
}

bool RestoreTo::Build() {
  const uint64_t until_us = MonotonicUs() + kBuildUs;
  while (!child_->ended()) {
    if (!commands_.empty() && ApplySome(until_us)) return true;
    if (job_ == nullptr) return false;  // one could not be repeated
    MessageBuffer::Message message;
    if (!child_->NextMessage(&message)) break;
    if (message.type == MessageType::kCommands) commands_ = message.payload;
    if (message.type != MessageType::kPlan) continue;
    if (const Status begun = Begin(message.payload); !begun) {
      End("ERR " + begun.error().context);
      return false;
    }
  }
  if (!child_->pipe_open() && pipe_fd_ >= 0) {  // it would be ready for ever
    server_->loop().Remove(pipe_fd_);
    pipe_fd_ = -1;
  }
  if (!child_->ended()) return false;
  if (!child_->error().empty()) {
    End("ERR " + child_->error());
    return false;
  }
  Unwatch();
  child_.reset();
  replay_.reset();
  server_->log().set_held(false);
  LogNotice("RESTORE-TO {} AS {}: {} commands repeated up to record {} in {} ms", job_->target,
            job_->name, last_.commands, job_->sequence, server_->clock().NowMs() - began_ms_);
  step_ = Step::kSaving;
  return true;
}

Status RestoreTo::Begin(ByteView message) {
  const RestorePlan plan = DecodePlan(message);
  storage::Store& store = server_->store();
  job_->sequence = plan.sequence;
  if (plan.snapshot.empty()) {
    line_ = store.NewUnnamed();
  } else {
    const storage::Snapshot* const snapshot = store.snapshots().Find(plan.snapshot);
    if (snapshot == nullptr || snapshot->line->id() != plan.line) {
      return Error{ErrorCode::kNotFound, "the snapshot '" + plan.snapshot +
                                             "', which it was to begin with, has gone: try again"};
    }
    line_ = store.Fork(*snapshot->line, snapshot->epoch, false);
  }
  replay_ = std::make_unique<EffectReplay>(&server_->dispatcher(), &server_->state());
  return {};
}

bool RestoreTo::ApplySome(uint64_t until_us) {
  ServerState& state = server_->state();
  std::string error;
  {
    const Unrecorded unrecorded(&state);
    RestoreCommand command;
    while (error.empty() && TakeCommand(&commands_, &command)) {
      ++last_.commands;
      const Status applied = replay_->ApplyIn(line_, command.db, command.time_ms, command.payload);
      if (!applied && applied.error().code == ErrorCode::kOutOfMemory) {
        error = "OOM no room for what is restored: " + applied.error().context;
      } else if (!applied) {
        error = "ERR cannot be repeated: " + applied.error().context;
      }
      if (MonotonicUs() >= until_us) break;
    }
  }
  if (!error.empty()) {
    End(error);
    return false;
  }
  return !commands_.empty() || MonotonicUs() >= until_us;
}

// T2
void RestoreTo::Save() {
  SaveControl* const saves = server_->saves();
  if (saves == nullptr) return End("ERR there is no store to save to");
  if (saves->running() || saves->streaming()) return;
  if (!save_begun_) {
    saves_before_ = saves->report().saves;
    if (const Status started = server_->StartSave(); !started) {
      return End("ERR the save that makes it last: " + started.error().context);
    }
    save_begun_ = true;
    return;
  }
  if (saves->report().saves == saves_before_) {
    return End("ERR the save that makes it last: " + saves->report().last_error);
  }
  End(Name());
}

// Since it began others may have taken the name, or the last place.
std::string RestoreTo::Name() {
  storage::Store& store = server_->store();
  ServerState& state = server_->state();
  if (std::string taken = NameTaken(store, job_->name); !taken.empty()) return taken;
  if (std::string full = BranchesFull(state); !full.empty()) return full;
  if (!state.log_error.empty()) {
    return "MISCONF the operation log cannot be written: " + state.log_error;
  }
  const storage::Branch* const of = store.branches().Find(request_.branch);
  const ByteView parent = of != nullptr ? of->name : store.branches().main().name;
  store.branches().TakeUnnamed(job_->name, line_, parent, state.now_ms);
  UnitScope unit = state.UnitOfMain();
  unit.Emit({"RESTORE-TO", std::to_string(job_->sequence), "AS", job_->name, "LINE",
             std::to_string(line_->id()), "OF", parent});
  line_ = nullptr;
  return {};
}

void RestoreTo::End(const std::string& error) {
  Unwatch();
  commands_ = {};
  child_.reset();
  replay_.reset();
  server_->log().set_held(false);
  if (line_ != nullptr) server_->store().DropHead(std::exchange(line_, nullptr));
  job_->error = error;
  job_->ended = true;
  last_.failed = !error.empty();
  last_.error = error;
  if (last_.failed) {
    LogWarning("RESTORE-TO {} AS {} failed: {}", job_->target, job_->name, error);
  } else {
    LogNotice("RESTORE-TO {} AS {} ended", job_->target, job_->name);
  }
  // Its command runs again, and finds the result. Whoever is gone hears nothing.
  if (Connection* connection = server_->Find(job_->client)) connection->RunHeld();
  job_.reset();
}

RestoreTo::Report RestoreTo::report() const {
  Report report = last_;
  report.running = job_ != nullptr;
  return report;
}

}  // namespace verso::server
