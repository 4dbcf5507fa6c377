#include "client/cli/terminal.h"

#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <iterator>

namespace verso::cli {
namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // a signal handler writes it

void OnInterrupt(int) { interrupted.store(true, std::memory_order_relaxed); }

}  // namespace

bool StdinIsTty() { return ::isatty(STDIN_FILENO) == 1; }
bool StdoutIsTty() { return ::isatty(STDOUT_FILENO) == 1; }

std::string ReadAllStdin() {
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

std::optional<std::string> AskPassword() {
  termios shown{};
  const bool is_tty = ::tcgetattr(STDIN_FILENO, &shown) == 0;
  if (is_tty) {
    termios hidden = shown;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  }
  // Not before: what is typed on sight of it must be neither shown nor flushed away.
  std::fputs("Please input password: ", stderr);
  std::string line;
  const bool has_line = static_cast<bool>(std::getline(std::cin, line));
  if (is_tty) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
  std::fputc('\n', stderr);
  if (!has_line) return std::nullopt;
  return line;
}

InterruptScope::InterruptScope() {
  interrupted.store(false, std::memory_order_relaxed);
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;  // without SA_RESTART: the wait shall end
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, &previous_);
}

InterruptScope::~InterruptScope() {
  ::sigaction(SIGINT, &previous_, nullptr);
  interrupted.store(false, std::memory_order_relaxed);
}

const std::atomic<bool>& InterruptScope::flag() { return interrupted; }

}  // namespace verso::cli
