// Sorted sets: every reply and error, both forms of a sorted set, what is logged and reported, long
// replies that go on as continuations.
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "command_fixture.h"

using namespace verso::server;

namespace {

const std::string kWrongTypeError =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const std::string kNotFloatError = "-ERR value is not a valid float\r\n";
const std::string kNullArray = "*-1\r\n";
const std::string kEmpty = "*0\r\n";

std::string Array(const std::vector<std::string>& elements) {
  std::string text = "*" + std::to_string(elements.size()) + "\r\n";
  for (const std::string& element : elements) text += Bulk(element);
  return text;
}

std::string All(CommandFixture& run, const char* key) {
  return run("ZRANGE", key, "0", "-1", "WITHSCORES");
}

// Both forms: what the tests do is the same in either.
void SetForm(CommandFixture& run, bool large) {
  run.state().settings.zset_max_listpack_entries = large ? 0 : 128;
  run.state().ApplySettings();
}

std::string Member(int i) { return "member:" + std::to_string(100'000 + i); }

// `count` members with scores 0, 1, 2 ...
void Fill(CommandFixture& run, const char* key, int count) {
  for (int i = 0; i < count;) {
    std::vector<std::string> words = {"ZADD", key};
    for (const int end = std::min(count, i + 500); i < end; ++i) {
      words.push_back(std::to_string(i));
      words.push_back(Member(i));
    }
    const std::vector<verso::ByteView> views(words.begin(), words.end());
    run.Run(views);
  }
}

size_t CountOf(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("zadd, zincrby and zrem", "[command]") {
  CommandFixture run;
  SetForm(run, GENERATE(false, true));
  CHECK(run("ZADD", "z", "XX", "1", "a") == ":0\r\n");
  CHECK(run("ZADD", "z", "XX", "INCR", "1", "a") == kNull);
  CHECK(run("EXISTS", "z") == ":0\r\n");
  CHECK(run("ZADD", "z", "2", "b", "1", "a", "inf", "d") == ":3\r\n");
  CHECK(run("ZADD", "z", "CH", "3", "b", "1", "a", "0.1", "c") == ":2\r\n");
  CHECK(All(run, "z") == Array({"c", "0.1", "a", "1", "b", "3", "d", "inf"}));
  CHECK(run("TYPE", "z") == "+zset\r\n");
  CHECK(run("ZADD", "z", "NX", "9", "a", "9", "e") == ":1\r\n");
  CHECK(run("ZSCORE", "z", "a") == Bulk("1"));
  CHECK(run("ZADD", "z", "GT", "CH", "0", "a", "10", "e") == ":1\r\n");
  CHECK(run("ZADD", "z", "LT", "CH", "0", "a", "11", "e") == ":1\r\n");
  CHECK(run("ZADD", "z", "NX", "INCR", "1", "a") == kNull);
  CHECK(run("ZADD", "z", "INCR", "1.5", "a") == Bulk("1.5"));
  CHECK(run("ZADD", "z", "GT", "INCR", "-1", "a") == kNull);
  CHECK(run("ZINCRBY", "z", "-0.5", "a") == Bulk("1"));
  CHECK(run("ZINCRBY", "z", "4", "new") == Bulk("4"));
  CHECK(run("ZINCRBY", "z", "-inf", "d") == "-ERR resulting score is not a number (NaN)\r\n");
  CHECK(run("ZSCORE", "z", "d") == Bulk("inf"));
  CHECK(run("ZADD", "z", "1", "x", "y", "z") == kNotFloatError);
  CHECK(run("ZADD", "z", "nan", "x") == kNotFloatError);
  CHECK(run("ZSCORE", "z", "x") == kNull);
  CHECK(run("ZADD", "z", "1") == "-ERR wrong number of arguments for 'zadd' command\r\n");
  CHECK(run("ZADD", "z", "1", "x", "2") == kSyntaxError);
  CHECK(run("ZADD", "z", "NX", "CH") == kSyntaxError);
  CHECK(run("ZADD", "z", "NX", "XX", "1", "x") ==
        "-ERR XX and NX options at the same time are not compatible\r\n");
  CHECK(run("ZADD", "z", "GT", "LT", "1", "x") ==
        "-ERR GT, LT, and/or NX options at the same time are not compatible\r\n");
  CHECK(run("ZADD", "z", "INCR", "1", "x", "2", "y") ==
        "-ERR INCR option supports a single increment-element pair\r\n");
  run.events.clear();
  CHECK(run("ZREM", "z", "a", "nobody", "b") == ":2\r\n");
  CHECK(run("ZREM", "z", "nobody") == ":0\r\n");
  CHECK(run("ZREM", "none", "a") == ":0\r\n");
  CHECK(run("ZREM", "z", "c", "d", "e", "new") == ":4\r\n");
  CHECK(run("EXISTS", "z") == ":0\r\n");
  CHECK(run.events == std::vector<std::string>{"zrem z", "del z"});
  run("SET", "s", "text");
  CHECK(run("ZADD", "s", "1", "a") == kWrongTypeError);
  CHECK(run("ZINCRBY", "s", "1", "a") == kWrongTypeError);
  CHECK(run("ZREM", "s", "a") == kWrongTypeError);
}

TEST_CASE("A score that stays is no change; -0 is equal to 0, and kept by a large one",
          "[command]") {
  CommandFixture run;
  const bool large = GENERATE(false, true);
  SetForm(run, large);
  const std::string zero = large ? "-0" : "0";
  run("ZADD", "z", "-0", "b", "0", "a", "0", "c");
  CHECK(All(run, "z") == Array({"a", "0", "b", zero, "c", "0"}));
  run.events.clear();
  run.effects.clear();
  CHECK(run("ZADD", "z", "CH", "0", "b") == ":0\r\n");
  CHECK(run.events.empty());
  CHECK(run.effects.empty());
  CHECK(run("ZSCORE", "z", "b") == Bulk(zero));
  CHECK(run("ZADD", "z", "1", "b") == ":0\r\n");
  CHECK(run.events == std::vector<std::string>{"zadd z"});
  CHECK(run.effects == std::vector<std::string>{"ZADD z 1 b"});
}

TEST_CASE("zcard, zscore, zmscore, zrank, zrevrank, zcount and zlexcount", "[command]") {
  CommandFixture run;
  SetForm(run, GENERATE(false, true));
  run("ZADD", "z", "1", "a", "2", "b", "2", "c", "3.25", "d");
  run("ZADD", "lex", "0", "a", "0", "b", "0", "c");
  run("SET", "s", "text");
  CHECK(run("ZCARD", "z") == ":4\r\n");
  CHECK(run("ZCARD", "none") == ":0\r\n");
  CHECK(run("ZSCORE", "z", "d") == Bulk("3.25"));
  CHECK(run("ZSCORE", "none", "d") == kNull);
  CHECK(run("ZMSCORE", "z", "d", "x", "a") == "*3\r\n" + Bulk("3.25") + kNull + Bulk("1"));
  CHECK(run("ZMSCORE", "none", "d") == "*1\r\n" + kNull);
  CHECK(run("ZRANK", "z", "c") == ":2\r\n");
  CHECK(run("ZREVRANK", "z", "c") == ":1\r\n");
  CHECK(run("ZRANK", "z", "c", "WITHSCORE") == "*2\r\n:2\r\n" + Bulk("2"));
  CHECK(run("ZREVRANK", "z", "d", "withscore") == "*2\r\n:0\r\n" + Bulk("3.25"));
  CHECK(run("ZRANK", "z", "x") == kNull);
  CHECK(run("ZRANK", "none", "x", "WITHSCORE") == kNullArray);
  CHECK(run("ZRANK", "z", "c", "WITHSCORES") == kSyntaxError);
  CHECK(run("ZCOUNT", "z", "-inf", "+inf") == ":4\r\n");
  CHECK(run("ZCOUNT", "z", "(1", "2") == ":2\r\n");
  CHECK(run("ZCOUNT", "z", "2", "(2") == ":0\r\n");
  CHECK(run("ZCOUNT", "z", "(3.25", "inf") == ":0\r\n");
  CHECK(run("ZCOUNT", "z", "x", "2") == "-ERR min or max is not a float\r\n");
  CHECK(run("ZCOUNT", "none", "0", "2") == ":0\r\n");
  CHECK(run("ZLEXCOUNT", "lex", "-", "+") == ":3\r\n");
  CHECK(run("ZLEXCOUNT", "lex", "(a", "[c") == ":2\r\n");
  CHECK(run("ZLEXCOUNT", "lex", "+", "-") == ":0\r\n");
  CHECK(run("ZLEXCOUNT", "lex", "a", "[c") == "-ERR min or max not valid string range item\r\n");
  for (const char* name : {"ZCARD"}) CHECK(run(name, "s") == kWrongTypeError);
  for (const char* name : {"ZSCORE", "ZMSCORE", "ZRANK", "ZREVRANK"}) {
    CHECK(run(name, "s", "a") == kWrongTypeError);
  }
  CHECK(run("ZCOUNT", "s", "0", "1") == kWrongTypeError);
  CHECK(run("ZLEXCOUNT", "s", "-", "+") == kWrongTypeError);
}

TEST_CASE(
    "zrange and its older names: zrevrange, zrangebyscore, zrevrangebyscore, zrangebylex, "
    "zrevrangebylex",
    "[command]") {
  CommandFixture run;
  SetForm(run, GENERATE(false, true));
  run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d");
  run("ZADD", "lex", "0", "a", "0", "b", "0", "c", "0", "d");
  CHECK(run("ZRANGE", "z", "0", "-1") == Array({"a", "b", "c", "d"}));
  CHECK(run("ZRANGE", "z", "1", "-2") == Array({"b", "c"}));
  CHECK(run("ZRANGE", "z", "-100", "100") == Array({"a", "b", "c", "d"}));
  CHECK(run("ZRANGE", "z", "3", "2") == kEmpty);
  CHECK(run("ZRANGE", "z", "4", "9") == kEmpty);
  CHECK(run("ZRANGE", "z", "0", "-9") == kEmpty);
  CHECK(run("ZRANGE", "none", "0", "-1") == kEmpty);
  CHECK(run("ZRANGE", "z", "0", "1", "REV") == Array({"d", "c"}));
  CHECK(run("ZREVRANGE", "z", "0", "1", "WITHSCORES") == Array({"d", "4", "c", "3"}));
  CHECK(run("ZRANGE", "z", "(1", "3", "BYSCORE") == Array({"b", "c"}));
  CHECK(run("ZRANGE", "z", "3", "(1", "BYSCORE", "REV", "WITHSCORES") ==
        Array({"c", "3", "b", "2"}));
  CHECK(run("ZRANGEBYSCORE", "z", "-inf", "inf", "LIMIT", "1", "2") == Array({"b", "c"}));
  CHECK(run("ZRANGEBYSCORE", "z", "-inf", "inf", "LIMIT", "1", "-1") == Array({"b", "c", "d"}));
  CHECK(run("ZRANGEBYSCORE", "z", "-inf", "inf", "LIMIT", "4", "1") == kEmpty);
  CHECK(run("ZRANGEBYSCORE", "z", "-inf", "inf", "LIMIT", "-1", "1") == kEmpty);
  CHECK(run("ZRANGEBYSCORE", "z", "-inf", "inf", "LIMIT", "0", "0") == kEmpty);
  CHECK(run("ZREVRANGEBYSCORE", "z", "inf", "-inf", "LIMIT", "1", "2") == Array({"c", "b"}));
  CHECK(run("ZRANGEBYLEX", "lex", "-", "[b") == Array({"a", "b"}));
  CHECK(run("ZREVRANGEBYLEX", "lex", "+", "(b", "LIMIT", "1", "5") == Array({"c"}));
  CHECK(run("ZRANGE", "lex", "[d", "(a", "BYLEX", "REV") == Array({"d", "c", "b"}));

  CHECK(run("ZRANGE", "z", "x", "1") == kNotIntegerError);
  CHECK(run("ZRANGE", "z", "x", "1", "BYSCORE") == "-ERR min or max is not a float\r\n");
  CHECK(run("ZRANGE", "z", "x", "+", "BYLEX") == "-ERR min or max not valid string range item\r\n");
  CHECK(run("ZRANGE", "z", "0", "1", "LIMIT", "0", "1") ==
        "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or "
        "BYLEX\r\n");
  CHECK(run("ZRANGE", "lex", "-", "+", "BYLEX", "WITHSCORES") ==
        "-ERR syntax error, WITHSCORES not supported in combination with BYLEX\r\n");
  CHECK(run("ZRANGE", "z", "0", "1", "REV", "REV") == kSyntaxError);
  CHECK(run("ZREVRANGE", "z", "0", "1", "REV") == kSyntaxError);
  CHECK(run("ZRANGEBYSCORE", "z", "0", "1", "LIMIT", "1") == kSyntaxError);
  CHECK(run("ZRANGEBYSCORE", "z", "0", "1", "LIMIT", "x", "1") == kNotIntegerError);
  run("SET", "s", "text");
  for (const char* name : {"ZRANGE", "ZREVRANGE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE"}) {
    CHECK(run(name, "s", "0", "1") == kWrongTypeError);
  }
  for (const char* name : {"ZRANGEBYLEX", "ZREVRANGEBYLEX"}) {
    CHECK(run(name, "s", "-", "+") == kWrongTypeError);
  }
  run.session().protocol = 3;
  CHECK(run("ZRANGE", "z", "0", "1", "WITHSCORES") ==
        "*2\r\n*2\r\n" + Bulk("a") + ",1\r\n*2\r\n" + Bulk("b") + ",2\r\n");
}

TEST_CASE("zrangestore", "[command]") {
  CommandFixture run;
  SetForm(run, GENERATE(false, true));
  run("ZADD", "z", "1", "a", "2", "b", "3", "c");
  run.events.clear();
  CHECK(run("ZRANGESTORE", "to", "z", "0", "1") == ":2\r\n");
  CHECK(run.events == std::vector<std::string>{"zrangestore to"});
  CHECK(All(run, "to") == Array({"a", "1", "b", "2"}));
  CHECK(run("ZRANGESTORE", "to", "z", "3", "2", "BYSCORE", "REV", "LIMIT", "0", "1") == ":1\r\n");
  CHECK(All(run, "to") == Array({"c", "3"}));
  run("SET", "text", "t");
  run("EXPIRE", "text", "100");
  CHECK(run("ZRANGESTORE", "text", "z", "1", "-1") == ":2\r\n");
  CHECK(run("TTL", "text") == ":-1\r\n");
  CHECK(run("ZRANGESTORE", "z", "z", "1", "1") == ":1\r\n");  // onto itself
  CHECK(All(run, "z") == Array({"b", "2"}));
  CHECK(run("ZRANGESTORE", "to", "none", "0", "-1") == ":0\r\n");
  CHECK(run("EXISTS", "to") == ":0\r\n");
  CHECK(run("ZRANGESTORE", "to", "z", "0", "-1", "WITHSCORES") == kSyntaxError);
  run("SET", "s", "text");
  CHECK(run("ZRANGESTORE", "to", "s", "0", "-1") == kWrongTypeError);
}

TEST_CASE("zremrangebyrank, zremrangebyscore and zremrangebylex", "[command]") {
  CommandFixture run;
  SetForm(run, GENERATE(false, true));
  run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d", "5", "e");
  run("ZADD", "lex", "0", "a", "0", "b", "0", "c");
  run("SET", "s", "text");
  run.events.clear();
  CHECK(run("ZREMRANGEBYRANK", "z", "-1", "-1") == ":1\r\n");
  CHECK(run("ZREMRANGEBYRANK", "z", "7", "9") == ":0\r\n");
  CHECK(run("ZREMRANGEBYSCORE", "z", "(1", "3") == ":2\r\n");
  CHECK(All(run, "z") == Array({"a", "1", "d", "4"}));
  CHECK(run("ZREMRANGEBYLEX", "lex", "[b", "+") == ":2\r\n");
  CHECK(run("ZREMRANGEBYLEX", "lex", "-", "+") == ":1\r\n");
  CHECK(run.events == std::vector<std::string>{"zremrangebyrank z", "zremrangebyscore z",
                                               "zremrangebylex lex", "del lex"});
  CHECK(run("ZREMRANGEBYRANK", "none", "0", "-1") == ":0\r\n");
  CHECK(run("ZREMRANGEBYRANK", "z", "x", "1") == kNotIntegerError);
  CHECK(run("ZREMRANGEBYSCORE", "z", "x", "1") == "-ERR min or max is not a float\r\n");
  CHECK(run("ZREMRANGEBYLEX", "z", "x", "+") == "-ERR min or max not valid string range item\r\n");
  CHECK(run("ZREMRANGEBYRANK", "s", "0", "1") == kWrongTypeError);
  CHECK(run("ZREMRANGEBYSCORE", "s", "0", "1") == kWrongTypeError);
  CHECK(run("ZREMRANGEBYLEX", "s", "-", "+") == kWrongTypeError);
}

TEST_CASE("zpopmin, zpopmax and zmpop", "[command]") {
  CommandFixture run;
  SetForm(run, GENERATE(false, true));
  run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d", "5", "e", "6", "f");
  run.events.clear();
  CHECK(run("ZPOPMIN", "z") == Array({"a", "1"}));
  CHECK(run("ZPOPMAX", "z", "2") == Array({"f", "6", "e", "5"}));
  CHECK(run("ZPOPMIN", "z", "0") == kEmpty);
  CHECK(run("ZPOPMIN", "none") == kEmpty);
  CHECK(run("ZPOPMIN", "z", "-1") == "-ERR value is out of range, must be positive\r\n");
  CHECK(run("ZPOPMAX", "z", "1", "2") == kSyntaxError);
  CHECK(run("ZMPOP", "2", "none", "z", "MAX") ==
        "*2\r\n" + Bulk("z") + "*1\r\n*2\r\n" + Bulk("d") + Bulk("4"));
  CHECK(run("ZMPOP", "1", "none", "MIN") == kNullArray);
  CHECK(run("ZMPOP", "0", "z", "MIN") == "-ERR numkeys should be greater than 0\r\n");
  CHECK(run("ZMPOP", "1", "z", "MIN", "COUNT", "0") == "-ERR count should be greater than 0\r\n");
  CHECK(run("ZMPOP", "1", "z", "LEFT") == kSyntaxError);
  CHECK(run("ZMPOP", "2", "z", "MIN") == kSyntaxError);
  run.session().protocol = 3;
  CHECK(run("ZPOPMIN", "z", "1") == "*1\r\n*2\r\n" + Bulk("b") + ",2\r\n");
  CHECK(run("ZPOPMIN", "z") == "*2\r\n" + Bulk("c") + ",3\r\n");
  CHECK(run("EXISTS", "z") == ":0\r\n");
  CHECK(run.events ==
        std::vector<std::string>{"zpopmin z", "zpopmax z", "zpopmax z", "zpopmin z", "del z"});
  run("SET", "s", "text");
  CHECK(run("ZPOPMIN", "s") == kWrongTypeError);
  CHECK(run("ZPOPMAX", "s") == kWrongTypeError);
  CHECK(run("ZMPOP", "1", "s", "MIN") == kWrongTypeError);
}

TEST_CASE("bzpopmin, bzpopmax and bzmpop take at once or wait", "[command]") {
  CommandFixture run;
  run("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d");
  run.effects.clear();
  CHECK(run("BZPOPMIN", "none", "z", "0") == "*3\r\n" + Bulk("z") + Bulk("a") + Bulk("1"));
  CHECK(run("BZPOPMAX", "z", "0") == "*3\r\n" + Bulk("z") + Bulk("d") + Bulk("4"));
  CHECK(run("BZMPOP", "0", "2", "none", "z", "MIN", "COUNT", "5") ==
        "*2\r\n" + Bulk("z") + "*2\r\n*2\r\n" + Bulk("b") + Bulk("2") + "*2\r\n" + Bulk("c") +
            Bulk("3"));
  CHECK(run.effects == std::vector<std::string>{"ZPOPMIN z", "ZPOPMAX z", "ZPOPMIN z 2"});
  CHECK(run("BZPOPMIN", "z", "-1").substr(0, 4) == "-ERR");
  CHECK(run("BZMPOP", "0", "0", "z", "MIN") == "-ERR numkeys should be greater than 0\r\n");

  Session first;
  Session second;
  CHECK(run.RunAs(first, {"BZPOPMAX", "z", "0"}) == "");
  CHECK(run.RunAs(second, {"BZMPOP", "0", "1", "z", "MIN"}) == "");
  CHECK(run("ZADD", "z", "1", "a", "2", "b", "3", "c") == ":3\r\n");
  CHECK(run.answers ==
        std::vector<std::string>{"*3\r\n" + Bulk("z") + Bulk("c") + Bulk("3"),
                                 "*2\r\n" + Bulk("z") + "*1\r\n*2\r\n" + Bulk("a") + Bulk("1")});
  CHECK(All(run, "z") == Array({"b", "2"}));
  run("SET", "s", "text");
  CHECK(run("BZPOPMIN", "s", "0") == kWrongTypeError);
  CHECK(run("BZMPOP", "0", "1", "s", "MIN") == kWrongTypeError);
}

TEST_CASE("zrandmember", "[command]") {
  CommandFixture run;
  SetForm(run, GENERATE(false, true));
  run("ZADD", "z", "1", "a", "2", "b", "3", "c");
  CHECK(run("ZRANDMEMBER", "none") == kNull);
  CHECK(run("ZRANDMEMBER", "none", "3") == kEmpty);
  CHECK(run("ZRANDMEMBER", "z", "0") == kEmpty);
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) seen.insert(run("ZRANDMEMBER", "z"));
  CHECK(seen == std::set<std::string>{Bulk("a"), Bulk("b"), Bulk("c")});
  CHECK(run("ZRANDMEMBER", "z", "5", "WITHSCORES") == Array({"a", "1", "b", "2", "c", "3"}));
  CHECK(run("ZRANDMEMBER", "z", "-5").substr(0, 4) == "*5\r\n");
  seen.clear();
  for (int i = 0; i < 200; ++i) seen.insert(run("ZRANDMEMBER", "z", "2"));
  CHECK(seen == std::set<std::string>{Array({"a", "b"}), Array({"a", "c"}), Array({"b", "c"})});
  CHECK(run("ZRANDMEMBER", "z", "x") == kNotIntegerError);
  CHECK(run("ZRANDMEMBER", "z", "1", "x") == kSyntaxError);
  CHECK(run("ZRANDMEMBER", "z", "9223372036854775807", "WITHSCORES") ==
        "-ERR value is out of range\r\n");
  run("SET", "s", "text");
  CHECK(run("ZRANDMEMBER", "s") == kWrongTypeError);
  run.session().protocol = 3;
  CHECK(run("ZRANDMEMBER", "z", "3", "WITHSCORES") == "*3\r\n*2\r\n" + Bulk("a") + ",1\r\n*2\r\n" +
                                                          Bulk("b") + ",2\r\n*2\r\n" + Bulk("c") +
                                                          ",3\r\n");
}

TEST_CASE("zscan", "[command]") {
  CommandFixture run;
  run("ZADD", "z", "1", "a", "0.5", "b");
  CHECK(run("ZSCAN", "z", "0") == "*2\r\n" + Bulk("0") + Array({"b", "0.5", "a", "1"}));
  CHECK(run("ZSCAN", "z", "0", "MATCH", "a*", "COUNT", "1") ==
        "*2\r\n" + Bulk("0") + Array({"a", "1"}));
  CHECK(run("ZSCAN", "none", "0") == "*2\r\n" + Bulk("0") + kEmpty);
  CHECK(run("ZSCAN", "z", "x") == "-ERR invalid cursor\r\n");
  CHECK(run("ZSCAN", "z", "0", "COUNT", "0") == kSyntaxError);
  run("SET", "s", "text");
  CHECK(run("ZSCAN", "s", "0") == kWrongTypeError);
  SetForm(run, true);
  Fill(run, "large", 1000);
  size_t found = 0;
  std::string cursor = "0";
  do {
    const std::string reply = run("ZSCAN", "large", cursor);
    found += CountOf(reply, "member:");
    const size_t at = reply.find("\r\n", 4) + 2;
    cursor = reply.substr(at, reply.find("\r\n", at) - at);
  } while (cursor != "0");
  CHECK(found == 1000);
}

TEST_CASE("zunion, zinter, zdiff and zintercard", "[command]") {
  CommandFixture run;
  SetForm(run, GENERATE(false, true));
  run("ZADD", "a", "1", "x", "2", "y", "inf", "i");
  run("ZADD", "b", "10", "y", "20", "z", "-inf", "i");
  run("SADD", "s", "y", "q");
  CHECK(run("ZUNION", "2", "a", "b", "WITHSCORES") ==
        Array({"i", "0", "x", "1", "y", "12", "z", "20"}));
  CHECK(run("ZUNION", "3", "a", "s", "none") == Array({"q", "x", "y", "i"}));
  CHECK(run("ZUNION", "2", "a", "b", "WEIGHTS", "2", "-1", "AGGREGATE", "MIN", "WITHSCORES") ==
        Array({"z", "-20", "y", "-10", "x", "2", "i", "inf"}));
  CHECK(run("ZUNION", "2", "a", "b", "AGGREGATE", "MAX", "WITHSCORES") ==
        Array({"x", "1", "y", "10", "z", "20", "i", "inf"}));
  CHECK(run("ZINTER", "2", "a", "b", "WITHSCORES") == Array({"i", "0", "y", "12"}));
  CHECK(run("ZINTER", "3", "a", "b", "s", "WITHSCORES") == Array({"y", "13"}));
  CHECK(run("ZINTER", "2", "a", "none") == kEmpty);
  CHECK(run("ZINTER", "2", "a", "a", "WITHSCORES") == Array({"x", "2", "y", "4", "i", "inf"}));
  CHECK(run("ZDIFF", "2", "a", "b", "WITHSCORES") == Array({"x", "1"}));
  CHECK(run("ZDIFF", "2", "a", "none") == Array({"x", "y", "i"}));
  CHECK(run("ZDIFF", "2", "none", "a") == kEmpty);
  CHECK(run("ZINTERCARD", "2", "a", "b") == ":2\r\n");
  CHECK(run("ZINTERCARD", "2", "a", "b", "LIMIT", "1") == ":1\r\n");
  CHECK(run("ZINTERCARD", "2", "a", "b", "LIMIT", "0") == ":2\r\n");
  CHECK(run("ZINTERCARD", "1", "none") == ":0\r\n");

  CHECK(run("ZUNION", "0", "a") == "-ERR at least 1 input key is needed for 'zunion' command\r\n");
  CHECK(run("ZUNION", "x", "a") == kNotIntegerError);
  CHECK(run("ZUNION", "3", "a", "b") == kSyntaxError);
  CHECK(run("ZUNION", "1", "a", "WEIGHTS", "x") == "-ERR weight value is not a float\r\n");
  CHECK(run("ZUNION", "1", "a", "AGGREGATE", "avg") == kSyntaxError);
  CHECK(run("ZUNION", "1", "a", "LIMIT", "1") == kSyntaxError);
  CHECK(run("ZDIFF", "1", "a", "WEIGHTS", "1") == kSyntaxError);
  CHECK(run("ZINTERCARD", "1", "a", "LIMIT", "-1") == "-ERR LIMIT can't be negative\r\n");
  CHECK(run("ZINTERCARD", "1", "a", "WITHSCORES") == kSyntaxError);
  run("SET", "text", "t");
  for (const char* name : {"ZUNION", "ZINTER", "ZDIFF", "ZINTERCARD"}) {
    CHECK(run(name, "2", "a", "text") == kWrongTypeError);
  }
  run.session().protocol = 3;
  CHECK(run("ZDIFF", "2", "a", "b", "WITHSCORES") == "*1\r\n*2\r\n" + Bulk("x") + ",1\r\n");
}

TEST_CASE("zunionstore, zinterstore and zdiffstore", "[command]") {
  CommandFixture run;
  SetForm(run, GENERATE(false, true));
  run("ZADD", "a", "1", "x", "2", "y");
  run("ZADD", "b", "10", "y", "20", "z");
  run.events.clear();
  CHECK(run("ZUNIONSTORE", "to", "2", "a", "b", "WEIGHTS", "1", "2") == ":3\r\n");
  CHECK(All(run, "to") == Array({"x", "1", "y", "22", "z", "40"}));
  CHECK(run("ZINTERSTORE", "to", "2", "a", "b", "AGGREGATE", "MAX") == ":1\r\n");
  CHECK(All(run, "to") == Array({"y", "10"}));
  CHECK(run("ZDIFFSTORE", "to", "2", "a", "b") == ":1\r\n");
  CHECK(All(run, "to") == Array({"x", "1"}));
  CHECK(run("ZDIFFSTORE", "to", "2", "a", "a") == ":0\r\n");
  CHECK(run("EXISTS", "to") == ":0\r\n");
  CHECK(run("ZINTERSTORE", "to", "2", "a", "none") == ":0\r\n");
  CHECK(run("ZUNIONSTORE", "a", "2", "a", "b") == ":3\r\n");  // onto a source
  CHECK(run.events == std::vector<std::string>{"zunionstore to", "zinterstore to", "zdiffstore to",
                                               "del to", "zunionstore a"});
  CHECK(All(run, "a") == Array({"x", "1", "y", "12", "z", "20"}));
  CHECK(run("ZUNIONSTORE", "to", "1", "a", "WITHSCORES") == kSyntaxError);
  run("SET", "s", "text");
  for (const char* name : {"ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"}) {
    CHECK(run(name, "to", "1", "s") == kWrongTypeError);
  }
  CHECK(run("ZUNIONSTORE", "s", "1", "b") == ":2\r\n");  // whatever the target was
}

TEST_CASE("Long replies of sorted sets go on in slices", "[command]") {
  CommandFixture run;
  Fill(run, "z", 5000);
  run("ZADD", "few", "1", Member(7), "2", Member(4999));
  const uint64_t before = run.slices();
  std::string expected;
  std::string reversed;
  for (int i = 0; i < 5000; ++i) expected += Bulk(Member(i)) + Bulk(std::to_string(i));
  for (int i = 5000; i-- > 0;) reversed += Bulk(Member(i));
  CHECK(run("ZRANGE", "z", "0", "-1", "WITHSCORES") == "*10000\r\n" + expected);
  CHECK(run("ZRANGE", "z", "0", "-1", "REV") == "*5000\r\n" + reversed);
  CHECK(run("ZUNION", "1", "z", "WITHSCORES") == "*10000\r\n" + expected);
  CHECK(run("ZINTER", "2", "z", "few") == Array({Member(7), Member(4999)}));
  CHECK(CountOf(run("ZDIFF", "2", "z", "few"), "member:") == 4998);
  CHECK(run("ZINTERCARD", "2", "z", "z") == ":5000\r\n");
  CHECK(CountOf(run("ZRANDMEMBER", "z", "4000"), "member:") == 4000);
  CHECK(run.slices() > before + 5);
  CHECK(run("ZUNIONSTORE", "copy", "1", "z") == ":5000\r\n");
  CHECK(run("ZRANGESTORE", "other", "z", "0", "-1") == ":5000\r\n");
  CHECK(run("ZRANGE", "other", "0", "-1", "WITHSCORES") == "*10000\r\n" + expected);
  CHECK(run("ZRANGE", "copy", "0", "-1", "WITHSCORES") == "*10000\r\n" + expected);
  CHECK(run("ZREMRANGEBYSCORE", "z", "100", "(4900") == ":4800\r\n");
  CHECK(run("ZCARD", "z") == ":200\r\n");

  // A member longer than a reply at once.
  const std::string long_member(300'000, 'm');
  run("ZADD", "z", "1", long_member);
  CHECK(run("ZRANGE", "z", "1", "1", "BYSCORE", "WITHSCORES") ==
        Array({Member(1), "1", long_member, "1"}));
}
