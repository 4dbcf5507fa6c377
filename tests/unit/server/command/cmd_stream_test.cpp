// Streams: XADD XDEL XTRIM XSETID, XLEN XRANGE XREVRANGE XREAD and XINFO. Every reply and error,
// what is logged and reported, long replies in slices, waiting readers; then random commands
// against a std::map. Groups: cmd_stream_group_test.cpp.
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "command_fixture.h"

using namespace verso::server;

namespace {

const std::string kWrongTypeError =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const std::string kNullArray = "*-1\r\n";
const std::string kInvalidId = "-ERR Invalid stream ID specified as stream command argument\r\n";
const std::string kTooSmallId =
    "-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n";
const std::string kMaxId = "18446744073709551615-18446744073709551615";

std::string Entry(const std::string& id, const std::vector<std::string>& fields) {
  std::string text = "*2\r\n" + Bulk(id) + "*" + std::to_string(fields.size()) + "\r\n";
  for (const std::string& field : fields) text += Bulk(field);
  return text;
}

std::string Entries(const std::vector<std::string>& ids) {
  std::string text = "*" + std::to_string(ids.size()) + "\r\n";
  for (const std::string& id : ids) text += Entry(id, {"f", id});
  return text;
}

void Add(CommandFixture& run, const char* key, const std::vector<std::string>& ids) {
  for (const std::string& id : ids) REQUIRE(run("XADD", key, id, "f", id) == Bulk(id));
}

std::string All(CommandFixture& run, const char* key) { return run("XRANGE", key, "-", "+"); }

std::string Error(const std::string& text) { return "-ERR " + text + "\r\n"; }

}  // namespace

TEST_CASE("xadd takes ids, or makes them", "[command]") {
  CommandFixture run;
  CHECK(run("XADD", "s", "NOMKSTREAM", "*", "f", "v") == kNull);
  CHECK(run("EXISTS", "s") == ":0\r\n");
  CHECK(run("XADD", "s", "5", "f", "v") == Bulk("5-0"));
  CHECK(run("TYPE", "s") == "+stream\r\n");
  CHECK(run("OBJECT", "ENCODING", "s") == Bulk("stream"));
  CHECK(run("XADD", "s", "5-*", "f", "v") == Bulk("5-1"));
  CHECK(run("XADD", "s", "7-*", "f", "v") == Bulk("7-0"));
  CHECK(run("XADD", "s", "*", "f", "v") == Bulk("1700000000000-0"));
  CHECK(run("XADD", "s", "nomkstream", "*", "f", "v") == Bulk("1700000000000-1"));
  CHECK(run("XADD", "s", "1800000000000-3", "f", "v", "g", "w") == Bulk("1800000000000-3"));
  CHECK(run("XADD", "s", "*", "f", "v") == Bulk("1800000000000-4"));  // the clock went back
  CHECK(run("XLEN", "s") == ":7\r\n");
  CHECK(run("XADD", "s", "5-5", "f", "v") == kTooSmallId);
  CHECK(run("XADD", "s", "1800000000000-4", "f", "v") == kTooSmallId);
  CHECK(run("XADD", "s", "7-*", "f", "v") == kTooSmallId);
  CHECK(run("XADD", "s", "0-0", "f", "v") ==
        Error("The ID specified in XADD must be greater than 0-0"));
  CHECK(run("XADD", "z", "0-*", "f", "v") == Bulk("0-1"));
  for (const char* bad : {"x", "1-x", "-", "+", "1-2-*", "-1-1", "1-", "18446744073709551616"}) {
    CHECK(run("XADD", "s", bad, "f", "v") == kInvalidId);
  }
  CHECK(run("XADD", "s", "*", "f", "v", "odd").find("wrong number of arguments") !=
        std::string::npos);
  CHECK(run("XADD", "s", "MAXLEN", "1", "NOMKSTREAM").find("wrong number of arguments") !=
        std::string::npos);
  CHECK(run("XADD", "m", kMaxId, "f", "v") == Bulk(kMaxId));
  CHECK(run("XADD", "m", "*", "f", "v") ==
        Error("The stream has exhausted the last possible ID, unable to add more items"));
  run("SET", "text", "t");
  CHECK(run("XADD", "text", "*", "f", "v") == kWrongTypeError);
  CHECK(run("GET", "s") == kWrongTypeError);
}

TEST_CASE("xrange and xrevrange", "[command]") {
  CommandFixture run;
  CHECK(run("XRANGE", "none", "-", "+") == "*0\r\n");
  Add(run, "s", {"1-1", "1-2", "2-1", "3-0"});
  CHECK(All(run, "s") == Entries({"1-1", "1-2", "2-1", "3-0"}));
  CHECK(run("XREVRANGE", "s", "+", "-") == Entries({"3-0", "2-1", "1-2", "1-1"}));
  CHECK(run("XRANGE", "s", "1", "1") == Entries({"1-1", "1-2"}));
  CHECK(run("XRANGE", "s", "(1-1", "(2-1") == Entries({"1-2"}));
  CHECK(run("XREVRANGE", "s", "(3", "(1-1") == Entries({"3-0", "2-1", "1-2"}));
  CHECK(run("XRANGE", "s", "-", "+", "COUNT", "2") == Entries({"1-1", "1-2"}));
  CHECK(run("XREVRANGE", "s", "2", "-", "count", "1") == Entries({"2-1"}));
  CHECK(run("XRANGE", "s", "3", "2") == "*0\r\n");
  CHECK(run("XRANGE", "s", "-", "+", "COUNT", "0") == kNullArray);
  CHECK(run("XRANGE", "s", "-", "+", "COUNT", "-1") == kNullArray);
  CHECK(run("XRANGE", "s", "-", "+", "COUNT", "x") == kNotIntegerError);
  CHECK(run("XRANGE", "s", "-", "+", "COUNT") == kSyntaxError);
  CHECK(run("XRANGE", "s", "-", "+", "LIMIT", "1") == kSyntaxError);
  CHECK(run("XRANGE", "s", "x", "+") == kInvalidId);
  CHECK(run("XRANGE", "s", "(-", "+") == kInvalidId);
  CHECK(run("XRANGE", "s", "(" + kMaxId, "+") == Error("invalid start ID for the interval"));
  CHECK(run("XRANGE", "s", "-", "(0-0") == Error("invalid end ID for the interval"));
  run("SET", "text", "t");
  CHECK(run("XRANGE", "text", "-", "+") == kWrongTypeError);
  CHECK(run("XLEN", "text") == kWrongTypeError);
  CHECK(run("XLEN", "none") == ":0\r\n");
}

TEST_CASE("xdel, and a stream that is empty", "[command]") {
  CommandFixture run;
  CHECK(run("XDEL", "none", "x") == ":0\r\n");
  Add(run, "s", {"1-0", "2-0", "3-0"});
  CHECK(run("XDEL", "s", "2", "2-0", "9") == ":1\r\n");
  CHECK(run("XDEL", "s", "1", "x") == kInvalidId);
  CHECK(All(run, "s") == Entries({"1-0", "3-0"}));
  CHECK(run("XDEL", "s", "1", "3") == ":2\r\n");
  CHECK(run("EXISTS", "s") == ":1\r\n");
  CHECK(run("XLEN", "s") == ":0\r\n");
  CHECK(run("XADD", "s", "3-0", "f", "v") == kTooSmallId);
  run("SET", "text", "t");
  CHECK(run("XDEL", "text", "1") == kWrongTypeError);
}

TEST_CASE("xtrim, exactly and by nodes", "[command]") {
  CommandFixture run;
  CHECK(run("XTRIM", "none", "MAXLEN", "1") == ":0\r\n");
  Add(run, "s", {"1-0", "2-0", "3-0", "4-0", "5-0"});
  CHECK(run("XTRIM", "s", "MAXLEN", "9") == ":0\r\n");
  CHECK(run("XTRIM", "s", "MAXLEN", "=", "4") == ":1\r\n");
  CHECK(run("XTRIM", "s", "MINID", "4") == ":2\r\n");
  CHECK(All(run, "s") == Entries({"4-0", "5-0"}));
  CHECK(run("XADD", "s", "MAXLEN", "2", "6-0", "f", "6-0") == Bulk("6-0"));
  CHECK(All(run, "s") == Entries({"5-0", "6-0"}));
  CHECK(run("XADD", "s", "MINID", "=", "7", "7-0", "f", "7-0") == Bulk("7-0"));
  CHECK(All(run, "s") == Entries({"7-0"}));
  CHECK(run("XTRIM", "s", "MAXLEN", "0") == ":1\r\n");
  CHECK(run("EXISTS", "s") == ":1\r\n");

  run.state().environment.limits.stream_node_entries = 10;
  for (int i = 1; i <= 35; ++i) run("XADD", "n", std::to_string(i), "f", "v");
  CHECK(run("XTRIM", "n", "MAXLEN", "~", "26") == ":0\r\n");
  CHECK(run("XTRIM", "n", "MAXLEN", "~", "24") == ":10\r\n");
  CHECK(run("XTRIM", "n", "MINID", "~", "21") == ":10\r\n");
  CHECK(run("XTRIM", "n", "MINID", "~", "30") == ":0\r\n");
  CHECK(run("XTRIM", "n", "MAXLEN", "~", "0", "LIMIT", "12") == ":10\r\n");
  CHECK(run("XTRIM", "n", "MAXLEN", "~", "0", "LIMIT", "0") == ":5\r\n");
  CHECK(run.effects.back() == "XTRIM n MAXLEN = 0");
  for (int i = 100; i < 125; ++i) {
    run("XADD", "n", "MAXLEN", "~", "12", std::to_string(i), "f", "v");
  }
  CHECK(run("XLEN", "n") == ":15\r\n");  // one node of ten went when twelve were behind

  CHECK(run("XTRIM", "s", "MAXLEN", "-1") == Error("The MAXLEN argument must be >= 0."));
  CHECK(run("XTRIM", "s", "MAXLEN", "x") == kNotIntegerError);
  CHECK(run("XTRIM", "s", "MINID", "x") == kInvalidId);
  CHECK(run("XTRIM", "s", "OTHER", "1") == kSyntaxError);
  CHECK(run("XTRIM", "s", "MAXLEN", "~", "1", "LIMIT", "-1") ==
        Error("The LIMIT argument must be >= 0."));
  CHECK(run("XTRIM", "s", "MAXLEN", "1", "LIMIT", "5") ==
        Error("syntax error, LIMIT cannot be used without the special ~ option"));
  CHECK(run("XADD", "s", "LIMIT", "5", "*", "f", "v") ==
        Error("syntax error, LIMIT cannot be used without specifying a trimming strategy"));
  CHECK(run("XTRIM", "s", "LIMIT", "0") ==
        Error("syntax error, XTRIM must be called with a trimming strategy"));
  CHECK(run("XTRIM", "s", "MAXLEN", "1", "MINID", "1") ==
        Error("syntax error, MAXLEN and MINID options at the same time are not compatible"));
  run("SET", "text", "t");
  CHECK(run("XTRIM", "text", "MAXLEN", "1") == kWrongTypeError);
}

TEST_CASE("xsetid", "[command]") {
  CommandFixture run;
  CHECK(run("XSETID", "none", "1") == "-ERR no such key\r\n");
  Add(run, "s", {"1-0", "5-0"});
  CHECK(run("XSETID", "s", "4") ==
        Error("The ID specified in XSETID is smaller than the target stream top item"));
  CHECK(run("XSETID", "s", "9", "ENTRIESADDED", "1") ==
        Error("The entries_added specified in XSETID is smaller than the target stream length"));
  CHECK(run("XSETID", "s", "9", "ENTRIESADDED", "-1") == Error("entries_added must be positive"));
  CHECK(run("XSETID", "s", "9", "MAXDELETEDID", "10") ==
        Error("The ID specified in XSETID is smaller than the provided max_deleted_entry_id"));
  CHECK(run("XSETID", "s", "9", "OTHER") == kSyntaxError);
  CHECK(run("XSETID", "s", "9", "ENTRIESADDED", "7", "MAXDELETEDID", "3") == kOk);
  CHECK(run("XADD", "s", "9", "f", "v") == kTooSmallId);
  const std::string info = run("XINFO", "STREAM", "s");
  CHECK(info.find(Bulk("entries-added") + ":7\r\n") != std::string::npos);
  CHECK(info.find(Bulk("max-deleted-entry-id") + Bulk("3-0")) != std::string::npos);
  CHECK(run("XSETID", "s", "x") == kInvalidId);
  run("XDEL", "s", "1", "5");
  CHECK(run("XSETID", "s", "4") ==
        Error("The ID specified in XSETID is smaller than current max_deleted_entry_id"));
  run("SET", "text", "t");
  CHECK(run("XSETID", "text", "1") == kWrongTypeError);
}

TEST_CASE("xread", "[command]") {
  CommandFixture run;
  CHECK(run("XREAD", "STREAMS", "a", "0") == kNullArray);
  Add(run, "a", {"1-0", "2-0"});
  Add(run, "b", {"3-0"});
  const std::string of_a = "*2\r\n" + Bulk("a") + Entries({"2-0"});
  const std::string of_b = "*2\r\n" + Bulk("b") + Entries({"3-0"});
  CHECK(run("XREAD", "STREAMS", "a", "b", "1", "0") == "*2\r\n" + of_a + of_b);
  CHECK(run("XREAD", "COUNT", "1", "STREAMS", "a", "b", "1-0", "3") == "*1\r\n" + of_a);
  CHECK(run("XREAD", "STREAMS", "a", "$") == kNullArray);
  CHECK(run("XREAD", "STREAMS", "a", kMaxId) == kNullArray);
  run.session().protocol = 3;
  CHECK(run("XREAD", "STREAMS", "a", "b", "1", "0") ==
        "%2\r\n" + Bulk("a") + Entries({"2-0"}) + Bulk("b") + Entries({"3-0"}));
  CHECK(run("XREAD", "STREAMS", "a", "9") == "_\r\n");
  run.session().protocol = 2;
  CHECK(run("XREAD", "STREAMS", "a", "b", "0") ==
        Error("Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be "
              "specified."));
  CHECK(run("XREAD", "COUNT", "1", "a", "0") == kSyntaxError);
  CHECK(run("XREAD", "COUNT", "x", "STREAMS", "a", "0") == kNotIntegerError);
  CHECK(run("XREAD", "STREAMS", "a", "+") == kInvalidId);
  CHECK(run("XREAD", "STREAMS", "a", ">").starts_with("-ERR The > ID can be specified only"));
  CHECK(run("XREAD", "GROUP", "g", "c", "STREAMS", "a", "0")
            .starts_with("-ERR The GROUP option is only supported by XREADGROUP."));
  CHECK(run("XREAD", "NOACK", "STREAMS", "a", "0")
            .starts_with("-ERR The NOACK option is only supported by XREADGROUP."));
  CHECK(run("XREAD", "BLOCK", "-1", "STREAMS", "a", "$") == Error("timeout is negative"));
  run("SET", "text", "t");
  CHECK(run("XREAD", "STREAMS", "text", "0") == kWrongTypeError);
}

TEST_CASE("xread waits for what is new", "[command]") {
  CommandFixture run;
  Add(run, "a", {"1-0"});
  Session first;
  Session second;
  CHECK(run.RunAs(first, {"XREAD", "BLOCK", "0", "STREAMS", "a", "b", "$", "$"}).empty());
  CHECK(run.RunAs(second, {"XREAD", "BLOCK", "0", "COUNT", "1", "STREAMS", "b", "0"}).empty());
  run("XDEL", "a", "1-0");
  run("SET", "b", "no stream");
  run("DEL", "b");
  CHECK(run.answers.empty());
  run("MULTI");
  run("XADD", "b", "5-0", "f", "5-0");
  run("XADD", "b", "6-0", "f", "6-0");
  run("EXEC");
  REQUIRE(run.answers.size() == 2);
  CHECK(run.answers[0] == "*1\r\n*2\r\n" + Bulk("b") + Entries({"5-0", "6-0"}));
  CHECK(run.answers[1] == "*1\r\n*2\r\n" + Bulk("b") + Entries({"5-0"}));
  // In a transaction nothing waits.
  run("MULTI");
  run("XREAD", "BLOCK", "0", "STREAMS", "b", "$");
  CHECK(run("EXEC") == "*1\r\n" + kNullArray);
}

TEST_CASE("streams say what changed, once, and are logged in words that last", "[command]") {
  CommandFixture run;
  run("XADD", "s", "*", "f", "v");
  run("XADD", "s", "NOMKSTREAM", "MAXLEN", "=", "5", "1700000000000-*", "f", "w");
  run("XADD", "s", "MAXLEN", "~", "5", "LIMIT", "7", "1700000000005", "f", "x");
  run("XADD", "s", "MINID", "~", "7", "1700000000006", "f", "y");
  run("XADD", "s", "1700000000007", "f", "z");
  run("XDEL", "s", "1700000000005", "9");
  run("XDEL", "s", "9");
  run("XTRIM", "s", "MAXLEN", "4");
  run("XTRIM", "s", "MAXLEN", "1");
  run("XSETID", "s", "1700000000009");
  CHECK(run.effects == std::vector<std::string>{
                           "XADD s 1700000000000-0 f v", "XADD s MAXLEN = 5 1700000000000-1 f w",
                           "XADD s MAXLEN = 3 1700000000005-0 f x",
                           "XADD s MINID = 1700000000000-0 1700000000006-0 f y",
                           "XADD s 1700000000007 f z", "XDEL s 1700000000005 9", "XTRIM s MAXLEN 1",
                           "XSETID s 1700000000009"});
  CHECK(run.events == std::vector<std::string>{"xadd s", "xadd s", "xadd s", "xadd s", "xadd s",
                                               "xdel s", "xtrim s", "xsetid s"});
}

TEST_CASE("long replies are produced in slices, and say the same", "[command]") {
  CommandFixture run;
  std::string expected;
  for (int i = 1; i <= 2500; ++i) {
    const std::string id = std::to_string(i) + "-0";
    const std::string value = i % 800 == 7 ? std::string(300'000, 'v') : id;
    run("XADD", "s", id, "f", value, "empty", "");
    expected += Entry(id, {"f", value, "empty", ""});
  }
  CHECK(run.slices() == 0);
  const bool same = All(run, "s") == "*2500\r\n" + expected;
  CHECK(same);
  CHECK(run.slices() > 0);
  run("XADD", "t", "1-0", "f", "v");
  const bool same_read = run("XREAD", "STREAMS", "s", "t", "0", "0") ==
                         "*2\r\n*2\r\n" + Bulk("s") + "*2500\r\n" + expected + "*2\r\n" +
                             Bulk("t") + "*1\r\n" + Entry("1-0", {"f", "v"});
  CHECK(same_read);
  CHECK(run("XREVRANGE", "s", "+", "-").substr(0, 20) ==
        "*2500\r\n" + Entry("2500-0", {"f", "2500-0", "empty", ""}).substr(0, 13));
}

TEST_CASE("a stream copies, moves, renames and expires", "[command]") {
  CommandFixture run;
  Add(run, "s", {"1-0", "2-0"});
  CHECK(run("COPY", "s", "copy") == ":1\r\n");
  run("XDEL", "copy", "1-0");
  CHECK(All(run, "s") == Entries({"1-0", "2-0"}));
  CHECK(All(run, "copy") == Entries({"2-0"}));
  CHECK(run("RENAME", "copy", "renamed") == kOk);
  CHECK(All(run, "renamed") == Entries({"2-0"}));
  run("PEXPIRE", "s", "1000");
  run.now_ms += 1000;
  CHECK(All(run, "s") == "*0\r\n");
  CHECK(run("XADD", "s", "1-0", "f", "1-0") == Bulk("1-0"));
  CHECK(All(run, "s") == Entries({"1-0"}));
}

TEST_CASE("xinfo stream", "[command]") {
  CommandFixture run;
  CHECK(run("XINFO", "STREAM", "none") == "-ERR no such key\r\n");
  run.state().environment.limits.stream_node_entries = 2;
  Add(run, "s", {"1-0", "2-0", "3-0"});
  run("XDEL", "s", "1-0");
  const std::string numbers = Bulk("length") + ":2\r\n" + Bulk("radix-tree-keys") + ":2\r\n" +
                              Bulk("radix-tree-nodes") + ":3\r\n" + Bulk("last-generated-id") +
                              Bulk("3-0") + Bulk("max-deleted-entry-id") + Bulk("1-0") +
                              Bulk("entries-added") + ":3\r\n" + Bulk("recorded-first-entry-id") +
                              Bulk("2-0");
  CHECK(run("XINFO", "STREAM", "s") == "*20\r\n" + numbers + Bulk("groups") + ":0\r\n" +
                                           Bulk("first-entry") + Entry("2-0", {"f", "2-0"}) +
                                           Bulk("last-entry") + Entry("3-0", {"f", "3-0"}));
  CHECK(run("XINFO", "STREAM", "s", "FULL", "COUNT", "1") ==
        "*18\r\n" + numbers + Bulk("entries") + Entries({"2-0"}) + Bulk("groups") + "*0\r\n");
  run.session().protocol = 3;
  CHECK(run("XINFO", "STREAM", "s", "full").substr(0, 4) == "%9\r\n");
  run("XTRIM", "s", "MAXLEN", "0");
  CHECK(run("XINFO", "STREAM", "s")
            .ends_with(Bulk("first-entry") + "_\r\n" + Bulk("last-entry") + "_\r\n"));
  run.session().protocol = 2;
  for (const std::vector<verso::ByteView>& bad :
       {std::vector<verso::ByteView>{"XINFO", "STREAM", "s", "BAD"},
        {"XINFO", "STREAM", "s", "FULL", "COUNT"},
        {"XINFO", "STREAM", "s", "FULL", "BAD", "1"}}) {
    CHECK(run.Run(bad) ==
          Error("unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."));
  }
  CHECK(run("XINFO", "STREAM", "s", "FULL", "COUNT", "x") == kNotIntegerError);
  CHECK(run("XINFO", "HELP").find("CONSUMERS") != std::string::npos);
  run("SET", "text", "t");
  CHECK(run("XINFO", "STREAM", "text") == kWrongTypeError);
}

TEST_CASE("random stream commands against a std::map", "[command]") {
  CommandFixture run(false);
  std::mt19937 random(13);
  const auto below = [&random](size_t bound) { return random() % bound; };
  std::map<uint64_t, std::string> model;
  uint64_t last = 0;
  for (int step = 0; step < 3000; ++step) {
    const size_t dice = below(10);
    if (dice < 5) {
      last += 1 + below(3);
      const std::string value(below(below(20) == 0 ? 900 : 20), static_cast<char>('a' + below(3)));
      model[last] = value;
      CHECK(run("XADD", "s", std::to_string(last), "f", value) ==
            Bulk(std::to_string(last) + "-0"));
    } else if (dice < 7) {
      const uint64_t id = below(last + 2);
      CHECK(run("XDEL", "s", std::to_string(id)) == ":" + std::to_string(model.erase(id)) + "\r\n");
    } else if (dice == 7 && below(20) == 0) {
      const size_t kept = model.size() / 2;
      const size_t removed = model.size() - kept;
      for (size_t i = 0; i < removed; ++i) model.erase(model.begin());
      CHECK(run("XTRIM", "s", "MAXLEN", std::to_string(kept)) ==
            ":" + std::to_string(removed) + "\r\n");
    } else {
      const uint64_t from = below(last + 2);
      const uint64_t to = from + below(40);
      std::string expected;
      size_t count = 0;
      for (auto at = model.lower_bound(from); at != model.end() && at->first <= to; ++at) {
        expected += Entry(std::to_string(at->first) + "-0", {"f", at->second});
        ++count;
      }
      CHECK(run("XRANGE", "s", std::to_string(from), std::to_string(to)) ==
            "*" + std::to_string(count) + "\r\n" + expected);
    }
    CHECK(run("XLEN", "s") == ":" + std::to_string(model.size()) + "\r\n");
    if (step % 500 == 0) CHECK(run.store().Audit() == "");
  }
}
