// A directory, a Persistence and a Store, as a server has them, for tests that save, die, restart
// and compare.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "persistence/persistence.h"
#include "storage/base/clock.h"
#include "storage/keyspace/keyspace.h"

namespace verso::persistence {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string path = (std::filesystem::temp_directory_path() / "verso-test-XXXXXX").string();
    REQUIRE(mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// One life of a server, without the server.
class Life {
 public:
  explicit Life(const std::string& directory, FaultPoint fault = FaultPoint::kNone,
                int resolvers_to_die = 0) {
    PersistenceOptions options;
    options.directory = directory;
    options.fault = fault;
    options.resolvers_to_die = resolvers_to_die;
    options.lock_wait_ms = 5000;
    // As a server would: the reason is left, then the process ends.
    options.fatal = [directory](const std::string& why) {
      std::ofstream(directory + ".fatal") << why;
    };
    options.log = [this](LogLevel, std::string_view line) { log += std::string(line) + "\n"; };
    auto opened = Persistence::Open(options);
    if (!opened) {
      error = opened.error().context;
      return;
    }
    persistence = *std::move(opened);
    storage::StoreOptions store_options;
    store_options.arena.bytes_max = size_t{16} << 30;
    store_options.arena.reserve_bytes = 1 << 20;
    store_options.arena.reserve_bytes_pinned = 1 << 20;
    store_options.clock = &clock;
    store_options.secret = persistence->secret();
    auto created = storage::Store::Create(store_options);
    REQUIRE(created.has_value());
    store = *std::move(created);
    const Status started = persistence->StartLoad(store.get());
    REQUIRE(started.has_value());
    if (fault == FaultPoint::kHoldLoad) {
      while (persistence->loading()) persistence->Poll();
    } else {
      REQUIRE(persistence->WaitLoad(60'000));
    }
    error = persistence->load_status().error;
  }

  // kHoldLoad: the stream goes on, to its end.
  void EndLoad() {
    if (persistence->child_running()) kill(persistence->child_pid(), SIGUSR1);
    REQUIRE(persistence->WaitLoad(60'000));
    error = persistence->load_status().error;
  }

  bool ok() const { return error.empty(); }

  void Set(int db, const std::string& key, const std::string& value) {
    storage::WriteView view(*store, store->main(), db, clock.NowMs());
    REQUIRE(store->ReserveForWrite(key.size() + value.size(), 1));
    view.SetString(view.MakeKey(key), value, {}, {"set", '$'});
  }

  void Erase(int db, const std::string& key) {
    storage::WriteView view(*store, store->main(), db, clock.NowMs());
    REQUIRE(store->ReserveForWrite(key.size(), 1));
    view.Erase(view.MakeKey(key), {"del", 'g'});
  }

  std::string Digest() const {
    const storage::ReadView view(*store, store->main(), 0, clock.NowMs());
    return storage::DigestOf(view, -1).Hex();
  }

  // Saves and waits until the outcome is certain and the child gone. True: committed.
  bool Save() {
    const auto started = persistence->StartSave(store.get());
    if (started) REQUIRE(persistence->WaitIdle(120'000));
    store->DrainBackground();
    return started.has_value() && persistence->save_status().last == LastSave::kOk;
  }

  ManualClock clock;
  std::string log;
  std::string error;
  std::unique_ptr<storage::Store> store;
  std::unique_ptr<Persistence> persistence;  // ends before the store it saves
};

inline std::string RandomBytes(std::mt19937_64* random, size_t count) {
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>((*random)());
  return bytes;
}

// Random keys of several lengths in several databases; sizes from a few bytes to ropes.
inline void WriteRandomly(Life* life, std::mt19937_64* random, int writes, int keys = 2000) {
  for (int i = 0; i < writes; ++i) {
    const int db = static_cast<int>((*random)() % 3);
    const std::string key = "key:" + std::to_string((*random)() % static_cast<uint64_t>(keys));
    const uint64_t kind = (*random)() % 100;
    if (kind < 10) {
      life->Erase(db, key);
    } else {
      const size_t bytes = kind < 60   ? (*random)() % 100
                           : kind < 98 ? (*random)() % 3000
                                       : (*random)() % 60'000;
      life->Set(db, key, RandomBytes(random, bytes));
    }
  }
}

inline uint64_t DirectoryBytes(const std::string& path) {
  uint64_t bytes = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(path)) {
    if (file.is_regular_file()) bytes += file.file_size();
  }
  return bytes;
}

}  // namespace verso::persistence
