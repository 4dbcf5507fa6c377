#include "client/cli/options.h"

#include <catch2/catch.hpp>
#include <cstdlib>

namespace verso::cli {
namespace {

ParsedOptions Parse(std::vector<const char*> args) {
  args.insert(args.begin(), "verso-cli");
  return ParseOptions(static_cast<int>(args.size()), args.data());
}

using Args = std::vector<std::string>;

TEST_CASE("options: defaults") {
  const auto parsed = Parse({});
  REQUIRE(parsed.options);
  CHECK(parsed.options->host == "127.0.0.1");
  CHECK(parsed.options->port == 6379);
  CHECK(parsed.options->resp_version == 0);
  CHECK(!parsed.options->format);
  CHECK(parsed.options->command.empty());
}

TEST_CASE("options: everything behind the command's name belongs to the command") {
  const auto parsed =
      Parse({"-h", "box", "-p", "7000", "-n", "2", "-3", "set", "k", "-5", "-h", "--help", "-p"});
  REQUIRE(parsed.options);
  CHECK(parsed.options->host == "box");
  CHECK(parsed.options->port == 7000);
  CHECK(parsed.options->db == 2);
  CHECK(parsed.options->resp_version == 3);
  CHECK(parsed.options->command == Args{"set", "k", "-5", "-h", "--help", "-p"});
}

TEST_CASE("options: values may begin with a dash, and the last one counts") {
  const auto parsed = Parse({"-r", "-1", "-a", "-secret", "-p", "1", "-p", "2", "ping"});
  REQUIRE(parsed.options);
  CHECK(parsed.options->repeat == -1);
  CHECK(parsed.options->password == "-secret");
  CHECK(parsed.options->port == 2);
}

TEST_CASE("options: formats and protocol versions") {
  CHECK(Parse({"--raw"}).options->format == Format::kRaw);
  CHECK(Parse({"--no-raw"}).options->format == Format::kTty);
  CHECK(Parse({"--csv", "--json"}).options->format == Format::kCsv);
  CHECK(Parse({"--json"}).options->resp_version == 3);
  CHECK(Parse({"--json", "-2"}).options->resp_version == 2);
}

TEST_CASE("options: passwords") {
  ::setenv("REDISCLI_AUTH", "old", 1);
  CHECK(Parse({}).options->password == "old");
  CHECK(!Parse({}).options->warn_about_password);
  ::setenv("VERSOCLI_AUTH", "new", 1);
  CHECK(Parse({}).options->password == "new");
  CHECK(Parse({"-a", "typed"}).options->password == "typed");
  CHECK(Parse({"-a", "typed"}).options->warn_about_password);
  CHECK(!Parse({"--pass", "typed", "--no-auth-warning"}).options->warn_about_password);
  ::unsetenv("VERSOCLI_AUTH");
  ::unsetenv("REDISCLI_AUTH");
  const auto parsed = Parse({"-u", "redis://ada:pw@box:7000/4", "ping"});
  REQUIRE(parsed.options);
  CHECK(parsed.options->user == "ada");
  CHECK(parsed.options->password == "pw");
  CHECK(parsed.options->host == "box");
  CHECK(parsed.options->port == 7000);
  CHECK(parsed.options->db == 4);
}

TEST_CASE("options: what is refused, and what only prints") {
  for (const std::vector<const char*>& args :
       std::vector<std::vector<const char*>>{{"--bogus", "x"},
                                             {"-p", "x"},
                                             {"-p", "70000"},
                                             {"-p"},
                                             {"-i", "-1", "ping"},
                                             {"-u", "http://x"},
                                             {"--count", "0"}}) {
    const auto parsed = Parse(args);
    INFO(args[0]);
    CHECK(!parsed.options);
    CHECK(parsed.exit_status == 1);
    CHECK(!parsed.text.empty());
  }
  CHECK(Parse({"--help"}).exit_status == 0);
  CHECK(Parse({"--help"}).text.find("--pipe-timeout") != std::string::npos);
  CHECK(Parse({"--version"}).text.starts_with("verso-cli "));
}

}  // namespace
}  // namespace verso::cli
