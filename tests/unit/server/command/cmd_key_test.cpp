// Keys: renaming, copying, moving, deadlines, scanning, and what is recorded of each.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "command_fixture.h"

using namespace verso::server;
using Strings = std::vector<std::string>;

namespace {

// The cursor and the keys of a SCAN reply.
std::pair<std::string, Strings> ParseScan(const std::string& reply) {
  size_t at = reply.find("\r\n", 4) + 2;
  const auto line = [&] {
    const size_t end = reply.find("\r\n", at);
    const std::string text = reply.substr(at, end - at);
    at = end + 2;
    return text;
  };
  const std::string cursor = line();
  const int count = std::stoi(line().substr(1));
  Strings keys;
  for (int i = 0; i < count; ++i) {
    const size_t bytes = std::stoul(line().substr(1));
    keys.push_back(reply.substr(at, bytes));
    at += bytes + 2;
  }
  CHECK(at == reply.size());
  return {cursor, keys};
}

std::multiset<std::string> ScanAll(CommandFixture& run, std::vector<verso::ByteView> options = {}) {
  std::multiset<std::string> all;
  std::string cursor = "0";
  do {
    std::vector<verso::ByteView> command = {"SCAN", cursor};
    command.insert(command.end(), options.begin(), options.end());
    auto [next, keys] = ParseScan(run.Run(command));
    all.insert(keys.begin(), keys.end());
    cursor = next;
  } while (cursor != "0");
  return all;
}

}  // namespace

TEST_CASE("del, unlink, exists, touch, type", "[command]") {
  CommandFixture run;
  run("MSET", "a", "1", "b", "2", "c", "3");
  CHECK(run("EXISTS", "a", "a", "none") == ":2\r\n");
  CHECK(run("TOUCH", "a", "b", "none") == ":2\r\n");
  CHECK(run("TYPE", "a") == "+string\r\n");
  CHECK(run("TYPE", "none") == "+none\r\n");
  run.effects.clear();
  CHECK(run("DEL", "none") == ":0\r\n");
  CHECK(run("DEL", "a", "a", "none") == ":1\r\n");
  CHECK(run("UNLINK", "b", "c") == ":2\r\n");
  CHECK(run.effects == Strings{"DEL a a none", "UNLINK b c"});
}

TEST_CASE("rename keeps value and deadline", "[command]") {
  CommandFixture run;
  run("SET", "a", "1", "EX", "100");
  run("SET", "b", "2");
  CHECK(run("RENAME", "none", "b") == "-ERR no such key\r\n");
  CHECK(run("RENAME", "none", "none") == "-ERR no such key\r\n");
  CHECK(run("RENAMENX", "a", "b") == ":0\r\n");
  CHECK(run("RENAMENX", "a", "a") == ":0\r\n");
  run.effects.clear();
  run.events.clear();
  CHECK(run("RENAME", "a", "a") == kOk);
  CHECK(run.effects.empty());
  CHECK(run("RENAME", "a", "b") == kOk);
  CHECK(run.events == Strings{"rename_from a", "rename_to b"});
  CHECK(run("GET", "b") == Bulk("1"));
  CHECK(run("TTL", "b") == ":100\r\n");
  CHECK(run("RENAMENX", "b", "c") == ":1\r\n");
  CHECK(run("EXISTS", "a", "b", "c") == ":1\r\n");
}

TEST_CASE("copy and move between databases", "[command]") {
  CommandFixture run;
  const std::string big(50000, 'x');
  run("SET", "a", big, "EX", "100");
  run.effects.clear();
  CHECK(run("COPY", "a", "a") == "-ERR source and destination objects are the same\r\n");
  CHECK(run("COPY", "a", "b", "DB", "16") == "-ERR DB index is out of range\r\n");
  CHECK(run("COPY", "a", "b", "DB") == kSyntaxError);
  CHECK(run("COPY", "a", "b", "DB", "x") == kNotIntegerError);
  CHECK(run("COPY", "none", "b") == ":0\r\n");
  CHECK(run("MOVE", "a", "0") == "-ERR source and destination objects are the same\r\n");
  CHECK(run("MOVE", "a", "-1") == "-ERR DB index is out of range\r\n");
  CHECK(run("MOVE", "a", "3000000000") ==
        "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n");
  CHECK(run("MOVE", "none", "1") == ":0\r\n");
  CHECK(run.effects.empty());
  CHECK(run("COPY", "a", "b") == ":1\r\n");
  CHECK(run("COPY", "a", "b") == ":0\r\n");
  run("SETRANGE", "b", "0", "y");
  CHECK(run("GETRANGE", "a", "0", "0") == Bulk("x"));  // nothing is shared
  CHECK(run("TTL", "b") == ":100\r\n");
  CHECK(run("COPY", "a", "b", "REPLACE") == ":1\r\n");
  CHECK(run("COPY", "a", "a", "DB", "3") == ":1\r\n");
  CHECK(run("MOVE", "a", "3") == ":0\r\n");
  CHECK(run("MOVE", "b", "3") == ":1\r\n");
  CHECK(run("EXISTS", "b") == ":0\r\n");
  run.session().db = 3;
  CHECK(run("GET", "b") == Bulk(big));
  CHECK(run("TTL", "b") == ":100\r\n");
  CHECK(run.effects.back() == "DEL b");
  CHECK(run.effects[run.effects.size() - 2] == "COPY b b DB 3 REPLACE");
}

TEST_CASE("expire: conditions, edges and the past", "[command]") {
  CommandFixture run;
  CHECK(run("EXPIRE", "none", "10") == ":0\r\n");
  run("SET", "k", "v");
  run.effects.clear();
  CHECK(run("EXPIRE", "k", "10", "XX") == ":0\r\n");
  CHECK(run("EXPIRE", "k", "10", "GT") == ":0\r\n");
  CHECK(run("EXPIRE", "k", "10", "LT") == ":1\r\n");
  CHECK(run("EXPIRE", "k", "20", "NX") == ":0\r\n");
  CHECK(run("EXPIRE", "k", "10", "GT") == ":0\r\n");
  CHECK(run("EXPIRE", "k", "20", "xx", "GT") == ":1\r\n");
  CHECK(run("TTL", "k") == ":20\r\n");
  CHECK(run("PEXPIRE", "k", "1500") == ":1\r\n");
  CHECK(run("TTL", "k") == ":2\r\n");
  CHECK(run("EXPIREAT", "k", "1800000000") == ":1\r\n");
  CHECK(run("EXPIRETIME", "k") == ":1800000000\r\n");
  CHECK(run("PEXPIREAT", "k", "1800000000500") == ":1\r\n");
  CHECK(run("EXPIRETIME", "k") == ":1800000001\r\n");
  CHECK(run("PERSIST", "k") == ":1\r\n");
  CHECK(run("PERSIST", "k") == ":0\r\n");
  CHECK(run("PEXPIRETIME", "k") == ":-1\r\n");
  CHECK(run("EXPIRE", "k", "-1") == ":1\r\n");
  CHECK(run("EXISTS", "k") == ":0\r\n");
  CHECK(run.effects == Strings{"PEXPIREAT k 1700000010000", "PEXPIREAT k 1700000020000",
                               "PEXPIREAT k 1700000001500", "PEXPIREAT k 1800000000000",
                               "PEXPIREAT k 1800000000500", "PERSIST k", "DEL k"});
  CHECK(run("EXPIRE", "k", "1", "NX", "GT") ==
        "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n");
  CHECK(run("EXPIRE", "k", "1", "LT", "GT") ==
        "-ERR GT and LT options at the same time are not compatible\r\n");
  CHECK(run("EXPIRE", "k", "x", "ZZ") == "-ERR Unsupported option ZZ\r\n");
  CHECK(run("EXPIRE", "k", "x") == kNotIntegerError);
  for (const char* time : {"9223372036854775807", "-9223372036854775808", "9223372036854776"}) {
    CHECK(run("EXPIRE", "k", time) == "-ERR invalid expire time in 'expire' command\r\n");
  }
  CHECK(run("PEXPIRE", "k", "9223372036854775807") ==
        "-ERR invalid expire time in 'pexpire' command\r\n");
  CHECK(run("PEXPIRE", "k", "-9223372036854775808") == ":0\r\n");
  run("SET", "k", "v");
  CHECK(run("PEXPIREAT", "k", "9223372036854775807") == ":1\r\n");
  CHECK(run("PEXPIRETIME", "k") == ":9223372036854775807\r\n");
}

TEST_CASE("scan: everything once, through splits, filters and expiry", "[command]") {
  CommandFixture run(false);
  std::multiset<std::string> keys;
  CHECK(run("SCAN", "0") == "*2\r\n$1\r\n0\r\n*0\r\n");
  for (int i = 0; i < 5000; ++i) {
    const std::string key = "key:" + std::to_string(i);
    run("SET", key, "v");
    keys.insert(key);
  }
  CHECK(ScanAll(run) == keys);
  CHECK(ScanAll(run, {"COUNT", "1"}) == keys);
  CHECK(ScanAll(run, {"COUNT", "1000000000", "MATCH", "*"}) == keys);
  CHECK(ScanAll(run, {"MATCH", "key:4999"}) == std::multiset<std::string>{"key:4999"});
  CHECK(ScanAll(run, {"TYPE", "STRING"}) == keys);
  CHECK(ScanAll(run, {"TYPE", "list"}).empty());
  CHECK(ScanAll(run, {"TYPE", "nosuch"}).empty());
  for (int i = 0; i < 5000; i += 2) {
    run("PEXPIRE", "key:" + std::to_string(i), "10");
    keys.erase("key:" + std::to_string(i));
  }
  run.now_ms += 10;
  CHECK(ScanAll(run) == keys);
  CHECK(run("SCAN", "x") == "-ERR invalid cursor\r\n");
  CHECK(run("SCAN", "-1") == "-ERR invalid cursor\r\n");
  CHECK(run("SCAN", "18446744073709551616") == "-ERR invalid cursor\r\n");
  CHECK(run("SCAN", "0", "COUNT", "0") == kSyntaxError);
  CHECK(run("SCAN", "0", "COUNT", "x") == kNotIntegerError);
  CHECK(run("SCAN", "0", "COUNT") == kSyntaxError);
  CHECK(run("SCAN", "0", "bogus", "1") == kSyntaxError);
}

TEST_CASE("a scan returns what stays, while the rest comes and goes", "[command]") {
  CommandFixture run(false);
  for (int i = 0; i < 2000; ++i) run("SET", "stay:" + std::to_string(i), "v");
  std::map<std::string, int> seen;
  std::string cursor = "0";
  int added = 0;
  do {
    auto [next, keys] = ParseScan(run("SCAN", cursor, "COUNT", "20"));
    for (const std::string& key : keys) ++seen[key];
    cursor = next;
    for (int i = 0; i < 100; ++i) run("SET", "new:" + std::to_string(added++), "v");
    if (added % 1000 == 0) {
      for (int i = 0; i < added; ++i) run("DEL", "new:" + std::to_string(i));
    }
  } while (cursor != "0");
  for (int i = 0; i < 2000; ++i) REQUIRE(seen["stay:" + std::to_string(i)] == 1);
}

TEST_CASE("keys: at once and in slices", "[command]") {
  CommandFixture run(false);
  CHECK(run("KEYS", "*") == "*0\r\n");
  run("SET", "one", "1");
  CHECK(run("KEYS", "*") == "*1\r\n$3\r\none\r\n");
  CHECK(run("KEYS", "t*") == "*0\r\n");
  CHECK(run.slices() == 0);
  for (int i = 0; i < 20000; ++i) run("SET", "key:" + std::to_string(i), "v");
  const std::string reply = run("KEYS", "*");
  CHECK(reply.substr(0, 8) == "*20001\r\n");
  CHECK(std::count(reply.begin(), reply.end(), '$') == 20001);
  CHECK(run("KEYS", "key:1234?").substr(0, 5) == "*10\r\n");
  CHECK(run("KEYS", "nothing*") == "*0\r\n");
  CHECK(run.slices() >= 3);
}

TEST_CASE("randomkey", "[command]") {
  CommandFixture run(false);
  CHECK(run("RANDOMKEY") == kNull);
  std::set<std::string> wanted;
  for (int i = 0; i < 10; ++i) {
    run("SET", "key:" + std::to_string(i), "v");
    wanted.insert(Bulk("key:" + std::to_string(i)));
  }
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(run("RANDOMKEY"));
  CHECK(seen == wanted);
  for (int i = 1; i < 10; ++i) run("PEXPIRE", "key:" + std::to_string(i), "1");
  run.now_ms += 1;
  for (int i = 0; i < 10; ++i) CHECK(run("RANDOMKEY") == Bulk("key:0"));
}

TEST_CASE("object", "[command]") {
  CommandFixture run(false);
  run("SET", "int", "12345");
  run("SET", "short", "abc");
  run("SET", "long", std::string(45, 'a'));
  run("APPEND", "appended", "1");
  CHECK(run("OBJECT", "ENCODING", "int") == Bulk("int"));
  CHECK(run("OBJECT", "ENCODING", "short") == Bulk("embstr"));
  CHECK(run("OBJECT", "ENCODING", "long") == Bulk("raw"));
  CHECK(run("OBJECT", "ENCODING", "appended") == Bulk("int"));
  run("APPEND", "appended", "1");
  CHECK(run("OBJECT", "ENCODING", "appended") == Bulk("raw"));
  CHECK(run("OBJECT", "ENCODING", "none") == kNull);
  CHECK(run("OBJECT", "REFCOUNT", "short") == ":1\r\n");
  CHECK(run("OBJECT", "REFCOUNT", "int") == ":1\r\n");
  run("SET", "small", "9999");
  CHECK(run("OBJECT", "REFCOUNT", "small") == ":2147483647\r\n");
  CHECK(run("OBJECT", "FREQ", "short").substr(0, 28) == "-ERR An LFU maxmemory policy");
  CHECK(run("OBJECT", "FREQ", "none") == kNull);
  run.now_ms += 5000;
  const uint64_t hits = run.state().environment.keyspace_hits;
  const uint64_t misses = run.state().environment.keyspace_misses;
  CHECK(run("OBJECT", "IDLETIME", "short") == ":5\r\n");
  CHECK(run("OBJECT", "IDLETIME", "none") == kNull);
  CHECK(run.state().environment.keyspace_hits == hits + 1);
  CHECK(run.state().environment.keyspace_misses == misses + 1);
  run("TTL", "short");
  CHECK(run("OBJECT", "IDLETIME", "short") == ":5\r\n");
  run("TOUCH", "short");
  CHECK(run("OBJECT", "IDLETIME", "short") == ":0\r\n");
  CHECK(run("OBJECT", "nosuch", "k") == "-ERR unknown subcommand 'nosuch'. Try OBJECT HELP.\r\n");
  CHECK(run("OBJECT", "ENCODING") ==
        "-ERR wrong number of arguments for 'object|encoding' command\r\n");
  CHECK(run("OBJECT", "HELP")[0] == '*');
}
