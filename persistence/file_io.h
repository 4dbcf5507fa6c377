// The few file operations this room makes itself (the rest is RocksDB's), each durable in the way
// its name says.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "storage/base/result.h"

namespace verso::persistence {

// A descriptor that closes itself.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  ~OwnedFd() { Reset(); }
  void Reset();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// errno as an Error: "<what>: <reason>". ENOSPC, EDQUOT and EFBIG become kNoSpace.
Error OsError(const std::string& what);

// All of it, however the system cuts it; `path` is for the error.
Status WriteAll(int fd, std::string_view content, const std::string& path);

bool PathExists(const std::string& path);

// Makes the directory (0700) if it is missing, and its name durable.
Status MakeDirectory(const std::string& path);
Status SyncDirectory(const std::string& path);
// Old or new content, never a mixture, also after a power loss.
Status ReplaceFile(const std::string& path, const std::string& content);
// Fails: kNotFound if there is none; kCorruption if it is longer than bytes_max.
Result<std::string> ReadSmallFile(const std::string& path, size_t bytes_max);
Status RenameDurably(const std::string& from, const std::string& to);
// A directory of files (no directories in it), or nothing at all: both are fine.
Status RemoveDirectoryOfFiles(const std::string& path);

// Takes the directory for this process; the lock goes when the descriptor closes. Fails: kBusy.
Result<OwnedFd> LockDirectory(const std::string& directory);

// Waits until nobody holds the lock RocksDB takes on its LOCK file (an old child of a killed
// server). Fails: kBusy after wait_ms.
Status AwaitStoreLock(const std::string& store_path, int wait_ms);

}  // namespace verso::persistence
