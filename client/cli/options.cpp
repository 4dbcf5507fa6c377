#include "client/cli/options.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "client/cli/uri.h"

namespace verso::cli {
namespace {

constexpr char kFooter[] =
    "Without a command verso-cli is interactive; type \"help\" there.\n"
    "  verso-cli set greeting hello\n"
    "  cat photo.jpg | verso-cli -x set photo\n"
    "  verso-cli --scan --pattern 'user:*'\n"
    "  verso-cli --pipe < commands.resp\n"
    "  verso-cli --rdb backup.rdb\n"
    "  verso-cli bgsave --wait\n"
    "  verso-cli scrub --wait\n"
    "  verso-cli diff yesterday main";

struct Flags {
  std::string uri;
  bool resp2 = false;
  bool resp3 = false;
  bool raw = false;
  bool no_raw = false;
  bool csv = false;
  bool json = false;
  bool no_auth_warning = false;
};

void AddConnectionOptions(CLI::App* app, Options* options, Flags* flags) {
  app->add_option("-h", options->host, "Server host name (127.0.0.1)");
  app->add_option("-p", options->port, "Server port (6379)");
  app->add_option("-t", options->connect_timeout_seconds, "Seconds to wait for the connection")
      ->check(CLI::NonNegativeNumber);
  app->add_option("-a,--pass", options->password,
                  "Password; safer: environment variable VERSOCLI_AUTH or REDISCLI_AUTH");
  app->add_option("--user", options->user, "User name for the password");
  app->add_flag("--askpass", options->ask_password, "Ask for the password");
  app->add_option("-u", flags->uri, "Server as redis://[user:password@]host[:port][/db]");
  app->add_option("-n", options->db, "Database number")->check(CLI::NonNegativeNumber);
  app->add_option("--branch", options->branch, "Branch to work in (main)");
  app->add_option("--at", options->at,
                  "Snapshot or branch to read in; nothing can be written then");
  app->add_flag("-2", flags->resp2, "Speak RESP2");
  app->add_flag("-3", flags->resp3, "Speak RESP3");
  app->add_flag("--no-auth-warning", flags->no_auth_warning,
                "No warning about a password on the command line");
}

void AddModeOptions(CLI::App* app, Options* options, Flags* flags) {
  app->add_option("-r", options->repeat, "Run the command this many times; -1: for ever");
  app->add_option("-i", options->interval_seconds,
                  "Seconds between runs (-r), and between the steps of --scan")
      ->check(CLI::NonNegativeNumber);
  app->add_flag("-x", options->read_last_argument, "Read the last argument from stdin");
  app->add_flag("-e", options->exit_on_error_reply, "Exit with status 1 on an error reply");
  app->add_flag("--raw", flags->raw, "Plain replies (default when stdout is no terminal)");
  app->add_flag("--no-raw", flags->no_raw, "Typed replies also when stdout is no terminal");
  app->add_flag("--csv", flags->csv, "Replies as CSV");
  app->add_flag("--json", flags->json, "Replies as JSON (speaks RESP3 unless -2 is given)");
  app->add_flag("--pipe", options->pipe, "Send a stream of commands from stdin at full speed");
  app->add_option("--pipe-timeout", options->pipe_timeout_seconds,
                  "Seconds to wait for the last reply of --pipe; 0: for ever (30)")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--rdb", options->rdb,
                  "Write the server's data set to a dump file; -: to stdout");
  app->add_flag("--scan", options->scan, "List the keys with SCAN");
  app->add_option("--pattern", options->pattern, "Pattern of the keys that --scan lists");
  app->add_option("--count", options->count, "COUNT hint for --scan")->check(CLI::PositiveNumber);
}

void ApplyFormat(const Flags& flags, Options* options) {
  if (flags.csv) {
    options->format = Format::kCsv;
  } else if (flags.json) {
    options->format = Format::kJson;
  } else if (flags.no_raw) {
    options->format = Format::kTty;
  } else if (flags.raw) {
    options->format = Format::kRaw;
  }
  if (flags.resp2) {
    options->resp_version = 2;
  } else if (flags.resp3 || options->format == Format::kJson) {
    options->resp_version = 3;
  }
}

void ApplyUri(const Uri& uri, Options* options) {
  if (!uri.host.empty()) options->host = uri.host;
  if (uri.port) options->port = *uri.port;
  if (uri.db) options->db = *uri.db;
  if (uri.user) options->user = *uri.user;
  if (uri.password) options->password = *uri.password;
}

// A password of the command line is shown to everybody who lists processes; one of the environment
// is not.
void ApplyPassword(const Flags& flags, Options* options) {
  options->warn_about_password = !options->password.empty() && !flags.no_auth_warning;
  for (const char* name : {"VERSOCLI_AUTH", "REDISCLI_AUTH"}) {
    const char* value = std::getenv(name);
    if (options->password.empty() && value != nullptr) options->password = value;
  }
}

}  // namespace

ParsedOptions ParseOptions(int argc, const char* const* argv) {
  Options options;
  Flags flags;
  CLI::App app("verso-cli, the command line client of Verso", "verso-cli");
  app.set_help_flag("--help", "Print this help and exit");
  app.set_version_flag("--version", "verso-cli " VERSO_VERSION, "Print the version and exit");
  app.prefix_command();
  app.footer(kFooter);
  AddConnectionOptions(&app, &options, &flags);
  AddModeOptions(&app, &options, &flags);
  for (CLI::Option* option : app.get_options()) {
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      const bool is_version = error.get_name() == "CallForVersion";
      return {std::nullopt, is_version ? std::string(error.what()) + "\n" : app.help(), 0};
    }
    return {std::nullopt, std::string(error.what()) + "\nTry verso-cli --help\n", 1};
  }
  options.command = app.remaining();
  if (!options.command.empty() && options.command.front().starts_with('-')) {
    return {std::nullopt, "Unrecognized option: '" + options.command.front() + "'\n", 1};
  }
  if (!options.at.empty() && !options.rdb.empty()) {
    return {std::nullopt, "--rdb writes what is there now: SNAPSHOT EXPORT writes a version\n", 1};
  }
  if (!options.at.empty() && options.pipe) {
    return {std::nullopt, "--at reads in a version, --pipe sends commands as they are\n", 1};
  }
  if (!flags.uri.empty()) {
    client::Result<Uri> uri = ParseUri(flags.uri);
    if (!uri) return {std::nullopt, uri.error().message + "\n", 1};
    ApplyUri(*uri, &options);
  }
  ApplyFormat(flags, &options);
  ApplyPassword(flags, &options);
  return {std::move(options), "", 0};
}

}  // namespace verso::cli
