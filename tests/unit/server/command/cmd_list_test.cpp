// Lists: every reply and error, both forms of a list, what is logged and reported, long ranges that
// go on as continuations; then random commands against a std::deque.
#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <random>

#include "command_fixture.h"

using namespace verso::server;

namespace {

const std::string kWrongTypeError =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const std::string kNullArray = "*-1\r\n";

std::string Integer(size_t value) { return ":" + std::to_string(value) + "\r\n"; }

std::string Array(const std::vector<std::string>& elements) {
  std::string text = "*" + std::to_string(elements.size()) + "\r\n";
  for (const std::string& element : elements) text += Bulk(element);
  return text;
}

std::string All(CommandFixture& run, const char* key) { return run("LRANGE", key, "0", "-1"); }

}  // namespace

TEST_CASE("lpush, rpush, lpushx and rpushx", "[command]") {
  CommandFixture run;
  CHECK(run("LPUSHX", "l", "a") == ":0\r\n");
  CHECK(run("RPUSHX", "l", "a") == ":0\r\n");
  CHECK(run("EXISTS", "l") == ":0\r\n");
  CHECK(run("LPUSH", "l", "c", "b", "a") == ":3\r\n");
  CHECK(run("RPUSH", "l", "d") == ":4\r\n");
  CHECK(run("LPUSHX", "l", "0", "-1") == ":6\r\n");
  CHECK(run("RPUSHX", "l", "e") == ":7\r\n");
  CHECK(All(run, "l") == Array({"-1", "0", "a", "b", "c", "d", "e"}));
  CHECK(run("TYPE", "l") == "+list\r\n");
  CHECK(run("LLEN", "l") == ":7\r\n");
  CHECK(run("LLEN", "none") == ":0\r\n");
  CHECK(run("OBJECT", "ENCODING", "l") == Bulk("listpack"));
  run("RPUSH", "l", std::string(9000, 'x'));
  CHECK(run("OBJECT", "ENCODING", "l") == Bulk("quicklist"));
  CHECK(run("LINDEX", "l", "-1") == Bulk(std::string(9000, 'x')));
  run("SET", "s", "text");
  for (const char* name : {"LPUSH", "RPUSH", "LPUSHX", "RPUSHX"}) {
    CHECK(run(name, "s", "a") == kWrongTypeError);
  }
  CHECK(run("LPUSH", "l").substr(0, 4) == "-ERR");
  CHECK(run("GET", "l") == kWrongTypeError);
}

TEST_CASE("lpop and rpop", "[command]") {
  CommandFixture run;
  CHECK(run("LPOP", "none") == kNull);
  CHECK(run("LPOP", "none", "2") == kNullArray);
  run("RPUSH", "l", "a", "b", "c", "d", "e", "f");
  CHECK(run("LPOP", "l") == Bulk("a"));
  CHECK(run("RPOP", "l") == Bulk("f"));
  CHECK(run("LPOP", "l", "0") == "*0\r\n");
  CHECK(run("RPOP", "l", "2") == Array({"e", "d"}));
  CHECK(run("LPOP", "l", "1") == Array({"b"}));
  CHECK(run("LPOP", "l", "-1") == "-ERR value is out of range, must be positive\r\n");
  CHECK(run("RPOP", "l", "x") == "-ERR value is out of range, must be positive\r\n");
  CHECK(run("LPOP", "l", "1", "2") == "-ERR wrong number of arguments for 'lpop' command\r\n");
  CHECK(run("LPOP", "l", "9223372036854775807") == Array({"c"}));
  CHECK(run("EXISTS", "l") == ":0\r\n");
  CHECK(run.events.back() == "del l");
  run("SET", "s", "text");
  CHECK(run("RPOP", "s") == kWrongTypeError);
  run.session().protocol = 3;
  CHECK(run("LPOP", "none") == "_\r\n");
  CHECK(run("LPOP", "none", "1") == "_\r\n");
}

TEST_CASE("lindex, lset and lrange", "[command]") {
  CommandFixture run;
  CHECK(run("LINDEX", "none", "x") == kNull);
  CHECK(run("LSET", "none", "0", "x") == "-ERR no such key\r\n");
  CHECK(All(run, "none") == "*0\r\n");
  run("RPUSH", "l", "a", "b", "c", "d");
  CHECK(run("LINDEX", "l", "0") == Bulk("a"));
  CHECK(run("LINDEX", "l", "-4") == Bulk("a"));
  CHECK(run("LINDEX", "l", "-5") == kNull);
  CHECK(run("LINDEX", "l", "4") == kNull);
  CHECK(run("LINDEX", "l", "x") == kNotIntegerError);
  CHECK(run("LSET", "l", "-1", "D") == kOk);
  CHECK(run("LSET", "l", "0", "long enough") == kOk);
  CHECK(run("LSET", "l", "4", "x") == "-ERR index out of range\r\n");
  CHECK(run("LSET", "l", "-5", "x") == "-ERR index out of range\r\n");
  CHECK(run("LSET", "l", "x", "x") == kNotIntegerError);
  CHECK(All(run, "l") == Array({"long enough", "b", "c", "D"}));
  CHECK(run("LRANGE", "l", "1", "2") == Array({"b", "c"}));
  CHECK(run("LRANGE", "l", "-100", "0") == Array({"long enough"}));
  CHECK(run("LRANGE", "l", "3", "100") == Array({"D"}));
  CHECK(run("LRANGE", "l", "2", "1") == "*0\r\n");
  CHECK(run("LRANGE", "l", "4", "-1") == "*0\r\n");
  CHECK(run("LRANGE", "l", "0", "-9223372036854775808") == "*0\r\n");
  CHECK(run("LRANGE", "l", "x", "1") == kNotIntegerError);
  CHECK(run("LRANGE", "l", "1", "x") == kNotIntegerError);
  run("SET", "s", "text");
  CHECK(run("LINDEX", "s", "0") == kWrongTypeError);
  CHECK(run("LSET", "s", "0", "x") == kWrongTypeError);
  CHECK(run("LRANGE", "s", "0", "1") == kWrongTypeError);
  CHECK(run("LLEN", "s") == kWrongTypeError);
}

TEST_CASE("linsert, lrem and ltrim", "[command]") {
  CommandFixture run;
  CHECK(run("LINSERT", "none", "BEFORE", "a", "x") == ":0\r\n");
  CHECK(run("LINSERT", "none", "NEXT", "a", "x") == kSyntaxError);
  CHECK(run("LREM", "none", "0", "a") == ":0\r\n");
  CHECK(run("LTRIM", "none", "0", "1") == kOk);
  run("RPUSH", "l", "a", "b", "a");
  CHECK(run("LINSERT", "l", "before", "a", "1") == ":4\r\n");
  CHECK(run("LINSERT", "l", "AFTER", "b", "2") == ":5\r\n");
  CHECK(run("LINSERT", "l", "AFTER", "nothing", "2") == ":-1\r\n");
  CHECK(All(run, "l") == Array({"1", "a", "b", "2", "a"}));
  run("RPUSH", "l", "a", "a");
  CHECK(run("LREM", "l", "-2", "a") == ":2\r\n");
  CHECK(All(run, "l") == Array({"1", "a", "b", "2", "a"}));
  CHECK(run("LREM", "l", "1", "a") == ":1\r\n");
  CHECK(run("LREM", "l", "0", "nothing") == ":0\r\n");
  CHECK(run("LREM", "l", "x", "a") == kNotIntegerError);
  CHECK(run("LREM", "l", "-9223372036854775808", "a") ==
        "-ERR value is out of range, value must between -9223372036854775807 and "
        "9223372036854775807\r\n");
  CHECK(All(run, "l") == Array({"1", "b", "2", "a"}));
  CHECK(run("LTRIM", "l", "1", "-2") == kOk);
  CHECK(All(run, "l") == Array({"b", "2"}));
  CHECK(run("LTRIM", "l", "x", "0") == kNotIntegerError);
  CHECK(run("LTRIM", "l", "5", "9") == kOk);
  CHECK(run("EXISTS", "l") == ":0\r\n");
  run("RPUSH", "l", "a", "a");
  CHECK(run("LREM", "l", "0", "a") == ":2\r\n");
  CHECK(run("EXISTS", "l") == ":0\r\n");
  run("SET", "s", "text");
  CHECK(run("LINSERT", "s", "BEFORE", "a", "x") == kWrongTypeError);
  CHECK(run("LREM", "s", "0", "a") == kWrongTypeError);
  CHECK(run("LTRIM", "s", "0", "1") == kWrongTypeError);
}

TEST_CASE("lpos", "[command]") {
  CommandFixture run;
  run("RPUSH", "l", "a", "b", "c", "1", "2", "3", "c", "c");
  CHECK(run("LPOS", "l", "c") == ":2\r\n");
  CHECK(run("LPOS", "l", "c", "RANK", "2") == ":6\r\n");
  CHECK(run("LPOS", "l", "c", "RANK", "-1") == ":7\r\n");
  CHECK(run("LPOS", "l", "c", "RANK", "4") == kNull);
  CHECK(run("LPOS", "l", "c", "COUNT", "2") == "*2\r\n:2\r\n:6\r\n");
  CHECK(run("LPOS", "l", "c", "COUNT", "0") == "*3\r\n:2\r\n:6\r\n:7\r\n");
  CHECK(run("LPOS", "l", "c", "count", "0", "rank", "-2") == "*2\r\n:6\r\n:2\r\n");
  CHECK(run("LPOS", "l", "c", "COUNT", "0", "MAXLEN", "7") == "*2\r\n:2\r\n:6\r\n");
  CHECK(run("LPOS", "l", "c", "MAXLEN", "2") == kNull);
  CHECK(run("LPOS", "l", "x", "COUNT", "0") == "*0\r\n");
  CHECK(run("LPOS", "none", "x") == kNull);
  CHECK(run("LPOS", "none", "x", "COUNT", "1") == "*0\r\n");
  CHECK(run("LPOS", "l", "c", "RANK", "0").find("RANK can't be zero") != std::string::npos);
  CHECK(run("LPOS", "l", "c", "COUNT", "-1") == "-ERR COUNT can't be negative\r\n");
  CHECK(run("LPOS", "l", "c", "MAXLEN", "-1") == "-ERR MAXLEN can't be negative\r\n");
  CHECK(run("LPOS", "l", "c", "RANK") == kSyntaxError);
  CHECK(run("LPOS", "l", "c", "OTHER", "1") == kSyntaxError);
  CHECK(run("LPOS", "l", "c", "RANK", "x") == kNotIntegerError);
  run("SET", "s", "text");
  CHECK(run("LPOS", "s", "c") == kWrongTypeError);
}

TEST_CASE("lmove and rpoplpush", "[command]") {
  CommandFixture run;
  CHECK(run("LMOVE", "none", "to", "LEFT", "RIGHT") == kNull);
  CHECK(run("RPOPLPUSH", "none", "to") == kNull);
  CHECK(run("LMOVE", "a", "b", "UP", "LEFT") == kSyntaxError);
  CHECK(run("LMOVE", "a", "b", "LEFT", "UP") == kSyntaxError);
  run("RPUSH", "a", "1", "2", "3");
  CHECK(run("LMOVE", "a", "b", "left", "right") == Bulk("1"));
  CHECK(run("LMOVE", "a", "b", "RIGHT", "LEFT") == Bulk("3"));
  CHECK(All(run, "b") == Array({"3", "1"}));
  CHECK(run("RPOPLPUSH", "a", "b") == Bulk("2"));
  CHECK(run("EXISTS", "a") == ":0\r\n");
  CHECK(All(run, "b") == Array({"2", "3", "1"}));
  CHECK(run("RPOPLPUSH", "b", "b") == Bulk("1"));
  CHECK(All(run, "b") == Array({"1", "2", "3"}));
  CHECK(run("LMOVE", "b", "b", "LEFT", "LEFT") == Bulk("1"));
  CHECK(run("LMOVE", "b", "b", "LEFT", "RIGHT") == Bulk("1"));
  CHECK(All(run, "b") == Array({"2", "3", "1"}));
  run("RPUSH", "one", "x");
  CHECK(run("LMOVE", "one", "one", "LEFT", "RIGHT") == Bulk("x"));
  CHECK(All(run, "one") == Array({"x"}));
  run("SET", "s", "text");
  CHECK(run("LMOVE", "s", "b", "LEFT", "LEFT") == kWrongTypeError);
  CHECK(run("LMOVE", "b", "s", "LEFT", "LEFT") == kWrongTypeError);
  CHECK(run("LMOVE", "none", "s", "LEFT", "LEFT") == kNull);
  CHECK(run("LLEN", "b") == ":3\r\n");
  const std::string long_element(100'000, 'L');
  run("RPUSH", "one", long_element);
  CHECK(run("LMOVE", "one", "b", "RIGHT", "LEFT") == Bulk(long_element));
  CHECK(run("LINDEX", "b", "0") == Bulk(long_element));
}

TEST_CASE("lmpop", "[command]") {
  CommandFixture run;
  CHECK(run("LMPOP", "1", "none", "LEFT") == kNullArray);
  run("RPUSH", "l", "a", "b", "c", "d");
  CHECK(run("LMPOP", "2", "none", "l", "LEFT") == "*2\r\n" + Bulk("l") + Array({"a"}));
  CHECK(run("LMPOP", "1", "l", "right", "count", "2") == "*2\r\n" + Bulk("l") + Array({"d", "c"}));
  CHECK(run("LMPOP", "0", "l", "LEFT") == "-ERR numkeys should be greater than 0\r\n");
  CHECK(run("LMPOP", "x", "l", "LEFT") == "-ERR numkeys should be greater than 0\r\n");
  CHECK(run("LMPOP", "2", "l", "LEFT") == kSyntaxError);
  CHECK(run("LMPOP", "1", "l", "UP") == kSyntaxError);
  CHECK(run("LMPOP", "1", "l", "LEFT", "COUNT", "0") == "-ERR count should be greater than 0\r\n");
  CHECK(run("LMPOP", "1", "l", "LEFT", "COUNT", "1", "COUNT", "1") == kSyntaxError);
  CHECK(run("LMPOP", "1", "l", "LEFT", "COUNT") == kSyntaxError);
  run("SET", "s", "text");
  CHECK(run("LMPOP", "2", "s", "l", "LEFT") == kWrongTypeError);
  CHECK(run("LMPOP", "2", "l", "s", "LEFT", "COUNT", "9") == "*2\r\n" + Bulk("l") + Array({"b"}));
  CHECK(run("EXISTS", "l") == ":0\r\n");
}

TEST_CASE("an expired list is absent, and gone before a write", "[command]") {
  CommandFixture run;
  run("RPUSH", "l", "old");
  run("PEXPIRE", "l", "1000");
  run("RPUSH", "l", "kept");
  CHECK(run("PTTL", "l") == ":1000\r\n");
  run.now_ms += 2000;
  CHECK(run("LLEN", "l") == ":0\r\n");
  CHECK(run("LPUSHX", "l", "x") == ":0\r\n");
  CHECK(run("RPUSH", "l", "new") == ":1\r\n");
  CHECK(All(run, "l") == Array({"new"}));
  CHECK(run("TTL", "l") == ":-1\r\n");
}

TEST_CASE("lists say what changed, once, and are logged as they came", "[command]") {
  CommandFixture run;
  run("RPUSH", "l", "a", "b", "c");
  run("LSET", "l", "0", "x");
  run("LREM", "l", "0", "nothing");
  run("LMOVE", "l", "m", "LEFT", "RIGHT");
  run("LPOP", "m");
  CHECK(run.events == std::vector<std::string>{"rpush l", "lset l", "lpop l", "rpush m", "del m"});
  CHECK(run.effects ==
        std::vector<std::string>{"RPUSH l a b c", "LSET l 0 x", "LMOVE l m LEFT RIGHT", "LPOP m"});
}

TEST_CASE("a long range is produced in slices, and says the same", "[command]") {
  CommandFixture run;
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    const std::string element =
        i % 1000 == 500 ? std::string(300'000, static_cast<char>('a' + i % 7)) : std::to_string(i);
    run("RPUSH", "l", element);
    expected += Bulk(element);
  }
  CHECK(run.slices() == 0);
  const std::string all = All(run, "l");
  CHECK(run.slices() > 0);
  CHECK(all == "*3000\r\n" + expected);
  CHECK(run("LRANGE", "l", "1", "100").substr(0, 6) == "*100\r\n");
}

TEST_CASE("a list in either form copies, moves and renames", "[command]") {
  CommandFixture run;
  for (int i = 0; i < 2000; ++i) run("RPUSH", "large", std::to_string(i));
  run("RPUSH", "small", "a", "b");
  for (const char* key : {"large", "small"}) {
    const std::string all = All(run, key);
    CHECK(run("COPY", key, "copy", "REPLACE") == ":1\r\n");
    CHECK(All(run, "copy") == all);
    run("LPOP", "copy");
    CHECK(All(run, key) == all);
    CHECK(run("RENAME", key, "renamed") == kOk);
    CHECK(All(run, "renamed") == all);
    CHECK(run("DEL", "renamed") == ":1\r\n");
  }
}

TEST_CASE("random list commands against a std::deque", "[command]") {
  const std::string size = GENERATE("-2", "3", "-1");
  CommandFixture run(false);
  run.state().environment.limits.list_size = std::stoi(size);
  std::mt19937 random(11);
  const auto below = [&random](size_t bound) { return random() % bound; };
  std::deque<std::string> model;
  const auto slice = [&model](size_t from, size_t count) {
    return std::vector<std::string>(model.begin() + static_cast<ptrdiff_t>(from),
                                    model.begin() + static_cast<ptrdiff_t>(from + count));
  };
  for (int step = 0; step < 4000; ++step) {
    const bool grow = step / 500 % 2 == 0;
    const std::string element(1 + below(below(20) == 0 ? 900 : 20),
                              static_cast<char>('a' + below(3)));
    const size_t dice = below(grow ? 8 : 12);
    if (dice < 2) {
      model.push_front(element);
      CHECK(run("LPUSH", "l", element) == Integer(model.size()));
    } else if (dice < 4) {
      model.push_back(element);
      CHECK(run("RPUSH", "l", element) == Integer(model.size()));
    } else if (model.empty()) {
      CHECK(run("LPOP", "l") == kNull);
    } else if (dice == 4) {
      const size_t at = below(model.size());
      model[at] = element;
      CHECK(run("LSET", "l", std::to_string(at), element) == kOk);
    } else if (dice == 5) {
      const size_t from = below(model.size());
      const size_t count = 1 + below(model.size() - from);
      CHECK(run("LRANGE", "l", std::to_string(from), std::to_string(from + count - 1)) ==
            Array(slice(from, count)));
    } else if (dice == 6) {
      const std::string pivot = model[below(model.size())];
      const auto at = std::find(model.begin(), model.end(), pivot);
      model.insert(at + 1, element);
      CHECK(run("LINSERT", "l", "AFTER", pivot, element) == Integer(model.size()));
    } else if (dice == 7 || dice == 8) {
      const size_t count = std::min(model.size(), 1 + below(3));
      if (dice == 7) {
        CHECK(run("LPOP", "l", std::to_string(count)) == Array(slice(0, count)));
        model.erase(model.begin(), model.begin() + static_cast<ptrdiff_t>(count));
      } else {
        std::vector<std::string> popped = slice(model.size() - count, count);
        std::reverse(popped.begin(), popped.end());
        CHECK(run("RPOP", "l", std::to_string(count)) == Array(popped));
        model.resize(model.size() - count);
      }
    } else if (dice == 9) {
      const std::string gone = model[below(model.size())];
      const auto end = std::remove(model.begin(), model.end(), gone);
      const auto removed = static_cast<size_t>(model.end() - end);
      model.erase(end, model.end());
      CHECK(run("LREM", "l", "0", gone) == Integer(removed));
    } else if (dice == 10 && below(10) == 0) {
      const size_t from = below(model.size());
      const size_t count = 1 + below(model.size() - from);
      CHECK(run("LTRIM", "l", std::to_string(from), std::to_string(from + count - 1)) == kOk);
      const std::vector<std::string> kept = slice(from, count);
      model.assign(kept.begin(), kept.end());
    } else {
      const size_t at = below(model.size());
      const auto first = std::find(model.begin(), model.end(), model[at]) - model.begin();
      CHECK(run("LPOS", "l", model[at]) == Integer(static_cast<size_t>(first)));
      CHECK(run("LINDEX", "l", std::to_string(at)) == Bulk(model[at]));
    }
    CHECK(run("LLEN", "l") == Integer(model.size()));
    if (step % 200 == 0) CHECK(run.store().Audit() == "");
  }
}
