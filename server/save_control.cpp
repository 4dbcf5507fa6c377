#include "server/save_control.h"

#include <unistd.h>

#include <algorithm>
#include <map>

#include "persistence/persistence.h"
#include "server/event_loop.h"
#include "server/logging.h"
#include "server/settings.h"

namespace verso::server {
namespace {

using persistence::LoadState;
using persistence::Persistence;
using persistence::PersistenceOptions;

class PersistenceSaves final : public SaveControl, public PollTarget {
 public:
  explicit PersistenceSaves(const Clock* clock) : clock_(clock) {}
  ~PersistenceSaves() override { persistence_.reset(); }

  Status Open(const Settings& settings) {
    PersistenceOptions options;
    options.directory = settings.dir;
    options.log_follows = true;
    options.log = [](persistence::LogLevel level, std::string_view text) {
      if (level == persistence::LogLevel::kInfo) {
        LogNotice("{}", text);
      } else {
        LogWarning("{}", text);
      }
    };
    options.watch = [this](int fd) {
      watched_.push_back(fd);
      if (loop_ != nullptr) loop_->Add(fd, EPOLLIN, this);
    };
    options.unwatch = [this](int fd) {
      watched_.erase(std::remove(watched_.begin(), watched_.end(), fd), watched_.end());
      if (loop_ != nullptr) loop_->Remove(fd);
    };
    options.fatal = [](const std::string& why) {
      LogWarning("Fatal error: data that a command needs cannot be read: {}. Exiting.", why);
      _exit(1);  // from the middle of that command: nothing else may run any more
    };
    VERSO_TRY(persistence_, Persistence::Open(std::move(options)));
    return {};
  }

  Result<std::unique_ptr<storage::Store>> MakeStore(const Settings& settings) {
    storage::StoreOptions options;
    options.arena.directory = settings.arena_dir;
    options.clock = clock_;
    options.secret = persistence_->secret();
    VERSO_TRY(std::unique_ptr<storage::Store> store, storage::Store::Create(options));
    while (store->arena().Tick(false)) {  // the reserve is there before the first client
    }
    VERSO_TRY_STATUS(persistence_->StartLoad(store.get()));
    store_ = store.get();
    load_told_ = !persistence_->loading();
    return store;
  }

  persistence::LoadStatus load_status() const { return persistence_->load_status(); }
  const persistence::Id& store_id() const { return persistence_->store_id(); }

  // ---- SaveControl
  void Attach(EventLoop* loop) override {
    loop_ = loop;
    for (const int fd : watched_) loop_->Add(fd, EPOLLIN, this);
  }

  Status Start(uint64_t log_position) override {
    auto started = persistence_->StartSave(store_, log_position);
    if (!started) return std::move(started).error();
    ++forks_;
    save_told_ = false;
    return {};
  }

  SaveEvent Poll() override {
    persistence_->Poll();
    const LoadState load = persistence_->load_status().state;
    if (!load_told_ && load != LoadState::kLoading) {
      load_told_ = true;
      stream_told_ = load != LoadState::kStreaming;
      return load == LoadState::kFailed ? SaveEvent::kLoadFailed : SaveEvent::kLoaded;
    }
    if (!stream_told_ && load != LoadState::kStreaming) {
      stream_told_ = true;
      if (load == LoadState::kFailed) return SaveEvent::kLoadFailed;
    }
    if (!save_told_ && !persistence_->saving()) {
      save_told_ = true;
      return persistence_->save_status().last == persistence::LastSave::kFailed
                 ? SaveEvent::kFailed
                 : SaveEvent::kCommitted;
    }
    return SaveEvent::kNothing;
  }

  void Wait() override { persistence_->WaitSave(-1); }
  void Kill() override { persistence_->AbortSave(); }
  bool loading() const override { return persistence_->loading(); }
  bool streaming() const override { return persistence_->streaming(); }
  void WaitStreamed() override { persistence_->WaitLoad(-1); }
  // Until its end has been told: between, its outcome would be neither old nor new.
  bool running() const override { return persistence_->saving() || !save_told_; }
  bool news_expected() const override { return !load_told_ || !stream_told_ || !save_told_; }

  SaveReport report() const override {
    const persistence::SaveStatus save = persistence_->save_status();
    const persistence::LoadStatus load = persistence_->load_status();
    SaveReport report;
    report.running = running();
    report.resolving = save.resolving;
    report.last_failed = save.last == persistence::LastSave::kFailed;
    report.last_error = load.state == LoadState::kFailed ? load.error : save.last_error;
    report.last_save_time = static_cast<int64_t>(save.last_ok_ms / 1000);
    report.log_position = save.last_ok_log_position;
    if (save.last != persistence::LastSave::kNone) {
      report.last_seconds = static_cast<int64_t>(save.last_duration_ms / 1000);
    }
    if (report.running) {
      report.running_seconds = static_cast<int64_t>((clock_->NowMs() - save.started_ms) / 1000);
    }
    report.saves = save.saves_ok;
    report.forks = forks_;
    report.fork_us = save.last_fork_usec;
    report.pin_us = save.last_pin_usec;
    report.pages_written = save.pages_done;
    report.pages_total = save.pages_total;
    report.bytes_written = save.bytes_done;
    report.bytes_total = save.bytes_total;
    report.child_private_bytes = save.child_private_bytes;
    report.load_bytes_done = load.bytes_done;
    report.load_bytes_total = load.bytes_total;
    report.load_pages_done = load.pages_done;
    report.load_pages_total = load.pages_total;
    report.load_serving_ms = load.serving_ms;
    report.load_pages_awaited = load.pages_awaited;
    return report;
  }

  // ---- PollTarget: the turn that follows asks Poll().
  void OnReady(uint32_t) override { persistence_->Poll(); }

 private:
  const Clock* clock_;
  EventLoop* loop_ = nullptr;
  storage::Store* store_ = nullptr;
  std::vector<int> watched_;
  bool load_told_ = true;
  bool stream_told_ = true;
  bool save_told_ = true;
  uint64_t forks_ = 0;
  std::unique_ptr<Persistence> persistence_;
};

}  // namespace

Result<OpenedStore> OpenStore(const Settings& settings, const Clock* clock) {
  auto saves = std::make_unique<PersistenceSaves>(clock);
  VERSO_TRY_STATUS(saves->Open(settings));
  OpenedStore opened;
  VERSO_TRY(opened.store, saves->MakeStore(settings));
  if (saves->load_status().state == LoadState::kFailed) {
    return Error{ErrorCode::kCorruption, saves->load_status().error};
  }
  opened.store_id = saves->store_id();
  opened.saves = std::move(saves);
  return opened;
}

}  // namespace verso::server
