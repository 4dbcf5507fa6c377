#include "persistence/rdb/rdb_transfer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "persistence/rdb/rdb_file_writer.h"
#include "storage/base/check.h"
#include "storage/base/monotonic_time.h"

namespace verso::persistence {
namespace {

void SendNumber(ChildReport* report, MessageType type, uint64_t number) {
  char bytes[sizeof(number)];
  StoreLe(bytes, number);
  report->Send(type, {bytes, sizeof(bytes)});
}

// ---- in the children

// `path` is for errors.
Status WriteTo(int fd, const storage::ReadView& view, const std::string& path,
               ChildReport* report) {
  uint64_t told_us = MonotonicUs();
  uint64_t count = 0;
  Status written = WriteRdbFile(
      view, [&](ByteView bytes) { return WriteAll(fd, bytes, path); },
      [&](uint64_t keys) {
        constexpr uint64_t kTellUs = 100'000;
        count = keys;
        if (MonotonicUs() - told_us < kTellUs) return;
        told_us = MonotonicUs();
        SendNumber(report, MessageType::kCount, count);
      });
  SendNumber(report, MessageType::kCount, count);
  return written;
}

Status WriteFile(const storage::ReadView& view, const std::string& path, ChildReport* report) {
  const std::string temporary = path + ".tmp";
  // Not through a link that somebody has put there.
  OwnedFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return OsError("open " + temporary);
  Status written = WriteTo(fd.get(), view, temporary, report);
  if (written && fsync(fd.get()) != 0) written = OsError("fsync " + temporary);
  if (written) written = RenameDurably(temporary, path);
  if (!written) unlink(temporary.c_str());
  return written;
}

Status ReadFile(const std::string& path, bool more_follows, RdbRecordSender& sender,
                ChildReport* report) {
  OwnedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return OsError("open " + path);
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return OsError("stat " + path);
  if (!S_ISREG(info.st_mode)) return Error{ErrorCode::kInvalidArgument, path + ": is no file"};
  if (info.st_size == 0) return Error{ErrorCode::kCorruption, path + ": is empty"};
  const auto bytes = static_cast<size_t>(info.st_size);
  void* const map = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (map == MAP_FAILED) return OsError("map " + path);
  madvise(map, bytes, MADV_SEQUENTIAL);
  ByteView dump(static_cast<const char*>(map), bytes);
  const auto fault = [&path](const Error& error) {
    return Error{error.code, path + ": " + error.context};
  };
  if (more_follows) {
    const Result<size_t> dump_bytes = RdbFileBytes(dump);
    if (!dump_bytes) return fault(dump_bytes.error());
    dump = dump.substr(0, *dump_bytes);
  }
  SendNumber(report, MessageType::kDumpBytes, dump.size());
  if (const Status read = ReadRdbFile(dump, sender); !read) return fault(read.error());
  sender.Flush();
  return {};
}

}  // namespace

// ---- RdbChild

Status RdbChild::Start(std::span<const int> keep_fds,
                       const std::function<int(ChildReport*)>& body) {
  VERSO_TRY(child_, ForkChild(keep_fds, body));
  pipe_open_ = true;
  return {};
}

RdbChild::~RdbChild() {
  if (child_.pid <= 0) return;
  kill(child_.pid, SIGKILL);
  Reap(true);
}

void RdbChild::Cancel(std::string why) {
  if (ended_) return;
  if (error_.empty()) error_ = std::move(why);
  if (child_.pid > 0) {
    kill(child_.pid, SIGKILL);
    Reap(true);
  }
  ended_ = true;
}

void RdbChild::Reap(bool wait) {
  int status = 0;
  const pid_t gone = waitpid(child_.pid, &status, wait ? 0 : WNOHANG);
  if (gone != child_.pid) return;
  child_.pid = -1;
  ended_ = true;
  const bool done = WIFEXITED(status) && WEXITSTATUS(status) == kExitDone;
  if (!done && error_.empty()) error_ = DeathText(status);
}

bool RdbChild::NextMessage(MessageBuffer::Message* message) {
  while (!ended_) {
    while (messages_.Next(message)) {
      if (message->type != MessageType::kError) return true;
      if (error_.empty()) error_ = message->payload.substr(1);
    }
    if (!pipe_open_) {  // all that it said is known; it has only to be gone
      Reap(false);
      return false;
    }
    const size_t before = messages_.left();
    pipe_open_ = messages_.Fill(child_.pipe_fd.get());
    if (pipe_open_ && messages_.left() == before) return false;
  }
  return false;
}

// ---- RdbExport

Result<std::unique_ptr<RdbExport>> RdbExport::Start(const storage::Store& store,
                                                    storage::PinHandle pin, std::string path) {
  const int keep[] = {store.arena().fd()};
  return StartChild(store, std::move(pin), keep,
                    [&path](const storage::ReadView& view, ChildReport* report) {
                      return WriteFile(view, path, report);
                    });
}

Result<std::unique_ptr<RdbExport>> RdbExport::StartInto(const storage::Store& store,
                                                        storage::PinHandle pin, int fd) {
  const int keep[] = {store.arena().fd(), fd};
  return StartChild(store, std::move(pin), keep,
                    [fd](const storage::ReadView& view, ChildReport* report) {
                      return WriteTo(fd, view, "the file to be sent", report);
                    });
}

Result<std::unique_ptr<RdbExport>> RdbExport::StartChild(
    const storage::Store& store, storage::PinHandle pin, std::span<const int> keep_fds,
    const std::function<Status(const storage::ReadView&, ChildReport*)>& write) {
  VERSO_CHECK(!store.arena().pending());
  auto job = std::make_unique<RdbExport>();
  const storage::ReadView view(store, pin.root(), 0, pin.moment_ms());
  VERSO_TRY_STATUS(job->RdbChild::Start(keep_fds, [&](ChildReport* report) {
    const Status written = write(view, report);
    if (written) return kExitDone;
    report->Fail(written.error());
    return kExitFailed;
  }));
  job->pin_ = std::move(pin);
  return job;
}

void RdbExport::Work() {
  MessageBuffer::Message message;
  while (NextMessage(&message)) {
    if (message.type == MessageType::kCount) keys_ = LoadLe<uint64_t>(message.payload.data());
  }
  if (ended()) pin_.Release();
}

// ---- RdbImport

Result<std::unique_ptr<RdbImport>> RdbImport::Start(storage::Store& store, const std::string& path,
                                                    const storage::CollectionLimits& limits,
                                                    uint64_t now_ms, bool more_follows) {
  auto job = std::make_unique<RdbImport>();
  VERSO_TRY_STATUS(job->RdbChild::Start({}, [&](ChildReport* report) {
    RdbRecordSender sender(
        [report](ByteView records) { report->Send(MessageType::kRecords, records); });
    const Status read = ReadFile(path, more_follows, sender, report);
    if (!sender.skipped().empty()) report->Send(MessageType::kSkipped, sender.skipped());
    if (read) return kExitDone;
    report->Fail(read.error());
    return kExitFailed;
  }));
  job->store_ = &store;
  job->line_ = store.NewUnnamed();
  job->receiver_ = std::make_unique<RdbRecordReceiver>(store, *job->line_, limits, now_ms);
  return job;
}

RdbImport::~RdbImport() {
  receiver_.reset();
  if (line_ != nullptr) store_->DropHead(line_);
}

bool RdbImport::Work(uint64_t budget_us) {
  constexpr int kStepsPerLook = 16;
  const uint64_t until_us = MonotonicUs() + budget_us;
  while (!ended()) {
    for (int step = 0; step < kStepsPerLook && !receiver_->AtEnd(); ++step) {
      if (Status built = receiver_->Step(); !built) {
        Cancel(built.error().context);
        return false;
      }
    }
    if (MonotonicUs() >= until_us) return true;
    if (!receiver_->AtEnd()) continue;
    MessageBuffer::Message message;
    if (!NextMessage(&message)) return false;
    if (message.type == MessageType::kRecords) receiver_->Take(message.payload);
    if (message.type == MessageType::kSkipped) skipped_ = message.payload;
    if (message.type == MessageType::kDumpBytes) {
      dump_bytes_ = LoadLe<uint64_t>(message.payload.data());
    }
  }
  return false;
}

storage::Line* RdbImport::TakeLine() { return std::exchange(line_, nullptr); }

}  // namespace verso::persistence
