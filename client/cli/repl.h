// The interactive mode: reads lines (typed, or piped into stdin) and runs them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/cli/help.h"
#include "client/cli/options.h"
#include "client/cli/runner.h"
#include "client/cli/session.h"

namespace verso::cli {

// Whether a line must stay out of the history file because it may hold a password.
bool IsSecretLine(std::string_view line);

class Repl {
 public:
  Repl(Session* session, const Options& options);

  // Returns the exit status.
  int Run();

 private:
  enum class Next : uint8_t { kGoOn, kLeave, kLeaveFailed };

  int RunTyped();
  int RunPiped();
  Next RunLine(const std::string& line);
  Next RunCommand(std::vector<std::string> args);
  // True: the args were a command of the tool itself.
  bool RunOwnCommand(const std::vector<std::string>& args);
  void Reconnect(const std::vector<std::string>& args);
  // False: there is no connection, or it was lost together with a transaction.
  bool EnsureConnected();
  std::vector<std::string> Complete(std::string_view text) const;
  std::string Hint(std::string_view text) const;

  Session* const session_;
  const Options& options_;
  Runner runner_;
  Help help_;
};

}  // namespace verso::cli
