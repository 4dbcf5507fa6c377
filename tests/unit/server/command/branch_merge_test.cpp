// BRANCH MERGE through the dispatcher: what it emits and tells, slices with others in between, what
// is left when the client goes or memory ends.
#include "server/command/branch_merge.h"

#include "storage/memory/branches.h"
#include "storage/memory/snapshots.h"
#include "tests/unit/server/command/command_fixture.h"

namespace verso::server {
namespace {

// A session that works in a branch made from main.
Session InBranch(CommandFixture& redis, ByteView name) {
  storage::Store& store = redis.store();
  const storage::PinHandle pin = store.PinForRead(store.main(), redis.now_ms);
  store.branches().Add(name, store.main(), pin.epoch(), "main", redis.now_ms);
  Session session;
  session.branch = store.branches().Find(name);
  return session;
}

std::string Digest(CommandFixture& redis) {
  return storage::DigestOf(redis.state().HeadOf(redis.session()), -1).Hex();
}

}  // namespace

TEST_CASE("BRANCH MERGE emits one unit that makes the same of another server") {
  CommandFixture redis;
  CommandFixture other;
  redis("SET", "gone", "1");
  other("SET", "gone", "1");
  Session branch = InBranch(redis, "b");
  redis.RunAs(branch, {"DEL", "gone"});
  redis.RunAs(branch, {"SET", "text", "v", "PX", "5000"});
  redis.RunAs(branch, {"RPUSH", "list", "a", "b"});
  branch.db = 3;
  redis.RunAs(branch, {"SADD", "set", "m"});
  redis.effects.clear();
  redis.effect_words.clear();
  redis.units.clear();
  redis.events.clear();
  Slice::time_is_up = [] { return false; };  // else a slow machine records the beginning as well
  CHECK(redis("BRANCH", "MERGE", "b").starts_with("*6\r\n$7\r\napplied\r\n:4\r\n"));
  CHECK(redis.units == std::vector<std::string>{"1 0"});
  CHECK(redis.events.size() == 4);
  CHECK(std::count(redis.events.begin(), redis.events.end(), "merge list") == 1);
  CHECK(std::count(redis.events.begin(), redis.events.end(), "del gone") == 1);
  const std::string merged = "BRANCH MERGE b INTO main MERGED";  // for the next merge of the two
  CHECK(redis.effects.back() == merged);
  redis.effect_words.pop_back();
  for (const std::vector<std::string>& words : redis.effect_words) {
    other.Run({words.begin(), words.end()});
  }
  CHECK(Digest(other) == Digest(redis));
  // A second time there is nothing to do.
  redis.effects.clear();
  CHECK(redis("BRANCH", "MERGE", "b").starts_with("*6\r\n$7\r\napplied\r\n:0\r\n"));
  CHECK(redis.effects == std::vector<std::string>{merged});
  Slice::time_is_up = nullptr;
}

TEST_CASE(
    "BRANCH MERGE in slices follows what others write, and leaves nothing if its client goes") {
  CommandFixture redis(false);
  Session branch = InBranch(redis, "b");
  const std::string value(500, 'v');
  for (int i = 0; i < 3000; ++i) {
    redis.RunAs(branch, {"SET", "key:" + std::to_string(i), value});
  }
  int slices = 0;
  redis.between_slices = [&] {
    ++slices;
    redis("SET", "key:" + std::to_string(slices * 11 % 3000), "main");
    return slices < 5;
  };
  redis("BRANCH", "MERGE", "b", "ONCONFLICT", "OURS");
  CHECK(slices == 5);
  CHECK(redis("EXISTS", "key:7") == ":0\r\n");  // nothing is seen of it

  slices = 0;
  redis.between_slices = [&] {
    if (slices == 200) return true;  // where slices get nowhere (sanitizers) it would never end
    redis("SET", "key:" + std::to_string(++slices * 7 % 3000), "main");
    if (slices % 3 == 0)
      redis.store().snapshots().Take("s" + std::to_string(slices), redis.store().branches().main(),
                                     1, 0);
    return true;
  };
  CHECK(redis("BRANCH", "MERGE", "b", "ONCONFLICT", "OURS").starts_with("*6\r\n"));
  CHECK(slices > 3);
  redis.between_slices = nullptr;
  for (int i = 1; i <= slices; ++i) {
    CHECK(redis("GET", "key:" + std::to_string(i * 7 % 3000)) == "$4\r\nmain\r\n");
  }
  CHECK(redis("DBSIZE") == ":3000\r\n");
  CHECK(redis("STRLEN", "key:1") == ":500\r\n");
}

TEST_CASE(
    "BRANCH MERGE begins anew where a branch goes on as another line, and ends where it goes") {
  CommandFixture redis(false);
  Session branch = InBranch(redis, "b");
  const std::string value(500, 'v');
  for (int i = 0; i < 3000; ++i) redis.RunAs(branch, {"SET", std::to_string(i), value});
  storage::Branches& branches = redis.store().branches();
  int slices = 0;
  redis.between_slices = [&] {
    if (++slices == 2) branches.Exchange(&branches.main(), branches.Find("b"));
    return true;
  };
  // What main has now is what is to be merged, so nothing changes.
  CHECK(redis("BRANCH", "MERGE", "b").starts_with("*6\r\n$7\r\napplied\r\n:0\r\n"));
  CHECK(redis("DBSIZE") == ":3000\r\n");
  redis("FLUSHALL");
  branches.Exchange(&branches.main(), branches.Find("b"));
  for (int i = 0; i < 3000; ++i) redis("SET", std::to_string(i), value + "2");
  slices = 0;
  redis.between_slices = [&] {
    if (++slices == 2) branches.Drop(branches.Find("b"));
    return true;
  };
  CHECK(redis("BRANCH", "MERGE", "main", "INTO", "b") == "-NOREF no branch or snapshot 'b'\r\n");
}

TEST_CASE("BRANCH MERGE tells all conflicts when others cause them while it runs") {
  CommandFixture redis;
  constexpr int kKeys = 2000;
  const auto set_all = [&redis](Session& session, ByteView value) {
    for (int i = 0; i < kKeys; ++i) {
      redis.RunAs(session, {"SET", "key:" + std::to_string(i), value});
    }
  };
  set_all(redis.session(), "0");
  Session branch = InBranch(redis, "b");
  set_all(branch, "1");
  // Every slice is one step.
  Slice::time_is_up = [] {
    static bool up = false;
    return std::exchange(up, !up);
  };
  int slices = 0;
  redis.between_slices = [&] {
    if (slices++ == 0) set_all(redis.session(), "2");
    return true;
  };
  const std::string reply = redis("BRANCH", "MERGE", "b");
  Slice::time_is_up = nullptr;
  CHECK(slices > 10);
  CHECK(reply.starts_with("-MERGECONFLICT 2000 key:"));
}

TEST_CASE("BRANCH MERGE above maxmemory changes nothing") {
  CommandFixture redis(false);
  Session branch = InBranch(redis, "b");
  redis.RunAs(branch, {"SET", "k", "v"});
  redis.state().settings.maxmemory = 1;
  CHECK(redis("BRANCH", "MERGE", "b").starts_with("-OOM "));
  CHECK(redis("EXISTS", "k") == ":0\r\n");
  CHECK(redis("BRANCH", "MERGE", "b", "DRYRUN").starts_with("*6\r\n$7\r\napplied\r\n:1\r\n"));
  redis.state().settings.maxmemory = 0;
  CHECK(redis("BRANCH", "MERGE", "b").starts_with("*6\r\n$7\r\napplied\r\n:1\r\n"));
}

}  // namespace verso::server
