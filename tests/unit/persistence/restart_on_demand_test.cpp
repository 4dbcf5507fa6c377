// Goal: a store that is served while its pages still come in gives the same answers as one that is
// all there, takes writes, loses nothing, and ends rather than give a wrong value.
// Method: the stream is held back (kHoldLoad), so every page that is touched is asked for; maps of
// what was written tell right from wrong.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>

#include "storage/index/rope.h"
#include "storage/memory/page_probe.h"
#include "storage/types/string_value.h"
#include "tests/support/persistence_fixture.h"

namespace verso::persistence {

namespace {

using Content = std::map<std::string, std::string>;

std::string KeyName(uint64_t number) { return "key:" + std::to_string(number); }

// Some keys in database 0, saved.
Content MakeStore(const std::string& directory, int keys, uint64_t seed) {
  std::mt19937_64 random(seed);
  Content content;
  Life life(directory);
  REQUIRE(life.ok());
  for (int i = 0; i < keys; ++i) {
    const uint64_t kind = random() % 100;
    const size_t bytes = kind < 60   ? random() % 100
                         : kind < 99 ? random() % 3000
                                     : random() % 200'000;
    const std::string key = KeyName(static_cast<uint64_t>(i));
    content[key] = RandomBytes(&random, bytes);
    life.Set(0, key, content[key]);
  }
  REQUIRE(life.Save());
  return content;
}

std::optional<std::string> Get(Life* life, const std::string& key) {
  const storage::ReadView view(*life->store, life->store->main(), 0, life->clock.NowMs());
  const auto value = view.Find(view.MakeKey(key), storage::Access::kPeek);
  if (!value) return std::nullopt;
  return storage::StringCopy(view.arena(), *value);
}

void CheckContent(Life* life, const Content& content) {
  for (const auto& [key, value] : content) {
    const auto found = Get(life, key);
    if (!found || *found != value) FAIL(key << " is wrong or missing");
  }
}

}  // namespace

TEST_CASE("random reads are right while nothing but what is read comes in") {
  TemporaryDirectory directory;
  const Content content = MakeStore(directory.path(), 5000, 1);
  Life life(directory.path(), FaultPoint::kHoldLoad);
  INFO(life.error);
  REQUIRE(life.ok());
  REQUIRE(life.persistence->streaming());
  std::mt19937_64 random(2);
  for (int i = 0; i < 500; ++i) {
    const std::string key = KeyName(random() % 6000);
    const auto wanted = content.find(key);
    const auto found = Get(&life, key);
    REQUIRE(found.has_value() == (wanted != content.end()));
    if (found) REQUIRE(*found == wanted->second);
  }
  const LoadStatus status = life.persistence->load_status();
  CHECK(status.state == LoadState::kStreaming);
  CHECK(status.pages_awaited > 100);
  CHECK(status.pages_done == 0);
  CHECK(status.pages_total > 2000);
  // No save of what is not there, and no wait for it either.
  CHECK_FALSE(life.persistence->StartSave(life.store.get()).has_value());
  life.EndLoad();
  REQUIRE(life.ok());
  CHECK(life.persistence->load_status().state == LoadState::kLoaded);
  CheckContent(&life, content);
  life.store->DrainBackground();
  CHECK(life.store->Audit() == "");
}

TEST_CASE("what a probe has seen come is read without waiting") {
  TemporaryDirectory directory;
  const Content content = MakeStore(directory.path(), 3000, 9);
  Life life(directory.path(), FaultPoint::kHoldLoad);
  INFO(life.error);
  REQUIRE(life.ok());
  const uint64_t awaited = life.persistence->load_status().pages_awaited;
  std::mt19937_64 random(10);
  uint64_t missing = 0;
  for (int i = 0; i < 300; ++i) {
    const std::string key = KeyName(random() % 3300);
    const auto wanted = content.find(key);
    // The pages below a long string are too many for one probe.
    if (wanted != content.end() && wanted->second.size() > 30 * storage::kRopeChunkBytes) continue;
    const storage::ReadView view(*life.store, life.store->main(), 0, life.clock.NowMs());
    while (true) {
      storage::PageProbe probe(life.store->arena());
      view.Probe(view.MakeKey(key), &probe);
      if (!probe.missing()) break;
      ++missing;
      while (!life.store->arena().IsThere(probe.missing())) usleep(20);
    }
    const auto found = Get(&life, key);
    REQUIRE(found.has_value() == (wanted != content.end()));
    if (found) REQUIRE(*found == wanted->second);
  }
  CHECK(missing > 100);
  CHECK(life.persistence->load_status().pages_awaited == awaited);
  life.EndLoad();
  storage::PageProbe probe(life.store->arena());
  CHECK(probe.Has({}));
}

TEST_CASE("the digest and the audit of a store that is not there yet are those of the whole") {
  TemporaryDirectory directory;
  MakeStore(directory.path(), 2000, 3);
  Life whole(directory.path());
  const std::string digest = whole.Digest();
  whole.persistence.reset();
  Life life(directory.path(), FaultPoint::kHoldLoad);
  CHECK(life.Digest() == digest);
  CHECK(life.store->Audit() == "");
  CHECK(life.persistence->streaming());
  life.EndLoad();
  CHECK(life.Digest() == digest);
  CHECK(life.store->Audit() == "");
}

TEST_CASE("writes and removals while pages come in, then a save, then another start") {
  TemporaryDirectory directory;
  Content content = MakeStore(directory.path(), 4000, 4);
  std::string digest;
  {
    Life life(directory.path(), FaultPoint::kHoldLoad);
    REQUIRE(life.ok());
    std::mt19937_64 random(5);
    const auto change = [&](int changes) {
      for (int i = 0; i < changes; ++i) {
        const std::string key = KeyName(random() % 5000);
        if (random() % 3 == 0) {
          life.Erase(0, key);
          content.erase(key);
        } else {
          content[key] = RandomBytes(&random, random() % 2000);
          life.Set(0, key, content[key]);
        }
        if (i % 64 == 0) life.store->Background(200);
      }
    };
    change(2000);
    CHECK(life.store->Audit() == "");
    const uint64_t pin_ms = life.clock.NowMs();
    const storage::PinHandle pin = life.store->PinForRead(life.store->main(), pin_ms);
    kill(life.persistence->child_pid(), SIGUSR1);
    while (life.persistence->streaming()) {
      change(50);
      life.persistence->Poll();
    }
    life.error = life.persistence->load_status().error;
    REQUIRE(life.ok());
    CheckContent(&life, content);
    CHECK(life.store->Audit() == "");
    change(2000);
    life.store->DrainBackground();
    CHECK(life.store->Audit() == "");
    CHECK(life.store->arena().image() == nullptr);
    REQUIRE(life.Save());
    digest = life.Digest();
    CHECK(life.store->Audit() == "");
  }
  Life life(directory.path());
  INFO(life.error);
  REQUIRE(life.ok());
  CHECK(life.Digest() == digest);
  CheckContent(&life, content);
  CHECK(life.store->Audit() == "");
}

TEST_CASE("everything flushed while pages come in: none of it comes back") {
  TemporaryDirectory directory;
  MakeStore(directory.path(), 3000, 6);
  Life life(directory.path(), FaultPoint::kHoldLoad);
  {
    storage::WriteView view(*life.store, life.store->main(), 0, life.clock.NowMs());
    REQUIRE(life.store->ReserveForWrite(0, 1));
    view.FlushAll();
  }
  life.Set(0, "new", "value");
  life.store->Background(1000);
  CHECK(life.store->Audit() == "");
  life.EndLoad();
  life.store->DrainBackground();
  CHECK(life.store->Audit() == "");
  CHECK(life.store->arena().bytes_allocated() < 200'000);
  REQUIRE(life.Save());
  const std::string digest = life.Digest();
  Content content{{"new", "value"}};
  CheckContent(&life, content);
  life.persistence.reset();
  Life again(directory.path());
  CHECK(again.Digest() == digest);
}

TEST_CASE("a loader killed while pages are waited for is replaced, and what is there stays") {
  TemporaryDirectory directory;
  Content content = MakeStore(directory.path(), 3000, 7);
  Life life(directory.path(), FaultPoint::kHoldLoad);
  REQUIRE(life.ok());
  for (uint64_t i = 0; i < 300; ++i) REQUIRE(Get(&life, KeyName(i)) == content[KeyName(i)]);
  for (uint64_t i = 0; i < 300; ++i) {
    content[KeyName(i)] = "new" + std::to_string(i);
    life.Set(0, KeyName(i), content[KeyName(i)]);
  }
  const pid_t first = life.persistence->child_pid();
  REQUIRE(kill(first, SIGKILL) == 0);
  // In the middle of a read: the next loader is started there.
  for (uint64_t i = 300; i < 600; ++i) REQUIRE(Get(&life, KeyName(i)) == content[KeyName(i)]);
  CHECK(life.persistence->child_pid() != first);
  CHECK(life.log.find("starting another one") != std::string::npos);
  REQUIRE(life.persistence->WaitLoad(60'000));
  CHECK(life.persistence->load_status().state == LoadState::kLoaded);
  CheckContent(&life, content);
  life.store->DrainBackground();
  CHECK(life.store->Audit() == "");
  CHECK(life.Save());
}

TEST_CASE("a server that dies while pages come in starts again, any number of times") {
  TemporaryDirectory directory;
  const Content content = MakeStore(directory.path(), 1000, 8);
  for (int i = 0; i < 5; ++i) {
    Life life(directory.path(), FaultPoint::kHoldLoad);
    INFO(life.error);
    REQUIRE(life.ok());
    REQUIRE(Get(&life, KeyName(7)) == content.at(KeyName(7)));
  }
  Life life(directory.path());
  REQUIRE(life.ok());
  CheckContent(&life, content);
}

}  // namespace verso::persistence
