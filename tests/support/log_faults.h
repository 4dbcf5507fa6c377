// System calls of the operation log that fail: the n-th of a kind, with an errno or half done.
#pragma once

#include <atomic>
#include <cerrno>

#include "persistence/log/log_system.h"

namespace verso::persistence {

enum class LogCall : int {
  kOpen,
  kWrite,
  kDataSync,
  kSync,
  kTruncate,
  kRename,
  kUnlink,
};
inline constexpr int kLogCalls = 7;

class FaultyLogSystem final : public LogSystem {
 public:
  // From the n-th call of this kind on (1 is the first), `times` of them fail. error 0: a write
  // that does only part.
  FaultyLogSystem(LogCall call, int n, int error, int times = 1)
      : call_(call), begin_(n), end_(n + times), error_(error) {}

  bool fired() const { return fired_; }
  void Mend() { mended_ = true; }

  int OpenAt(int directory, const char* name, int flags) override {
    return Fires(LogCall::kOpen) ? -1 : LogSystem::OpenAt(directory, name, flags);
  }
  ssize_t WriteAt(int fd, const iovec* pieces, int count, uint64_t offset) override {
    if (!Fires(LogCall::kWrite)) return LogSystem::WriteAt(fd, pieces, count, offset);
    // Part of the bytes is there in any case: what a full disk leaves.
    iovec part = pieces[0];
    part.iov_len = (part.iov_len + 1) / 2;
    const ssize_t n = LogSystem::WriteAt(fd, &part, 1, offset);
    if (error_ == 0) return n;
    errno = error_;
    return -1;
  }
  int DataSync(int fd) override { return Fires(LogCall::kDataSync) ? -1 : LogSystem::DataSync(fd); }
  int Sync(int fd) override { return Fires(LogCall::kSync) ? -1 : LogSystem::Sync(fd); }
  int Truncate(int fd, uint64_t bytes) override {
    return Fires(LogCall::kTruncate) ? -1 : LogSystem::Truncate(fd, bytes);
  }
  int RenameAt(int directory, const char* from, const char* to) override {
    return Fires(LogCall::kRename) ? -1 : LogSystem::RenameAt(directory, from, to);
  }
  int UnlinkAt(int directory, const char* name) override {
    return Fires(LogCall::kUnlink) ? -1 : LogSystem::UnlinkAt(directory, name);
  }

 private:
  bool Fires(LogCall call) {
    if (call != call_ || mended_) return false;
    const int n = count_.fetch_add(1) + 1;
    if (n < begin_ || n >= end_) return false;
    fired_ = true;
    errno = error_;
    return true;
  }

  const LogCall call_;
  const int begin_, end_, error_;
  std::atomic<int> count_{0};
  std::atomic<bool> fired_{false};
  std::atomic<bool> mended_{false};
};

}  // namespace verso::persistence
