#include "persistence/log/log_system.h"

#include <fcntl.h>
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

}  // namespace verso::persistence
