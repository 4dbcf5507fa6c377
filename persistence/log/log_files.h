// The steps that make and name files of the log, through LogSystem, allocating nothing: for the
// flusher's threads. Failures are numbers; the loop's thread makes a text of them.
#pragma once

#include <string>

#include "persistence/file_io.h"
#include "persistence/log/log_format.h"
#include "persistence/log/log_system.h"

namespace verso::persistence {

enum class LogStep : uint8_t {
  kNone,
  kMemory,
  kOpen,
  kWrite,
  kSync,
  kTruncate,
  kRename,
  kUnlink,
  kSyncDirectory,
  kNewest,
};

struct LogFailure {
  LogStep step = LogStep::kNone;
  int error = 0;       // errno
  uint64_t index = 0;  // of the segment

  explicit operator bool() const { return step != LogStep::kNone; }
  // There is no room (or no larger file, or no descriptor) now; nothing is damaged.
  bool MayPass() const;
  std::string Text() const;
};

struct LogPlace {
  LogSystem* system = nullptr;
  int directory = -1;
  Id store_id;
};

// Repeats what a signal interrupted.
template <typename Call>
auto Uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// All of the bytes, however the system cuts them. Returns 0 or errno; *done says how far it came.
int WriteFully(LogSystem* system, int fd, ByteView bytes, uint64_t offset, size_t* done = nullptr);

// The opening mark of a segment that is not prepared ahead (L4).
struct OpeningMark {
  uint64_t sequence = 0;
  uint64_t durable = 0;
  uint16_t flags = 0;
};

// Makes segment `index` durable under its name, then `newest` (L3). No opening mark: prepared.
// `follows`: the segment before it, 0: none.
LogFailure CreateSegment(const LogPlace& place, uint64_t index, uint64_t follows,
                         const OpeningMark* mark, OwnedFd* fd);
LogFailure WriteNewest(const LogPlace& place, uint64_t index, uint64_t next);

}  // namespace verso::persistence
