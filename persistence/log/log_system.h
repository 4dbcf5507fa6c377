// The system calls the log's writer makes, so that tests can make the n-th one fail or record them
// all. They return what the kernel returns: -1 and errno. This class is the real one.
//
// Names are relative to a directory's descriptor: a thread that must not allocate builds no paths.
#pragma once

#include <sys/uio.h>

#include <cstdint>

namespace verso::persistence {

class LogSystem {
 public:
  virtual ~LogSystem() = default;
  virtual int OpenAt(int directory, const char* name, int flags);
  virtual ssize_t WriteAt(int fd, const iovec* pieces, int count, uint64_t offset);
  virtual int DataSync(int fd);
  virtual int Sync(int fd);  // of directories too
  virtual int Truncate(int fd, uint64_t bytes);
  virtual int RenameAt(int directory, const char* from, const char* to);
  virtual int UnlinkAt(int directory, const char* name);

  static LogSystem* Real();
};

}  // namespace verso::persistence
