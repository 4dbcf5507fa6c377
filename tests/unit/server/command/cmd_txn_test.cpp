// TXN: what a transaction sees and what others see of it, when it fails, and that nothing is left
// behind by one that does.
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "command_fixture.h"
#include "server/session/txn.h"

using namespace verso::server;
using verso::ByteView;

namespace {

const std::string kConflict = "-TXNCONFLICT ";

bool IsInteger(const std::string& reply) { return reply.starts_with(":"); }

void Begin(CommandFixture& redis, const char* level = "SNAPSHOT") {
  REQUIRE(IsInteger(redis("TXN", "BEGIN", "ISOLATION", level)));
}

std::string DigestOfAll(CommandFixture& redis) {
  const verso::storage::ReadView view(redis.store(), redis.store().main(), 0, redis.now_ms);
  const verso::storage::Digest digest = verso::storage::DigestOf(view, -1);
  return std::to_string(digest.low) + " " + std::to_string(digest.high);
}

void CheckNothingIsLeft(CommandFixture& redis) {
  CHECK(redis.session().txn == nullptr);
  CHECK(redis.state().txns.open().empty());
  redis.store().DrainBackground();
  CHECK(redis.store().stats().lines == 1);
  CHECK(redis.store().stats().pins == 0);
  CHECK(redis.store().Audit() == "");
}

// A value of each type, small and large.
void Fill(CommandFixture& redis) {
  redis("SET", "small", "text");
  redis("SET", "run", std::string(3000, 'r'));
  redis("SET", "rope", std::string(3'000'000, 't'));
  for (int at = 0; at < 4000; at += 200) {
    std::vector<std::string> hash = {"HSET", "hash"};
    std::vector<std::string> zset = {"ZADD", "zset"};
    std::vector<std::string> list = {"RPUSH", "list"};
    for (int i = at; i < at + 200; ++i) {
      const std::string element = "element:" + std::to_string(i);
      hash.insert(hash.end(), {element, "value"});
      zset.insert(zset.end(), {std::to_string(i), element});
      list.push_back(element);
    }
    redis.Run({hash.begin(), hash.end()});
    redis.Run({zset.begin(), zset.end()});
    redis.Run({list.begin(), list.end()});
  }
  redis("XADD", "stream", "1-1", "field", "value");
}

}  // namespace

TEST_CASE("a transaction sees its beginning and its own writes, others see them at COMMIT",
          "[command]") {
  CommandFixture redis;
  Session other;
  redis("SET", "a", "1");
  redis("RPUSH", "gone", "x");
  Begin(redis);
  CHECK(redis("SET", "a", "2") == kOk);
  CHECK(redis("INCR", "new") == ":1\r\n");
  CHECK(redis("DEL", "gone") == ":1\r\n");
  CHECK(redis("GET", "a") == Bulk("2"));
  CHECK(redis("DBSIZE") == ":2\r\n");
  CHECK(redis.RunAs(other, {"GET", "a"}) == Bulk("1"));
  CHECK(redis.RunAs(other, {"EXISTS", "new", "gone"}) == ":1\r\n");
  redis.RunAs(other, {"SET", "later", "x"});
  CHECK(redis("GET", "later") == kNull);
  redis.events.clear();
  redis.effects.clear();
  redis.units.clear();
  const std::string version = redis("TXN", "COMMIT");
  CHECK(IsInteger(version));
  CHECK(redis.RunAs(other, {"GET", "a"}) == Bulk("2"));
  CHECK(redis.RunAs(other, {"EXISTS", "new", "gone"}) == ":1\r\n");
  CHECK(redis.events == std::vector<std::string>{"set a", "incrby new", "del gone"});
  CHECK(redis.effects == std::vector<std::string>{"SET a 2", "SET new 1", "DEL gone"});
  CHECK(redis.units.size() == 1);
  CHECK(redis("GET", "later") == Bulk("x"));
  CheckNothingIsLeft(redis);
}

TEST_CASE("COMMIT fails iff a key that was written has changed", "[command]") {
  struct Row {
    std::vector<ByteView> mine;
    std::vector<ByteView> others;
    bool conflict;
  };
  const std::vector<Row> rows = {
      {{"SET", "k", "2"}, {"SET", "k", "3"}, true},
      {{"SET", "k", "2"}, {"SET", "k", "1"}, false},  // the same content
      {{"SET", "k", "2"}, {"DEL", "k"}, true},
      {{"SET", "k", "2"}, {"EXPIRE", "k", "100"}, true},  // the deadline is content
      {{"SET", "k", "2"}, {"SET", "m", "3"}, false},
      {{"SET", "new", "2"}, {"SET", "new", "2"}, true},     // was absent
      {{"SADD", "set", "a"}, {"SADD", "set", "z"}, false},  // without effect: a read
      {{"SADD", "set", "b"}, {"SADD", "set", "z"}, true},
      {{"DEL", "missing"}, {"SET", "missing", "1"}, false},
      {{"RENAME", "k", "to"}, {"SET", "k", "9"}, true},
      {{"RENAME", "k", "to"}, {"SET", "to", "9"}, true},
      {{"GET", "k"}, {"SET", "k", "9"}, false},
      {{"HSET", "hash", "element:7", "x"}, {"HSET", "hash", "element:9", "y"}, true},
      {{"ZADD", "zset", "1", "x"}, {"SET", "zset", "y"}, true},
  };
  for (const Row& row : rows) {
    INFO(row.mine[0] << " " << row.mine[1] << ", " << row.others[0] << " " << row.others[1]);
    CommandFixture redis;
    Session other;
    Fill(redis);
    redis("SET", "k", "1");
    redis("SADD", "set", "a");
    Begin(redis);
    redis.Run(row.mine);
    redis.RunAs(other, row.others);
    const std::string before = DigestOfAll(redis);
    const std::string reply = redis("TXN", "COMMIT");
    if (row.conflict) {
      CHECK(reply == kConflict + std::string(row.others[1]) + "\r\n");
      CHECK(DigestOfAll(redis) == before);
      CHECK(redis("TXN", "COMMIT") == "-NOTXN no transaction is open\r\n");
    } else {
      CHECK(IsInteger(reply));
    }
    CheckNothingIsLeft(redis);
  }
}

TEST_CASE("a transaction does to all types what the same commands do by themselves", "[command]") {
  const std::vector<std::vector<ByteView>> commands = {
      {"HSET", "hash", "element:17", "x", "more", "y"},
      {"HDEL", "hash", "element:3", "element:1999"},
      {"ZADD", "zset", "17.5", "element:3000"},
      {"ZREMRANGEBYRANK", "zset", "100", "300"},
      {"LPOP", "list", "10"},
      {"LINSERT", "list", "BEFORE", "element:999", "here"},
      {"SETRANGE", "rope", "1000000", "in the middle"},
      {"APPEND", "run", "and more"},
      {"XADD", "stream", "2-1", "a", "b"},
      {"XGROUP", "CREATE", "stream", "group", "0"},
      {"RENAME", "hash", "hash2"},
      {"RENAME", "zset", "list"},
      {"COPY", "rope", "rope2"},
      {"MOVE", "rope", "3"},
      {"SUNIONSTORE", "set", "nothing"},
      {"ZRANGESTORE", "ranged", "list", "0", "50"},
      {"EXPIRE", "run", "1000"},
      {"SET", "small", "x", "EX", "10"},
      {"PERSIST", "small"},
      {"SELECT", "3"},
      {"SET", "other database", "1"},
      {"SELECT", "0"},
      {"DEL", "stream"},
      {"XADD", "stream", "1-7", "a", "b"},
      {"LMPOP", "1", "empty", "LEFT"},
  };
  for (const bool pins_between : {false, true}) {
    CommandFixture plain;
    Fill(plain);
    CommandFixture inside;
    Fill(inside);
    Begin(inside);
    std::vector<verso::storage::PinHandle> pins;
    for (const auto& command : commands) {
      INFO(command[0]);
      CHECK(inside.Run(command) == plain.Run(command));
      // A version in which the pages written so far must stay as they are (V6).
      inside.RunAs(*std::make_unique<Session>(), {"INCR", "elsewhere"});
      if (pins_between) {
        pins.push_back(inside.store().PinForRead(inside.store().main(), inside.now_ms));
      }
    }
    plain.Run({"SET", "elsewhere", std::to_string(commands.size())});
    inside.effect_words.clear();
    CHECK(IsInteger(inside("TXN", "COMMIT")));
    CHECK(DigestOfAll(inside) == DigestOfAll(plain));
    CHECK(inside.store().Audit() == "");
    pins.clear();
    CheckNothingIsLeft(inside);

    // What is recorded makes the same of the same beginning.
    CommandFixture replayed;
    Fill(replayed);
    replayed.Run({"SET", "elsewhere", std::to_string(commands.size())});
    for (const auto& words : inside.effect_words) {
      CHECK(!replayed.Run({words.begin(), words.end()}).starts_with("-"));
    }
    CHECK(DigestOfAll(replayed) == DigestOfAll(plain));
  }
}

TEST_CASE("a transaction that only renames or touches up large values copies next to nothing",
          "[command]") {
  CommandFixture redis;
  Fill(redis);
  Begin(redis);
  redis("RENAME", "hash", "renamed");
  redis("RENAME", "rope", "rope2");
  redis("HSET", "renamed", "element:5", "z");
  const uint64_t copied = redis.store().arena().bytes_allocated();
  CHECK(IsInteger(redis("TXN", "COMMIT")));
  CHECK(redis.store().arena().bytes_allocated() < copied + 64 * 1024);
  CHECK(redis("HGET", "renamed", "element:5") == Bulk("z"));
  CHECK(redis("HLEN", "renamed") == ":4000\r\n");
  CHECK(redis("STRLEN", "rope2") == ":3000000\r\n");
  CheckNothingIsLeft(redis);
}

TEST_CASE("the same content in other pages is no conflict, and is replaced whole", "[command]") {
  CommandFixture redis;
  Session other;
  Fill(redis);
  Begin(redis);
  redis("HSET", "hash", "element:5", "z");
  redis("RENAME", "list", "list2");
  redis.RunAs(other, {"HSET", "hash", "element:5", "for a while"});
  redis.RunAs(other, {"HSET", "hash", "element:5", "value"});
  redis.RunAs(other, {"RPUSH", "list", "x"});
  redis.RunAs(other, {"RPOP", "list"});
  CHECK(IsInteger(redis("TXN", "COMMIT")));
  CHECK(redis("HGET", "hash", "element:5") == Bulk("z"));
  CHECK(redis("LLEN", "list2") == ":4000\r\n");
  CHECK(redis("EXISTS", "list") == ":0\r\n");
  CheckNothingIsLeft(redis);
}

TEST_CASE("the moment of a transaction is its beginning", "[command]") {
  CommandFixture redis;
  Session other;
  redis("SET", "short", "1", "PX", "500");
  redis("SET", "long", "1", "PX", "5000");
  Begin(redis);
  redis.now_ms += 1000;
  CHECK(redis.RunAs(other, {"EXISTS", "short"}) == ":0\r\n");
  CHECK(redis("PTTL", "short") == ":500\r\n");
  CHECK(redis("SET", "made", "1", "PX", "3000") == kOk);
  CHECK(redis("PTTL", "made") == ":3000\r\n");
  CHECK(IsInteger(redis("TXN", "COMMIT")));
  CHECK(redis("PTTL", "made") == ":2000\r\n");
  // A key that was written and has expired since has changed.
  Begin(redis);
  redis("APPEND", "long", "2");
  redis.now_ms += 5000;
  CHECK(redis("TXN", "COMMIT") == kConflict + "long\r\n");
  // One that a transaction gave a deadline that has passed is not there.
  Begin(redis);
  redis("SET", "passed", "1", "PX", "100");
  redis.now_ms += 200;
  CHECK(IsInteger(redis("TXN", "COMMIT")));
  CHECK(redis("EXISTS", "passed") == ":0\r\n");
  // What had expired before is replaced or left alone.
  redis.state().expires_actively = false;
  redis("SET", "old", "1", "PX", "100");
  redis.now_ms += 200;
  Begin(redis);
  CHECK(redis("LPUSHX", "old", "x") == ":0\r\n");
  CHECK(redis("SET", "passed", "2") == kOk);
  CHECK(redis("DEL", "passed") == ":1\r\n");
  CHECK(IsInteger(redis("TXN", "COMMIT")));
  CheckNothingIsLeft(redis);
}

TEST_CASE("a serializable transaction fails if what it read has changed", "[command]") {
  struct Row {
    std::vector<ByteView> mine;
    std::vector<ByteView> others;
    std::string conflict;  // the key
  };
  const std::vector<Row> rows = {
      {{"GET", "k"}, {"SET", "k", "3"}, "k"},
      {{"GET", "k"}, {"SET", "k", "1"}, ""},
      {{"GET", "missing"}, {"SET", "missing", "3"}, "missing"},
      {{"MGET", "a", "b", "k"}, {"SET", "b", "3"}, "b"},
      {{"SADD", "set", "a"}, {"SADD", "set", "b"}, "set"},
      {{"SETNX", "k", "7"}, {"DEL", "k"}, "k"},
      {{"HGET", "hash", "element:7"}, {"HSET", "hash", "element:8", "y"}, "hash"},
      {{"SINTERSTORE", "to", "set", "set2"}, {"SADD", "set2", "y"}, "set2"},
      {{"GET", "k"}, {"SET", "other", "3"}, ""},
      {{"DBSIZE"}, {"SET", "other", "3"}, "other"},
      {{"KEYS", "x*"}, {"DEL", "k"}, "k"},
      {{"SCAN", "0"}, {"EXPIRE", "k", "100"}, "k"},
      {{"RANDOMKEY"}, {"SET", "k", "1"}, ""},
      {{"SORT", "set2", "BY", "w_*"}, {"SET", "w_1", "3"}, "w_1"},
      {{"SORT", "set2", "ALPHA"}, {"SET", "w_1", "3"}, ""},
  };
  for (const Row& row : rows) {
    for (const bool writes : {false, true}) {
      INFO(row.mine[0] << ", " << row.others[0] << " " << row.others[1]);
      CommandFixture redis;
      Session other;
      Fill(redis);
      redis("SET", "k", "1");
      redis("SADD", "set", "a");
      redis("SADD", "set2", "1", "2");
      Begin(redis, "SERIALIZABLE");
      redis.Run(row.mine);
      if (writes) redis("SET", "result", "1");
      redis.RunAs(other, row.others);
      const std::string before = DigestOfAll(redis);
      const std::string reply = redis("TXN", "COMMIT");
      if (row.conflict.empty()) {
        CHECK(IsInteger(reply));
      } else {
        CHECK(reply == kConflict + row.conflict + "\r\n");
        CHECK(DigestOfAll(redis) == before);
      }
      CheckNothingIsLeft(redis);
    }
  }
}

TEST_CASE("a read-only transaction writes nothing", "[command]") {
  CommandFixture redis;
  Session other;
  redis("SET", "k", "1");
  CHECK(IsInteger(redis("TXN", "BEGIN", "READ", "ONLY")));
  CHECK(redis("SET", "k", "2").starts_with("-VIEWREADONLY "));
  CHECK(redis("FLUSHALL").starts_with("-"));
  redis.RunAs(other, {"SET", "k", "3"});
  CHECK(redis("GET", "k") == Bulk("1"));
  CHECK(IsInteger(redis("TXN", "COMMIT")));
  CHECK(redis("GET", "k") == Bulk("3"));
  CheckNothingIsLeft(redis);
}

TEST_CASE("what must not happen inside a transaction is refused there", "[command]") {
  CommandFixture redis;
  Begin(redis);
  const std::vector<std::vector<ByteView>> refused = {{"MULTI"},
                                                      {"WATCH", "k"},
                                                      {"FLUSHDB"},
                                                      {"FLUSHALL"},
                                                      {"SWAPDB", "0", "1"},
                                                      {"SAVE"},
                                                      {"BGSAVE"},
                                                      {"BRANCH", "USE", "main"},
                                                      {"BRANCH", "RESET", "main", "main"},
                                                      {"BRANCH", "PROMOTE", "main"},
                                                      {"BRANCH", "MERGE", "main"},
                                                      {"SNAPSHOT", "ROLLBACK", "main"}};
  for (const auto& words : refused) {
    INFO(words[0]);
    const std::string reply = redis.Run(words);
    CHECK(reply.starts_with("-ERR "));
    CHECK(reply.ends_with("not allowed in TXN\r\n"));
  }
  CHECK(redis("TXN", "BEGIN") == "-INTXN a transaction is open already\r\n");
  CHECK(redis("BLPOP", "k", "0") == "*-1\r\n");
  CHECK(redis("TXN", "ABORT") == kOk);
  for (const char* word : {"COMMIT", "ABORT", "INFO"}) {
    CHECK(redis("TXN", word) == "-NOTXN no transaction is open\r\n");
  }
  redis("MULTI");
  CHECK(redis("TXN", "BEGIN") == "-ERR Command not allowed inside a transaction\r\n");
  redis("DISCARD");
  const std::vector<std::vector<ByteView>> wrong = {{"TXN", "BEGIN", "READ"},
                                                    {"TXN", "BEGIN", "AT", "main"},
                                                    {"TXN", "BEGIN", "READ", "ONLY", "AT"},
                                                    {"TXN", "BEGIN", "ISOLATION", "READ"},
                                                    {"TXN", "BEGIN", "TIMEOUT"},
                                                    {"TXN", "BEGIN", "NOW"}};
  for (const auto& words : wrong) {
    CHECK(redis.Run(words) == kSyntaxError);
  }
  CHECK(redis("TXN", "BEGIN", "TIMEOUT", "0").starts_with("-ERR value is out of range"));
  CHECK(redis("TXN", "BEGIN", "TIMEOUT", "x") == kNotIntegerError);
  CHECK(redis("TXN", "BEGIN", "READ", "ONLY", "AT", "none").starts_with("-NOREF "));
  CHECK(redis("TXN", "BEGIN", "READ", "ONLY", "AT", "no name") == "-ERR invalid name\r\n");
  CheckNothingIsLeft(redis);
}

TEST_CASE("a transaction that is idle for too long is over, and the next command is told",
          "[command]") {
  CommandFixture redis;
  redis("SET", "k", "1");
  Begin(redis);
  redis("SET", "k", "2");
  redis.now_ms += 60'000;
  CHECK(redis("GET", "k") == Bulk("2"));
  redis.now_ms += 60'001;
  redis.state().txns.ExpireIdle(redis.now_ms);
  CHECK(redis.state().txns.open().empty());
  CHECK(redis("PING").starts_with("-TXNEXPIRED "));
  CHECK(redis("GET", "k") == Bulk("1"));
  CHECK(IsInteger(redis("TXN", "BEGIN", "TIMEOUT", "10")));
  redis("SET", "k", "3");
  redis.now_ms += 11;
  CHECK(redis("TXN", "COMMIT").starts_with("-TXNEXPIRED "));
  CHECK(redis("TXN", "COMMIT").starts_with("-NOTXN "));
  CHECK(redis("GET", "k") == Bulk("1"));
  CHECK(redis.state().txns.counts.expired == 2);
  CheckNothingIsLeft(redis);
}

TEST_CASE("an aborted transaction leaves no page behind", "[command]") {
  CommandFixture redis;
  Fill(redis);
  redis.store().DrainBackground();
  const uint64_t before = redis.store().arena().bytes_allocated();
  const std::string digest = DigestOfAll(redis);
  for (int round = 0; round < 3; ++round) {
    Begin(redis);
    redis("HSET", "hash", "element:1", "x");
    redis("DEL", "zset", "rope");
    redis("COPY", "list", "list2");
    redis("RENAME", "list", "list3");
    redis("APPEND", "small", std::string(100'000, 'x'));
    if (round == 0) redis("TXN", "ABORT");
    if (round == 1) redis.session().txn.reset();  // the client has gone
    if (round == 2) redis.session().Reset(true);
    redis.store().DrainBackground();
    CHECK(redis.store().arena().bytes_allocated() == before);
    CHECK(DigestOfAll(redis) == digest);
    CheckNothingIsLeft(redis);
  }
}

TEST_CASE("long replies inside a transaction come from its view", "[command]") {
  CommandFixture redis;
  Session other;
  Fill(redis);
  Begin(redis);
  redis("LSET", "list", "0", "mine");
  redis.RunAs(other, {"DEL", "list"});
  redis.between_slices = [] { return true; };
  const std::string reply = redis("LRANGE", "list", "0", "-1");
  CHECK(redis.slices() > 0);
  CHECK(reply.starts_with("*4000\r\n$4\r\nmine\r\n"));
  redis.between_slices = nullptr;
  CHECK(redis("TXN", "COMMIT") == kConflict + "list\r\n");
}

TEST_CASE("a commit in slices checks again before it is seen", "[command]") {
  for (const char* changed : {"key:7", "elsewhere"}) {
    CommandFixture redis;
    Session other;
    Begin(redis);
    for (int i = 0; i < 40; ++i) {
      const std::string key = "key:" + std::to_string(i);
      for (int at = 0; at < 3000; at += 500) {
        std::vector<std::string> words = {"SADD", key};
        for (int k = at; k < at + 500; ++k) words.push_back("member:" + std::to_string(k));
        redis.Run({words.begin(), words.end()});
      }
    }
    // Everything must be made younger than this.
    redis.RunAs(other, {"SET", "elsewhere", "1"});
    const verso::storage::PinHandle pin =
        redis.store().PinForRead(redis.store().main(), redis.now_ms);
    int between = 0;
    redis.between_slices = [&] {
      if (++between == 3) redis.RunAs(other, {"SET", changed, "2"});
      CHECK(redis.RunAs(other, {"EXISTS", "key:1"}) == ":0\r\n");
      return true;
    };
    const std::string reply = redis("TXN", "COMMIT");
    CHECK(between >= 3);
    if (std::string(changed) == "key:7") {
      CHECK(reply == kConflict + "key:7\r\n");
    } else {
      CHECK(IsInteger(reply));
      CHECK(redis("SCARD", "key:39") == ":3000\r\n");
    }
    CHECK(redis.store().Audit() == "");
  }
}

TEST_CASE("TXN INFO and LIST tell about open transactions", "[command]") {
  CommandFixture redis;
  Session other;
  other.id = 9;
  redis.RunAs(other, {"TXN", "BEGIN", "READ", "ONLY"});
  Begin(redis, "SERIALIZABLE");
  redis("SET", "a", "1");
  redis("MGET", "b", "c");
  redis.now_ms += 5;
  const std::string info = redis("TXN", "INFO");
  CHECK(info.find("$6\r\nclient\r\n:0\r\n$4\r\nmode\r\n$10\r\nread-write\r\n") !=
        std::string::npos);
  CHECK(info.find("$12\r\nserializable\r\n") != std::string::npos);
  CHECK(info.find("$6\r\nage-ms\r\n:5\r\n$9\r\nkeys-read\r\n:3\r\n$12\r\nkeys-written\r\n:1\r\n") !=
        std::string::npos);
  const std::string list = redis("TXN", "LIST");
  CHECK(list.starts_with("*2\r\n"));
  CHECK(list.find("$6\r\nclient\r\n:9\r\n$4\r\nmode\r\n$9\r\nread-only\r\n") != std::string::npos);
  redis.state().settings.txn_max = 2;
  Session third;
  CHECK(redis.RunAs(third, {"TXN", "BEGIN"}) == "-ERR transaction limit reached (txn-max 2)\r\n");
}
