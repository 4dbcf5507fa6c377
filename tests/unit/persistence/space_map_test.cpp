#include "persistence/space_map.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>

namespace verso::persistence {

namespace {

SpaceMap EmptyMap() {
  return SpaceMap([](uint32_t) { return Result<GroupSpace>(GroupSpace{}); });
}

}  // namespace

TEST_CASE("runs begin at multiples of their class") {
  CHECK(RunAt(storage::kSlabCells, 0) == 0);
  CHECK(RunAt(storage::kSlabCells + 5, 0) == 5);
  CHECK(RunAt(storage::kSlabCells + 4, 1) == 2);
  CHECK(RunAt(storage::kSlabCells + 5, 1) == -1);
  // 65520 bytes: one run, and sixteen bytes that belong to nobody.
  CHECK(RunAt(storage::kSlabCells, storage::kSizeClasses - 1) == 0);
  CHECK(RunAt(storage::kSlabCells + 4095, storage::kSizeClasses - 1) == -1);
}

TEST_CASE("a place is taken once, and only a page that is there goes") {
  SpaceMap map = EmptyMap();
  const Cell cell = 5 * storage::kSlabCells;
  CHECK_FALSE(*map.Remove(cell, 100));
  CHECK(map.Add(cell, 100).has_value());
  CHECK_FALSE(map.Add(cell, 100).has_value());
  CHECK_FALSE(map.Add(cell + 7, 200).has_value());  // another class in this slab
  CHECK_FALSE(map.Add(cell + 3, 100).has_value());  // inside a run
  CHECK_FALSE(*map.Remove(cell, 300));
  CHECK(*map.Remove(cell, 100));
  CHECK_FALSE(*map.Remove(cell, 100));
  CHECK(map.Add(cell, 200).has_value());  // an empty slab may change its class
}

TEST_CASE("what was written is what is read, group by group") {
  std::map<uint32_t, std::string> store;
  const auto read = [&store](uint32_t number) -> Result<GroupSpace> {
    const auto at = store.find(number);
    if (at == store.end()) return GroupSpace{};
    return DecodeGroup(number, at->second);
  };
  std::mt19937_64 random(42);
  std::map<Cell, size_t> model;
  for (int round = 0; round < 20; ++round) {
    SpaceMap map(read);
    for (int i = 0; i < 500; ++i) {
      const uint64_t slab = 1 + random() % 200;
      const size_t bytes = slab % 2 == 0 ? 90 : 1000;
      const int size_class = storage::ClassFor(bytes);
      const Cell cell =
          slab * storage::kSlabCells + random() % storage::ClassRuns(size_class) *
                                           (storage::ClassBytes(size_class) / storage::kCellBytes);
      if (model.count(cell) != 0) {
        REQUIRE(*map.Remove(cell, bytes));
        model.erase(cell);
      } else {
        REQUIRE(map.Add(cell, bytes).has_value());
        model[cell] = bytes;
      }
    }
    for (const uint32_t number : map.TouchedGroups()) {
      store.erase(number);
      if (!map.group(number).empty()) store[number] = EncodeGroup(number, map.group(number));
    }
  }
  uint64_t occupied = 0;
  for (const auto& [number, bytes] : store) {
    const auto group = DecodeGroup(number, bytes);
    REQUIRE(group.has_value());
    for (const SlabSpace& slab : group->slabs) occupied += slab.occupied_runs;
  }
  CHECK(occupied == model.size());
}

}  // namespace verso::persistence
