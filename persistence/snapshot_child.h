// The one place that forks (DESIGN 2, fork hygiene), and the pipe a child reports through.
//
// What happens, in order, and why in that order:
//
//   parent  1 blocks every signal            a signal between fork and step 4 would run the
//   server's handler in the child
//           2 fork()                         measured: fork_usec
//   child   3 every handler to default       Asio's handler writes to a pipe that both share: the
//   *server* would act on it.
//             SIGPIPE, SIGXFSZ ignored        a full disk or a gone parent shall be an error to
//             report, not a death
//           4 PR_SET_PDEATHSIG SIGKILL, then getppid()   in this order: the parent may die in
//           between 5 oom_score_adj 1000, umask 077 6 closes all but stderr, its pipe and what the
//           caller names (the arena); stdin and stdout become /dev/null 7 unblocks the signals 8
//           the body; an exception in it (bad_alloc) is reported like an error 9 _exit: no
//           destructors, no atexit handlers, no flushing of the parent's stdio buffers
//   parent 10 unblocks the signals, opens a pidfd (the child cannot be reaped by anybody else: it
//   stays a zombie until we wait)
//
// Inside a body: reading the arena, own memory, own files, the report, the control block. Nothing
// of the server: no io_context, no logger, no stdio, no UnforkedMemory (it is absent here). The
// serving process must not ignore SIGCHLD nor wait for children it does not know.
//
// A message on the pipe:   type (1) | length (4) | payload. Up to PIPE_BUF they are written in one
// piece or not at all.
#pragma once

#include <sys/types.h>

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "persistence/file_io.h"
#include "storage/base/result.h"

namespace verso::persistence {

enum class LogLevel : unsigned char { kInfo = 0, kWarning = 1, kError = 2 };

enum class MessageType : unsigned char {
  kLogLine = 1,     // LogLevel (1), text
  kError = 2,       // ErrorCode (1), text: why this child fails
  kProgress = 3,    // the control block has news; dropped when the pipe is full
  kCommitted = 4,   // writer: the commit is certain
  kCatalogue = 5,   // loader: EncodeCatalogue
  kGroup = 6,       // loader: group number (4), EncodeGroup
  kLoaded = 7,      // loader: everything is in and verified
  kNewestSave = 8,  // resolver: save id (16), epoch (8)
  kRecords = 9,     // import: what the file holds (rdb_records.h)
  kSkipped = 10,    // import: text: what of it is not kept
  kCount = 11,      // export: keys written (8)
  kServe = 12,      // loader: pages can be asked for; words of the image's table (4)
  kDumpBytes = 13,  // import: how many bytes of the file are the dump (8)
  kPlan = 14,       // RESTORE-TO: what it begins with (server/restore_reader.h)
  kCommands = 15,   // RESTORE-TO: commands of the operation log (the same)
};

// The child's end.
class ChildReport {
 public:
  explicit ChildReport(int fd) : fd_(fd) {}
  void Log(LogLevel level, std::string_view text);
  void Fail(const Error& error);
  void Progress();
  void Send(MessageType type, std::string_view payload);

 private:
  bool Write(MessageType type, std::string_view payload, bool may_drop);
  int fd_;
};

struct Child {
  pid_t pid = -1;
  OwnedFd pid_fd;   // readable when the child has ended
  OwnedFd pipe_fd;  // non-blocking
  uint64_t fork_usec = 0;
};

// Runs `body` in a forked child, which exits with what it returns.
Result<Child> ForkChild(std::span<const int> keep_fds,
                        const std::function<int(ChildReport*)>& body);

// Takes whole messages out of what was read from a pipe.
class MessageBuffer {
 public:
  struct Message {
    MessageType type;
    std::string_view payload;  // valid until the next call
  };
  // Reads what is there; false at the end of the file.
  bool Fill(int fd);
  bool Next(Message* message);
  size_t left() const { return bytes_.size() - taken_; }
  void Clear() { bytes_.clear(), taken_ = 0; }

 private:
  std::string bytes_;
  size_t taken_ = 0;
};

// How a child ended, for people; wait_status as waitpid tells it.
std::string DeathText(int wait_status);

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;

}  // namespace verso::persistence
