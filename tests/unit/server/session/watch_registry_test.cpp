// Who watches what: filed by line, database and key, and nothing is left when nobody watches.
#include "server/session/watch_registry.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

namespace verso::server {
namespace {

KeyPlace Place(const std::string& key, int db = 0, storage::LineId line = 1) {
  return {line, db, key, std::hash<std::string>()(key)};
}

TEST_CASE("watches: line, database and key all count") {
  WatchRegistry registry;
  WatchSet set(&registry);
  const std::string key = "k", longer = "kk";
  set.Add(Place(key, 3, 7), WatchState::kLive);
  registry.KeyChanged(Place(key, 3, 8), false);
  registry.KeyChanged(Place(key, 2, 7), false);
  registry.KeyChanged(Place(longer, 3, 7), false);
  CHECK_FALSE(set.dirty());
  registry.KeyChanged(Place(key, 3, 7), false);
  CHECK(set.dirty());
  CHECK(registry.size() == 0);
  CHECK(registry.keys() == 0);
  CHECK(registry.sets() == 0);
  set.Add(Place(key), WatchState::kLive);  // W4
  CHECK(registry.size() == 0);
}

TEST_CASE("watches: many sets on one key, many keys in one set, each once") {
  WatchRegistry registry;
  const std::string hot = "hot";
  std::vector<std::string> keys;
  for (int i = 0; i < 500; ++i) keys.push_back("key:" + std::to_string(i));
  std::vector<std::unique_ptr<WatchSet>> sets;
  for (int i = 0; i < 500; ++i) {
    sets.push_back(std::make_unique<WatchSet>(&registry));
    for (int twice = 0; twice < 2; ++twice) {
      sets.back()->Add(Place(hot), WatchState::kMissing);
      if (i == 0) {
        for (const std::string& key : keys) sets[0]->Add(Place(key), WatchState::kLive);
      }
    }
  }
  CHECK(registry.size() == 1000);
  CHECK(registry.keys() == 501);
  CHECK(registry.sets() == 500);
  sets.erase(sets.begin() + 250);
  sets[3]->Clear();
  CHECK(registry.size() == 998);
  registry.KeyChanged(Place(keys[77]), false);
  CHECK(sets[0]->dirty());
  CHECK(registry.keys() == 1);
  registry.KeyChanged(Place(hot), false);
  for (size_t i = 0; i < sets.size(); ++i) CHECK(sets[i]->dirty() == (i != 3));
  CHECK(registry.size() == 0);
}

TEST_CASE("watches: a database goes") {
  WatchRegistry registry;
  const std::string keys[] = {"live", "missing", "appears"};
  WatchSet live(&registry), missing(&registry), appears(&registry), elsewhere(&registry);
  live.Add(Place(keys[0]), WatchState::kLive);
  missing.Add(Place(keys[1]), WatchState::kMissing);
  appears.Add(Place(keys[2]), WatchState::kExpired);
  elsewhere.Add(Place(keys[0], 1), WatchState::kLive);
  const auto look = [&](const KeyPlace& place) {
    return place.key == keys[2] ? WatchState::kLive : WatchState::kMissing;
  };
  registry.DatabaseChanged(1, 0, false, look);
  CHECK(live.dirty());
  CHECK_FALSE(missing.dirty());
  CHECK(appears.dirty());
  CHECK_FALSE(elsewhere.dirty());
  registry.DatabaseChanged(1, -1, true, look);
  CHECK(missing.dirty());
  CHECK(elsewhere.dirty());
  CHECK(registry.keys() == 0);
}

}  // namespace
}  // namespace verso::server
