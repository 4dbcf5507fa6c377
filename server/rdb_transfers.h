// RdbTransfers: SNAPSHOT EXPORT, SYNC and SNAPSHOT IMPORT as the server runs them: one export and
// one import at a time, each with a child, beside everything else (persistence/rdb/rdb_transfer.h).
#pragma once

#include <memory>
#include <string>

#include "persistence/rdb/rdb_transfer.h"
#include "server/event_loop.h"
#include "server/session/session.h"

namespace verso::server {

class Server;

// A path that commands may name, as one the system takes: it stays under `dir`, and is none of the
// store's own files. Fails: kInvalidArgument.
Result<std::string> PathUnder(const std::string& dir, ByteView path);

class RdbTransfers final : private PollTarget {
 public:
  explicit RdbTransfers(Server* server) : server_(server) {}
  ~RdbTransfers() = default;

  // Fail: kBusy, or the fork was refused.
  Status StartExport(storage::PinHandle pin, const std::string& path);
  Status StartImport(const std::string& path, ByteView name, ClientHandle client);

  // At the start, while nobody is served: the data set becomes what the file holds.
  // `more_follows`: other things may stand behind the dump, and the keys whose time has come count,
  // for commands to come go on with them.
  Status StartLoad(const std::string& path, bool more_follows);

  // SYNC: an export for this client, into a file without a name. Fails as StartExport.
  Status StartSync(storage::PinHandle pin, ClientHandle client);
  struct Sync {
    ClientHandle client;
    persistence::OwnedFd file;
    uint64_t bytes = 0;
    bool ended = false;
    std::string error;  // empty: the file is whole
  };
  // The one that this client waits for; null: none. Once it has ended, it is the caller's.
  std::unique_ptr<Sync> TakeEndedSync(ClientHandle client);
  bool IsSyncing(ClientHandle client) const { return sync_ != nullptr && sync_->client == client; }

  // The import that a client waits for, with its result once it has one.
  struct Import {
    ClientHandle client;
    std::string path;
    std::string name;
    bool ended = false;
    std::string error;  // an error reply
    uint64_t keys = 0;
  };
  // Null: this client waits for none.
  const Import* ImportOf(ClientHandle client) const;

  // Once a turn. True: there is more to do at once.
  bool Work();

  // For INFO.
  struct Report {
    bool exporting = false;
    bool importing = false;
    uint64_t export_keys = 0;  // of the running one, else of the last
    uint64_t import_keys = 0;
    bool export_failed = false;  // the last one
    bool import_failed = false;
    std::string export_error;
    std::string import_error;
  };
  Report report() const;

 private:
  // A child's descriptors in the loop's set, as long as they are of use.
  class Watch {
   public:
    void Begin(EventLoop* loop, PollTarget* target, const persistence::RdbChild& child);
    void Update(const persistence::RdbChild& child);
    void End();

   private:
    EventLoop* loop_ = nullptr;
    int pipe_fd_ = -1;
    int pid_fd_ = -1;
  };

  void OnReady(uint32_t) override {}  // the turn that follows does the work
  void ExportEnded();
  void SyncEnded();
  void LookAtSync();
  Status MayExport() const;
  Status BeginImport(const std::string& path, ByteView name, ClientHandle client,
                     uint64_t moment_ms, bool more_follows);
  void ImportEnded();
  void RecordImport();
  // Empty: the snapshot is there.
  std::string NameImport();
  void LoadEnded();

  Server* server_;
  std::unique_ptr<persistence::RdbExport> export_job_;
  std::unique_ptr<persistence::RdbImport> import_job_;
  Watch export_watch_;
  Watch import_watch_;
  std::string export_path_;
  std::unique_ptr<Sync> sync_;  // what the export is for, if it is for a client
  uint64_t sync_told_ms_ = 0;
  std::unique_ptr<Import> import_;
  bool loading_ = false;  // the import is that of the start
  Report last_;
};

}  // namespace verso::server
