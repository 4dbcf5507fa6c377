// A store as it comes back from what a save of it contains, without a disk: for tests of what
// survives a restart.
#pragma once

#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/memory/save_walk.h"
#include "storage/memory/size_class.h"
#include "storage/memory/store.h"

namespace verso::storage {

// Requires: no save of it is under way.
inline std::unique_ptr<Store> SavedAndRestored(Store& store, const StoreOptions& options) {
  const SaveStart save = store.BeginSave();
  std::vector<Ref> pages;
  REQUIRE(CollectSave(store.arena(), save.super_root, 0, &pages).has_value());
  std::map<Cell, std::string> image;
  struct Slab {
    int size_class = 0;
    std::vector<uint64_t> occupied;
  };
  std::map<uint64_t, Slab> slabs;
  for (const Ref& page : pages) {
    image[page.cell()] = std::string(store.arena().Resolve(page), page.size());
    Slab& slab = slabs[page.cell() / kSlabCells];
    slab.size_class = ClassFor(page.size());
    slab.occupied.resize((ClassRuns(slab.size_class) + 63) / 64);
    const size_t run = page.cell() % kSlabCells / (ClassBytes(slab.size_class) / kCellBytes);
    slab.occupied[run / 64] |= uint64_t{1} << (run % 64);
  }
  const RestoreStart start{save.super_root, save.epoch, store.epoch() + 1};
  store.EndSave(SaveOutcome::kCommitted);

  auto made = Store::Create(options);
  REQUIRE(made.has_value());
  std::unique_ptr<Store> restored = std::move(*made);
  for (const auto& [number, slab] : slabs) {
    REQUIRE(restored->arena().Restore({number, slab.size_class, slab.occupied.data()}).has_value());
  }
  for (const Ref& page : pages) {
    const std::string& bytes = image[page.cell()];
    std::memcpy(restored->arena().ResolveMutable(page), bytes.data(), bytes.size());
  }
  REQUIRE(restored->FinishRestore(start).has_value());
  return restored;
}

}  // namespace verso::storage
