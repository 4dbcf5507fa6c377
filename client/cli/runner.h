// Runs commands and prints their replies: the same for one command and for a typed line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/options.h"
#include "client/cli/session.h"

namespace verso::cli {

enum class Outcome : uint8_t {
  kOk,
  kErrorReply,
  kFailed,        // a command of the tool itself (bgsave --wait) did not succeed
  kDisconnected,  // the reason is on stderr
};

class Runner {
 public:
  Runner(Session* session, const Options& options);

  // Runs the command repeat times (negative: for ever) with the interval of the options between.
  // Ends early on anything worse than an error reply; with -e on an error reply too.
  Outcome Run(const std::vector<std::string>& args, int64_t repeat);

 private:
  Outcome RunOnce(const std::vector<std::string>& args);
  // Prints what comes until the connection ends or Ctrl-C interrupts.
  Outcome Listen(const std::vector<std::string>& args);
  Outcome Disconnected(const client::Error& error);
  Outcome Print(const Reply& reply, bool is_plain_text);

  Session* const session_;
  const Options& options_;
  const Format format_;
};

}  // namespace verso::cli
