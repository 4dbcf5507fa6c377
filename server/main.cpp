// verso-server [file] [--directive value ...]
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "persistence/log/log_repair.h"
#include "persistence/persistence.h"
#include "server/command/arg_reader.h"
#include "server/command/command_table.h"
#include "server/config.h"
#include "server/logging.h"
#include "server/process_info.h"
#include "server/server.h"
#include "server/version.h"

namespace verso::server {
namespace {

constexpr char kUsage[] =
    "Usage: verso-server [/path/to/verso.conf] [--directive value ...]\n"
    "       verso-server --import FILE ...  begins with what Redis has left: a dump, an\n"
    "                                       append-only file, its manifest or its directory\n"
    "       verso-server --log-recover-to N ...  goes on with the operation log as it was at "
    "record N;\n"
    "                                       what follows is kept aside (*.lost)\n"
    "       verso-server --check DIR        exit status 0 if store and operation log in DIR are "
    "whole\n"
    "       verso-server --print-commands   the commands as a Markdown table\n"
    "       verso-server --version | --help\n"
    "\n"
    "Directives have the names and the grammar of redis.conf.\n"
    "Examples:\n"
    "       verso-server\n"
    "       verso-server /etc/verso.conf\n"
    "       verso-server --port 7777 --save '' --dir /tmp/data\n";

int Check(const std::string& directory) {
  const Result<std::string> whole = persistence::CheckStore(directory);
  if (!whole) {
    std::fprintf(stderr, "%s\n", whole.error().context.c_str());
    return 1;
  }
  std::fputs(whole->c_str(), stdout);
  return 0;
}

// What may stand between the directives.
struct StartOptions {
  std::string import;      // a dump file to begin with
  std::string recover_to;  // a record of the operation log
};

// Takes `name VALUE` out of the words.
std::string TakeOption(std::vector<std::string>* words, const std::string& name) {
  const auto at = std::find(words->begin(), words->end(), name);
  if (at == words->end() || at + 1 == words->end()) return {};
  std::string value = *(at + 1);
  words->erase(at, at + 2);
  return value;
}

Status RecoverLog(const std::string& dir, const persistence::Id& store_id,
                  const std::string& record) {
  int64_t sequence = 0;
  if (!ParseInteger(record, &sequence) || sequence < 0) {
    return Error{ErrorCode::kInvalidArgument, "--log-recover-to: no record's number: " + record};
  }
  return persistence::RecoverTo(dir, store_id, static_cast<uint64_t>(sequence));
}

int Serve(const std::vector<std::string>& arguments, const StartOptions& options) {
  Result<LoadedConfig> config = LoadConfig(arguments);
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().context.c_str());
    return 1;
  }
  // Nothing that we make is for others to read.
  umask(077);
  if (const Status log = OpenLog(config->settings); !log) {
    std::fprintf(stderr, "%s\n", log.error().context.c_str());
    return 1;
  }
  // One thread, and what is large comes from mappings of its own: one heap is enough, and it shall
  // give back what it can.
  mallopt(M_ARENA_MAX, 1);
  CyclesPerMicrosecond();
  LogNotice("Verso version={}, bits=64, pid={}, just started", kVersoVersion, getpid());
  for (const std::string& name : config->warnings) {
    LogWarning("directive '{}' has no meaning here and is ignored", name);
  }

  const SystemClock clock;
  Result<OpenedStore> opened = OpenStore(config->settings, &clock);
  if (!opened) {
    LogWarning("Fatal error opening the data in '{}': {}. Exiting.", config->settings.dir,
               opened.error().context);
    return 1;
  }
  if (!options.recover_to.empty()) {
    const Status recovered = RecoverLog(config->settings.dir, opened->store_id, options.recover_to);
    if (!recovered) {
      LogWarning("{}. Exiting.", recovered.error().context);
      return 1;
    }
  }
  Server server(std::move(config->settings), &clock, std::move(opened->store),
                std::move(opened->saves), config->file, opened->store_id);
  if (const Status open = server.Open(); !open) {
    LogWarning("Failed listening: {}. Exiting.", open.error().context);
    return 1;
  }
  if (!server.BringBack(options.import)) return 1;
  LogNotice("Running mode=standalone, port={}.", server.bound_port());
  LogNotice("Ready to accept connections tcp");
  return server.Run();
}

int Main(const std::vector<std::string>& arguments) {
  const std::string first = arguments.empty() ? "" : arguments[0];
  if (first == "-v" || first == "--version") {
    std::printf("Verso server v=%s (Redis %s protocol) bits=64\n",
                std::string(kVersoVersion).c_str(), std::string(kRedisVersion).c_str());
    return 0;
  }
  if (first == "-h" || first == "--help") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (first == "--print-commands") {
    std::fputs(CommandTable::Get().Markdown().c_str(), stdout);
    return 0;
  }
  if (first == "--check" && arguments.size() == 2) return Check(arguments[1]);
  std::vector<std::string> directives = arguments;
  StartOptions options;
  options.import = TakeOption(&directives, "--import");
  options.recover_to = TakeOption(&directives, "--log-recover-to");
  return Serve(directives, options);
}

}  // namespace
}  // namespace verso::server

// What is thrown this far (no memory at the start) ends the process, as it should.
int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape)
  return verso::server::Main(std::vector<std::string>(argv + 1, argv + argc));
}
