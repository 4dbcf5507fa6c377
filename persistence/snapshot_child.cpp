#include "persistence/snapshot_child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <exception>
#include <new>
#include <vector>

#include "storage/base/bytes.h"

namespace verso::persistence {

namespace {

constexpr size_t kHeaderBytes = 5;
constexpr size_t kReadBytes = 64 * 1024;

void ResetSignals() {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action = {};
    action.sa_handler = number == SIGPIPE || number == SIGXFSZ ? SIG_IGN : SIG_DFL;
    sigaction(number, &action, nullptr);  // fails for SIGKILL, SIGSTOP and those of the C library
  }
}

void WriteOomScore() {
  const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  // A wish: without /proc the child is as likely a victim as its parent.
  if (write(fd, "1000", 4) != 4) return (void)close(fd);
  close(fd);
}

void CloseAllBut(std::vector<int> keep) {
  const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null_fd >= 0) {
    dup2(null_fd, STDIN_FILENO);
    dup2(null_fd, STDOUT_FILENO);
  }
  keep.insert(keep.end(), {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO});
  std::sort(keep.begin(), keep.end());
  unsigned next = 0;
  for (const int fd : keep) {
    const auto kept = static_cast<unsigned>(fd);
    if (kept > next) close_range(next, kept - 1, 0);
    next = std::max(next, kept + 1);
  }
  close_range(next, UINT_MAX, 0);
}

[[noreturn]] void RunChild(pid_t parent, int pipe_fd, std::span<const int> keep_fds,
                           const sigset_t& mask, const std::function<int(ChildReport*)>& body) {
  ResetSignals();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kExitFailed);
  WriteOomScore();
  umask(077);
  std::vector<int> keep(keep_fds.begin(), keep_fds.end());
  keep.push_back(pipe_fd);
  CloseAllBut(std::move(keep));
  sigprocmask(SIG_SETMASK, &mask, nullptr);

  ChildReport report(pipe_fd);
  int code = kExitFailed;
  try {
    code = body(&report);
  } catch (const std::bad_alloc&) {
    report.Fail(Error{ErrorCode::kOutOfMemory, "the child ran out of memory"});
  } catch (const std::exception& failure) {  // RocksDB's, the standard library's
    report.Fail(Error{ErrorCode::kIo, std::string("unexpected: ") + failure.what()});
  }
  _exit(code);
}

}  // namespace

Result<Child> ForkChild(std::span<const int> keep_fds,
                        const std::function<int(ChildReport*)>& body) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return OsError("pipe");
  Child child;
  child.pipe_fd = OwnedFd(ends[0]);
  OwnedFd child_end(ends[1]);

  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  const pid_t self = getpid();
  pthread_sigmask(SIG_BLOCK, &all, &before);
  const auto start = std::chrono::steady_clock::now();
  child.pid = fork();
  if (child.pid == 0) RunChild(self, child_end.get(), keep_fds, before, body);
  const auto end = std::chrono::steady_clock::now();
  const int fork_errno = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (child.pid < 0) {
    errno = fork_errno;
    return OsError("fork");
  }
  child.fork_usec = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(end - start).count());
  // The C library of Debian 12 declares pidfd_open without C linkage.
  child.pid_fd = OwnedFd(static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0)));
  if (!child.pid_fd) {
    const Error error = OsError("pidfd_open");
    kill(child.pid, SIGKILL);
    return error;  // the zombie stays: without descriptors there is no forking either
  }
  return child;
}

std::string DeathText(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int number = WTERMSIG(wait_status);
    return "the child was killed by signal " + std::to_string(number) + " (" + strsignal(number) +
           ")";
  }
  return "the child ended with status " + std::to_string(WEXITSTATUS(wait_status));
}

// ---- the child's end

void ChildReport::Log(LogLevel level, std::string_view text) {
  Send(MessageType::kLogLine, std::string(1, static_cast<char>(level)).append(text));
}

void ChildReport::Fail(const Error& error) {
  Send(MessageType::kError, std::string(1, static_cast<char>(error.code)).append(error.context));
}

void ChildReport::Progress() { Write(MessageType::kProgress, {}, true); }

void ChildReport::Send(MessageType type, std::string_view payload) { Write(type, payload, false); }

bool ChildReport::Write(MessageType type, std::string_view payload, bool may_drop) {
  std::string bytes(kHeaderBytes, '\0');
  bytes[0] = static_cast<char>(type);
  StoreLe<uint32_t>(bytes.data() + 1, static_cast<uint32_t>(payload.size()));
  bytes.append(payload);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = write(fd_, bytes.data() + done, bytes.size() - done);
    if (n >= 0) {
      done += static_cast<size_t>(n);
    } else if (errno == EAGAIN) {
      if (may_drop && done == 0) return false;
      pollfd wait = {fd_, POLLOUT, 0};
      poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return false;  // the parent is gone, and PR_SET_PDEATHSIG on its way
    }
  }
  return true;
}

// ---- the parent's end

bool MessageBuffer::Fill(int fd) {
  if (taken_ > 0) {
    bytes_.erase(0, taken_);
    taken_ = 0;
  }
  while (true) {
    const size_t before = bytes_.size();
    bytes_.resize(before + kReadBytes);
    const ssize_t n = read(fd, bytes_.data() + before, kReadBytes);
    bytes_.resize(before + (n > 0 ? static_cast<size_t>(n) : 0));
    if (n == 0) return false;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    if (bytes_.size() >= 4 * kReadBytes) return true;  // the rest in the next turn
  }
}

bool MessageBuffer::Next(Message* message) {
  const std::string_view rest = std::string_view(bytes_).substr(taken_);
  if (rest.size() < kHeaderBytes) return false;
  const auto length = LoadLe<uint32_t>(rest.data() + 1);
  if (rest.size() - kHeaderBytes < length) return false;
  message->type = static_cast<MessageType>(rest[0]);
  message->payload = rest.substr(kHeaderBytes, length);
  taken_ += kHeaderBytes + length;
  return true;
}

}  // namespace verso::persistence
