// The gates, in their order, with sessions that no socket stands behind.
#include <catch2/catch.hpp>

#include "command_fixture.h"
#include "server/command/command_table.h"
#include "server/command/error_reply.h"

namespace verso::server {
namespace {

std::string ErrorBytes(std::string_view text) { return "-" + std::string(text) + "\r\n"; }

const CommandMetrics& MetricsOf(CommandFixture& redis, std::string_view name) {
  return redis.state().command_metrics[CommandTable::Get().FindFull(name)->index];
}

TEST_CASE("dispatcher: names, subcommands and arity") {
  CommandFixture redis;
  CHECK(redis("nosuch", "a", "b\r\nc") ==
        "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b  c' \r\n");
  CHECK(redis("config", "nosuch") == "-ERR unknown subcommand 'nosuch'. Try CONFIG HELP.\r\n");
  CHECK(redis("config") == "-ERR wrong number of arguments for 'config' command\r\n");
  CHECK(redis("CONFIG", "GET") == "-ERR wrong number of arguments for 'config|get' command\r\n");
  CHECK(redis("get") == "-ERR wrong number of arguments for 'get' command\r\n");
  CHECK(redis("GeT", "k") == "$-1\r\n");
  const std::string name(1000, 'n');
  CHECK(redis(name) ==
        "-ERR unknown command '" + name.substr(0, 128) + "', with args beginning with: \r\n");
  CHECK(MetricsOf(redis, "get").calls == 1);
  CHECK(MetricsOf(redis, "get").rejected == 1);
  CHECK(redis.state().metrics.errors_by_code.at("ERR") == 6);
}

TEST_CASE("dispatcher: auth comes after arity and before everything else") {
  CommandFixture redis;
  redis.session().authenticated = false;
  redis.state().loading = true;
  CHECK(redis("get") == "-ERR wrong number of arguments for 'get' command\r\n");
  CHECK(redis("get", "k") == ErrorBytes(error::kNoAuth));
  redis.session().authenticated = true;
  CHECK(redis("get", "k") == ErrorBytes(error::kLoading));
  redis.state().loading = false;
  CHECK(redis("get", "k") == "$-1\r\n");
}

TEST_CASE("dispatcher: a failed save stops writes, if there are save points and it is told to") {
  CommandFixture redis;
  redis.state().last_save_failed = true;
  CHECK(redis("set", "k", "v") == ErrorBytes(error::kMisconf));
  CHECK(redis("get", "k") == "$-1\r\n");
  redis.state().settings.stop_writes_on_bgsave_error = false;
  CHECK(redis("set", "k", "v") == "+OK\r\n");
  redis.state().settings.stop_writes_on_bgsave_error = true;
  redis.state().settings.save.clear();
  CHECK(redis("set", "k", "v") == "+OK\r\n");
  redis.state().last_save_failed = false;
}

TEST_CASE("dispatcher: above maxmemory what may need memory is refused, the rest is not") {
  CommandFixture redis;
  REQUIRE(redis("set", "k", std::string(1000, 'v')) == "+OK\r\n");
  redis.state().settings.maxmemory = 1;
  CHECK(redis("set", "k", "w") == ErrorBytes(error::kOom));
  CHECK(redis("get", "k") == "$1000\r\n" + std::string(1000, 'v') + "\r\n");
  CHECK(redis("del", "k") == ":1\r\n");
  CHECK(redis.state().metrics.errors_by_code.at("OOM") == 1);
}

TEST_CASE("dispatcher: a write that cannot have its worst case changes nothing") {
  CommandFixture redis;
  REQUIRE(redis("set", "k", "v") == "+OK\r\n");
  const uint64_t changes = redis.events.size();
  Request request;
  const ByteView words[] = {"set", "k", "w"};
  request.entry = CommandTable::Get().Find("set");
  request.arguments = words;
  request.bytes = size_t{1} << 50;  // more than the arena's address space
  BufferPool pool;
  OutputChain out(&pool);
  ReplyWriter reply(&out);
  std::unique_ptr<Continuation> rest;
  Dispatcher dispatcher(&redis.state(), nullptr);
  CHECK(dispatcher.Run(request, redis.session(), reply, &rest) == Outcome::kDone);
  CHECK(reply.last_error_code() == "OOM");
  CHECK(redis("get", "k") == "$1\r\nv\r\n");
  CHECK(redis.events.size() == changes);
}

TEST_CASE("dispatcher: what changed is recorded, what did not change is not") {
  CommandFixture redis;
  redis("set", "k", "v");
  CHECK(redis.effects == std::vector<std::string>{"set k v"});
  redis.effects.clear();
  redis("get", "k");
  redis("del", "none");
  redis("setnx", "k", "w");
  CHECK(redis.effects.empty());
}

}  // namespace
}  // namespace verso::server
