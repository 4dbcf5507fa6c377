// Writes that are computed aside: the same result as at one go, whatever happens between their
// slices; nothing is left behind by one that does not come to its end.
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "command_fixture.h"

using namespace verso::server;

namespace {

constexpr int kElements = 20'000;

void Fill(CommandFixture& redis) {
  const auto add = [&redis](const char* command, const std::string& key, bool scored, int from) {
    for (int at = 0; at < kElements; at += 500) {
      std::vector<std::string> words = {command, key};
      for (int i = at; i < at + 500; ++i) {
        if (scored) words.push_back(std::to_string((i * 7919) % 10'007));
        words.push_back("element:" + std::to_string(from + i));
      }
      redis.Run({words.begin(), words.end()});
    }
  };
  add("SADD", "s1", false, 0);
  add("SADD", "s2", false, kElements / 2);
  add("ZADD", "z1", true, 0);
  add("ZADD", "z2", true, kElements / 2);
  add("RPUSH", "l", false, 0);
  add("HSET", "h", true, 0);
  redis("SADD", "s1", std::string(300, 'x'), std::string(50'000, 'y'));
  redis("ZADD", "z1", "5", std::string(300, 'x'), "6", std::string(50'000, 'y'));
  redis("SET", "text", std::string(5'000'000, 't'));
  redis("SET", "bits", std::string(3'000'000, 'b'));
  for (int at = 0; at < kElements; at += 500) {
    std::vector<std::string> words = {"GEOADD", "g"};
    for (int i = at; i < at + 500; ++i) {
      words.push_back(std::to_string(i % 179));
      words.push_back(std::to_string(i * 7 % 85));
      words.push_back("place:" + std::to_string(i));
    }
    redis.Run({words.begin(), words.end()});
  }
}

const std::vector<std::vector<std::string>> kCommands = {
    {"SUNIONSTORE", "to", "s1", "s2"},
    {"SINTERSTORE", "s1", "s1", "s2"},
    {"SDIFFSTORE", "to", "s1", "s2"},
    {"ZUNIONSTORE", "to", "3", "z1", "z2", "s1", "WEIGHTS", "1", "2", "3"},
    {"ZINTERSTORE", "z2", "2", "z1", "z2", "AGGREGATE", "MAX"},
    {"ZDIFFSTORE", "to", "2", "z1", "z2"},
    {"ZRANGESTORE", "to", "z1", "100", "-100"},
    {"SORT", "l", "ALPHA", "DESC", "STORE", "l"},
    {"SORT", "s1", "BY", "nosort", "GET", "#", "GET", "w_*", "STORE", "to"},
    {"COPY", "s1", "to"},
    {"COPY", "h", "to", "REPLACE"},
    {"COPY", "z1", "z1", "DB", "3"},
    {"COPY", "text", "to"},
    {"BITOP", "XOR", "to", "text", "bits"},
    {"BITOP", "NOT", "text", "text"},
    {"GEOSEARCHSTORE", "to", "g", "FROMLONLAT", "10", "20", "BYRADIUS", "9000", "km", "DESC"},
    {"GEOSEARCHSTORE", "g", "g", "FROMLONLAT", "10", "20", "BYBOX", "9000", "9000", "km", "COUNT",
     "3000", "STOREDIST"},
};

// The key whose change makes the command begin anew.
std::string SourceOf(const std::vector<std::string>& words) {
  if (words[0] == "BITOP") return words[3];
  if (words[0].starts_with("Z") && words[0] != "ZRANGESTORE") return words[3];
  const bool target_first = words[0].ends_with("STORE");
  return target_first ? words[2] : words[1];
}

std::string RunWords(CommandFixture& redis, const std::vector<std::string>& words) {
  return redis.Run({words.begin(), words.end()});
}

// What the command makes where nothing is aside: within an EXEC.
std::string AtOnce(CommandFixture& redis, const std::vector<std::string>& words) {
  redis("MULTI");
  RunWords(redis, words);
  const std::string reply = redis("EXEC");
  REQUIRE(reply.starts_with("*1\r\n"));
  return reply.substr(4);
}

std::string DigestOfAll(CommandFixture& redis) {
  const verso::storage::ReadView view(redis.store(), redis.store().main(), 0, redis.now_ms);
  const verso::storage::Digest digest = verso::storage::DigestOf(view, -1);
  return std::to_string(digest.low) + " " + std::to_string(digest.high);
}

void CheckNothingIsLeft(CommandFixture& redis) {
  redis.store().DrainBackground();
  CHECK(redis.store().stats().lines == 1);
  CHECK(redis.store().stats().pins == 0);
  CHECK(redis.state().watches.size() == 0);
  CHECK(redis.store().Audit() == "");
}

}  // namespace

TEST_CASE("a write computed aside ends as one at one go", "[command]") {
  for (const auto& words : kCommands) {
    INFO(words[0] << " " << words[1]);
    CommandFixture at_once;
    Fill(at_once);
    CommandFixture aside;
    Fill(aside);
    at_once.events.clear();
    aside.events.clear();
    aside.effects.clear();
    at_once.effects.clear();
    Session other;
    // Others see what was there, and may change what it does not read.
    const std::string before = aside("TYPE", "to");
    const std::string list = aside("LLEN", "l");
    int between = 0;
    aside.between_slices = [&] {
      ++between;
      if (between == 1 || between == 30) CHECK(aside.store().Audit() == "");
      CHECK(aside.RunAs(other, {"TYPE", "to"}) == before);
      CHECK(aside.RunAs(other, {"LLEN", "l"}) == list);
      return true;
    };
    const std::string reply = RunWords(aside, words);
    CHECK(reply == AtOnce(at_once, words));
    CHECK(between > 0);
    CHECK(DigestOfAll(aside) == DigestOfAll(at_once));
    CHECK(aside.events == at_once.events);
    CHECK(aside.effects == at_once.effects);
    CheckNothingIsLeft(aside);
  }
}

TEST_CASE("what is aside is made anew when a source changes, and only then", "[command]") {
  for (const auto& words : kCommands) {
    INFO(words[0] << " " << words[1]);
    const std::string source = SourceOf(words);
    CommandFixture aside;
    Fill(aside);
    CommandFixture after;
    Fill(after);
    Session other;
    int between = 0;
    aside.between_slices = [&] {
      if (++between == 1) CHECK(aside.RunAs(other, {"DEL", source}) == ":1\r\n");
      return true;
    };
    const std::string reply = RunWords(aside, words);
    REQUIRE(between >= 1);
    after("DEL", source);
    CHECK(reply == AtOnce(after, words));
    CHECK(DigestOfAll(aside) == DigestOfAll(after));
    CheckNothingIsLeft(aside);
  }
}

TEST_CASE("a source that expires while something is aside counts as changed", "[command]") {
  CommandFixture redis;
  Fill(redis);
  redis("PEXPIRE", "s2", "50");
  int between = 0;
  redis.between_slices = [&] {
    if (++between == 1) redis.state().now_ms = redis.now_ms += 100;
    return true;
  };
  CHECK(redis("SINTERSTORE", "to", "s1", "s2") == ":0\r\n");
  CHECK(redis("EXISTS", "to") == ":0\r\n");
  CheckNothingIsLeft(redis);
}

TEST_CASE("pins and saves that come meanwhile do not harm what is aside", "[command]") {
  for (const auto& words : kCommands) {
    INFO(words[0] << " " << words[1]);
    CommandFixture at_once;
    Fill(at_once);
    AtOnce(at_once, words);
    CommandFixture aside;
    Fill(aside);
    Session other;
    std::vector<verso::storage::PinHandle> pins;
    int between = 0;
    aside.between_slices = [&] {
      ++between;
      // So that the pins differ.
      aside.RunAs(other, {"SET", "other", std::to_string(between)});
      if (between <= 4) {
        pins.push_back(aside.store().PinForRead(aside.store().main(), aside.now_ms));
      }
      if (between == 1) aside.store().BeginSave();
      if (between == 3) aside.store().EndSave(verso::storage::SaveOutcome::kCommitted);
      return true;
    };
    RunWords(aside, words);
    aside.between_slices = nullptr;
    if (aside.store().saving()) {
      aside.store().EndSave(verso::storage::SaveOutcome::kFailed);
    }
    CHECK(aside.store().Audit() == "");
    aside("DEL", "other");
    CHECK(DigestOfAll(aside) == DigestOfAll(at_once));
    // Pages that were published are changed like all others: the pins' versions stay what they are.
    aside("SADD", "to", "more");
    aside("ZADD", "to", "1", "more");
    aside("HSET", "to", "more", "x");
    CHECK(aside.store().Audit() == "");
    pins.clear();
    CheckNothingIsLeft(aside);
  }
}

TEST_CASE("a client that goes away leaves nothing aside", "[command]") {
  for (const auto& words : kCommands) {
    INFO(words[0] << " " << words[1]);
    CommandFixture redis;
    Fill(redis);
    const std::string before = DigestOfAll(redis);
    for (const int slices : {1, 3}) {
      int between = 0;
      redis.between_slices = [&] { return ++between < slices; };
      RunWords(redis, words);
      redis.between_slices = nullptr;
      if (between < slices) break;  // it was done before the client could go
      CHECK(DigestOfAll(redis) == before);
      CheckNothingIsLeft(redis);
    }
  }
}
