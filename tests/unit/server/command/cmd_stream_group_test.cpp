// Consumer groups: XGROUP XREADGROUP XACK XPENDING XCLAIM XAUTOCLAIM and what XINFO says of them.
// Every reply and error, waiting readers, and that a log of the effects makes the same groups
// again.
#include <catch2/catch.hpp>
#include <random>

#include "command_fixture.h"
#include "storage/types/stream_value.h"

using namespace verso::server;

namespace {

const std::string kWrongTypeError =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const std::string kNullArray = "*-1\r\n";
const std::string kInvalidId = "-ERR Invalid stream ID specified as stream command argument\r\n";

std::string Error(const std::string& text) { return "-ERR " + text + "\r\n"; }

std::string NoGroup(const std::string& key, const std::string& group) {
  return "-NOGROUP No such key '" + key + "' or consumer group '" + group + "'\r\n";
}

std::string NoGroupToRead(const std::string& key, const std::string& group) {
  const std::string text = NoGroup(key, group);
  return text.substr(0, text.size() - 2) + " in XREADGROUP with GROUP option\r\n";
}

std::string Entry(const std::string& id) {
  return "*2\r\n" + Bulk(id) + "*2\r\n" + Bulk("f") + Bulk(id);
}

std::string Entries(const std::vector<std::string>& ids) {
  std::string text = "*" + std::to_string(ids.size()) + "\r\n";
  for (const std::string& id : ids) text += Entry(id);
  return text;
}

std::string Read(const std::string& key, const std::vector<std::string>& ids) {
  return "*1\r\n*2\r\n" + Bulk(key) + Entries(ids);
}

std::string Ids(const std::vector<std::string>& ids) {
  std::string text = "*" + std::to_string(ids.size()) + "\r\n";
  for (const std::string& id : ids) text += Bulk(id);
  return text;
}

std::string Pending(const std::string& id, const std::string& consumer, int idle, int count) {
  return "*4\r\n" + Bulk(id) + Bulk(consumer) + ":" + std::to_string(idle) +
         "\r\n:" + std::to_string(count) + "\r\n";
}

// A stream "s" with entries 1-0 to 5-0 and a group "g" from its start.
void Prepare(CommandFixture& run) {
  for (int i = 1; i <= 5; ++i) {
    const std::string id = std::to_string(i) + "-0";
    REQUIRE(run("XADD", "s", id, "f", id) == Bulk(id));
  }
  REQUIRE(run("XGROUP", "CREATE", "s", "g", "0") == kOk);
}

std::string ReadNew(CommandFixture& run, const char* consumer, const char* count = "0") {
  return run("XREADGROUP", "GROUP", "g", consumer, "COUNT", count, "STREAMS", "s", ">");
}

std::string AllPending(CommandFixture& run) { return run("XPENDING", "s", "g", "-", "+", "100"); }

std::string DigestText(CommandFixture& run) {
  const verso::storage::ReadView view(run.store(), run.store().main(), 0, run.now_ms);
  return verso::storage::DigestOf(view, 0).Hex();
}

}  // namespace

TEST_CASE("xgroup setid takes both ends of what ids there are", "[command]") {
  CommandFixture run;
  run("XADD", "s", "5-1", "f", "v");
  CHECK(run("XGROUP", "CREATE", "s", "g", "$") == kOk);
  CHECK(run("XGROUP", "SETID", "s", "g", "-") == kOk);
  CHECK(run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">").find("5-1") != std::string::npos);
  CHECK(run("XGROUP", "SETID", "s", "g", "+") == kOk);
  CHECK(run("XINFO", "GROUPS", "s").find("18446744073709551615-18446744073709551615") !=
        std::string::npos);
}

TEST_CASE("xgroup create, setid and destroy", "[command]") {
  CommandFixture run;
  CHECK(run("XGROUP", "CREATE", "none", "g", "0").starts_with("-ERR The XGROUP subcommand req"));
  CHECK(run("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM") == kOk);
  CHECK(run("XLEN", "s") == ":0\r\n");
  CHECK(run("EXISTS", "s") == ":1\r\n");
  CHECK(run("XGROUP", "CREATE", "s", "g", "0") ==
        "-BUSYGROUP Consumer Group name already exists\r\n");
  CHECK(run("XGROUP", "CREATE", "s", "h", "x") == kInvalidId);
  CHECK(run("XGROUP", "CREATE", "s", "h", "0", "BAD") ==
        Error("unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP."));
  CHECK(run("XGROUP", "CREATE", "s", "h", "0", "ENTRIESREAD", "-2") ==
        Error("value for ENTRIESREAD must be positive or -1"));
  CHECK(run("XGROUP", "CREATE", "s", "h", "0", "ENTRIESREAD", "x") == kNotIntegerError);
  CHECK(run("XGROUP", "CREATE", "s", "h", "0", "ENTRIESREAD", "-1") == kOk);
  CHECK(run("XGROUP", "SETID", "s", "h", "7-1", "ENTRIESREAD", "3") == kOk);
  CHECK(run("XGROUP", "SETID", "s", "h", "x") == kInvalidId);
  CHECK(run("XGROUP", "CREATE", "s", "i", "-") == kInvalidId);
  CHECK(run("XGROUP", "SETID", "s", "h", "0", "MKSTREAM").starts_with("-ERR unknown subcommand"));
  CHECK(run("XGROUP", "SETID", "s", "no", "0") ==
        "-NOGROUP No such consumer group 'no' for key name 's'\r\n");
  const std::string groups = run("XINFO", "GROUPS", "s");
  CHECK(groups.find(Bulk("last-delivered-id") + Bulk("7-1") + Bulk("entries-read") + ":3\r\n") !=
        std::string::npos);
  CHECK(run("XGROUP", "DESTROY", "s", "h") == ":1\r\n");
  CHECK(run("XGROUP", "DESTROY", "s", "h") == ":0\r\n");
  CHECK(run("XGROUP", "DESTROY", "none", "h").starts_with("-ERR The XGROUP subcommand requires"));
  CHECK(run("XGROUP", "HELP").find("CREATECONSUMER") != std::string::npos);
  run("SET", "text", "t");
  CHECK(run("XGROUP", "CREATE", "text", "g", "0", "MKSTREAM") == kWrongTypeError);
  CHECK(run("XGROUP", "DESTROY", "text", "g") == kWrongTypeError);
  CHECK(run.events == std::vector<std::string>{"xgroup-create s", "xgroup-create s",
                                               "xgroup-setid s", "xgroup-destroy s", "set text"});
}

TEST_CASE("xgroup createconsumer and delconsumer", "[command]") {
  CommandFixture run;
  Prepare(run);
  CHECK(run("XGROUP", "CREATECONSUMER", "s", "g", "a") == ":1\r\n");
  CHECK(run("XGROUP", "CREATECONSUMER", "s", "g", "a") == ":0\r\n");
  CHECK(run("XGROUP", "CREATECONSUMER", "s", "no", "a").starts_with("-NOGROUP"));
  ReadNew(run, "a", "2");
  ReadNew(run, "b");
  CHECK(run("XGROUP", "DELCONSUMER", "s", "g", "none") == ":0\r\n");
  CHECK(run("XGROUP", "DELCONSUMER", "s", "g", "a") == ":2\r\n");
  CHECK(run("XPENDING", "s", "g") ==
        "*4\r\n:3\r\n" + Bulk("3-0") + Bulk("5-0") + "*1\r\n*2\r\n" + Bulk("b") + Bulk("3"));
  CHECK(run("XGROUP", "DELCONSUMER", "none", "g", "a").starts_with("-ERR The XGROUP subcommand"));
}

TEST_CASE("xreadgroup gives each entry to one consumer, and its history again", "[command]") {
  CommandFixture run;
  Prepare(run);
  CHECK(ReadNew(run, "a", "2") == Read("s", {"1-0", "2-0"}));
  CHECK(ReadNew(run, "b") == Read("s", {"3-0", "4-0", "5-0"}));
  CHECK(ReadNew(run, "a") == kNullArray);
  CHECK(ReadNew(run, "b") == kNullArray);
  run.now_ms += 50;
  run("XDEL", "s", "4-0");
  CHECK(run("XREADGROUP", "GROUP", "g", "b", "STREAMS", "s", "0") ==
        "*1\r\n*2\r\n" + Bulk("s") + "*3\r\n" + Entry("3-0") + "*2\r\n" + Bulk("4-0") + kNullArray +
            Entry("5-0"));
  CHECK(run("XREADGROUP", "GROUP", "g", "b", "COUNT", "1", "STREAMS", "s", "3") ==
        "*1\r\n*2\r\n" + Bulk("s") + "*1\r\n*2\r\n" + Bulk("4-0") + kNullArray);
  CHECK(run("XREADGROUP", "GROUP", "g", "b", "STREAMS", "s", "9") == Read("s", {}));
  CHECK(AllPending(run) == "*5\r\n" + Pending("1-0", "a", 50, 1) + Pending("2-0", "a", 50, 1) +
                               Pending("3-0", "b", 0, 2) + Pending("4-0", "b", 50, 1) +
                               Pending("5-0", "b", 0, 2));
  run("XADD", "s", "6-0", "f", "6-0");
  run.session().protocol = 3;
  CHECK(run("XREADGROUP", "GROUP", "g", "a", "NOACK", "STREAMS", "s", ">") ==
        "%1\r\n" + Bulk("s") + Entries({"6-0"}));
  run.session().protocol = 2;
  CHECK(run("XPENDING", "s", "g").starts_with("*4\r\n:5\r\n"));
  // The same stream twice: the second gets what the first has left.
  run("XADD", "s", "7-0", "f", "7-0");
  run("XADD", "s", "8-0", "f", "8-0");
  CHECK(
      run("XREADGROUP", "GROUP", "g", "a", "COUNT", "1", "STREAMS", "s", "s", "s", ">", ">", ">") ==
      "*2\r\n*2\r\n" + Bulk("s") + Entries({"7-0"}) + "*2\r\n" + Bulk("s") + Entries({"8-0"}));
}

TEST_CASE("xreadgroup refuses", "[command]") {
  CommandFixture run;
  Prepare(run);
  CHECK(run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "none", ">") == NoGroupToRead("none", "g"));
  CHECK(run("XREADGROUP", "GROUP", "no", "a", "STREAMS", "s", ">") == NoGroupToRead("s", "no"));
  CHECK(run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", "$")
            .starts_with("-ERR The $ ID is meaningless in the context of XREADGROUP"));
  CHECK(run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", "x") == kInvalidId);
  CHECK(run("XREADGROUP", "COUNT", "1", "COUNT", "2", "STREAMS", "s", ">") ==
        Error("Missing GROUP option for XREADGROUP"));
  CHECK(run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", "t", ">") ==
        Error("Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be "
              "specified."));
  run("SET", "text", "t");
  // What is refused has changed nothing.
  CHECK(run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", "text", ">", ">") == kWrongTypeError);
  CHECK(run("XINFO", "CONSUMERS", "s", "g") == "*0\r\n");
  CHECK(run("XPENDING", "s", "g").starts_with("*4\r\n:0\r\n"));
}

TEST_CASE("xreadgroup waits, in order; a group that goes is an error", "[command]") {
  CommandFixture run;
  run("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM");
  Session first;
  Session second;
  const std::vector<verso::ByteView> read_a = {"XREADGROUP", "GROUP",   "g", "a", "BLOCK",
                                               "0",          "STREAMS", "s", ">"};
  const std::vector<verso::ByteView> read_b = {"XREADGROUP", "GROUP",   "g", "b", "BLOCK",
                                               "0",          "STREAMS", "s", ">"};
  CHECK(run.RunAs(first, read_a).empty());
  CHECK(run.RunAs(second, read_b).empty());
  CHECK(run.effects.back() == "XGROUP CREATECONSUMER s g b");  // made before it waits
  run("XADD", "s", "1-0", "f", "1-0");
  CHECK(run.answers == std::vector<std::string>{Read("s", {"1-0"})});
  CHECK(run("XPENDING", "s", "g", "-", "+", "9") == "*1\r\n" + Pending("1-0", "a", 0, 1));
  run("XGROUP", "DESTROY", "s", "g");
  REQUIRE(run.answers.size() == 2);
  CHECK(run.answers[1] == NoGroupToRead("s", "g"));

  run("XGROUP", "CREATE", "s", "g", "$");
  CHECK(run.RunAs(first, read_a).empty());
  CHECK(run.RunAs(second, read_b).empty());
  run("XADD", "s", "2-0", "f", "2-0");
  run("DEL", "s");
  REQUIRE(run.answers.size() == 4);
  CHECK(run.answers[2] == Read("s", {"2-0"}));
  CHECK(run.answers[3] == NoGroupToRead("s", "g"));

  run("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM");
  CHECK(run.RunAs(first, read_a).empty());
  run("SET", "s", "text");
  REQUIRE(run.answers.size() == 5);
  CHECK(run.answers[4] == kWrongTypeError);
}

TEST_CASE("xack and xpending", "[command]") {
  CommandFixture run;
  CHECK(run("XACK", "none", "g", "x") == ":0\r\n");
  CHECK(run("XPENDING", "none", "g") == NoGroup("none", "g"));
  Prepare(run);
  CHECK(run("XPENDING", "s", "g") == "*4\r\n:0\r\n" + kNull + kNull + kNullArray);
  CHECK(run("XACK", "s", "no", "1") == ":0\r\n");
  ReadNew(run, "b", "2");
  run.now_ms += 100;
  ReadNew(run, "a", "2");
  CHECK(run("XACK", "s", "g", "1", "1-0", "9") == ":1\r\n");
  CHECK(run("XACK", "s", "g", "2", "x") == kInvalidId);
  CHECK(run("XPENDING", "s", "g") == "*4\r\n:3\r\n" + Bulk("2-0") + Bulk("4-0") + "*2\r\n*2\r\n" +
                                         Bulk("a") + Bulk("2") + "*2\r\n" + Bulk("b") + Bulk("1"));
  CHECK(run("XPENDING", "s", "g", "IDLE", "100", "-", "+", "10") ==
        "*1\r\n" + Pending("2-0", "b", 100, 1));
  CHECK(run("XPENDING", "s", "g", "(2", "3", "10", "a") == "*1\r\n" + Pending("3-0", "a", 0, 1));
  CHECK(run("XPENDING", "s", "g", "-", "+", "1", "a") == "*1\r\n" + Pending("3-0", "a", 0, 1));
  CHECK(run("XPENDING", "s", "g", "-", "+", "10", "none") == "*0\r\n");
  CHECK(run("XPENDING", "s", "g", "-", "+", "-1") == "*0\r\n");
  CHECK(run("XPENDING", "s", "g", "-", "+") == kSyntaxError);
  CHECK(run("XPENDING", "s", "g", "IDLE", "1", "-", "+") == kSyntaxError);
  CHECK(run("XPENDING", "s", "g", "-", "+", "x") == kNotIntegerError);
  CHECK(run("XPENDING", "s", "g", "x", "+", "1") == kInvalidId);
  CHECK(run("XPENDING", "s", "no", "-", "+", "1") == NoGroup("s", "no"));
  run("SET", "text", "t");
  CHECK(run("XACK", "text", "g", "1") == kWrongTypeError);
  CHECK(run("XPENDING", "text", "g") == kWrongTypeError);
}

TEST_CASE("xclaim", "[command]") {
  CommandFixture run;
  CHECK(run("XCLAIM", "none", "g", "a", "0", "1") == NoGroup("none", "g"));
  Prepare(run);
  ReadNew(run, "a", "3");
  run.now_ms += 100;
  CHECK(run("XCLAIM", "s", "g", "b", "101", "1") == "*0\r\n");
  CHECK(run("XCLAIM", "s", "g", "b", "100", "1", "4", "9") == Entries({"1-0"}));
  CHECK(run("XCLAIM", "s", "g", "b", "-5", "2", "JUSTID") == Ids({"2-0"}));
  CHECK(run("XCLAIM", "s", "g", "b", "0", "4-0", "FORCE", "RETRYCOUNT", "7") == Entries({"4-0"}));
  CHECK(run("XCLAIM", "s", "g", "b", "0", "5", "FORCE", "IDLE", "30") == Entries({"5-0"}));
  CHECK(AllPending(run) == "*5\r\n" + Pending("1-0", "b", 0, 2) + Pending("2-0", "b", 0, 1) +
                               Pending("3-0", "a", 100, 1) + Pending("4-0", "b", 0, 7) +
                               Pending("5-0", "b", 30, 2));
  // An id given twice is claimed twice.
  CHECK(run("XCLAIM", "s", "g", "a", "0", "1", "1") == Entries({"1-0", "1-0"}));
  CHECK(run("XCLAIM", "s", "g", "a", "0", "5", "TIME", "9999999999999", "JUSTID") == Ids({"5-0"}));
  run("XDEL", "s", "3");
  CHECK(run("XCLAIM", "s", "g", "b", "0", "3", "FORCE") == "*0\r\n");
  CHECK(AllPending(run) == "*4\r\n" + Pending("1-0", "a", 0, 4) + Pending("2-0", "b", 0, 1) +
                               Pending("4-0", "b", 0, 7) + Pending("5-0", "a", 0, 2));
  run("XCLAIM", "s", "g", "b", "0", "9", "LASTID", "9");
  CHECK(run("XINFO", "GROUPS", "s").find(Bulk("last-delivered-id") + Bulk("9-0")) !=
        std::string::npos);
  CHECK(run("XCLAIM", "s", "g", "b", "x", "1") ==
        Error("Invalid min-idle-time argument for XCLAIM"));
  CHECK(run("XCLAIM", "s", "g", "b", "0", "1", "BAD") == Error("Unrecognized XCLAIM option 'BAD'"));
  CHECK(run("XCLAIM", "s", "g", "b", "0", "1", "IDLE", "x") ==
        Error("Invalid IDLE option argument for XCLAIM"));
  CHECK(run("XCLAIM", "s", "g", "b", "0", "1", "TIME", "x") ==
        Error("Invalid TIME option argument for XCLAIM"));
  CHECK(run("XCLAIM", "s", "g", "b", "0", "1", "RETRYCOUNT", "x") ==
        Error("Invalid RETRYCOUNT option argument for XCLAIM"));
  CHECK(run("XCLAIM", "s", "g", "b", "0", "1", "LASTID", "x") == kInvalidId);
  run("SET", "text", "t");
  CHECK(run("XCLAIM", "text", "g", "b", "0", "1") == kWrongTypeError);
}

TEST_CASE("xautoclaim", "[command]") {
  CommandFixture run;
  CHECK(run("XAUTOCLAIM", "none", "g", "a", "0", "0") == NoGroup("none", "g"));
  Prepare(run);
  ReadNew(run, "a");
  run("XDEL", "s", "2");
  CHECK(run("XAUTOCLAIM", "s", "g", "b", "0", "-", "COUNT", "2") ==
        "*3\r\n" + Bulk("3-0") + Entries({"1-0"}) + Ids({"2-0"}));
  CHECK(run("XAUTOCLAIM", "s", "g", "b", "0", "(3", "JUSTID") ==
        "*3\r\n" + Bulk("0-0") + Ids({"4-0", "5-0"}) + Ids({}));
  CHECK(AllPending(run) == "*4\r\n" + Pending("1-0", "b", 0, 2) + Pending("3-0", "a", 0, 1) +
                               Pending("4-0", "b", 0, 1) + Pending("5-0", "b", 0, 1));
  CHECK(run("XAUTOCLAIM", "s", "g", "b", "1", "0") == "*3\r\n" + Bulk("0-0") + Ids({}) + Ids({}));
  CHECK(run("XAUTOCLAIM", "s", "g", "b", "0", "0", "COUNT", "0") == Error("COUNT must be > 0"));
  CHECK(run("XAUTOCLAIM", "s", "g", "b", "0", "0", "COUNT", "x") == Error("COUNT must be > 0"));
  CHECK(run("XAUTOCLAIM", "s", "g", "b", "0", "0", "BAD") == kSyntaxError);
  CHECK(run("XAUTOCLAIM", "s", "g", "b", "x", "0") ==
        Error("Invalid min-idle-time argument for XAUTOCLAIM"));
  CHECK(run("XAUTOCLAIM", "s", "g", "b", "0", "x") == kInvalidId);
  run("SET", "text", "t");
  CHECK(run("XAUTOCLAIM", "text", "g", "b", "0", "0") == kWrongTypeError);
}

TEST_CASE("xinfo groups, consumers and the full stream", "[command]") {
  CommandFixture run;
  Prepare(run);
  CHECK(run("XINFO", "CONSUMERS", "s", "no") ==
        "-NOGROUP No such consumer group 'no' for key name 's'\r\n");
  CHECK(run("XINFO", "GROUPS", "none") == "-ERR no such key\r\n");
  CHECK(run("XINFO", "CONSUMERS", "none", "g") == "-ERR no such key\r\n");
  ReadNew(run, "b", "2");
  ReadNew(run, "a", "0");
  run.now_ms += 10;
  ReadNew(run, "b");
  run("XGROUP", "CREATECONSUMER", "s", "g", "c");
  const auto consumer = [](const char* name, int pending, int idle, int inactive) {
    return "*8\r\n" + Bulk("name") + Bulk(name) + Bulk("pending") + ":" + std::to_string(pending) +
           "\r\n" + Bulk("idle") + ":" + std::to_string(idle) + "\r\n" + Bulk("inactive") + ":" +
           std::to_string(inactive) + "\r\n";
  };
  CHECK(run("XINFO", "CONSUMERS", "s", "g") ==
        "*3\r\n" + consumer("a", 3, 10, 10) + consumer("b", 2, 0, 10) + consumer("c", 0, 0, -1));
  run("XGROUP", "CREATE", "s", "h", "3-0");
  const auto group = [](const char* name, int consumers, int pending, const char* last,
                        const std::string& read, const std::string& lag) {
    return "*12\r\n" + Bulk("name") + Bulk(name) + Bulk("consumers") + ":" +
           std::to_string(consumers) + "\r\n" + Bulk("pending") + ":" + std::to_string(pending) +
           "\r\n" + Bulk("last-delivered-id") + Bulk(last) + Bulk("entries-read") + read +
           Bulk("lag") + lag;
  };
  CHECK(run("XINFO", "GROUPS", "s") == "*2\r\n" + group("g", 3, 5, "5-0", ":5\r\n", ":0\r\n") +
                                           group("h", 0, 0, "3-0", kNull, kNull));
  const std::string now = ":1700000000000\r\n";
  CHECK(run("XINFO", "STREAM", "s", "FULL", "COUNT", "1")
            .ends_with(Bulk("groups") + "*2\r\n*14\r\n" + Bulk("name") + Bulk("g") +
                       Bulk("last-delivered-id") + Bulk("5-0") + Bulk("entries-read") + ":5\r\n" +
                       Bulk("lag") + ":0\r\n" + Bulk("pel-count") + ":5\r\n" + Bulk("pending") +
                       "*1\r\n*4\r\n" + Bulk("1-0") + Bulk("b") + now + ":1\r\n" +
                       Bulk("consumers") + "*3\r\n*10\r\n" + Bulk("name") + Bulk("a") +
                       Bulk("seen-time") + now + Bulk("active-time") + now + Bulk("pel-count") +
                       ":3\r\n" + Bulk("pending") + "*1\r\n*3\r\n" + Bulk("3-0") + now + ":1\r\n" +
                       "*10\r\n" + Bulk("name") + Bulk("b") + Bulk("seen-time") +
                       ":1700000000010\r\n" + Bulk("active-time") + now + Bulk("pel-count") +
                       ":2\r\n" + Bulk("pending") + "*1\r\n*3\r\n" + Bulk("1-0") + now + ":1\r\n" +
                       "*10\r\n" + Bulk("name") + Bulk("c") + Bulk("seen-time") +
                       ":1700000000010\r\n" + Bulk("active-time") + ":-1\r\n" + Bulk("pel-count") +
                       ":0\r\n" + Bulk("pending") + "*0\r\n" + "*14\r\n" + Bulk("name") +
                       Bulk("h") + Bulk("last-delivered-id") + Bulk("3-0") + Bulk("entries-read") +
                       kNull + Bulk("lag") + kNull + Bulk("pel-count") + ":0\r\n" +
                       Bulk("pending") + "*0\r\n" + Bulk("consumers") + "*0\r\n"));
}

TEST_CASE("what groups do is logged in words that last", "[command]") {
  CommandFixture run;
  Prepare(run);
  run.effects.clear();
  ReadNew(run, "a", "2");
  run("XREADGROUP", "GROUP", "g", "n", "NOACK", "COUNT", "1", "STREAMS", "s", ">");
  ReadNew(run, "a");
  ReadNew(run, "a");  // in vain
  run("XREADGROUP", "GROUP", "g", "a", "COUNT", "1", "STREAMS", "s", "0");
  run("XDEL", "s", "2-0");
  run("XAUTOCLAIM", "s", "g", "b", "0", "0", "COUNT", "2", "JUSTID");
  run("XCLAIM", "s", "g", "a", "0", "9", "LASTID", "8");
  run("XACK", "s", "g", "1-0", "7");
  run("XACK", "s", "g", "7");
  CHECK(run.effects ==
        std::vector<std::string>{
            "XCLAIM s g a 0 1-0 2-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0",
            "XGROUP SETID s g 2-0 ENTRIESREAD 2", "XGROUP CREATECONSUMER s g n",
            "XGROUP SETID s g 3-0 ENTRIESREAD 3",
            "XCLAIM s g a 0 4-0 5-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 5-0",
            "XGROUP SETID s g 5-0 ENTRIESREAD 5",
            "XCLAIM s g a 0 1-0 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID LASTID 5-0 "
            "INACTIVE",
            "XDEL s 2-0", "XACK s g 2-0",
            "XCLAIM s g b 0 1-0 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID LASTID 5-0",
            "XGROUP SETID s g 8-0 ENTRIESREAD 5", "XACK s g 1-0 7"});
}

TEST_CASE("a log of random commands on groups makes the same streams again", "[command]") {
  CommandFixture run;
  std::mt19937 random(17);
  const auto below = [&random](size_t bound) { return random() % bound; };
  const auto id = [&](size_t bound) { return std::to_string(below(bound)); };
  const auto consumer = [&] { return std::string(1, static_cast<char>('a' + below(4))); };
  const auto group = [&] { return std::string(below(3) == 0 ? "h" : "g"); };
  uint64_t last = 0;
  for (int step = 0; step < 1500; ++step) {
    run.now_ms += below(5);
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
        last += 1 + below(2);
        run("XADD", "s", "MAXLEN", "~", "300", std::to_string(last) + "-*", "f", "v");
        break;
      case 3:
        run("XADD", "t", "*", "f", "v");
        run("XGROUP", "CREATE", "s", group(), id(last + 1), "MKSTREAM");
        break;
      case 4:
      case 5:
        run("XREADGROUP", "GROUP", group(), consumer(), "COUNT", id(4), "STREAMS", "s", ">");
        break;
      case 6:
        run("XREADGROUP", "GROUP", group(), consumer(), "COUNT", id(4), "STREAMS", "s",
            id(last + 1));
        break;
      case 7:
        run("XACK", "s", group(), id(last + 1), id(last + 1), id(last + 1));
        break;
      case 8:
        run("XCLAIM", "s", group(), consumer(), id(5), id(last + 1), id(last + 1), "FORCE");
        break;
      case 9:
        run("XAUTOCLAIM", "s", group(), consumer(), id(9), id(last + 1), "COUNT", "3");
        break;
      case 10:
        run("XDEL", "s", id(last + 1), id(last + 1));
        break;
      default:
        if (below(4) == 0) run("XGROUP", "DELCONSUMER", "s", group(), consumer());
        if (below(20) == 0) run("XGROUP", "DESTROY", "s", group());
        if (below(9) == 0)
          run("XREADGROUP", "GROUP", group(), consumer(), "NOACK", "STREAMS", "s", ">");
    }
    if (step % 300 == 0) CHECK(run.store().Audit() == "");
  }
  CommandFixture again(false);
  again.session().internal = true;  // some words are for a replay only
  for (const std::string& effect : run.effects) {
    std::vector<verso::ByteView> words;
    const std::string_view text = effect;
    for (size_t from = 0; from <= text.size();) {
      const size_t to = std::min(text.find(' ', from), text.size());
      words.push_back(text.substr(from, to - from));
      from = to + 1;
    }
    again.now_ms = run.now_ms + 1'000'000;  // another time, another clock
    INFO(effect);
    REQUIRE(!again.Run(words).starts_with("-"));
  }
  CHECK(run("XLEN", "s") != ":0\r\n");
  CHECK(DigestText(again) == DigestText(run));
}

TEST_CASE("XPENDING of many entries goes on in slices", "[command]") {
  CommandFixture run;
  for (int i = 1; i <= 3000; ++i) run("XADD", "s", std::to_string(i) + "-0", "f", "v");
  run("XGROUP", "CREATE", "s", "g", "0");
  run("XREADGROUP", "GROUP", "g", "a", "COUNT", "1500", "STREAMS", "s", ">");
  run.state().now_ms = run.now_ms += 100;
  run("XREADGROUP", "GROUP", "g", "b", "STREAMS", "s", ">");
  const std::vector<std::pair<std::vector<std::string>, std::string>> asked = {
      {{"XPENDING", "s", "g", "-", "+", "5000"}, "*3000\r\n"},
      {{"XPENDING", "s", "g", "(10", "(2000", "5000"}, "*1990\r\n"},
      {{"XPENDING", "s", "g", "-", "+", "2500", "b"}, "*1500\r\n"},
      {{"XPENDING", "s", "g", "IDLE", "50", "-", "+", "7"}, "*7\r\n"},
      {{"XPENDING", "s", "g", "IDLE", "50", "1600", "+", "7"}, "*0\r\n"},
  };
  int between = 0;
  for (const auto& [words, header] : asked) {
    INFO(words[3]);
    run.between_slices = [&between] { return ++between > 0; };
    const std::string reply = run.Run({words.begin(), words.end()});
    run.between_slices = nullptr;
    CHECK(reply.starts_with(header));
    run("MULTI");
    run.Run({words.begin(), words.end()});
    CHECK(run("EXEC") == "*1\r\n" + reply);
  }
  CHECK(between > 0);
}
