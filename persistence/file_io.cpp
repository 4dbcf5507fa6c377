#include "persistence/file_io.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

namespace verso::persistence {

namespace {

std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).lexically_normal().parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

Status WriteAll(int fd, std::string_view content, const std::string& path) {
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t n = write(fd, content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return OsError("write " + path);
    done += static_cast<size_t>(n);
  }
  return {};
}

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void OwnedFd::Reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

Error OsError(const std::string& what) {
  const int reason = errno;
  const bool no_space = reason == ENOSPC || reason == EDQUOT || reason == EFBIG;
  return Error{no_space ? ErrorCode::kNoSpace : ErrorCode::kIo,
               what + ": " + std::strerror(reason)};
}

bool PathExists(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0;
}

Status SyncDirectory(const std::string& path) {
  OwnedFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return OsError("open " + path);
  if (fsync(fd.get()) != 0) return OsError("fsync " + path);
  return {};
}

Status MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) return SyncDirectory(ParentOf(path));
  if (errno != EEXIST) return OsError("mkdir " + path);
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return OsError("stat " + path);
  if (!S_ISDIR(info.st_mode)) {
    return Error{ErrorCode::kInvalidArgument, path + ": is not a directory"};
  }
  return {};
}

Status ReplaceFile(const std::string& path, const std::string& content) {
  const std::string temporary = path + ".new";
  OwnedFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return OsError("open " + temporary);
  VERSO_TRY_STATUS(WriteAll(fd.get(), content, temporary));
  if (fsync(fd.get()) != 0) return OsError("fsync " + temporary);
  return RenameDurably(temporary, path);
}

Result<std::string> ReadSmallFile(const std::string& path, size_t bytes_max) {
  OwnedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return Error{ErrorCode::kNotFound, path + ": does not exist"};
  if (!fd) return OsError("open " + path);
  std::string content(bytes_max + 1, '\0');
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t n = read(fd.get(), content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return OsError("read " + path);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  if (done > bytes_max) return Error{ErrorCode::kCorruption, path + ": is too long"};
  content.resize(done);
  return content;
}

Status RenameDurably(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return OsError("rename " + from + " to " + to);
  return SyncDirectory(ParentOf(to));
}

Status RemoveDirectoryOfFiles(const std::string& path) {
  std::error_code error;
  std::filesystem::directory_iterator files(path, error);
  if (error == std::errc::no_such_file_or_directory) return {};
  if (error) return Error{ErrorCode::kIo, "list " + path + ": " + error.message()};
  for (; files != std::filesystem::directory_iterator(); files.increment(error)) {
    if (error) return Error{ErrorCode::kIo, "list " + path + ": " + error.message()};
    if (unlink(files->path().c_str()) != 0) return OsError("unlink " + files->path().string());
  }
  if (rmdir(path.c_str()) != 0) return OsError("rmdir " + path);
  return SyncDirectory(ParentOf(path));
}

Result<OwnedFd> LockDirectory(const std::string& directory) {
  const std::string path = directory + "/verso.lock";
  OwnedFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return OsError("open " + path);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return OsError("flock " + path);
    return Error{ErrorCode::kBusy, directory + ": another server uses this directory"};
  }
  return fd;
}

Status AwaitStoreLock(const std::string& store_path, int wait_ms) {
  const std::string path = store_path + "/LOCK";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
  while (true) {
    OwnedFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd && errno == ENOENT) return {};  // RocksDB makes it when it opens the store
    if (!fd) return OsError("open " + path);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (fcntl(fd.get(), F_GETLK, &lock) != 0) return OsError("fcntl " + path);
    if (lock.l_type == F_UNLCK) return {};
    if (std::chrono::steady_clock::now() >= deadline) {
      return Error{ErrorCode::kBusy, path + ": held by process " + std::to_string(lock.l_pid)};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace verso::persistence
