// The command line of verso-cli: redis-cli's usual options, read with CLI11.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/formatter.h"

namespace verso::cli {

struct Options {
  std::string host = "127.0.0.1";
  uint16_t port = 6379;
  std::string user;
  std::string password;
  bool warn_about_password = false;  // it was given on the command line
  bool ask_password = false;
  int db = 0;
  std::string branch;                  // empty: main
  std::string at;                      // not empty: commands that read do so in this version
  int resp_version = 0;                // 0: the server's default, that is 2
  double connect_timeout_seconds = 0;  // 0: none

  int64_t repeat = 1;  // negative: for ever
  double interval_seconds = 0;
  bool read_last_argument = false;   // -x
  bool exit_on_error_reply = false;  // -e
  std::optional<Format> format;      // nullopt: kTty on a terminal, kRaw otherwise

  bool pipe = false;
  double pipe_timeout_seconds = 30;
  std::string rdb;  // a file to write the data set to; empty: none
  bool scan = false;
  std::string pattern;
  int64_t count = 0;  // 0: the server's default

  std::vector<std::string> command;  // empty: interactive
};

// Options to run with, or the text to print and the status to exit with.
struct ParsedOptions {
  std::optional<Options> options;
  std::string text;
  int exit_status = 0;
};

// Options end at the first word that is not one; everything behind belongs to the command.
// The environment variables VERSOCLI_AUTH and, after it, REDISCLI_AUTH give the password if no
// option does.
ParsedOptions ParseOptions(int argc, const char* const* argv);

}  // namespace verso::cli
