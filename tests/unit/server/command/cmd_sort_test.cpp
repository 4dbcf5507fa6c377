// SORT and SORT_RO: the replies and errors of redis-server 7.0.15; long ones in slices against a
// plain sort; what storing leaves behind and records.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "command_fixture.h"

using namespace verso::server;

namespace {

const std::string kNoScores = "-ERR One or more scores can't be converted into double\r\n";
const std::string kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

std::string Array(const std::vector<std::string>& elements) {
  std::string text = "*" + std::to_string(elements.size()) + "\r\n";
  for (const std::string& element : elements) text += Bulk(element);
  return text;
}

void Push(CommandFixture& redis, const std::string& key, const std::vector<std::string>& elements) {
  for (const std::string& element : elements) redis("RPUSH", key, element);
}

}  // namespace

TEST_CASE("SORT by number, by bytes, backwards, a part", "[command]") {
  CommandFixture redis;
  Push(redis, "l", {"10", "9", "-1.5", "2", "2", "1e1", "0x10"});
  CHECK(redis("SORT", "l") == Array({"-1.5", "2", "2", "9", "10", "1e1", "0x10"}));
  CHECK(redis("SORT_RO", "l", "DESC") == Array({"0x10", "1e1", "10", "9", "2", "2", "-1.5"}));
  CHECK(redis("SORT", "l", "ALPHA") == Array({"-1.5", "0x10", "10", "1e1", "2", "2", "9"}));
  CHECK(redis("SORT", "l", "desc", "alpha", "ASC") == redis("SORT", "l", "ALPHA"));
  CHECK(redis("SORT", "l", "LIMIT", "1", "2") == Array({"2", "2"}));
  CHECK(redis("SORT", "l", "LIMIT", "5", "100") == Array({"1e1", "0x10"}));
  CHECK(redis("SORT", "l", "LIMIT", "-3", "1") == Array({"-1.5"}));
  CHECK(redis("SORT", "l", "LIMIT", "7", "1") == "*0\r\n");
  CHECK(redis("SORT", "l", "LIMIT", "6", "-9") == Array({"0x10"}));
  CHECK(redis("SORT", "l", "LIMIT", "0", "0") == "*0\r\n");
  CHECK(redis("SORT", "nothing") == "*0\r\n");
  Push(redis, "blank", {"3", "", " 1"});
  CHECK(redis("SORT", "blank") == Array({"", " 1", "3"}));
}

TEST_CASE("SORT refuses what Redis refuses", "[command]") {
  CommandFixture redis;
  Push(redis, "words", {"b", "a"});
  redis("SET", "s", "x");
  redis("HSET", "h", "f", "v");
  CHECK(redis("SORT", "words") == kNoScores);
  CHECK(redis("SORT", "words", "STORE", "to") == kNoScores);
  for (const char* number : {"nan", "1e999", "1e-999", "5 ", "1,5"}) {
    redis("DEL", "odd");
    redis("RPUSH", "odd", number);
    CHECK(redis("SORT_RO", "odd") == kNoScores);
  }
  CHECK(redis("SORT", "s") == kWrongType);
  CHECK(redis("SORT_RO", "h", "ALPHA") == kWrongType);
  CHECK(redis("SORT", "h", "STORE", "to") == kWrongType);
  CHECK(redis("SORT", "words", "LIMIT", "0") == kSyntaxError);
  CHECK(redis("SORT", "words", "LIMIT", "a", "1") == kNotIntegerError);
  CHECK(redis("SORT", "s", "BY") == kSyntaxError);
  CHECK(redis("SORT", "words", "ALPHA", "GET") == kSyntaxError);
  CHECK(redis("SORT", "words", "ALPHA", "STORE") == kSyntaxError);
  CHECK(redis("SORT_RO", "words", "ALPHA", "STORE", "to") == kSyntaxError);
  CHECK(redis("EXISTS", "to") == ":0\r\n");
}

TEST_CASE("SORT by other keys and of other keys", "[command]") {
  CommandFixture redis;
  Push(redis, "l", {"a", "b", "c", "d"});
  redis("MSET", "w_a", "3", "w_b", "1", "w_c", "2", "o_a", "Ann", "o_b", "Bob");
  redis("HSET", "h_a", "w", "1", "n", "anna");
  redis("HSET", "h_b", "w", "2");
  redis("HSET", "h_c", "w", "0");
  redis("RPUSH", "w2_a", "7");
  // What has no weight weighs nothing; equal weights are told apart by the elements.
  CHECK(redis("SORT", "l", "BY", "w_*") == Array({"d", "b", "c", "a"}));
  CHECK(redis("SORT", "l", "BY", "w2_*") == Array({"a", "b", "c", "d"}));
  CHECK(redis("SORT", "l", "BY", "h_*->w") == Array({"c", "d", "a", "b"}));
  CHECK(redis("SORT", "l", "BY", "w_*", "DESC") == Array({"a", "c", "b", "d"}));
  CHECK(redis("SORT", "l", "BY", "o_*") == kNoScores);
  CHECK(redis("SORT", "l", "BY", "o_*", "ALPHA") == Array({"c", "d", "a", "b"}));
  CHECK(redis("SORT", "l", "BY", "w_*", "LIMIT", "1", "2", "GET", "#", "GET", "o_*", "GET",
              "h_*->n", "GET", "plain") ==
        "*8\r\n" + Bulk("b") + Bulk("Bob") + kNull + kNull + Bulk("c") + kNull + kNull + kNull);
  CHECK(redis("SORT", "l", "BY", "nosort", "GET", "h_*->n") ==
        "*4\r\n" + Bulk("anna") + kNull + kNull + kNull);
  // An arrow before the star, or with nothing behind it, is part of the name.
  redis("MSET", "->a", "first", "a->", "second");
  CHECK(redis("SORT", "l", "BY", "x", "LIMIT", "0", "1", "GET", "->*", "GET", "*->") ==
        Array({"first", "second"}));
  redis.session().protocol = 3;
  CHECK(redis("SORT_RO", "l", "ALPHA", "LIMIT", "2", "1", "GET", "o_*") == "*1\r\n_\r\n");
}

TEST_CASE("SORT BY nosort keeps the order there is", "[command]") {
  CommandFixture redis;
  Push(redis, "l", {"c", "a", "b", "d"});
  redis("ZADD", "z", "3", "c", "1", "a", "2", "b", "4", "d");
  redis("SADD", "s", "c", "a", "b", "d");
  for (const char* key : {"l", "z"}) {
    const bool list = key[0] == 'l';
    CHECK(redis("SORT", key, "BY", "nosort") ==
          (list ? Array({"c", "a", "b", "d"}) : Array({"a", "b", "c", "d"})));
    CHECK(redis("SORT", key, "BY", "nosort", "DESC", "LIMIT", "1", "2") ==
          (list ? Array({"b", "a"}) : Array({"c", "b"})));
    CHECK(redis("SORT_RO", key, "BY", "nosort", "LIMIT", "1", "2") ==
          (list ? Array({"a", "b"}) : Array({"b", "c"})));
    CHECK(redis("SORT_RO", key, "BY", "nosort", "LIMIT", "9", "2") == "*0\r\n");
  }
  // A later BY with a star changes nothing any more.
  redis("MSET", "w_a", "2", "w_b", "1");
  CHECK(redis("SORT", "l", "BY", "nosort", "BY", "w_*") == Array({"c", "a", "b", "d"}));
  CHECK(redis("SORT", "s", "BY", "nosort", "LIMIT", "1", "2").starts_with("*2\r\n"));
  CHECK(redis("SORT", "s", "BY", "nosort", "STORE", "to") == ":4\r\n");
  CHECK(redis("LRANGE", "to", "0", "-1") == Array({"a", "b", "c", "d"}));
}

TEST_CASE("SORT STORE makes a list, or removes what was there", "[command]") {
  CommandFixture redis;
  Push(redis, "l", {"3", "1", "2"});
  redis("SET", "to", "x");
  redis("EXPIRE", "to", "100");
  redis.events.clear();
  redis.effects.clear();
  CHECK(redis("SORT", "l", "STORE", "to") == ":3\r\n");
  CHECK(redis.events == std::vector<std::string>{"sortstore to"});
  CHECK(redis.effects == std::vector<std::string>{"SORT l STORE to"});
  CHECK(redis("LRANGE", "to", "0", "-1") == Array({"1", "2", "3"}));
  CHECK(redis("TTL", "to") == ":-1\r\n");
  CHECK(redis("OBJECT", "ENCODING", "to") == redis("OBJECT", "ENCODING", "l"));

  redis.effects.clear();
  redis("MSET", "w_1", "5", "w_2", "4");
  CHECK(redis("SORT", "l", "BY", "w_*", "GET", "w_*", "GET", "#", "STORE", "l") == ":6\r\n");
  CHECK(redis.effects.back() == "RPUSH l  3 4 2 5 1");
  CHECK(redis.effects[redis.effects.size() - 2] == "DEL l");
  CHECK(redis("LRANGE", "l", "0", "-1") == Array({"", "3", "4", "2", "5", "1"}));

  redis.events.clear();
  redis.effects.clear();
  CHECK(redis("SORT", "nothing", "STORE", "to") == ":0\r\n");
  CHECK(redis.events == std::vector<std::string>{"del to"});
  CHECK(redis.effects == std::vector<std::string>{"DEL to"});
  CHECK(redis("SORT", "nothing", "STORE", "to") == ":0\r\n");
  CHECK(redis.effects.size() == 1);
  CHECK(redis("SORT", "l", "ALPHA", "LIMIT", "6", "1", "STORE", "l") == ":0\r\n");
  CHECK(redis("EXISTS", "l") == ":0\r\n");
}

TEST_CASE("SORT STORE of an expired key, from replayed effects, in EXEC", "[command]") {
  CommandFixture redis;
  Push(redis, "l", {"2", "1"});
  redis("PEXPIRE", "l", "10");
  redis.now_ms += 10;
  redis.effects.clear();
  CHECK(redis("SORT", "l", "STORE", "to") == ":0\r\n");
  CHECK(redis.effects == std::vector<std::string>{"DEL l"});
  Push(redis, "l", {"2", "1"});
  redis("MULTI");
  redis("SORT", "l", "STORE", "l");
  redis("SORT", "l", "DESC");
  CHECK(redis("EXEC") == "*2\r\n:2\r\n" + Array({"2", "1"}));
}

TEST_CASE("a long SORT goes in slices and agrees with a plain sort", "[command]") {
  CommandFixture redis;
  std::mt19937 random(7);
  std::vector<std::pair<long, std::string>> numbers;
  std::vector<std::string> words;
  for (int i = 0; i < 20'000; ++i) {
    const long number = static_cast<long>(random() % 100'000) - 50'000;
    numbers.emplace_back(number, std::to_string(number));
    words.push_back("word:" + std::to_string(random() % 100'000));
  }
  words.push_back(std::string(300, 'w'));
  words.push_back(std::string(40'000, 'x'));
  words.push_back(std::string(40'000, 'x') + "y");
  const auto add = [&redis](const char* command, const std::string& key, auto&& element_of,
                            size_t count) {
    for (size_t i = 0; i < count; i += 100) {
      std::vector<std::string> made = {command, key};
      for (size_t j = i; j < std::min(i + 100, count); ++j) element_of(j, &made);
      redis.Run({made.begin(), made.end()});
    }
  };
  const auto number = [&](size_t i, auto* made) { made->push_back(numbers[i].second); };
  add("RPUSH", "numbers", number, numbers.size());
  const auto word = [&](size_t i, auto* made) { made->push_back(words[i]); };
  add("RPUSH", "words", word, words.size());
  add("SADD", "set", word, words.size());
  const auto pair = [&](size_t i, auto* made) {
    made->push_back(std::to_string(i % 1000));
    made->push_back(words[i]);
  };
  add("ZADD", "zset", pair, words.size());

  std::sort(numbers.begin(), numbers.end());
  std::vector<std::string> sorted;
  for (const auto& [value, text] : numbers) sorted.push_back(text);
  const uint64_t slices = redis.slices();
  CHECK(redis("SORT", "numbers") == Array(sorted));
  CHECK(redis.slices() > slices);
  std::reverse(sorted.begin(), sorted.end());
  CHECK(redis("SORT", "numbers", "DESC") == Array(sorted));
  const std::vector<std::string> part(sorted.begin() + 7'000, sorted.begin() + 12'000);
  CHECK(redis("SORT", "numbers", "DESC", "LIMIT", "7000", "5000") == Array(part));

  std::vector<std::string> as_pushed = words;
  CHECK(redis("SORT", "words", "BY", "nosort") == Array(as_pushed));
  std::reverse(as_pushed.begin(), as_pushed.end());
  CHECK(redis("SORT", "words", "BY", "nosort", "DESC") == Array(as_pushed));
  std::sort(words.begin(), words.end());
  CHECK(redis("SORT", "words", "ALPHA") == Array(words));
  CHECK(redis("SORT", "words", "STORE", "to", "ALPHA") ==
        ":" + std::to_string(words.size()) + "\r\n");
  CHECK(redis("LRANGE", "to", "0", "-1") == Array(words));
  words.erase(std::unique(words.begin(), words.end()), words.end());
  for (const char* key : {"set", "zset"}) CHECK(redis("SORT", key, "ALPHA") == Array(words));
  CHECK(redis("SORT", "zset", "BY", "nosort") == redis("ZRANGE", "zset", "0", "-1"));
  CHECK(redis("SORT", "zset", "BY", "nosort", "DESC", "LIMIT", "100", "9000") ==
        redis("ZRANGE", "zset", "100", "9099", "REV"));

  // Long weights and long values, a few of them ropes.
  for (int i = 0; i < 40; ++i) {
    const std::string name = std::to_string(100 + i);
    redis("RPUSH", "few", name);
    redis("SET", "long_" + name, std::string(30'000, 'z') + std::to_string((i * 7) % 40 + 100));
  }
  std::vector<std::string> by_weight;
  for (int i = 0; i < 40; ++i) by_weight.push_back(std::to_string(100 + (i * 23) % 40));
  CHECK(redis("SORT", "few", "BY", "long_*", "ALPHA") == Array(by_weight));
  std::vector<std::string> values;
  for (int i = 0; i < 40; ++i) values.push_back(std::string(30'000, 'z') + std::to_string(100 + i));
  CHECK(redis("SORT", "few", "BY", "long_*", "ALPHA", "GET", "long_*") == Array(values));
}

TEST_CASE("what compares equal keeps its order", "[command]") {
  CommandFixture redis;
  std::vector<std::string> in_order;
  for (int i = 0; i < 3'000; ++i) {
    const std::string element = std::to_string((i * 7919) % 3'000);
    in_order.push_back(element);
    redis("RPUSH", "l", element);
    redis("SET", "w_" + element, i % 2 == 0 ? "a" : "b");
  }
  std::stable_partition(in_order.begin(), in_order.end(), [&](const std::string& element) {
    return redis("GET", "w_" + element) == Bulk("a");
  });
  CHECK(redis("SORT", "l", "BY", "w_*", "ALPHA") == Array(in_order));
}
