// What a power loss may leave of an operation log: a recorder of all system calls its writer makes,
// and a builder of states for any moment between two of them.
//
// What is sure: bytes of a file written before a sync of it began that ended before the loss; names
// changed before such a sync of the directory. Of the rest anything may be there: nothing, all,
// any sectors of 512 bytes, zeros, junk; any of the changes of names, each by itself (strict
// POSIX).
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "persistence/log/log_writer.h"

namespace verso::persistence {

class RecordingLogSystem final : public LogSystem {
 public:
  struct Call {
    enum class Kind { kCreate, kWrite, kTruncate, kSync, kRename, kUnlink, kSyncDirectory } kind;
    int file = -1;       // number of the inode
    std::string name{};  // kCreate, kRename (to), kUnlink
    std::string from{};  // kRename
    uint64_t offset = 0;
    std::string data{};
    uint64_t done = UINT64_MAX;  // how many calls had begun when it had ended
    uint64_t durable = 0;        // what had been told when it began
    uint64_t base = 0;           // the log position of the save that is there by then
  };

 private:
  size_t Begin(Call call) {
    if (writer_ != nullptr) durable_ = std::max(durable_, writer_->durable());
    call.durable = durable_;
    call.base = base_;
    calls_.push_back(std::move(call));
    return calls_.size() - 1;
  }
  void End(size_t call) { calls_[call].done = calls_.size(); }

  template <typename Do>
  auto Around(int fd, Call call, Do work) {
    size_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      if (fd >= 0) {
        const auto known = by_fd_.find(fd);
        if (known != by_fd_.end()) {
          call.file = known->second;
        } else {
          call.kind = Call::Kind::kSyncDirectory;
        }
      }
      number = Begin(std::move(call));
    }
    const auto result = work();
    const std::lock_guard lock(mutex_);
    End(number);
    return result;
  }

 public:
  void Watch(const LogWriter* writer) {
    const std::lock_guard lock(mutex_);
    writer_ = writer;
  }
  void SetBase(uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    base_ = sequence;
  }
  const std::vector<Call>& calls() const { return calls_; }
  uint64_t durable() const { return durable_; }
  uint64_t base() const { return base_; }

  int OpenAt(int directory, const char* name, int flags) override {
    size_t call = SIZE_MAX;
    int file = -1;
    {
      const std::lock_guard lock(mutex_);
      if (names_.count(name) != 0) {
        file = names_[name];
        if ((flags & O_TRUNC) != 0) call = Begin({Call::Kind::kTruncate, file});
      } else {
        file = names_[name] = files_++;
        call = Begin({Call::Kind::kCreate, file, name});
      }
    }
    const int fd = LogSystem::OpenAt(directory, name, flags);
    const std::lock_guard lock(mutex_);
    by_fd_[fd] = file;
    if (call != SIZE_MAX) End(call);
    return fd;
  }
  ssize_t WriteAt(int fd, const iovec* pieces, int count, uint64_t offset) override {
    Call call{Call::Kind::kWrite};
    call.offset = offset;
    for (int i = 0; i < count; ++i) {
      call.data.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
    }
    return Around(fd, std::move(call),
                  [&] { return LogSystem::WriteAt(fd, pieces, count, offset); });
  }
  int DataSync(int fd) override {
    return Around(fd, {Call::Kind::kSync}, [&] { return LogSystem::DataSync(fd); });
  }
  int Sync(int fd) override {
    return Around(fd, {Call::Kind::kSync}, [&] { return LogSystem::Sync(fd); });
  }
  int Truncate(int fd, uint64_t bytes) override {
    Call call{Call::Kind::kTruncate};
    call.offset = bytes;
    return Around(fd, std::move(call), [&] { return LogSystem::Truncate(fd, bytes); });
  }
  int RenameAt(int directory, const char* from, const char* to) override {
    Call call{Call::Kind::kRename};
    call.from = from;
    call.name = to;
    {
      const std::lock_guard lock(mutex_);
      call.file = names_[from];
      names_[to] = names_[from];
      names_.erase(from);
    }
    return Around(-1, std::move(call), [&] { return LogSystem::RenameAt(directory, from, to); });
  }
  int UnlinkAt(int directory, const char* name) override {
    Call call{Call::Kind::kUnlink};
    call.name = name;
    return Around(-1, std::move(call), [&] { return LogSystem::UnlinkAt(directory, name); });
  }

 private:
  std::mutex mutex_;
  std::vector<Call> calls_;
  std::map<std::string, int> names_;
  std::map<int, int> by_fd_;
  int files_ = 0;
  const LogWriter* writer_ = nullptr;
  uint64_t durable_ = 0;
  uint64_t base_ = 0;
};

class PowerLoss {
 public:
  using Call = RecordingLogSystem::Call;
  using Random = std::mt19937_64;

  // The files of a state in which the calls before `cut` had begun.
  static std::map<std::string, std::string> State(const std::vector<Call>& calls, size_t cut,
                                                  Random* random) {
    const auto chance = [random](int percent) {
      return static_cast<int>((*random)() % 100) < percent;
    };
    // Names: 0 as synced, 1 as begun, 2 each change by itself.
    const uint64_t names_mode = (*random)() % 3;
    uint64_t directory_synced = 0;
    std::map<int, uint64_t> synced;  // by file: calls that had ended by then are sure
    for (size_t i = 0; i < cut; ++i) {
      if (calls[i].done > cut) continue;
      if (calls[i].kind == Call::Kind::kSyncDirectory) directory_synced = i;
      if (calls[i].kind == Call::Kind::kSync) synced[calls[i].file] = i;
    }
    std::map<std::string, int> names;
    for (size_t i = 0; i < cut; ++i) {
      const Call& call = calls[i];
      const bool sure = call.done <= directory_synced;
      const bool names_call = call.kind == Call::Kind::kCreate ||
                              call.kind == Call::Kind::kRename || call.kind == Call::Kind::kUnlink;
      if (!names_call) continue;
      if (!sure && (names_mode == 0 || (names_mode == 2 && chance(50)))) continue;
      if (call.kind == Call::Kind::kCreate) names[call.name] = call.file;
      if (call.kind == Call::Kind::kUnlink) names.erase(call.name);
      if (call.kind == Call::Kind::kRename) {
        names.erase(call.from);
        names[call.name] = call.file;
      }
    }
    std::map<std::string, std::string> state;
    for (const auto& [name, file] : names) {
      state[name] = Content(calls, cut, file, synced.count(file) != 0 ? synced[file] : 0, random);
    }
    return state;
  }

 private:
  static void Put(std::string* content, uint64_t offset, std::string_view data) {
    if (content->size() < offset + data.size()) content->resize(offset + data.size(), '\0');
    content->replace(offset, data.size(), data);
  }

  static std::string Content(const std::vector<Call>& calls, size_t cut, int file, uint64_t synced,
                             Random* random) {
    // 0 dropped, 1 kept, 2 torn at 512 B, 3 zeroed, 4 junk, 5 the first few calls
    const uint64_t mode = (*random)() % 6;
    const auto chance = [random](int percent) {
      return static_cast<int>((*random)() % 100) < percent;
    };
    std::string content;
    bool stopped = false;
    for (size_t i = 0; i < cut; ++i) {
      const Call& call = calls[i];
      if (call.file != file) continue;
      const bool write = call.kind == Call::Kind::kWrite;
      if (!write && call.kind != Call::Kind::kTruncate) continue;
      const bool sure = call.done <= synced;
      if (!sure) {
        stopped = stopped || mode == 0 || (mode == 5 && chance(20));
        if (stopped) continue;
      }
      if (!write) {
        if (sure || mode == 1 || mode == 5 || chance(50)) content.resize(call.offset, '\0');
        continue;
      }
      if (sure || mode == 1 || mode == 5) {
        Put(&content, call.offset, call.data);
      } else if (mode == 2) {
        const uint64_t end = call.offset + call.data.size();
        for (uint64_t at = call.offset; at < end;) {
          const uint64_t next = std::min(end, (at / 512 + 1) * 512);
          if (chance(50)) {
            Put(&content, at, std::string_view(call.data).substr(at - call.offset, next - at));
          }
          at = next;
        }
      } else {
        std::string other(call.data.size(), '\0');
        if (mode == 4) {
          for (char& c : other) c = static_cast<char>((*random)());
        }
        Put(&content, call.offset, other);
      }
    }
    return content;
  }
};

}  // namespace verso::persistence
