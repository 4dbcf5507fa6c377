// MULTI EXEC DISCARD WATCH UNWATCH: what is queued, what is refused, what a watch sees, and that an
// EXEC is one unit, reserved as a whole.
#include <catch2/catch.hpp>

#include "command_fixture.h"
#include "server/command/error_reply.h"
#include "server/session/transaction.h"

namespace verso::server {
namespace {

const std::string kQueued = "+QUEUED\r\n";
const std::string kNullArray = "*-1\r\n";

std::string ErrorBytes(std::string_view text) { return "-" + std::string(text) + "\r\n"; }

// Another client of the same server.
class Other {
 public:
  explicit Other(CommandFixture* redis) : redis_(redis) {}
  template <typename... Arguments>
  std::string operator()(const Arguments&... arguments) {
    return redis_->RunAs(session, {ByteView(arguments)...});
  }
  Session session;

 private:
  CommandFixture* redis_;
};

TEST_CASE("transaction: queued, run as one unit, over") {
  CommandFixture redis;
  CHECK(redis("multi") == kOk);
  CHECK(redis("set", "k", "1") == kQueued);
  CHECK(redis("incr", "k") == kQueued);
  CHECK(redis("get", "k") == kQueued);
  CHECK(redis.effects.empty());
  CHECK(redis("exec") == "*3\r\n+OK\r\n:2\r\n$1\r\n2\r\n");
  CHECK(redis.effects == std::vector<std::string>{"set k 1", "incr k"});
  CHECK(redis.units.size() == 1);
  CHECK(redis.session().transaction == nullptr);
  CHECK(redis("exec") == ErrorBytes("ERR EXEC without MULTI"));
  redis("multi");
  CHECK(redis("exec") == "*0\r\n");
}

TEST_CASE("transaction: errors of commands stand in the array, the others have run") {
  CommandFixture redis;
  redis("set", "word", "x");
  redis("multi");
  redis("incr", "word");
  redis("set", "k", "v");
  CHECK(redis("exec") == "*2\r\n" + kNotIntegerError + "+OK\r\n");
  CHECK(redis("get", "k") == Bulk("v"));
}

TEST_CASE("transaction: what cannot be queued makes EXEC fail") {
  CommandFixture redis;
  for (const std::vector<ByteView>& bad :
       {std::vector<ByteView>{"nosuch"}, {"get"}, {"config", "nosuch"}, {"save"}}) {
    CHECK(redis("multi") == kOk);
    CHECK(redis("set", "k", "v") == kQueued);
    CHECK(redis.Run(bad).starts_with("-ERR "));
    CHECK(redis("set", "k", "w") == kQueued);
    CHECK(redis("exec") == ErrorBytes(error::kExecAbort));
    CHECK(redis("get", "k") == kNull);
  }
  redis("multi");
  CHECK(redis("save") == ErrorBytes("ERR Command not allowed inside a transaction"));
  CHECK(redis("discard") == kOk);
  // These run at once and abort nothing.
  redis("multi");
  CHECK(redis("multi") == ErrorBytes("ERR MULTI calls can not be nested"));
  CHECK(redis("watch", "k") == ErrorBytes("ERR WATCH inside MULTI is not allowed"));
  CHECK(redis("unwatch") == kQueued);
  CHECK(redis("exec") == "*1\r\n+OK\r\n");
}

TEST_CASE("transaction: a refused EXEC says why and ends it") {
  CommandFixture redis;
  redis("multi");
  redis("set", "k", "v");
  CHECK(redis("exec", "x") ==
        ErrorBytes("EXECABORT Transaction discarded because of: wrong number of arguments for "
                   "'exec' command"));
  CHECK(redis("exec") == ErrorBytes("ERR EXEC without MULTI"));

  redis("multi");
  redis("set", "k", "v");
  redis.state().last_save_failed = true;
  CHECK(redis("exec").starts_with("-EXECABORT Transaction discarded because of: MISCONF "));
  redis.state().last_save_failed = false;

  // Reads that may run while loading may do so in an EXEC, others not.
  redis("multi");
  redis("get", "k");
  redis.state().loading = true;
  CHECK(redis("exec").starts_with("-EXECABORT Transaction discarded because of: LOADING "));
  redis("multi");
  redis("echo", "x");
  CHECK(redis("exec") == "*1\r\n$1\r\nx\r\n");
  redis.state().loading = false;
  CHECK(redis("get", "k") == kNull);
}

TEST_CASE("transaction: above maxmemory nothing is queued, and EXEC needs room if a command does") {
  CommandFixture redis;
  redis("set", "k", std::string(1000, 'v'));
  redis("multi");
  redis("set", "k", "w");
  redis.state().settings.maxmemory = 1;
  CHECK(redis("exec") ==
        ErrorBytes("EXECABORT Transaction discarded because of: " + std::string(error::kOom)));
  redis("multi");
  CHECK(redis("get", "k") == ErrorBytes(error::kOom));
  CHECK(redis("exec") == ErrorBytes(error::kExecAbort));
  redis.state().settings.maxmemory = 0;
  redis("multi");
  redis("del", "k");
  redis.state().settings.maxmemory = 1;
  CHECK(redis("exec") == "*1\r\n:1\r\n");
}

TEST_CASE("transaction: an EXEC without room for all of it changes nothing") {
  CommandFixture redis;
  redis("set", "a", "1");
  redis.effects.clear();
  redis("multi");
  redis("set", "a", "2");
  // The first fits, the last is more than the address space has.
  Request huge;
  const ByteView words[] = {"set", "b", "x"};
  huge.entry = CommandTable::Get().Find("set");
  huge.arguments = words;
  huge.bytes = size_t{1} << 50;
  redis.session().transaction->queue.Add(huge);
  CHECK(redis("exec") ==
        ErrorBytes("EXECABORT Transaction discarded because of: " + std::string(error::kOom)));
  CHECK(redis("get", "a") == Bulk("1"));
  CHECK(redis.effects.empty());
  CHECK(redis("exec") == ErrorBytes("ERR EXEC without MULTI"));
}

TEST_CASE("transaction: what one command makes longer, the next may need to copy") {
  CommandFixture redis;
  const std::string big(1 << 20, 'x');
  redis("multi");
  redis("set", "a", big);
  redis("copy", "a", "b");
  redis("copy", "b", "c");
  redis("append", "c", "y");
  CHECK(redis("exec") == "*4\r\n+OK\r\n:1\r\n:1\r\n:1048577\r\n");
  CHECK(redis("strlen", "c") == ":1048577\r\n");
}

TEST_CASE("transaction: thousands of small writes take room together, not a worst case each") {
  using Words = std::vector<std::string>;
  const std::vector<Words> commands = {{"hset", "KEY", "N", "v"},           {"sadd", "KEY", "N"},
                                       {"zadd", "KEY", "1", "N"},           {"rpush", "KEY", "N"},
                                       {"xadd", "KEY", "*", "f", "N"},      {"append", "KEY", "N"},
                                       {"setbit", "KEY", "N", "1"},         {"pfadd", "KEY", "N"},
                                       {"lmove", "a", "b", "left", "right"}};
  for (const bool one_key : {true, false}) {
    for (const Words& command : commands) {
      CAPTURE(command[0], one_key);
      CommandFixture redis(false);
      redis("rpush", "a", std::string(100, 'x'), "y");
      const size_t before = redis.store().arena().stats().bytes_backed;
      redis("multi");
      constexpr int kCommands = 1500;
      for (int i = 0; i < kCommands; ++i) {
        const std::string number = std::to_string(i);
        Words words = command;
        for (std::string& word : words) {
          if (word == "N") word = number;
          if (word == "KEY") word = one_key ? "key" : "key" + number;
        }
        redis.Run({words.begin(), words.end()});
      }
      const std::string reply = redis("exec");
      CHECK(reply.starts_with("*1500\r\n"));
      CHECK(reply.find("-OOM") == std::string::npos);
      CHECK(redis.store().arena().stats().bytes_backed - before < size_t{48} << 20);
    }
  }
}

TEST_CASE("transaction: SELECT inside holds, and the log hears of it") {
  CommandFixture redis;
  redis("multi");
  redis("set", "k", "zero");
  redis("select", "3");
  redis("set", "k", "three");
  redis("select", "16");
  CHECK(redis("exec") == "*4\r\n+OK\r\n+OK\r\n+OK\r\n-ERR DB index is out of range\r\n");
  CHECK(redis.session().db == 3);
  CHECK(redis.effects == std::vector<std::string>{"set k zero", "SELECT 3", "set k three"});
  REQUIRE(redis.units.size() == 1);
  CHECK(redis.units[0].ends_with(" 0"));
  CHECK(redis("get", "k") == Bulk("three"));
}

TEST_CASE("transaction: DISCARD drops commands and watches") {
  CommandFixture redis;
  Other other(&redis);
  CHECK(redis("discard") == ErrorBytes("ERR DISCARD without MULTI"));
  redis("watch", "k");
  redis("multi");
  redis("set", "k", "v");
  CHECK(redis("discard") == kOk);
  CHECK(redis.state().watches.size() == 0);
  other("set", "k", "w");
  redis("multi");
  redis("get", "k");
  CHECK(redis("exec") == "*1\r\n$1\r\nw\r\n");
}

TEST_CASE("watch: any change by anybody, before or after MULTI, makes EXEC do nothing") {
  CommandFixture redis;
  Other other(&redis);
  for (const bool after_multi : {false, true}) {
    redis("set", "k", "1");
    CHECK(redis("watch", "k", "l") == kOk);
    if (after_multi) redis("multi");
    other("set", "k", "1");  // the same value is a change, too
    if (!after_multi) redis("multi");
    CHECK(redis("set", "k", "mine") == kQueued);
    CHECK(redis("exec") == kNullArray);
    CHECK(redis("get", "k") == Bulk("1"));
    CHECK(redis.state().watches.size() == 0);
  }
  // One's own change counts as well; a read, and a write without effect, do not.
  redis("watch", "k");
  redis("set", "k", "2");
  redis("multi");
  CHECK(redis("exec") == kNullArray);
  redis("watch", "k");
  other("get", "k");
  other("setnx", "k", "3");
  other("set", "other", "x");
  redis("multi");
  CHECK(redis("exec") == "*0\r\n");
  // RESP3 has a null for all.
  redis("watch", "k");
  other("set", "k", "4");
  redis("multi");
  redis.session().protocol = 3;
  CHECK(redis("exec") == "_\r\n");
}

TEST_CASE("watch: UNWATCH forgives, EXEC and RESET forget") {
  CommandFixture redis;
  Other other(&redis);
  redis("watch", "k");
  other("set", "k", "1");
  CHECK(redis("unwatch") == kOk);
  redis("multi");
  CHECK(redis("exec") == "*0\r\n");
  redis("watch", "k");
  redis("multi");
  redis("exec");
  other("set", "k", "2");
  redis("multi");
  CHECK(redis("exec") == "*0\r\n");
  redis("watch", "k");
  CHECK(redis.state().watches.size() == 1);
  redis.session().Reset(true);
  CHECK(redis.state().watches.size() == 0);
  {
    Other leaving(&redis);
    leaving("watch", "k", "k", "l");
    CHECK(redis.state().watches.size() == 2);
  }
  CHECK(redis.state().watches.keys() == 0);
}

TEST_CASE("watch: the database counts, and DEL, RENAME, EXPIRE, COPY, MOVE are changes") {
  CommandFixture redis;
  Other other(&redis);
  redis("select", "1");
  redis("watch", "k");
  redis("select", "0");
  other("set", "k", "in 0");
  redis("multi");
  CHECK(redis("exec") == "*0\r\n");
  for (const std::vector<ByteView>& change : {std::vector<ByteView>{"del", "k"},
                                              {"rename", "k", "x"},
                                              {"rename", "x", "k"},
                                              {"expire", "k", "100"},
                                              {"persist", "k"},
                                              {"copy", "x", "k", "REPLACE"},
                                              {"move", "k", "2"},
                                              {"append", "k", "y"},
                                              {"setrange", "k", "1", "z"},
                                              {"getdel", "k"}}) {
    redis("set", "k", "v", "EX", "1000");
    redis("set", "x", "v");
    redis("watch", "k");
    other.session.db = 0;
    CHECK_FALSE(redis.RunAs(other.session, change).starts_with("-"));
    redis("multi");
    CHECK(redis("exec") == kNullArray);
    redis("flushall");
  }
}

TEST_CASE(
    "watch: a key that expires after WATCH has changed, one that had expired before has not") {
  CommandFixture redis;
  Other other(&redis);
  redis("set", "k", "v", "PX", "10");
  redis("watch", "k");
  redis.now_ms += 10;
  redis("multi");
  CHECK(redis("exec") == kNullArray);  // nobody has removed it yet

  redis("watch", "k");  // stands there, expired
  CHECK(other("del", "k") == ":0\r\n");
  redis("multi");
  CHECK(redis("exec") == "*0\r\n");

  redis("set", "k", "v", "PX", "10");
  redis.now_ms += 10;
  redis("watch", "k");
  other("set", "k", "new");
  redis("multi");
  CHECK(redis("exec") == kNullArray);
}

TEST_CASE("watch: FLUSHDB and FLUSHALL change what was there") {
  CommandFixture redis;
  Other other(&redis);
  for (const std::string flush : {"flushdb", "flushall"}) {
    redis("set", "k", "v");
    redis("watch", "k");
    other(flush);
    redis("multi");
    CHECK(redis("exec") == kNullArray);
    redis("set", "other", "v");
    redis("watch", "k");
    other(flush);
    redis("multi");
    CHECK(redis("exec") == "*0\r\n");
    redis("set", "k", "v", "PX", "10");
    redis.now_ms += 10;
    redis("watch", "k");
    other(flush);
    redis("multi");
    CHECK(redis("exec") == "*0\r\n");
  }
}

TEST_CASE("watch: SWAPDB changes what is there before or after") {
  CommandFixture redis;
  Other other(&redis);
  const auto swapped = [&](const std::string& in_0, const std::string& in_1) {
    other("flushall");
    for (const auto& [db, what] : {std::pair<int, std::string>{0, in_0}, {1, in_1}}) {
      other.session.db = db;
      if (what == "live") other("set", "k", "v");
      if (what == "expired") other("set", "k", "v", "PX", "10");
    }
    redis.now_ms += 10;
    redis("watch", "k");
    CHECK(other("swapdb", "0", "1") == kOk);
    redis("multi");
    return redis("exec") == kNullArray;
  };
  CHECK(swapped("live", "live"));
  CHECK(swapped("live", "none"));
  CHECK(swapped("none", "live"));
  CHECK(swapped("expired", "live"));
  CHECK(swapped("live", "expired"));
  CHECK_FALSE(swapped("none", "none"));
  CHECK_FALSE(swapped("expired", "none"));
  CHECK_FALSE(swapped("none", "expired"));
  CHECK_FALSE(swapped("expired", "expired"));
}

TEST_CASE("transaction: long reads go on in slices, in order, all on one version") {
  CommandFixture redis;
  for (int i = 0; i < 5000; ++i) redis("set", "key:" + std::to_string(i), "v");
  redis("multi");
  redis("dbsize");
  redis("keys", "*");
  redis("echo", "between");
  redis("select", "1");
  redis("keys", "*");
  redis("dbsize");
  const uint64_t slices = redis.slices();
  const std::string reply = redis("exec");
  CHECK(redis.slices() > slices);
  CHECK(reply.starts_with("*6\r\n:5000\r\n*5000\r\n$"));
  CHECK(reply.ends_with("\r\n$7\r\nbetween\r\n+OK\r\n*0\r\n:0\r\n"));
  CHECK(redis.session().transaction == nullptr);
  // With a write among them it runs to the end.
  redis("select", "0");
  redis("multi");
  redis("keys", "*");
  redis("set", "one more", "v");
  redis("keys", "*");
  const uint64_t before = redis.slices();
  const std::string all = redis("exec");
  CHECK(redis.slices() == before);
  CHECK(all.starts_with("*3\r\n*5000\r\n"));
  CHECK(all.find("+OK\r\n*5001\r\n") != std::string::npos);
}

TEST_CASE("transaction: inner commands are counted, queued ones are not") {
  CommandFixture redis;
  const auto calls = [&](std::string_view name) {
    return redis.state().command_metrics[CommandTable::Get().Find(name)->index].calls;
  };
  redis("multi");
  redis("set", "k", "v");
  CHECK(calls("set") == 0);
  redis("exec");
  CHECK(calls("set") == 1);
  CHECK(calls("exec") == 1);
  CHECK(calls("multi") == 1);
}

}  // namespace
}  // namespace verso::server
