// Persistence, the part about starting: the loader, serving while it streams, and pages that are
// waited for (DESIGN 7).
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "persistence/persistence.h"
#include "persistence/snapshot_loader.h"
#include "storage/base/check.h"
#include "storage/base/monotonic_time.h"

namespace verso::persistence {

namespace {

constexpr uint64_t kLoaderPauseMs = 1000;

uint64_t MonotonicMs() { return MonotonicUs() / 1000; }

std::string Mib(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

// What the arena asks, in the middle of whatever reads.
class Persistence::Source final : public storage::PageSource {
 public:
  explicit Source(Persistence* persistence) : persistence_(persistence) {}
  void Fetch(const Ref& ref) override { persistence_->FetchPage(ref); }
  void Ask(const Ref& ref) override { persistence_->requests_->Put({ref.birth(), ref.cell()}); }
  void Damaged(const Ref& ref, const char* why) override {
    persistence_->Die(persistence_->store_path_ + ": page of birth " + std::to_string(ref.birth()) +
                      " at cell " + std::to_string(ref.cell()) + ": " + why);
  }

 private:
  Persistence* persistence_;
};

Persistence::Persistence(PersistenceOptions options)
    : options_(std::move(options)), source_(std::make_unique<Source>(this)) {}

Persistence::~Persistence() {
  // Nobody brings pages any more: rather a crash than a page of zeros.
  if (streaming()) store_->arena().image()->Serve(loaded_.epoch, nullptr);
  if (child_.pid <= 0) return;
  kill(child_.pid, SIGKILL);
  while (waitpid(child_.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  CloseChild();
}

Status Persistence::StartLoad(storage::Store* store) {
  VERSO_CHECK(load_.state == LoadState::kNotStarted && job_ == Job::kNone);
  store_ = store;
  load_started_ = MonotonicMs();
  if (!PathExists(store_path_)) {
    load_.state = LoadState::kLoaded;
    Log(LogLevel::kInfo, options_.directory + ": no store yet, starting empty");
    return {};
  }
  VERSO_TRY(requests_, MakeShared<PageRequests>("mmap of page requests"));
  VERSO_TRY_STATUS(store->arena().BeginImage());
  VERSO_TRY_STATUS(StartLoader());
  load_.state = LoadState::kLoading;
  return {};
}

Status Persistence::StartLoader() {
  LoadTask task;
  task.paths = SnapshotPaths::In(options_.directory);
  task.identity = identity_;
  task.arena = &store_->arena();
  task.requests = requests_.get();
  task.control = control_.get();
  if (++loaders_ == 1) task.fault = options_.fault;
  if (streaming()) task.serving = loaded_;
  requests_->Reset();
  loader_due_ = MonotonicMs() + kLoaderPauseMs;  // of the next one, should this one be killed
  const int keep[] = {task.arena->fd()};
  VERSO_TRY_STATUS(
      StartChild(keep, [&task](ChildReport* report) { return RunSnapshotLoader(task, report); }));
  job_ = Job::kLoad;
  return {};
}

LoadStatus Persistence::load_status() const {
  LoadStatus status = load_;
  if (loading() || streaming()) {
    status.pages_done = control_->pages_done.load(std::memory_order_relaxed);
    status.pages_total = control_->pages_total.load(std::memory_order_relaxed);
    status.bytes_done = control_->bytes_done.load(std::memory_order_relaxed);
    status.bytes_total = control_->bytes_total.load(std::memory_order_relaxed);
    status.duration_ms = MonotonicMs() - load_started_;
  }
  return status;
}

// ---- what the loader tells

void Persistence::OnCatalogue(ByteView payload) {
  const auto key = EncodeCatalogueKey(LoadLe<uint64_t>(payload.data() + 56));
  const auto entry = DecodeCatalogue({key.data(), key.size()}, payload);
  VERSO_CHECK(entry.has_value());  // our own child has just decoded it
  loaded_ = *entry;
  load_.epoch = entry->epoch;
  load_.saved_at_ms = entry->time_ms;
  load_.log_position = entry->log_position;
}

void Persistence::OnGroup(ByteView payload) {
  if (!child_error_.empty()) return;
  const auto number = LoadLe<uint32_t>(payload.data());
  const auto group = DecodeGroup(number, payload.substr(sizeof(number)));
  VERSO_CHECK(group.has_value());
  for (size_t i = 0; i < kGroupSlabs; ++i) {
    const SlabSpace& slab = group->slabs[i];
    if (slab.size_class == kSlabUnused) continue;
    const Status restored = store_->arena().Restore(
        {uint64_t{number} * kGroupSlabs + i, slab.size_class, slab.occupied.get()});
    if (restored) continue;
    child_error_ = restored.error().context;
    kill(child_.pid, SIGKILL);
    return;
  }
}

void Persistence::OnServe(ByteView payload) {
  if (!child_error_.empty()) return;
  // Both sides have numbered the words of the table alike.
  VERSO_CHECK(LoadLe<uint32_t>(payload.data()) == store_->arena().image()->words());
  serve_due_ = true;
  load_.state = LoadState::kStreaming;
}

// ---- loading -> streaming -> loaded

void Persistence::BeginServing() {
  serve_due_ = false;
  store_->arena().ServeImage(loaded_.epoch, source_.get());
  const Status restored = store_->FinishRestore(
      {loaded_.super_root, loaded_.epoch, loaded_.epoch_next, options_.log_follows});
  if (!restored) return FailLoad(store_path_ + ": " + restored.error().context);
  if (identity_.epoch != loaded_.epoch) {
    identity_.epoch = loaded_.epoch;
    identity_.save_id = loaded_.save_id;
    // The commit happened without its writer getting as far as this file.
    const Status written = WriteIdentity(SnapshotPaths::In(options_.directory).identity, identity_);
    if (!written) return FailLoad(written.error().context);
  }
  save_.last_ok_ms = loaded_.time_ms;
  save_.last_ok_log_position = loaded_.log_position;
  load_.serving_ms = MonotonicMs() - load_started_;
  Log(LogLevel::kInfo, "serving the snapshot of epoch " + std::to_string(loaded_.epoch) +
                           " after " + std::to_string(load_.serving_ms) + " ms; its " +
                           std::to_string(loaded_.live_pages) + " pages, " +
                           Mib(loaded_.live_bytes) + ", are being brought in");
}

void Persistence::OnLoaderGone(bool done, const std::string& why) {
  if (load_.state == LoadState::kFailed) {
    job_ = Job::kNone;
    return;
  }
  if (done && load_complete_) {
    job_ = Job::kNone;
    return FinishLoad();
  }
  if (streaming() && child_error_.empty()) {  // N4
    Log(LogLevel::kWarning, "loader: " + why + " while pages were streaming; starting another one");
    return;
  }
  job_ = Job::kNone;
  FailLoad(child_error_.empty() ? store_path_ + ": " + why : why);
}

void Persistence::FinishLoad() {
  store_->arena().EndImage();
  load_.state = LoadState::kLoaded;
  load_.duration_ms = MonotonicMs() - load_started_;
  load_.pages_done = load_.pages_total = loaded_.live_pages;
  load_.bytes_done = load_.bytes_total = loaded_.live_bytes;
  Log(LogLevel::kInfo, "loaded the snapshot of epoch " + std::to_string(loaded_.epoch) + ": " +
                           std::to_string(loaded_.live_pages) + " pages, " +
                           Mib(loaded_.live_bytes) + " in " + std::to_string(load_.duration_ms) +
                           " ms, all of them verified; " + std::to_string(load_.pages_awaited) +
                           " were wanted sooner");
}

void Persistence::FailLoad(const std::string& why) {
  load_.state = LoadState::kFailed;
  load_.duration_ms = MonotonicMs() - load_started_;
  load_.error = why;
  Log(LogLevel::kError, "load failed: " + why);
  if (child_.pid > 0) KillChild();
}

// ---- pages that are wanted now

// In the middle of whatever reads, so nothing here resolves a page or calls back into the server,
// but for descriptors to watch.
void Persistence::FetchPage(const Ref& ref) {
  ++load_.pages_awaited;
  const storage::PageImage& image = *store_->arena().image();
  pid_t asked = -1;
  while (true) {
    const uint32_t seen = requests_->served();
    if (image.IsResident(ref)) return;
    if (child_.pid > 0 && child_.pid != asked && requests_->Put({ref.birth(), ref.cell()})) {
      asked = child_.pid;
    }
    requests_->AwaitServed(seen);
    if (requests_->served() == seen) LookAtLoader();
  }
}

void Persistence::LookAtLoader() {
  if (load_.state == LoadState::kFailed) Die(load_.error);
  if (child_.pid > 0) {
    int wait_status = 0;
    if (waitpid(child_.pid, &wait_status, WNOHANG) == child_.pid) {
      ReadMessages(true);
      OnChildGone(wait_status);
    }
  } else if (MonotonicMs() >= loader_due_) {
    const Status started = StartLoader();
    if (!started) Log(LogLevel::kWarning, "cannot start a loader: " + started.error().context);
  }
  if (load_.state == LoadState::kFailed) Die(load_.error);
}

void Persistence::Die(const std::string& why) {
  if (options_.fatal) options_.fatal(why);
  Log(LogLevel::kError, "a page that is needed cannot be had, ending: " + why);
  _exit(1);
}

}  // namespace verso::persistence
