// The little that verso-cli needs to know of the terminal and of Ctrl-C.
#pragma once

#include <signal.h>

#include <atomic>
#include <optional>
#include <string>

namespace verso::cli {

bool StdinIsTty();
bool StdoutIsTty();

// Everything up to the end of stdin.
std::string ReadAllStdin();

// One line typed without echo; nullopt at the end of input.
std::optional<std::string> AskPassword();

// While one of these lives, Ctrl-C ends the wait for a reply instead of the program.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  // What Client::Options::interrupt points to.
  static const std::atomic<bool>& flag();

 private:
  struct sigaction previous_;
};

}  // namespace verso::cli
