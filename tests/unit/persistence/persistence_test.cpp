// Save, restart, compare: the digest of what comes back is the digest of what was saved, and the
// audit is clean.
#include "persistence/persistence.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "tests/support/persistence_fixture.h"

namespace verso::persistence {

TEST_CASE("an empty directory starts empty, twice") {
  TemporaryDirectory directory;
  for (int i = 0; i < 2; ++i) {
    Life life(directory.path() + "/data");
    REQUIRE(life.ok());
    CHECK(life.persistence->load_status().state == LoadState::kLoaded);
    CHECK(life.persistence->load_status().epoch == 0);
  }
}

TEST_CASE("an empty store is saved and comes back") {
  TemporaryDirectory directory;
  {
    Life life(directory.path());
    REQUIRE(life.Save());
  }
  Life life(directory.path());
  REQUIRE(life.ok());
  CHECK(life.persistence->load_status().epoch != 0);
  CHECK(life.store->Audit() == "");
}

TEST_CASE("what was saved comes back, over many saves and restarts") {
  TemporaryDirectory directory;
  std::mt19937_64 random(7);
  std::string saved;
  Epoch epoch = 0;
  for (int life_number = 0; life_number < 4; ++life_number) {
    Life life(directory.path());
    INFO(life.error);
    REQUIRE(life.ok());
    if (life_number > 0) CHECK(life.Digest() == saved);
    CHECK(life.store->Audit() == "");
    CHECK(life.store->epoch() >= epoch);  // what was not saved is in no store
    for (int save = 0; save < 3; ++save) {
      WriteRandomly(&life, &random, 2000);
      REQUIRE(life.Save());
      saved = life.Digest();
      CHECK(life.store->Audit() == "");
    }
    epoch = life.store->epoch();
    WriteRandomly(&life, &random, 500);  // lost: it was not saved
    REQUIRE(life.Digest() != saved);
  }
  CHECK(CheckStore(directory.path()).has_value());
}

TEST_CASE("writes during a save belong to the next one") {
  TemporaryDirectory directory;
  std::mt19937_64 random(8);
  std::string saved;
  {
    Life life(directory.path());
    WriteRandomly(&life, &random, 5000);
    for (int save = 0; save < 5; ++save) {
      saved = life.Digest();
      REQUIRE(life.persistence->StartSave(life.store.get()).has_value());
      while (life.persistence->saving()) {
        WriteRandomly(&life, &random, 20);
        life.store->Background(200);
        life.persistence->Poll();
      }
      REQUIRE(life.persistence->save_status().last == LastSave::kOk);
    }
    life.store->DrainBackground();
    CHECK(life.store->Audit() == "");
  }
  Life life(directory.path());
  INFO(life.error);
  REQUIRE(life.ok());
  CHECK(life.Digest() == saved);
  CHECK(life.store->Audit() == "");
}

TEST_CASE("a save of unchanged data writes next to nothing, a clustered change little") {
  TemporaryDirectory directory;
  std::mt19937_64 random(9);
  Life life(directory.path());
  // Large values: each has pages of its own, so one in a hundred keys is one in a hundred pages.
  for (int i = 0; i < 3000; ++i)
    life.Set(0, "key:" + std::to_string(i), RandomBytes(&random, 4000));
  REQUIRE(life.Save());
  const uint64_t full = life.persistence->save_status().bytes_done;
  REQUIRE(full > 12'000'000);

  REQUIRE(life.Save());
  CHECK(life.persistence->save_status().bytes_done < 4096);

  for (int i = 0; i < 30; ++i) life.Set(0, "key:" + std::to_string(i), RandomBytes(&random, 4000));
  REQUIRE(life.Save());
  CHECK(life.persistence->save_status().bytes_done >= 30 * 4000);
  CHECK(life.persistence->save_status().bytes_done <= full / 20);
}

TEST_CASE("the store stays below twice a fresh one after many saves of incompressible values") {
  TemporaryDirectory directory;
  std::mt19937_64 random(10);
  uint64_t after_many = 0;
  std::string digest;
  uint64_t most = 0;
  {
    Life life(directory.path());
    for (int save = 0; save < 50; ++save) {
      for (int i = 0; i < 3000; ++i) {
        life.Set(0, "key:" + std::to_string(random() % 20'000), RandomBytes(&random, 256));
      }
      REQUIRE(life.Save());
      after_many = DirectoryBytes(directory.path() + "/store");
      if (save > 25) most = std::max(most, after_many);
    }
    digest = life.Digest();
  }
  TemporaryDirectory fresh_directory;
  Life old(directory.path());
  REQUIRE(old.ok());
  CHECK(old.Digest() == digest);
  Life fresh(fresh_directory.path());
  old.persistence.reset();
  storage::ReadView view(*old.store, old.store->main(), 0, old.clock.NowMs());
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = "key:" + std::to_string(i);
    const auto value = view.Find(view.MakeKey(key));
    if (value) fresh.Set(0, key, storage::StringCopy(view.arena(), *value));
  }
  REQUIRE(fresh.Save());
  CHECK(fresh.Digest() == digest);
  const uint64_t fresh_bytes = DirectoryBytes(fresh_directory.path() + "/store");
  REQUIRE(fresh_bytes > 4'000'000);
  CHECK(most < 2 * fresh_bytes);
  UNSCOPED_INFO("after 50 saves " << after_many << ", at most " << most << ", fresh "
                                  << fresh_bytes);
}

TEST_CASE("files are for their owner alone") {
  TemporaryDirectory directory;
  const std::string data = directory.path() + "/data";
  Life life(data);
  life.Set(0, "a", "b");
  REQUIRE(life.Save());
  struct stat info;
  REQUIRE(stat(data.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  size_t files = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(data)) {
    INFO(file.path());
    REQUIRE(stat(file.path().c_str(), &info) == 0);
    CHECK((info.st_mode & 0077) == 0);
    ++files;
  }
  CHECK(files > 5);
}

TEST_CASE("the number of files does not grow with the number of saves") {
  TemporaryDirectory directory;
  Life life(directory.path());
  const auto files = [&] {
    std::map<std::string, int> count;
    for (const auto& file : std::filesystem::directory_iterator(directory.path() + "/store")) {
      ++count[file.path().extension().string()];
    }
    return count;
  };
  for (int i = 0; i < 20; ++i) {
    life.Set(0, "a", std::to_string(i));
    REQUIRE(life.Save());
  }
  CHECK(files()[".log"] <= 2);
  CHECK(files()[".sst"] <=
        2 * 20 + 2 * 8);  // pages and deletions of each save, until there are 128
  CHECK(files()[""] <= 6);
}

TEST_CASE("two servers cannot share a directory") {
  TemporaryDirectory directory;
  Life first(directory.path());
  REQUIRE(first.ok());
  Life second(directory.path());
  CHECK(second.error.find("another server") != std::string::npos);
}

TEST_CASE("a second save, and a save after a failed load, are refused") {
  TemporaryDirectory directory;
  Life life(directory.path());
  life.Set(0, "a", "b");
  REQUIRE(life.persistence->StartSave(life.store.get()).has_value());
  const auto second = life.persistence->StartSave(life.store.get());
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == ErrorCode::kBusy);
  REQUIRE(life.persistence->WaitIdle(60'000));
}

TEST_CASE("saves that follow at once keep the store small all the same") {
  // Each stops the compaction of the one before, until one compacts first.
  TemporaryDirectory directory;
  std::mt19937_64 random(14);
  Life life(directory.path());
  uint64_t fresh = 0;
  uint64_t last = 0;
  for (int save = 0; save < 24; ++save) {
    for (int i = 0; i < 4000; ++i) {
      life.Set(0, "key:" + std::to_string(i), RandomBytes(&random, 1000));
    }
    REQUIRE(life.persistence->StartSave(life.store.get()).has_value());
    REQUIRE(life.persistence->WaitSave(60'000));
    CHECK(life.persistence->save_status().last == LastSave::kOk);
    CHECK_FALSE(life.persistence->save_status().in_progress);
    life.store->DrainBackground();
    if (save == 0) fresh = DirectoryBytes(directory.path() + "/store");
    if (save == 23) last = DirectoryBytes(directory.path() + "/store");
  }
  REQUIRE(fresh > 4'000'000);
  CHECK(last < 8 * fresh);  // everything changes in each save, and up to five of them lie there
  const std::string digest = life.Digest();
  REQUIRE(life.Save());
  CHECK(DirectoryBytes(directory.path() + "/store") < 2 * fresh);
  life.persistence.reset();
  Life next(directory.path());
  CHECK(next.Digest() == digest);
}

TEST_CASE("an aborted save fails and leaves the one before") {
  TemporaryDirectory directory;
  std::mt19937_64 random(11);
  std::string saved;
  {
    Life life(directory.path());
    WriteRandomly(&life, &random, 3000);
    REQUIRE(life.Save());
    saved = life.Digest();
    WriteRandomly(&life, &random, 3000);
    REQUIRE(life.persistence->StartSave(life.store.get()).has_value());
    life.persistence->AbortSave();
    REQUIRE(life.persistence->WaitIdle(60'000));
    CHECK(life.persistence->save_status().last == LastSave::kFailed);
    CHECK(life.persistence->save_status().last_error.find("signal 9") != std::string::npos);
    life.store->DrainBackground();
    CHECK(life.store->Audit() == "");
  }
  Life life(directory.path());
  CHECK(life.Digest() == saved);
}

TEST_CASE("a descriptor is unwatched before it is closed, and none stays") {
  TemporaryDirectory directory;
  std::set<int> watched;
  PersistenceOptions options;
  options.directory = directory.path();
  options.watch = [&watched](int fd) { REQUIRE(watched.insert(fd).second); };
  options.unwatch = [&watched](int fd) {
    REQUIRE(watched.erase(fd) == 1);
    CHECK(fcntl(fd, F_GETFD) >= 0);
  };
  auto persistence = Persistence::Open(options);
  REQUIRE(persistence.has_value());
  SystemClock clock;
  storage::StoreOptions store_options;
  store_options.arena.bytes_max = size_t{1} << 30;
  store_options.clock = &clock;
  store_options.secret = (*persistence)->secret();
  auto store = storage::Store::Create(store_options);
  REQUIRE(store.has_value());
  REQUIRE((*persistence)->StartLoad(store->get()).has_value());
  REQUIRE((*persistence)->StartSave(store->get()).has_value());
  CHECK(watched.size() == 2);
  REQUIRE((*persistence)->WaitIdle(60'000));
  CHECK(watched.empty());
}

}  // namespace verso::persistence
