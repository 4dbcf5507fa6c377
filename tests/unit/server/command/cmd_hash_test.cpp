// Hashes: each command's replies, errors and effects; forms and thresholds; long replies.
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <utility>

#include "command_fixture.h"

using namespace verso::server;
using Strings = std::vector<std::string>;

namespace {

constexpr const char* kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

// The bulk strings of a reply, headers left out.
Strings Bulks(const std::string& reply) {
  Strings found;
  for (size_t at = 0; at < reply.size();) {
    const size_t end = reply.find("\r\n", at);
    REQUIRE(end != std::string::npos);
    if (reply[at] != '$') {
      at = end + 2;
      continue;
    }
    const size_t bytes = std::stoul(reply.substr(at + 1, end - at - 1));
    found.push_back(reply.substr(end + 2, bytes));
    at = end + 2 + bytes + 2;
  }
  return found;
}

std::map<std::string, std::string> Pairs(const std::string& reply) {
  const Strings bulks = Bulks(reply);
  REQUIRE(bulks.size() % 2 == 0);
  std::map<std::string, std::string> pairs;
  for (size_t i = 0; i < bulks.size(); i += 2) pairs[bulks[i]] = bulks[i + 1];
  return pairs;
}

void Fill(CommandFixture& run, const std::string& key, int count, size_t value_bytes = 8) {
  for (int i = 0; i < count; ++i) {
    run("HSET", key, "field" + std::to_string(i), std::string(value_bytes, 'v'));
  }
}

}  // namespace

TEST_CASE("hset, hmset, hsetnx, hget, hmget, hexists, hlen, hstrlen, hdel", "[command]") {
  CommandFixture run;
  CHECK(run("HSET", "h", "a", "1", "b", "2") == ":2\r\n");
  CHECK(run("HSET", "h", "a", "one", "c", "3", "c", "4") == ":1\r\n");
  CHECK(run("HMSET", "h", "d", "5") == "+OK\r\n");
  CHECK(run("HSETNX", "h", "d", "6") == ":0\r\n");
  CHECK(run("HSETNX", "h", "e", "6") == ":1\r\n");
  CHECK(run("HGET", "h", "a") == "$3\r\none\r\n");
  CHECK(run("HGET", "h", "none") == "$-1\r\n");
  CHECK(run("HGET", "none", "a") == "$-1\r\n");
  CHECK(run("HMGET", "h", "a", "x", "c") == "*3\r\n$3\r\none\r\n$-1\r\n$1\r\n4\r\n");
  CHECK(run("HMGET", "none", "a", "b") == "*2\r\n$-1\r\n$-1\r\n");
  CHECK(run("HEXISTS", "h", "b") == ":1\r\n");
  CHECK(run("HEXISTS", "h", "x") == ":0\r\n");
  CHECK(run("HLEN", "h") == ":5\r\n");
  CHECK(run("HLEN", "none") == ":0\r\n");
  CHECK(run("HSTRLEN", "h", "a") == ":3\r\n");
  CHECK(run("HSTRLEN", "h", "x") == ":0\r\n");
  CHECK(run("HDEL", "h", "a", "a", "x") == ":1\r\n");
  CHECK(run("HDEL", "h", "x") == ":0\r\n");
  CHECK(run("HDEL", "none", "x") == ":0\r\n");
  run.events.clear();
  CHECK(run("HDEL", "h", "b", "c", "d", "e", "f") == ":4\r\n");
  CHECK(run("EXISTS", "h") == ":0\r\n");
  CHECK(run.events == Strings{"del h"});
  CHECK(run("HSET", "h", "a") == "-ERR wrong number of arguments for 'hset' command\r\n");
  CHECK(run("HSET", "h", "a", "1", "b") == "-ERR wrong number of arguments for 'hset' command\r\n");
  CHECK(run("HMSET", "h", "a", "1", "b") ==
        "-ERR wrong number of arguments for 'hmset' command\r\n");
}

TEST_CASE("Hash commands refuse other types and leave them alone", "[command]") {
  CommandFixture run;
  run("SET", "s", "v");
  run.effects.clear();
  run.events.clear();
  CHECK(run("HSET", "s", "f", "v") == kWrongType);
  CHECK(run("HMSET", "s", "f", "v") == kWrongType);
  CHECK(run("HSETNX", "s", "f", "v") == kWrongType);
  CHECK(run("HGET", "s", "f") == kWrongType);
  CHECK(run("HMGET", "s", "f") == kWrongType);
  CHECK(run("HDEL", "s", "f") == kWrongType);
  CHECK(run("HLEN", "s") == kWrongType);
  CHECK(run("HSTRLEN", "s", "f") == kWrongType);
  CHECK(run("HEXISTS", "s", "f") == kWrongType);
  CHECK(run("HINCRBY", "s", "f", "1") == kWrongType);
  CHECK(run("HINCRBYFLOAT", "s", "f", "1") == kWrongType);
  CHECK(run("HGETALL", "s") == kWrongType);
  CHECK(run("HKEYS", "s") == kWrongType);
  CHECK(run("HVALS", "s") == kWrongType);
  CHECK(run("HSCAN", "s", "0") == kWrongType);
  CHECK(run("HRANDFIELD", "s") == kWrongType);
  CHECK(run.effects.empty());
  CHECK(run.events.empty());
  run("HSET", "h", "f", "v");
  CHECK(run("GET", "h") == kWrongType);
  CHECK(run("APPEND", "h", "x") == kWrongType);
  CHECK(run("TYPE", "h") == "+hash\r\n");
  CHECK(run("SET", "h", "v") == "+OK\r\n");
}

TEST_CASE("hincrby and hincrbyfloat", "[command]") {
  CommandFixture run;
  CHECK(run("HINCRBY", "h", "n", "5") == ":5\r\n");
  CHECK(run("HINCRBY", "h", "n", "-7") == ":-2\r\n");
  CHECK(run("HINCRBY", "h", "n", "x") == "-ERR value is not an integer or out of range\r\n");
  run("HSET", "h", "s", "abc", "max", "9223372036854775807");
  CHECK(run("HINCRBY", "h", "s", "1") == "-ERR hash value is not an integer\r\n");
  CHECK(run("HINCRBY", "h", "max", "1") == "-ERR increment or decrement would overflow\r\n");
  CHECK(run("HGET", "h", "max") == "$19\r\n9223372036854775807\r\n");
  run.effects.clear();
  CHECK(run("HINCRBYFLOAT", "h", "f", "10.5") == "$4\r\n10.5\r\n");
  CHECK(run("HINCRBYFLOAT", "h", "f", "-0.5") == "$2\r\n10\r\n");
  CHECK(run.effects == Strings{"HSET h f 10.5", "HSET h f 10"});
  CHECK(run("HINCRBYFLOAT", "h", "s", "1") == "-ERR hash value is not a float\r\n");
  CHECK(run("HINCRBYFLOAT", "h", "f", "x") == "-ERR value is not a valid float\r\n");
  CHECK(run("HINCRBYFLOAT", "h", "f", "inf") == "-ERR value is NaN or Infinity\r\n");
}

TEST_CASE("A hash keeps its deadline, and goes when it has come", "[command]") {
  CommandFixture run;
  run("HSET", "h", "a", "1");
  run("PEXPIRE", "h", "10000");
  run("HSET", "h", "a", "2", "b", std::string(100, 'x'));  // large from here on
  run("HDEL", "h", "a");
  run("HINCRBY", "h", "n", "1");
  CHECK(run("PTTL", "h") == ":10000\r\n");
  run.now_ms += 10'001;
  run.effects.clear();
  CHECK(run("HLEN", "h") == ":0\r\n");
  CHECK(run("HSETNX", "h", "n", "7") == ":1\r\n");  // what stood there is not there any more
  CHECK(run.effects == Strings{"DEL h", "HSETNX h n 7"});
  CHECK(run("HLEN", "h") == ":1\r\n");
  CHECK(run("PTTL", "h") == ":-1\r\n");
}

TEST_CASE("Changes count as Redis counts them", "[command]") {
  CommandFixture run;
  auto changes = [&run, before = uint64_t{0}]() mutable {
    const uint64_t now = run.state().changes.changes();
    return now - std::exchange(before, now);
  };
  changes();
  run("HSET", "h", "a", "1", "b", "2", "c", "3");
  CHECK(changes() == 3);
  run("HINCRBY", "h", "a", "1");
  CHECK(changes() == 1);
  run("HSETNX", "h", "a", "1");
  run("HDEL", "h", "none");
  run("HGETALL", "h");
  CHECK(changes() == 0);
  run("HDEL", "h", "a", "b", "none");
  CHECK(changes() == 2);
  run("HDEL", "h", "c");
  CHECK(changes() == 1);
}

TEST_CASE("A hash is packed up to the thresholds, and large above them", "[command]") {
  CommandFixture run;
  const auto encoding = [&run](const std::string& key) {
    return Bulks(run("OBJECT", "ENCODING", key)).at(0);
  };
  run("HSET", "value", "f", std::string(64, 'v'));
  CHECK(encoding("value") == "listpack");
  run("HSET", "value", "f", std::string(65, 'v'));
  CHECK(encoding("value") == "hashtable");
  run("HSET", "value", "f", "v");
  CHECK(encoding("value") == "hashtable");  // and never back
  run("HSET", "field", std::string(65, 'f'), "v");
  CHECK(encoding("field") == "hashtable");
  Fill(run, "count", 512, 1);
  CHECK(encoding("count") == "listpack");
  run("HSET", "count", "one more", "v");
  CHECK(encoding("count") == "hashtable");
  CHECK(run("HLEN", "count") == ":513\r\n");
  Fill(run, "bytes", 200, 60);  // above 8 KiB
  CHECK(encoding("bytes") == "hashtable");
  run.state().settings.hash_max_listpack_entries = 1;
  run.state().ApplySettings();
  run("HSET", "low", "a", "1");
  CHECK(encoding("low") == "listpack");
  run("HSET", "low", "b", "1");
  CHECK(encoding("low") == "hashtable");
}

TEST_CASE("hgetall, hkeys, hvals of any size", "[command]") {
  CommandFixture run;
  CHECK(run("HGETALL", "none") == "*0\r\n");
  CHECK(run("HKEYS", "none") == "*0\r\n");
  CHECK(run("HVALS", "none") == "*0\r\n");
  run("HSET", "h", "a", "1", "b", "2");
  CHECK(run("HGETALL", "h") == "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n");
  CHECK(run("HKEYS", "h") == "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  CHECK(run("HVALS", "h") == "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  run.session().protocol = 3;
  CHECK(run("HGETALL", "h").substr(0, 4) == "%2\r\n");
  CHECK(run("HGETALL", "none") == "%0\r\n");
  CHECK(run("HKEYS", "h").substr(0, 4) == "*2\r\n");
  run.session().protocol = 2;

  std::map<std::string, std::string> model;
  for (int i = 0; i < 3000; ++i) {
    const std::string field = "field" + std::to_string(i);
    // Some fields and values are longer than a reply that is made at once.
    model[field] = std::string(i % 1000 == 7 ? 70'000 : 10, static_cast<char>('a' + i % 26));
    run("HSET", "large", field, model[field]);
  }
  model[std::string(100'000, 'f')] = "long field";
  run("HSET", "large", std::string(100'000, 'f'), "long field");
  const uint64_t slices = run.slices();
  const std::string all = run("HGETALL", "large");
  CHECK(run.slices() > slices);  // as a continuation
  CHECK(all.substr(0, all.find('\r')) == "*6002");
  CHECK(Pairs(all) == model);
  const Strings keys = Bulks(run("HKEYS", "large"));
  CHECK(std::set<std::string>(keys.begin(), keys.end()).size() == model.size());
  std::multiset<std::string> wanted;
  for (const auto& [field, value] : model) wanted.insert(value);
  const Strings values = Bulks(run("HVALS", "large"));
  CHECK(std::multiset<std::string>(values.begin(), values.end()) == wanted);
  CHECK(Bulks(run("HGET", "large", "field7")).at(0) == model["field7"]);
}

TEST_CASE("hscan returns every field once, also while others come and go", "[command]") {
  CommandFixture run;
  CHECK(run("HSCAN", "none", "0") == "*2\r\n$1\r\n0\r\n*0\r\n");
  CHECK(run("HSCAN", "none", "x") == "-ERR invalid cursor\r\n");
  run("HSET", "h", "a", "1", "b", "2");
  CHECK(run("HSCAN", "h", "0") ==
        "*2\r\n$1\r\n0\r\n*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n");
  CHECK(run("HSCAN", "h", "0", "MATCH", "b*") == "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n");
  CHECK(run("HSCAN", "h", "0", "COUNT", "0") == "-ERR syntax error\r\n");
  CHECK(run("HSCAN", "h", "0", "COUNT", "x") == "-ERR value is not an integer or out of range\r\n");
  CHECK(run("HSCAN", "h", "0", "TYPE", "string") == "-ERR syntax error\r\n");
  Fill(run, "large", 1000);
  std::map<std::string, int> seen;
  std::string cursor = "0";
  int calls = 0;
  do {
    const Strings bulks = Bulks(run("HSCAN", "large", cursor, "COUNT", "20", "MATCH", "field*"));
    cursor = bulks.at(0);
    for (size_t i = 1; i < bulks.size(); i += 2) ++seen[bulks[i]];
    run("HSET", "large", "new" + std::to_string(calls), "v");
    ++calls;
  } while (cursor != "0");
  CHECK(calls > 10);
  CHECK(seen.size() == 1000);
  for (const auto& [field, times] : seen) REQUIRE(times == 1);
}

TEST_CASE("hrandfield", "[command]") {
  CommandFixture run;
  CHECK(run("HRANDFIELD", "none") == "$-1\r\n");
  CHECK(run("HRANDFIELD", "none", "3") == "*0\r\n");
  run("HSET", "h", "a", "1", "b", "2", "c", "3");
  CHECK(run("HRANDFIELD", "h", "0") == "*0\r\n");
  CHECK(Bulks(run("HRANDFIELD", "h", "5")).size() == 3);
  CHECK(Bulks(run("HRANDFIELD", "h", "-5")).size() == 5);
  CHECK(Pairs(run("HRANDFIELD", "h", "3", "WITHVALUES")) ==
        std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}, {"c", "3"}});
  CHECK(run("HRANDFIELD", "h", "x") == "-ERR value is not an integer or out of range\r\n");
  CHECK(run("HRANDFIELD", "h", "1", "x") == "-ERR syntax error\r\n");
  CHECK(run("HRANDFIELD", "h", "1", "withvalues", "x") == "-ERR syntax error\r\n");
  CHECK(run("HRANDFIELD", "h", "9223372036854775807", "WITHVALUES") ==
        "-ERR value is out of range\r\n");
  run.session().protocol = 3;
  CHECK(run("HRANDFIELD", "h", "2", "WITHVALUES").substr(0, 8) == "*2\r\n*2\r\n");
  run.session().protocol = 2;

  Fill(run, "large", 2500);
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) seen.insert(Bulks(run("HRANDFIELD", "large")).at(0));
  CHECK(seen.size() > 100);
  for (const char* count : {"10", "800", "1000", "1500", "2500", "9000"}) {
    const Strings picked = Bulks(run("HRANDFIELD", "large", count));
    INFO(count);
    CHECK(picked.size() == std::min<size_t>(std::stoul(count), 2500));
    CHECK(std::set<std::string>(picked.begin(), picked.end()).size() == picked.size());
  }
  CHECK(Bulks(run("HRANDFIELD", "large", "-5000")).size() == 5000);
}
