#include "persistence/log/log_system.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>

namespace verso::persistence {

int LogSystem::OpenAt(int directory, const char* name, int flags) {
  return openat(directory, name, flags | O_CLOEXEC, 0600);
}

ssize_t LogSystem::WriteAt(int fd, const iovec* pieces, int count, uint64_t offset) {
  return pwritev(fd, pieces, count, static_cast<off_t>(offset));
}

int LogSystem::DataSync(int fd) { return fdatasync(fd); }
int LogSystem::Sync(int fd) { return fsync(fd); }
int LogSystem::Truncate(int fd, uint64_t bytes) { return ftruncate(fd, static_cast<off_t>(bytes)); }

int LogSystem::RenameAt(int directory, const char* from, const char* to) {
  return renameat(directory, from, directory, to);
}

int LogSystem::UnlinkAt(int directory, const char* name) { return unlinkat(directory, name, 0); }

LogSystem* LogSystem::Real() {
  static LogSystem system;
  return &system;
}

void FutexWait(const void* word, uint32_t expected, int64_t timeout_us) {
  timespec timeout;
  timeout.tv_sec = timeout_us / 1'000'000;
  timeout.tv_nsec = timeout_us % 1'000'000 * 1000;
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout_us < 0 ? nullptr : &timeout,
          nullptr, 0);
}

void FutexWake(const void* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

uint64_t SteadyUs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

}  // namespace verso::persistence
