// verso-server [file] [--directive value ...]
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "persistence/persistence.h"
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
    "       verso-server --import FILE ...  begins with what a dump file of Redis holds\n"
    "       verso-server --check DIR        exit status 0 if the store in DIR is whole\n"
    "       verso-server --print-commands   the commands as a Markdown table\n"
    "       verso-server --version | --help\n"
    "\n"
    "Directives have the names and the grammar of redis.conf.\n"
    "Examples:\n"
    "       verso-server\n"
    "       verso-server /etc/verso.conf\n"
    "       verso-server --port 7777 --save '' --dir /tmp/data\n";

int Check(const std::string& directory) {
  if (const Status whole = persistence::CheckStore(directory); !whole) {
    std::fprintf(stderr, "%s\n", whole.error().context.c_str());
    return 1;
  }
  std::printf("%s: the store is whole\n", directory.c_str());
  return 0;
}

// `import`: a dump file to begin with; empty: none was asked for.
int Serve(const std::vector<std::string>& arguments, const std::string& import) {
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
  Server server(std::move(config->settings), &clock, std::move(opened->store),
                std::move(opened->saves), config->file);
  if (const Status open = server.Open(); !open) {
    LogWarning("Failed listening: {}. Exiting.", open.error().context);
    return 1;
  }
  if (const Status load = server.LoadDumpFile(import); !load) {
    LogWarning("Fatal error loading the DB: {}. Exiting.", load.error().context);
    return 1;
  }
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
  std::string import;
  const auto at = std::find(directives.begin(), directives.end(), "--import");
  if (at != directives.end() && at + 1 != directives.end()) {
    import = *(at + 1);
    directives.erase(at, at + 2);
  }
  return Serve(directives, import);
}

}  // namespace
}  // namespace verso::server

int main(int argc, char** argv) {
  return verso::server::Main(std::vector<std::string>(argv + 1, argv + argc));
}
