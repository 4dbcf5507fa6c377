#include "persistence/persistence.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "persistence/log/log_repair.h"
#include "persistence/snapshot_loader.h"
#include "persistence/snapshot_writer.h"
#include "storage/base/check.h"
#include "storage/base/monotonic_time.h"

namespace verso::persistence {

namespace {

using storage::SaveOutcome;

constexpr uint64_t kResolverPauseMs = 1000;
constexpr int kPollMs = 20;
constexpr int kCompactionsStoppedMax = 3;

uint64_t MonotonicMs() { return MonotonicUs() / 1000; }

std::string Mib(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

// What holds for every directory before a child looks into the store.
Result<StoreIdentity> CheckDirectory(const std::string& directory) {
  const SnapshotPaths paths = SnapshotPaths::In(directory);
  const bool has_store = PathExists(paths.store);
  auto identity = ReadIdentity(paths.identity);
  if (!identity && identity.error().code == ErrorCode::kNotFound && has_store) {
    return Error{ErrorCode::kCorruption,
                 paths.identity + ": is missing, but there is " + paths.store};
  }
  if (!identity) return identity;
  if (!has_store && identity->epoch != 0) {
    return Error{ErrorCode::kCorruption, paths.store + ": is missing, but " + paths.identity +
                                             " says that epoch " + std::to_string(identity->epoch) +
                                             " was saved"};
  }
  if (has_store && !PathExists(paths.store + "/CURRENT")) {
    return Error{ErrorCode::kCorruption, paths.store + "/CURRENT: is missing"};
  }
  return identity;
}

}  // namespace

// ---- start

Result<std::unique_ptr<Persistence>> Persistence::Open(PersistenceOptions options) {
  if (options.directory.empty()) {
    return Error{ErrorCode::kInvalidArgument, "no directory for the store"};
  }
  while (options.directory.size() > 1 && options.directory.back() == '/')
    options.directory.pop_back();
  std::unique_ptr<Persistence> persistence(new Persistence(std::move(options)));
  VERSO_TRY_STATUS(persistence->PrepareDirectory());
  VERSO_TRY(persistence->control_, MakeShared<ControlBlock>("mmap of a control block"));
  return persistence;
}

Status Persistence::PrepareDirectory() {
  const std::string& directory = options_.directory;
  const SnapshotPaths paths = SnapshotPaths::In(directory);
  store_path_ = paths.store;
  VERSO_TRY_STATUS(MakeDirectory(directory));
  VERSO_TRY(directory_lock_, LockDirectory(directory));
  if (PathExists(paths.store)) VERSO_TRY_STATUS(AwaitStoreLock(paths.store, options_.lock_wait_ms));
  VERSO_TRY_STATUS(RemoveDirectoryOfFiles(paths.ingest));
  VERSO_TRY_STATUS(RemoveDirectoryOfFiles(paths.store + ".new"));

  auto identity = CheckDirectory(directory);
  if (!identity && identity.error().code != ErrorCode::kNotFound) return identity.error();
  if (identity) {
    identity_ = *identity;
    return {};
  }
  identity_.store_id = Id::Random();
  identity_.secret = HashSecret::Random();
  return WriteIdentity(paths.identity, identity_);
}

Status Persistence::StartChild(std::span<const int> keep_fds,
                               const std::function<int(ChildReport*)>& body) {
  VERSO_CHECK(child_.pid <= 0);
  new (control_.get()) ControlBlock;  // the child before this one is gone
  child_error_.clear();
  messages_.Clear();
  VERSO_TRY(child_, ForkChild(keep_fds, body));
  if (options_.watch) {
    options_.watch(child_.pipe_fd.get());
    options_.watch(child_.pid_fd.get());
  }
  return {};
}

void Persistence::CloseChild() {
  for (OwnedFd* fd : {&child_.pipe_fd, &child_.pid_fd}) {
    if (*fd && options_.unwatch) options_.unwatch(fd->get());
    fd->Reset();
  }
  child_.pid = -1;
}

// ---- save

Result<SaveStarted> Persistence::StartSave(storage::Store* store, uint64_t log_position) {
  if (loading()) return Error{ErrorCode::kBusy, "the snapshot is being loaded"};
  if (load_.state == LoadState::kFailed) {
    return Error{ErrorCode::kBusy, "the store could not be loaded, so it is not written"};
  }
  if (streaming()) return Error{ErrorCode::kBusy, "the snapshot is still being brought in"};
  if (saving()) return Error{ErrorCode::kBusy, "a save is in progress"};
  if (job_ == Job::kSave) {  // its outcome is certain; it compacts, or is about to end
    const auto phase = static_cast<SavePhase>(control_->phase.load(std::memory_order_relaxed));
    if (phase == SavePhase::kCompacting) ++compactions_stopped_;
    KillChild();
  }
  VERSO_CHECK(!store->arena().pending());  // the child could not wait for pages
  store_ = store;
  save_id_ = Id::Random();
  save_.started_ms = store->clock().NowMs();
  save_.pages_done = save_.pages_total = save_.bytes_done = save_.bytes_total = 0;
  save_started_ = MonotonicMs();
  forwarded_ = Ref{};
  outcome_told_ = false;

  const uint64_t pin_started = MonotonicUs();
  SaveTask task;
  task.start = store->BeginSave();
  save_.last_pin_usec = MonotonicUs() - pin_started;
  save_epoch_ = task.start.epoch;
  save_log_position_ = task.log_position = log_position;
  task.paths = SnapshotPaths::In(options_.directory);
  task.identity = identity_;
  task.arena = &store->arena();
  task.control = control_.get();
  task.save_id = save_id_;
  task.time_ms = save_.started_ms;
  task.fault = options_.fault;
  task.compact_first = compactions_stopped_ >= kCompactionsStoppedMax;
  const int keep[] = {store->arena().fd()};
  job_ = Job::kSave;
  const Status started =
      StartChild(keep, [&task](ChildReport* report) { return RunSnapshotWriter(task, report); });
  if (!started) {
    EndSave(SaveOutcome::kFailed, started.error().context);
    job_ = Job::kNone;
    return started.error();
  }
  save_.last_fork_usec = child_.fork_usec;
  return SaveStarted{save_.last_fork_usec, save_.last_pin_usec};
}

SaveStatus Persistence::save_status() const {
  SaveStatus status = save_;
  status.in_progress = saving();
  status.resolving = job_ == Job::kResolve;
  if (job_ == Job::kSave) {
    status.phase = static_cast<SavePhase>(control_->phase.load(std::memory_order_relaxed));
    status.pages_done = control_->pages_done.load(std::memory_order_relaxed);
    status.pages_total = control_->pages_total.load(std::memory_order_relaxed);
    status.bytes_done = control_->bytes_done.load(std::memory_order_relaxed);
    status.bytes_total = control_->bytes_total.load(std::memory_order_relaxed);
    status.child_private_bytes = control_->private_bytes.load(std::memory_order_relaxed);
  }
  return status;
}

void Persistence::ForwardWatermark() {
  Ref watermark;
  if (job_ != Job::kSave || outcome_told_ || !control_->ReadWatermark(&watermark)) return;
  if (watermark == forwarded_) return;
  forwarded_ = watermark;
  store_->SaveProgress(watermark);
}

// The outcome is certain: the Store may let go of what the save held.
void Persistence::EndSave(SaveOutcome outcome, const std::string& why) {
  VERSO_CHECK(!outcome_told_);
  outcome_told_ = true;
  store_->EndSave(outcome);
  save_.last_duration_ms = MonotonicMs() - save_started_;
  if (outcome == SaveOutcome::kCommitted) {
    identity_.epoch = save_epoch_;
    identity_.save_id = save_id_;
    save_.last = LastSave::kOk;
    save_.last_error.clear();
    save_.last_ok_ms = save_.started_ms;
    save_.last_ok_log_position = save_log_position_;
    ++save_.saves_ok;
    Log(LogLevel::kInfo, "saved epoch " + std::to_string(save_epoch_) + ": " +
                             std::to_string(save_.pages_done) + " pages, " + Mib(save_.bytes_done) +
                             " in " + std::to_string(save_.last_duration_ms) + " ms (fork " +
                             std::to_string(save_.last_fork_usec) + " us)");
  } else {
    save_.last = LastSave::kFailed;
    save_.last_error = why;
    ++save_.saves_failed;
    Log(LogLevel::kError, "save failed: " + why);
  }
}

void Persistence::StartResolver() {
  job_ = Job::kResolve;
  resolved_.reset();
  resolver_due_ =
      MonotonicMs() + kResolverPauseMs;  // of the next one, should this one not find out
  ResolveTask task{SnapshotPaths::In(options_.directory), identity_};
  if (options_.resolvers_to_die > 0) {
    --options_.resolvers_to_die;
    task.fault = FaultPoint::kMidResolve;
  }
  const Status started =
      StartChild({}, [&task](ChildReport* report) { return RunResolver(task, report); });
  if (!started)
    Log(LogLevel::kWarning,
        "cannot find out whether the save was committed: " + started.error().context);
}

void Persistence::AbortSave() {
  if (saving() && child_.pid > 0) KillChild();
}

// ---- children

void Persistence::Poll() {
  if (child_.pid > 0) {
    // In this order: what a dead child wrote is complete.
    int wait_status = 0;
    const bool gone = waitpid(child_.pid, &wait_status, WNOHANG) == child_.pid;
    ReadMessages(gone);
    if (serve_due_ && (!gone || load_complete_)) BeginServing();
    if (child_.pid <= 0) return;  // its end was seen there
    if (gone) {
      OnChildGone(wait_status);
      if (serve_due_ && streaming()) BeginServing();  // with the help of the next loader
    } else {
      ForwardWatermark();
    }
  } else if (job_ == Job::kResolve && MonotonicMs() >= resolver_due_) {
    StartResolver();
  } else if (streaming()) {
    LookAtLoader();
  }
}

void Persistence::KillChild() {
  kill(child_.pid, SIGKILL);
  int wait_status = 0;
  while (waitpid(child_.pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  ReadMessages(true);
  OnChildGone(wait_status);
}

void Persistence::ReadMessages(bool to_the_end) {
  bool more = static_cast<bool>(child_.pipe_fd);
  while (more) {
    more = messages_.Fill(child_.pipe_fd.get());
    if (!more) {
      if (options_.unwatch) options_.unwatch(child_.pipe_fd.get());
      child_.pipe_fd.Reset();
    }
    MessageBuffer::Message message;
    while (messages_.Next(&message)) OnMessage(message);
    if (!to_the_end) break;
  }
}

void Persistence::OnMessage(const MessageBuffer::Message& message) {
  const ByteView payload = message.payload;
  switch (message.type) {
    case MessageType::kLogLine:
      return Log(static_cast<LogLevel>(payload[0]), std::string(payload.substr(1)));
    case MessageType::kError:
      if (child_error_.empty()) child_error_ = payload.substr(1);
      return;
    case MessageType::kProgress:
    case MessageType::kRecords:  // of other children (rdb/rdb_transfer.h)
    case MessageType::kSkipped:
    case MessageType::kCount:
    case MessageType::kDumpBytes:
    case MessageType::kPlan:
    case MessageType::kCommands:
      return;
    case MessageType::kCommitted:
      save_.pages_done = save_.pages_total = control_->pages_done.load(std::memory_order_relaxed);
      save_.bytes_done = save_.bytes_total = control_->bytes_done.load(std::memory_order_relaxed);
      save_.child_private_bytes = control_->private_bytes.load(std::memory_order_relaxed);
      if (!outcome_told_) EndSave(SaveOutcome::kCommitted, {});
      return;
    case MessageType::kCatalogue:
      return OnCatalogue(payload);
    case MessageType::kGroup:
      return OnGroup(payload);
    case MessageType::kServe:
      return OnServe(payload);
    case MessageType::kLoaded:
      load_complete_ = true;
      return;
    case MessageType::kNewestSave: {
      Id id;
      std::memcpy(id.bytes.data(), payload.data(), id.bytes.size());
      resolved_ = id;
      resolved_epoch_ = LoadLe<uint64_t>(payload.data() + id.bytes.size());
      return;
    }
  }
}

void Persistence::OnChildGone(int wait_status) {
  const bool done = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == kExitDone;
  const std::string why = child_error_.empty() ? DeathText(wait_status) : child_error_;
  const Job job = job_;
  CloseChild();

  if (job == Job::kLoad) return OnLoaderGone(done, why);
  if (job == Job::kSave) {
    save_.pages_done = control_->pages_done.load(std::memory_order_relaxed);
    save_.bytes_done = control_->bytes_done.load(std::memory_order_relaxed);
    save_.pages_total = control_->pages_total.load(std::memory_order_relaxed);
    save_.bytes_total = control_->bytes_total.load(std::memory_order_relaxed);
    save_.child_private_bytes = control_->private_bytes.load(std::memory_order_relaxed);
    job_ = Job::kNone;
    if (control_->committed.load() != 0) {  // C1
      if (!outcome_told_) EndSave(SaveOutcome::kCommitted, {});
      const bool compacting = control_->phase.load(std::memory_order_relaxed) ==
                              static_cast<uint32_t>(SavePhase::kCompacting);
      if (done) compactions_stopped_ = 0;
      if (!done && !compacting) Log(LogLevel::kWarning, "after the commit: " + why);
    } else if (control_->committing.load() == 0) {
      EndSave(SaveOutcome::kFailed, why);
    } else {
      Log(LogLevel::kWarning, why + "; reading the store to see whether the save was committed");
      save_.last_error = why;
      StartResolver();
    }
    return;
  }
  // A resolver. Without an answer the save stays open and Poll starts the next one.
  if (!done || !resolved_) {
    Log(LogLevel::kWarning, "still not known whether the save was committed: " + why);
    return;
  }
  job_ = Job::kNone;
  if (*resolved_ == save_id_ && resolved_epoch_ == save_epoch_) {
    EndSave(SaveOutcome::kCommitted, {});
  } else {
    EndSave(SaveOutcome::kFailed, save_.last_error);
  }
}

bool Persistence::WaitWhile(const std::function<bool()>& busy, int timeout_ms) {
  const uint64_t started = MonotonicMs();
  while (busy()) {
    if (timeout_ms >= 0 && MonotonicMs() - started >= static_cast<uint64_t>(timeout_ms))
      return false;
    pollfd fds[] = {{child_.pipe_fd.get(), POLLIN, 0}, {child_.pid_fd.get(), POLLIN, 0}};
    poll(fds, 2, kPollMs);
    Poll();
  }
  return true;
}

bool Persistence::WaitSave(int timeout_ms) {
  return WaitWhile([this] { return saving(); }, timeout_ms);
}

bool Persistence::WaitIdle(int timeout_ms) {
  return WaitWhile([this] { return job_ == Job::kSave || job_ == Job::kResolve; }, timeout_ms);
}

bool Persistence::WaitLoad(int timeout_ms) {
  return WaitWhile([this] { return loading() || streaming(); }, timeout_ms);
}

void Persistence::Log(LogLevel level, const std::string& text) const {
  if (options_.log) options_.log(level, text);
}

// ---- check

namespace {

// Reads and verifies every page. `log_position`: of the newest save.
Status CheckPages(const SnapshotPaths& paths, const StoreIdentity& identity,
                  uint64_t* log_position) {
  if (!PathExists(paths.store)) return {};
  VERSO_TRY(const Shared<ControlBlock> control,
            MakeShared<ControlBlock>("mmap of a control block"));
  LoadTask task;
  task.paths = paths;
  task.identity = identity;
  task.control = control.get();
  VERSO_TRY(const Child child, ForkChild({}, [&task](ChildReport* report) {
              return RunSnapshotLoader(task, report);
            }));
  MessageBuffer messages;
  std::string error;
  bool open = true;
  while (open) {
    pollfd wait = {child.pipe_fd.get(), POLLIN, 0};
    poll(&wait, 1, -1);
    open = messages.Fill(child.pipe_fd.get());
    MessageBuffer::Message message;
    while (messages.Next(&message)) {
      if (message.type == MessageType::kError) error = message.payload.substr(1);
      if (message.type != MessageType::kCatalogue) continue;
      const auto key = EncodeCatalogueKey(LoadLe<uint64_t>(message.payload.data() + 56));
      VERSO_TRY(const CatalogueEntry entry,
                DecodeCatalogue({key.data(), key.size()}, message.payload));
      *log_position = entry.log_position;
    }
  }
  int wait_status = 0;
  while (waitpid(child.pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == kExitDone) return {};
  return Error{ErrorCode::kCorruption,
               error.empty() ? paths.store + ": " + DeathText(wait_status) : error};
}

}  // namespace

Result<std::string> CheckStore(const std::string& directory) {
  VERSO_TRY(const StoreIdentity identity, CheckDirectory(directory));
  uint64_t log_position = 0;
  VERSO_TRY_STATUS(CheckPages(SnapshotPaths::In(directory), identity, &log_position));
  std::string report = directory + ": the store is whole\n";
  VERSO_TRY_STATUS(CheckLog(directory, identity.store_id, log_position, &report));
  return report;
}

}  // namespace verso::persistence
