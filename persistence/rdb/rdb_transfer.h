// Dump files out and in, beside a server that goes on serving. The file is written or read by a
// forked child; what it reads is built here, in slices.
//
//   RdbExport   pin ── child: every key of the pinned version ──> <path>.tmp ── rename ──> <path>
//   RdbImport   <path> ── child: checks and decodes ── pipe: records ──> Work(): an own, unnamed
//               line, which its owner gives a name or drops
//
// T1 Until an export is complete the file of its name is what it was before.
// T2 Until an import is complete nobody sees anything of it. A save that runs meanwhile contains
//    its line, and a restart drops it: it has no name.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "persistence/rdb/rdb_records.h"
#include "persistence/snapshot_child.h"
#include "storage/memory/store.h"

namespace verso::persistence {

// A child with its pipe; what is common to both. Descriptors are there until `ended`.
class RdbChild {
 public:
  RdbChild() = default;
  ~RdbChild();  // kills it
  RdbChild(const RdbChild&) = delete;
  RdbChild& operator=(const RdbChild&) = delete;

  // For the loop to wait on.
  int pipe_fd() const { return child_.pipe_fd.get(); }
  int pid_fd() const { return child_.pid_fd.get(); }
  bool pipe_open() const { return pipe_open_; }
  bool ended() const { return ended_; }
  // Requires: ended(). Empty: it went well.
  const std::string& error() const { return error_; }
  // Ends it, unless it has ended; `why` is the error.
  void Cancel(std::string why);

 protected:
  Status Start(std::span<const int> keep_fds, const std::function<int(ChildReport*)>& body);
  // The next message; false: there is none at present. At the end of them all ended() is true.
  bool NextMessage(MessageBuffer::Message* message);

 private:
  void Reap(bool wait);

  Child child_;
  MessageBuffer messages_;
  std::string error_;
  bool pipe_open_ = false;
  bool ended_ = false;
};

class RdbExport : public RdbChild {
 public:
  // Fails: the fork was refused.
  static Result<std::unique_ptr<RdbExport>> Start(const storage::Store& store,
                                                  storage::PinHandle pin, std::string path);
  void Work();  // whatever is due; never blocks
  uint64_t keys() const { return keys_; }

  // The same into an open file, from its beginning. It must be open until ended().
  static Result<std::unique_ptr<RdbExport>> StartInto(const storage::Store& store,
                                                      storage::PinHandle pin, int fd);

 private:
  static Result<std::unique_ptr<RdbExport>> StartChild(
      const storage::Store& store, storage::PinHandle pin, std::span<const int> keep_fds,
      const std::function<Status(const storage::ReadView&, ChildReport*)>& write);

  storage::PinHandle pin_;
  uint64_t keys_ = 0;
};

class RdbImport : public RdbChild {
 public:
  // limits must outlive it. `more_follows`: something else may stand behind the dump. Fails: the
  // fork was refused.
  static Result<std::unique_ptr<RdbImport>> Start(storage::Store& store, const std::string& path,
                                                  const storage::CollectionLimits& limits,
                                                  uint64_t now_ms, bool more_follows = false);
  ~RdbImport();

  // Builds for about so long. True: there is more to do at once. Never blocks.
  bool Work(uint64_t budget_us);
  uint64_t keys() const { return receiver_->keys(); }
  void set_key_built(RdbRecordReceiver::KeyBuilt built) {
    receiver_->set_key_built(std::move(built));
  }
  const storage::Line& line() const { return *line_; }  // until it is taken
  // What the file held that is not kept, empty if nothing.
  const std::string& skipped() const { return skipped_; }
  uint64_t dump_bytes() const { return dump_bytes_; }  // of the dump, once it has ended
  // Requires: ended() without an error. The caller gives the line a name, or drops it.
  storage::Line* TakeLine();

 private:
  storage::Store* store_ = nullptr;
  storage::Line* line_ = nullptr;
  std::unique_ptr<RdbRecordReceiver> receiver_;
  std::string skipped_;
  uint64_t dump_bytes_ = 0;
};

}  // namespace verso::persistence
