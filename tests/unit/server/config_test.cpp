#include "server/config.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <unistd.h>

namespace verso::server {
namespace {

Settings Read(const std::string& text) {
  LoadedConfig config;
  const Status read = ReadConfigText(text, "test.conf", &config);
  INFO((read ? std::string() : read.error().context));
  REQUIRE(read.has_value());
  return config.settings;
}

std::string Fault(const std::string& text) {
  LoadedConfig config;
  const Status read = ReadConfigText(text, "test.conf", &config);
  REQUIRE(!read.has_value());
  return read.error().context;
}

TEST_CASE("config: the grammar of redis.conf") {
  const Settings settings = Read(
      "# comment\n"
      "\n"
      "  PORT 7000\r\n"
      "requirepass \"pass \\x41\\\"\"\n"
      "dir '/tmp/a b'\n"
      "maxmemory 2gb\n"
      "save 900 1\n"
      "save 300 10 60 100\n"
      "bind 127.0.0.1 -::1\n"
      "unixsocketperm 770\n"
      "loglevel Verbose\n"
      "client-output-buffer-limit replica 1mb 1k 5\n");
  CHECK(settings.port == 7000);
  CHECK(settings.requirepass == "pass A\"");
  CHECK(settings.dir == "/tmp/a b");
  CHECK(settings.maxmemory == uint64_t{2} << 30);
  CHECK(settings.save == std::vector<SavePoint>{{900, 1}, {300, 10}, {60, 100}});
  CHECK(settings.bind == std::vector<std::string>{"127.0.0.1", "-::1"});
  CHECK(settings.unixsocketperm == 0770);
  CHECK(settings.loglevel == static_cast<int64_t>(LogLevel::kVerbose));
  CHECK(settings.output_limit_replica.hard_bytes == 1024 * 1024);
  CHECK(settings.output_limit_replica.soft_bytes == 1000);
}

TEST_CASE("config: save \"\" means none, no save line means the defaults") {
  CHECK(Read("save \"\"\n").save.empty());
  CHECK(Read("port 1\n").save.size() == 3);
  CHECK(Read("save \"\"\nsave 5 1\n").save == std::vector<SavePoint>{{5, 1}});
}

TEST_CASE("config: what is wrong is named with file and line") {
  CHECK_THAT(Fault("port 1\n\nno-such-thing 1\n"),
             Catch::Matchers::Contains("test.conf, at line 3") &&
                 Catch::Matchers::Contains(">>> 'no-such-thing 1'"));
  CHECK_THAT(Fault("port 70000\n"), Catch::Matchers::Contains("between 0 and 65535"));
  CHECK_THAT(Fault("port\n"), Catch::Matchers::Contains("number of arguments"));
  CHECK_THAT(Fault("dir \"a\n"), Catch::Matchers::Contains("Unbalanced quotes"));
  CHECK_THAT(Fault("maxmemory lots\n"), Catch::Matchers::Contains("memory value"));
  CHECK_THAT(Fault("appendfsync sometimes\n"), Catch::Matchers::Contains("always, everysec, no"));
  CHECK_THAT(Fault("loglevel loud\n"), Catch::Matchers::Contains("one of the following"));
  CHECK_THAT(Fault("include /no/such/file.conf\n"),
             Catch::Matchers::Contains("/no/such/file.conf"));
}

TEST_CASE("config: directives without a meaning here are accepted with a warning") {
  LoadedConfig config;
  REQUIRE(ReadConfigText("rdbcompression yes\ntcp-backlog 100\n", "f", &config).has_value());
  CHECK(config.warnings == std::vector<std::string>{"rdbcompression"});
  for (const ConfigRow* row : ConfigRows()) CHECK_FALSE(IsInertDirective(row->name));
}

TEST_CASE("config: memory units") {
  uint64_t bytes = 0;
  REQUIRE(ParseMemory("1k", &bytes));
  CHECK(bytes == 1000);
  REQUIRE(ParseMemory("1KB", &bytes));
  CHECK(bytes == 1024);
  REQUIRE(ParseMemory("3g", &bytes));
  CHECK(bytes == 3000000000);
  CHECK_FALSE(ParseMemory("", &bytes));
  CHECK_FALSE(ParseMemory("k", &bytes));
  CHECK_FALSE(ParseMemory("-1", &bytes));
  CHECK_FALSE(ParseMemory("1kib", &bytes));
  CHECK_FALSE(ParseMemory("99999999999gb", &bytes));
}

TEST_CASE("config: a file, an included file and the command line over both") {
  char folder[] = "/tmp/verso-config-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string path = folder;
  std::ofstream(path + "/more.conf") << "hz 50\nport 7002\n";
  std::ofstream(path + "/main.conf") << "port 7001\ninclude " << path << "/more.conf\nsave 9 9\n";
  const auto config = LoadConfig({path + "/main.conf", "--save", "1", "2", "--timeout", "7"});
  REQUIRE(config.has_value());
  CHECK(config->settings.port == 7002);
  CHECK(config->settings.hz == 50);
  CHECK(config->settings.timeout == 7);
  CHECK(config->settings.save == std::vector<SavePoint>{{1, 2}});
  CHECK(config->file == path + "/main.conf");
  CHECK_FALSE(LoadConfig({path + "/none.conf"}).has_value());
  CHECK_FALSE(LoadConfig({"--no-such", "1"}).has_value());
  std::remove((path + "/more.conf").c_str());
  std::remove((path + "/main.conf").c_str());
  rmdir(folder);
}

TEST_CASE("config: every value that is shown can be set again") {
  Settings settings;
  for (const ConfigRow* row : ConfigRows()) {
    const std::string shown = ConfigValue(*row, settings);
    Settings copy;
    INFO(row->name << " = " << shown);
    REQUIRE(SetConfig(*row, {shown}, true, &copy).has_value());
    CHECK(ConfigValue(*row, copy) == shown);
  }
}

}  // namespace
}  // namespace verso::server
