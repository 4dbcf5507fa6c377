// Sets: each command's replies, errors and effects; forms and thresholds; algebra against std::set.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "command_fixture.h"

using namespace verso::server;
using Strings = std::vector<std::string>;
using Members = std::set<std::string>;

namespace {

constexpr const char* kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

// The bulk strings of a reply of bulk strings; none may come twice.
Members MembersOf(const std::string& reply) {
  Members found;
  size_t at = reply.find("\r\n") + 2;
  const size_t count = std::stoul(reply.substr(1));
  for (size_t i = 0; i < count; ++i) {
    const size_t end = reply.find("\r\n", at);
    REQUIRE(reply[at] == '$');
    const size_t bytes = std::stoul(reply.substr(at + 1, end - at - 1));
    REQUIRE(found.insert(reply.substr(end + 2, bytes)).second);
    at = end + 2 + bytes + 2;
  }
  REQUIRE(at == reply.size());
  return found;
}

std::string Encoding(CommandFixture& run, const std::string& key) {
  const std::string reply = run("OBJECT", "ENCODING", key);
  const size_t at = reply.find("\r\n") + 2;
  return reply.substr(at, reply.size() - at - 2);
}

void Fill(CommandFixture& run, const std::string& key, const Members& members) {
  std::vector<verso::ByteView> command = {"SADD", key};
  command.insert(command.end(), members.begin(), members.end());
  run.Run(command);
}

Members Numbers(int from, int to, const std::string& prefix = "") {
  Members members;
  for (int i = from; i < to; ++i) members.insert(prefix + std::to_string(i));
  return members;
}

}  // namespace

TEST_CASE("sadd, srem, sismember, smismember, scard, smembers", "[command]") {
  CommandFixture run;
  CHECK(run("SADD", "s", "a", "b", "a") == ":2\r\n");
  CHECK(run("SADD", "s", "b") == ":0\r\n");
  CHECK(run("SCARD", "s") == ":2\r\n");
  CHECK(run("SCARD", "none") == ":0\r\n");
  CHECK(run("SISMEMBER", "s", "a") == ":1\r\n");
  CHECK(run("SISMEMBER", "s", "x") == ":0\r\n");
  CHECK(run("SISMEMBER", "none", "x") == ":0\r\n");
  CHECK(run("SMISMEMBER", "s", "a", "x", "b") == "*3\r\n:1\r\n:0\r\n:1\r\n");
  CHECK(run("SMISMEMBER", "none", "a", "x") == "*2\r\n:0\r\n:0\r\n");
  CHECK(MembersOf(run("SMEMBERS", "s")) == Members{"a", "b"});
  CHECK(run("SMEMBERS", "none") == "*0\r\n");
  run.session().protocol = 3;
  CHECK(run("SMEMBERS", "s").substr(0, 4) == "~2\r\n");
  run.session().protocol = 2;
  CHECK(run("SREM", "s", "a", "x", "a") == ":1\r\n");
  CHECK(run("SREM", "none", "a") == ":0\r\n");
  run.events.clear();
  CHECK(run("SREM", "s", "b", "c") == ":1\r\n");
  CHECK(run.events == Strings{"del s"});
  CHECK(run("EXISTS", "s") == ":0\r\n");
}

TEST_CASE("Set commands refuse other types", "[command]") {
  CommandFixture run;
  run("SET", "k", "v");
  run("SADD", "s", "m");
  run.effects.clear();
  CHECK(run("SADD", "k", "m") == kWrongType);
  CHECK(run("SREM", "k", "m") == kWrongType);
  CHECK(run("SISMEMBER", "k", "m") == kWrongType);
  CHECK(run("SMISMEMBER", "k", "m") == kWrongType);
  CHECK(run("SCARD", "k") == kWrongType);
  CHECK(run("SMEMBERS", "k") == kWrongType);
  CHECK(run("SSCAN", "k", "0") == kWrongType);
  CHECK(run("SPOP", "k") == kWrongType);
  CHECK(run("SPOP", "k", "2") == kWrongType);
  CHECK(run("SRANDMEMBER", "k") == kWrongType);
  CHECK(run("SMOVE", "k", "s", "m") == kWrongType);
  CHECK(run("SMOVE", "s", "k", "m") == kWrongType);
  CHECK(run("SMOVE", "none", "k", "m") == ":0\r\n");
  for (const char* command : {"SINTER", "SUNION", "SDIFF"}) {
    CHECK(run(command, "s", "k") == kWrongType);
    CHECK(run(command, "none", "k") == kWrongType);
    CHECK(run(std::string(command) + "STORE", "d", "s", "k") == kWrongType);
  }
  CHECK(run("SINTERCARD", "2", "s", "k") == kWrongType);
  CHECK(run.effects.empty());
  CHECK(run("HGET", "s", "f") == kWrongType);
  CHECK(run("TYPE", "s") == "+set\r\n");
}

TEST_CASE("A set is integers, packed or large by Redis' thresholds", "[command]") {
  CommandFixture run;
  run("SADD", "s", "1", "-5", "3");
  CHECK(Encoding(run, "s") == "intset");
  CHECK(run("SMEMBERS", "s") == "*3\r\n$2\r\n-5\r\n$1\r\n1\r\n$1\r\n3\r\n");
  CHECK(run("SISMEMBER", "s", "01") == ":0\r\n");
  run("SADD", "s", "01");  // no integer: another spelling
  CHECK(Encoding(run, "s") == "listpack");
  CHECK(MembersOf(run("SMEMBERS", "s")) == Members{"1", "-5", "3", "01"});
  Fill(run, "s", Numbers(0, 124, "m"));
  CHECK(run("SCARD", "s") == ":128\r\n");
  CHECK(Encoding(run, "s") == "listpack");
  run("SADD", "s", "one more");
  CHECK(Encoding(run, "s") == "hashtable");
  CHECK(run("SCARD", "s") == ":129\r\n");
  run("SADD", "long", "m", std::string(65, 'x'));
  CHECK(Encoding(run, "long") == "hashtable");
  Fill(run, "integers", Numbers(0, 512));
  CHECK(Encoding(run, "integers") == "intset");
  run("SADD", "integers", "512");
  CHECK(Encoding(run, "integers") == "hashtable");
  CHECK(MembersOf(run("SMEMBERS", "integers")) == Numbers(0, 513));
  Fill(run, "mixed", Numbers(0, 200));
  run("SADD", "mixed", "x");  // too many for a pack
  CHECK(Encoding(run, "mixed") == "hashtable");
  Fill(run, "wide", {"-9223372036854775808", "9223372036854775807", "0", "-32769"});
  CHECK(Encoding(run, "wide") == "intset");
  CHECK(MembersOf(run("SMEMBERS", "wide")).size() == 4);
}

TEST_CASE("smove", "[command]") {
  CommandFixture run;
  run("SADD", "a", "1", "2", "x");
  run("SADD", "b", "3");
  run.events.clear();
  CHECK(run("SMOVE", "a", "b", "x") == ":1\r\n");
  CHECK(run.events == Strings{"srem a", "sadd b"});
  CHECK(run("SMOVE", "a", "b", "none") == ":0\r\n");
  CHECK(run("SMOVE", "none", "b", "x") == ":0\r\n");
  CHECK(run("SMOVE", "a", "a", "1") == ":1\r\n");
  CHECK(run("SMOVE", "a", "a", "none") == ":0\r\n");
  CHECK(run("SMOVE", "a", "c", "1") == ":1\r\n");
  run("SADD", "c", "2");
  run.events.clear();
  CHECK(run("SMOVE", "a", "c", "2") == ":1\r\n");  // is there already; the last of its set
  CHECK(run.events == Strings{"del a"});
  CHECK(MembersOf(run("SMEMBERS", "b")) == Members{"3", "x"});
  CHECK(MembersOf(run("SMEMBERS", "c")) == Members{"1", "2"});
  CHECK(run("EXISTS", "a") == ":0\r\n");
}

TEST_CASE("spop records what it took", "[command]") {
  CommandFixture run;
  CHECK(run("SPOP", "none") == "$-1\r\n");
  CHECK(run("SPOP", "none", "3") == "*0\r\n");
  CHECK(run("SPOP", "none", "-1") == "-ERR value is out of range, must be positive\r\n");
  for (const std::string prefix :
       {"", "m", "a member that is longer than sixty-four bytes, so that it is large "}) {
    Members left = Numbers(0, 50, prefix);
    Fill(run, "s", left);
    CHECK(run("SPOP", "s", "0") == "*0\r\n");
    while (left.size() > 20) {
      run.effects.clear();
      const std::string reply = run("SPOP", "s");
      const std::string member =
          reply.substr(reply.find("\r\n") + 2, reply.size() - reply.find("\r\n") - 4);
      REQUIRE(left.erase(member) == 1);
      REQUIRE(run.effects == Strings{"SREM s " + member});
    }
    run.effects.clear();
    const Members taken = MembersOf(run("SPOP", "s", "15"));
    CHECK(taken.size() == 15);
    CHECK(run.effects.size() == 1);
    for (const std::string& member : taken) REQUIRE(left.erase(member) == 1);
    CHECK(MembersOf(run("SMEMBERS", "s")) == left);
    run.effects.clear();
    CHECK(MembersOf(run("SPOP", "s", "100")) == left);
    CHECK(run.effects == Strings{"DEL s"});
    CHECK(run("EXISTS", "s") == ":0\r\n");
  }
  Fill(run, "big", Numbers(0, 5000, "m"));
  run.effects.clear();
  const Members taken = MembersOf(run("SPOP", "big", "3000"));
  CHECK(taken.size() == 3000);
  CHECK(run.effects.size() == 3);  // none of unlimited length
  CHECK(run("SCARD", "big") == ":2000\r\n");
}

TEST_CASE("srandmember", "[command]") {
  CommandFixture run;
  CHECK(run("SRANDMEMBER", "none") == "$-1\r\n");
  CHECK(run("SRANDMEMBER", "none", "2") == "*0\r\n");
  CHECK(run("SRANDMEMBER", "none", "x") == "-ERR value is not an integer or out of range\r\n");
  for (const int size : {1, 100, 2000}) {
    for (const std::string prefix : {"", "m"}) {
      run("DEL", "s");
      const Members all = Numbers(0, size, prefix);
      Fill(run, "s", all);
      for (const char* count : {"1", "50", "100", "1999", "3000"}) {
        const Members some = MembersOf(run("SRANDMEMBER", "s", count));
        CHECK(some.size() == std::min<size_t>(std::stoul(count), all.size()));
        CHECK(std::includes(all.begin(), all.end(), some.begin(), some.end()));
      }
      CHECK(run("SRANDMEMBER", "s", "-70").substr(0, 5) == "*70\r\n");
    }
  }
  CHECK(run("SCARD", "s") == ":2000\r\n");
}

TEST_CASE("sscan", "[command]") {
  CommandFixture run;
  CHECK(run("SSCAN", "none", "0") == "*2\r\n$1\r\n0\r\n*0\r\n");
  run("SADD", "s", "3", "1");
  CHECK(run("SSCAN", "s", "0") == "*2\r\n$1\r\n0\r\n*2\r\n$1\r\n1\r\n$1\r\n3\r\n");
  CHECK(run("SSCAN", "s", "0", "MATCH", "3") == "*2\r\n$1\r\n0\r\n*1\r\n$1\r\n3\r\n");
  const Members all = Numbers(0, 1000, "m");
  Fill(run, "large", all);
  Members seen;
  std::string cursor = "0";
  do {
    const std::string reply = run("SSCAN", "large", cursor, "COUNT", "30");
    size_t at = reply.find("\r\n", 4) + 2;
    const size_t end = reply.find("\r\n", at);
    cursor = reply.substr(at, end - at);
    for (const std::string& member : MembersOf(reply.substr(end + 2))) {
      REQUIRE(seen.insert(member).second);
    }
  } while (cursor != "0");
  CHECK(seen == all);
}

TEST_CASE("sinter, sunion, sdiff and their stores do what std::set does", "[command]") {
  CommandFixture run;
  std::mt19937_64 random(5);
  const auto combine = [](const std::string& what, const std::vector<Members>& sets) {
    Members result = sets[0];
    for (size_t i = 1; i < sets.size(); ++i) {
      Members next;
      const auto into = std::inserter(next, next.end());
      if (what == "INTER") {
        std::set_intersection(result.begin(), result.end(), sets[i].begin(), sets[i].end(), into);
      } else if (what == "UNION") {
        std::set_union(result.begin(), result.end(), sets[i].begin(), sets[i].end(), into);
      } else {
        std::set_difference(result.begin(), result.end(), sets[i].begin(), sets[i].end(), into);
      }
      result = next;
    }
    return result;
  };
  std::vector<Members> pool = {
      Numbers(0, 20),          Numbers(10, 40),        Numbers(0, 1500),
      Numbers(1000, 4000),     Numbers(0, 60, "m"),    Numbers(30, 2000, "m"),
      Numbers(1200, 1300, ""), Members{"1", "m1", ""}, Members{}};
  for (size_t i = 0; i < pool.size(); ++i) {
    if (!pool[i].empty()) Fill(run, "s" + std::to_string(i), pool[i]);
  }
  for (int round = 0; round < 150; ++round) {
    std::vector<std::string> keys;
    std::vector<Members> sets;
    for (size_t i = 1 + random() % 4; i > 0; --i) {
      const size_t chosen = random() % pool.size();
      keys.push_back("s" + std::to_string(chosen));
      sets.push_back(pool[chosen]);
    }
    for (const std::string what : {"INTER", "UNION", "DIFF"}) {
      const Members wanted = combine(what, sets);
      const std::string name = "S" + what;
      std::vector<verso::ByteView> command = {name};
      command.insert(command.end(), keys.begin(), keys.end());
      REQUIRE(MembersOf(run.Run(command)) == wanted);
      const std::string store = name + "STORE";
      command[0] = store;
      command.insert(command.begin() + 1, "target");
      REQUIRE(run.Run(command) == ":" + std::to_string(wanted.size()) + "\r\n");
      REQUIRE(run("EXISTS", "target") == (wanted.empty() ? ":0\r\n" : ":1\r\n"));
      REQUIRE(MembersOf(run("SMEMBERS", "target")) == wanted);
      if (what != "INTER") continue;
      const std::string number = std::to_string(keys.size());
      command = {"SINTERCARD", number};
      command.insert(command.end(), keys.begin(), keys.end());
      REQUIRE(run.Run(command) == ":" + std::to_string(wanted.size()) + "\r\n");
      command.insert(command.end(), {"LIMIT", "5"});
      REQUIRE(run.Run(command) ==
              ":" + std::to_string(std::min<size_t>(wanted.size(), 5)) + "\r\n");
    }
  }
}

TEST_CASE("A stored set replaces what the target held, its own source included", "[command]") {
  CommandFixture run;
  run("SET", "d", "a string", "PX", "10000");
  run("SADD", "a", "1", "2", "3");
  run("SADD", "b", "2", "3", "4");
  run.events.clear();
  CHECK(run("SINTERSTORE", "d", "a", "b") == ":2\r\n");
  CHECK(run.events == Strings{"sinterstore d"});
  CHECK(run("PTTL", "d") == ":-1\r\n");
  CHECK(Encoding(run, "d") == "intset");
  CHECK(run("SUNIONSTORE", "a", "a", "b") == ":4\r\n");
  CHECK(MembersOf(run("SMEMBERS", "a")) == Members{"1", "2", "3", "4"});
  CHECK(run("SDIFFSTORE", "a", "a", "b") == ":1\r\n");
  CHECK(MembersOf(run("SMEMBERS", "a")) == Members{"1"});
  run.events.clear();
  CHECK(run("SINTERSTORE", "a", "a", "none") == ":0\r\n");
  CHECK(run.events == Strings{"del a"});
  // An expired source is gone for a replay, too.
  run("PEXPIRE", "b", "10");
  run.now_ms += 11;
  run.effects.clear();
  CHECK(run("SUNIONSTORE", "e", "b", "d") == ":2\r\n");
  CHECK(run.effects == Strings{"DEL b", "SUNIONSTORE e b d"});
}

TEST_CASE("sintercard's arguments", "[command]") {
  CommandFixture run;
  run("SADD", "s", "1", "2");
  CHECK(run("SINTERCARD", "1", "s") == ":2\r\n");
  CHECK(run("SINTERCARD", "1", "s", "LIMIT", "0") == ":2\r\n");
  CHECK(run("SINTERCARD", "1", "s", "LIMIT", "1") == ":1\r\n");
  CHECK(run("SINTERCARD", "0", "s") == "-ERR numkeys should be greater than 0\r\n");
  CHECK(run("SINTERCARD", "x", "s") == "-ERR numkeys should be greater than 0\r\n");
  CHECK(run("SINTERCARD", "2", "s") ==
        "-ERR Number of keys can't be greater than number of args\r\n");
  CHECK(run("SINTERCARD", "1", "s", "LIMIT", "-1") == "-ERR LIMIT can't be negative\r\n");
  CHECK(run("SINTERCARD", "1", "s", "LIMIT") == "-ERR syntax error\r\n");
  CHECK(run("SINTERCARD", "1", "s", "x", "1") == "-ERR syntax error\r\n");
}
