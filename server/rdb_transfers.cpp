#include "server/rdb_transfers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "server/command/key_effect.h"
#include "server/command/version_ref.h"
#include "server/logging.h"
#include "server/server.h"
#include "storage/memory/branches.h"
#include "storage/memory/snapshots.h"

namespace verso::server {
namespace {

constexpr uint64_t kImportUs = 300;  // of a turn
constexpr uint64_t kLoadUs = 5000;   // of one at the start

// What <dir> holds of the store (persistence/README.md).
constexpr ByteView kStoreFiles[] = {"verso.lock", "store.id", "store",
                                    "store.new",  "ingest",   "log"};

}  // namespace

Result<std::string> PathUnder(const std::string& dir, ByteView path) {
  const Error outside{ErrorCode::kInvalidArgument,
                      "'" + std::string(path) + "' is no path of a file under 'dir'"};
  if (path.empty() || path.find('\0') != ByteView::npos) return outside;
  const std::filesystem::path relative =
      std::filesystem::path(std::string(path)).lexically_normal();
  if (relative.is_absolute() || !relative.has_filename()) return outside;
  const std::string first = relative.begin()->string();
  if (first == ".." || first == ".") return outside;
  if (std::find(std::begin(kStoreFiles), std::end(kStoreFiles), first) != std::end(kStoreFiles)) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + std::string(path) + "' belongs to the store itself"};
  }
  return (std::filesystem::path(dir) / relative).string();
}

// ---- Watch

void RdbTransfers::Watch::Begin(EventLoop* loop, PollTarget* target,
                                const persistence::RdbChild& child) {
  loop_ = loop;
  pipe_fd_ = child.pipe_fd();
  pid_fd_ = child.pid_fd();
  loop_->Add(pipe_fd_, EPOLLIN, target);
  loop_->Add(pid_fd_, EPOLLIN, target);
}

// A pipe that the child has closed would be ready for ever.
void RdbTransfers::Watch::Update(const persistence::RdbChild& child) {
  if (child.pipe_open() || pipe_fd_ < 0) return;
  loop_->Remove(pipe_fd_);
  pipe_fd_ = -1;
}

void RdbTransfers::Watch::End() {
  if (pipe_fd_ >= 0) loop_->Remove(pipe_fd_);
  if (pid_fd_ >= 0) loop_->Remove(pid_fd_);
  pipe_fd_ = pid_fd_ = -1;
}

// ---- starting

Status RdbTransfers::MayExport() const {
  if (export_job_ != nullptr) return Error{ErrorCode::kBusy, "an export is running already"};
  if (server_->store().arena().pending()) {  // a child cannot wait for pages
    return Error{ErrorCode::kBusy,
                 "the data set is still being brought in (async_loading in INFO): try again then"};
  }
  return {};
}

Status RdbTransfers::StartExport(storage::PinHandle pin, const std::string& path) {
  VERSO_TRY_STATUS(MayExport());
  VERSO_TRY(export_job_, persistence::RdbExport::Start(server_->store(), std::move(pin), path));
  export_watch_.Begin(&server_->loop(), this, *export_job_);
  export_path_ = path;
  LogNotice("Background export to {} started", path);
  return {};
}

Status RdbTransfers::StartSync(storage::PinHandle pin, ClientHandle client) {
  VERSO_TRY_STATUS(MayExport());
  auto sync = std::make_unique<Sync>();
  sync->client = client;
  // Without a name from the beginning: whatever happens, nothing of it is left.
  std::string path = server_->state().settings.dir + "/sync.XXXXXX";
  sync->file = persistence::OwnedFd(mkostemp(path.data(), O_CLOEXEC));
  if (!sync->file) return persistence::OsError("open " + path);
  unlink(path.c_str());
  VERSO_TRY(export_job_,
            persistence::RdbExport::StartInto(server_->store(), std::move(pin), sync->file.get()));
  export_watch_.Begin(&server_->loop(), this, *export_job_);
  sync_ = std::move(sync);
  sync_told_ms_ = server_->state().now_ms;
  LogNotice("Background export for a SYNC started");
  return {};
}

Status RdbTransfers::StartImport(const std::string& path, ByteView name, ClientHandle client) {
  if (server_->restore().running())
    return Error{ErrorCode::kBusy, "a RESTORE-TO is running already"};
  VERSO_TRY_STATUS(BeginImport(path, name, client, server_->state().now_ms, false));
  RecordImport();
  return {};
}

Status RdbTransfers::BeginImport(const std::string& path, ByteView name, ClientHandle client,
                                 uint64_t moment_ms, bool more_follows) {
  if (import_job_ != nullptr) return Error{ErrorCode::kBusy, "an import is running already"};
  VERSO_TRY(import_job_, persistence::RdbImport::Start(server_->store(), path,
                                                       server_->state().environment.limits,
                                                       moment_ms, more_follows));
  import_watch_.Begin(&server_->loop(), this, *import_job_);
  import_ = std::make_unique<Import>();
  import_->client = client;
  import_->path = path;
  import_->name = name;
  LogNotice("Import of {} started", path);
  return {};
}

// The file may be gone when the log is replayed, so the log has what was in it: that a line without
// a name was made, its keys as they come, then its name.
void RdbTransfers::RecordImport() {
  ServerState& state = server_->state();
  UnitScope unit = state.UnitOfMain();
  unit.Emit({"SNAPSHOT", "IMPORT", "LINE", std::to_string(import_job_->line().id()), "BEGIN"});
  import_job_->set_key_built(
      [this, &state](const storage::ReadView& view, const storage::Key& key) {
        if (state.effect_consumer == nullptr) return;
        // As it stands, though its time may have come since: the end of the import judges that.
        KeyEffects effects(&state, import_job_->line());
        effects.Add(view, key);
      });
}

Status RdbTransfers::StartLoad(const std::string& path, bool more_follows) {
  const uint64_t moment_ms = more_follows ? 0 : server_->state().now_ms;
  VERSO_TRY_STATUS(BeginImport(path, {}, {}, moment_ms, more_follows));
  loading_ = true;
  return {};
}

const RdbTransfers::Import* RdbTransfers::ImportOf(ClientHandle client) const {
  return import_ != nullptr && import_->client == client ? import_.get() : nullptr;
}

// ---- turns

bool RdbTransfers::Work() {
  if (export_job_ != nullptr) {
    export_job_->Work();
    export_watch_.Update(*export_job_);
    if (export_job_->ended()) {
      sync_ != nullptr ? SyncEnded() : ExportEnded();
    } else if (sync_ != nullptr) {
      LookAtSync();
    }
  }
  if (import_job_ == nullptr) return false;
  const ServerState& state = server_->state();
  const uint64_t maxmemory = state.settings.maxmemory;
  if (maxmemory != 0 && state.used_memory() > maxmemory) {
    import_job_->Cancel("it does not fit into maxmemory");
  }
  const bool more = import_job_->Work(loading_ ? kLoadUs : kImportUs);
  import_watch_.Update(*import_job_);
  if (import_job_->ended()) ImportEnded();
  return more;
}

// Nobody gets what a client that is gone has asked for; one that waits hears that something is
// going on: an empty line is what replicas of Redis are told meanwhile.
void RdbTransfers::LookAtSync() {
  constexpr uint64_t kTellMs = 1000;
  Connection* const connection = server_->Find(sync_->client);
  if (connection == nullptr) {
    export_job_->Cancel("the client is gone");
    return SyncEnded();
  }
  const uint64_t now_ms = server_->state().now_ms;
  if (now_ms < sync_told_ms_ + kTellMs) return;
  sync_told_ms_ = now_ms;
  connection->reply().Raw("\n");
  server_->WantFlush(connection);
}

void RdbTransfers::SyncEnded() {
  export_watch_.End();
  sync_->error = export_job_->error();
  struct stat info {};
  if (sync_->error.empty() && fstat(sync_->file.get(), &info) != 0) {
    sync_->error = persistence::OsError("stat").context;
  }
  sync_->bytes = static_cast<uint64_t>(info.st_size);
  sync_->ended = true;
  export_job_.reset();
  if (!sync_->error.empty()) LogWarning("SYNC failed: {}", sync_->error);
  // Its command runs again, and takes it.
  if (Connection* connection = server_->Find(sync_->client)) connection->RunHeld();
  sync_.reset();
}

std::unique_ptr<RdbTransfers::Sync> RdbTransfers::TakeEndedSync(ClientHandle client) {
  if (!IsSyncing(client) || !sync_->ended) return nullptr;
  return std::move(sync_);
}

void RdbTransfers::ExportEnded() {
  export_watch_.End();
  last_.export_keys = export_job_->keys();
  last_.export_error = export_job_->error();
  last_.export_failed = !last_.export_error.empty();
  export_job_.reset();
  if (last_.export_failed) {
    LogWarning("Background export failed: {}", last_.export_error);
  } else {
    LogNotice("Background export to {} terminated with success", export_path_);
  }
}

std::string RdbTransfers::NameImport() {
  if (!import_job_->error().empty()) return "ERR " + import_job_->error();
  storage::Store& store = server_->store();
  const ServerState& state = server_->state();
  // Since it began others may have taken the name, or the last place.
  if (std::string taken = NameTaken(store, import_->name); !taken.empty()) return taken;
  if (std::string full = SnapshotsFull(state); !full.empty()) return full;
  const storage::Snapshot& made =
      store.snapshots().TakeUnnamed(import_->name, import_job_->TakeLine(), state.now_ms);
  import_->keys = KeysOf(store, store.snapshots().Hold(made).root(), made.moment_ms);
  return {};
}

void RdbTransfers::LoadEnded() {
  storage::Store& store = server_->store();
  const uint64_t now_ms = server_->state().now_ms;
  std::string error = import_job_->error();
  if (error.empty() && !import_job_->skipped().empty()) {
    // Beside a running data set that is a warning; what a start serves is all there was.
    error = import_->path + ": it holds " + import_job_->skipped() +
            ", which this server does not have; FUNCTION FLUSH in Redis, then a save there, leaves "
            "the keys";
  }
  const uint64_t bytes = import_job_->dump_bytes();
  const uint64_t keys = import_job_->keys();
  if (error.empty()) {
    storage::Line* const line = import_job_->TakeLine();
    const storage::PinHandle pin = store.PinForRead(*line, now_ms);
    store.branches().Restart(&store.branches().main(), *line, pin.epoch(),
                             [](const storage::Line&, const storage::Line&) {});
    store.DropHead(line);
  }
  loading_ = false;
  import_job_.reset();
  import_.reset();
  if (error.empty()) {
    server_->takeover().DumpLoaded(bytes, keys);
  } else {
    server_->LoadFailed(error);
  }
}

void RdbTransfers::ImportEnded() {
  import_watch_.End();
  if (loading_) return LoadEnded();
  if (!import_job_->skipped().empty()) {
    LogWarning("{} held what is not kept: {}", import_->path, import_job_->skipped());
  }
  const std::string line_id = std::to_string(import_job_->line().id());
  import_->error = NameImport();
  UnitScope unit = server_->state().UnitOfMain();
  if (import_->error.empty()) {
    unit.Emit({"SNAPSHOT", "IMPORT", "LINE", line_id, "AS", import_->name});
  } else {
    unit.Emit({"SNAPSHOT", "IMPORT", "LINE", line_id, "FAILED"});
  }
  import_->ended = true;
  last_.import_keys = import_job_->keys();
  last_.import_error = import_->error;
  last_.import_failed = !import_->error.empty();
  if (last_.import_failed) {
    LogWarning("Import failed: {}", last_.import_error);
  } else {
    LogNotice("Import of {} ended: {} keys", import_->path, import_->keys);
  }
  import_job_.reset();
  // Its command runs again, and finds the result. Whoever is gone hears nothing.
  if (Connection* connection = server_->Find(import_->client)) connection->RunHeld();
  import_.reset();
}

RdbTransfers::Report RdbTransfers::report() const {
  Report report = last_;
  report.exporting = export_job_ != nullptr;
  report.importing = import_job_ != nullptr;
  if (report.exporting) report.export_keys = export_job_->keys();
  if (report.importing) report.import_keys = import_job_->keys();
  return report;
}

}  // namespace verso::server
