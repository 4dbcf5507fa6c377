// verso-cli: reads the options, connects, and hands over to the mode they choose.
#include <clocale>
#include <cstdio>

#include "client/cli/options.h"
#include "client/cli/pipe_mode.h"
#include "client/cli/rdb_mode.h"
#include "client/cli/repl.h"
#include "client/cli/runner.h"
#include "client/cli/scan_mode.h"
#include "client/cli/session.h"
#include "client/cli/terminal.h"
#include "client/connection.h"

namespace verso::cli {
namespace {

int RunCommand(Session* session, const Options& options) {
  std::vector<std::string> args = options.command;
  if (options.read_last_argument) args.push_back(ReadAllStdin());
  switch (Runner(session, options).Run(args, options.repeat)) {
    case Outcome::kOk:
      return 0;
    case Outcome::kErrorReply:
      return options.exit_on_error_reply ? 1 : 0;
    case Outcome::kFailed:
    case Outcome::kDisconnected:
      return 1;
  }
  return 1;
}

int Run(Options options) {
  if (options.warn_about_password) {
    std::fputs(
        "Warning: Using a password with '-a' or '-u' option on the command line interface may not "
        "be safe.\n",
        stderr);
  }
  if (options.ask_password) {
    const std::optional<std::string> password = AskPassword();
    if (!password) return 1;
    options.password = *password;
  }
  Session session(options);
  const bool is_interactive =
      options.command.empty() && !options.pipe && !options.scan && options.rdb.empty();
  // At the prompt a missing server is no end: it may come, or `connect` may name another.
  if (!session.Connect() && !(is_interactive && StdinIsTty())) return 1;
  if (options.pipe) return RunPipe(session.client().connection(), options);
  if (!options.rdb.empty()) return RunRdb(&session, options.rdb);
  if (options.scan) return RunScan(&session, options);
  if (is_interactive) return Repl(&session, options).Run();
  return RunCommand(&session, options);
}

}  // namespace
}  // namespace verso::cli

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");  // libedit measures typed text by it
  const verso::cli::ParsedOptions parsed = verso::cli::ParseOptions(argc, argv);
  if (!parsed.options) {
    std::fputs(parsed.text.c_str(), parsed.exit_status == 0 ? stdout : stderr);
    return parsed.exit_status;
  }
  return verso::cli::Run(*parsed.options);
}
