// Units of effects make the same state again: commands about versions, with the ids of lines and
// the moments of snapshots; random commands of all families; what the replayer refuses. The long
// form of the random ones is tests/model/effects_model.cpp.
#include "server/command/effect_replay.h"

#include <catch2/catch.hpp>

#include "tests/support/effect_workload.h"

namespace verso::server {
namespace {

// Everything that was recorded into a fresh store, which must come out as the live one.
void CheckReplay(EffectHost& live) {
  EffectHost again(false);
  for (const EffectRecord& record : live.records) {
    const Status applied = again.Replay(record);
    INFO(record.Text());
    INFO((applied ? "" : applied.error().context));
    REQUIRE(applied.has_value());
  }
  again.replay().Finish();
  again.state().now_ms = live.state().now_ms;
  CHECK(again.Describe() == live.Describe());
  CHECK(again.store().Audit() == "");
}

TEST_CASE("effects of commands about versions make the same versions again") {
  EffectHost live;
  Session other;
  uint64_t& now_ms = live.state().now_ms;
  live("SET", "k", "1", "EX", "100");
  live("SNAPSHOT", "CREATE", "s", "EX", "10");
  now_ms += 1234;
  live("BRANCH", "CREATE", "b", "FROM", "s");
  other.branch = live.store().branches().Find("b");
  live.Run(other, {"RPUSH", "l", "a", "b"});
  live("BRANCH", "CREATE", "c");
  live("SNAPSHOT", "CREATE", "t", "FROM", "b");
  now_ms += 10;
  live("SNAPSHOT", "CREATE", "t", "FROM", "t", "REPLACE", "EX", "1000");
  live("SET", "k", "2");
  for (int i = 0; i < 12; ++i) {
    now_ms += 1;
    live("INCR", "n");
    CHECK(live("SNAPSHOT", "ROLLBACK", i % 2 == 0 ? "s" : "t").starts_with(":"));
    live("SET", "n", std::to_string(i));
  }
  CHECK(live("BRANCH", "PROMOTE", "b") == "+OK\r\n");
  live.Run(other, {"SADD", "of-main-before", "m"});
  live("SADD", "of-b-before", "m");
  live("BRANCH", "RESET", "c", "t");
  live("BRANCH", "RENAME", "c", "d");
  live("SNAPSHOT", "RENAME", "t", "u");
  live("BRANCH", "MERGE", "d");
  live("BRANCH", "CREATE", "e");
  live("BRANCH", "DROP", "e");
  SECTION("as recorded") {}
  SECTION("in one EXEC") {
    live("MULTI");
    live("SNAPSHOT", "CREATE", "m1", "EX", "77");
    live("BRANCH", "CREATE", "m2");
    live("SET", "in", "exec", "PX", "9");
    live("BRANCH", "CREATE", "m3", "FROM", "m1");
    live("SNAPSHOT", "DROP", "u", "u", "none");
    const size_t before = live.records.size();
    live("EXEC");
    CHECK(live.records.size() == before + 1);
    CHECK(live.records.back().commands.size() == 5);
  }
  SECTION("by themselves") {
    live.state().settings.snapshot_auto_seconds = 1;
    live.state().settings.snapshot_auto_keep = 3;
    for (int i = 0; i < 30; ++i) {
      now_ms += 700;
      live("INCR", "n");
      live.Cron();
    }
    CHECK(live.store().snapshots().Find("s") == nullptr);
  }
  CheckReplay(live);
}

TEST_CASE("each command that writes has a row that says why its effect is deterministic") {
  CHECK(CommandsWithoutRow() == std::vector<std::string>{});
}

TEST_CASE(
    "effects of random commands make the same data again, from the beginning and from midway") {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    INFO("seed " << seed);
    EffectHost live;
    EffectWorkload workload(&live, seed);
    workload.Run(600, 30);
    CHECK(CompareReplay(live, workload.checkpoints, live.records.size() * seed / 9) == "");
  }
}

TEST_CASE("what expired in another database than the selected one goes there") {
  EffectHost live;
  live("SELECT", "3");
  live("SET", "k", "old", "PX", "5");
  live("SELECT", "0");
  live("SET", "k", "new");
  live.state().now_ms += 10;
  live.records.clear();
  SECTION("MOVE") {
    CHECK(live("MOVE", "k", "3") == ":1\r\n");
    CHECK(live.records.size() == 1);
  }
  SECTION("COPY in an EXEC") {
    live("MULTI");
    live("COPY", "k", "k", "DB", "3");
    live("SELECT", "2");
    live("SET", "m", "1");
    live("EXEC");
    CHECK(live.records.size() == 1);
  }
  SECTION("TXN") {
    live("TXN", "BEGIN");
    live("SET", "m", "1");
    live("SELECT", "3");
    live("SET", "k", "1");
    live("DEL", "k");
    live("TXN", "COMMIT");
    REQUIRE(live.records.size() == 1);
    CHECK(live.records[0].commands ==
          std::vector<std::vector<std::string>>{{"SET", "m", "1"}, {"SELECT", "3"}, {"DEL", "k"}});
  }
  EffectHost again(false);
  CHECK(again.Replay(
      {1, 3, live.state().now_ms - 10, {{"SET", "k", "old", "PXAT", "1700000000005"}}}));
  CHECK(again.Replay({1, 0, live.state().now_ms - 10, {{"SET", "k", "new"}}}));
  for (const EffectRecord& record : live.records) CHECK(again.Replay(record));
  again.state().now_ms = live.state().now_ms;
  CHECK(again.Describe() == live.Describe());
}

TEST_CASE("a command without a change makes no unit") {
  EffectHost live;
  live("DEL", "none");
  live("MULTI");
  live("DEL", "none");
  live("SELECT", "2");
  live("GET", "none");
  live("SREM", "none", "m");
  live("EXEC");
  live("SNAPSHOT", "DROP", "none");
  live("BRANCH", "DROP", "none");
  live("BRANCH", "PROMOTE", "main");
  CHECK(live.records.empty());
}

TEST_CASE("a committed stream comes again with all its numbers") {
  EffectHost live;
  live("XADD", "s", "1-1", "f", "v");
  live("XADD", "s", "2-1", "f", "v");
  live("XGROUP", "CREATE", "s", "g", "0", "ENTRIESREAD", "7");
  live("XGROUP", "CREATE", "s", "h", "$");
  live("XGROUP", "CREATECONSUMER", "s", "g", "idle");
  live("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "s", ">");
  live("XDEL", "s", "2-1");
  live("TXN", "BEGIN");
  live("XADD", "s", "5-1", "f", "v");
  live("TXN", "COMMIT");
  CHECK(live.records.back().commands[0][0] == "RESTORE");
  CheckReplay(live);
}

TEST_CASE("a merge in slices comes again with the version that it began with") {
  EffectHost live;
  Session branch;
  live("BRANCH", "CREATE", "b");
  branch.branch = live.store().branches().Find("b");
  const auto fill = [&](const std::string& value) {
    for (int i = 0; i < 3000; ++i) {
      live.Run(branch, {"SET", "key:" + std::to_string(i), value});
    }
  };
  fill("1");
  int slices = 0;
  live.between_slices = [&] {
    if (++slices == 1) live.Run(branch, {"SET", "key:7", "2"});
  };
  CHECK(live("BRANCH", "MERGE", "b").starts_with("*6"));
  live.between_slices = nullptr;
  REQUIRE(slices > 0);
  // Against the version of then only one key has changed.
  CHECK(live("BRANCH", "MERGE", "b", "DRYRUN").starts_with("*6\r\n$7\r\napplied\r\n:1\r\n"));
  CHECK(std::count_if(live.records.begin(), live.records.end(), [](const EffectRecord& record) {
          return record.commands.back()[1] == "MERGE" && record.commands.back()[5] == "BEGUN";
        }) == 1);
  CheckReplay(live);
}

TEST_CASE("a rollback never takes a name for its backup that stands for another version") {
  EffectHost live;
  live("SET", "k", "1");
  live("SNAPSHOT", "CREATE", "s");
  live("SET", "k", "2");
  // The next one would be called so.
  const std::string version = live("SNAPSHOT", "ROLLBACK", "s").substr(1);
  const uint64_t next = std::stoull(version) + 1;
  live("SNAPSHOT", "CREATE", "rollback:" + std::to_string(next), "FROM", "s");
  live("SET", "k", "3");
  CHECK(live("SNAPSHOT", "ROLLBACK", "s") == ":" + std::to_string(next) + "\r\n");
  CHECK(live("ASOF", "rollback:" + std::to_string(next) + ".2", "GET", "k") == "$1\r\n3\r\n");
  CheckReplay(live);
}

TEST_CASE("a replay refuses what does not belong to its state") {
  EffectHost host(false);
  const auto apply = [&host](uint32_t line, int db, std::vector<std::string> words) {
    const Status applied = host.Replay({line, db, 1000, {std::move(words)}});
    return applied ? "" : applied.error().context;
  };
  CHECK(apply(1, 0, {"SET", "k", "v"}) == "");
  CHECK(apply(7, 0, {"SET", "k", "v"}) == "there is no line 7");
  CHECK(apply(1, 99, {"SET", "k", "v"}) == "there is no database 99");
  CHECK(apply(1, 0, {"LPUSH", "k", "v"}) ==
        "'LPUSH k v': -WRONGTYPE Operation against a key holding the wrong kind of value");
  CHECK(apply(1, 0, {"NONE", "k"}).starts_with("'NONE k': ERR unknown command"));
  CHECK(apply(1, 0, {"SNAPSHOT", "NONE"}).starts_with("'SNAPSHOT NONE': ERR unknown subcommand"));
  CHECK(apply(1, 0, {"GET"}).starts_with("'GET': ERR wrong number"));
  CHECK(apply(1, 0, {"BRANCH", "CREATE", "b", "FROM", "main", "LINE", "1"}) ==
        "'BRANCH CREATE b': -ERR there may be a line 1 already");
  CHECK(apply(1, 0, {"BRANCH", "CREATE", "b", "FROM", "main", "LINE", "9"}) == "");
  CHECK(apply(9, 0, {"SET", "k", "v"}) == "");
  CHECK(host.replay().Apply(1, 0, 5, "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"));
  CHECK_FALSE(host.replay().Apply(1, 0, 5, "*2\r\n$4\r\nINCR\r\n$1\r\n"));
  CHECK(host("GET", "n") == "$1\r\n1\r\n");
  // Not for clients.
  CHECK(host("BRANCH", "CREATE", "c", "FROM", "main", "LINE", "20") == "-ERR syntax error\r\n");
  CHECK(host("SNAPSHOT", "CREATE", "c", "PXAT", "20") == "-ERR syntax error\r\n");
}

TEST_CASE("a replay is not refused by maxmemory, nor by what waits") {
  EffectHost host(false);
  host.state().settings.maxmemory = 1;
  host.state().loading = true;
  CHECK(host.Replay({1, 0, 1000, {{"SET", "k", "v"}, {"BLPOP", "l", "0"}}}));
  CHECK(host.Replay({1, 0, 1000, {{"BLPOP", "l", "0"}}}));
  CHECK(host.session().parked == nullptr);
}

TEST_CASE("an import comes again as its keys, and goes if its end is missing") {
  EffectHost host(false);
  CHECK(host.Replay({1, 0, 1000, {{"SNAPSHOT", "IMPORT", "LINE", "5", "BEGIN"}}}));
  CHECK(host.Replay({5, 2, 1001, {{"SET", "k", "v", "PXAT", "5000"}}}));
  CHECK_FALSE(host.Replay({1, 2, 1001, {{"SNAPSHOT", "IMPORT", "LINE", "1", "AS", "i"}}}));
  SECTION("named") {
    CHECK(host.Replay({1, 0, 1002, {{"SNAPSHOT", "IMPORT", "LINE", "5", "AS", "i"}}}));
    host.replay().Finish();
    CHECK(host.store().snapshots().Find("i")->moment_ms == 1002);
    host.session().db = 2;
    CHECK(host("ASOF", "i", "GET", "k") == "$1\r\nv\r\n");
    CHECK(host("SNAPSHOT", "DROP", "i") == ":1\r\n");
  }
  SECTION("failed") {
    CHECK(host.Replay({1, 0, 1002, {{"SNAPSHOT", "IMPORT", "LINE", "5", "FAILED"}}}));
    CHECK(host.store().FindLine(5) == nullptr);
  }
  SECTION("cut") { host.replay().Finish(); }
  CHECK(host.store().FindLine(5) == nullptr);
  host.store().DrainBackground();
  CHECK(host.store().Audit() == "");
}

}  // namespace
}  // namespace verso::server
