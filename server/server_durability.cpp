// Where the server's data comes from and goes to: the start, saves, who waits for the operation
// log.
#include <algorithm>
#include <utility>

#include "server/logging.h"
#include "server/server.h"

namespace verso::server {
namespace {

constexpr int64_t kSaveRetrySeconds = 5;
// So many bytes of operation log make a save, or a quarter of the data; but where so much is
// written that saves would follow each other without a pause, they take a tenth of the time.
constexpr uint64_t kLogBytesMin = 64 << 20;
constexpr uint64_t kPauseOfSaves = 9;
constexpr uint64_t kAskPagesMs = 100;

}  // namespace

// ---------------------------------------------------------------- start

bool Server::BringBack(const std::string& import) {
  import_ = import;
  if (!state_.loading) Loaded();
  return exit_status_ == 0;
}

void Server::Loaded() {
  const uint64_t position = saves_ != nullptr ? saves_->report().log_position : 0;
  if (const Status begun = log_.StartReplay(position); !begun) {
    LoadFailed(begun.error().context);
    return;
  }
  state_.loading = true;
  loop_.Wake();
  ReplaySome();  // mostly there is little, and nobody shall see -LOADING for that
}

void Server::ReplaySome() {
  const Status repeated = log_.ReplaySome();
  if (!repeated) {
    LoadFailed(repeated.error().context);
  } else if (!log_.replaying()) {
    Replayed();
  }
}

void Server::Replayed() {
  const bool saved = saves_ != nullptr && saves_->report().last_save_time != 0;
  const bool fresh = log_.appended() == 0 && !saved;
  const Settings& settings = state_.settings;
  if (!import_.empty()) {
    if (!fresh) return LoadFailed("'" + settings.dir + "' holds data already");
    return TakeOver(RedisFilesAt(settings, import_));
  }
  Result<std::optional<RedisFiles>> found = FindRedisFiles(settings, settings.dir);
  if (!fresh) {
    if (!found) LogNotice("The files of Redis are not read: there is data already");
    if (found && *found) LogNotice("{} is not read: there is data already", (*found)->name);
    return Serve(false);
  }
  if (!found) return LoadFailed(found.error().context);
  if (!*found) return Serve(false);
  TakeOver(**std::move(found));
}

void Server::TakeOver(Result<RedisFiles> files) {
  const Status begun = files ? takeover_.Start(*std::move(files)) : Status(files.error());
  if (!begun) return LoadFailed(begun.error().context);
  state_.loading = true;
  loop_.Wake();
}

void Server::Serve(bool imported) {
  if (state_.settings.appendonly) {
    const Status on = log_.SwitchOn(imported);
    if (!on) return LoadFailed(on.error().context);
    // The log builds on a save. Until there is one a start would go back to the files of Redis,
    // without what had been acknowledged since; so there is one before anything can be.
    if (imported && saves_ != nullptr) {
      first_save_ = true;
      const Status saving = StartSave();
      if (!saving) LoadFailed(saving.error().context);
      return;
    }
  }
  EndLoading();
}

void Server::EndLoading() {
  first_save_ = false;
  state_.loading = false;
  snapshot_schedule_.HistoryBegins();
  snapshot_schedule_.Run(state_);  // before the first write
  LogNotice("DB loaded in {} ms", clock_->NowMs() - started_ms_);
}

// Whose page has come goes on. The others ask again now and then: a loader that was killed has
// taken what was asked with it, and a full ring drops.
void Server::LookForPages() {
  const storage::PageArena& arena = store_->arena();
  const bool ask = state_.now_ms >= pages_asked_ms_ + kAskPagesMs;
  if (ask) pages_asked_ms_ = state_.now_ms;
  std::erase_if(page_list_, [&](Connection* connection) {
    if (!arena.IsThere(connection->missing_page())) {
      if (ask) arena.Ask(connection->missing_page());
      return false;
    }
    connection->PageCame();
    WantRun(connection);
    return true;
  });
}

// Never an empty start by mistake.
void Server::LoadFailed(const std::string& error) {
  LogWarning("Fatal error loading the DB: {}. Exiting.", error);
  exit_status_ = 1;
  loop_.Stop();
}

// ---------------------------------------------------------------- saving

Status Server::StartSave() {
  if (saves_ == nullptr) return Error{ErrorCode::kInvalidArgument, "there is no store to save to"};
  if (state_.loading && !first_save_) {
    return Error{ErrorCode::kBusy, "the data set is being loaded"};
  }
  save_tried_ms_ = state_.now_ms;
  const uint64_t changes = state_.changes.changes();
  const bool busy = saves_->running() || saves_->streaming();
  Status started = saves_->Start(busy ? 0 : log_.BeginSave());
  if (!started) {
    if (started.error().code != ErrorCode::kBusy) state_.last_save_failed = true;
    LogWarning("Can't save in background: {}", started.error().context);
    return started;
  }
  changes_at_save_start_ = changes;
  LogNotice("Background saving started, pin and fork took {} us", saves_->report().fork_us);
  return {};
}

Status Server::SaveNow() {
  if (saves_ != nullptr && saves_->streaming()) {
    saves_->WaitStreamed();
    NoteSaveEnd();
  }
  VERSO_TRY_STATUS(StartSave());
  saves_->Wait();
  NoteSaveEnd();
  if (state_.last_save_failed) {
    return Error{ErrorCode::kIo, saves_->report().last_error};
  }
  return {};
}

void Server::NoteSaveEnd() {
  if (saves_ == nullptr) return;
  switch (saves_->Poll()) {
    case SaveEvent::kNothing:
      return;
    case SaveEvent::kLoaded:
      Loaded();
      break;
    case SaveEvent::kLoadFailed:
      LoadFailed(saves_->report().last_error);
      break;
    case SaveEvent::kCommitted: {
      state_.last_save_failed = false;
      state_.changes.Saved(changes_at_save_start_);
      const SaveReport report = saves_->report();
      log_.Saved(report.log_position);
      save_ended_ms_ = state_.now_ms;
      save_took_ms_ = state_.now_ms - std::min(state_.now_ms, save_tried_ms_);
      LogNotice("Background saving terminated with success: {} pages, {} bytes in {} s",
                report.pages_written, report.bytes_written, report.last_seconds);
      if (first_save_) EndLoading();
      break;
    }
    case SaveEvent::kFailed:
      state_.last_save_failed = true;
      LogWarning("Background saving error: {}", saves_->report().last_error);
      if (first_save_) LoadFailed("the first save: " + saves_->report().last_error);
      break;
  }
}

int64_t Server::last_save_time() const {
  const auto started = static_cast<int64_t>(started_ms_ / 1000);
  if (saves_ == nullptr || saves_->report().last_save_time == 0) return started;
  return saves_->report().last_save_time;
}

void Server::CheckSavePoints() {
  if (saves_ == nullptr || state_.loading) return;
  if (std::exchange(state_.environment.all_flushed, false) && !state_.settings.save.empty()) {
    ScheduleSave();  // Redis, too, saves after FLUSHALL: what was removed shall not come back
  }
  if (saves_->running() || saves_->streaming()) return;
  if (save_scheduled_) {
    save_scheduled_ = false;
    if (StartSave()) return;
  }
  const auto now_s = static_cast<int64_t>(state_.now_ms / 1000);
  const bool may_try = (!state_.last_save_failed && !save_refused_) ||
                       state_.now_ms > save_tried_ms_ + uint64_t{kSaveRetrySeconds} * 1000;
  bool due = false;
  const uint64_t changes = state_.changes.changes_since_save();
  for (const SavePoint& point : state_.settings.save) {
    if (changes < static_cast<uint64_t>(point.changes)) continue;
    if (now_s - last_save_time() <= point.seconds) continue;
    if (!due) LogNotice("{} changes in {} seconds. Saving...", point.changes, point.seconds);
    due = true;
  }
  const uint64_t log_bytes = log_.bytes_since_save();
  const bool rested = state_.now_ms >= save_ended_ms_ + kPauseOfSaves * save_took_ms_;
  if (rested && log_bytes > std::max(kLogBytesMin, store_->arena().bytes_allocated() / 4)) {
    if (!due && may_try) LogNotice("{} bytes of operation log. Saving...", log_bytes);
    due = true;
  }
  // StartSave logs what is wrong; the next try comes after a pause.
  if (due && may_try) save_refused_ = !StartSave().has_value();
}

// ---------------------------------------------------------------- the operation log

void Server::WaitForLog(Connection* connection) {
  if (connection->in_log_list || connection->closed()) return;
  connection->in_log_list = true;
  log_list_.push_back(connection);
}

void Server::LogMoved() {
  for (Connection* connection : log_list_) {
    connection->in_log_list = false;
    WantFlush(connection);
  }
  log_list_.clear();
  // Whoever still waits adds itself to the new list.
  for (const ClientHandle client : std::exchange(log_waiters_, {})) {
    Connection* const connection = Find(client);
    if (connection != nullptr && connection->blocked()) connection->RunParked();
  }
}

void Server::LogFailed(bool stop) {
  if (stop) {
    LogWarning("What was not written is not acknowledged. Exiting.");
    exit_status_ = 1;
    loop_.Stop();
    return;
  }
  for (Connection* connection : log_list_) connection->CloseNow();
}

}  // namespace verso::server
